"""What the edit is made of, as `edit.json` tells it: heads or a layer, the cohorts, and how far these part.

Reads members of unknown origin and leaves out what has another shape; `dd_core.falsify.audits.cohorts` knows the
spellings of the cosine and of d. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dd_core.falsify.audits.cohorts import attribution
from dd_core.falsify.documents import is_number, is_whole
from dd_core.report.words import number, plain

MOST_HEADS = 64
MOST_NAMES = 12
MOST_CHARS = 80
FEW = 20
"""Rows of a cohort below which its mean says little."""


_READOUT = {
    "threshold": "Threshold on the probability of being right",
    "hedged_share": "Share of train answers that are hedged",
    "asymmetry": "Asymmetry on train, out of fold",
}
"""Member of a gate's → its title."""


@dataclass(frozen=True)
class Head:
    """A head as layer.head; d in sample and held out, the latter's interval, and the cosine of the cohorts' means."""

    name: str
    in_sample: float | None
    held_out: float | None
    interval: tuple[float, float] | None
    cosine: float | None


@dataclass(frozen=True)
class MadeOf:
    """What the section shows.

    Args:
        facts: (name, value) in words.
        heads: with their own figures, where these are told; else `facts` lists them by name.
        warnings: what the fit said of its own cohorts.
    """

    facts: tuple[tuple[str, str], ...]
    heads: tuple[Head, ...]
    warnings: tuple[str, ...]


def fits(edit: dict[str, Any]) -> list[tuple[str, MadeOf]]:
    """(train seed, what its fit is made of) of each fit that `edit` (edit.json) tells of under "fits", or ("", what the
    whole is made of) where it tells of one alone; [] where there is nothing to tell."""
    told = edit.get("fits")
    several = told.items() if isinstance(told, dict) else [("", edit)]
    found = [(str(seed)[:MOST_CHARS], made_of(of) if isinstance(of, dict) else None) for seed, of in several]
    shown = [(seed, made) for seed, made in found if made is not None]
    return sorted(shown, key=lambda pair: (len(pair[0]), pair[0]))[:MOST_NAMES]


def made_of(edit: dict[str, Any]) -> MadeOf | None:
    """None where `edit` (edit.json) tells neither heads nor cohorts nor how strongly they part."""
    told = attribution(edit)
    heads = tuple(head for entry in _items(edit.get("each")) if (head := _head(entry)) is not None)[:MOST_HEADS]
    facts: list[tuple[str, str]] = []
    names = [name for entry in _items(edit.get("heads")) if (name := _name(entry)) is not None]
    if names:
        shown = ", ".join(names[:MOST_HEADS]) + (" …" if len(names) > MOST_HEADS else "")
        among = edit.get("n_heads")
        facts.append(("Heads, as layer.head", shown + (f" of {among:,}" if is_whole(among) else "")))
    if is_whole(edit.get("layer")):
        facts.append(("Layer", str(edit["layer"])))
    facts += _cohorts(edit.get("cohorts"))
    if told.in_sample is not None:
        facts.append(("d on the rows that made it", number(told.in_sample, signed=True)))
    if told.held_out is not None:
        ends = _interval(edit.get("interval"))
        between = f" ({number(ends[0], signed=True)} to {number(ends[1], signed=True)})" if ends else ""
        facts.append(("d held out", number(told.held_out, signed=True) + between))
    if told.cosine is not None:
        facts.append(("Cosine of the cohorts' means", number(told.cosine)))
    if is_number(edit.get("p_top_head")):
        facts.append(("Permutation p of the top head", number(edit["p_top_head"])))
    facts += _stability(edit.get("stability"))
    auc = edit.get("auc")
    known = (
        [f"{plain(str(name)[:MOST_CHARS])} {number(size)}" for name, size in auc.items() if is_number(size)]
        if (isinstance(auc, dict))
        else []
    )
    facts += [("Readout's area under the curve", ", ".join(known[:MOST_NAMES]))] if known else []
    facts += [(title, number(edit[name])) for name, title in _READOUT.items() if is_number(edit.get(name))]
    facts += _rank(edit.get("rank")) + _per_token(edit.get("per_token"))
    if not facts:
        return None
    warnings = [text[: 4 * MOST_CHARS] for text in _items(edit.get("warnings")) if isinstance(text, str)]
    return MadeOf(tuple(facts), heads, tuple(warnings[:MOST_NAMES]))


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _name(entry: Any) -> str | None:
    """`3.5` of [3, 5], of {"layer": 3, "head": 5} or of "3.5"."""
    if isinstance(entry, dict):
        entry = [entry.get("layer"), entry.get("head")]
    if isinstance(entry, list) and len(entry) == 2 and all(is_whole(part) and part >= 0 for part in entry):
        return f"{entry[0]}.{entry[1]}"
    return entry[:MOST_CHARS] if isinstance(entry, str) and entry.strip() else None


def _head(entry: Any) -> Head | None:
    name = _name(entry) if isinstance(entry, dict) else None
    if name is None:
        return None
    told = attribution(entry)
    return Head(name, told.in_sample, told.held_out, _interval(entry.get("interval")), told.cosine)


def _interval(value: Any) -> tuple[float, float] | None:
    whole = isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
    return (float(value[0]), float(value[1])) if whole else None


def _rank(value: Any) -> list[tuple[str, str]]:
    """Components that hold 95% of what moves, of the edit and of its control."""
    told = []
    for name in ("edit", "placebo"):
        of = value.get(name) if isinstance(value, dict) else None
        held = of.get("uncentred") if isinstance(of, dict) else None
        n = held.get("0.95") if isinstance(held, dict) else None
        if is_whole(n) and isinstance(of, dict) and is_whole(of.get("ceiling")):
            told.append(f"{plain(name)} {n} of {of['ceiling']}")
    return [("Components that hold 95% of the move", ", ".join(told))] if told else []


def _per_token(value: Any) -> list[tuple[str, str]]:
    """What was recorded at each token, by strength."""
    lines = []
    for strength, of in list(value.items())[:MOST_NAMES] if isinstance(value, dict) else []:
        known = {tag: of[tag] for tag in of if is_number(of[tag])} if isinstance(of, dict) else {}
        parts = [f"{plain(str(tag).rpartition('.')[2][:MOST_CHARS])} {number(figure)}" for tag, figure in known.items()]
        if parts:
            lines.append((f"By token at {str(strength)[:MOST_CHARS]}, in nats", ", ".join(parts[:MOST_NAMES])))
    return lines


def _cohorts(value: Any) -> list[tuple[str, str]]:
    """Sizes of the cohorts, of a list of {"name", "n"} or of name → size."""
    if isinstance(value, dict):
        value = [{"name": name, **(size if isinstance(size, dict) else {"n": size})} for name, size in value.items()]
    sizes = [
        f"{str(entry.get('name') or 'unnamed')[:MOST_CHARS]}: {entry['n']:,}" + (" (few)" if entry["n"] < FEW else "")
        for entry in _items(value)
        if isinstance(entry, dict) and is_whole(entry.get("n")) and entry["n"] >= 0
    ]
    return [("Cohorts, in rows", ", ".join(sizes[:MOST_NAMES]))] if sizes else []


def _stability(value: Any) -> list[tuple[str, str]]:
    """Whether halves of the rows would name the same heads: a number, or several by name."""
    if is_number(value):
        return [("Stability between halves", number(value))]
    told = value.items() if isinstance(value, dict) else ()
    known = [f"{plain(str(name)[:MOST_CHARS])} {number(size)}" for name, size in told if is_number(size)]
    return [("Stability between halves", ", ".join(known[:MOST_NAMES]))] if known else []
