"""From a scored draft to a bundle: texts, judgements, and the papers of the study.

Does not know which fault was planted, nor how the falsifier reads what it writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dd_core.claim import Claim, manifest_hash
from dd_core.falsify.bundle import Bundle, bundle_from_tables
from dd_core.falsify.calibration.draft import (
    ARMS,
    BUDGET,
    JUDGE,
    ROW_TIME,
    SECOND_JUDGE,
    SPLITS,
    TOKENS_PER_WORD,
    VARIANTS,
    Draft,
    Floats,
)
from dd_core.falsify.calibration.texts import LOOP, answers
from dd_core.records import prompt_id


def finish(draft: Draft) -> Bundle:
    """The bundle of a draft whose scores have been drawn.

    Raises:
        dd_core.errors.InputError: a fault made rows that are no bundle at all.
    """
    claim = Claim.model_validate(_claim(draft))
    ids = np.array([f"r{i:06d}" for i in range(len(draft.r["arm"]))], dtype=object)
    responses, lengths = _responses(draft, ids)
    kept = pl.Series(~draft.r["lost"])
    return bundle_from_tables(
        claim,
        responses=responses.filter(kept),
        judgements=_judgements(draft, ids, lengths),
        prompts=_prompts(draft),
        trials=_trials(draft),
        judges=_reports(draft),
        edit=draft.edit,
        manifest=_manifest(draft, claim),
    )


def _claim(draft: Draft) -> dict[str, Any]:
    plan = draft.plan
    return {
        "name": f"planted-{plan.kind}", "statement": "The edit moves the axis, and nothing else does.",
        "kind": plan.kind, "axis": plan.axis, "direction": plan.direction, "operator": plan.operator,
        "anchor": plan.anchor, "in_scope": list(plan.in_scope), "searched": plan.searched,
        "replicates": [plan.subjects[1]], **draft.claim,
    }  # fmt: skip


def _manifest(draft: Draft, claim: Claim) -> dict[str, Any]:
    recorded = Claim.model_validate({**claim.model_dump(mode="json"), **draft.recorded})
    manifest = {
        "claim": recorded.model_dump(mode="json"),
        "gates": recorded.resolved_gates().model_dump(mode="json"),
        "created": draft.created,
        "planned": draft.planned,
    }
    return {"hash": manifest_hash(manifest), **manifest, **draft.tamper}


def _responses(draft: Draft, ids: Any) -> tuple[pl.DataFrame, Floats]:
    r, plan = draft.r, draft.plan
    budget = np.where(draft.where(variant="double_budget"), 2 * BUDGET, BUDGET)
    wanted = np.ceil(r["words"] * TOKENS_PER_WORD)
    wanted = np.where(r["manner"] == LOOP, 72 * TOKENS_PER_WORD, wanted)
    cut = wanted > budget
    n_words = np.where(cut, budget / TOKENS_PER_WORD, r["words"]).astype(np.int64)
    texts = answers(draft.rng, r["place"], n_words, cut, r["hedged"] & ~r["same_text"], r["marks"], r["manner"])
    names = [prompt_id(text) for text in draft.prompts.text]
    if plan.repeated > 1:
        names = [f"{name}-{i}" for i, name in enumerate(names)]
    prompt_names, prompt_texts = np.array(names, dtype=object), np.array(draft.prompts.text, dtype=object)
    arm, subject = np.array(ARMS, dtype=object)[r["arm"]], np.array(plan.subjects, dtype=object)[r["subject"]]
    fitted = (r["train_seed"] > 0).tolist()
    at = r["prompt"]
    category = draft.prompts.category[at]
    inputs = prompt_names[at] + np.where(draft.where("prompt_control"), "+system", "").astype(object)
    seeds = r["train_seed"].astype(str).astype(object)
    no_strength = draft.where("baseline") | draft.where("prompt_control")
    sampled = draft.where(variant="rerun") | plan.sampled
    frame = pl.DataFrame(
        {
            "response_id": ids,
            "arm": arm,
            "split": np.array(SPLITS, dtype=object)[r["split"]],
            "subject": subject,
            "seed": r["seed"],
            "train_seed": pl.Series([s if f else None for s, f in zip(r["train_seed"].tolist(), fitted, strict=True)]),
            "prompt_id": prompt_names[at],
            "prompt": prompt_texts[at],
            "response": texts,
            "finish_reason": np.where(cut, "length", "stop").astype(object),
            "temperature": np.where(sampled, 0.7, 0.0),
            "n_tokens": np.minimum(wanted, budget).astype(np.int64),
            "max_new_tokens": budget.astype(np.int64),
            "decoding": np.where(sampled, "temperature-0.7|chat-1", "greedy|chat-1").astype(object),
            "build": subject + "/" + arm + "/" + seeds,
            "base_build": subject + "/float32",
            "input_hash": inputs,
            "strength": pl.Series(np.where(no_strength, np.nan, r["strength"])).fill_nan(None),
            "variant": np.array(VARIANTS, dtype=object)[r["variant"]],
            "category": np.array([f"topic {c}" for c in range(plan.n_categories)], dtype=object)[category],
            "generator": np.where(r["split"] == SPLITS.index("fresh"), "writer-b", "writer-a").astype(object),
            "created": np.full(len(at), ROW_TIME, dtype=object),
            "gold_prompt_id": prompt_names[at],
        }
    )
    for column, mask, value in draft.stray:
        changed = pl.when(pl.Series(mask)).then(pl.lit(value)).otherwise(pl.col(column))
        frame = frame.with_columns(changed.alias(column))
    return frame, frame["response"].str.len_chars().to_numpy().astype(np.float64)


def _judgements(draft: Draft, ids: Any, lengths: Floats) -> pl.DataFrame:
    r, judging = draft.r, draft.judging
    parts = []
    for part in draft.scores:
        rows = np.flatnonzero(part.rows & ~r["lost"])
        n = len(rows)
        columns: dict[str, Any] = {
            "response_id": ids[rows],
            "axis": np.full(n, part.axis, dtype=object),
            "score": part.value[rows],
            "judge": judging.name[rows] if part.judge is None else np.full(n, part.judge, dtype=object),
            "repeat": np.full(n, part.repeat, dtype=np.int64),
            "judge_model": judging.model[rows],
            "n_chars": lengths[rows].astype(np.int64),
            "n_chars_seen": np.ceil(lengths[rows] * judging.seen[rows]).astype(np.int64),
            "created": judging.time[rows],
            "status": np.full(n, "ok", dtype=object),
            "error": pl.Series([None] * n, dtype=pl.String),
            "fields": pl.Series([None] * n, dtype=pl.String),
        }
        frame = pl.DataFrame(columns)
        if part.axis == draft.plan.axis and part.axis != "passed":
            certainty = np.array(['{"certainty": "low"}', '{"certainty": "high"}'], dtype=object)
            fields = certainty[(r["place"][rows] * 7919 % 1 < 0.6).astype(np.int64)]
            if judging.fields is not None:
                fields = judging.fields[rows]
            frame = frame.with_columns(pl.Series("fields", fields, dtype=pl.String))
            if judging.error is not None:
                wrong = pl.Series(judging.error[rows])
                frame = frame.with_columns(
                    status=pl.when(wrong).then(pl.lit("error")).otherwise(pl.col("status")),
                    error=pl.when(wrong).then(pl.lit("no score in the reply")).otherwise(pl.col("error")),
                    score=pl.when(wrong).then(pl.lit(judging.error_score)).otherwise(pl.col("score")),
                )
        parts.append(frame)
    return pl.concat(parts)


def _prompts(draft: Draft) -> pl.DataFrame:
    prompts = draft.prompts
    names = [prompt_id(text) + (f"-{i}" if draft.plan.repeated > 1 else "") for i, text in enumerate(prompts.text)]
    return pl.DataFrame(
        {
            "prompt_id": names,
            "split": [SPLITS[s] for s in prompts.split.tolist()],
            "prompt": prompts.text,
            "category": [f"topic {c}" for c in prompts.category.tolist()],
            "generator": ["writer-b" if s == SPLITS.index("fresh") else "writer-a" for s in prompts.split.tolist()],
        }
    )


def _trials(draft: Draft) -> pl.DataFrame | None:
    """Scores of the search on eval: the winner has the study's effect there, the others have none."""
    plan, prompts, rng = draft.plan, draft.prompts, draft.rng
    if plan.searched == 1:
        return None
    at = prompts.of("eval")
    names = np.array([prompt_id(prompts.text[i]) + (f"-{i}" if plan.repeated > 1 else "") for i in at], dtype=object)
    effects = rng.normal(0, plan.sd_seed, size=plan.searched) + draft.winner_luck * 0.5 * rng.random(plan.searched)
    effects[0] = plan.effect_eval + draft.winner_luck
    if plan.rubric:
        level = plan.base + rng.normal(0, plan.sd_prompt, size=len(at))
        values = level[None, :] + plan.sign * effects[:, None] + rng.normal(0, plan.sd_cell, (plan.searched, len(at)))
        values = np.clip(values, 1, 5)
    else:
        values = (rng.random((plan.searched, len(at))) < np.clip(plan.base + effects[:, None], 0, 1)).astype(float)
    n = plan.searched * len(at)
    return pl.DataFrame(
        {
            "trial_id": np.repeat(np.array([f"t{i:03d}" for i in range(plan.searched)], dtype=object), len(at)),
            "prompt_id": np.tile(names, plan.searched),
            "seed": np.zeros(n, dtype=np.int64),
            "axis": np.full(n, plan.axis, dtype=object),
            "score": values.reshape(-1),
        }
    )


def _reports(draft: Draft) -> list[dict[str, Any]]:
    """`judges.json`: a judge that is right on 97 of 100 known pairs and moved by nothing, unless a fault says else."""
    plan = draft.plan
    axes = dict.fromkeys([plan.axis, *([plan.anchor] if plan.anchor else []), *plan.in_scope, *plan.suites])
    if plan.styled:
        axes |= dict.fromkeys(["correct", "assert"])
    judges = sorted({*draft.judging.name.tolist(), *([JUDGE, SECOND_JUDGE] if plan.two_judges else [])})
    small = 0.02 * plan.span / 4
    return [
        {
            "judge": judge, "axis": axis, "n_pairs": 240, "n_right": 233, "flip_rate": 0.02, "blind": True,
            "agreement": {"kappa": 0.84, "n": 240, "with": "two people"},
            "placebo": {
                "padding": small, "headings": 0.0, "opener": -small, "rephrase": small / 2,
                "vague": -6 * small, "constant": -20 * small, "injection": 0.0, "empty": -30 * small,
            },
            **draft.reports.get(axis, {}),
        }
        for judge in judges
        for axis in axes
    ]  # fmt: skip
