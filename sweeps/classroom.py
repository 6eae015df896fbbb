"""Asking the teachers of a distillation: a stage's teacher under its name, and all that was said kept in mind.

Whether a reply is in the store, what it costs and when to stop is `judges.asking.Asker`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from dd_core.distill.teachers import Teachers
from dd_core.records import Completion, Message
from judges.asking import Asker


class Classroom:
    """Asks a stage's teacher.

    Attributes:
        replies: what was asked and answered, by the words of the messages and the attempt.
    """

    def __init__(self, config: Teachers, asker: Asker) -> None:
        self._config, self._asker = config, asker
        self.replies: dict[tuple[Message, ...], dict[int, Completion]] = {}

    async def ask(self, stage: str, messages: Sequence[Message], attempt: int) -> Completion:
        """The reply of the stage's teacher to an attempt, counted from 0.

        Raises:
            CallFailed, QuotaExhausted, InputError, StoreError: as `Asker.ask`.
        """
        known = self.replies.setdefault(tuple(messages), {})
        if attempt not in known:
            seed = self._config.seed + attempt
            known[attempt] = await self._asker.ask(self._config.of(stage), messages, seed, stage=stage)
        return known[attempt]
