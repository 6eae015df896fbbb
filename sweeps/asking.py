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
from dd_core.errors import CallFailed, DDSweepError, InputError, IntegrityError, QuotaExhausted
from dd_core.records import Completion, Message
from judges.backends import Backend
from storage.blocks import Blocks, BlockSpec, Made

REPLY_FILE = "reply.json"

HOPELESS_CALLS = 4
"""Calls that failed, each after all its retries, while none succeeded: the endpoint is down, or is no such endpoint."""


@dataclass
class Spent:
    """What the calls of a distillation took, those of earlier runs included.

    Args:
        calls, found: replies in all, and of these the ones that an earlier run had paid for.
        tokens: of prompts and replies, by teacher.
        usd, usd_now: in all, and in this run.
        retried: why calls were made again in this run → how often.
    """

    calls: int = 0
    found: int = 0
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    usd: float = 0.0
    usd_now: float = 0.0
    retried: Counter[str] = field(default_factory=Counter)


class Asker:
    """Asks a stage's teacher, unless the store holds the reply.

    Attributes:
        backends: teacher's name → how it is reached.
        replies: what was asked and answered, by the words of the messages and the attempt.
        stopped: the error after which no call is begun any more.
    """

    def __init__(self, config: Teachers, blocks: Blocks, spent: Spent) -> None:
        self._config, self._blocks, self._spent = config, blocks, spent
        self.backends: dict[str, Backend] = {}
        self.replies: dict[tuple[Message, ...], dict[int, Completion]] = {}
        self.stopped: DDSweepError | None = None
        self._failed: Counter[str] = Counter()

    async def ask(self, stage: str, messages: Sequence[Message], attempt: int) -> Completion:
        """The reply of the stage's teacher to an attempt, counted from 0.

        Raises:
            CallFailed, QuotaExhausted, InputError: as `Backend.complete`; QuotaExhausted also when the budget is spent.
        """
        name = self._config.of(stage)
        backend = self.backends[name]
        seed = self._config.seed + attempt
        inputs = {"teacher": backend.identity, "messages": [m.model_dump() for m in messages], "seed": seed}
        spec = BlockSpec("chat", inputs)
        reply = await asyncio.to_thread(self._stored, spec)
        if reply is None:
            reply = await self._paid(name, stage, spec, messages, seed)
        else:
            self._counted(name, reply, paid_now=False)
        self.replies.setdefault(tuple(messages), {})[attempt] = reply
        return reply

    async def _paid(self, name: str, stage: str, spec: BlockSpec, messages: Sequence[Message], seed: int) -> Completion:
        """The reply of a teacher that is asked now; it is counted and kept."""
        try:
            completion = await self.backends[name].complete(messages, seed)
        except (QuotaExhausted, InputError) as error:
            self.stopped = self.stopped or error
            raise
        except CallFailed as failure:
            self._failed[name] += 1
            if name not in self._spent.tokens and self._failed[name] >= HOPELESS_CALLS:
                self.stopped = self.stopped or InputError(f"teachers.{name}: no call has had a reply; {failure}")
            raise
        made = Made({REPLY_FILE: json.dumps(canonical(completion)).encode()}, {"teacher": name, "stage": stage})
        self._counted(name, completion, paid_now=True)  # before it is stored: the next call looks at what is spent
        await asyncio.to_thread(self._blocks.get_or_make, spec, lambda: made)
        return completion

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
        if budget is not None and self._spent.usd >= budget:
            raise QuotaExhausted(f"the budget of {budget:g} USD is spent; raise budget_usd and run again to go on")

    def _counted(self, name: str, completion: Completion, paid_now: bool) -> None:
        spent, teacher = self._spent, self._config.teachers[name]
        prices = teacher.usd_per_million if isinstance(teacher, Endpoint) else (0.0, 0.0)
        usd = (completion.n_prompt_tokens * prices[0] + completion.n_completion_tokens * prices[1]) / 1e6
        before = spent.tokens.get(name, (0, 0))
        spent.tokens[name] = (before[0] + completion.n_prompt_tokens, before[1] + completion.n_completion_tokens)
        spent.calls += 1
        spent.found += not paid_now
        spent.usd += usd
        spent.usd_now += usd if paid_now else 0.0
        spent.retried = sum((backend.retried for backend in self.backends.values()), Counter())
