"""That warm actors stay warm and are given work: two habits of Tune 2.60 that end them, and what is done instead.

An actor of ours takes ten seconds and more to start, and holds a model. Whoever moves to another version of Ray looks
here too: `tests/cluster/test_warm_actors.py` fails where one of these is no longer needed or no longer holds. Knows
nothing of what the actors do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ray.tune.execution import tune_controller
from ray.tune.schedulers import FIFOScheduler
from ray.tune.utils.object_cache import _ObjectCache


class InOrder(FIFOScheduler):
    """Chooses nothing itself: Tune's own queue is in order, and gives a warm actor to a trial that has none.

    By FIFO's choice it goes to the first trial that waits, though an actor starts for that one, which is killed then,
    and the newest trial starts another: for ever, five of eight nodes worked.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """None: Tune goes on to its queue."""
        return None


class WarmCache(_ObjectCache):
    """Keeps every warm actor until a trial waits that asks for something else, or no trial is to come.

    Tune's own keeps as many as trials wait, and one where none does: at the end of each generation, all but one ended.
    An actor that waits here holds its place on its node, so that an autoscaler does not take the node away meanwhile.
    """

    def cache_object(self, key: Any, obj: Any) -> bool:
        """Keeps `obj`; says whether it did."""
        if self._others_wait(key):
            return bool(super().cache_object(key, obj))
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Iterator[Any]:  # type: ignore[override]
        """Those to be ended now."""
        for key, kept in self._cached_objects.items():
            if not force_all and not self._others_wait(key):
                continue
            while len(kept) > (0 if force_all else self._max_num_objects[key]):
                self._num_cached_objects -= 1
                yield kept.pop(0)

    def _others_wait(self, key: Any) -> bool:
        return any(n > 0 for other, n in self._max_num_objects.items() if other != key)


def keep_warm_actors() -> None:
    """From now on Tune, in this process, keeps them as `WarmCache` does."""
    tune_controller._ObjectCache = WarmCache  # type: ignore[misc]
