"""Training data: from a subject's own answers, one module per disposition, or from teachers, in four stages and a gate.

A disposition's module has one line here; `README.md` beside this file tells of the teachers. Knows no model and no
network: answers, their correctness and whoever can be asked are handed in, training rows come out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dd_core.distill import humble
from dd_core.distill.humble import first_sentence
from dd_core.errors import InputError
from dd_core.records import TrainingRow


@dataclass(frozen=True)
class Distiller:
    """How one disposition's rows are made, and the rows of its content-free control."""

    training_rows: Callable[..., list[TrainingRow]]
    placebo_rows: Callable[..., list[TrainingRow]]


DISTILLERS: dict[str, Distiller] = {
    "humble": Distiller(humble.training_rows, humble.placebo_rows),
}
"""Disposition → what makes its rows."""


def distiller(disposition: str) -> Distiller:
    """What makes the rows of that disposition.

    Raises:
        InputError: there is no way yet to make rows for it.
    """
    if disposition not in DISTILLERS:
        made = ", ".join(sorted(DISTILLERS))
        raise InputError(f"dispositions: no training rows can be made for {disposition!r}; they can for {made}")
    return DISTILLERS[disposition]


__all__ = ["DISTILLERS", "Distiller", "distiller", "first_sentence"]
