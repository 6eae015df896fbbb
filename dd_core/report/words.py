"""Plain words for the parts of a verdict: a name for every step, audit, status and arm, and numbers as people write.

Nothing here weighs evidence or looks at a row.
"""

from __future__ import annotations

import math
import unicodedata

from dd_core.falsify.verdict import Verdict

STEPS: dict[str, tuple[str, str]] = {
    "within": ("Within", "the prompts that the search saw"),
    "fresh": ("Fresh", "prompts that nothing before had seen"),
    "axes": ("Axes", "every axis in scope"),
    "variant": ("Variant", "twice the token budget"),
    "replication": ("Replication", "a second subject of another family"),
}
"""Step → (name, what it is tried on)."""

STATUSES: dict[str, tuple[str, str]] = {
    "fail": ("✗", "fail"),
    "unclear": ("?", "unclear"),
    "not_checkable": ("○", "not checkable"),
    "warn": ("!", "warning"),
    "pass": ("✓", "pass"),
    "not_applicable": ("–", "not applicable"),
}
"""Status → (sign, word), the gravest first."""

ARMS: dict[str, str] = {
    "baseline": "Baseline",
    "treated": "Treated",
    "placebo": "Placebo",
    "identity": "Identity",
    "prompt_control": "Prompt control",
}

AUDITS: dict[str, str] = {
    "decoding_mismatch": "the arms were not decoded in the same way",
    "judge_asymmetry": "the arms were not scored by one and the same blind judge",
    "prompt_mismatch": "the arms or the gold claims do not belong to the same prompts",
    "contamination": "prompts of the test are in the training data",
    "split_shift": "the fresh prompts are of another kind than the search's",
    "edit_applied": "the treated answers are copies of another arm's, so that the edit did not reach the model",
    "identity_mismatch": "the edit at the strength that should change nothing changes the answers already",
    "gates_changed": "the claim or its gates are not the ones that were pre-registered",
    "judge_invalid": "the judge is not good enough to carry this claim",
    "judge_saturation": "the score is stuck at one value or at an end of its scale",
    "judge_noise": "the judge contradicts itself as much as the effect is large",
    "judge_view": "the judge saw one arm's answers cut more often than the other's",
    "lost_rows": "rows were lost more often in one arm than in the other",
    "truncation": "it goes away where no answer is cut off by the token budget",
    "length_confound": "the length of the answers explains it",
    "format_confound": "headings, lists and emphasis explain it",
    "style_mimicry": "only the wording moves, on right and wrong answers alike",
    "response_class": "it goes away without refusals, empty answers and echoes",
    "degeneration": "it goes away without repetitive answers",
    "content_damage": "it costs more {anchor} than the margin allows",
    "uniform_output": "the answers do not vary in what would have to be read from them",
    "capability_cliff": "there are too few right or too few wrong answers to read anything from",
    "selection_bias": "the best of {searched} configurations would look as good by chance",
    "seed_instability": "the training seeds do not agree on its direction",
    "pseudo_replication": "it needs repeated prompts counted as many",
    "degenerate_threshold": "the threshold says one class nearly always, or was chosen on the data it is judged on",
    "surface_rival": "the mere surface of prompt or answer predicts as much",
    "collinear_cohorts": "the cohorts point one way, or the strength was scored on the rows that made the direction",
    "no_specific_effect": "{placebo} does as much",
    "dose_response": "it has the other sign at smaller strengths",
    "fragile": "another reasonable choice for the whole data set turns it round",
    "weaker_than_prompt": "a system prompt does more",
    "underpowered": "the smallest effect that could have been seen is above the gate",
}
"""Audit → what is so when it fails, as a clause after "but"."""


def plain(identifier: str) -> str:
    """An identifier as words: `judge_asymmetry` is "judge asymmetry"."""
    return identifier.replace("_", " ")


def visible(text: str) -> str:
    """`text` with everything that hides or reorders made visible: control, bidirectional and zero-width characters.

    Line feeds, tabs and the joiners of emoji and Indic scripts stay; anything else becomes its code point, `⟨U+202E⟩`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in text.replace("\r\n", "\n"))


def _shown(char: str) -> str:
    if char in "\n\t":
        return char
    if char not in "\u200c\u200d" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"⟨U+{ord(char):04X}⟩"
    return char


def number(value: float | None, *, signed: bool = False) -> str:
    """`value` with three decimals at most, a true minus sign and, for a difference, its plus; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = f"{abs(value):.3f}"
    size = size if abs(value) < 10 else f"{abs(value):.1f}"
    zero = float(size) == 0
    return ("−" if value < 0 and not zero else "+" if signed and not zero else "") + size


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 prompt`, `2 prompts`, `1,500 prompts`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def needed_lines(verdict: Verdict) -> list[str]:
    """What would settle an INCONCLUSIVE verdict, one line each; [] when nothing is known to be needed.

    Numbers of prompts and of seeds are alternatives: each was computed with the other as it is.
    """
    needed = dict(verdict.needed or {})
    record = needed.pop("record", None) or []
    prompts, seeds = needed.pop("prompts", None), needed.pop("seeds", None)
    numbers = ((prompts, "prompts with the seeds there are"), (seeds, "seeds with the prompts there are"))
    sizes = [f"about {n:,.0f} {what}" for n, what in numbers if n is not None]
    if together := needed.pop("together", None):
        sizes.append(f"together {together}")
    lines = [f"more rows: {', or '.join(sizes)}"] if sizes else []
    lines += [f"record {item}" for item in ([record] if isinstance(record, str) else record)]
    lines += [f"{plain(key)}: {value}" for key, value in sorted(needed.items()) if value is not None]
    return [line[:1].upper() + line[1:] for line in lines]


def readings_line(verdict: Verdict) -> str:
    """How the two readings stand to each other, in one sentence."""
    paper, strict = verdict.readings.get("paper"), verdict.readings.get("strict")
    if paper is None or strict is None:
        return "Only one reading was computed; the strict one decides."
    if paper == strict:
        return "Both readings agree."
    return (
        f"Point estimates against the gates alone would have said {paper}; intervals, nulls and audits say {strict}, "
        "and that decides."
    )
