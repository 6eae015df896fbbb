"""A distillation from a domain and its teachers to a folder of gated rows; run again, it asks for nothing twice.

Every reply is a block in the store, found by what was asked, of whom and with which seed. So a killed run loses the
calls in flight and nothing else, and two runs write the same bytes. Wires the pipeline of `dd_core.distill` to the
backends of `judges`; knows neither Ray nor a judge's rubric.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dd_core.canonical import digest
from dd_core.distill.card import documents, teachers_entry, teachers_on_card
from dd_core.distill.delivery import calibration_pairs
from dd_core.distill.gate import Gated, gate
from dd_core.distill.pipeline import Lost, SetAside, Taught, is_right, rows_of, teach, together
from dd_core.distill.rows import DPO_FILE, SFT_FILE, AnyRow, load_rows, to_jsonl
from dd_core.distill.teachers import Cost, Teachers, estimate, load_teachers
from dd_core.distill.verifier import ByClaims, ByModel, Verifier, validate
from dd_core.errors import CallFailed, DataRefused, InputError
from dd_core.prompts import choose, load_domain
from dd_core.records import Completion, Message, Prompt
from judges.asking import Asker, Spent
from judges.backends.recorded import Recording
from judges.execution import unavailable
from judges.found import found_in
from judges.pairs import known_pairs
from storage import open_store
from storage.blocks import Blocks
from sweeps.classroom import Classroom
from sweeps.shell import is_there

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
    if record is not None:
        _record({}, record)
    chosen = prompts["train"] if n is None else choose(domain, "train", n, config.seed)
    done = asyncio.run(_distill(config, domain, chosen, prompts, out, store, report, spent or Spent(), record))
    return _written(done, domain, teachers_entry(config))


def estimated(config: Teachers, domain: str, n: int | None = None) -> list[Cost]:
    """What asking about `n` prompts of a domain would cost, by stage; all of split train if left out."""
    prompts = load_domain(domain)["train"] if n is None else choose(domain, "train", n, config.seed)
    return estimate(config, prompts, len(known_pairs(domain)))


def regate(domain: str, rows: Path, out: Path, report: Report = lambda done, total, what: None) -> Distilled:
    """Puts rows that were written by hand, or elsewhere, through the same gate.

    Args:
        rows: a folder with `sft.jsonl` and `dpo.jsonl`.

    Raises:
        InputError, DataRefused: as `distill`.
    """
    prompts = _verifiable(domain)
    if rows.resolve() == out.resolve():
        raise InputError(
            f"{out}: holds the rows that are to be gated, and what is dropped would be gone: name another -o"
        )
    samples, pairs = load_rows(rows, str(rows))
    everything: list[AnyRow] = [*samples, *pairs]
    by_id = {prompt.prompt_id: prompt for prompt in prompts["train"]}
    answers = [(by_id[s.prompt_id], s.answer) for s in samples if s.kind != "trace" and s.prompt_id in by_id]
    n_right = sum(is_right(prompt, found_in(prompt, answer)) for prompt, answer in answers)

    async def through() -> Gated:
        verifier = by_what_is_known(prompts["train"])
        validity = await validate(verifier, known_pairs(domain), prompts["train"])
        return await gate(
            everything, prompts, found_in, verifier, validity, len(answers), n_right,
            lambda done, total: report(done, total, "rows at the gate"),
        )  # fmt: skip

    done = Distilled(asyncio.run(through()), [], len(answers), n_right, out, Spent())
    return _written(done, domain, teachers_on_card(rows))


def teachers_of(name: str | Path) -> Teachers:
    """The configuration in a file, or one of those that ship with the project (`mit-stack`, `local`).

    Raises:
        InputError: there is no such file, or it holds a mistake.
    """
    shipped = {path.name.removesuffix(".yaml"): path for path in (files("sweeps") / "teachers").iterdir()}
    if is_there(str(name), Path.is_file):
        return load_teachers(Path(name))
    if str(name) not in shipped:
        raise InputError(f"--teachers: there is no file {str(name)[:200]}; shipped are {', '.join(sorted(shipped))}")
    return load_teachers(Path(str(shipped[str(name)])))


def _verifiable(domain: str) -> dict[str, tuple[Prompt, ...]]:
    """The prompts of a domain whose answers can be verified here.

    Raises:
        InputError: the domain is unknown, or asks for programs, which cannot be isolated here.
    """
    prompts = load_domain(domain)
    why = unavailable() if prompts["train"][0].program is not None else None
    if why is not None:
        raise InputError(f"{domain}: the answers are programs. {why}")
    return prompts


def by_what_is_known(prompts: Sequence[Prompt]) -> ByClaims:
    """The deterministic verifier of a domain's prompts."""
    return ByClaims(found_in, "gold claims" if prompts[0].program is None else "the tests of each problem")


async def _distill(
    config: Teachers,
    domain: str,
    chosen: Sequence[Prompt],
    prompts: dict[str, tuple[Prompt, ...]],
    out: Path,
    store: str,
    report: Report,
    spent: Spent,
    record: Path | None,
) -> Distilled:
    asked = {name: config.teachers[name] for name in dict.fromkeys(map(config.of, config.all_stages))}
    async with Asker(asked, Blocks(open_store(store)), spent, config.budget_usd, config.seed) as asker:
        classroom = Classroom(config, asker)
        verifier = _verifier(config, classroom, prompts["train"])
        # Before a teacher is paid: rows that nobody can verify are of no use.
        validity = await validate(verifier, known_pairs(domain), prompts["train"])
        if not validity.valid:
            raise DataRefused([validity.sentence])
        if config.budget_usd is not None:  # what earlier runs spent counts before anything is begun
            asker.looking = True
            await _teach_all(config, chosen, asker, classroom, lambda done, total, what: None)
            asker.looking = False
        taught, lost = await _teach_all(config, chosen, asker, classroom, report)
        rows: list[AnyRow] = []
        for one in taught:
            more, aside = rows_of(one, found_in)
            rows += more
            lost += aside
        right = [one for one in taught if is_right(one.prompt, found_in(one.prompt, one.final))]
        rows += calibration_pairs(right, found_in, config.seed)
        gated = await gate(
            rows, prompts, found_in, verifier, validity, len(chosen), len(right),
            lambda done, total: report(done, total, "rows at the gate"),
        )  # fmt: skip
        if asker.stopped is not None:
            raise asker.stopped
        if record is not None:
            _record(classroom.replies, record)
        return Distilled(gated, lost, len(chosen), len(right), out, spent)


async def _teach_all(
    config: Teachers, chosen: Sequence[Prompt], asker: Asker, classroom: Classroom, report: Report
) -> tuple[list[Taught], list[SetAside]]:
    """What was said of each prompt, and of those that came to nothing why; both in the order of `chosen`.

    After an error that concerns all calls none is begun, and those in flight are waited for: they are paid for.
    """
    n_done = 0
    unusable: Counter[str] = Counter()

    def on_fault(fault: str) -> None:
        unusable[fault] += 1

    async def one(prompt: Prompt) -> Taught | tuple[SetAside, ...]:
        nonlocal n_done
        try:
            result: Taught | tuple[SetAside, ...] = await teach(
                prompt, classroom.ask, found_in, config.attempts, "student" in config.stages, on_fault
            )
        except Lost as lost:
            result = lost.rows
        n_done += 1
        report(n_done, len(chosen), "prompts taught")
        return result

    try:
        results = await together(*map(one, chosen))
    finally:
        asker.settle(unusable)
        if asker.stopped is not None:
            raise asker.stopped
    lost = [row for result in results if not isinstance(result, Taught) for row in result]
    if not asker.looking and len(lost) >= len(chosen) and all(row.reason == "no reply" for row in lost):
        raise CallFailed(f"no prompt came through, since calls had no reply: {lost[0].stage}: {lost[0].detail}")
    return [result for result in results if isinstance(result, Taught)], lost


def _record(replies_to: Mapping[tuple[Message, ...], Mapping[int, Completion]], file: Path) -> None:
    """Writes what was asked and answered, sorted, so that the same replies give the same bytes."""
    recordings = [
        Recording(messages=messages, completions=tuple(replies[attempt] for attempt in sorted(replies)))
        for messages, replies in replies_to.items()
        if replies
    ]
    recordings.sort(key=lambda one: digest(one.messages))
    try:
        file.write_bytes(to_jsonl(recordings))
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}") from None


def _verifier(config: Teachers, classroom: Classroom, prompts: Sequence[Prompt]) -> Verifier:
    if "verifier" not in config.stages:
        return by_what_is_known(prompts)
    return ByModel(config.stages["verifier"], classroom.ask, config.attempts)


def _written(done: Distilled, domain: str, teachers: dict[str, Any]) -> Distilled:
    """Writes the files; rows of an earlier run that are refused now are taken away."""
    found = documents(domain, teachers, done.asked, done.taught, done.lost, done.gated)
    try:
        done.folder.mkdir(parents=True, exist_ok=True)
        for name in (SFT_FILE, DPO_FILE):
            (done.folder / name).unlink(missing_ok=True)
        for name, data in found.items():
            (done.folder / name).write_bytes(data)
    except OSError as error:
        raise InputError(f"{done.folder}: cannot be written to: {error.strerror}") from None
    if done.gated.refused:
        raise DataRefused(done.gated.refused)
    return done
