"""A distillation from a domain and its teachers to a folder of gated rows; run again, it asks for nothing twice.

Every reply is a block in the store, found by what was asked, of whom and with which seed. So a killed run loses the
calls in flight and nothing else, and two runs write the same bytes. Wires the pipeline of `dd_core.distill` to the
backends of `judges`; knows neither Ray nor a judge's rubric.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from dd_core.canonical import digest
from dd_core.distill.card import documents
from dd_core.distill.delivery import calibration_pairs
from dd_core.distill.gate import Gated, gate
from dd_core.distill.pipeline import Found, Lost, SetAside, Taught, is_right, rows_of, teach
from dd_core.distill.rows import AnyRow, load_rows, to_jsonl
from dd_core.distill.stages import REQUIRED
from dd_core.distill.teachers import Cost, Teachers, estimate, load_teachers
from dd_core.distill.verifier import ByClaims, ByModel, Verifier, validate
from dd_core.errors import DataRefused, InputError
from dd_core.prompts import choose, load_domain
from dd_core.records import Prompt
from judges.backends import open_backend
from judges.backends.recorded import Recording
from judges.checklist import found_claims
from judges.pairs import known_pairs
from storage import open_store
from storage.blocks import Blocks
from sweeps.asking import Asker, Spent

Report = Callable[[int, int, str], None]
"""(done, all, what goes on)"""


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
    record: Path | None = None,
) -> Distilled:
    """Asks the teachers about the training prompts of a domain and writes the rows that pass the gate.

    Args:
        teachers: a configuration file, or the name of one that ships with the project.
        out: folder for `sft.jsonl`, `dpo.jsonl`, `set-aside.jsonl`, `card.json` and `CARD.md`.
        store: where replies are kept.
        n: how many prompts; all of split train if left out.
        spent: is filled as calls are made, so that a caller can tell the cost of what was interrupted.
        record: a file for every reply, usable or not; a teacher with `backend: recorded` plays it back.

    Raises:
        InputError: the domain, the configuration or an endpoint's key is wrong.
        QuotaExhausted: credit or the configuration's budget is used up; running again goes on from there.
        DataRefused: the gate refused the rows, and the card and what was set aside are written; or the verifier cannot
            be believed, and nobody was asked.
    """
    config = teachers_of(teachers)
    prompts = _verifiable(domain)
    chosen = prompts["train"] if n is None else choose(domain, "train", n, config.seed)
    done = asyncio.run(_distill(config, domain, chosen, prompts, store, report, spent or Spent(), record))
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
    record: Path | None,
) -> Distilled:
    async with contextlib.AsyncExitStack() as stack:
        served = {name: config.teachers[name] for name in dict.fromkeys(config.of(stage) for stage in _stages(config))}
        asker = Asker(config, Blocks(open_store(store)), spent)
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
        if record is not None:
            _record(asker, record)
        return Distilled(gated, lost, len(chosen), len(right), Path(), spent)


async def _teach_all(
    config: Teachers, chosen: Sequence[Prompt], asker: Asker, report: Report
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


def _record(asker: Asker, file: Path) -> None:
    """Writes what was asked and answered, sorted, so that the same replies give the same bytes."""
    recordings = [
        Recording(messages=messages, completions=tuple(replies[attempt] for attempt in sorted(replies)))
        for messages, replies in asker.replies.items()
    ]
    recordings.sort(key=lambda one: digest(one.messages))
    try:
        file.write_bytes(to_jsonl(recordings))
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}") from None


def _stages(config: Teachers) -> list[str]:
    extra = ["critique"] if "student" in config.stages else []
    return list(dict.fromkeys([*REQUIRED, *config.stages, *extra]))


def _verifier(config: Teachers, asker: Asker, found: Found) -> Verifier:
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
