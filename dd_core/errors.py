"""Every error that `ddsweep` raises on purpose.

    DDSweepError
    ├── InputError          the user can mend it: shown as lines without a traceback, exit status 2
    │   ├── StoreError      the store cannot be reached, written or trusted
    │   └── SubjectUnavailable  a subject that was asked for cannot be loaded on this machine
    ├── IntegrityError      stored bytes are not the bytes that were written
    ├── EditNotApplied      an edit was asked for and did not reach the model
    ├── CallFailed          an endpoint gave no reply that can be read, however often it was asked
    │   └── EndpointDown    nobody answers at its address
    ├── QuotaExhausted      credit, quota or the study's own budget is used up; what is done is kept
    ├── DataRefused         training data did not pass its gate
    ├── TrialFailed         a configuration failed for its own reasons; committed as failed, never retried
    │   └── EditInert       what was fitted changes nothing
    └── StudyFailed         no verdict can be reached: every configuration failed, or a fault of the machine stayed
        └── JudgesUnavailable   nothing can be judged before someone pays or mends a configuration; what is done is kept

A fault of the machine (a lost node, a full disk) is none of these: it surfaces as what the library raised, and is
retried.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DDSweepError(Exception):
    """Base of all errors raised on purpose."""


class InputError(DDSweepError):
    """Something the user gave is wrong. `lines` holds one finding each: what, where, and what was expected."""

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.lines: list[str] = [lines] if isinstance(lines, str) else list(lines)
        super().__init__("\n".join(self.lines))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[str]]]:
        return type(self), (self.lines,)


class StoreError(InputError):
    """The store cannot be reached, written or trusted."""


class SubjectUnavailable(InputError):
    """A subject or its device is not on this machine: the person can mend it, and no trial is to blame."""


class IntegrityError(DDSweepError):
    """Stored bytes do not match the digest under which they were written."""


class EditNotApplied(DDSweepError):
    """An edit was asked for and did not reach the model: no module matched, or it was never called."""


class CallFailed(DDSweepError):
    """An endpoint gave no reply that can be read, however often it was asked; the message says what came instead."""


class EndpointDown(CallFailed):
    """Nobody answers at an endpoint's address, however long one waits: the others will not be answered either."""


class QuotaExhausted(DDSweepError):
    """Credit, quota or the budget of a configuration is used up: asking again is of no use before someone pays."""


class DataRefused(DDSweepError):
    """Training data did not pass its gate; `reasons` says why, one line each."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("\n".join(self.reasons))

    def __reduce__(self) -> tuple[type[DataRefused], tuple[list[str]]]:
        return type(self), (self.reasons,)


class TrialFailed(DDSweepError):
    """A configuration failed for its own reasons (a NaN loss, an edit without effect on any weight)."""


class EditInert(TrialFailed):
    """A fit came to its end, and its edit has no effect on any weight."""


class StudyFailed(DDSweepError):
    """No verdict can be reached: every configuration failed, or a fault of the machine outlasted its retries."""


class JudgesUnavailable(StudyFailed):
    """Nothing can be judged before someone pays, or mends what was configured: no trial is to blame."""


def unknown(noun: str, name: str, known: Iterable[str]) -> str:
    """One finding: `name` is none of `known`, with the nearest of them, and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {noun} {name!r}; {hint}known: {', '.join(names)}"
