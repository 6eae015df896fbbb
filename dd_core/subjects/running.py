"""What is told to an edit of the forward pass that is running: which rows are in it, and where their answers are.

A batch loses rows as their answers end, so that whatever belongs to a row (its strength, its adapter, its noise) is
looked up by `rows` and never by position. Whoever calls the model keeps a `Pass` up to date; edits only read it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class Pass:
    """The forward pass that is running, or comes next.

    Args:
        rows: [batch] for each row of the pass its number in the batch as it began.
        answer: [batch, positions] of bool, the positions from which words of the answer are foretold: the prompt's
            last token and the answer's own. None is all of them, as in a step of generation.
    """

    rows: torch.Tensor
    answer: torch.Tensor | None = None
