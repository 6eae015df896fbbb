"""One prompt through the four stages, and the rows that come of it.

Asking is handed in, as is what of an answer is right; retries, caches and the order in which replies come are not
known here. The rows of a prompt depend on its replies alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dd_core.distill.completions import Unusable, read_object, read_text
from dd_core.distill.rows import FLAWS, AnyRow, Pair, Sample, assistant, user
from dd_core.distill.stages import REVIEW_FIELDS, question, render
from dd_core.errors import CallFailed
from dd_core.records import Completion, Message, Prompt, Row

Ask = Callable[[str, Sequence[Message], int], Awaitable[Completion]]
"""(stage, messages, number of the attempt from 0) → the reply; raises `CallFailed` where none can be had."""

Found = Callable[[Prompt, str], Sequence[bool]]
"""(prompt, answer) → for each gold claim whether the answer makes it; of a program, whether each test passed."""

CORRECT_FROM = 0.5
"""Share of gold claims from which an answer counts as right, as everywhere in this project."""

_T = TypeVar("_T")


class SetAside(Row):
    """Something that is not in the data, and why.

    Args:
        prompt_id, prompt: what it was about.
        stage: where it was lost: a stage of the pipeline, or "gate".
        reason: one word or two, to be counted.
        detail: what was found.
    """

    prompt_id: str
    prompt: str
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Taught:
    """All that was said of one prompt.

    Args:
        attempt: the student's answer, or the draft where there is none.
        critique: what was wrong with a wrong attempt; None where the attempt was right, or nobody could say.
        lost: what was set aside on the way.
    """

    prompt: Prompt
    draft: str
    deliberate: str
    problems: tuple[str, ...]
    wrong_answer: str
    flaw: str
    final: str
    attempt: str
    critique: str | None
    origin: str
    lost: tuple[SetAside, ...] = ()


class Lost(Exception):
    """A prompt that came to nothing; `rows` are for `set-aside.jsonl`, the reason last."""

    def __init__(self, *rows: SetAside) -> None:
        self.rows = rows
        super().__init__(rows[-1].detail)


async def teach(
    prompt: Prompt,
    ask: Ask,
    found: Found,
    attempts: int,
    student: bool,
    on_fault: Callable[[str], None] = lambda fault: None,
) -> Taught:
    """Leads one prompt through the stages.

    Args:
        attempts: how often a stage is asked, with another seed each time, before a prompt is given up because its
            replies cannot be used.
        student: whether there is a teacher for the stage `student`.
        on_fault: is told the fault of every reply that could not be used.

    Raises:
        Lost: one of the four stages came to nothing.
        QuotaExhausted: whatever `ask` raises beyond `CallFailed` goes through.
    """
    asker = _Asker(prompt, ask, attempts, on_fault)
    try:
        return await _taught(asker, prompt, found, student)
    except Lost as lost:
        raise Lost(*asker.lost, *lost.rows) from None


async def _taught(asker: _Asker, prompt: Prompt, found: Found, student: bool) -> Taught:
    texts = {"question": question(prompt)}
    texts["draft"] = await asker.get("eager", texts, read_text)
    texts["deliberate"], review, tried = await together(
        asker.get("deliberate", texts, read_text),
        asker.get("adversarial", texts, _read_review),
        asker.get_or_none("student", texts, read_text) if student else _nobody(),
    )
    texts["adversarial"] = "\n".join(review["problems"])
    final = await asker.get("synthesizer", texts, read_text)
    attempt = tried if student else texts["draft"]
    critique = None
    if attempt is not None and not is_right(prompt, await asyncio.to_thread(found, prompt, attempt)):
        if not student:
            critique = " ".join(p for p in review["problems"] if p.strip(" .").casefold() != "none") or None
        else:
            critique = await asker.get_or_none("critique", {**texts, "attempt": attempt, "final": final}, read_text)
    return Taught(
        prompt=prompt,
        draft=texts["draft"],
        deliberate=texts["deliberate"],
        problems=tuple(review["problems"]),
        wrong_answer=review["wrong_answer"].strip(),
        flaw=review["flaw"],
        final=final,
        attempt=attempt if attempt is not None else texts["draft"],
        critique=critique,
        origin=", ".join(sorted(asker.models)),
        lost=tuple(asker.lost),
    )


def rows_of(taught: Taught, found: Found) -> tuple[list[AnyRow], list[SetAside]]:
    """The rows that one prompt gives: a gold completion or a boundary case, a failure trace, a counterexample.

    Nothing is made of a prompt whose final answer is wrong.
    """
    prompt, final = taught.prompt, taught.final
    claims = found(prompt, final)
    if not is_right(prompt, claims):
        missed = [claim.claim for claim, made in zip(prompt.claims, claims, strict=False) if not made]
        detail = f"{sum(claims)} of {len(claims)}; not found: {' '.join(missed)}"
        return [], [*taught.lost, set_aside(prompt, "synthesizer", "wrong", detail)]
    asked = (*prompt.history, user(prompt.prompt))
    common: dict[str, Any] = {"prompt_id": prompt.prompt_id, "origin": taught.origin}
    kind = "boundary" if is_boundary(prompt) else "gold"
    rows: list[AnyRow] = [Sample(kind=kind, messages=(*asked, assistant(final)), **common)]
    if taught.critique is not None:
        rows.append(Sample(kind="trace", messages=trace(prompt, taught.attempt, taught.critique, final), **common))
    rows.append(
        Pair(
            kind="counterexample",
            prompt=asked,
            chosen=(assistant(final),),
            rejected=(assistant(taught.wrong_answer),),
            flaw=taught.flaw,
            **common,
        )
    )
    return rows, list(taught.lost)


def trace(prompt: Prompt, attempt: str, critique: str, final: str) -> tuple[Message, ...]:
    """The turns of a failure trace: the attempt is shown by the user, so that only its correction is learned."""
    ask = "Is that right? If not, say what is wrong and correct it."
    shown = f"{question(prompt)}\n\nSomebody answered: {attempt}\n\n{ask}"
    return user(shown), assistant(f"{critique}\n\n{final}")


def is_right(prompt: Prompt, claims: Sequence[bool]) -> bool:
    """Whether an answer that makes these claims is right: half of them, of a boundary case the one that says so."""
    open_claims = [made for claim, made in zip(prompt.claims, claims, strict=False) if claim.open]
    return any(claims) and sum(claims) >= CORRECT_FROM * len(claims) and all(open_claims)


def is_boundary(prompt: Prompt) -> bool:
    """Whether the right answer defers or qualifies."""
    return prompt.certainty != "certain" or any(claim.open for claim in prompt.claims)


def set_aside(prompt: Prompt, stage: str, reason: str, detail: str) -> SetAside:
    """The row for something that is lost of `prompt`."""
    return SetAside(prompt_id=prompt.prompt_id, prompt=prompt.prompt, stage=stage, reason=reason, detail=detail)


class _Asker:
    """Asks for one prompt, again where a reply cannot be used, and remembers who answered and what was lost."""

    def __init__(self, prompt: Prompt, ask: Ask, attempts: int, on_fault: Callable[[str], None]) -> None:
        self._prompt, self._ask, self._attempts, self._on_fault = prompt, ask, attempts, on_fault
        self.models: set[str] = set()
        self.lost: list[SetAside] = []

    async def get(self, stage: str, texts: Mapping[str, str], read: Callable[[Completion], _T]) -> _T:
        messages = render(stage, texts)
        faults: list[Unusable] = []
        for attempt in range(self._attempts):
            try:
                completion = await self._ask(stage, messages, attempt)
                value = read(completion)
            except Unusable as fault:
                faults.append(fault)
                self._on_fault(fault.fault)
                continue
            except CallFailed as failure:
                raise Lost(set_aside(self._prompt, stage, "no reply", str(failure))) from None
            self.models.add(completion.model)
            return value
        last = faults[-1]
        detail = f"{len(faults)} replies: {', '.join(fault.fault for fault in faults)}; the last: {last}"
        raise Lost(set_aside(self._prompt, stage, last.fault, detail))

    async def get_or_none(self, stage: str, texts: Mapping[str, str], read: Callable[[Completion], _T]) -> _T | None:
        try:
            return await self.get(stage, texts, read)
        except Lost as lost:
            self.lost.extend(lost.rows)
            return None


async def _nobody() -> None:
    return None


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """The results of calls that run at the same time, once all have ended: what is in flight is paid for.

    Which of several failures is raised does not depend on time: the first in the order of `calls`.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _read_review(completion: Completion) -> dict[str, Any]:
    review = read_object(completion, REVIEW_FIELDS)
    if review["flaw"] not in FLAWS:
        raise Unusable("fields", f"flaw: {review['flaw'][:60]!r} is not on the list")
    if re.match(r"\W*(?:the )?wrong[ _]answer\b", review["wrong_answer"], re.IGNORECASE):
        raise Unusable("fields", "wrong_answer: says of itself that it is wrong")
    return review
