"""Checkpoints of a fit, each a block: whoever makes the same fit after a kill finds the last one and goes on from it.

Knows nothing of what a checkpoint holds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dd_core.errors import IntegrityError
from storage.blocks import Blocks, BlockSpec, Made

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockCheckpoints:
    """The checkpoints of the fit that a train block would hold.

    Args:
        fit: key of that block.
        every: steps between two checkpoints.
    """

    blocks: Blocks
    fit: str
    every: int

    def latest(self, n_steps: int) -> tuple[int, dict[str, bytes]] | None:
        """(step, files) of the last checkpoint that is sound, None if there is none before step `n_steps`."""
        for step in self._steps(n_steps):
            try:
                block = self.blocks.get(self._spec(step))
                if block is not None:
                    return step, {name: self.blocks.read(block, name) for name in block.files}
            except IntegrityError as error:
                log.warning("a checkpoint is passed over: %s", error)
        return None

    def keep(self, step: int, files: Mapping[str, bytes]) -> None:
        """Stores the state after `step`, and removes the one before it."""
        self.blocks.get_or_make(self._spec(step), lambda: Made(dict(files)))
        if step > self.every:
            self.blocks.remove(self._spec(step - self.every))

    def clear(self, n_steps: int) -> None:
        """Removes them all; the fit is finished."""
        for step in self._steps(n_steps):
            self.blocks.remove(self._spec(step))

    def _steps(self, n_steps: int) -> range:
        """The steps after which there may be one, the last first."""
        last = (n_steps - 1) // self.every * self.every
        return range(last, 0, -self.every)

    def _spec(self, step: int) -> BlockSpec:
        inputs: dict[str, Any] = {"fit": self.fit, "step": step}
        return BlockSpec("checkpoint", inputs)
