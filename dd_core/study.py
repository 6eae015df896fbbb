"""A study: the question, the search space, the sizes and the gates, as read from one YAML file.

Everything a run needs to know is in this model. Knows neither Ray nor a store; what is loaded here is checked against
the registries of subjects, operators, domains and dispositions, so that a mistake is found before anything starts.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dd_core.canonical import digest
from dd_core.chat_models import Endpoint
from dd_core.claim import VARIANT_TAG, AxisRange, Claim, Gates
from dd_core.dispositions import CAPABILITY_AXES, DISPOSITIONS
from dd_core.distill.data import load_data
from dd_core.errors import InputError, unknown
from dd_core.judging import AnyJudge, JudgeSpec, with_twins
from dd_core.operators import OPERATORS, STAGES
from dd_core.prompts import DOMAINS, choose
from dd_core.resources import Resources
from dd_core.search_space import SearchSpace
from dd_core.subjects.registry import SUBJECTS, Decoding, get_subject
from dd_core.yaml_files import error_lines, kind_of, read_yaml


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OperatorChoice(BaseModel):
    """The operator by name, with the settings that the search leaves alone."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def fixed(self) -> dict[str, Any]:
        """Settings that are the same in every trial."""
        return dict(self.model_extra or {})


def _shift(value: Any) -> bool:
    """Whether a claim is of the kind that all were before there were others; as `_unset`."""
    return value == "shift"


class ClaimChoice(_Model):
    """What the study asserts of its best trial: that the edit moves an axis (shift), or that the states which the
    operator captures foretell it (probe: no arm is edited, and nothing is to hold)."""

    kind: Literal["shift", "probe"] = Field("shift", exclude_if=_shift)
    axis: str
    direction: Literal["increase", "decrease"] = "increase"
    anchor: str = "correct"
    margin: float = Field(0.05, gt=0, lt=1)
    in_scope: tuple[str, ...] = ()
    axes: dict[str, AxisRange] = {}


def _unset(value: Any) -> bool:
    """Whether a field says nothing: then it stays out of the dump, so that a study without it keeps its id."""
    return value is None


class PromptCounts(_Model):
    """How many prompts of each split, and how many training rows are made of the first at most, and pairs for
    preferences: as many as rows if left out. An operator that learns from the subject's own answers takes them all, and
    needs neither.

    `teacher` says whose answers are taught: `base` hedges the subject's own answers where they are wrong and asserts
    them where they are right; `gold` hedges the gold claims of prompts that are not certain and asserts the others,
    for a subject that is never right; `embedded` takes the rows that ship with the project for the domain; anything
    else is a folder that `ddsweep distill` wrote.
    """

    train: int = Field(ge=4)
    eval: int = Field(ge=4)
    fresh: int = Field(ge=4)
    training_rows: int | None = Field(None, ge=2, exclude_if=_unset)
    training_pairs: int | None = Field(None, ge=1, exclude_if=_unset)
    teacher: str = Field("base", min_length=1)
    seed: int = Field(0, ge=0)

    @property
    def rows(self) -> int:
        """Training rows, at most."""
        return self.training_rows or 0

    @property
    def pairs(self) -> int:
        """Pairs for preferences, at most."""
        return self.rows if self.training_pairs is None else self.training_pairs

    @property
    def data(self) -> str | None:
        """Where finished training rows are taken from; None where they are made of the prompts."""
        return None if self.teacher in ("base", "gold") else self.teacher


class Budget(_Model):
    """Decoding of every arm; what is left out is the subject's default. The variant doubles `max_new_tokens`."""

    max_new_tokens: int = Field(64, ge=1, le=8192)
    temperature: float | None = Field(None, ge=0, le=5)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    presence_penalty: float | None = Field(None, ge=-2, le=2, exclude_if=_unset)


class Confirmation(_Model):
    """How often the chosen configuration is trained again. Five seeds by default; three cannot say much."""

    train_seeds: int = Field(5, ge=1, le=64)
    first_train_seed: int = Field(1, ge=1)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The train seeds of the confirmation; the search itself uses seed 0."""
        return tuple(range(self.first_train_seed, self.first_train_seed + self.train_seeds))


class Study(_Model):
    """The pre-registered question. `claim_of()` and `planned()` are what its manifest locks."""

    format: Literal["ddsweep-study/1"] = "ddsweep-study/1"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    statement: str = Field(min_length=1)
    subject: str
    replicates: tuple[str, ...] = ()
    disposition: str
    domain: str
    operator: OperatorChoice
    claim: ClaimChoice
    prompts: PromptCounts
    decoding: Budget = Budget()
    search: SearchSpace
    confirm: Confirmation = Confirmation()
    judges: tuple[AnyJudge, ...] = (JudgeSpec(judge="checklist"), JudgeSpec(judge="delivery"))
    gates: Gates = Gates()
    resources: Resources = Resources()

    @field_validator("subject")
    @classmethod
    def _subject(cls, name: str) -> str:
        return _known(name, SUBJECTS, "subject")

    @field_validator("replicates")
    @classmethod
    def _replicates(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_known(name, SUBJECTS, "subject") for name in names)

    @field_validator("disposition")
    @classmethod
    def _disposition(cls, name: str) -> str:
        return _known(name, DISPOSITIONS, "disposition")

    @field_validator("domain")
    @classmethod
    def _domain(cls, name: str) -> str:
        return _known(name, DOMAINS, "domain")

    @field_validator("operator")
    @classmethod
    def _operator(cls, operator: OperatorChoice) -> OperatorChoice:
        _known(operator.name, OPERATORS, "operator")
        return operator

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        labels = [judge.label for judge in self.judges]
        if len(set(labels)) < len(labels):
            raise ValueError(f"judges: {max(labels, key=labels.count)!r} is there twice: keep one, or give it a `name`")
        with_twins(self.judges)
        if self.subject in self.replicates:
            raise ValueError(f"replicates: {self.subject!r} is the subject itself; name a subject of another family")
        for name in self.replicates:
            if get_subject(name).family == get_subject(self.subject).family:
                raise ValueError(f"replicates: {name!r} is of the subject's own family; name one of another family")
        if "strengths" in self.search.space:
            raise ValueError("search.space: strengths are tried side by side in every trial: give them under operator")
        # A gain in what a model can do may be its own anchor; a disposition has to leave that alone.
        able = self.claim.axis in CAPABILITY_AXES and self.claim.direction == "increase"
        if self.claim.kind == "shift" and self.claim.anchor == self.claim.axis and not able:
            raise ValueError(f"claim.anchor: {self.claim.axis!r} is what is claimed to move; name another axis")
        if "preset" in self.search.space:
            raise ValueError("search.space: a preset cannot be searched; search the settings in which presets differ")
        both = sorted(set(self.search.space) & set(self.operator.fixed))
        if both:
            raise ValueError(f"operator and search.space both set {', '.join(both)}: keep one")
        if (halving := self.search.halving) is not None:
            if halving.setting not in (settings := OPERATORS[self.operator.name].Config.model_fields):
                raise ValueError(f"search.halving.setting: {unknown('setting', halving.setting, settings)}")
            for owner, names in (("operator", self.operator.fixed), ("search.space", self.search.space)):
                if halving.setting in names:
                    raise ValueError(f"search.halving.setting: {owner} sets {halving.setting} too: keep one")
        if self.search.objectives == "pareto" and (self.claim.kind == "probe" or not self.claim.anchor):
            raise ValueError("search.objectives: pareto needs a claim with an anchor, the second objective")
        if (
            self.search.stop is not None
            and self.search.stop.usd is not None
            and not (self.resources.usd_per_hour or self._token_prices)
        ):
            raise ValueError("search.stop.usd: nothing here has a price: give resources.usd_per_hour")
        self._claim(searched=1)
        return self

    @property
    def searched(self) -> int:
        """What the search tries at most before one is chosen: configurations, each budget and each strength counted.

        Of a probe nothing is chosen: the falsifier fits it anew.
        """
        if self.claim.kind == "probe":
            return 1
        operator = OPERATORS[self.operator.name]
        side_by_side = max((len(operator.strengths(config)) for config in self.extreme_configs()), default=1)
        return self.search.generations * sum(self.search.rungs) * side_by_side

    @property
    def reads(self) -> set[str]:
        """What the operator's stages learn from, over all that the search can propose."""
        operator = OPERATORS[self.operator.name]
        return {part for config in self.extreme_configs() for part in operator.reads(config) if part is not None}

    @property
    def taught(self) -> bool:
        """Whether rows or pairs are learnt from, and not the subject's own answers alone."""
        return bool(self.reads & {"rows", "pairs"})

    @property
    def intervenes(self) -> bool:
        """Whether the edit acts while the subject writes, on weights that no training has touched."""
        operator = OPERATORS[self.operator.name]
        used = {name for config in self.extreme_configs() for name, _ in operator.stages(config)}
        return not all(STAGES[name].shared for name in used)

    @property
    def captures(self) -> tuple[str, ...]:
        """Tags of the states that are kept of the unedited subject's answers."""
        operator = OPERATORS[self.operator.name]
        own = [tag for config in self.extreme_configs() for tag in operator.captures(config)]
        return tuple(dict.fromkeys(own + ([VARIANT_TAG] if self.claim.kind == "probe" else [])))

    @property
    def train_seeds(self) -> tuple[int, ...]:
        """Train seeds of the confirmation; none where nothing is fitted, or the falsifier fits anew what is claimed."""
        fitted = OPERATORS[self.operator.name].fitted and self.claim.kind == "shift"
        return self.confirm.seeds if fitted else ()

    @property
    def _token_prices(self) -> dict[str, tuple[float, float]]:
        """Judge → its USD for a million tokens read and for a million written, where it has a price."""
        priced = {
            judge.label: judge.model.usd_per_million for judge in self.judges if isinstance(judge.model, Endpoint)
        }
        return {label: prices for label, prices in priced.items() if any(prices)}

    def config(self, proposed: dict[str, Any]) -> BaseModel:
        """The operator's settings for one proposal.

        Raises:
            pydantic.ValidationError: the operator does not know a setting, or it is impossible.
        """
        return OPERATORS[self.operator.name].Config(**self.operator.fixed, **proposed)

    def extreme_configs(self) -> list[BaseModel]:
        """The operator's settings with one dimension after the other at each of its extremes."""
        space = self.search.space
        return [self.config(self.search.example(name, v)) for name in space for v in space[name].extremes]

    def decoding_of(self, subject: str, *, doubled: bool = False) -> Decoding:
        """How `subject` decodes here: its own defaults, this study's overrides, and the token budget or its double."""
        chosen = {name: value for name, value in self.decoding.model_dump().items() if value is not None}
        chosen["max_new_tokens"] *= 2 if doubled else 1
        return get_subject(subject).decoding.model_copy(update=chosen)

    def claim_of(self) -> Claim:
        """What is asserted of the best trial, whichever that will be.

        Raises:
            pydantic.ValidationError: an axis is not known and its range not declared.
        """
        return self._claim(self.searched)

    def _claim(self, searched: int) -> Claim:
        defaults = Gates()
        changed = {k: v for k, v in self.gates.model_dump().items() if v != getattr(defaults, k)}
        return Claim(
            name=self.name,
            statement=self.statement,
            operator=self.operator.name,
            searched=searched,
            gates=changed,
            replicates=self.replicates,
            **self.claim.model_dump()
            | {"kind": self.claim.kind}
            | ({"anchor": None} if self.claim.kind == "probe" else {}),
        )

    def planned(self) -> dict[str, Any]:
        """What the manifest says will be done: sizes, seeds, exclusions, the stopping rule, the primary comparison.

        Raises:
            InputError: the domain has fewer prompts than asked for, or finished training rows cannot be used.
        """
        return {
            "prompts": {"eval": self.prompts.eval, "fresh": self.prompts.fresh},
            "train_seeds": list(self.train_seeds),
            "exclusions": "none: every planned row is made, and what is lost is counted",
            "stop": f"after {self._until} and one confirmation; no interim look at fresh",
            "primary": f"area under the ROC curve of a linear probe of {self.claim.axis}, fitted on train, split fresh"
            if self.claim.kind == "probe"
            else f"treated - baseline on {self.claim.axis}, split fresh, variant main",
            "fresh_looks": 1,
            "prompt_set": digest(
                [
                    prompt.model_dump(mode="json")
                    for split in ("train", "eval", "fresh")
                    for prompt in choose(self.domain, split, getattr(self.prompts, split), self.prompts.seed)
                ]
            ),
            "study": digest(
                self.model_dump(mode="json", exclude={"resources", "judges"})
                | {"judges": [judge.question for judge in self.judges]}
            ),
            **({"data": load_data(self.prompts.data, self.domain).hash} if self.prompts.data and self.taught else {}),
        }

    @property
    def _until(self) -> str:
        """When the search ends. Prices are part of it where they decide: other ones make another question."""
        search, words = self.search, f"{self.searched} configurations"
        if search.halving is not None:
            words += f" ({', '.join(map(str, search.rungs))} a generation, by {search.halving.setting})"
        if search.stop is not None:
            words += f", or the generation in which {search.stop} are reached,"
            if search.stop.usd is not None:
                prices = [f"{self.resources.usd_per_hour:g} USD an hour"]
                prices += [
                    f"{label} at {read:g} and {written:g} USD a million tokens"
                    for label, (read, written) in self._token_prices.items()
                ]
                words += f" at {', '.join(prices)},"
        return words


def _known(name: str, registry: Collection[str], noun: str) -> str:
    """`name`, or a ValueError that names the nearest entry of `registry`."""
    if name in registry:
        return name
    raise ValueError(unknown(noun, name, registry))


def parse_study(data: Any, source: str = "study") -> Study:
    """A study from plain data (a parsed YAML mapping).

    Raises:
        InputError: one line for each mistake: source, path of the field, what was expected.
    """
    if not isinstance(data, dict):
        raise InputError(
            f"{source}: expected a mapping of fields (name, subject, operator, ...), found {kind_of(data)}"
        )
    try:
        study = Study.model_validate(data)
    except ValidationError as error:
        raise InputError(error_lines(error, source)) from None
    lines = []
    search, operator = study.search, OPERATORS[study.operator.name]
    for name, dimension in search.space.items():
        for value in dimension.extremes:
            try:
                study.config(search.example(name, value))
            except ValidationError as error:
                lines += error_lines(error, source, prefix="search.space", only={name})
                lines += error_lines(error, source, prefix="operator", but=set(search.space))
    if (halving := search.halving) is not None:
        for budget in halving.budgets:
            try:
                study.config({**search.example(), halving.setting: budget})
            except ValidationError as error:
                found = error_lines(error, source, prefix="search.halving.budgets", only={halving.setting})
                lines += [line.replace(f"budgets.{halving.setting}", "budgets") for line in found]
    if not lines and study.prompts.training_rows is None and study.taught:
        lines.append(f"{source}: prompts.training_rows: {study.operator.name} learns from rows; say how many at most")
    if not lines and study.claim.kind == "probe" and not any(map(operator.captures, study.extreme_configs())):
        lines.append(f"{source}: claim.kind: {study.operator.name} reads no states, so there is nothing to probe")
    if lines:
        raise InputError(dict.fromkeys(lines))
    return study


def load_study(path: str | Path) -> Study:
    """The study in the YAML file at `path`.

    Raises:
        InputError: the file is missing, is no YAML, or holds a mistake; one line each with file, field and expectation.
    """
    path = Path(path)
    data = read_yaml(path, "study file")
    return parse_study(data, str(path))
