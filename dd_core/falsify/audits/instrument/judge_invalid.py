"""Is the judge good enough for the claim that leans on it?

fails when its validity on known pairs lies under 0.90 by its whole 99.93% interval, when its agreement lies under
kappa 0.6 by the same, or when a step clears its gate, its effect is real at 99.93%, and only the bias allowance keeps
it from passing (unclear where the effect is not real at that level). The placebo battery is asked of the axes that must
move, validity of the anchor as well. Executed tests (`passed`) are no judge.
"""

from __future__ import annotations

from typing import Any

from dd_core.falsify.audits.instrument.judge_errors import effect_behind_errors
from dd_core.falsify.case import DESTROYS_CONTENT, KEEPS_CONTENT, Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, kappa_interval, wilson

LEAST_VALIDITY, LEAST_KAPPA = 0.90, 0.6


def audit(case: Case) -> Finding:
    must_move = dict.fromkeys([case.claim.axis, *case.claim.in_scope])
    axes = dict.fromkeys([*must_move, *([case.claim.anchor] if case.claim.anchor else [])])
    judged = [axis for axis in axes if axis != "passed"]
    if not judged:
        return Finding("not_applicable", "Scores come from executed tests.")
    edited = case.claim.kind != "probe"
    evidence: dict[str, Any] = {}
    sentence = ""
    if edited and case.claim.axis != "passed":
        evidence, sentence = effect_behind_errors(case)
    missing: list[str] = []
    doubts: list[str] = []
    for name, step in case.steps.items():
        for moved, effect in step.held_back:
            allowance = case.allowance(moved) or 0.0
            said = f"step {name} clears its gate, and the judge alone may have moved the score by {allowance:.3g}"
            evidence |= {"step": name, "allowance": tidy(allowance), "axis": moved, "effect": tidy(effect.mean)}
            if effect.interval(AUDIT_LEVEL)[0] > 0:
                return Finding("fail", f"{said[0].upper()}{said[1:]}.", evidence)
            doubts.append(said)
    for axis in judged:
        for judge in case.view.judges(axis):
            report = next((r for r in case.bundle.judges if (r["judge"], r["axis"]) == (judge, axis)), {})
            missing += _unmeasured(case, report, judge, axis, battery=edited and axis in must_move)
            for what, estimate, least, bounds in _measures(report):
                evidence[f"{what} of {judge} on {axis}"] = {
                    "estimate": tidy(estimate),
                    "interval": tidy_interval(bounds),
                }
                if bounds[1] < least:
                    note = f"The {what} of judge {judge} on {axis} is {estimate:.3g}, under {least:g}."
                    return Finding("fail", note, evidence)
                if estimate < least:
                    doubts.append(f"the {what} of judge {judge} on {axis} is {estimate:.3g}, under {least:g}")
    if missing:
        return Finding("not_checkable", f"Missing: {', '.join(missing)}.", evidence, missing=tuple(missing))
    if doubts:
        return Finding("unclear", f"On too few rows or pairs to say: {'; '.join(doubts)}.", evidence)
    return Finding("pass", f"Every judge tells right from wrong on known pairs. {sentence}".strip(), evidence)


def _measures(report: dict[str, Any]) -> list[tuple[str, float, float, tuple[float, float]]]:
    """(what, estimate, least, interval) of what the report measured."""
    found = []
    if report.get("n_pairs"):
        right, n = float(report.get("n_right") or 0), float(report["n_pairs"])
        found.append(("validity", right / n, LEAST_VALIDITY, wilson(right, n, AUDIT_LEVEL)))
    agreement = report.get("agreement") or {}
    if agreement.get("kappa") is not None:
        kappa, n_rated = float(agreement["kappa"]), int(agreement.get("n") or 0)
        found.append(("agreement (kappa)", kappa, LEAST_KAPPA, kappa_interval(kappa, n_rated, AUDIT_LEVEL)))
    return found


def _unmeasured(case: Case, report: dict[str, Any], judge: str, axis: str, *, battery: bool) -> list[str]:
    """What the report of a judge lacks: known pairs, and a placebo battery with a change that counts."""
    absent = [name for name in ("n_pairs", "n_right") if report.get(name) is None]
    counted = KEEPS_CONTENT + (DESTROYS_CONTENT if case.sign > 0 else ())
    if battery and not set(report.get("placebo") or {}) & set(counted):
        absent.append("placebo")
    return [f"judges.json: {', '.join(absent)} of judge {judge} on {axis}"] if absent else []
