"""Judges: what reads answers and scores them. One module per judge, one line here per judge.

Importing this package loads no Ray: the pool (`judges.pool`) does that when it is started.
"""

from __future__ import annotations

from collections.abc import Callable

from dd_core.errors import InputError
from judges.base import Judge, JudgeRow, Mark
from judges.checklist import Checklist
from judges.delivery import Delivery

JUDGES: dict[str, Callable[[], Judge]] = {
    "checklist": Checklist,
    "delivery": Delivery,
}
"""Name in a study file → what makes the judge."""


def make_judge(name: str) -> Judge:
    """The judge of that name.

    Raises:
        InputError: no judge has that name.
    """
    if name not in JUDGES:
        raise InputError(f"judges: no judge is called {name!r}; there are {', '.join(sorted(JUDGES))}")
    return JUDGES[name]()


__all__ = ["JUDGES", "Judge", "JudgeRow", "Mark", "make_judge"]
