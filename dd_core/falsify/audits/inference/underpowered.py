"""Could an effect at the gate have been seen at all?

unclear when a step is unclear and the smallest effect that would have been told from zero with probability 0.8 is
above the gate.
"""

from __future__ import annotations

import math

from dd_core.falsify.case import Case, Finding, tidy


def audit(case: Case) -> Finding:
    unsettled = {
        name: step.unsettled for name, step in case.steps.items() if step.result.status == "unclear" and step.unsettled
    }
    areas = {
        name: (step.detectable, step.result.gate)
        for name, step in case.steps.items()
        if step.result.status == "unclear" and step.detectable is not None and step.result.gate is not None
    }
    if not unsettled and not areas:
        return Finding("pass", "No step is unclear for want of rows.")
    detectable: dict[str, float | None] = {name: tidy(area) for name, (area, _) in areas.items()}
    blind: list[str] = [name for name, (area, gate) in areas.items() if area > gate]
    for name, items in unsettled.items():
        worst = max(items, key=lambda item: item.estimate.detectable(item.level) / item.gate)
        smallest = worst.estimate.detectable(worst.level)
        detectable[name] = tidy(smallest) if math.isfinite(smallest) else None
        if smallest > worst.gate:
            blind.append(name)
    if blind:
        note = f"An effect at the gate could not have been seen in: {', '.join(blind)}."
        return Finding("unclear", note, {"detectable": detectable})
    return Finding("pass", "The unclear steps could have seen an effect at the gate.", {"detectable": detectable})
