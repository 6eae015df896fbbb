"""What is asked of the engine: answers to be written, texts to be read, and where the edits that they name act.

An edit acts inside the model, on the logits, in the prompt or on the finished answer, by its kind; a request may have
several at once. Knows no model and no tokenizer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dd_core.errors import EditNotApplied
from dd_core.records import Message
from dd_core.subjects.edits import Edit
from dd_core.subjects.edits.contrast import Contrast
from dd_core.subjects.edits.gate import Gate
from dd_core.subjects.edits.instruction import Instruction


@dataclass(frozen=True)
class Request:
    """One answer to be written.

    Args:
        prompt_id: names the prompt; with `seed` and the token's position it determines the row's noise.
        prompt: the user's words.
        seed: decoding seed; without effect at temperature 0.
        system: an instruction before the prompt.
        edit: id under which the engine was given the edit; None is the base model.
        strength: factor on the edit; at its identity the text is the base model's exactly.
        history: the turns before the prompt, user and assistant in turn.
        beside: edits that are on at the same time, each with its strength.
    """

    prompt_id: str
    prompt: str
    seed: int = 0
    system: str | None = None
    edit: str | None = None
    strength: float = 1.0
    history: tuple[Message, ...] = ()
    beside: tuple[tuple[str, float], ...] = ()

    @property
    def asked(self) -> tuple[tuple[str, float], ...]:
        """All of its edits, each with its strength."""
        return self.beside if self.edit is None else ((self.edit, self.strength), *self.beside)


@dataclass(frozen=True)
class Spoken:
    """A prompt and an answer to it, to be read: its states, or how likely the answer is.

    Args:
        prompt: the user's words.
        answer: as text; the end token is no part of it.
        system, history: as of `Request`.
    """

    prompt: str
    answer: str
    system: str | None = None
    history: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Acting:
    """Edits by where they act, each (id, strength).

    Args:
        inside: in the model.
        told: what instructions among them say.
        contrast: on the logits.
        gate: on the finished answer.
    """

    inside: tuple[tuple[str, float], ...] = ()
    told: tuple[str, ...] = ()
    contrast: tuple[str, float] | None = None
    gate: tuple[str, float] | None = None

    @property
    def row(self) -> tuple[tuple[str, float], ...]:
        """What is on in the model, with the adapter of a contrast as its logits need it."""
        return self.inside if self.contrast is None else ((self.contrast[0], 1.0), *self.inside)

    @property
    def alpha(self) -> float | None:
        """Strength of the contrast; None without one."""
        return self.contrast[1] if self.contrast else None

    def system(self, own: str | None) -> str | None:
        """The whole instruction before a prompt whose own is `own`."""
        return "\n\n".join(filter(None, (own, *self.told))) or None


def acting(asked: Sequence[tuple[str, float]], edits: Mapping[str, Edit]) -> Acting:
    """Sorts the edits that one row asks for by where they act.

    Raises:
        EditNotApplied: one is unknown, its strength is not finite or, of an instruction, neither 0 nor 1; there are two
            contrasts or two gates.
    """
    inside, told = [], []
    single: dict[type, tuple[str, float]] = {}
    for name, strength in asked:
        edit = edit_of(name, edits)
        if not math.isfinite(strength):
            raise EditNotApplied(f"edit {name}: a strength of {strength} is no number to scale by")
        if isinstance(edit, Instruction):
            if strength not in (0.0, 1.0):
                raise EditNotApplied(
                    f"edit {name}: an instruction is given (strength 1) or not (0), not at {strength:g}"
                )
            told += [edit.text] if strength else []
        elif isinstance(edit, Contrast | Gate):
            if type(edit) in single:
                raise EditNotApplied(
                    f"edits {single[type(edit)][0]} and {name} were asked for in one row, which has room for one "
                    f"{type(edit).__name__.lower()}"
                )
            single[type(edit)] = (name, strength)
        else:
            inside.append((name, strength))
    return Acting(tuple(inside), tuple(told), single.get(Contrast), single.get(Gate))


def edit_of(name: str, edits: Mapping[str, Edit]) -> Edit:
    """The edit of that id.

    Raises:
        EditNotApplied: there is none.
    """
    if name not in edits:
        raise EditNotApplied(f"edit {name!r} was asked for and never given to the engine")
    return edits[name]


def gates(where: Iterable[Acting], edits: Mapping[str, Edit]) -> dict[str, Gate]:
    """The gates that rows ask for, by id, in the order of their ids."""
    names = sorted({one.gate[0] for one in where if one.gate})
    return {name: gate for name in names if isinstance(gate := edits[name], Gate)}


def hedges(where: Sequence[Acting], judges: Mapping[str, Gate], states: Mapping[str, np.ndarray]) -> dict[int, Gate]:
    """Number of each answer that its gate hedges → the gate.

    Args:
        where: of each answer its edits.
        judges: as `gates` says.
        states: tag → [n, width] of the answers.
    """
    found: dict[int, Gate] = {}
    for name, gate in judges.items():
        mine = {i: one.gate[1] for i, one in enumerate(where) if one.gate and one.gate[0] == name}
        doubted = gate.hedges(states[gate.tag][list(mine)], list(mine.values()))
        found |= {i: gate for i, doubt in zip(mine, doubted, strict=True) if doubt}
    return found
