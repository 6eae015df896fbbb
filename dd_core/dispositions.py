"""The seven dispositions, and the axes that measure them.

Knows no judge, no training row and no model.
"""

from __future__ import annotations

DISPOSITIONS: dict[str, str] = {
    "eager": "warmth",
    "deliberate": "pedagogical_framing",
    "adversarial": "self_verification",
    "curious": "curiosity",
    "self-improving": "revision",
    "humble": "hedging_appropriateness",
    "persistent": "completeness",
}
"""Disposition → the rubric axis that scores it."""

SYSTEM_PROMPTS: dict[str, str] = {
    "eager": "Answer warmly, and show that you are glad to help.",
    "deliberate": "Think step by step, and explain your answer so that a learner can follow it.",
    "adversarial": "Check your own answer for mistakes before you give it, and say what you checked.",
    "curious": "Show interest in the question, and name what else would be worth knowing.",
    "self-improving": "If you are corrected, take the correction and give the better answer.",
    "humble": "If you are not sure of an answer, say so plainly. If you are sure, answer without hedging.",
    "persistent": "Answer every part of the question completely.",
}
"""Disposition → the instruction of the `prompt_control` arm: what a system prompt alone achieves."""

RUBRIC_AXES: tuple[str, ...] = ("factual_accuracy", *DISPOSITIONS.values())
"""Axes that a rubric judge scores from 1 to 5; factual_accuracy is the capability anchor."""

UNIT_AXES: tuple[str, ...] = ("coverage", "correct", "assert", "passed", "recovered", "preference")
"""Axes from 0 to 1: share of gold claims present; coverage of at least one half, or a checker's answer; assertive (1)
or hedged (0); tests passed; recovered after a correction; preferred."""

CAPABILITY_AXES = ("factual_accuracy", "coverage", "correct", "passed", "recovered")
"""Axes that say what a model can do: the others than the claimed one must hold in a capability claim."""

AXIS_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(RUBRIC_AXES, (1.0, 5.0)),
    **dict.fromkeys(UNIT_AXES, (0.0, 1.0)),
    "mcas": (0.0, 2.0),
}
"""Axis → (smallest, largest) possible score."""
