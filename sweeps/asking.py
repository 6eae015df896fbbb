"""Asking teachers through the store: a reply that is there is taken, one that is not is paid for once and kept.

Knows no stage by name and no row; how a teacher is reached is its backend's affair.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dd_core.canonical import canonical
from dd_core.distill.teachers import Endpoint, Teachers
from dd_core.errors import (
    CallFailed,
    DDSweepError,
    EndpointDown,
    InputError,
    IntegrityError,
    QuotaExhausted,
    StoreError,
)
from dd_core.records import Completion, Message
from judges.backends import Backend
from storage.blocks import Blocks, BlockSpec, Made

REPLY_FILE = "reply.json"

HOPELESS_CALLS = 3
"""Calls since the last reply that nobody answered, each after all its retries: the endpoint is down."""


@dataclass
class Spent:
    """What the calls of a distillation took, those of earlier runs included.

    Args:
        calls, found: replies in all, and of these the ones that an earlier run had paid for.
        tokens: of prompts and replies, by teacher.
        usd, usd_now: in all, and in this run.
        retried: why calls were made again in this run → how often.
        unusable: what was wrong with replies that could not be used → how many.
    """

    calls: int = 0
    found: int = 0
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    usd: float = 0.0
    usd_now: float = 0.0
    retried: Counter[str] = field(default_factory=Counter)
    unusable: Counter[str] = field(default_factory=Counter)


class Asker:
    """Asks a stage's teacher, unless the store holds the reply.

    Attributes:
        backends: teacher's name → how it is reached.
        replies: what was asked and answered, by the words of the messages and the attempt.
        spent: what it took so far.
        stopped: the error after which no call is begun any more.
        looking: while true nothing is asked for that the store does not hold.
    """

    def __init__(self, config: Teachers, blocks: Blocks, spent: Spent) -> None:
        self._config, self._blocks, self.spent = config, blocks, spent
        self.backends: dict[str, Backend] = {}
        self.replies: dict[tuple[Message, ...], dict[int, Completion]] = {}
        self.stopped: DDSweepError | None = None
        self.looking = False
        self._down: Counter[str] = Counter()

    async def ask(self, stage: str, messages: Sequence[Message], attempt: int) -> Completion:
        """The reply of the stage's teacher to an attempt, counted from 0.

        Raises:
            CallFailed, QuotaExhausted, InputError: as `Backend.complete`; QuotaExhausted also when the budget is spent.
        """
        known = self.replies.setdefault(tuple(messages), {})
        if attempt not in known:
            known[attempt] = await self._reply(stage, messages, self._config.seed + attempt)
        return known[attempt]

    async def _reply(self, stage: str, messages: Sequence[Message], seed: int) -> Completion:
        name = self._config.of(stage)
        backend = self.backends[name]
        inputs = {"teacher": backend.identity, "messages": [m.model_dump() for m in messages], "seed": seed}
        spec = BlockSpec("chat", inputs)
        reply = await asyncio.to_thread(self._stored, spec)
        if reply is not None:
            self._counted(name, reply, paid_now=False)
            return reply
        if self.looking:
            raise CallFailed("the store holds no reply")
        try:
            reply = await backend.complete(messages, seed)
        except (QuotaExhausted, InputError) as error:
            self._stop(error)
            raise
        except EndpointDown as failure:
            self._down[name] += 1
            if self._down[name] >= HOPELESS_CALLS:
                self._stop(InputError(f"teachers.{name}: nobody answers; {failure}"))
            raise
        self._down[name] = 0
        self._counted(name, reply, paid_now=True)  # before it is stored: the next call looks at what is spent
        made = Made({REPLY_FILE: json.dumps(canonical(reply)).encode()}, {"teacher": name, "stage": stage})
        return await asyncio.to_thread(self._kept, spec, made)

    def _stop(self, error: DDSweepError) -> None:
        self.stopped = self.stopped or error

    def _kept(self, spec: BlockSpec, made: Made) -> Completion:
        """The reply as the store holds it: another run may have been first, and then its reply is the one.

        Raises:
            StoreError: it cannot be kept.
        """
        store = self._blocks.store
        try:
            block = self._blocks.get_or_make(spec, lambda: made)
            return Completion.model_validate_json(self._blocks.read(block, REPLY_FILE))
        except Exception as error:  # whatever a store raises: to go on would be to pay for what is not kept
            line = store.explain(error) or f"{type(error).__name__}: {error}"
            failure = StoreError(f"{store.uri}: a reply cannot be kept: {line}")
            self._stop(failure)
            raise failure from error

    def settle(self, unusable: Counter[str]) -> None:
        """Notes in `spent` what was asked again, and what could not be used."""
        self.spent.retried = sum((backend.retried for backend in self.backends.values()), Counter())
        self.spent.unusable = unusable

    def _stored(self, spec: BlockSpec) -> Completion | None:
        """The reply in the store; None if there is none, or a damaged one, which is then asked for again."""
        try:
            block = self._blocks.get(spec)
            return None if block is None else Completion.model_validate_json(self._blocks.read(block, REPLY_FILE))
        except IntegrityError:
            return None

    def may_begin(self) -> None:
        """Nothing, while calls may be begun.

        Raises:
            DDSweepError: why none is begun any more.
        """
        if self.stopped is not None:
            raise self.stopped
        budget = self._config.budget_usd
        if budget is not None and self.spent.usd >= budget:
            raise QuotaExhausted(f"the budget of {budget:g} USD is spent; raise budget_usd and run again to go on")

    def _counted(self, name: str, completion: Completion, paid_now: bool) -> None:
        spent, teacher = self.spent, self._config.teachers[name]
        prices = teacher.usd_per_million if isinstance(teacher, Endpoint) else (0.0, 0.0)
        usd = (completion.n_prompt_tokens * prices[0] + completion.n_completion_tokens * prices[1]) / 1e6
        before = spent.tokens.get(name, (0, 0))
        spent.tokens[name] = (before[0] + completion.n_prompt_tokens, before[1] + completion.n_completion_tokens)
        spent.calls += 1
        spent.found += not paid_now
        spent.usd += usd
        spent.usd_now += usd if paid_now else 0.0
