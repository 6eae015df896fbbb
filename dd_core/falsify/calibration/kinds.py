"""The kinds of planted claims: what is planted in each, why the claim is false, and what a falsifier should call it.

A kind is one entry, made in one of the modules of `faults`. Does not know how well it is caught.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ClaimKind = Literal["shift", "capability", "probe"]
Truth = Literal["false", "below gate", "real"]


@dataclass(frozen=True)
class Kind:
    """One kind of planted claim.

    Args:
        name: words joined by hyphens.
        claims: kinds of claim in which it is planted, drawn at random.
        reasons: reason codes any of which names what was planted; () for real claims.
        why: one sentence: what was planted.
        truth: `false`: the edit has no effect of its own, or what was planted explains it wholly, or the claim as it is
            written fails (anchor, scope, gates, dose, attribution); `below gate`: an effect is there, under the gate;
            `real`: as claimed.
        plan: changes the plan: (plan, rng) → plan.
        rows: changes rows before they are scored. scored: changes them after. papers: changes the study's papers.
    """

    name: str
    claims: tuple[ClaimKind, ...]
    reasons: tuple[str, ...]
    why: str
    truth: Truth = "false"
    plan: Callable[[Any, np.random.Generator], Any] | None = None
    rows: Callable[[Any], None] | None = None
    scored: Callable[[Any], None] | None = None
    papers: Callable[[Any], None] | None = None
