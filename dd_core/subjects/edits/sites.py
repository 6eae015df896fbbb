"""Who of a batch asks for which edit at which strength, and that each edit was computed wherever it acts.

What every kind of edit shares when it is put on a model. Knows no kind: where one acts is its own module's affair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch

from dd_core.errors import EditNotApplied
from dd_core.subjects.layout import Layout
from dd_core.subjects.running import Pass

T = TypeVar("T")

Asked = Sequence[Sequence[tuple[str, float]]]
"""For each row of a batch as it began the edits that are on, by id, each with its strength."""


class Sites:
    """One batch of rows: what each asks for, and how often each edit was computed at each of its sites.

    Args:
        asked: as of `applied`.
        running: kept up to date by whoever calls the model.
        layout: of the model.
        device: of the model.

    Raises:
        EditNotApplied: a row asks for one edit twice, or at a strength that is not finite.
    """

    def __init__(self, asked: Asked, running: Pass, layout: Layout, device: Any) -> None:
        self.asked, self.layout, self._running, self._device = asked, layout, running, device
        self._calls: dict[str, dict[str, int]] = {}
        for row, wanted in enumerate(asked):
            ids = [edit for edit, _ in wanted]
            twice = sorted({edit for edit in ids if ids.count(edit) > 1})
            if twice:
                raise EditNotApplied(f"row {row} asks for edit {twice[0]} twice")
            for edit, strength in wanted:
                if not math.isfinite(strength):
                    raise EditNotApplied(f"edit {edit}: a strength of {strength} is no number to scale by")

    @property
    def ids(self) -> list[str]:
        """The edits that at least one row asks for, sorted."""
        return sorted({edit for wanted in self.asked for edit, _ in wanted})

    @property
    def answer(self) -> torch.Tensor | None:
        """`Pass.answer` of the pass that is running."""
        return self._running.answer

    def strengths(self, edit: str, identity: float) -> torch.Tensor:
        """Strength of `edit` [rows of the batch as it began], float32; `identity` where a row does not ask for it."""
        found = [dict(wanted).get(edit, identity) for wanted in self.asked]
        return torch.tensor(found, dtype=torch.float32, device=self._device)

    def per_row(self, choose: Callable[[torch.Tensor], T]) -> PerRow[T]:
        """What `choose` makes of the rows of the running pass."""
        return PerRow(self._running, choose)

    def expect(self, edit: str, site: str) -> None:
        """`edit` acts at `site`, so that it has to be computed there."""
        self._calls.setdefault(edit, {})[site] = 0

    def reached(self, edit: str, site: str) -> None:
        """`edit` was computed at `site` once more."""
        self._calls[edit][site] += 1

    def verify(self) -> None:
        """To be called behind the last pass.

        Raises:
            EditNotApplied: an edit that rows asked for was never computed at one of its sites.
        """
        for edit, calls in self._calls.items():
            silent = sorted(site for site, count in calls.items() if count == 0)
            if silent:
                raise EditNotApplied(
                    f"edit {edit} was put on and never computed in {len(silent)} of {len(calls)} layers "
                    f"({', '.join(silent[:3])}): it is switched off or bypassed"
                )


class PerRow(Generic[T]):
    """Something that depends on the rows of the running pass, made anew when these are other rows.

    Rows change a few times in a hundred passes, and every layer asks in each of them: whoever keeps the `Pass` puts
    another tensor in its place when rows leave, and never changes the one that is there.
    """

    def __init__(self, running: Pass, choose: Callable[[torch.Tensor], T]) -> None:
        self._running, self._choose = running, choose
        self._rows: torch.Tensor | None = None
        self._chosen: T

    def __call__(self) -> T:
        """What belongs to the rows of the running pass."""
        if self._rows is not self._running.rows:
            self._chosen, self._rows = self._choose(self._running.rows), self._running.rows
        return self._chosen
