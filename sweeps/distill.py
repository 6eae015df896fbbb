"""A distillation from a domain and its teachers to a folder of gated rows; run again, it asks for nothing twice.

Every reply is a block in the store, found by what was asked, of whom and with which seed. So a killed run loses the
calls in flight and nothing else, and two runs write the same bytes. Wires the pipeline of `dd_core.distill` to the
backends of `judges`; knows neither Ray nor a judge's rubric.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from dd_core.canonical import canonical
from dd_core.distill.card import documents
from dd_core.distill.delivery import calibration_pairs
from dd_core.distill.gate import Gated, gate
from dd_core.distill.pipeline import Found, Lost, SetAside, Taught, is_right, rows_of, teach
from dd_core.distill.rows import AnyRow, load_rows
from dd_core.distill.stages import REQUIRED
from dd_core.distill.teachers import Cost, Endpoint, Teachers, estimate, load_teachers
from dd_core.distill.verifier import ByClaims, ByModel, KnownPair, Verifier, validate
from dd_core.errors import CallFailed, DataRefused, DDSweepError, InputError, IntegrityError, QuotaExhausted
from dd_core.prompts import choose, load_domain
from dd_core.records import Completion, Message, Prompt
from judges.backends import Backend, open_backend
from judges.checklist import makes_claim
from judges.text import without_echo
from storage import open_store
from storage.blocks import Blocks, BlockSpec, Made

REPLY_FILE = "reply.json"

HOPELESS_CALLS = 4
"""Calls that failed, each after all its retries, while none succeeded: the endpoint is down, or is no such endpoint."""

Report = Callable[[int, int, str], None]
"""(done, all, what goes on)"""


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


@dataclass(frozen=True)
class Distilled:
    """What a distillation came to: the rows that passed the gate, where its files are, and what it took."""

    gated: Gated
    lost: list[SetAside]
    asked: int
    taught: int
    folder: Path
    spent: Spent


def distill(
    domain: str,
    teachers: str | Path,
    out: Path,
    store: str,
    n: int | None = None,
    report: Report = lambda done, total, what: None,
    spent: Spent | None = None,
) -> Distilled:
    """Asks the teachers about the training prompts of a domain and writes the rows that pass the gate.

    Args:
        teachers: a configuration file, or the name of one that ships with the project.
        out: folder for `sft.jsonl`, `dpo.jsonl`, `set-aside.jsonl`, `card.json` and `CARD.md`.
        store: where replies are kept.
        n: how many prompts; all of split train if left out.
        spent: is filled as calls are made, so that a caller can tell the cost of what was interrupted.

    Raises:
        InputError: the domain, the configuration or an endpoint's key is wrong.
        QuotaExhausted: credit or the configuration's budget is used up; running again goes on from there.
        DataRefused: the gate refused the rows, and the card and what was set aside are written; or the verifier cannot
            be believed, and nobody was asked.
    """
    config = teachers_of(teachers)
    prompts = _verifiable(domain)
    chosen = prompts["train"] if n is None else choose(domain, "train", n, config.seed)
    done = asyncio.run(_distill(config, domain, chosen, prompts, store, report, spent or Spent()))
    return _written(done, domain, config, out)


def estimated(config: Teachers, domain: str, n: int | None = None) -> list[Cost]:
    """What asking about `n` prompts of a domain would cost, by stage; all of split train if left out."""
    prompts = load_domain(domain)["train"] if n is None else choose(domain, "train", n, config.seed)
    return estimate(config, prompts)


def regate(domain: str, rows: Path, out: Path, report: Report = lambda done, total, what: None) -> Distilled:
    """Puts rows that were written by hand, or elsewhere, through the same gate.

    Args:
        rows: a folder with `sft.jsonl` and `dpo.jsonl`.

    Raises:
        InputError, DataRefused: as `distill`.
    """
    prompts = _verifiable(domain)
    samples, pairs = load_rows(rows, str(rows))
    everything: list[AnyRow] = [*samples, *pairs]
    by_id = {prompt.prompt_id: prompt for prompt in prompts["train"]}
    answers = [(by_id[s.prompt_id], s.answer) for s in samples if s.kind != "trace" and s.prompt_id in by_id]
    n_right = sum(is_right(prompt, found_claims(prompt, answer)) for prompt, answer in answers)

    def tick(done: int, total: int) -> None:
        report(done, total, "rows at the gate")

    gated = asyncio.run(
        gate(
            everything, prompts, found_claims, ByClaims(found_claims), known_pairs(domain), len(answers), n_right, tick
        )
    )
    return _written(Distilled(gated, [], len(answers), n_right, out, Spent()), domain, None, out)


def teachers_of(name: str | Path) -> Teachers:
    """The configuration in a file, or one of those that ship with the project (`mit-stack`, `local`).

    Raises:
        InputError: there is no such file, or it holds a mistake.
    """
    shipped = {path.name.removesuffix(".yaml"): path for path in (files("sweeps") / "teachers").iterdir()}
    if Path(name).is_file():
        return load_teachers(Path(name))
    if str(name) not in shipped:
        raise InputError(f"--teachers: there is no file {name}; shipped are {', '.join(sorted(shipped))}")
    return load_teachers(Path(str(shipped[str(name)])))


def found_claims(prompt: Prompt, answer: str) -> Sequence[bool]:
    """For each gold claim of `prompt` whether the checklist judge finds it in `answer`."""
    said = without_echo(prompt.prompt, answer)
    return [makes_claim(claim, said) for claim in prompt.claims]


def known_pairs(domain: str) -> list[KnownPair]:
    """The pairs of a domain whose better answer is known; [] where it has none.

    Raises:
        InputError: a line is no pair, or its prompt is not one of the domain's.
    """
    resource = files("judges") / "pairs" / f"{domain}.jsonl"
    if not resource.is_file():
        return []
    known = {prompt.prompt for split in load_domain(domain).values() for prompt in split}
    pairs, lines = [], []
    for number, line in enumerate(resource.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            pair = KnownPair.model_validate_json(line)
        except ValidationError as error:
            lines.append(f"judges/pairs/{domain}.jsonl:{number}: {error.errors()[0]['msg']}")
            continue
        if pair.prompt not in known:
            lines.append(f"judges/pairs/{domain}.jsonl:{number}: prompt: no prompt of {domain} reads {pair.prompt!r}")
        pairs.append(pair)
    if lines:
        raise InputError(lines)
    return pairs


def _verifiable(domain: str) -> dict[str, tuple[Prompt, ...]]:
    """The prompts of a domain whose answers can be verified here.

    Raises:
        InputError: the domain is unknown, or asks for programs.
    """
    prompts = load_domain(domain)
    if any(prompt.program is not None for prompt in prompts["train"]):
        raise InputError(
            f"{domain}: the answers are programs, and nothing here runs programs of a model in isolation yet; "
            "its embedded rows can be trained on"
        )
    return prompts


async def _distill(
    config: Teachers,
    domain: str,
    chosen: Sequence[Prompt],
    prompts: dict[str, tuple[Prompt, ...]],
    store: str,
    report: Report,
    spent: Spent,
) -> Distilled:
    async with contextlib.AsyncExitStack() as stack:
        served = {name: config.teachers[name] for name in dict.fromkeys(config.of(stage) for stage in _stages(config))}
        asker = _Asker(config, Blocks(open_store(store)), spent)
        for name, teacher in served.items():
            backend = open_backend(teacher, config.seed, asker.may_begin)
            asker.backends[name] = await stack.enter_async_context(backend)
        verifier = _verifier(config, asker, found_claims)
        known = known_pairs(domain)
        # Before a teacher is paid: rows that nobody can verify are of no use.
        validity = await validate(verifier, known, {p.prompt: p for split in prompts.values() for p in split})
        if not validity.valid:
            raise DataRefused([validity.sentence])
        taught, lost = await _teach_all(config, chosen, asker, report)
        rows: list[AnyRow] = []
        for one in taught:
            more, aside = rows_of(one, found_claims)
            rows += more
            lost += aside
        right = [one for one in taught if is_right(one.prompt, found_claims(one.prompt, one.final))]
        rows += calibration_pairs(right, found_claims, config.seed)

        def tick(done: int, total: int) -> None:
            report(done, total, "rows at the gate")

        gated = await gate(rows, prompts, found_claims, verifier, known, len(chosen), len(right), tick)
        return Distilled(gated, lost, len(chosen), len(right), Path(), spent)


async def _teach_all(
    config: Teachers, chosen: Sequence[Prompt], asker: _Asker, report: Report
) -> tuple[list[Taught], list[SetAside]]:
    """What was said of each prompt, and of those that came to nothing why; both in the order of `chosen`.

    After an error that concerns all calls none is begun, and those in flight are waited for: they are paid for.
    """
    n_done = 0

    async def one(prompt: Prompt) -> Taught | SetAside:
        nonlocal n_done
        try:
            result: Taught | SetAside = await teach(
                prompt, asker.ask, found_claims, config.attempts, "student" in config.stages
            )
        except Lost as lost:
            result = lost.why
        n_done += 1
        report(n_done, len(chosen), "prompts taught")
        return result

    results = await asyncio.gather(*map(one, chosen), return_exceptions=True)
    if asker.stopped is not None:
        raise asker.stopped
    for result in results:
        if isinstance(result, BaseException):
            raise result
    lost = [result for result in results if isinstance(result, SetAside)]
    return [result for result in results if isinstance(result, Taught)], lost


class _Asker:
    """Asks a stage's teacher, unless the store holds the reply.

    Attributes:
        backends: teacher's name → how it is reached.
        stopped: the error after which no call is begun any more.
    """

    def __init__(self, config: Teachers, blocks: Blocks, spent: Spent) -> None:
        self._config, self._blocks, self._spent = config, blocks, spent
        self.backends: dict[str, Backend] = {}
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
        if reply is not None:
            return self._counted(name, reply, paid_now=False)
        try:
            completion = await backend.complete(messages, seed)
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

    def _counted(self, name: str, completion: Completion, paid_now: bool) -> Completion:
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
        return completion


def _stages(config: Teachers) -> list[str]:
    extra = ["critique"] if "student" in config.stages else []
    return list(dict.fromkeys([*REQUIRED, *config.stages, *extra]))


def _verifier(config: Teachers, asker: _Asker, found: Found) -> Verifier:
    if "verifier" not in config.stages:
        return ByClaims(found)
    return ByModel(config.stages["verifier"], asker.ask)


def _written(done: Distilled, domain: str, config: Teachers | None, out: Path) -> Distilled:
    """Writes the files; rows of an earlier run that are refused now are taken away."""
    found = documents(domain, config, done.asked, done.taught, done.lost, done.gated)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("sft.jsonl", "dpo.jsonl"):
            (out / name).unlink(missing_ok=True)
        for name, data in found.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise InputError(f"{out}: cannot be written to: {error.strerror}") from None
    if done.gated.refused:
        raise DataRefused(done.gated.refused)
    return Distilled(done.gated, done.lost, done.asked, done.taught, out, done.spent)
