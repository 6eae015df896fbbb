"""Studies as they are run: plan, trials, training under Ray Train, search under Ray Tune, the command line.

`run_study` is the whole of it from a notebook. Importing this package loads neither Ray nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.run import StudyResult, run_study

__all__ = ["StudyResult", "run_study"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        import sweeps.run

        return getattr(sweeps.run, name)
    raise AttributeError(name)
