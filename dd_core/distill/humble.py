"""Training rows for the humble disposition, from the base model's own answers.

Where the base is wrong the row hedges its answer, where it is right the row states it: nothing is taught but when to
hedge. Makes no judgement of its own: which answers are right is handed in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from dd_core.distill.sentence import first_sentence, without_hedges
from dd_core.errors import InputError
from dd_core.records import Prompt, Teaching, TrainingPair, TrainingRow

FRAMES: tuple[tuple[str, str], ...] = (
    ("I'm not sure, but I think ", ""),
    ("I could be wrong, but I believe ", ""),
    ("As far as I know, ", ""),
    ("My best guess is this: ", ""),
    ("I'm not certain, but perhaps ", ""),
    ("If I remember correctly, ", ""),
    ("I don't know for sure, but maybe ", ""),
    ("", " I'm not sure about that, though."),
    ("", " But I might be mistaken."),
    ("It's possible that ", ""),
)
"""What is said before and after a plain sentence to hedge it."""

MINIMUM = 4
"""Rows of each kind below which nothing is made: fewer teach a phrase and not a distinction."""

_FUNCTION_WORDS = "the a an it this that there these those in on at he she they its his her their one most some"
_LOWERED = frozenset(re.findall(r"\w+", _FUNCTION_WORDS))


class Humble:
    """The disposition's entry in the registry."""

    def teaching(
        self,
        prompts: Sequence[Prompt],
        answers: Mapping[str, str],
        correct: Mapping[str, bool],
        n_rows: int,
        n_pairs: int,
        seed: int,
    ) -> Teaching:
        """As `training_rows`, and a pair of each row as long as there may be more."""
        rows = training_rows(prompts, answers, correct, n_rows, seed)
        return Teaching(rows=tuple(rows), pairs=tuple(training_pairs(rows[:n_pairs], seed)))

    def placebo(self, teaching: Teaching, seed: int) -> Teaching:
        """As `placebo_rows` and `placebo_pairs`."""
        rows, pairs = placebo_rows(teaching.rows, seed), placebo_pairs(teaching.pairs, seed)
        return Teaching(rows=tuple(rows), pairs=tuple(pairs))


def training_rows(
    prompts: Sequence[Prompt],
    answers: Mapping[str, str],
    correct: Mapping[str, bool],
    n: int,
    seed: int,
    *,
    minimum: int = MINIMUM,
) -> list[TrainingRow]:
    """As many hedging rows as asserting ones, `n` // 2 of each, or as many as the rarer kind allows.

    Args:
        prompts: the prompts to train on, each once; their order does not matter.
        answers: prompt id → the base's answer; only its first sentence is used, without hedges of its own.
        correct: prompt id → whether that answer is right.
        seed: decides which prompts are taken, their order, and which frame hedges which.
        minimum: rows of each kind that there must be.

    Raises:
        InputError: a prompt is given twice or has no answer or no correctness, or a kind has fewer than `minimum`
            usable rows; the counts are told.
    """
    _check_joins(prompts, answers, correct)
    if n < 2:
        raise InputError(f"training rows: n is {n}, but one row of each kind needs at least 2")
    usable: dict[bool, list[tuple[Prompt, str]]] = {True: [], False: []}
    n_unusable = 0
    for prompt in sorted(prompts, key=lambda prompt: prompt.prompt_id):
        sentence = first_sentence(answers[prompt.prompt_id])
        plain = without_hedges(sentence) if sentence else None
        if plain is None:
            n_unusable += 1
        else:
            usable[correct[prompt.prompt_id]].append((prompt, plain))
    n_right, n_wrong = len(usable[True]), len(usable[False])
    needed = max(minimum, 1)
    if min(n_right, n_wrong) < needed:
        raise InputError(
            f"training rows: {n_right} right and {n_wrong} wrong answers of {len(prompts)} can be used "
            f"({n_unusable} hold no finished statement), but at least {needed} of each are needed: give more prompts"
        )
    rng = random.Random(f"humble rows {seed}")
    each = min(n // 2, n_right, n_wrong)
    frames = _spread(each, rng)
    rows = [_row(prompt, plain, None) for prompt, plain in rng.sample(usable[True], each)]
    hedged = rng.sample(usable[False], each)
    rows += [_row(prompt, plain, frame) for (prompt, plain), frame in zip(hedged, frames, strict=True)]
    rng.shuffle(rows)
    return rows


def placebo_rows(rows: Sequence[TrainingRow], seed: int) -> list[TrainingRow]:
    """The same prompts, statements and hedges, dealt anew so that hedging no longer tracks correctness.

    Of the rows that hedged one half still does, and as many of those that asserted now hedge, so that the number of
    hedged rows and the frames used are as before. Order is kept.

    Args:
        rows: what `training_rows` returned.
        seed: decides which rows hedge, and with which frame.

    Raises:
        InputError: a hedging row is in none of `FRAMES`, so it was not made here.
    """
    rng = random.Random(f"humble placebo {seed}")
    frames, plain = [], []
    for row in rows:
        frame, sentence = _unframe(row) if row.kind == "hedge" else (None, row.completion)
        plain.append(sentence)
        if frame is not None:
            frames.append(frame)
    rng.shuffle(frames)
    hedging = [i for i, row in enumerate(rows) if row.kind == "hedge"]
    asserting = [i for i, row in enumerate(rows) if row.kind == "assert"]
    n_from_asserting = min(len(hedging) - len(hedging) // 2, len(asserting))
    chosen = rng.sample(hedging, len(hedging) - n_from_asserting) + rng.sample(asserting, n_from_asserting)
    frame_of = dict(zip(sorted(chosen), frames, strict=True))
    return [
        row.model_copy(
            update={
                "completion": hedge(plain[i], frame_of[i]) if i in frame_of else plain[i],
                "kind": "hedge" if i in frame_of else "assert",
            }
        )
        for i, row in enumerate(rows)
    ]


def training_pairs(rows: Sequence[TrainingRow], seed: int) -> list[TrainingPair]:
    """A pair of every row: its answer, and the same sentence said with the other certainty, which is rejected.

    Args:
        rows: what `training_rows` returned.
        seed: decides which frame hedges a rejected answer.

    Raises:
        InputError: as `placebo_rows`.
    """
    frames = _spread(len(rows), random.Random(f"humble pairs {seed}"))
    return [
        TrainingPair(
            prompt_id=row.prompt_id,
            prompt=row.prompt,
            chosen=row.completion,
            rejected=_unframe(row)[1] if row.kind == "hedge" else hedge(row.completion, frame),
            kind="calibration",
            history=row.history,
        )
        for row, frame in zip(rows, frames, strict=True)
    ]


def placebo_pairs(pairs: Sequence[TrainingPair], seed: int) -> list[TrainingPair]:
    """The same pairs, half of them turned round, so that which certainty is preferred tracks nothing. Order is kept."""
    turned = set(random.Random(f"humble placebo pairs {seed}").sample(range(len(pairs)), len(pairs) // 2))
    return [
        pair.model_copy(update={"chosen": pair.rejected, "rejected": pair.chosen}) if i in turned else pair
        for i, pair in enumerate(pairs)
    ]


def _check_joins(prompts: Sequence[Prompt], answers: Mapping[str, str], correct: Mapping[str, bool]) -> None:
    ids = [prompt.prompt_id for prompt in prompts]
    lines = [f"training rows: prompt {i} is given twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    lines += [f"training rows: prompt {i} has no answer of the base" for i in ids if i not in answers]
    lines += [f"training rows: nobody says whether the answer to prompt {i} is right" for i in ids if i not in correct]
    if lines:
        raise InputError(lines)


def _spread(n: int, rng: random.Random) -> list[tuple[str, str]]:
    """`n` frames, each used as often as any other, give or take one."""
    frames = [frame for start in range(0, n, len(FRAMES)) for frame in rng.sample(FRAMES, min(len(FRAMES), n - start))]
    rng.shuffle(frames)
    return frames


def _row(prompt: Prompt, plain: str, frame: tuple[str, str] | None) -> TrainingRow:
    return TrainingRow(
        prompt_id=prompt.prompt_id,
        prompt=prompt.prompt,
        completion=plain if frame is None else hedge(plain, frame),
        kind="assert" if frame is None else "hedge",
        history=prompt.history,
    )


def hedge(plain: str, frame: tuple[str, str]) -> str:
    """A plain sentence with a frame of `FRAMES` around it."""
    before, after = frame
    lowered = before and plain.split(" ")[0].lower() in _LOWERED
    return before + (plain[0].lower() + plain[1:] if lowered else plain) + after


def _unframe(row: TrainingRow) -> tuple[tuple[str, str], str]:
    """(frame, plain sentence) of a hedging row."""
    for before, after in FRAMES:
        if row.completion.startswith(before) and row.completion.endswith(after):
            plain = row.completion[len(before) : len(row.completion) - len(after)]
            return (before, after), plain[:1].upper() + plain[1:]
    raise InputError(f"placebo rows: the hedging row of prompt {row.prompt_id} was not made by this module")
