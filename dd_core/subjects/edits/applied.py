"""Edits of every kind on a model at once: each row of a batch with its own, at its own strength, and off again.

`applied` changes the model that it is given and changes it back on leaving, whatever happens in between. Where a kind
acts and what it does there is its module's affair; this one knows only how they are put together. Whoever calls the
model keeps a `Pass` up to date, and asks at the end whether every edit was really computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits import Edit, attached, direction, heads
from dd_core.subjects.edits.adapter import Adapter
from dd_core.subjects.edits.attached import restored
from dd_core.subjects.edits.direction import Direction
from dd_core.subjects.edits.heads import HeadScaling
from dd_core.subjects.edits.sites import Asked, Sites
from dd_core.subjects.layout import Layout
from dd_core.subjects.running import Pass

_PUT_ON: dict[type, Callable[[Any, Mapping[str, Any], Sites], None]] = {
    # Adapters wrap modules that the others hang on to, so they come first.
    Adapter: attached.put_on,
    HeadScaling: heads.put_on,
    Direction: direction.put_on,
}
"""Kinds of edits that act inside the model → what puts several of them on, by id."""


class Applied:
    """A model with edits on.

    Attributes:
        model: what is called; it finds out by itself which rows are in the running pass, and which edits they ask for.
    """

    def __init__(self, model: Any, sites: Sites) -> None:
        self.model, self._sites = model, sites

    def verify(self) -> None:
        """To be called behind the last pass.

        Raises:
            EditNotApplied: an edit that rows asked for was never computed at one of its sites.
        """
        self._sites.verify()


@contextlib.contextmanager
def applied(model: Any, edits: Mapping[str, Edit], asked: Asked, running: Pass, layout: Layout) -> Iterator[Applied]:
    """`model` with the edits that rows ask for; weights, hooks and configurations are as before on leaving.

    A row without an edit, or with one at its identity, gets the numbers of the bare model bit for bit. Heads are scaled
    at the input of `o_proj`, and so also for an adapter that reaches `o_proj`.

    Args:
        edits: by id, those that act inside the model: `Adapter`, `HeadScaling`, `Direction`.
        asked: for each row of the batch as it began its edits, each with its strength; none is the bare model, several
            are all on at once, at most one of them an adapter.
        running: the rows of the pass that comes next, and the positions of the answer in it. Its tensors are replaced
            by others when rows leave, never changed in place.
        layout: of the model.

    Raises:
        EditNotApplied: an edit is unknown, acts elsewhere, does not fit the model, or its strength is out of range; a
            row asks for two adapters.
    """
    sites = Sites(asked, running, layout, model.device)
    for edit in sites.ids:
        if edit not in edits:
            raise EditNotApplied(f"edit {edit!r} was asked for and never given")
        if type(edits[edit]) not in _PUT_ON:
            raise EditNotApplied(f"edit {edit} ({type(edits[edit]).__name__}) does not act inside the model")
    with restored(model):
        for kind, put_on in _PUT_ON.items():
            of_kind = {edit: edits[edit] for edit in sites.ids if type(edits[edit]) is kind}
            if of_kind:
                put_on(model, of_kind, sites)
        yield Applied(model, sites)
