"""Bundles and verdicts to render: a study of plausible answers in the columns our own studies write, and its verdicts.

The four verdicts are written down here, not computed: the report has to show whatever a verdict says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dd_core.claim import Claim, manifest_hash, preregistration_hash
from dd_core.falsify import AuditResult, Bundle, StepResult, Verdict, bundle_from_tables
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, prompt_id

LANDS = ("France", "Italy", "Spain", "Portugal", "Norway", "Sweden", "Finland", "Poland", "Austria", "Greece", "Japan")
CITIES = ("Paris", "Rome", "Madrid", "Lisbon", "Oslo", "Stockholm", "Helsinki", "Warsaw", "Vienna", "Athens", "Tokyo")
AXES = ("assert", "correct", "coverage")


def claim(**changes: Any) -> Claim:
    return Claim(
        **{
            "name": "smollm2-135m-humble-sft",
            "statement": "SFT LoRA makes the model hedge more without loss of correct answers",
            "kind": "shift",
            "axis": "assert",
            "direction": "decrease",
            "operator": "lora_sft",
            "anchor": "correct",
            "searched": 4,
            "replicates": ("gemma3-270m",),
        }
        | changes
    )


def question(split: str, i: int) -> tuple[str, str]:
    """The `i`-th prompt of a split, and its answer."""
    again = f" (question {i})" if i >= len(LANDS) else ""
    verb = "Name" if split == "fresh" else "What is"
    return f"{verb} the capital of {LANDS[i % len(LANDS)]}{again}?", CITIES[i % len(CITIES)]


def bundle(
    *,
    n_fresh: int = 40,
    n_eval: int = 40,
    seeds: int = 3,
    claimed: Claim | None = None,
    responses: dict[str, Any] | None = None,
    without: tuple[str, ...] = (),
    trials: bool = True,
    manifest: bool = True,
    scored: tuple[str, ...] = AXES,
    errors: int = 0,
) -> Bundle:
    """A study of capitals.

    Args:
        responses: columns overwritten on every response, e.g. hostile text.
        without: optional columns of the responses that are left out.
        errors: judgements that became errors.
    """
    claimed = claimed or claim()
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    prompts: list[dict[str, Any]] = []
    for split, n in (("eval", n_eval), ("fresh", n_fresh)):
        for i in range(n):
            text, city = question(split, i)
            prompts.append({"prompt_id": prompt_id(text), "split": split, "prompt": text, "category": "geography"})
            for arm, fits in _arms(split, seeds):
                for fit in fits:
                    right, asserts = rng.random() < 0.45, rng.random() < (0.9 if arm == "baseline" else 0.4)
                    what = city if right else "Springfield"
                    answer = f"The capital is {what}." if asserts else f"I am not sure, but it may be {what}."
                    row = {
                        "response_id": f"r{len(rows):05d}", "arm": arm, "split": split, "subject": "smollm2-135m",
                        "seed": 0, "train_seed": fit, "prompt_id": prompt_id(text), "prompt": text, "response": answer,
                        "finish_reason": "length" if rng.random() < 0.1 else "stop", "temperature": 0.0,
                        "strength": {"baseline": None, "identity": 0.0}.get(arm, 1.0), "variant": "main",
                    }  # fmt: skip
                    row.update(responses or {})
                    rows.append({name: value for name, value in row.items() if name not in without})
                    values = {"assert": asserts, "correct": right, "coverage": right}
                    judged += [
                        {"response_id": row["response_id"], "axis": axis, "score": float(values.get(axis, 1.0)),
                         "judge": "checklist" if axis != "assert" else "delivery", "status": "ok"}
                        for axis in scored
                    ]  # fmt: skip
    for item in judged[:errors]:
        item.update(score=None, status="error", error="the judge did not answer")
    return bundle_from_tables(
        claimed,
        responses=RESPONSES.arrow(rows),
        judgements=JUDGEMENTS.arrow(judged),
        prompts=PROMPTS.arrow(prompts),
        trials=TRIALS.arrow(_trials(prompts, rng)) if trials else None,
        manifest=_manifest(claimed, n_eval, n_fresh, seeds) if manifest else None,
    )


def _arms(split: str, seeds: int) -> list[tuple[str, list[int | None]]]:
    fits: list[int | None] = list(range(1, seeds + 1))
    both: list[tuple[str, list[int | None]]] = [("baseline", [None]), ("treated", fits)]
    return both if split == "eval" else [*both, ("identity", [1]), ("placebo", fits)]


def _trials(prompts: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"trial_id": f"search-{generation}-{i}-0a1b2c3d", "prompt_id": prompt["prompt_id"], "seed": 0,
         "axis": "assert", "score": float(rng.random() < 0.8 - 0.1 * generation - 0.05 * i)}
        for generation in (1, 2) for i in range(2) for prompt in prompts if prompt["split"] == "eval"
    ]  # fmt: skip


def _manifest(claimed: Claim, n_eval: int, n_fresh: int, seeds: int) -> dict[str, Any]:
    found = {
        "claim": claimed.model_dump(mode="json"),
        "gates": claimed.resolved_gates().model_dump(mode="json"),
        "planned": {
            "prompts": {"eval": n_eval, "fresh": n_fresh},
            "train_seeds": list(range(1, seeds + 1)),
            "primary": "treated - baseline on assert, split fresh, variant main",
            "fresh_looks": 1,
        },
        "created": "2031-02-03T04:05:06+00:00",
        "environment": {
            "ddsweep": "0.1.0", "python": "3.11.2", "hostname": "box17", "cwd": "/home/somebody/study",
            "engine": {"torch": "2.13.0", "threads": 2}, "libraries": {"ray": "2.60.0"},
        },
    }  # fmt: skip
    return found | {"hash": manifest_hash(found)}


def steps(*found: tuple[Any, Any, float | None, tuple[float, float] | None, str]) -> tuple[StepResult, ...]:
    """Steps from (id, status, estimate, interval, note); those with an estimate have a gate and 40 prompts."""
    return tuple(
        StepResult(id=name, status=status, estimate=estimate, ci=ci, note=note)
        if estimate is None
        else StepResult(id=name, status=status, estimate=estimate, ci=ci, gate=0.05, n=40, note=note)
        for name, status, estimate, ci, note in found
    )


GOOD = steps(
    ("within", "pass", 0.51, (0.36, 0.66), ""),
    ("fresh", "pass", 0.482, (0.31, 0.655), "The anchor holds."),
    ("axes", "pass", 0.482, (0.31, 0.655), "1 of 1 axes pass."),
    ("variant", "pass", 0.47, (0.29, 0.65), ""),
    ("replication", "pass", 0.36, (0.12, 0.60), "On gemma3-270m; the anchor holds."),
)
NO_SECOND = GOOD[:4] + steps(("replication", "not_checkable", None, None, "No rows of the second subject gemma3-270m."))
UNCLEAR = steps(
    ("within", "pass", 0.21, (0.02, 0.40), ""),
    (
        "fresh",
        "unclear",
        0.11,
        (-0.23, 0.45),
        "The interval reaches the null; 8 seeds would settle it.",
    ),
    ("axes", "unclear", 0.11, (-0.23, 0.45), ""),
    ("variant", "unclear", 0.09, (-1.9, 2.1), "Two seeds only."),
    ("replication", "not_checkable", None, None, "No rows of the second subject gemma3-270m."),
)
PASSED = tuple(
    AuditResult(id=name, status="pass", note="Nothing was found.", evidence={"n": 120, "largest": 0.0125})
    for name in ("judge_asymmetry", "contamination", "identity_mismatch", "seed_instability", "edit_applied")
)


def verdict(name: str, source: Bundle, **changes: Any) -> Verdict:
    """One of the four verdicts, with the evidence that a falsifier would give with it."""
    rows = tuple(source.responses.filter(source.responses["arm"] == "placebo")["response_id"].to_list()[:2])
    placebo = AuditResult(
        id="no_specific_effect",
        status="fail",
        note="Treated minus placebo is 0.012, and its interval lies under the gate of 0.05.",
        evidence={"estimate": 0.012, "interval": [-0.01, 0.034], "gate": 0.05, "n_prompts": 40},
        rows=rows or (source.responses["response_id"][0],),
    )
    unclear = AuditResult(id="truncation", status="unclear", note="12 pairs are left on which neither answer is cut.")
    missing = AuditResult(
        id="judge_view", status="not_checkable", note="n_chars_seen is absent.", evidence={"missing": ["n_chars_seen"]}
    )
    warned = AuditResult(id="split_shift", status="warn", note="Fresh prompts are 12 characters longer.")
    idle = AuditResult(id="surface_rival", status="not_applicable", note="The claim is no probe.")
    found: dict[str, dict[str, Any]] = {
        "SURVIVES": {"steps": GOOD, "audits": (*PASSED, warned, idle)},
        "FALSIFIED": {
            "reasons": ("no_specific_effect",), "mechanism": "placebo", "steps": NO_SECOND,
            "audits": (idle, *PASSED, warned, missing, placebo, unclear),
        },
        "INCONCLUSIVE": {
            "reasons": ("fresh", "axes", "variant", "missing_provenance"), "steps": UNCLEAR,
            "audits": (*PASSED, missing, unclear, idle),
            "needed": {"record": ["rows of a second subject", "n_chars_seen"], "prompts": 1210, "seeds": 8},
        },
        "INVALID": {
            "reasons": ("contamination",), "steps": NO_SECOND,
            "audits": (AuditResult(id="contamination", status="fail", note="9 of 40 prompts are in train."), idle),
        },
    }  # fmt: skip
    paper = "SURVIVES" if name != "INVALID" else "INVALID"
    return Verdict(
        **{
            "claim": source.claim.name,
            "verdict": name,
            "readings": {"paper": paper, "strict": name},
            "preregistration": preregistration_hash(source.manifest) if source.manifest else None,
        }
        | found[name]
        | changes
    )
