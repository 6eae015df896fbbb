"""How wrong a judge must be, and how differently by arm, for a claim to fall, where nothing is known of its errors.

Closed forms on a difference, its gate and two shares. Does not say whether such errors are likely.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TippingPoint:
    """How wrong a judge must be, and how differently by arm, for a claim to fall; in the units of the difference.

    Args:
        to_gate: mean error in the treated arm less that in the baseline at which the true difference is the gate.
        to_null: the same at which nothing is left of it.
        to_interval: the same at which the lower limit reaches the null; None without a lower limit.
        false_ones: share of truly 0 treated answers scored 1, with no other error, that leaves the gate; None unless
            rates are given.
        missed_ones: share of truly 1 baseline answers scored 0, with no other error, that leaves the gate; as above.
        common_error: symmetric error in both arms at which the true difference would reach the gate, where the
            observed one does not; None where it does, since a common error only shrinks a difference.
    """

    to_gate: float
    to_null: float
    to_interval: float | None = None
    false_ones: float | None = None
    missed_ones: float | None = None
    common_error: float | None = None

    @property
    def smallest(self) -> float:
        """Smallest error by arm at which the claim no longer passes: at the gate, or at its lower limit."""
        return self.to_gate if self.to_interval is None else min(self.to_gate, self.to_interval)

    def sentence(self, span: float = 1.0) -> str:
        """The tipping point in words, in points of a hundred of the axis' range, `span` in units."""
        if self.to_gate < 0:
            said = "The effect lies under its gate as it is judged."
            if self.common_error is not None:
                said += f" An error of {self.common_error:.0%} in both arms would hide an effect at the gate."
            return said
        points = [f"{100 * value / span:.3g}" for value in (max(0.0, self.smallest), self.to_null)]
        said = f"The judge must err by {points[0]} points more in favour of the treated arm for the claim to fall"
        return said + f", and by {points[1]} for nothing to be left; an error common to both arms only shrinks it."


def tipping_point(
    difference: float,
    gate: float,
    low: float | None = None,
    *,
    null: float = 0.0,
    rate_t: float | None = None,
    rate_b: float | None = None,
) -> TippingPoint:
    """How wrong a judge must be for a claim to fall, where nothing is known of its errors.

    Observed = true difference + (mean error treated - mean error baseline), so what falls is read off; for shares of
    ones, rate = true + (1 - true) x false ones, or true x (1 - missed ones).

    Args:
        difference, gate: in the claimed direction and the axis' units.
        low: lower limit of the difference, which must clear `null`.
        rate_t, rate_b: the judge's shares of ones by arm, for axes of 0 and 1. For a claimed decrease give the shares
            of zeros, so that `difference` is rate_t - rate_b here too.
    """
    to_interval = None if low is None else low - null
    common = (1 - difference / gate) / 2 if 0 < difference < gate else None
    false_ones = missed_ones = None
    if rate_t is not None and rate_b is not None and difference >= gate:
        true_t, true_b = rate_b + gate, rate_t - gate
        false_ones = (rate_t - true_t) / (1 - true_t) if true_t < 1 else 0.0
        missed_ones = 1 - rate_b / true_b if true_b > 0 else 0.0
    return TippingPoint(difference - gate, difference - null, to_interval, false_ones, missed_ones, common)
