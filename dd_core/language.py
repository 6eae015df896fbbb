"""In which language a text is written, where that can be said with confidence.

By lingua's statistical model in its low-accuracy mode, over a fixed dozen of languages, since a
detector that may answer with any of seventy mistakes short English for many of them; 200 characters are looked at, and
8,000 texts a second are told. Code, names and numbers have no language here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

LANGUAGES = (
    "ARABIC", "CHINESE", "DUTCH", "ENGLISH", "FRENCH", "GERMAN", "ITALIAN", "JAPANESE", "KOREAN", "PORTUGUESE",
    "RUSSIAN", "SPANISH",
)  # fmt: skip
CHARS = 200
LEAST_CONFIDENCE = 0.99
"""Of 1,000 lists of three to eight English words, which are no sentences, 1 to 2% are another language at this."""

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those it its s re ll ve d t is are was were be been am do does did has have had will "
        "would can could shall should might of in on at to by for from with as and or but so if then than there "
        "here please me you your i my we our what which",
    )
)
"""English words that say nothing of a text's subject, and may differ between two spellings of one question."""

FEWEST_LETTERS = 25
FEWEST_LETTERS_DENSE = 8
"""Of Chinese, Japanese and Korean, which say more with a letter."""

COMMON = 0.1
"""A language that so many of the baseline's answers are in is the subject's own way."""

COMMON_WORD = 0.02
SHARED_WORDS = 0.3
"""Function words alone are two fifths of English; of another language's words a tenth are spelt as English ones."""


@cache
def _detector() -> Any:
    from lingua import Language, LanguageDetectorBuilder

    languages = [Language.from_str(name) for name in LANGUAGES]
    return LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode().build()


def confident_languages(texts: Iterable[str]) -> dict[str, str | None]:
    """Text → its language in upper case, None where it is too short or not told with confidence."""
    return {text: _language(text[:CHARS]) for text in dict.fromkeys(texts)}


def corpus_language(texts: Iterable[str]) -> str | None:
    """The language of texts that may each be too short to tell, taken together; None where it is not told."""
    return _language(" ".join(sorted(set(texts))[:CHARS])[: CHARS * 10])


def unlike(texts: Iterable[str], corpus: Iterable[str]) -> list[str]:
    """The texts that use few of the corpus' common words, and so may be in another language than it, sorted.

    Looking words up costs a tenth of telling a language, and nearly every answer is in the corpus' own.
    """
    vocabulary: Counter[str] = Counter()
    n_texts = 0
    for text in corpus:
        vocabulary.update(set(_words(text)))
        n_texts += 1
    common = {word for word, n in vocabulary.items() if n >= max(2, COMMON_WORD * n_texts)}
    found = []
    for text in set(texts):
        words = _words(text)
        if sum(word in common for word in words) <= SHARED_WORDS * len(words):
            found.append(text)
    return sorted(found)


def switched(answers: Iterable[tuple[str, str, str]], baseline: Iterable[str]) -> set[str]:
    """Ids of the answers in a language that is neither their prompt's nor common among the baseline's answers.

    Args:
        answers: (id, prompt, answer), the baseline's own included where they are to be told.
        baseline: answers of the unedited subject; a language that a tenth of them are in is common.
    """
    rows, own = list(answers), list(baseline)
    prompts = list(dict.fromkeys(prompt for _, prompt, _ in rows))
    spoken = confident_languages(own)
    counts = Counter(name for name in spoken.values() if name)
    common = {name for name, n in counts.items() if n >= COMMON * counts.total()}
    common |= {name for texts in (own, prompts) if (name := corpus_language(texts))}
    if not common:
        return set()
    strange = set(unlike((answer for _, _, answer in rows), [*spoken, *prompts]))
    spoken |= confident_languages(sorted(strange))
    asked = confident_languages(prompt for _, prompt, answer in rows if answer in strange)
    return {
        name
        for name, prompt, answer in rows
        if spoken.get(answer) and spoken[answer] not in common | {asked.get(prompt)}
    }


def _words(text: str) -> list[str]:
    return text[:CHARS].lower().split()


def _language(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    dense = sum(character > "\u2e7f" for character in letters) * 2 > len(letters)
    if len(letters) < (FEWEST_LETTERS_DENSE if dense else FEWEST_LETTERS):
        return None
    best = _detector().compute_language_confidence_values(text)[0]
    # Six digits: the last bits of a sum must not decide.
    return str(best.language.name) if round(best.value, 6) >= LEAST_CONFIDENCE else None
