"""Does the effect need repeated prompts to be counted as many?

fails when the fresh step does not pass on distinct prompts, while counting every repetition as a prompt of its own
would carry it, by its whole 99.93% interval.
"""

from __future__ import annotations

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL


def audit(case: Case) -> Finding:
    distinct, counted = case.effect("fresh"), case.effect("fresh", repeats=True)
    if distinct is None or counted is None:
        missing = ("rows of arms baseline and treated on split fresh",)
        return Finding("not_checkable", "There are no pairs on fresh.", missing=missing)
    evidence: dict[str, object] = {"distinct_prompts": distinct.n_prompts, "counted_as": counted.n_prompts}
    if counted.n_prompts <= distinct.n_prompts:
        return Finding("pass", "No prompt is repeated.", evidence)
    low, high = counted.interval(AUDIT_LEVEL)
    evidence |= {"estimate": tidy(counted.mean), "interval": tidy_interval((low, high))}
    carried = counted.mean >= case.gate() and low > (case.allowance() or 0.0)
    short = distinct.mean < case.gate() or distinct.interval()[0] <= (case.allowance() or 0.0)
    if carried and short:
        note = (
            f"Only {distinct.n_prompts} of {counted.n_prompts} prompts are distinct, and they do not carry the effect."
        )
        return Finding("fail", note, evidence)
    return Finding("pass", "Repeated prompts are counted once, and nothing hangs on that.", evidence)
