"""The list of audits: the single source of which there are, what each needs, and when it is required.

An audit is one module `<folder>/<id>.py` with a function `audit(case) -> Finding`, and one line here. Does not know
what an audit looks at, nor how the verdict weighs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from dd_core.falsify.case import Case, Finding
from dd_core.falsify.verdict import AuditResult

FOLDERS = {"A": "comparable", "B": "instrument", "C": "meaning", "D": "inference"}
"""Group → folder: the same experiment in both arms; a score that measures; what is claimed; an honest inference."""

MOST_ROWS = 3


def always(case: Case) -> bool:
    return True


def edited(case: Case) -> bool:
    """Shift and capability claims, which compare two arms; a probe claim has one."""
    return case.claim.kind != "probe"


def operated(case: Case) -> bool:
    """An edit made by an operator, for which identity and placebo arms are required."""
    return edited(case) and case.claim.operator is not None


def attributed(case: Case) -> bool:
    """Operators whose heads or directions were found by attribution."""
    return case.claim.operator in ("tempering", "steering")


def shift(case: Case) -> bool:
    return case.claim.kind == "shift"


def probe(case: Case) -> bool:
    return case.claim.kind == "probe"


def styled(case: Case) -> bool:
    """Claims of more humility, self-verification or revision, whose markers can be put on without the substance."""
    claimed = (case.claim.axis, case.claim.direction)
    axes = ("hedging_appropriateness", "self_verification", "revision")
    return edited(case) and claimed in (*((axis, "increase") for axis in axes), ("assert", "decrease"))


def read(case: Case) -> bool:
    """Axes whose judge reads the answer; tests that execute it see all of it."""
    return edited(case) and case.claim.axis != "passed"


def brief(case: Case) -> bool:
    """Axes that length must not buy; of completeness and pedagogical framing it is a part."""
    return edited(case) and case.claim.axis not in ("completeness", "pedagogical_framing")


@dataclass(frozen=True)
class Audit:
    """One line of the list.

    Args:
        group: A, B, C or D.
        applies: to which claims; elsewhere the finding is `not_applicable`.
        required: whether SURVIVES cannot be said without it, whenever it applies.
        needs: optional columns (`table.column`), files, and `rows of arm ARM on split fresh` that it cannot do without;
            words for people, who are told to record them.
    """

    id: str
    group: str
    applies: Callable[[Case], bool]
    required: bool = True
    needs: tuple[str, ...] = ()


AUDITS: tuple[Audit, ...] = (
    Audit("decoding_mismatch", "A", edited),
    Audit("judge_asymmetry", "A", edited),
    Audit("prompt_mismatch", "A", edited),
    Audit("contamination", "A", always),
    Audit("split_shift", "A", always, required=False),
    Audit("edit_applied", "A", edited),
    Audit("identity_mismatch", "A", operated, needs=("rows of arm identity on split fresh",)),
    Audit("gates_changed", "A", always, needs=("manifest.json",)),
    Audit("judge_invalid", "B", always),
    Audit("judge_saturation", "B", always),
    Audit("judge_noise", "B", edited, required=False),
    Audit("judge_view", "B", read, needs=("judgements.n_chars", "judgements.n_chars_seen")),
    Audit("lost_rows", "B", edited),
    Audit("truncation", "C", edited, needs=("responses.finish_reason",)),
    Audit("length_confound", "C", brief),
    Audit("format_confound", "C", brief),
    Audit("style_mimicry", "C", styled),
    Audit("response_class", "C", edited),
    Audit("degeneration", "C", edited),
    Audit("content_damage", "C", shift),
    Audit("uniform_output", "C", always, required=False),
    Audit("capability_cliff", "C", probe),
    Audit("selection_bias", "D", edited),
    Audit("seed_instability", "D", edited),
    Audit("pseudo_replication", "D", edited),
    Audit("degenerate_threshold", "D", probe),
    Audit("surface_rival", "D", probe),
    Audit("collinear_cohorts", "D", attributed),
    Audit("no_specific_effect", "D", operated, needs=("rows of arm placebo on split fresh",)),
    Audit("dose_response", "D", edited, required=False),
    Audit("fragile", "D", edited),
    Audit("weaker_than_prompt", "D", edited, required=False, needs=("rows of arm prompt_control on split fresh",)),
    Audit("underpowered", "D", always, required=False),
)
"""Every audit, in the order of the verdict."""


def run_audits(case: Case) -> tuple[AuditResult, ...]:
    """Every audit's result, in the order of `AUDITS`; the steps of `case` must have been judged."""
    return tuple(run_audit(entry, case) for entry in AUDITS)


def run_audit(entry: Audit, case: Case) -> AuditResult:
    """One audit's result; the steps of `case` must have been judged."""
    if not entry.applies(case):
        return AuditResult(id=entry.id, status="not_applicable", note="Does not apply to this claim.")
    module = f"{__name__}.{FOLDERS[entry.group]}.{entry.id}"
    missing = tuple(need for need in entry.needs if not _has(need, case))
    if missing:
        finding = Finding("not_checkable", f"Missing: {', '.join(missing)}.", missing=missing)
    else:
        finding = import_module(module).audit(case)
    evidence = dict(finding.evidence)
    if finding.missing:
        evidence["missing"] = list(finding.missing)
    return AuditResult(
        id=entry.id, status=finding.status, evidence=evidence, rows=finding.rows[:MOST_ROWS], note=finding.note
    )


def _has(need: str, case: Case) -> bool:
    bundle = case.bundle
    if need == "manifest.json":
        return bundle.manifest is not None
    if need == "judges.json":
        return bool(bundle.judges)
    if need.startswith("rows of arm "):
        return case.view.select(need.split()[3], "fresh").height > 0
    return need not in bundle.absent
