"""What a study tells Prometheus while it runs: each family of metrics, its labels, and how it is counted.

Ray exports the families of every process at the metrics port of its node, each name with `ray_` before it. The values
of a label come from a small closed set: no trial, study, subject or object is named. In a process that has joined no
Ray session nothing happens here. Knows no study.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dd_core.records import ARMS
from storage.base import Store
from storage.blocks import BLOCK_VERSIONS
from storage.observed import OPERATIONS, ObservedStore, Operation

log = logging.getLogger(__name__)

OTHER = "other"
"""What a label says of a value that is not in its set."""

TRIAL_STATES = ("waiting", "running", "done", "failed")

LATENCIES_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Upper ends of the buckets: a local file takes 1 ms, an S3 server 10 to 100, and one that is down its time-outs."""


@dataclass(frozen=True)
class Family:
    """One family of metrics.

    Args:
        says: what is measured, with its unit.
        labels: name → its values; () where the caller's own set is small and closed.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def record(self, value: float, **labels: str) -> None:
        """Adds to a counter, sets a gauge, or observes; nothing without a Ray session.

        Adding 0 to a counter begins its series, without which no rate would see what is added first.
        """
        if not _joined():
            return
        for label, known in self.labels.items():
            if known and labels[label] not in known:
                labels[label] = OTHER
        try:
            metric = _metric(self.name)
            if self.kind == "counter":
                metric._record(value, labels)  # as `inc`, which refuses 0
            elif self.kind == "gauge":
                metric.set(value, labels)
            else:
                metric.observe(value, labels)
        except Exception:
            # A session may end between the question and the record, and no study fails for want of a figure.
            log.warning("a metric was not recorded: %s", self.name, exc_info=True)


TRIALS = Family("ddsweep_trials", "gauge", "Trials of the study by state.", {"state": TRIAL_STATES})
RESPONSES = Family(
    "ddsweep_responses_total", "counter", "Answers written, by arm and how they ended.",
    {"arm": ARMS, "finish": ("stop", "length")},
)  # fmt: skip
TOKENS = Family("ddsweep_tokens_total", "counter", "Tokens written, by arm.", {"arm": ARMS})
JUDGEMENTS = Family(
    "ddsweep_judgements_total", "counter", "Judgements made, by judge and status.",
    {"judge": (), "status": ("ok", "error")},
)  # fmt: skip
BLOCKS = Family(
    "ddsweep_blocks_total", "counter", "Blocks that were asked for: found in the store, made, or mended.",
    {"kind": tuple(BLOCK_VERSIONS), "outcome": ("reused", "made", "repaired")},
)  # fmt: skip
INERT = Family("ddsweep_inert_edits_total", "counter", "Edits that were found to change nothing.")
MACHINE_SECONDS = Family("ddsweep_machine_seconds", "gauge", "Machine time of the committed trials, in s.")
COST = Family("ddsweep_cost_usd", "gauge", "Price of machine time and of judges that are models, estimated, in USD.")
STORE = Family(
    "ddsweep_store_seconds", "histogram", "Time of calls to the store, in s.",
    {"operation": OPERATIONS, "outcome": ("ok", "error")},
)  # fmt: skip

FAMILIES = (TRIALS, RESPONSES, TOKENS, JUDGEMENTS, BLOCKS, INERT, MACHINE_SECONDS, COST, STORE)


def observed(store: Store) -> Store:
    """The same store, each of whose calls is told to Prometheus from the process that makes it."""
    return ObservedStore(store, store_call)


def store_call(operation: Operation, seconds: float, failed: bool) -> None:
    """A call to the store has ended."""
    STORE.record(seconds, operation=operation, outcome="error" if failed else "ok")


def block(kind: str, outcome: str) -> None:
    """A block was found in the store, made, or mended: what `Blocks` tells."""
    BLOCKS.record(1, kind=kind, outcome=outcome)


def _joined() -> bool:
    """Whether this process is in a Ray session; Ray is not imported to find out."""
    is_initialized = getattr(sys.modules.get("ray"), "is_initialized", None)
    return is_initialized is not None and is_initialized()


@functools.cache
def _metric(name: str) -> Any:
    """Ray's own object, made once a process."""
    from ray.util import metrics

    (family,) = (one for one in FAMILIES if one.name == name)
    labels = tuple(family.labels)
    if family.kind == "counter":
        return metrics.Counter(family.name, family.says, labels)
    if family.kind == "gauge":
        return metrics.Gauge(family.name, family.says, labels)
    return metrics.Histogram(family.name, family.says, list(LATENCIES_S), labels)
