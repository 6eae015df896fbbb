"""Runs planted studies through the falsifier and its rivals, on all cores, and collects what they say.

Knows how many studies of which kind are wanted; does not know what is planted in them, nor how figures are shown.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from dd_core.errors import DDSweepError
from dd_core.falsify.calibration.generator import FALSE_KINDS, KINDS, POWER_KINDS, REAL_KINDS
from dd_core.falsify.calibration.plan import MOST_PROMPTS

QUICK_PROMPTS = 120
CLEAN_FROM = 100_000
"""First index of the clean bundles that are run beside the real claims, so that none is both."""

ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STEP_REASONS = {
    "within": "no_within_signal", "fresh": "no_transfer", "axes": "axis_collapse", "variant": "variant_fails",
    "replication": "not_replicated",
}  # fmt: skip
"""What an unclear step is called where it is compared with what was planted."""


@dataclass(frozen=True)
class Task:
    """One planted study to judge; `group` is false, real, clean or power."""

    group: str
    kind: str
    index: int
    seed: int
    most: int = MOST_PROMPTS


@dataclass(frozen=True)
class Outcome:
    """What was said of one planted study.

    Args:
        verdict: of the falsifier, or CRASHED with the exception in `reasons`.
        named: whether what was planted is among the reasons.
        rivals: rival → whether the claim stands by it.
        failed, warned, unclear: ids of audits in that state.
    """

    task: Task
    claim_kind: str
    size: float
    n_prompts: int
    n_seeds: int
    sd_seed: float
    verdict: str
    reasons: tuple[str, ...]
    named: bool
    rivals: dict[str, bool]
    failed: tuple[str, ...]
    warned: tuple[str, ...]
    unclear: tuple[str, ...]

    @property
    def survives(self) -> bool:
        return self.verdict == "SURVIVES"


def tasks(
    *,
    n_false: int = 0,
    n_real: int = 0,
    n_clean: int = 0,
    n_power: int = 0,
    seed: int = 0,
    most: int = MOST_PROMPTS,
    only: str | None = None,
) -> list[Task]:
    """The studies of a calibration.

    Args:
        n_false: of false claims, spread over their kinds, at least one of each; kinds under the gate get as many each.
        n_real, n_clean: of real claims, spread over kinds and sizes; clean ones are further such.
        n_power: for each cell of the table of power.
        only: the one kind to run, `n_false` or `n_real` or `n_power` times, whichever it belongs to.
    """  # fmt: skip
    if only is not None:
        group = "false" if only in FALSE_KINDS else "real" if only in REAL_KINDS else "power"
        n = {"false": n_false, "real": n_real, "power": n_power}[group]
        return [Task(group, only, index, seed, most) for index in range(n)]
    found = []
    if n_false:
        untrue = [name for name, kind in FALSE_KINDS.items() if kind.truth == "false"]
        counts = _spread(max(n_false, len(untrue)), untrue)
        counts |= {name: max(counts.values()) for name in FALSE_KINDS if name not in counts}
        found += [Task("false", name, i, seed, most) for name, count in counts.items() for i in range(count)]
    for group, n, first in (("real", n_real, 0), ("clean", n_clean, CLEAN_FROM)):
        counts = _spread(n, list(REAL_KINDS))
        found += [Task(group, name, first + i, seed, most) for name, count in counts.items() for i in range(count)]
    found += [Task("power", name, i, seed, MOST_PROMPTS) for name in POWER_KINDS for i in range(n_power)]
    return found


def _spread(n: int, names: list[str]) -> dict[str, int]:
    """`n` spread evenly over `names`, the first ones taking the rest."""
    return {name: n // len(names) + (i < n % len(names)) for i, name in enumerate(names)}


def judge(task: Task) -> Outcome:
    """Plant one study and put it to the falsifier and its rivals."""
    from dd_core.falsify.calibration.generator import plant
    from dd_core.falsify.calibration.rivals import rivals
    from dd_core.falsify.falsifier import falsify

    study = plant(task.kind, task.index, task.seed, task.most)
    reasons: tuple[str, ...]
    verdict, reasons, by_status = "CRASHED", (), {}
    try:
        said = falsify(study.bundle)
    except Exception as error:  # what must not happen is counted and shown, and the other studies go on
        reasons = (f"{type(error).__name__}: {error}",)
    else:
        verdict, reasons = said.verdict, said.reasons
        by_status = {
            status: tuple(audit.id for audit in said.audits if audit.status == status)
            for status in ("fail", "warn", "unclear")
        }
    called = {*reasons, *(STEP_REASONS[name] for name in reasons if name in STEP_REASONS)}
    return Outcome(
        task, study.claim_kind, study.size, study.n_prompts, study.n_seeds, study.sd_seed, verdict, reasons,
        bool(called & set(KINDS[task.kind].reasons)), rivals(study.bundle),
        by_status.get("fail", ()), by_status.get("warn", ()), by_status.get("unclear", ()),
    )  # fmt: skip


def run(wanted: list[Task], *, jobs: int, report: Callable[[int, int], None] | None = None) -> list[Outcome]:
    """Outcomes of `wanted`, in its order, whatever finished first; no process outlives the call.

    Args:
        jobs: worker processes, each of one thread.
        report: called with (done, all) as studies are finished.

    Raises:
        KeyboardInterrupt: the user stopped it; the workers are gone by then.
        DDSweepError: a worker was killed, most likely for memory.
    """
    # A random order keeps the time left honest: kinds differ tenfold in cost.
    order = np.random.default_rng(0).permutation(len(wanted)).tolist()
    before = set(multiprocessing.active_children())
    outcomes: dict[int, Outcome] = {}
    with _one_thread():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, max(1, len(wanted))), mp_context=context, initializer=_worker)
        try:
            with _deaf():
                futures: dict[Future[Outcome], int] = {pool.submit(judge, wanted[i]): i for i in order}
            for future in as_completed(futures):
                outcomes[futures[future]] = future.result()
                if report is not None:
                    report(len(outcomes), len(wanted))
        except BrokenProcessPool:
            raise DDSweepError("a worker was killed, most likely for want of memory: run with fewer --jobs") from None
        finally:
            if len(outcomes) < len(wanted):
                for child in set(multiprocessing.active_children()) - before:
                    child.terminate()
            pool.shutdown(cancel_futures=True)
    return [outcomes[i] for i in range(len(wanted))]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Workers that start within inherit one thread each for polars and BLAS, which read this when they are imported."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Workers that start within inherit deafness to Ctrl-C, which a terminal sends to them as well as to the parent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _worker() -> None:
    """End when the parent is gone, however it went."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
