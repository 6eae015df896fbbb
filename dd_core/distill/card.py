"""The data card: one page that says what a data set holds, what was taken out of it and why, and who wrote it.

`card.json` is for programs, and its digest is what a study's manifest carries; `CARD.md` is the same for people. No
time, host or price is in either: the same replies give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from dd_core.canonical import sha256
from dd_core.distill.gate import REASONS, Gated
from dd_core.distill.pipeline import SetAside
from dd_core.distill.rows import CARD_FILE, DPO_FILE, SFT_FILE, AnyRow, to_jsonl
from dd_core.distill.teachers import Teachers

FORMAT = "ddsweep-data/1"
SET_ASIDE_FILE, PAGE_FILE = "set-aside.jsonl", "CARD.md"


def documents(
    domain: str,
    teachers: Mapping[str, Any],
    asked: int,
    taught: int,
    lost: Sequence[SetAside],
    gated: Gated,
) -> dict[str, bytes]:
    """The files of a data set by name. Those that training reads are absent where the gate refused the rows.

    Args:
        teachers: who taught, as `teachers_entry` gives it; empty where nobody did.
        asked, taught: prompts asked, and those whose final answer was right.
        lost: what came to nothing before the gate.
    """
    aside = [*lost, *gated.dropped]
    kept: list[AnyRow] = [*gated.samples, *gated.pairs]
    rows = {} if gated.refused else {SFT_FILE: to_jsonl(gated.samples), DPO_FILE: to_jsonl(gated.pairs)}
    card = {
        "format": FORMAT,
        "domain": domain,
        "teachers": teachers,
        "origins": dict(sorted(Counter(row.origin for row in kept).items())),
        "asked": asked,
        "taught": taught,
        "rows": gated.counts,
        "flaws": dict(sorted(Counter(pair.flaw for pair in gated.pairs).items())),
        "set_aside": _counted(aside),
        "verifier": {
            "name": gated.validity.verifier,
            "known_pairs": gated.validity.n_pairs,
            "right": gated.validity.n_right,
            "undecided": gated.validity.n_undecided,
            "by_position": gated.validity.n_position,
            "interval": list(gated.validity.interval),
            "missed": gated.validity.wrong,
        },
        "style": gated.style,
        "warnings": gated.warnings,
        "refused": gated.refused,
        "files": {name: sha256(data) for name, data in rows.items()},
    }
    return {
        **rows,
        SET_ASIDE_FILE: to_jsonl(aside),
        CARD_FILE: (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode(),
        PAGE_FILE: page(card).encode(),
    }


def page(card: Mapping[str, Any]) -> str:
    """`CARD.md` from what `card.json` holds."""
    return _template().render(card=card, names=REASONS)


def teachers_entry(config: Teachers) -> dict[str, Any]:
    """Who taught, by stage, with the model and the licence of each."""
    names = sorted(set(map(config.of, config.all_stages)))
    return {
        "stages": {stage: config.of(stage) for stage in config.all_stages},
        "models": {
            name: {"model": getattr(teacher, "model", "recorded"), "licence": teacher.licence}
            for name in names
            for teacher in (config.teachers[name],)
        },
    }


def teachers_on_card(folder: Path) -> dict[str, Any]:
    """Who taught the rows of a folder, by the card that lies beside them; empty where there is none."""
    try:
        return dict(json.loads((folder / CARD_FILE).read_bytes())["teachers"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _counted(aside: Sequence[SetAside]) -> dict[str, dict[str, int]]:
    """Stage → reason → how many."""
    found: dict[str, Counter[str]] = {}
    for row in aside:
        found.setdefault(row.stage, Counter())[row.reason] += 1
    return {stage: dict(sorted(found[stage].items())) for stage in sorted(found)}


@cache
def _template() -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((files(__package__) / "card.md.j2").read_text(encoding="utf-8"))
