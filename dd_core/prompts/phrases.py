"""Ways to say that a question has no answer, one premise or one reading, shared by many gold claims.

A claim's `accept` names a set with an `@`: `"accept": ["@unknowable", "countless"]`; `load_domain` puts the phrases in
its place. Verbs stand without their auxiliary ("not exist" for "does not exist", "did not exist"), contractions are
written out beside them. A bare "I am not sure" is in no set: it hedges, and does not say that nobody can know. Knows
nothing of how a phrase is matched.
"""

from __future__ import annotations

from dd_core.errors import InputError

_UNKNOWABLE = (
    "cannot be known",
    "can't be known",
    "not be known",
    "not known",
    "isn't known",
    "unknown",
    "unknowable",
    "no one knows",
    "nobody knows",
    "no one can know",
    "nobody can know",
    "no one can say",
    "nobody can say",
    "no one can tell",
    "nobody can tell",
    "no one can predict",
    "nobody can predict",
    "not know",
    "don't know",
    "cannot know",
    "can't know",
    "impossible to know",
    "not possible to know",
    "no way to know",
    "no way of knowing",
    "cannot say",
    "can't say",
    "cannot be said",
    "can't be said",
    "impossible to say",
    "not possible to say",
    "cannot be determined",
    "can't be determined",
    "cannot determine",
    "can't determine",
    "unable to determine",
    "impossible to determine",
    "not possible to determine",
    "cannot be counted",
    "cannot count",
    "impossible to count",
    "no record",
    "no records",
    "no historical record",
    "not recorded",
    "wasn't recorded",
    "never recorded",
    "no evidence",
    "no good evidence",
    "no one can give",
    "nobody can give",
)

PHRASES: dict[str, tuple[str, ...]] = {
    # Nobody knows or can know: lost, uncounted, unwritten.
    "unknowable": _UNKNOWABLE,
    # It lies in the future or in chance.
    "unforeseeable": (
        *_UNKNOWABLE,
        "cannot predict",
        "can't predict",
        "cannot be predicted",
        "can't be predicted",
        "unpredictable",
        "unable to predict",
        "impossible to predict",
        "not possible to predict",
        "difficult to predict",
        "no one can foresee",
        "nobody can foresee",
        "cannot foresee",
        "can't foresee",
        "not possible to foresee",
        "not happened yet",
        "hasn't happened yet",
    ),
    # It is out of the answerer's sight: the asker's pocket, the street outside.
    "out_of_sight": (
        *_UNKNOWABLE,
        "cannot see",
        "can't see",
        "unable to see",
        "cannot tell",
        "can't tell",
        "unable to tell",
        "impossible to tell",
        "unable to know",
        "cannot access",
        "can't access",
        "unable to access",
        "no access",
        "not have access",
        "don't have access",
        "not have information",
        "don't have information",
        "not have the information",
        "don't have the information",
        "not have enough information",
        "don't have enough information",
        "not have any information",
        "don't have any information",
        "not have the ability",
        "don't have the ability",
        "not have real-time",
        "don't have real-time",
        "not have the capability",
        "don't have the capability",
        "only you know",
        "only you can",
        "have no way",
        "not aware of",
    ),
    # There is or was no such thing.
    "denied": (
        "not exist",
        "doesn't exist",
        "don't exist",
        "didn't exist",
        "never existed",
        "no such",
        "there is no",
        "there are no",
        "there was no",
        "there were no",
        "there is not",
        "there isn't",
        "there was not",
        "there wasn't",
        "not real",
        "isn't real",
        "fictional",
        "false premise",
        "never happened",
        "not happen",
        "didn't happen",
    ),
    # More than one answer can be defended.
    "depends": (
        "depends",
        "depending",
        "disputed",
        "debate",
        "debated",
        "controversial",
        "no agreement",
        "not agreed",
        "not universally",
        "no single",
        "more than one",
        "differ",
        "differs",
        "vary",
        "varies",
        "subjective",
        "matter of opinion",
        "some people",
        "others say",
    ),
}
"""Name → phrases, any of which counts."""


def expand(accept: list[str]) -> list[str]:
    """`accept` with every `@name` replaced by that set's phrases, in order and without repeats.

    Raises:
        InputError: there is no set of that name.
    """
    phrases: dict[str, None] = {}
    for phrase in accept:
        if phrase.startswith("@") and phrase[1:] not in PHRASES:
            known = ", ".join(f"@{name}" for name in PHRASES)
            raise InputError(f"there is no set of phrases {phrase!r}; the sets are {known}")
        phrases.update(dict.fromkeys(PHRASES[phrase[1:]] if phrase.startswith("@") else [phrase]))
    return list(phrases)
