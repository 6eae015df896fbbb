"""What the best of many, or one of many tests, gives by luck."""

from __future__ import annotations

from scipy.special import ndtri


def maximum_quantile(n: int, p: float) -> float:
    """Quantile `p` of the largest of `n` independent standard normal values."""
    return float(ndtri(p ** (1 / n)))
