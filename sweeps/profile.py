"""A subject's profile as one call: answers generated, judged, and counted, all through blocks.

Generates and judges in this process, one subject after the other; what is in the store is not done again. Knows no
study and shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dd_core.errors import InputError, unknown
from dd_core.judging import JudgeSpec
from dd_core.profile import Answer, Profile, SubjectProfile, describe
from dd_core.prompts import choose, load_domain
from dd_core.records import SPLITS, Prompt
from dd_core.subjects.registry import Decoding, get_subject, missing

if TYPE_CHECKING:
    from dd_core.subjects.engine import Request
    from sweeps.workshop import Workshop

MAX_NEW_TOKENS = 96
DEVICES = ("cpu", "cuda")

Progress = Callable[[int, int, str], None]
"""(answers that are there, all, what goes on now)"""


@dataclass(frozen=True)
class Asked:
    """What is to be profiled, checked: nothing of it can be refused later for a mistake of the user's.

    Args:
        decodings: subject → how it writes, in the order in which they are shown.
        seed: chooses the prompts.
        threads, device: of the engine; both enter a block's key.
    """

    decodings: dict[str, Decoding]
    domain: str
    split: str
    prompts: tuple[Prompt, ...]
    samples: int
    max_new_tokens: int
    seed: int
    threads: int
    device: str

    @property
    def answers(self) -> int:
        return len(self.decodings) * self.samples * len(self.prompts)

    @property
    def judges(self) -> tuple[str, str]:
        """Who says what is right, and who says what is asserted."""
        return ("execution" if any(p.program is not None for p in self.prompts) else "checklist"), "delivery"


def asked(
    subjects: Sequence[str],
    domain: str,
    *,
    split: str = "eval",
    n: int | None = None,
    samples: int = 1,
    temperature: float | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
    threads: int = 2,
    device: str = "cpu",
) -> Asked:
    """What `profile` is to do. Loads no model and writes nothing.

    Raises:
        InputError: as `profile`, a line for each finding.
    """
    names = tuple(dict.fromkeys(subjects))
    lines: list[str] = [] if names else ["name a subject; ddsweep subjects list shows them"]
    for name in names:
        lines += _finding(name)
    prompts: tuple[Prompt, ...] = ()
    try:
        held = load_domain(domain)
        if split not in held:
            raise InputError(f"--split: {unknown('split', split, SPLITS)}")
        prompts = choose(domain, split, len(held[split]) if n is None else n, seed)
    except InputError as error:
        lines += error.lines
    if samples < 1:
        lines.append(f"--samples: {samples} answers to a prompt cannot be asked for; 1 is the least")
    if device not in DEVICES:
        lines.append(f"--device: {unknown('device', device, DEVICES)}")
    if threads < 1:
        lines.append(f"--threads: {threads} is too few; 1 is the least")
    decodings: dict[str, Decoding] = {}
    if not lines:
        decodings, lines = _decodings(names, samples, temperature, max_new_tokens)
    if lines:
        raise InputError(lines)
    found = Asked(decodings, domain, split, prompts, samples, max_new_tokens, seed, threads, device)
    if "execution" in found.judges:
        from judges.execution import unavailable

        if (why := unavailable()) is not None:
            raise InputError(why)
    return found


def _finding(name: str) -> list[str]:
    """Why a subject cannot be loaded here; [] if it can."""
    try:
        why = missing(get_subject(name))
    except InputError as error:
        return error.lines
    return [why] if why is not None else []


def _decodings(
    names: Sequence[str], samples: int, temperature: float | None, max_new_tokens: int
) -> tuple[dict[str, Decoding], list[str]]:
    """How each subject writes, and what is wrong with that."""
    changed: dict[str, Any] = {"max_new_tokens": max_new_tokens}
    if temperature is not None:
        changed["temperature"] = temperature
    found, lines = {}, []
    for name in names:
        try:
            found[name] = Decoding.model_validate({**get_subject(name).decoding.model_dump(), **changed})
        except ValidationError as error:
            return {}, [f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']}, not {e['input']}" for e in error.errors()]
        if samples > 1 and found[name].temperature == 0:
            lines.append(
                f"--samples {samples}: {name} writes the same answer each time at temperature 0; "
                "give --temperature above 0, such as 0.7"
            )
    return found, lines


def profile(
    subjects: Sequence[str],
    domain: str,
    *,
    split: str = "eval",
    n: int | None = None,
    samples: int = 1,
    temperature: float | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
    threads: int = 2,
    device: str = "cpu",
    store: str = "ddsweep-store",
    report: Progress | None = None,
) -> Profile:
    """Each subject's 2x2 of correct or wrong by assertive or hedged on the prompts of a domain, and its rates.

    Args:
        subjects: names of the registry; one that stands twice is one.
        split, n, seed: which prompts; all of the split if `n` is left out, else `n` of them by `seed`.
        samples: answers to each prompt, at decoding seeds 0 to samples - 1.
        temperature: each subject's own if left out.
        max_new_tokens: the budget of an answer. What it cuts is counted.
        threads, device: of the engine.
        store: where answers and judgements are kept, and found.
        report: is told how far it is.

    Raises:
        InputError: a subject is unknown or cannot be loaded here, there are no such prompts, several samples are asked
            for at temperature 0, a prompt does not fit into a subject's context, or programs cannot be isolated here.
        StoreError: the store cannot be used.
    """
    wanted = asked(
        subjects, domain, split=split, n=n, samples=samples, temperature=temperature, max_new_tokens=max_new_tokens,
        seed=seed, threads=threads, device=device,
    )  # fmt: skip
    return made(wanted, store, report)


def made(wanted: Asked, store: str, report: Progress | None = None) -> Profile:
    """As `profile`, of what was checked."""
    from judges import make_judge
    from storage import open_store
    from storage.blocks import Blocks
    from sweeps.workshop import Workshop

    judges = {name: make_judge(name) for name in wanted.judges}
    progress = _Progress(wanted, report or (lambda done, total, now: None))
    blocks = Blocks(open_store(store))
    workshop = Workshop(
        blocks,
        threads=wanted.threads,
        device=wanted.device,
        judges=[JudgeSpec(judge=name) for name in judges],
        score=lambda label, rows: judges[label].score(rows),
        report=progress.event,
    )
    right_axis = "passed" if "execution" in judges else "correct"
    found = [_subject(name, wanted, workshop, right_axis, progress) for name in wanted.decodings]
    return Profile(
        domain=wanted.domain,
        split=wanted.split,
        prompts=len(wanted.prompts),
        samples=wanted.samples,
        seed=wanted.seed,
        max_new_tokens=wanted.max_new_tokens,
        judges=dict(zip((right_axis, "assert"), (judge.fingerprint for judge in judges.values()), strict=True)),
        subjects=tuple(found),
        found=progress.found,
    )


class _Progress:
    """Counts answers for whoever watches, within a block by its tokens, and those that were in the store."""

    def __init__(self, wanted: Asked, report: Progress) -> None:
        self._total, self._budget, self._report = wanted.answers, wanted.max_new_tokens, report
        self._done = self._tokens = self._block = 0
        self._now = "answers"
        self._told: tuple[int, str] | None = None
        self.found = 0

    def event(self, event: dict[str, Any]) -> None:
        """What a workshop reports."""
        if event["kind"] == "note":
            self.say(event["text"])
        elif event["kind"] == "tokens":
            self._tokens += event["n"]
            within = min(self._block - 1, self._tokens // self._budget)
            self._tell(self._done + within, self._now)

    def say(self, text: str) -> None:
        """What goes on before the next answer."""
        self._tell(self._done, text)

    def begin(self, subject: str, n: int) -> None:
        """A block of `n` answers of `subject` comes next."""
        self._now, self._block, self._tokens = f"answers of {subject}", n, 0

    def end(self, *, found: bool) -> None:
        """That block is there, made or found."""
        self._done += self._block
        self.found += self._block if found else 0
        self._tell(self._done, self._now)

    def _tell(self, done: int, now: str) -> None:
        if (done, now) != self._told:
            self._told = done, now
            self._report(done, self._total, now)


def _subject(name: str, wanted: Asked, workshop: Workshop, right_axis: str, progress: _Progress) -> SubjectProfile:
    from dd_core.subjects.loading import prepare

    prepare(name, report=progress.say)
    prompts = {prompt.prompt_id: prompt for prompt in wanted.prompts}
    answers: list[Answer] = []
    keys: list[str] = []
    for requests in _blocks_of(wanted):
        progress.begin(name, len(requests))
        before = workshop.blocks.reused
        block, rows = workshop.generate(name, requests, wanted.decodings[name])
        progress.end(found=workshop.blocks.reused > before)
        said: dict[tuple[str, str], dict[str, Any]] = {}
        for label in wanted.judges:
            _, judgements = workshop.judge(label, rows, wanted.prompts)
            said |= {(one["response_id"], one["axis"]): one for one in judgements}
        keys.append(block.key)
        for row in rows:
            both = {axis: said[row["row_id"], axis] for axis in (right_axis, "assert")}
            answers.append(_answer(row, prompts[row["prompt_id"]], both, right_axis))
    return describe(name, wanted.decodings[name], answers, {**workshop.identity(name), "blocks": keys})


def _blocks_of(wanted: Asked) -> Iterator[list[Request]]:
    """The requests of each block: of one decoding seed each, so that more samples or prompts find the earlier ones."""
    from dd_core.subjects.engine import Request
    from dd_core.subjects.formats import BLOCK_ROWS

    for seed in range(wanted.samples):
        for start in range(0, len(wanted.prompts), BLOCK_ROWS):
            part = wanted.prompts[start : start + BLOCK_ROWS]
            yield [Request(p.prompt_id, p.prompt, seed, history=p.history) for p in part]


def _answer(row: dict[str, Any], prompt: Prompt, said: dict[str, dict[str, Any]], right_axis: str) -> Answer:
    scores = {axis: None if one["score"] is None else one["score"] >= 0.5 for axis, one in said.items()}
    return Answer(
        row_id=row["row_id"],
        prompt_id=prompt.prompt_id,
        prompt=prompt.prompt,
        category=prompt.category,
        certainty=prompt.certainty,
        seed=row["seed"],
        response=row["response"],
        cut=row["finish_reason"] == "length",
        correct=scores[right_axis],
        asserts=scores["assert"],
        errors=tuple((axis, one["error"]) for axis, one in said.items() if one["score"] is None),
    )
