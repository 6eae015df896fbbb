"""What a study will do: its trials, what they take, and the manifest that locks the question before the first response.

Everything here is a pure function of the study and of proposals. Knows neither Ray nor a model; which configurations
are proposed is `proposals.propose`'s business, and which trials come next `schedule.Schedule`'s.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dd_core import __version__
from dd_core.canonical import canonical, digest
from dd_core.chat_models import CHARS_PER_TOKEN, usd
from dd_core.claim import manifest_hash, preregistration_hash
from dd_core.judging import twice
from dd_core.operators import OPERATORS
from dd_core.quoting import source
from dd_core.study import Study
from dd_core.subjects.registry import engine_fingerprint, get_subject, missing
from judges import make_judge
from judges.model_judge import PACKAGE, ModelJudge
from judges.validity import rows_asked

SEARCH_TRAIN_SEED = 0
"""Train seed of every configuration tried; the confirmation uses other seeds, so nothing chosen by luck is re-used."""

# Tokens a second of smollm2-135m (542 MB in float32) on two CPU threads within a study: 113 of the budget at batch 40,
# since the batch runs until its last answer ends, and 208 in training. Another subject is taken to be slower in
# proportion to its size.
_GENERATED_PER_S, _TRAINED_PER_S, _REFERENCE_MB = 113.0, 208.0, 542.0
_TOKENS_PER_TRAINING_ROW = 60

# Of what a judge's template quotes, and of the object that it replies with.
_ANSWER_CHARS, _REPLY_TOKENS = 800, 40


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EditSpec(_Spec):
    """One thing to fit: the operator's settings, whether it is the edit or its control, and the seed of the fit, None
    where no seed enters it."""

    data: Literal["treated", "placebo"]
    config: dict[str, Any]
    train_seed: int | None


class Cell(_Spec):
    """One arm on one split: every prompt of the split, once at each strength.

    Args:
        strengths: of the edit, in one batch: the arm's own first, the others as dose rows beside it, or in a search
            those to choose from; () where no edit takes part.
    """

    arm: Literal["baseline", "treated", "identity", "placebo", "prompt_control"]
    split: Literal["train", "eval", "fresh"]
    variant: Literal["main", "double_budget"] = "main"
    strengths: tuple[float, ...] = ()
    seed: int = 0


class TrialSpec(_Spec):
    """One unit of the schedule: at most one edit is fitted, then every cell is generated and judged.

    Args:
        label: what a person calls it (`search-1-0`, `treated-seed-2`).
        role: base (answers of the unedited model), search (one configuration), confirm.
        claimed: whether its rows are evidence for the claim; the rows of a search are not.
    """

    label: str
    role: Literal["base", "search", "confirm"]
    subject: str
    edit: EditSpec | None = None
    cells: tuple[Cell, ...]
    claimed: bool = True

    @property
    def trial_id(self) -> str:
        """The name of its commit: label and eight digits of all that defines it."""
        return f"{self.label}-{digest(self)[:8]}"


def coverage(study: Study, subject: str) -> list[str]:
    """What edits of this study would touch in `subject`, a line for each kind that the search can propose."""
    operator = OPERATORS[study.operator.name]
    layout = get_subject(subject).layout
    found = [operator.reaches(config, layout) for config in study.extreme_configs()]
    return [f"{operator.name} on {subject}: {line}" for line in dict.fromkeys(found)]


def subjects_at_hand(study: Study) -> tuple[str, ...]:
    """The study's subject and those of its replicates that can be loaded here, in the study's order."""
    return (study.subject, *(name for name in study.replicates if missing(get_subject(name)) is None))


def base_trials(study: Study) -> list[TrialSpec]:
    """The answers of the unedited models; the first is the study's own subject."""
    found = []
    for subject in subjects_at_hand(study):
        splits: tuple[Literal["train", "eval"], ...] = ("train", "eval") if subject == study.subject else ("train",)
        cells = tuple(Cell(arm="baseline", split=split) for split in splits if split == "eval" or study.reads)
        if cells:
            found.append(TrialSpec(label=f"base-{subject}", role="base", subject=subject, cells=cells))
    return found


def search_trial(study: Study, generation: int, index: int, rung: int, proposed: dict[str, Any]) -> TrialSpec:
    """Proposal `index` of a generation, counted from 1, at budget `rung`; 0 is the first, or all there is.

    All its strengths are tried side by side. A probe is scored on the answers of the base, and writes none.
    """
    operator = OPERATORS[study.operator.name]
    config = _settings(study, proposed, rung)
    strengths = operator.strengths(operator.Config(**config))
    cells = (Cell(arm="treated", split="eval", strengths=strengths),) if study.claim.kind == "shift" else ()
    return TrialSpec(
        label=f"search-{generation}-{index}" + (f"-rung-{rung}" if rung else ""),
        role="search",
        subject=study.subject,
        edit=EditSpec(data="treated", config=config, train_seed=SEARCH_TRAIN_SEED if operator.fitted else None),
        cells=cells,
        claimed=False,
    )


def slot(label: str) -> str:
    """A trial's label without what is not known before: which configurations a rung takes."""
    return re.sub(r"^(search-\d+)-\d+(-rung-\d+)$", r"\1\2", label)


def _settings(study: Study, proposed: dict[str, Any], rung: int) -> dict[str, Any]:
    halving = study.search.halving
    budget = {} if halving is None else {halving.setting: halving.budgets[rung]}
    return canonical(study.config({**proposed, **budget}))


def confirmation(study: Study, proposed: dict[str, Any], strength: float | None = None) -> list[TrialSpec]:
    """Every arm on fresh, the proposal being fitted anew with each train seed, at the largest budget.

    Args:
        strength: the one that is claimed; the operator's first if left out. The others are dose rows beside it.
    """
    trials: list[TrialSpec] = []
    for subject in subjects_at_hand(study):
        trials.append(_unedited(study, subject))
        if study.claim.kind == "shift":
            trials += _edited(study, subject, _settings(study, proposed, -1), strength)
    return trials


def _unedited(study: Study, subject: str) -> TrialSpec:
    """The baseline of a confirmation, and beside the study's own subject what a system prompt alone does."""
    own, shift = subject == study.subject, study.claim.kind == "shift"
    seeds = _decoding_seeds(study, subject)
    cells = [Cell(arm="baseline", split="fresh", variant=v, seed=s) for v in _variants(study, subject) for s in seeds]
    if own and shift:
        cells += [Cell(arm="prompt_control", split="fresh", seed=s) for s in seeds]
    suffix = "" if own else f"-{subject}"
    return TrialSpec(label=f"baseline{suffix}", role="confirm", subject=subject, cells=tuple(cells))


def _edited(study: Study, subject: str, config: dict[str, Any], strength: float | None) -> list[TrialSpec]:
    """The treated arm with each train seed, and on the study's own subject identity, doses and placebos."""
    own, operator = subject == study.subject, OPERATORS[study.operator.name]
    strengths = operator.strengths(operator.Config(**config))
    claimed = strengths[0] if strength is None else strength
    doses = (claimed, *(one for one in strengths if one != claimed)) if own else (claimed,)
    suffix = "" if own else f"-{subject}"
    trials = []
    for i, (train_seed, seeds) in enumerate(_draws(study, subject)):
        cells = [Cell(arm="treated", split="fresh", variant=v, strengths=doses if v == "main" else (claimed,), seed=s)
                 for v in _variants(study, subject) for s in seeds]  # fmt: skip
        if own:
            cells.insert(0, Cell(arm="treated", split="eval", strengths=(claimed,)))
        if own and i == 0:
            cells += [Cell(arm="identity", split="fresh", strengths=(operator.identity_strength,), seed=s)
                      for s in seeds]  # fmt: skip
        trials.append(_with_edit(study, "treated", subject, suffix, config, train_seed, cells))
    for train_seed, seeds in _draws(study, subject) if own else []:
        cells = [Cell(arm="placebo", split="fresh", strengths=(claimed,), seed=s) for s in seeds]
        trials.append(_with_edit(study, "placebo", subject, suffix, config, train_seed, cells))
    return trials


def _with_edit(
    study: Study,
    arm: Literal["treated", "placebo"],
    subject: str,
    suffix: str,
    config: dict[str, Any],
    train_seed: int | None,
    cells: list[Cell],
) -> TrialSpec:
    edit = EditSpec(data=arm, config=config, train_seed=train_seed)
    drawn = "" if train_seed is None else f"-seed-{train_seed}"
    return TrialSpec(label=f"{arm}{drawn}{suffix}", role="confirm", subject=subject, edit=edit, cells=tuple(cells))


def _variants(study: Study, subject: str) -> tuple[Literal["main", "double_budget"], ...]:
    return ("main", "double_budget") if subject == study.subject and study.claim.kind == "shift" else ("main",)


def _decoding_seeds(study: Study, subject: str) -> tuple[int, ...]:
    """Greedy decoding has no seed: one baseline serves every train seed. Sampled arms pair seed by seed."""
    sampled = study.decoding_of(subject).temperature > 0
    return study.confirm.seeds if sampled and study.claim.kind == "shift" else (0,)


def _draws(study: Study, subject: str) -> list[tuple[int | None, tuple[int, ...]]]:
    """(train seed, decoding seeds) of each edit that is made: one for each train seed, or one alone."""
    if not study.train_seeds:
        return [(None, _decoding_seeds(study, subject))]
    sampled = study.decoding_of(subject).temperature > 0
    return [(train_seed, (train_seed if sampled else 0,)) for train_seed in study.train_seeds]


def seconds(study: Study, trial: TrialSpec) -> float:
    """A rough estimate of a trial's duration in seconds, from rates measured on two CPU threads."""
    size = max(get_subject(trial.subject).disk_mb / _REFERENCE_MB, 0.02)
    budget = study.decoding_of(trial.subject).max_new_tokens
    counts = {"train": study.prompts.train, "eval": study.prompts.eval, "fresh": study.prompts.fresh}
    operator = OPERATORS[study.operator.name]
    generated = sum(
        counts[cell.split]
        * (len(cell.strengths) * operator.rows_per_answer or 1)
        * budget
        * (2 if cell.variant == "double_budget" else 1)
        for cell in trial.cells
    )
    trained = 0
    if trial.edit is not None:
        sizes = study.prompts
        texts = operator.texts(operator.Config(**trial.edit.config), sizes.rows, sizes.pairs, sizes.train)
        trained = texts * _TOKENS_PER_TRAINING_ROW
    return 1.0 + size * (generated / _GENERATED_PER_S + trained / _TRAINED_PER_S)


def answers(study: Study, trials: Iterable[TrialSpec]) -> int:
    """How many texts are generated and judged."""
    counts = study.prompts.model_dump()
    return sum(counts[cell.split] * len(cell.strengths or (None,)) for trial in trials for cell in trial.cells)


@dataclass(frozen=True)
class JudgingCost:
    """What a judge that is a model would take, if nothing is in the store: calls, those for its validity among them,
    tokens of prompts and replies, and US dollars by the prices that the study gives."""

    label: str
    calls: int
    calls_for_validity: int
    prompt_tokens: int
    completion_tokens: int
    usd: float


def judging_costs(study: Study) -> list[JudgingCost]:
    """A rough estimate for each judge of the study that is a model; [] where there is none."""
    judged = answers(study, (trial for _, several in outline(study) for trial in several))
    costs = []
    for spec in study.judges:
        judge = make_judge(spec)
        if spec.model is None or not isinstance(judge, ModelJudge):
            continue
        validity = rows_asked(judge, study.domain) * twice(spec).passes * judge.calls
        calls = judged * spec.passes * judge.calls + validity
        chars = sum(len(source(PACKAGE, name)) for name in judge.templates) / len(judge.templates) + _ANSWER_CHARS
        asked, replied = round(calls * chars / CHARS_PER_TOKEN), calls * _REPLY_TOKENS
        costs.append(JudgingCost(spec.label, calls, validity, asked, replied, usd(spec.model, asked, replied)))
    return costs


def outline(study: Study) -> list[tuple[str, list[TrialSpec]]]:
    """Every generation by name with its trials at most, the search's configurations stood in for by the first of the
    space; a rung of successive halving is a generation of its own."""
    first = study.search.example()
    searches = [
        (
            f"search {generation}" + (f" rung {rung}" if rung else ""),
            [search_trial(study, generation, index, rung, first) for index in range(size)],
        )
        for generation in range(1, study.search.generations + 1)
        for rung, size in enumerate(study.search.rungs)
    ]
    return [("base", base_trials(study)), *searches, ("confirm", confirmation(study, first))]


def make_manifest(study: Study) -> dict[str, Any]:
    """The record of what was asked, made before the first response: claim, gates, plan, environment, time, hash."""
    dtype = get_subject(study.subject).run_dtype(study.resources.device)
    libraries = ("ray", "torch", "transformers", "trl", "peft", "optuna", "numpy", "scipy", "polars")
    manifest: dict[str, Any] = {
        **_question(study),
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "study": canonical(study),
        "environment": {
            "ddsweep": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "engine": canonical(engine_fingerprint(study.resources.threads, study.resources.device, dtype)),
            "libraries": {name: importlib.metadata.version(name) for name in libraries},
        },
    }
    manifest["hash"] = manifest_hash(manifest)
    return manifest


def study_id(study: Study) -> str:
    """Name and eight digits of the pre-registration hash."""
    return f"{study.name}-{preregistration_hash(_question(study)).removeprefix('sha256:')[:8]}"


def _question(study: Study) -> dict[str, Any]:
    """The members of a manifest that are hashed over: what is asked, not when or on what machine."""
    return {
        "claim": canonical(study.claim_of()),
        "gates": canonical(study.gates),
        "planned": canonical(study.planned()),
    }
