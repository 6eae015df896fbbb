"""What every step and audit is given: the claim, its rows arranged, its gates, and the steps already judged.

Does not decide anything itself. Effects here are in the claimed direction and in the axis' units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from dd_core.claim import Claim, Gates
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.statistics import AUDIT_LEVEL, Estimate
from dd_core.falsify.verdict import AuditStatus, StepResult
from dd_core.falsify.view import View, score

KEEPS_CONTENT = ("padding", "headings", "opener", "rephrase", "hedge")
DESTROYS_CONTENT = ("vague", "constant", "injection", "empty")


def tidy(value: float) -> float:
    """`value` to six significant digits: what the last bits of a sum depend on must not reach the verdict."""
    return float(f"{value:.6g}")


def tidy_interval(bounds: tuple[float, float]) -> list[float] | None:
    """An interval for evidence; None where none can be said."""
    return [tidy(bounds[0]), tidy(bounds[1])] if np.isfinite(bounds[0]) and np.isfinite(bounds[1]) else None


@dataclass(frozen=True)
class Finding:
    """What an audit found. `missing` says what to record, in words, when it could not be checked."""

    status: AuditStatus
    note: str
    evidence: dict[str, Any] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unsettled:
    """An estimate that leaves a step unclear, and the rule that would settle it.

    Args:
        level: of the interval.
        gate: the size of effect that the step asks about: its gate, or the margin of what must hold.
        least: what the estimate must reach to pass, and the whole interval must lie under to fail.
        null: what the whole interval must clear to pass.
    """

    estimate: Estimate
    level: float
    gate: float
    least: float
    null: float


@dataclass(frozen=True)
class Step:
    """A judged step, and what the verdict and the audits need of it beyond what is printed.

    Args:
        reasons: what a failure is called in the verdict.
        point: whether the estimate alone clears the gate (the paper's reading); None without one.
        missing: what to record.
        estimate: the difference's estimate, None without pairs.
        unsettled: the estimates that leave it unclear.
        held_back: (axis, estimate) that is real and clears its gate: only the judge's bias allowance keeps it back.
        p: p-values of everything that must be shown, each at its null (for `falsify_all`).
        needed_rows: of a probe's step that is unclear, how many fresh prompts would settle it; None if unknown.
        detectable: of a probe's step, the smallest area that would have been told from 0.5 with probability 0.8.
    """

    result: StepResult
    reasons: tuple[str, ...] = ()
    point: bool | None = None
    missing: tuple[str, ...] = ()
    estimate: Estimate | None = None
    unsettled: tuple[Unsettled, ...] = ()
    held_back: tuple[tuple[str, Estimate], ...] = ()
    p: tuple[float, ...] = ()
    needed_rows: int | None = None
    detectable: float | None = None


class Case:
    """A claim before the court: its bundle, the view of its rows, the gates, and the steps once they are judged.

    `divisor` is by what the level on fresh is divided for the other claims of the study. A claim judged alone cannot
    see the others' p-values, so that it is their number, Holm's most demanding; `falsify_all` sees them. `memo` keeps
    what a step has fitted for the audits that read it again.
    """

    def __init__(self, bundle: Bundle, seed: int = 0, divisor: int | None = None) -> None:
        self.bundle = bundle
        self.divisor = self.claims if divisor is None else divisor
        self.claim: Claim = bundle.claim
        self.gates: Gates = bundle.claim.resolved_gates()
        self.view = View(bundle)
        self.seed = seed
        self.steps: dict[str, Step] = {}
        self.memo: dict[tuple[Any, ...], Any] = {}

    @property
    def sign(self) -> int:
        """+1 for a claimed increase, -1 for a decrease."""
        return 1 if self.claim.direction == "increase" else -1

    @property
    def planned(self) -> dict[str, Any]:
        """What the manifest planned, {} without one."""
        return (self.bundle.manifest or {}).get("planned", {})

    @property
    def looks(self) -> int:
        """Looks taken at the fresh split; its level is divided by them."""
        return int(self.planned.get("fresh_looks") or 1)

    @property
    def claims(self) -> int:
        """Claims of the study, a number or their names under `planned.claims`; one where that is not stated."""
        planned = self.planned.get("claims")
        return max(1, len(planned) if isinstance(planned, list) else int(planned or 1))

    def span(self, axis: str) -> float:
        """Largest minus smallest score of `axis`."""
        low, high = self.claim.range_of(axis)
        return high - low

    def gate(self, axis: str | None = None) -> float:
        """Gate of a difference on `axis` (the claimed one by default), in its units."""
        return self.gates.difference * self.span(axis or self.claim.axis)

    def allowance(self, axis: str | None = None) -> float | None:
        """How far the judge alone may move the score the claimed way, from 0 up, in the axis' units.

        The largest shift of the placebo battery in the claimed direction: among all changes for an increase, among
        those that keep the content for a decrease; over several judges the largest. None where nothing was measured.
        """
        axis = axis or self.claim.axis
        counted = KEEPS_CONTENT + (DESTROYS_CONTENT if self.sign > 0 else ())
        judges = self.view.judges(axis)
        shifts = [
            self.sign * float(shift)
            for report in self.bundle.judges
            if report["axis"] == axis and report["judge"] in judges
            for name, shift in (report.get("placebo") or {}).items()
            if name in counted
        ]
        return max(0.0, *shifts) if shifts else None

    def effect(self, split: str, **how: Any) -> Estimate | None:
        """The claimed axis' difference in the claimed direction; arguments as of `View.cells`."""
        return self.view.difference(self.claim.axis, split, sign=self.sign, **how)

    @cached_property
    def explained(self) -> str | None:
        """The split whose effect the audits of meaning try to explain: fresh if it clears the gate there, else eval.

        None where no effect clears the gate: what is not there needs no other explanation.
        """
        for split in ("fresh", "eval"):
            effect = self.effect(split)
            if effect is not None and effect.mean >= self.gate():
                return split
        return None

    def rival(self, estimate: Estimate | None, what: str, rows: tuple[str, ...] = (), **evidence: Any) -> Finding:
        """Judge an effect that was taken anew under a rival explanation: does it still clear the gate?

        fail: its whole 99.93% interval lies under the gate; pass: its estimate clears the gate; unclear: neither.
        """
        gate = self.gate()
        if estimate is None:
            return Finding("unclear", f"No pairs are left {what}, so the effect cannot be told from it.", evidence)
        bounds = estimate.interval(AUDIT_LEVEL)
        evidence |= {"estimate": tidy(estimate.mean), "interval": tidy_interval(bounds), "gate": tidy(gate)}
        evidence |= {"n_prompts": estimate.n_prompts}
        if bounds[1] < gate:
            return Finding(
                "fail", f"The effect is {estimate.mean:.3g} {what}, under the gate of {gate:.3g}.", evidence, rows
            )
        if estimate.mean >= gate:
            return Finding(
                "pass", f"The effect is {estimate.mean:.3g} {what}, and clears the gate of {gate:.3g}.", evidence
            )
        note = f"The effect is {estimate.mean:.3g} {what}, under the gate of {gate:.3g}, on too few rows to say."
        return Finding("unclear", note, evidence, rows)

    def without(self, flag: pl.Expr, what: str, **evidence: Any) -> Finding:
        """`rival` on the pairs in which neither side is flagged (`flag`: a truth value per response)."""
        split = self.explained
        if split is None:
            return nothing_to_explain()
        treated, baseline = (self.view.select(arm, split).with_columns(flag=flag) for arm in ("treated", "baseline"))
        evidence = {
            "split": split,
            "share_treated": tidy(int(treated["flag"].sum()) / treated.height),
            "share_baseline": tidy(int(baseline["flag"].sum()) / baseline.height),
            **evidence,
        }
        flagged = tuple(pl.concat([treated, baseline]).filter("flag")["row"].to_list()[:3])
        if not flagged:
            return Finding("pass", f"No answer on {split} is such.", evidence)
        kept = tuple(side.filter(~pl.col("flag")) for side in (treated, baseline))
        return self.rival(self.effect(split, pool=kept), what, flagged, **evidence)

    def cells(self, split: str, **how: Any) -> pl.DataFrame:
        """Cells of the claimed axis, columns t_y and b_y; arguments as of `View.cells`."""
        return self.view.cells({"y": score(self.claim.axis)}, split, **how)


def nothing_to_explain() -> Finding:
    """The finding of an audit that explains an effect, where there is none at the gate."""
    return Finding("not_applicable", "No effect clears the gate, so there is none to explain.")
