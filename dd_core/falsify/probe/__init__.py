"""Probe claims: a convex probe is refitted on stored hidden states, and put to five steps of its own.

Knows the rows of a claim and nothing of the model that made them.
"""

from __future__ import annotations

from dd_core.falsify.probe.steps import PROBE_STEPS

__all__ = ["PROBE_STEPS"]
