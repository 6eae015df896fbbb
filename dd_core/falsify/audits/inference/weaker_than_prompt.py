"""Does a system prompt do more, for nothing?

warns when the whole 99.93% interval of prompt_control - treated on fresh lies above 0.
"""

from __future__ import annotations

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL


def audit(case: Case) -> Finding:
    over = case.effect("fresh", against="prompt_control")
    if over is None:
        missing = ("judgements of arm prompt_control on split fresh",)
        return Finding("not_checkable", "The prompt has no score on the claimed axis.", missing=missing)
    bounds = over.interval(AUDIT_LEVEL)
    evidence = {"treated_minus_prompt": tidy(over.mean), "interval": tidy_interval(bounds)}
    if bounds[1] < 0:
        return Finding("warn", f"A system prompt does {-over.mean:.3g} more than the edit.", evidence)
    return Finding("pass", f"The edit does {over.mean:+.3g} against a system prompt.", evidence)
