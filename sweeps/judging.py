"""Judging outside of a study: judges by name, rows by blocks, and what a judge is worth.

Everything goes through blocks, so that to resume is to run again. Knows no terminal and no file of rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dd_core.errors import InputError, unknown
from dd_core.judging import AnyJudge, JudgeSpec, twice, with_twins
from dd_core.prompts import load_domain
from dd_core.yaml_files import error_lines, read_yaml
from judges import DETERMINISTIC, JUDGES, Judge, make_judge
from judges.agreement import agreement
from judges.asking import Spent
from judges.base import JudgeRow
from judges.blocks import JudgeId, judged
from judges.known import written
from judges.model_judge import Loops, ModelJudge
from judges.self_preference import self_preference
from judges.validity import validity_reports
from storage import open_store
from storage.blocks import Blocks
from sweeps.shell import is_there

Report = Callable[[int, int, str], None]
"""(done, all, what goes on)"""

ROWS_AT_ONCE, ASKED_AT_ONCE = 256, 64
"""Rows of a block: of a judge that computes, and of one that asks a model and is to lose little when it is killed."""

_JUDGES: TypeAdapter[list[JudgeSpec]] = TypeAdapter(list[AnyJudge])


def judges_of(names: Iterable[str]) -> tuple[JudgeSpec, ...]:
    """Judges by name, or by files that describe them; those that ship with the project go by name too.

    Raises:
        InputError: there is no such judge or file, or a file holds a mistake.
    """
    shipped = {path.name.removesuffix(".yaml"): path for path in (files("sweeps") / "judges").iterdir()}
    found: list[JudgeSpec] = []
    for name in names:
        if name in JUDGES:
            found.append(JudgeSpec(judge=name))
        elif is_there(name, Path.is_file) or name in shipped:
            found += _described(Path(name) if is_there(name, Path.is_file) else Path(str(shipped[name])))
        else:
            known = sorted({*DETERMINISTIC, *shipped})
            raise InputError(f"{unknown('judge', name[:200], known)}, or a YAML file that describes judges")
    try:
        with_twins(found)
    except ValueError as error:
        raise InputError(str(error)) from None
    for spec in found:
        make_judge(spec).close()
    return tuple({spec.label: spec for spec in found}.values())


def _described(path: Path) -> list[JudgeSpec]:
    data = read_yaml(path, "file of judges")
    several = data if isinstance(data, list) else [data]
    if not several:
        raise InputError(f"{path}: describes no judge")
    for one in several:
        model = one.get("model") if isinstance(one, dict) else None
        if isinstance(model, dict) and isinstance(model.get("file"), str):
            model["file"] = path.parent / model["file"]
    try:
        return _JUDGES.validate_python(several)
    except ValidationError as error:
        raise InputError(error_lines(error, str(path))) from None


def score_rows(
    specs: Sequence[JudgeSpec],
    rows: Sequence[JudgeRow],
    store: str,
    report: Report = lambda done, total, what: None,
    spent: dict[str, Spent] | None = None,
) -> list[dict[str, Any]]:
    """Judgements of rows by each judge, with the columns of `JUDGEMENTS`; what the store holds is not judged again.

    Args:
        spent: is filled, by the judge's label, with what models took, also where the work is stopped.

    Raises:
        QuotaExhausted, InputError: nothing more can be judged before someone pays or mends the configuration; what is
            done is kept.
    """
    with contextlib.closing(Bench(store)) as bench:
        found = []
        for spec in specs:
            judge = bench.judge(spec)
            if isinstance(judge, ModelJudge) and spent is not None:
                spent[spec.label] = judge.spent
            found += bench.score(spec, rows, report)
        return found


class Bench:
    """Judges in this process, over one store; judges that ask one model share its calls in flight and its budget."""

    def __init__(self, store: str) -> None:
        self._blocks = Blocks(open_store(store))
        self._loops = Loops(self._blocks)
        self._judges: dict[str, Judge] = {}

    def judge(self, spec: JudgeSpec) -> Judge:
        """The judge of a description, made once."""
        if spec.label not in self._judges:
            self._judges[spec.label] = make_judge(spec, self._loops)
        return self._judges[spec.label]

    def score(self, spec: JudgeSpec, rows: Sequence[JudgeRow], report: Report) -> list[dict[str, Any]]:
        """Judgements of any number of rows, in blocks."""
        judge, identity = self.judge(spec), JudgeId.of(spec)
        size = ASKED_AT_ONCE if judge.costly else ROWS_AT_ONCE
        found: list[dict[str, Any]] = []
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            found += judged(self._blocks, identity, part, judge.score)[1]
            report(start + len(part), len(rows), f"rows judged by {spec.label}")
        return found

    def close(self) -> None:
        """Lets go of models and connections."""
        self._loops.close()


def validate(
    spec: JudgeSpec,
    domain: str,
    store: str,
    n: int | None = None,
    second: JudgeSpec | None = None,
    report: Report = lambda done, total, what: None,
) -> list[dict[str, Any]]:
    """What a judge is worth on a domain, one report per axis, as `judges.json` holds them.

    Args:
        n: known pairs that are asked at most.
        second: another judge: how far the two agree on the same answers and, where both are models, whether each
            prefers its own.

    Raises:
        InputError: the domain is unknown, or the judge is not described well.
        QuotaExhausted: as `score_rows`.
    """
    load_domain(domain)
    measured = twice(spec)
    with contextlib.closing(Bench(store)) as bench:

        def score(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
            return bench.score(measured, rows, report)

        judge = bench.judge(measured)
        if second is not None and not set(judge.axes) & set(bench.judge(second).axes):
            raise InputError(f"--with: {second.label} and {spec.label} score no axis in common")
        reports = validity_reports(judge, domain, score if judge.costly else None, n)
        if second is None:
            return reports
        return [one | _beside(bench, spec, second, domain, n, one["axis"], report) for one in reports]


def _beside(
    bench: Bench, spec: JudgeSpec, second: JudgeSpec, domain: str, n: int | None, axis: str, report: Report
) -> dict[str, Any]:
    """What a second judge adds to a report: agreement, and self-preference where both are models."""
    first, other = bench.judge(spec), bench.judge(second)
    if axis not in first.axes or axis not in other.axes:
        return {}
    rows = _same_answers(domain, n)
    found: dict[str, Any] = {}
    mine, others = (_scores(bench.score(one, rows, report), axis) for one in (spec, second))
    if (agreed := agreement(mine, others, axis, second.label)) is not None:
        found["agreement"] = agreed
    if isinstance(first, ModelJudge) and isinstance(other, ModelJudge):
        found["self_preference"] = self_preference((first, other), load_domain(domain)["eval"][:n], axis)
    return found


def _same_answers(domain: str, n: int | None) -> list[JudgeRow]:
    return [
        JudgeRow.to(pair.prompt, f"{side}-{i}", getattr(pair, side))
        for i, pair in enumerate(written(domain)[:n])
        for side in ("good", "bad")
    ]


def _scores(judgements: Sequence[dict[str, Any]], axis: str) -> dict[str, float]:
    return {
        one["response_id"]: one["score"]
        for one in judgements
        if one["axis"] == axis and one["repeat"] == 0 and one["score"] is not None
    }


def with_people(
    judgements: Sequence[dict[str, Any]], labels: dict[str, dict[str, float]], who: str
) -> dict[str, dict[str, Any]]:
    """By axis, how far judgements agree with what people said of the same answers.

    Args:
        labels: axis → response id → score.
        who: what the people's labels are called, the file's name for example.
    """
    found = {}
    for axis in sorted(labels):
        agreed = agreement(_scores(judgements, axis), labels[axis], axis, who)
        if agreed is not None:
            found[axis] = agreed
    return found
