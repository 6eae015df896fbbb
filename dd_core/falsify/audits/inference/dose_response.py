"""Does a weaker edit push the same way, and does a stronger one push more?

fails when, at a strength between identity and the claim's, the whole 99.93% interval of the effect has the other sign;
unclear when its 95% interval alone has. Fits at a weaker strength are those that the claim is about and not a sample
of others: where they are fewer than three, the interval is that of prompts alone, which may fail a claim.
warns when the effect does not rise from identity to the claim's strength (`statistics.monotone`, p at most 0.05): one
good strength among worse ones is what the best of many strengths looks like by luck. Beyond the claim's strength
steering is an inverted U: told, not judged. Told as well: how many fits have the claimed sign at the claim's strength.
"""

from __future__ import annotations

from typing import Any

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.doses import Rise, doses, identity_strength, is_between, rise
from dd_core.falsify.statistics import AUDIT_LEVEL

P_VALUE = 0.05


def audit(case: Case) -> Finding:
    fresh_or_eval = [*doses(case, "eval"), *doses(case, "fresh")]  # the later of one strength is kept
    found = {dose.strength: dose for dose in fresh_or_eval}
    others = [found[strength] for strength in sorted(found) if strength != case.view.strength]
    if not others or case.view.strength is None or case.claim.axis not in case.view.axes:
        return Finding("not_checkable", "No other strength was run.", missing=("treated rows of variant dose",))
    effects, reversed_at, doubtful = {}, None, []
    for dose in others:
        estimate = dose.effect(case)
        if estimate is None:
            continue
        bounds = estimate.interval(AUDIT_LEVEL)
        effects[f"{dose.strength:g}"] = {"estimate": tidy(estimate.mean), "interval": tidy_interval(bounds)}
        if is_between(case, dose.strength) and bounds[1] < 0:
            reversed_at = dose
        elif is_between(case, dose.strength) and estimate.interval()[1] < 0:
            doubtful.append(f"{dose.strength:g}")
    evidence: dict[str, Any] = {
        "by_strength": effects, "identity": identity_strength(case), "claimed": case.view.strength,
    }  # fmt: skip
    claimed = found.get(case.view.strength)
    seeds = claimed.by_seed(case) if claimed is not None else {}
    evidence |= {"n_seeds": len(seeds), "n_seeds_of_claimed_sign": sum(mean > 0 for mean in seeds.values())}
    risen = rise(case, "fresh") or rise(case, "eval")
    uneven = ""
    if risen is not None:
        evidence |= _told(risen)
        uneven = _uneven(risen, case.gate()) if risen.test.p <= P_VALUE else ""
    if reversed_at is not None:
        note = f"At strength {reversed_at.strength:g}, between identity and the claim's, the effect has the other sign."
        return Finding("fail", f"{note} {uneven}".strip(), evidence, tuple(reversed_at.rows["row"].head(3).to_list()))
    if doubtful:
        note = f"At strength {', '.join(doubtful)} the effect seems to have the other sign; the rows are too few."
        return Finding("unclear", f"{note} {uneven}".strip(), evidence)
    if uneven:
        return Finding("warn", uneven, evidence)
    if not any(is_between(case, dose.strength) for dose in others):
        note = "No strength between identity and the claim's was run; what lies beyond is told."
        return Finding("not_checkable", note, evidence, missing=("treated rows of variant dose below the claim's",))
    return Finding(
        "pass", "At no strength between identity and the claim's does the effect have the other sign.", evidence
    )


def _told(risen: Rise) -> dict[str, Any]:
    """The test of a rise: means over what every strength was run on, their isotonic fit, and p."""
    test = risen.test
    fits = zip(risen.strengths, test.means, test.fit, strict=True)
    return {
        "isotonic": {f"{strength:g}": {"mean": tidy(mean), "fit": tidy(fit)} for strength, mean, fit in fits},
        "isotonic_split": risen.split,
        "p": tidy(test.p),
        "n_prompts": test.n_prompts,
        "n_fits": risen.n_fits,
    }


def _uneven(risen: Rise, gate: float) -> str:
    """What a rise that is not one looks like, with every judged strength named."""
    said = f"The effect does not rise from identity to the claim's strength (p = {risen.test.p:.2g})"
    named = {s: f"{s:g} ({mean:+.3g})" for s, mean in zip(risen.strengths, risen.test.means, strict=True)}
    good = [s for s, mean in zip(risen.strengths, risen.test.means, strict=True) if mean >= gate]
    if len(good) == 1:
        worse = ", ".join(text for strength, text in named.items() if strength != good[0])
        return f"{said}: a single good strength, {named[good[0]]}, among worse ones, {worse}."
    return f"{said}: {', '.join(named.values())}."
