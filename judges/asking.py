"""Asking chat models through the store: a reply that is there is taken, one that is not is paid for once and kept.

Knows no stage and no judge; how a model is reached is its backend's affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dd_core.canonical import canonical
from dd_core.chat_models import ChatModel, usd
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
from judges.backends import Backend, open_backend
from judges.base import ALONE
from storage.blocks import Blocks, BlockSpec, Made

REPLY_FILE = "reply.json"

HOPELESS_CALLS = 3
"""Calls since the last reply that nobody answered, each after all its retries: the endpoint is down."""

LEFT_ALONE_S = 30.0
"""How long an endpoint that is down is left alone where the work goes on without it; then one call tries again."""


@dataclass
class Spent:
    """What calls took, those of earlier runs included.

    Args:
        calls, found: replies in all, and of these the ones that an earlier run had paid for.
        tokens: of prompts and replies, by the model's name.
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
    """Asks a model, unless the store holds the reply. Used inside `async with`, which opens the backends.

    Args:
        models: name → the model that is asked under it.
        blocks: where replies are kept; without it each is asked for anew.
        spent: is filled as calls are made.
        budget_usd: no call is begun once so much was spent; no bound if left out.
        first_seed: the seed of the first completion of a recorded model.
        without: whether the work goes on without an endpoint that is down, each of its calls a failure, and the budget
            is that of this run alone; else nothing is begun any more, and what earlier runs paid counts.

    Attributes:
        stopped: the error after which no call is begun any more.
        looking: while true nothing is asked for that the store does not hold.
    """

    def __init__(
        self,
        models: Mapping[str, ChatModel],
        blocks: Blocks | None = None,
        spent: Spent | None = None,
        budget_usd: float | None = None,
        first_seed: int = 0,
        without: bool = False,
    ) -> None:
        self._models, self._blocks, self._budget_usd = dict(models), blocks, budget_usd
        self._first_seed, self._without = first_seed, without
        self.spent = Spent() if spent is None else spent
        self.backends: dict[str, Backend] = {}
        self._identities: dict[str, dict[str, Any]] = {}
        self.stopped: DDSweepError | None = None
        self.looking = False
        self._down: Counter[str] = Counter()
        self._counted_keys: set[str] = set()
        self._left_alone: dict[str, tuple[float, EndpointDown]] = {}
        self._asked: dict[str, asyncio.Task[Completion]] = {}
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Asker:
        async with contextlib.AsyncExitStack() as stack:
            for name, settings in self._models.items():
                backend = open_backend(settings, self._first_seed, self.may_begin)
                self.backends[name] = await stack.enter_async_context(backend)
                self._identities[name] = backend.identity
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    async def ask(
        self, name: str, messages: Sequence[Message], seed: int, schema: dict[str, Any] | None = None, **meta: str
    ) -> Completion:
        """The reply of a model; the same thing asked twice at one time is asked once.

        Args:
            schema: of the JSON object that the reply should be; None for prose.
            meta: small facts that are noted beside a reply that is kept.

        Raises:
            CallFailed, QuotaExhausted, InputError: as `Backend.complete`; QuotaExhausted also when the budget is spent.
            StoreError: the reply cannot be kept.
        """
        inputs = {
            "model": self._identities[name],
            "messages": [m.model_dump() for m in messages],
            "seed": seed,
            **({"schema": schema} if schema is not None else {}),
        }
        spec = BlockSpec("chat", inputs)
        task = self._asked.get(spec.key)
        if task is None:
            reply = self._reply(name, spec, messages, seed, schema, {"model": name, **meta})
            task = self._asked[spec.key] = asyncio.create_task(reply)
            task.add_done_callback(lambda _: self._asked.pop(spec.key, None))
        return await asyncio.shield(task)

    async def _reply(
        self,
        name: str,
        spec: BlockSpec,
        messages: Sequence[Message],
        seed: int,
        schema: dict[str, Any] | None,
        meta: dict[str, str],
    ) -> Completion:
        reply = await asyncio.to_thread(self._stored, spec) if self._blocks is not None else None
        if reply is not None:
            if spec.key not in self._counted_keys:
                self._counted(name, reply, paid_now=False)
            self._counted_keys.add(spec.key)
            return reply
        if self.looking:
            raise CallFailed("the store holds no reply")
        until, why = self._left_alone.get(name, (0.0, None))
        if why is not None and time.monotonic() < until:
            raise CallFailed(f"{ALONE}: {why}")
        try:
            reply = await self.backends[name].complete(messages, seed, schema)
        except (QuotaExhausted, InputError) as error:
            self._stop(error)
            raise
        except EndpointDown as failure:
            self._is_down(name, failure)
            raise
        self._down[name] = 0
        self._left_alone.pop(name, None)
        self._counted_keys.add(spec.key)
        self._counted(name, reply, paid_now=True)  # before it is stored: the next call looks at what is spent
        if self._blocks is None:
            return reply
        made = Made({REPLY_FILE: json.dumps(canonical(reply)).encode()}, meta)
        return await asyncio.to_thread(self._kept, self._blocks, spec, made)

    def _is_down(self, name: str, failure: EndpointDown) -> None:
        self._down[name] += 1
        if self._down[name] < HOPELESS_CALLS:
            return
        if self._without:
            self._left_alone[name] = (time.monotonic() + LEFT_ALONE_S, failure)
        else:
            self._stop(InputError(f"{name}: nobody answers; {failure}"))

    def _stop(self, error: DDSweepError) -> None:
        self.stopped = self.stopped or error

    def _kept(self, blocks: Blocks, spec: BlockSpec, made: Made) -> Completion:
        """The reply as the store holds it: another run may have been first, and then its reply is the one.

        Raises:
            StoreError: it cannot be kept.
        """
        try:
            block = blocks.get_or_make(spec, lambda: made)
            return Completion.model_validate_json(blocks.read(block, REPLY_FILE))
        except Exception as error:  # whatever a store raises: to go on would be to pay for what is not kept
            line = blocks.store.explain(error) or f"{type(error).__name__}: {error}"
            failure = StoreError(f"{blocks.store.uri}: a reply cannot be kept: {line}")
            self._stop(failure)
            raise failure from error

    def settle(self, unusable: Counter[str] | None = None) -> None:
        """Notes in `spent` what was asked again, and what could not be used where the caller knows."""
        self.spent.retried = sum((backend.retried for backend in self.backends.values()), Counter())
        self.spent.unusable = unusable if unusable is not None else self.spent.unusable

    def _stored(self, spec: BlockSpec) -> Completion | None:
        """The reply in the store; None if there is none, or a damaged one, which is then asked for again."""
        assert self._blocks is not None
        try:
            block = self._blocks.get(spec)
            if block is None:
                return None
            reply = Completion.model_validate_json(self._blocks.read(block, REPLY_FILE))
        except IntegrityError:
            return None
        self._blocks.taken(block)
        return reply

    def may_begin(self) -> None:
        """Nothing, while calls may be begun.

        Raises:
            DDSweepError: why none is begun any more.
        """
        if self.stopped is not None:
            raise self.stopped
        budget = self._budget_usd
        if budget is not None and (self.spent.usd_now if self._without else self.spent.usd) >= budget:
            how = "run again to go on" if self._without else "raise budget_usd and run again to go on"
            raise QuotaExhausted(f"the budget of {budget:g} USD is spent; {how}")

    def _counted(self, name: str, completion: Completion, paid_now: bool) -> None:
        spent = self.spent
        price = usd(self._models[name], completion.n_prompt_tokens, completion.n_completion_tokens)
        before = spent.tokens.get(name, (0, 0))
        spent.tokens[name] = (before[0] + completion.n_prompt_tokens, before[1] + completion.n_completion_tokens)
        spent.calls += 1
        spent.found += not paid_now
        spent.usd += price
        spent.usd_now += price if paid_now else 0.0
