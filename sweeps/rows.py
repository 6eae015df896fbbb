"""From blocks to rows and from rows to a score: the pure steps at a trial's end. Knows no model and no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from dd_core.canonical import digest
from dd_core.claim import Claim
from dd_core.errors import TrialFailed
from dd_core.objectives import chosen, penalised
from dd_core.records import LabelledAnswer, Prompt, Teaching
from storage.blocks import Block
from sweeps.plan import Cell, EditSpec, TrialSpec

POSITION = "position"
"""Name of the array that says at which token of an answer its states were read; -1 is none."""


@dataclass(frozen=True)
class Scored:
    """One generate block with its judgements; both hold rows that are joined by `row_id`.

    Args:
        rows: of `dd_core.records.GENERATED`.
        judged: judge's name → block.
        judgements: of `dd_core.records.JUDGEMENTS`, with the row's id as `response_id`.
        states: tag → [rows, width], and `position` [rows]: the token of each answer that they were read at.
    """

    generated: Block
    rows: list[dict[str, Any]]
    judged: dict[str, Block]
    judgements: list[dict[str, Any]]
    states: dict[str, np.ndarray] = field(default_factory=dict)

    def by_prompt(self, axis: str, strength: float | None = None) -> dict[str, float]:
        """Prompt id → score on `axis`: the mean over judges of each one's mean over its passes, errors left out.

        Args:
            strength: of the edit, where the block holds answers at several; all if left out.
        """
        ids = {row["row_id"]: row["prompt_id"] for row in self.rows if strength is None or row["strength"] == strength}
        said: dict[str, dict[str, list[float]]] = {}
        for row in self.judgements:
            if row["axis"] == axis and row["score"] is not None and row["response_id"] in ids:
                said.setdefault(ids[row["response_id"]], {}).setdefault(row["judge"], []).append(row["score"])
        return {prompt: fmean(map(fmean, judges.values())) for prompt, judges in said.items()}


def placed(
    spec: TrialSpec, cell: Cell, scored: Scored, prompts: Mapping[str, Prompt]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The responses and judgements of one block, with the arm and split that the block itself does not know."""
    ids = {row["row_id"]: digest([cell.arm, cell.split, cell.variant, row["row_id"]])[:16] for row in scored.rows}
    edit = spec.edit if cell.strengths else None
    own = set(cell.strengths[:1]) if spec.claimed else set(cell.strengths)
    responses = [
        {name: value for name, value in row.items() if name != "row_id"}
        | {
            "response_id": ids[row["row_id"]],
            "arm": cell.arm,
            "split": cell.split,
            "variant": cell.variant if edit is None or row["strength"] in own else "dose",
            "subject": spec.subject,
            "train_seed": edit.train_seed if edit else None,
            "created": scored.generated.created,
            "category": prompts[row["prompt_id"]].category,
            "generator": prompts[row["prompt_id"]].generator,
            "gold_prompt_id": prompts[row["prompt_id"]].prompt_id,
        }
        for row in scored.rows
    ]
    judgements = [{**row, "response_id": ids[row["response_id"]]} for row in scored.judgements]
    return responses, judgements


def prompt_rows(prompts: Iterable[Prompt]) -> list[dict[str, Any]]:
    """Rows of `dd_core.records.PROMPTS`."""
    return [
        {
            "prompt_id": p.prompt_id,
            "split": p.split,
            "prompt": p.prompt,
            "category": p.category,
            "generator": p.generator,
        }
        for p in prompts
    ]


def trained_on(teaching: Teaching, asked: Iterable[Prompt], domain: Iterable[Prompt]) -> list[dict[str, Any]]:
    """Rows of `dd_core.records.PROMPTS` for what was trained on and is none of `asked`, each prompt once.

    Args:
        domain: training prompts of the domain, whose own words are taken; a row may wrap them.
    """
    known, own = {prompt.prompt_id for prompt in asked}, {prompt.prompt_id: prompt for prompt in domain}
    others = {name: text for name, text in teaching.prompts.items() if name not in known}
    listed = prompt_rows(own[name] for name in others if name in own)
    return listed + [
        {"prompt_id": name, "split": "train", "prompt": text} for name, text in others.items() if name not in own
    ]


def state_rows(scored: Scored, responses: Sequence[Mapping[str, Any]], subject: str | None) -> list[dict[str, Any]]:
    """Response id and states by tag, of answers that have a last token.

    Args:
        responses: of `placed`, of this block.
        subject: where it is not the study's own, whose states have the plain tag as their name.
    """
    suffix = "" if subject is None else f"@{subject}"
    tags = {tag: states for tag, states in scored.states.items() if tag != POSITION}
    return [
        {"response_id": row["response_id"], **{f"{tag}{suffix}": states[i] for tag, states in tags.items()}}
        for i, row in enumerate(responses)
        if tags and scored.states[POSITION][i] >= 0
    ]


def per_token(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Strength → mean over all tokens of what was recorded at each, by tag."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for one in scored:
        for i, row in enumerate(one.rows):
            for tag, values in one.states.items():
                if tag != POSITION:
                    found.setdefault(f"{row['strength']:g}", {}).setdefault(tag, []).append(values[i])
    return {
        strength: {tag: float(np.nanmean(np.concatenate(parts))) for tag, parts in tags.items()}
        for strength, tags in found.items()
    }


def fluency_rows(found: Sequence[Mapping[str, Any]], responses: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `Workshop.fluency` found of one block's answers, under the ids that `placed` gave them."""
    return [
        {"response_id": row["response_id"], "nll": one["nll"], "n_tokens": one["n_tokens"]}
        for one, row in zip(found, responses, strict=True)
    ]


def labelled(scored: Scored, prompts: Iterable[Prompt]) -> list[LabelledAnswer]:
    """The block's answers with what judges made of them, in the order of its rows."""
    asked = {prompt.prompt_id: prompt for prompt in prompts}
    axes = sorted({row["axis"] for row in scored.judgements})
    scores = {axis: scored.by_prompt(axis) for axis in axes}
    return [
        LabelledAnswer(
            prompt_id=row["prompt_id"],
            prompt=row["prompt"],
            response=row["response"],
            scores={axis: found[row["prompt_id"]] for axis, found in scores.items() if row["prompt_id"] in found},
            finish_reason=row["finish_reason"],
            history=asked[row["prompt_id"]].history,
        )
        for row in scored.rows
    ]


def probed_states(scored: Sequence[Scored], axis: str, cut: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(tag → states [n, width], whether each reaches the cut [n]) of the answers that have both a score and a state."""
    labels: list[bool] = []
    states: dict[str, list[np.ndarray]] = {}
    for one in scored:
        scores = one.by_prompt(axis)
        for i, row in enumerate(one.rows):
            if row["prompt_id"] in scores and one.states[POSITION][i] >= 0:
                labels.append(scores[row["prompt_id"]] >= cut - 1e-9)  # means of judges carry rounding
                for tag in one.states.keys() - {POSITION}:
                    states.setdefault(tag, []).append(one.states[tag][i])
    return {tag: np.stack(found) for tag, found in states.items()}, np.array(labels, dtype=bool)


def trial_rows(
    trial_id: str, responses: Sequence[Mapping[str, Any]], judgements: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of `dd_core.records.TRIALS`: what the selection null is drawn from. Where a trial tried several strengths,
    each is one that could have been chosen, and has an id of its own: the trial's, `@` and the strength."""
    by_id = {row["response_id"]: row for row in responses}
    several = len({row["strength"] for row in responses}) > 1
    names = {name: f"{trial_id}@{row['strength']:g}" if several else trial_id for name, row in by_id.items()}
    return [
        {
            "trial_id": names[row["response_id"]],
            "prompt_id": by_id[row["response_id"]]["prompt_id"],
            "seed": by_id[row["response_id"]]["seed"],
            "axis": row["axis"],
            "score": row["score"],
        }
        for row in judgements
    ]


def search_score(
    claim: Claim, strengths: Sequence[float], treated: Sequence[Scored], baseline: Sequence[Scored]
) -> dict[str, Any]:
    """What a trial of the search adds to its commit, over the prompts that have a score in both arms.

    `objectives` are the mean shift on the claimed axis in the claimed direction and the mean shift on the anchor (0
    where the claim has none), both as fractions of their axis' range, more being better; `score` is the first less what
    the second lost beyond the margin. Where several strengths were tried, `doses` has these of each, and the trial's
    own are those of `strength`, the one that `objectives.chosen` takes.

    Raises:
        TrialFailed: no prompt has a score on an axis in both arms.
    """

    def shift(axis: str, strength: float) -> float:
        low, high = claim.range_of(axis)
        before = {prompt: score for scored in baseline for prompt, score in scored.by_prompt(axis).items()}
        after = {prompt: score for scored in treated for prompt, score in scored.by_prompt(axis, strength).items()}
        pairs = sorted(before.keys() & after.keys())
        if not pairs:
            raise TrialFailed(f"no prompt of eval has a score on {axis} in both arms")
        return sum(after[prompt] - before[prompt] for prompt in pairs) / len(pairs) / (high - low)

    sign = 1.0 if claim.direction == "increase" else -1.0
    doses: list[dict[str, Any]] = []
    for strength in strengths:
        found = [shift(claim.axis, strength) * sign, shift(claim.anchor, strength) if claim.anchor else 0.0]
        doses.append({"strength": strength, "objectives": found, "score": penalised(found, claim.margin)})
    taken = doses[chosen([(dose["score"], tuple(dose["objectives"])) for dose in doses])]
    return taken if len(doses) == 1 else {**taken, "doses": doses}


def said_of(edit: EditSpec, meta: Mapping[str, Any], also: Mapping[str, Any]) -> dict[str, Any]:
    """What a fit adds to the bundle's `edit.json`: its norm, and what the edit itself is made of, by train seed.

    Args:
        also: told by what was written with it.
    """
    seed = str(edit.train_seed or 0)
    if edit.data == "placebo":
        return {"placebo_norms": {seed: meta["delta_norm"]}}

    own = {**meta.get("edit", {}), **also}
    cohorts = [{"train_seed": int(seed), **cohort} for cohort in own.get("cohorts", [])]
    told: dict[str, Any] = {"norm": {seed: meta["delta_norm"]}, "modules": meta["modules"]}
    if cohorts:
        parted = {name: {seed: value} for name, value in own.get("d", {}).items()}
        told |= {"cohorts": cohorts, "cosine": {seed: own["cosine"]}, "d": parted, "scored_on": own["scored_on"]}
        own["cohorts"] = [{"name": cohort["name"], "n": cohort["n"]} for cohort in cohorts]
    return told | ({"fits": {seed: own}} if own else {})
