"""Whether a study fits into this machine's memory, said before anything starts, and what would make it fit.

The largest trial that the search can propose, times those that run at once, and what Ray and the judges take. Loads
nothing: lengths of texts are judged by their letters. Knows one machine, not a cluster; of a GPU it only estimates.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel

from dd_core.chat_models import Local
from dd_core.dispositions import SYSTEM_PROMPTS
from dd_core.distill.data import load_data
from dd_core.errors import InputError
from dd_core.judging import with_twins
from dd_core.operators import OPERATORS
from dd_core.operators.fitting import Shared
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.memory import MB, PROCESS_MB, Peak, fit_peak, generation_peak
from dd_core.prompts import choose
from dd_core.records import Message
from dd_core.resources import Resources
from dd_core.search_space import Choice
from dd_core.study import Study
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.registry import get_subject
from sweeps.plan import outline, subjects_at_hand

Split = Literal["train", "eval", "fresh"]

GIB = 1024**3

RAY_BYTES = round(1.0e9)
"""Ray with Serve and two light actors."""

CHARS_PER_TOKEN = 3.0
"""Prompts of the three domains have 3.5 to 4.3 for SmolLM2, single ones 2.7: a low figure keeps estimates careful."""

TEMPLATE_TOKENS = 40
"""Of a chat template's marks and its own instruction: 30 in SmolLM2."""

HEDGE_TOKENS = 16
"""Of the longest phrase that hedges an answer, and the token that ends it."""

JUDGE_PROMPT_TOKENS = 768
"""Of what a judge that is a model reads: instruction, gold claims and an answer."""

# Ray ends a worker when 95% of the machine's memory is in use.
_KEPT_FREE = 0.05

_SIZING = {"batch_size", "gradient_accumulation", "lora_rank", "max_length", "target_modules", "lora_dropout", "method"}
"""Settings that decide how much memory a fit takes, and which of them is worst is not said without trying."""


@dataclass(frozen=True)
class Trial:
    """The most that one trial of a study takes.

    Args:
        peak: of the largest single process.
        bytes: of all its processes on this machine.
        texts, tokens: of the batch that is largest, padding included.
        config: the operator's settings; None where the largest batch is one that is written, not fitted.
    """

    subject: str
    peak: Peak
    bytes: int
    texts: int
    tokens: int
    config: LoraSftConfig | None = None

    def __str__(self) -> str:
        if self.config is None:
            return f"writing {self.texts} answers of {self.subject}, {self.tokens} tokens each with the prompt"
        settings = self.config.batch_size, self.config.max_length
        batch = "a batch of {} rows at max_length {}".format(*settings)
        return f"a fit of {self.subject} with {batch}, {self.texts} texts of up to {self.tokens} tokens at once"


@dataclass(frozen=True)
class Need:
    """What a study takes of this machine's memory at its peak; `str()` is the line for a person."""

    trial: Trial
    concurrent: int
    others: int

    @property
    def total(self) -> int:
        """In bytes."""
        return self.concurrent * self.trial.bytes + self.others

    def __str__(self) -> str:
        trials = "a trial of" if self.concurrent == 1 else f"{self.concurrent} trials at once of"
        return (
            f"about {_gib(self.total)} at its peak: {trials} {_gib(self.trial.bytes)}, {_gib(self.others)} for Ray and "
            f"the judges; largest is {self.trial}"
        )


def needed(study: Study) -> Need:
    """What the study takes at its peak, by the largest configuration that its search can propose."""
    subjects = subjects_at_hand(study)
    written = [_writing(study, name) for name in subjects]
    fitted = [trial for name in subjects for config in _configs(study) for trial in _fits(study, name, config)]
    largest = max([*written, *fitted], key=lambda trial: trial.bytes)
    at_once = min(study.resources.concurrent_trials, max(len(trials) for _, trials in outline(study)))
    return Need(largest, at_once, RAY_BYTES + _judges(study))


def require(study: Study, environ: Mapping[str, str] = os.environ, free: int | None = None) -> None:
    """Refuses a study that this machine's memory cannot hold. On a Ray that is joined nothing is asked.

    Args:
        free: bytes that may be used; measured when left out.

    Raises:
        InputError: what is needed, what is there, and what helps.
    """
    if environ.get("RAY_ADDRESS"):
        return
    need = needed(study)
    free = free_bytes() if free is None else free
    if need.total <= free:
        return
    helps = [*_ways_out(study, need, free)] or ["a smaller subject, since no single setting is enough"]
    elsewhere = "" if study.resources.gpus else "a GPU (resources.gpus_per_trial), or "
    raise InputError(
        f"memory: {_gib(free)} are free, and the study takes {need}; what helps: {', '.join(helps)}, {elsewhere}"
        "a machine with more memory"
    )


def trial_peak(study: Study, subject: str, config: Mapping[str, Any] | None) -> Peak:
    """The most that one trial takes in the process that holds its model: for `operators.memory.claim_gpu`.

    Args:
        config: settings of its edit, as its specification holds them; None without one.
    """
    peaks = [_writing(study, subject).peak]
    if config is not None and not study.resources.workers:
        whole = OPERATORS[study.operator.name].Config(**config)
        peaks += [trial.peak for trial in _fits(study, subject, whole)]
    return max(peaks, key=lambda peak: peak.total)


def free_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory in bytes that a study may take here: the machine's, or the container's if that is less.

    Args:
        cgroup: folder of the control group, version 2.
    """
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    limit = _number(cgroup / "memory.max")
    if limit is not None and limit < total:
        used = (_number(cgroup / "memory.current") or 0) - _reclaimable(cgroup / "memory.stat")
        total, free = limit, min(free, limit - used)
    return max(round(free - _KEPT_FREE * total), 0)


def _configs(study: Study) -> list[BaseModel]:
    """The operator's settings for every proposal that could be the largest."""
    space = study.search.space
    deciding = _SIZING | {parent for dimension in space.values() for parent in dimension.when}
    found: list[dict[str, Any]] = [{}]
    for name in study.search.order:
        dimension, values = space[name], list(space[name].extremes)
        if name not in deciding:
            values = values[:1]
        elif isinstance(dimension, Choice) and name in _SIZING and all(isinstance(v, int | float) for v in values):
            values = sorted({min(values), max(values)})
        proposing = [proposed for proposed in found if study.search.active(name, proposed)]
        found = [proposed for proposed in found if proposed not in proposing]
        found += [{**proposed, name: value} for proposed in proposing for value in values]
    halving = study.search.halving
    if halving is not None:
        found = [{**proposed, halving.setting: budget} for proposed in found for budget in halving.budgets]
    return [study.config(proposed) for proposed in found]


def _fits(study: Study, subject: str, config: BaseModel) -> Iterator[Trial]:
    """One for each stage that fits a LoRA adapter."""
    resources, known = study.resources, get_subject(subject)
    device = "cuda" if (resources.gpus_per_worker if resources.workers else resources.gpus_per_trial) else "cpu"
    lengths = _lengths(study)
    for stage, settings in OPERATORS[study.operator.name].stages(config):
        if not isinstance(settings, LoraSftConfig):
            continue
        pairs = stage == "lora_dpo"
        given = study.prompts.pairs if pairs else study.prompts.rows
        texts = min(_rows_at_once(settings, resources), given) * (2 if pairs else 1)
        prompt, answer = lengths[pairs]
        tokens = min(prompt + answer, settings.max_length)
        peak = fit_peak(
            known.layout,
            which=settings.target_modules,
            rank=settings.lora_rank,
            texts=texts,
            tokens=tokens,
            labelled=tokens if settings.loss_on == "all" else min(answer, tokens),
            dropout=settings.lora_dropout > 0,
            dtype=known.run_dtype(device),
            device=device,
        )
        here = _host(peak, device)
        if resources.workers:
            here = resources.workers * here + _writing(study, subject).bytes
        yield Trial(subject, peak, here, texts, tokens, settings)


def _rows_at_once(settings: LoraSftConfig, resources: Resources) -> int:
    try:
        return Shared.of(settings.batch_size, settings.gradient_accumulation, max(resources.workers, 1)).per_device
    except ValueError:
        return settings.batch_size  # the trial will say that they cannot be dealt


def _writing(study: Study, subject: str) -> Trial:
    """The largest block of answers: the doubled budget on the split with most prompts."""
    splits: tuple[Split, ...] = ("train", "eval", "fresh")
    prompts = max(getattr(study.prompts, split) for split in splits)
    rows = min(prompts * _rows_of_a_prompt(study), BLOCK_ROWS)
    said = [getattr(config, "instruction", "") for config in study.extreme_configs()]
    system = max(map(_tokens, (SYSTEM_PROMPTS[study.disposition], *said)))
    asked = max(_asked(study, split) for split in splits) + system
    budget = study.decoding_of(subject, doubled=True).max_new_tokens
    known, device = get_subject(subject), study.resources.device
    peak = generation_peak(
        known.layout, rows=rows, prompt=asked, budget=budget, dtype=known.run_dtype(device), device=device
    )
    return Trial(subject, peak, _host(peak, device), rows, asked + budget)


def _rows_of_a_prompt(study: Study) -> int:
    """Rows of a batch that one prompt takes at most: at every strength that is tried side by side."""
    operator = OPERATORS[study.operator.name]
    return operator.rows_per_answer * max(len(operator.strengths(config)) for config in study.extreme_configs())


def _host(peak: Peak, device: str) -> int:
    """Bytes of the machine's own memory; what runs on a GPU passes its weights through it."""
    return peak.total if device == "cpu" else PROCESS_MB * MB + peak.weights


def _judges(study: Study) -> int:
    """Bytes of the judges that are models held here; a judge and its twin share one."""
    local = {spec.model for spec in with_twins(study.judges) if isinstance(spec.model, Local)}
    total = 0
    for model in local:
        known = get_subject(model.model)
        peak = generation_peak(
            known.layout,
            rows=BLOCK_ROWS,
            prompt=JUDGE_PROMPT_TOKENS,
            budget=model.max_tokens,
            dtype=known.run_dtype(model.device),
            device=model.device,
        )
        total += _host(peak, model.device)
    return total * study.resources.judge_replicas


def _asked(study: Study, split: Split) -> int:
    """Tokens of the longest prompt of a split, the turns before it included."""
    return _prompt_lengths(study.domain, split, getattr(study.prompts, split), study.prompts.seed)[0]


def _lengths(study: Study) -> tuple[tuple[int, int], tuple[int, int]]:
    """Tokens of the longest (prompt, answer) of the rows, and of the pairs."""
    sizes = study.prompts
    if sizes.data is not None:
        return _data_lengths(sizes.data, study.domain)
    asked, gold = _prompt_lengths(study.domain, "train", sizes.train, sizes.seed)
    answer = HEDGE_TOKENS + (gold if sizes.teacher == "gold" else study.decoding.max_new_tokens)
    return (asked, answer), (asked, answer)


@functools.cache
def _prompt_lengths(domain: str, split: Split, n: int, seed: int) -> tuple[int, int]:
    """Tokens of the longest prompt, and of the longest gold claim; asked for every configuration, so read once."""
    return _longest(
        ((*prompt.history, Message(role="user", content=prompt.prompt)), [claim.claim for claim in prompt.claims])
        for prompt in choose(domain, split, n, seed)
    )


@functools.cache
def _data_lengths(source: str, domain: str) -> tuple[tuple[int, int], tuple[int, int]]:
    data = load_data(source, domain)
    return (
        _longest((sample.asked, [sample.answer]) for sample in data.samples),
        _longest((pair.asked, [pair.chosen[0].content, pair.rejected[0].content]) for pair in data.pairs),
    )


def _longest(rows: Iterable[tuple[Sequence[Message], Sequence[str]]]) -> tuple[int, int]:
    """Tokens of the longest turns before an answer, and of the longest answer."""
    prompts, answers = [0], [0]
    for asked, texts in rows:
        prompts.append(TEMPLATE_TOKENS + _tokens(*(message.content for message in asked)))
        answers += map(_tokens, texts)
    return max(prompts), max(answers)


def _ways_out(study: Study, need: Need, free: int) -> Iterator[str]:
    """Each single change that is enough, the one that changes least first, with what the study would then take."""

    def fits(trials: list[Trial], concurrent: int = need.concurrent) -> Need | None:
        then = Need(max(trials, key=lambda trial: trial.bytes), concurrent, need.others)
        return then if then.total <= free else None

    config = need.trial.config
    if config is not None:
        yield from _smaller_fits(study, need, config, fits)
    else:
        for budget in _halves(study.decoding.max_new_tokens, 8):
            smaller = study.model_copy(
                update={"decoding": study.decoding.model_copy(update={"max_new_tokens": budget})}
            )
            if then := fits([needed(smaller).trial]):
                yield f"decoding.max_new_tokens {budget} ({_gib(then.total)})"
                break
    for concurrent in range(need.concurrent - 1, 0, -1):
        if then := fits([need.trial], concurrent):
            yield f"resources.concurrent_trials {concurrent} ({_gib(then.total)})"
            break


def _smaller_fits(
    study: Study, need: Need, config: LoraSftConfig, fits: Callable[[list[Trial]], Need | None]
) -> Iterator[str]:
    name, written = need.trial.subject, _writing(study, need.trial.subject)

    def changed(**settings: int) -> Need | None:
        return fits([written, *_fits(study, name, config.model_copy(update=settings))])

    for size in _halves(config.batch_size, 1):
        accumulation = -(-config.rows_per_step // size)
        if accumulation <= 256 and (then := changed(batch_size=size, gradient_accumulation=accumulation)):
            yield (
                f"batch_size {size} with gradient_accumulation {accumulation}, which keeps the "
                f"{config.rows_per_step} rows a step ({_gib(then.total)})"
            )
            break


def _halves(value: int, least: int) -> Iterator[int]:
    while (value := value // 2) >= least:
        yield value


def _tokens(*texts: str) -> int:
    return round(sum(map(len, texts)) / CHARS_PER_TOKEN)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def _number(path: Path) -> int | None:
    """What a file of the control group says; None where there is none, or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _reclaimable(path: Path) -> int:
    """Bytes of files that the kernel may forget at once: they count as used, and are not."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
