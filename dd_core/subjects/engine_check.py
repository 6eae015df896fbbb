"""Whether another engine computes what the transformers engine does, edit by edit, before a study trusts it.

Servers have silently served the base model while an adapter was asked for; an answer does not show it, numbers do. So
both give log-probabilities of the same tokens, without an edit, with a made-up one of visible size of each kind at two
strengths, and without it again. Knows no other engine: one is a class that the user names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from random import SystemRandom
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import save

from dd_core.errors import InputError
from dd_core.subjects import chat
from dd_core.subjects.asking import Acting, acting
from dd_core.subjects.check import PROMPTS, TOLERANCE, Finding
from dd_core.subjects.edits import contrast, direction, heads
from dd_core.subjects.engine import Engine
from dd_core.subjects.formats import CONFIG_FILE, WEIGHTS_FILE
from dd_core.subjects.quiet import quiet
from dd_core.subjects.reading import Ids

Files = Mapping[str, bytes]
Sequences = Sequence[tuple[list[int], list[int]]]
"""Token ids of each prompt, in the subject's template, and of the answer behind it."""

ANSWERS = (
    "The capital of France is Paris.",
    "I'm not sure, but I think it has to do with the weather.",
    "The Amazon, probably; some say that the Nile is longer.",
    "Eight.",
)
VISIBLE_NATS = 0.5
"""How far a made-up edit is to move a log-probability, at the weaker of its strengths."""

LEAST = 4
"""How many tolerances an edit has to move a log-probability by: half of the edit then still differs by two."""

STRENGTHS = {
    "lora": (1.0, 0.5),
    "lora, all": (1.0, 0.5),
    "tempering": (0.0, 2.0),
    "steering": (1.0, -0.5),
    "steering, kept": (1.0, -0.5),
    "contrast": (2.0, 0.5),
}
"""Edit → strengths that are compared; "all" reaches feed-forward layers too, "kept" keeps lengths. A contrast at 1 is
the adapter itself, which would not tell them apart."""

SPREAD = 0.2
"""Share by which the second strength is drawn anew in every check, so that none can be known beforehand."""

NOT_SUPPORTED = "not supported: studies of this operator must use transformers"
_RANK = 4
_NAME = "engine check"


class ScoringEngine(Protocol):
    """What is asked of another engine. It is made with the subject's name alone.

    Attributes:
        name: for messages.
    """

    name: str

    def log_probabilities(self, sequences: Sequences, edit: Files | None, strength: float) -> list[np.ndarray]:
        """Natural logarithm of the probability of each answer token, given all before it: [n tokens] per sequence.

        Args:
            edit: files that `dd_core.subjects.edits.read_edit` reads; None is the base model, whatever was on before.
            strength: as that kind of edit defines it. A direction acts on the prompt's last token and on the answer's.

        Raises:
            NotImplementedError: the engine has no such edit.
        """
        ...


class Transformers:
    """The transformers engine, asked as any other is."""

    name = "transformers"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def log_probabilities(self, sequences: Sequences, edit: Files | None, strength: float) -> list[np.ndarray]:
        """As `ScoringEngine`.

        Raises:
            EditNotApplied: the edit cannot be read, or not be put on.
        """
        texts = [Ids(prompt, answer) for prompt, answer in sequences]
        if edit is None:
            return self.engine.scores(texts, Acting())
        self.engine.add_edit(_NAME, edit)
        try:
            return self.engine.scores(texts, acting([(_NAME, strength)], self.engine.edits))
        finally:
            self.engine.drop_edit(_NAME)


def open_engine(where: str, subject: str) -> ScoringEngine:
    """The engine that the user names, made for `subject`.

    Args:
        where: `package.module:Class`.

    Raises:
        InputError: there is no such module or class, it cannot be made, or it lacks what `ScoringEngine` has.
    """
    module, colon, name = where.partition(":")
    if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise InputError(f"engine {where!r}: is named as package.module:Class, for instance my_engines.served:Served")
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise InputError(f"engine {where}: there is no module {error.name}, here or installed") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"engine {where}: importing {module} failed: {_told(error)}") from error
    if not callable(found):
        raise InputError(f"engine {where}: module {module} has no class {name}")
    try:
        engine: ScoringEngine = found(subject)
    except (Exception, SystemExit) as error:
        raise InputError(f"engine {where}: {name}({subject!r}) failed: {_told(error)}") from error
    lacking = [part for part in ("name", "log_probabilities") if not hasattr(engine, part)]
    if lacking or not callable(engine.log_probabilities):
        raise InputError(
            f"engine {where}: {name} lacks {' and '.join(lacking) or 'a method log_probabilities'}; what an engine "
            "has says dd_core.subjects.engine_check.ScoringEngine"
        )
    return engine


def check_engine(other: ScoringEngine, engine: Engine) -> Iterator[Finding]:
    """What `other` computes beside `engine`, a finding for the base and one for each operator, as they are there.

    Nothing follows a base model that differs. A finding is ok where the largest difference of any log-probability is
    within rounding (`check.TOLERANCE`, as a share of the largest logit), None where `other` has no such edit.
    """
    own = Transformers(engine)
    sequences = _sequences(engine)
    tolerance = TOLERANCE[engine.subject.run_dtype(engine.device)] * _largest_logit(engine, sequences)
    comparison = _Comparison(other, own, sequences, tolerance)
    base = comparison.base()
    yield base
    if not base.ok:
        return
    findings = [comparison.edited(operator, files) for operator, files in _made_up(engine, comparison)]
    yield from findings
    if all(found.ok is None for found in findings):
        yield Finding("edits", False, f"{other.name} has none of these edits: no study could use it")


class _Unusable(Exception):
    """What came back is no list of log-probabilities."""


class _Comparison:
    """Two engines over the same sequences.

    Args:
        tolerance: largest difference of a log-probability, in nats.
    """

    def __init__(self, other: ScoringEngine, own: Transformers, sequences: Sequences, tolerance: float) -> None:
        self.other, self.own, self.sequences, self.tolerance = other, own, sequences, tolerance
        self.ours = self.by_us(None, 1.0)
        self.theirs = self.ours
        drawn = SystemRandom().uniform(1 - SPREAD, 1.0)
        self.strengths = {name: (first, round(second * drawn, 3)) for name, (first, second) in STRENGTHS.items()}

    def by_us(self, edit: Files | None, strength: float) -> np.ndarray:
        return np.concatenate(self.own.log_probabilities(self.sequences, edit, strength))

    def moved(self, operator: str, files: Files) -> float:
        """How far `files` move our numbers, at the strength of `operator` that moves them least."""
        return min(_apart(self.by_us(files, strength), self.ours) for strength in self.strengths[operator])

    def base(self) -> Finding:
        """Without an edit."""
        try:
            self.theirs = self._by_them(None, 1.0)
        except NotImplementedError:
            return Finding("base", False, f"{self.other.name} has no log-probabilities of the base model")
        except (Exception, SystemExit) as error:
            return Finding("base", False, _told(error))
        apart = _apart(self.theirs, self.ours)
        figures = (
            f"{len(self.ours)} log-probabilities, the largest difference {apart:.1e} nats, tolerance {self._bound}"
        )
        return Finding("base", apart <= self.tolerance, figures)

    def edited(self, operator: str, files: Files) -> Finding:
        """With an edit at its strengths, and without it again."""
        strengths = self.strengths[operator]
        ours = [self.by_us(files, strength) for strength in strengths]
        theirs: list[np.ndarray] = []
        try:
            for strength in strengths:
                theirs.append(self._by_them(files, strength))
            after = self._by_them(None, 1.0)
        except NotImplementedError:
            if not theirs:
                return Finding(operator, None, NOT_SUPPORTED)
            return Finding(operator, False, f"not supported at strength {strengths[len(theirs) - 1]:g} after all")
        except (Exception, SystemExit) as error:
            return Finding(operator, False, _told(error))
        apart = [_apart(one, two) for one, two in zip(theirs, ours, strict=True)]
        moves = [_apart(one, self.ours) for one in ours]
        figures = [
            f"strength {strength:g}: the largest difference {difference:.1e} nats, the edit moves {move:.2f}"
            for strength, difference, move in zip(strengths, apart, moves, strict=True)
        ]
        wrong = []
        if min(moves) < LEAST * self.tolerance:
            wrong.append("the made-up edit is too small to tell anything")
        if all(_apart(one, self.theirs) <= self.tolerance for one in theirs):
            wrong.append(f"{self.other.name} served the base model: with the edit its numbers are those without it")
        elif _apart(*theirs) <= self.tolerance:
            wrong.append(f"{self.other.name} gives the same numbers at both strengths")
        if _apart(after, self.theirs) > self.tolerance:
            wrong.append(
                f"without the edit its numbers are {_apart(after, self.theirs):.1e} from what they were: it stays on"
            )
        ok = not wrong and max(apart) <= self.tolerance
        return Finding(operator, ok, "; ".join([*wrong, *figures, f"tolerance {self._bound}"]))

    @property
    def _bound(self) -> str:
        return f"{self.tolerance:.1e}"

    def _by_them(self, edit: Files | None, strength: float) -> np.ndarray:
        """The other engine's numbers, as many as ours and all finite.

        Raises:
            _Unusable: they are not.
        """
        asked = [(list(prompt), list(answer)) for prompt, answer in self.sequences]
        found = self.other.log_probabilities(asked, None if edit is None else dict(edit), strength)
        if not isinstance(found, list | tuple) or len(found) != len(self.sequences):
            what = f"{len(found)} arrays" if isinstance(found, list | tuple) else f"a {type(found).__name__}"
            raise _Unusable(f"log_probabilities returned {what} for {len(self.sequences)} sequences")
        arrays = []
        for n, (one, (_, answer)) in enumerate(zip(found, self.sequences, strict=True)):
            try:
                array = np.asarray(one, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise _Unusable(f"log_probabilities returned no numbers for sequence {n}: {error}") from error
            if array.shape != (len(answer),):
                raise _Unusable(
                    f"log_probabilities returned shape {list(array.shape)} for sequence {n}, whose answer has "
                    f"{len(answer)} tokens"
                )
            if not np.isfinite(array).all():
                raise _Unusable(f"log_probabilities returned numbers that are not finite for sequence {n}")
            arrays.append(array)
        return np.concatenate(arrays)


def _sequences(engine: Engine) -> Sequences:
    """Four prompts in the subject's template, each with an answer."""
    return [
        (
            chat.prompt_ids(engine.subject, engine.tokenizer, prompt),
            chat.answer_ids(engine.subject, engine.tokenizer, answer),
        )
        for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)
    ]


def _largest_logit(engine: Engine, sequences: Sequences) -> float:
    """Of any position, without an edit."""
    with quiet(), torch.inference_mode():
        rows = [torch.tensor([prompt + answer], device=engine.device) for prompt, answer in sequences]
        return max(float(engine.model(input_ids=row, use_cache=False).logits.abs().max()) for row in rows)


def _made_up(engine: Engine, comparison: _Comparison) -> Iterator[tuple[str, Files]]:
    """(operator, an edit of it that is as large as it has to be)."""

    def grown(operator: str, make: Callable[[float], Files], size: float) -> Files:
        """Doubled until it can be seen, at most sixteen times."""
        files = make(size)
        for n in range(1, 17):
            if comparison.moved(operator, files) >= max(VISIBLE_NATS, LEAST * comparison.tolerance):
                break
            files = make(size * 2**n)
        return files

    layout = engine.subject.layout
    adapter = grown("lora", lambda b: _adapter(engine, b, "attention"), 0.05)
    yield "lora", adapter
    yield "lora, all", grown("lora, all", lambda b: _adapter(engine, b, "all"), 0.05)
    which = [(layer, head) for layer in layout.softmax_layers for head in range(-(-layout.layers[layer].heads // 2))]
    yield "tempering", heads.files(which, heads.head_norm(engine.model, layout, which))
    vector = np.random.default_rng(0).normal(size=layout.hidden_size) / math.sqrt(layout.hidden_size)
    middle = layout.n_layers // 2
    yield "steering", grown("steering", lambda length: direction.files({middle: length * vector}, False), 1.0)
    kept = {layout.n_layers - 1: vector[::-1].copy(), 0: vector}
    yield (
        "steering, kept",
        grown(
            "steering, kept",
            lambda length: direction.files({layer: length * one for layer, one in kept.items()}, True),
            1.0,
        ),
    )
    yield "contrast", contrast.files(adapter)


def _adapter(engine: Engine, b: float, which: str) -> Files:
    """Random matrices on all modules of `which`; `b` is the spread of B, where A keeps the size of what it reads."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for paths in engine.subject.layout.covered(which).values():
        for path in paths:
            outputs, inputs = engine.model.get_submodule(path).weight.shape
            a, spread = (
                torch.randn(_RANK, inputs, generator=generator),
                torch.randn(outputs, _RANK, generator=generator),
            )
            weights[f"base_model.model.{path}.lora_A.weight"] = a / math.sqrt(inputs)
            weights[f"base_model.model.{path}.lora_B.weight"] = b * spread
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": _RANK,
        "lora_alpha": _RANK,
        "target_modules": engine.subject.modules(which),
    }
    return {CONFIG_FILE: json.dumps(config, sort_keys=True).encode(), WEIGHTS_FILE: save(weights)}


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one - two).max())


def _told(error: BaseException) -> str:
    """An exception in a line."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[0] if isinstance(error, _Unusable) else f"{type(error).__name__}: {lines[0]}"
