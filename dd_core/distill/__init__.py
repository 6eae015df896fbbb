"""Training data: from a subject's own answers, one module per disposition, or from teachers, in four stages and a gate.

A disposition's module has one line here; `README.md` beside this file tells of the teachers. Knows no model and no
network: answers, their correctness and whoever can be asked are handed in, training rows come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dd_core.distill.humble import Humble, first_sentence
from dd_core.errors import InputError
from dd_core.records import Prompt, Teaching


class Distiller(Protocol):
    """How training data comes about, and the data of its content-free control."""

    def teaching(
        self,
        prompts: Sequence[Prompt],
        answers: Mapping[str, str],
        correct: Mapping[str, bool],
        n_rows: int,
        n_pairs: int,
        seed: int,
    ) -> Teaching:
        """Up to `n_rows` rows and `n_pairs` pairs.

        Args:
            answers, correct: prompt id → an answer, and whether it is right.

        Raises:
            InputError: too little can be made of these prompts.
        """
        ...

    def placebo(self, teaching: Teaching, seed: int) -> Teaching:
        """The same style and as much of it, dealt so that it teaches nothing of the content."""
        ...


DISTILLERS: dict[str, Distiller] = {"humble": Humble()}
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
