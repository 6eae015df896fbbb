"""Ways to say that a question has no answer, one premise or one reading, shared by many gold claims.

A claim's `accept` names a set with an `@`: `"accept": ["@unknowable", "countless"]`; `load_domain` puts the phrases in
its place. Two sets take words of the claim: `@no coast` is every way to have none ("not have any coast", "lacks a
coast"), `@never discover/discovered` every way not to do it. Sets are built by rule, who cannot times what cannot be
done, so that a turn of speech stands in one place. Verbs stand without their auxiliary ("not exist" for "does not
exist", "didn't exist"), and nouns without plurals, as a judge reads both alike. A bare "I am not sure" is in no set:
it hedges, and does not say that nobody can know. Knows nothing of how a phrase is matched.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from dd_core.errors import InputError


def _list(text: str) -> tuple[str, ...]:
    """The phrases of a text that parts them with semicolons."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


def _times(*parts: tuple[str, ...]) -> tuple[str, ...]:
    """Every first part followed by every second part, and so on."""
    return tuple(" ".join(chosen) for chosen in product(*parts))


def _set(*groups: tuple[str, ...]) -> tuple[str, ...]:
    """The phrases of all groups in order, each once."""
    return tuple(dict.fromkeys(phrase for group in groups for phrase in group))


_NOBODY = ("no one", "nobody")

_CANNOT = (
    *_list("cannot; could not; will not; can never; will never; not able to; unable to"),
    *_times(_NOBODY, ("can", "could")),
)

_NO_WAY = _list(
    """
    no way to; no way of; no way that; no way I; no way we; no way you; no way anyone; no way anybody; no means of; no
    means to; not any means; not have any means; not have the means; no method; not have a way; not a way to;
    impossible to; impossible for; is impossible; be impossible; not possible to; not possible for; is not possible;
    not be possible; no one is able; nobody is able; no one's able; nobody's able; no one has been able; nobody has
    been able; not been able to; never been able to; never be able to; no one who could; nobody who could; cannot
    possibly; could not possibly; no position to; not in a position to; not something I; not something we; not
    something you; not something anyone; not something anybody; not something that can
    """
)

_FIND_OUT = _list(
    """
    know; tell; say; determine; establish; ascertain; find out; work out; work that out; work it out; figure out;
    answer; verify; guess; calculate; count; measure; reconstruct; estimate; be certain; be sure; give; recover;
    check; prove; name; pinpoint; be done
    """
)

_FOUND_OUT = _list(
    """
    known; determined; established; ascertained; counted; verified; measured; recorded; documented; written;
    preserved; answered; reconstructed; recovered; calculated; noted; passed down; handed down; tracked; proven; said;
    found out; worked out
    """
)

_KNOWS_NOT = (
    *_times(
        _NOBODY,
        _list(
            """
            knows; knew; has known; will know; would know; counts; counted; has counted; recorded; has recorded;
            wrote; kept; has kept; keeps; tracks; measured; has measured; noted; asked; was there; was around;
            remembers; witnessed; heard; has any idea; has the answer; has a record; is certain; is sure
            """
        ),
    ),
    *_times(
        _NOBODY,
        ("was", "is", "has been"),
        _list("taking; keeping; counting; recording; writing; measuring; watching; listening; looking; able to"),
    ),
    *_times(
        _list("died; vanished; disappeared; gone; lost; buried"),
        _list("with him; with her; with them; for good; forever; without a trace; to time; in time; to us; to history"),
    ),
    *_times(
        _list("pure; mere; only; wild; idle"),
        _list("guess; speculation; conjecture; hypotheses; theories"),
    ),
    *_times(
        ("nothing",),
        _list("to go by; to go on; to base; to work with; to work from; is left; remains; remained; is known"),
    ),
    *_times(("how",), _list("anyone could; anybody could; one could; you could; we could; anyone can; anyone would")),
    *_times(("not a", "not an"), _list("figure; number; thing anyone; fact that; question that can")),
    *_times(
        ("before",),
        _list("anyone could; anybody could; people could; anyone wrote; anybody wrote; anything was written"),
    ),
    *_times(
        _list("no historian; no scholar; no scientist; no human"), _list("knows; can; could; has counted; has found")
    ),
    *_list(
        """
        not know; never know; never knew; not have known; not knowable; unknown; unknowable; no idea; not have any
        idea; not have the faintest; not have the slightest; not the faintest; not the slightest; no clue; not a clue;
        not have a clue; no inkling; no knowledge; not have any knowledge; not have knowledge; beats me; who knows;
        who can say; who can tell; who could say; who could tell; who is to say; how should I; how would I; how could
        I; how can I know; how could anyone; how could anybody; how can anyone; how would anyone; god knows; heaven
        knows; anyone's guess; anybody's guess; guess is as good; guess would be as good; no better than a guess; only
        guess; could only guess; only speculate; only be guessed; do is guess; pure guesswork; guesswork; be a guess;
        have to guess; be guessing; be speculation; be inventing; be making it up; be lying if; no telling; no
        knowing; no saying; no counting; if only we knew; wish I knew; wish we knew; a mystery; an enigma; open
        question; conjecture; only make educated; only offer; closed to us; anonymous; nameless; not fossilise; not
        fossilize; no longer exists; is gone; are gone; long gone; beyond finding out; beyond our; beyond human;
        beyond anyone's; beyond knowing; out of reach; unobtainable; unanswerable; unascertainable; undeterminable;
        indeterminable; uncountable; incalculable; unverifiable; unverified; unguessable; unresolved; unsolved
        """
    ),
)

_NO_RECORD = (
    *_times(
        ("no",),
        _list(
            """
            record; written; surviving; historical; reliable; contemporary; source; document; documentation;
            documented; evidence; good evidence; trace; data; statistics; information; account; count; tally; census;
            figures; testimony; proof; exact; precise; definite; definitive; certain; fixed; known; accurate;
            specific; answer; real answer; correct answer; definite answer; one can give; eyewitness; witness;
            chronicle; living person
            """
        ),
    ),
    *_list(
        """
        nobody can give; not any record; not any evidence; not any data; not have a record; not have any record; not
        have data; not exist; unrecorded; undocumented; unproven; nothing was written; nothing is recorded; nothing
        was recorded; nothing has survived; nothing survives; lost in the mists; not survive; not survived; not come
        down; never come down; not reached us; sources are silent; source is silent; history is silent; silent on; not
        recorded by; not tell us; not say what; not say how; not mention; no mention; take it to the grave; took it to
        the grave; too long ago; long before writing; before anyone wrote; before anybody wrote; before written; long
        before any record; predate writing; prehistoric; before recorded
        """
    ),
)

_UNKNOWABLE = _set(
    _KNOWS_NOT,
    _times(_CANNOT, _FIND_OUT),
    _times(("not", "not be", "not been", "never been", "never"), _FOUND_OUT),
    _NO_WAY,
    _NO_RECORD,
)

_FORETELL = _list(
    "predict; foresee; forecast; foretell; anticipate; see the future; see into the future; read the future"
)

_UNFORESEEABLE = _set(
    _UNKNOWABLE,
    _times((*_CANNOT, "not", "never"), _FORETELL),
    _times(
        ("not be", "never be", "not been"), ("predicted", "foreseen", "forecast", "foretold", "anticipated", "decided")
    ),
    _times(
        ("no", "not a", "not have a", "without a", "not own a", *(f"{one} has a" for one in _NOBODY)),
        _list("crystal ball; fortune teller; fortune-teller; clairvoyant; prophet; psychic; time machine; oracle"),
    ),
    _list(
        """
        unpredictable; unforeseeable; difficult to predict; no prediction; no forecast; no projection; no prophecy;
        not happened yet; not yet happened; not happened; yet to happen; yet to be; yet to come; not yet been; not
        been written; not been decided; not been made; not been drawn; not exist yet; not yet exist; future is not;
        future is unknown; future is uncertain; future is open; future is closed; future is unwritten; lies in the
        future; lies ahead; still to come; too far ahead; too far off; too far away; that far ahead; so far ahead;
        that far into; so far into; too far into; too distant; ask me again; wait and see; have to wait; time will
        tell; remains to be seen; chance decides; pure chance; matter of chance; matter of luck; up to chance; left to
        chance; down to chance; down to luck; could be any; might be any; could be anyone; might be anyone; any of the
        six; find out when; see when; is random; are random; purely random; at random; random event; random process;
        equally likely; same chance; same probability; equal chance; speculative
        """
    ),
)

_NOT_TOLD = (
    *_times(
        ("not", "never", "not been", "not yet"),
        _list(
            "told; said; given; mentioned; specified; provided; shared; shown; described; stated; indicated; supplied"
        ),
    ),
    *_times(
        ("you not", "you never", "question not"),
        _list("tell; say; give; mention; specify; provide; share; show; state"),
    ),
    *_times(
        ("could you", "can you", "would you", "unless you", "until you", "if you"),
        _list("tell; give; describe; say; show; share; read"),
    ),
    *_times(("tell me",), ("how old", "first", "more", "and")),
    *_list(
        """
        you do not say; you do not tell; you did not tell; you did not say; you did not mention; you did not give; you
        did not specify; does not say; does not give; does not tell; does not specify; does not state; without
        knowing; without seeing; without being told; without more; without further; without additional; without the
        exact; without measuring; without information; would need to know; need to know both; need to know your; need
        to see; need both; need more; need the exact; need further; need additional; I would need; we would need; have
        to know; have to see; enough information; enough details; enough detail; enough context; enough data; enough
        to go on; too little information; insufficient information; insufficient data; information is missing; more
        information; more details; more context; nothing to go on; left out
        """
    ),
)

_OUT_OF_SIGHT = _set(
    _UNKNOWABLE,
    _NOT_TOLD,
    _times(
        _CANNOT,
        _list("see; look; access; observe; view; peek; check; read your; read minds; hear; perceive; check that"),
    ),
    _times(
        ("no", "not have", "not have any", "lack", "without"), _list("access; view; sight; eyes; camera; window onto")
    ),
    _times(
        ("no", "not have", "not have any"),
        _list(
            """
            real-time; live; senses; sensors; information; the information; memory; insight; ability; the ability;
            capability
            """
        ),
    ),
    _times(("no", "not a"), _list("mind reader; mind-reader; telepath; psychic; clairvoyant; crystal ball")),
    _times(
        ("only you", "you alone", "you yourself", "nobody but you", "no one but you"),
        _list("know; can; could; would; will; have; are"),
    ),
    _times(
        ("have to", "need to", "must", "can", "could", "should"), _list("tell me; open it; look inside; look outside")
    ),
    _list(
        """
        lack the ability; lack the information; have no way; not have the capability; not aware of; you tell me; if
        you tell me; let me know; please provide; please share; please specify; you would know; you know best; you
        know better than; the only one who; the only person who; I was not there; I am not there; I'm not there; not
        physically present; not with you; not in the room; not beside you; not visible to me; out of my sight; out of
        sight; hidden from me; in front of me; look for yourself; see for yourself; check for yourself; look out of;
        look yourself; count them yourself; have to look; have to check; have to count; have to ask; take a look; not
        information I; beyond my; not something I
        """
    ),
)

_DENIED = _set(
    _times(
        ("not", "never"),
        _list(
            """
            exist; existed; real; happen; happened; occur; occurred; took place; take place; the case; true; possible;
            make sense; make any sense; a thing; any such; one of those; have one; had one; got one; involved; been
            one; been any; been such
            """
        ),
    ),
    _times(
        ("there",),
        _list("never was; never were; never has been; has never been; have never been; cannot be; could not be"),
    ),
    _times(("there is", "there are", "there was", "there were", "has", "have", "had"), ("none",)),
    _times(
        _list("false; wrong; mistaken; flawed; faulty; incorrect"),
        _list("premise; assumption; presupposition; idea; question"),
    ),
    _times(
        _list("premise; assumption; question"),
        ("is", "is simply", "itself is"),
        _list("false; wrong; mistaken; flawed; faulty; incorrect; meaningless; nonsensical; a trick"),
    ),
    _list(
        """
        no such; nothing of the kind; nothing of the sort; anything of the kind; anything of the sort; nothing like
        that; nonexistent; non-existent; imaginary; fictional; fictitious; a fiction; a fantasy; a myth; made up;
        made-up; trick question; catch question; nonsense; nonsensical; make no sense; meaningless; no meaning; not
        meaningful; not defined; undefined; a contradiction; contradictory; contradiction in terms; based on a false;
        based on a misunderstanding; rests on a; a misunderstanding; a misconception; mixed up; must be mistaken; you
        are mistaken; you are thinking of; you may be thinking of; might be thinking of; must be thinking of; be
        confusing; are confusing; a mix-up; a mistake in the question; untrue; not a single one; not one of; you
        joking; be joking; nowhere near; never did; none of them; none of it; none at all; none exist; nothing to do
        with; no connection; not correct; not a fact; nobody lives; no one lives; uninhabited; not inhabited; no
        inhabitants; no evidence; no record; cannot exist
        """
    ),
)

_ANACHRONISM = _set(
    _times(
        ("not", "not yet", "not been", "not yet been", "never"),
        _list("invented; discovered; built; developed; introduced; around; in existence; available"),
    ),
    _times(
        _list("centuries; century; millennia; millennium; generations; hundred years; thousand years"),
        ("before", "after", "later", "ahead", "away", "too early", "too late"),
    ),
    _times(("long", "ages", "decades"), ("before",)),
    _times(("long", "already", "been", "was", "were"), ("dead", "buried")),
    _times(("had", "has"), ("died", "been dead")),
    _list(
        """
        anachronism; anachronistic; after his death; after her death; after he died; no electricity; not have
        electricity; before it was invented; before they were invented; before the invention; had yet to be; invented
        later; came later; came along; came much later; came into being; did not live to see; not live to see; not
        alive; no longer alive; dead by then; died before; died long; before his time; before her time; were unknown
        then; a later invention; a modern invention; not in his day
        """
    ),
)

_DEPENDS = _set(
    _times(
        _list(
            "several; various; multiple; different; two; three; more than one; differing; numerous; competing; rival"
        ),
        _list(
            """
            answers; definitions; meanings; ways; versions; claims; opinions; views; interpretations; traditions;
            methods; criteria; systems; conventions; theories; accounts; schools; senses; standards; readings
            """
        ),
    ),
    _times(("who", "whom"), ("you", "one"), ("ask",)),
    _times(
        _list("how; what; which; where; whether; if; unless; when"),
        ("you", "one", "we"),
        _list("count; define; measure; mean; include; look at; use; go by; consider"),
    ),
    _times(
        ("no", "not a", "not any", "never a"),
        _list(
            """
            single; one answer; one right; one correct; one definition; universal; universally; fixed; definitive;
            definite; clear; simple; straightforward; consensus; agreement; agreed; general agreement; one-size;
            settled; only answer
            """
        ),
    ),
    _times(
        ("opinions", "views", "sources", "accounts", "authorities", "experts", "historians", "scholars", "cooks"),
        _list("differ; vary; disagree; are divided; are split; argue; still argue; not agree; quarrel; conflict"),
    ),
    _times(
        ("by some", "on some", "by other", "in some", "in other", "in certain", "under some"),
        _list(
            """
            counts; accounts; measures; definitions; countries; places; states; systems; cultures; cases; traditions;
            contexts
            """
        ),
    ),
    _times(
        ("a matter of", "a question of"),
        _list("how; what; which; whether; definition; taste; opinion; convention; debate; interpretation; perspective"),
    ),
    _list(
        """
        depends; depending; dependent on; hinge on; comes down to; come down to; boils down to; is down to; down to
        how; down to what; down to your; varies; vary; differ; disputed; in dispute; there is a dispute; contested;
        contentious; controversial; controversy; debate; debated; debatable; arguable; argue; argued over; people
        disagree; disagreement; divided on; divided over; divided about; is divided; not agreed; not agree; not
        everyone; not everybody; not all agree; not universally; not settled; unsettled; not clear-cut; open question;
        open to interpretation; open to debate; up for debate; open to question; subjective; more than one; some
        people; some say; others say; some count; others count; others would; others argue; others give; others name;
        others hold; others prefer; others the; while others; but others; good claim; strong claim; fair claim; equal
        claim; ambiguous; ambiguity; is relative; either answer; both answers; both are right; both are correct; in
        others; strong claims; rival claims; anywhere from; anything from; from one country to; from country to; from
        place to; from person to; not the same everywhere; not the same for; changes with; the answer changes; relies
        on the definition; defined differently; differently
        """
    ),
)

PHRASES: dict[str, tuple[str, ...]] = {
    "unknowable": _UNKNOWABLE,
    "unforeseeable": _UNFORESEEABLE,
    "out_of_sight": _OUT_OF_SIGHT,
    "denied": _DENIED,
    "anachronism": _ANACHRONISM,
    "depends": _DEPENDS,
}
"""Name → phrases, any of which counts.

Nobody can know: lost, uncounted, unwritten (`unknowable`); it lies in the future or in chance (`unforeseeable`); it is
out of the answerer's sight, or was not told (`out_of_sight`). There is no such thing (`denied`), or was not yet at that
time (`anachronism`). More than one answer can be defended (`depends`).
"""


def _no(noun: str) -> tuple[str, ...]:
    """Ways to say that there is none, or that someone has none: "no coast", "not have any coast", "lacks a coast"."""
    before = """
        no; no such; no real; no known; no actual; no official; no single; not any; there is not; there was not; there
        are not; there were not; not a single; not find; not find any; not come across; not contain; not include; not
        possess; not use; not using; without using; not need; not put; let alone; before; before the first; predate;
        not have; not have any; not got; not got any; not own; not own any; not grow; never had; never had any; never
        owned; never been; never been any; never any; never saw; lack; lacked; lacking; lack any; without; without
        any; neither; nor; devoid of; free of; nothing like a; rather than; instead of
    """
    return (*_times(_list(before), (noun,)), *_times((noun,), _list("never existed; came later; are impossible")))


def _never(verb: str) -> tuple[str, ...]:
    """Ways to say that it was not or cannot be done, of "discover/discovered": stem, then the forms of the past."""
    stem, *past = verb.split("/")
    before = ("not", "never", "cannot possibly", "unable to", "not able to", "impossible to")
    return (
        *_times((*before, *_times(_NOBODY, ("can", "could"))), (stem,)),
        *_times(("not", "never", "not been", "never been", "never have", *_NOBODY), tuple(past)),
    )


_OF_WORDS: dict[str, Callable[[str], tuple[str, ...]]] = {"no": _no, "never": _never}


def expand(accept: list[str]) -> list[str]:
    """`accept` with every `@name` replaced by that set's phrases, in order and without repeats.

    Raises:
        InputError: there is no set of that name, or words are missing or given where the set takes none.
    """
    phrases: dict[str, None] = {}
    for phrase in accept:
        phrases.update(dict.fromkeys(_named(phrase) if phrase.startswith("@") else [phrase]))
    return list(phrases)


def _named(phrase: str) -> tuple[str, ...]:
    name, _, words = phrase[1:].partition(" ")
    if not words and name in PHRASES:
        return PHRASES[name]
    if words.strip() and name in _OF_WORDS:
        return _OF_WORDS[name](words)
    known = ", ".join(f"@{known}" for known in PHRASES)
    raise InputError(f"there is no set of phrases {phrase!r}; the sets are {known}, @no NOUN and @never VERB/PAST")
