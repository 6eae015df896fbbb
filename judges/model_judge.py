"""A judge that is a chat model: quoted material in, a strict form out, each row for itself.

Knows no rubric and no endpoint. What a reply costs, whether the store holds it and when to stop asking is the asker's
business.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from dd_core import quoting
from dd_core.canonical import digest
from dd_core.errors import InputError, QuotaExhausted, unknown
from dd_core.judging import JudgeSpec
from dd_core.records import Completion, Message
from judges.asking import Asker, Spent
from judges.backends import identity_of
from judges.base import Judge, JudgeRow, Mark, checked, judgements, reason
from judges.replies import F, read, schema_of
from storage.blocks import Blocks

T = TypeVar("T")
PACKAGE = "judges"
BATCH = 64
"""Calls that a local model answers at one time."""


class Loop:
    """An asker in an event loop of its own thread, for callers that are not asynchronous. Thread-safe.

    Opened at the first use, so that connections are kept from block to block.
    """

    def __init__(self, make: Callable[[], Asker]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asker: Asker | None = None

    def run(self, work: Callable[[Asker], Awaitable[T]]) -> T:
        """What `work` returns or raises, done in the loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="judge", daemon=True).start()
                self._asker = self._wait(self._make().__aenter__())
        asker = self._asker
        assert asker is not None
        return self._wait(work(asker))

    def _wait(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Closes the connections and ends the thread; what is in flight is let go."""
        with self._lock:
            loop, asker = self._loop, self._asker
            self._loop = self._asker = None
        if loop is None:
            return
        if asker is not None:
            asyncio.run_coroutine_threadsafe(asker.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)


class Asked:
    """What one row asks in one pass. `models` are the models that answered, as the endpoint named them."""

    def __init__(self, asker: Asker, name: str, seed: int, repeat: int) -> None:
        self._asker, self._name, self._seed, self.repeat = asker, name, seed, repeat
        self.models: dict[str, None] = {}

    async def __call__(
        self, template: str, texts: dict[str, str], form: type[F], seed: int | None = None, **plain: Any
    ) -> F:
        """The model's reply to `judges/templates/TEMPLATE.txt.j2`, as `form`.

        Args:
            texts: what the template quotes, by name: all that a user or a model wrote.
            seed: in place of the pass' own.
            plain: what else the template needs.

        Raises:
            Unread: the reply is not of that form.
            CallFailed, QuotaExhausted, InputError, StoreError: as `Asker.ask`.
        """
        words = quoting.render(PACKAGE, template, texts, **plain)
        messages = (Message(role="user", content=words),)
        seed = self._seed if seed is None else seed
        completion = await self._asker.ask(self._name, messages, seed, schema_of(form), judge=template)
        self.models[_served(completion)] = None
        return read(completion, form)


class ModelJudge(Judge):
    """Base of judges that are models. An implementation gives `axes`, `templates`, `code_version` and `marks()`.

    Args:
        spec: which model, how many passes, and how much of an answer is shown.
        blocks: where replies are kept; without it each is asked for anew.
    """

    costly = True
    code_version = 1
    templates: tuple[str, ...]
    calls: int = 1
    """Calls for a row, at most."""
    choice: tuple[str, ...] = ()
    """Axes that a study may choose from."""

    def __init__(self, spec: JudgeSpec, blocks: Blocks | None = None) -> None:
        if spec.model is None:
            raise InputError(f"judges: {spec.judge} is a model that judges: say which, under `model`")
        for axis in spec.axes:
            if axis not in self.choice:
                among = unknown("axis", axis, self.choice) if self.choice else f"it scores {', '.join(self.axes)}"
                raise InputError(f"judges.{spec.judge}.axes: {among}")
        self.axes = spec.axes or self.axes
        self._spec, self._settings = spec, spec.model
        self.model = str(getattr(spec.model, "model", "recorded"))
        self.samples = spec.samples
        self.spent = Spent()
        self._loop = Loop(
            lambda: Asker({spec.label: self._settings}, blocks, self.spent, spec.budget_usd, without=True)
        )

    @abstractmethod
    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        """One mark per axis of `axes`.

        Raises:
            Exception: the row cannot be judged; the message says why.
        """

    def rubric(self) -> dict[str, Any]:
        return {
            "code_version": self.code_version,
            "templates": {name: quoting.source(PACKAGE, name) for name in self.templates},
            "model": identity_of(self._settings),
            "max_chars": self._spec.max_chars,
        }

    def shown(self, answer: str) -> tuple[str, int]:
        """As much of an answer as is shown, and how many characters of it are not."""
        return answer[: self._spec.max_chars], max(0, len(answer) - self._spec.max_chars)

    def score(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        fingerprint = self.fingerprint

        async def all_of(asker: Asker) -> list[dict[str, Any]]:
            asker.stopped = None  # somebody may have paid since the last block
            # Twice as many rows as calls: some are being made ready while others wait, and none long before its turn.
            places = asyncio.Semaphore(2 * getattr(self._settings, "concurrency", BATCH))

            async def one(row: JudgeRow, repeat: int) -> list[dict[str, Any]]:
                async with places:
                    return await self._judged(row, repeat, asker, fingerprint)

            asked = [one(row, repeat) for row in rows for repeat in range(self.passes)]
            found = await asyncio.gather(*asked, return_exceptions=True)  # what is in flight is paid for: it is kept
            asker.settle()
            for several in found:
                if isinstance(several, BaseException):
                    raise several
            return [judgement for several in found if isinstance(several, list) for judgement in several]

        return self._loop.run(all_of)

    def with_model(self, work: Callable[[Asker, str], Awaitable[T]]) -> T:
        """What `work` returns, given the asker and the name by which it asks this judge's model."""
        return self._loop.run(lambda asker: work(asker, self._spec.label))

    @property
    def passes(self) -> int:
        return self._spec.passes

    async def _judged(self, row: JudgeRow, repeat: int, asker: Asker, fingerprint: str) -> list[dict[str, Any]]:
        # A model that samples draws for each row anew, or two arms with one text would share their noise.
        seed = own_seed(row.row_id, repeat) if self.samples else repeat
        ask = Asked(asker, self._spec.label, seed, repeat)
        marks: dict[str, Mark] | str
        try:
            marks = checked(await self.marks(row, ask), self.axes)
        except (QuotaExhausted, InputError):
            raise
        except Exception as error:  # whatever came of one row is that row's error
            marks = reason(error)
        return judgements(
            row, self.axes, fingerprint, marks,
            judge_model="+".join(sorted(ask.models)) or self.model, repeat=repeat,
            n_chars_seen=min(len(row.response), self._spec.max_chars),
        )  # fmt: skip

    def close(self) -> None:
        self._loop.close()


def _served(completion: Completion) -> str:
    """The model that answered, and the build of it where the endpoint tells one."""
    build = completion.system_fingerprint
    return f"{completion.model} ({build})" if build else completion.model


def own_seed(name: str, repeat: int) -> int:
    """A seed of 31 bits that what is called `name` has for itself in a pass."""
    return int(digest([name, repeat])[:8], 16) >> 1
