"""A judge that is a chat model: quoted material in, a strict form out, each row for itself.

Knows no rubric and no endpoint. What a reply costs, whether the store holds it and when to stop asking is the asker's
business.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from dd_core import quoting
from dd_core.canonical import digest
from dd_core.chat_models import ChatModel
from dd_core.errors import CallFailed, InputError, unknown
from dd_core.judging import JudgeSpec
from dd_core.records import Completion, Message
from judges.asking import Asker, Spent
from judges.backends import identity_of
from judges.base import Judge, JudgeRow, Mark, checked, judgements, reason
from judges.replies import F, Unread, read, schema_of
from storage.blocks import Blocks

T = TypeVar("T")
PACKAGE = "judges"
MODEL = "judge"
"""What the model of a judge is called in its asker."""

BATCH = 64
"""Calls that a local model answers at one time."""


class Loop:
    """An asker of one model in an event loop of its own thread, for callers that are not asynchronous. Thread-safe.

    Opened at the first use, so that connections are kept from block to block.

    Attributes:
        spent: what its calls took.
    """

    def __init__(self, model: ChatModel, blocks: Blocks | None, budget_usd: float | None) -> None:
        self.spent = Spent()
        self._asker = Asker({MODEL: model}, blocks, self.spent, budget_usd, without=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Callable[[Asker], Coroutine[Any, Any, T]]) -> T:
        """What `work` returns or raises, done in the loop."""
        return _wait(self._opened(), work(self._asker))

    def _opened(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(loop,), name="judge", daemon=True).start()
                try:
                    _wait(loop, self._asker.__aenter__())
                except BaseException:
                    loop.call_soon_threadsafe(loop.stop)
                    raise
                self._loop = loop
            return self._loop

    def close(self) -> None:
        """Closes the connections and ends the thread; what is in flight is let go."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            _wait(loop, self._asker.__aexit__())
            loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class Loops:
    """The loops of one process: judges that ask one model under one budget share its calls in flight, and its budget.

    Args:
        blocks: where replies are kept; without it each is asked for anew.
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self._blocks = blocks
        self._loops: dict[str, Loop] = {}

    def of(self, model: ChatModel, budget_usd: float | None) -> Loop:
        """The loop of a model."""
        name = f"{model.model_dump_json()} {budget_usd}"
        return self._loops.setdefault(name, Loop(model, self._blocks, budget_usd))

    def close(self) -> None:
        """Closes them all."""
        for loop in self._loops.values():
            loop.close()


class Asked:
    """What one row asks in one pass. `models` are the models that answered, as the endpoint named them."""

    def __init__(self, asker: Asker, seed: int, repeat: int) -> None:
        self._asker, self._seed, self.repeat = asker, seed, repeat
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
        completion = await self._asker.ask(MODEL, messages, seed, schema_of(form), judge=template)
        self.models[_served(completion)] = None
        return read(completion, form)


class ModelJudge(Judge):
    """Base of judges that are models. An implementation gives `axes`, `templates`, `code_version` and `marks()`.

    Args:
        spec: which model, how many passes, and how much of an answer is shown.
        loops: of the process; a loop of its own if left out.
    """

    costly = True
    code_version = 1
    templates: tuple[str, ...]
    calls: int = 1
    """Calls for a row, at most."""
    choice: tuple[str, ...] = ()
    """Axes that a study may choose from."""

    def __init__(self, spec: JudgeSpec, loops: Loops | None = None) -> None:
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
        self._loop = (loops or Loops()).of(spec.model, spec.budget_usd)
        self.spent = self._loop.spent

    @abstractmethod
    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        """One mark per axis of `axes`.

        Raises:
            Unread, ValueError, CallFailed: the row cannot be judged; the message says why.
            Exception: something is wrong that is no row's fault.
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

    def with_model(self, work: Callable[[Asker], Coroutine[Any, Any, T]]) -> T:
        """What `work` returns, given the asker of this judge's model (`MODEL`)."""
        return self._loop.run(work)

    @property
    def passes(self) -> int:
        return self._spec.passes

    async def _judged(self, row: JudgeRow, repeat: int, asker: Asker, fingerprint: str) -> list[dict[str, Any]]:
        # A model that samples draws for each row anew, or two arms with one text would share their noise.
        seed = own_seed(row.row_id, repeat) if self.samples else repeat
        ask = Asked(asker, seed, repeat)
        marks: dict[str, Mark] | str
        try:
            marks = checked(await self.marks(row, ask), self.axes)
        except (Unread, ValueError, CallFailed) as error:  # whatever else is raised is no row's fault
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
