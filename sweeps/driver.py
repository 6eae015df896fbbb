"""Which process drives a study: `studies/<id>/driver.json`, with a heartbeat. Of several drivers the newest goes on.

No harm comes of two, since blocks and commits are create-only; but work would be done twice at the same time. Whoever
wrote the file last is the newest: a driver writes its id when it starts, and from then on reads the file before each
beat. No clock is compared, so machines may disagree about the time. Knows nothing of what is driven.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from dd_core.errors import StudyFailed
from storage.commits import StudyFiles

log = logging.getLogger(__name__)

DRIVER_NAME = "driver.json"
BEAT_S = 5.0
"""Between two beats: two small requests, 0.09 USD a day at the price of AWS."""

LOOK_S = 1.0
"""How long a look for a newer driver waits for the store."""

LAST_BEAT_S = 30.0
"""How long the end of a run waits for its last beat. It is one or two beats of two requests: a store that takes 2 s
for each is done in 8 s."""

INTERRUPTED_S = 2.0
"""The same after Ctrl-C, which a store that does not answer must not hold up."""

State = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Driver:
    """A driver as it describes itself.

    Args:
        driver: its id, made anew by each run.
        started, beat: ISO 8601 in UTC, by the clock of its machine.
        beats: heartbeats so far; that they go on tells of life without trusting that clock.
        state: "running" is also what one says that was killed.
        dashboard: address of Ray's dashboard, None where there is none.
    """

    driver: str
    started: str
    beat: str
    beats: int = 0
    state: State = "running"
    dashboard: str | None = None


_DRIVER = TypeAdapter(Driver)


class Superseded(StudyFailed):
    """A newer run of the same study has taken over."""


def read_driver(files: StudyFiles) -> Driver | None:
    """The driver that was started last; None if there was none, or its file is damaged."""
    try:
        return _DRIVER.validate_json(files.store.read(f"{files.folder}/{DRIVER_NAME}"))
    except (KeyError, ValidationError):
        return None


class Heartbeat:
    """This process as the driver of a study. `driving` starts and ends it.

    Args:
        every_s: between two beats.

    Attributes:
        superseded: whether a newer driver was seen; from then on the file is the newer one's alone.
    """

    def __init__(self, files: StudyFiles, every_s: float = BEAT_S) -> None:
        now = _now()
        self._files, self._every_s = files, every_s
        self._me = Driver(uuid.uuid4().hex, now, now)
        self._older: set[str] = set()
        self.superseded = False
        self._lock = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Takes the study over from whoever drives it; an exception of the store surfaces."""
        before = read_driver(self._files)
        if before is not None:
            self._older.add(before.driver)
        self._write()
        self._thread.start()

    def tell(self, dashboard: str | None) -> None:
        """Where Ray's dashboard is."""
        with self._lock:
            self._me = replace(self._me, dashboard=dashboard)
        self._wake.set()

    def look(self) -> None:
        """Asks the store now, and not at the next beat, whether there is a newer driver.

        Within `LOOK_S` and whatever the store does: where it does not answer, the last beat's word stands.
        """
        thread = threading.Thread(target=self._look, name="look", daemon=True)
        thread.start()
        thread.join(LOOK_S)

    def check(self) -> None:
        """Nothing, while no newer driver was seen.

        Raises:
            Superseded: one was.
        """
        if self.superseded:
            where = f"{self._files.store.uri}/{self._files.folder}"
            raise Superseded(
                f"another run of {self._files.study_id} was started after this one and goes on, so this one stops; "
                f"see it by: ddsweep watch {where}; running again takes the study back"
            )

    def end(self, state: State) -> None:
        """Says how the run ended, if the store takes it within `LAST_BEAT_S`, or `INTERRUPTED_S`."""
        with self._lock:
            self._me = replace(self._me, state=state)
        self._ended.set()
        self._wake.set()
        self._thread.join(INTERRUPTED_S if state == "interrupted" else LAST_BEAT_S)

    def _look(self) -> None:
        try:
            self._is_newer()
        except Exception as error:  # whatever a store raises, as in a beat
            log.warning("driver.json: cannot be read: %s", self._files.store.explain(error) or error)

    def _beat_on(self) -> None:
        while not self.superseded:
            self._wake.wait(self._every_s)
            self._wake.clear()
            last = self._ended.is_set()
            try:
                self._beat()
            except Exception as error:  # whatever a store raises: what is lost is a sign of life, and no row
                log.warning("driver.json: no heartbeat: %s", self._files.store.explain(error) or error)
            if last:
                return

    def _beat(self) -> None:
        """Writes, unless a newer driver has written since.

        Between reading and writing a newer one may write. It then finds the id of the one that it took over from, and
        takes over once more.
        """
        if self._is_newer():
            return
        with self._lock:
            self._me = replace(self._me, beat=_now(), beats=self._me.beats + 1)
        self._write()

    def _is_newer(self) -> bool:
        """Whether another driver has taken over, as the store says; remembered."""
        found = read_driver(self._files)
        if found is not None and found.driver != self._me.driver and found.driver not in self._older:
            self.superseded = True
        return self.superseded

    def _write(self) -> None:
        data = json.dumps(asdict(self._me), sort_keys=True, indent=1) + "\n"
        self._files.put(DRIVER_NAME, data.encode())


@contextlib.contextmanager
def driving(files: StudyFiles, every_s: float = BEAT_S) -> Iterator[Heartbeat]:
    """This process drives the study meanwhile.

    Raises:
        Exception: the store's, where it cannot be told at the start.
    """
    heart = Heartbeat(files, every_s)
    heart.begin()
    state: State = "failed"
    try:
        yield heart
        state = "finished"
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        heart.end(state)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
