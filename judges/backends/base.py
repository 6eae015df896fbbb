"""What a chat backend is: something that answers a list of messages, once for each seed.

Knows no particular endpoint, no judge and no store. A backend answers or raises; it never makes an answer up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from dd_core.records import Completion, Message


class Backend(ABC):
    """Base of every backend. Used inside `async with`, in one event loop. An implementation promises:

    - **Named by content.** What can change a reply (model, endpoint, sampling, build of the weights) is in
      `identity`; what cannot (keys, concurrency, time-outs) is not. No secret is ever in it.
    - **Independent calls.** A reply depends on the messages and the seed, not on other calls in flight.
    - **Whole or not at all.** `complete` returns what came, unusable text included, or raises.

    Args:
        may_begin: is called right before a request is sent; what it raises ends the call, unsent.

    Attributes:
        retried: why calls were made again → how often, since the backend was opened.
    """

    def __init__(self, may_begin: Callable[[], None] = lambda: None) -> None:
        self._may_begin = may_begin
        self.retried: Counter[str] = Counter()

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that decides a reply but the messages and the seed, as plain JSON data; needs no open backend."""

    @abstractmethod
    async def complete(
        self, messages: Sequence[Message], seed: int, schema: dict[str, Any] | None = None
    ) -> Completion:
        """The reply to `messages`.

        Args:
            schema: of the JSON object that the reply should be. A backend that can hold a model to it does; whether
                the reply keeps it is for the caller to check.

        Raises:
            CallFailed: no reply could be had, though passing faults were waited for.
            QuotaExhausted: the endpoint asks for money or says that the quota is used up.
            InputError: the endpoint refuses the key, or does not know the model.
        """

    async def __aenter__(self) -> Backend:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes what was opened."""
        return None
