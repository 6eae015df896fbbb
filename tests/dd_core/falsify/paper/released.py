"""A small release in the layout of the paper's repository, of made-up answers, open to faults before it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dd_core.falsify.paper.release import PATHS
from dd_core.falsify.paper.schema import AXES

N_TRAIN, N_FRESH, WIDTH = 40, 60, 8
DISHES = ["soup", "bread", "custard", "stew", "tart", "sauce", "roast", "salad", "broth", "mousse"]
TROUBLES = ["split", "burnt", "watery", "grainy", "bitter", "soggy", "lumpy"]


def question(split: str, index: int) -> str:
    """A prompt that no other prompt resembles."""
    rng = np.random.default_rng(abs(hash((split == "fresh", index))) % 2**32)
    letters = "".join(rng.choice(list("bcdfglmnprst"), 24))
    return f"{split} {index}: {letters[:8]} {letters[8:16]} {letters[16:]} {DISHES[index % 10]}?"


class Released:
    """The files by member of `Release`; JSON values, or arrays for the features. Change them, then `write`."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.right = {"train": rng.random(N_TRAIN) < 0.5, "fresh": rng.random(N_FRESH) < 0.4}
        x = {split: rng.normal(size=(len(right), WIDTH)) for split, right in self.right.items()}
        for split, right in self.right.items():
            x[split][:, 0] += 2.0 * right
        train = [self._judged(rng, "train", i, with_labels=True) for i in range(N_TRAIN)]
        fresh = [self._judged(rng, "fresh", i, with_labels=False) for i in range(N_FRESH)]
        train[3]["scores"] = {"error": "no_json"}
        fresh[5]["scores"] = {"error": "no_json"}
        self.files: dict[str, Any] = {
            "gemma_step16": {"params": {"judge_model": "judge"}, "items": train},
            "gemma_fresh": {"items": fresh},
            "gemma_gold": self._gold(),
            "smollm_gold": self._gold(),
            "smollm_profile": self._profile(rng),
            "qwen_profile": self._profile(rng),
            "chef_baseline": self._run(rng, train, 0.30),
            "chef_treated": self._run(rng, train, 0.35),
            "smollm_train_x": {
                "X": x["train"].astype(np.float32),
                "coverage": np.where(self.right["train"], 0.8, 0.2).astype(np.float32),
            },
            "smollm_fresh_x": {"X": x["fresh"].astype(np.float32)},
            "axis_sweep": self._sweep(train, fresh),
            "gemma_probe": self._probe(),
            "multilayer": {
                "configs": {"C=0.1": {"fresh": self._point(0.55)}},
                "bar": {"auc_min": 0.6, "asym_max": -0.15},
                "pass": False,
            },
            "spectra": {"base": {"evr_top20": [0.4, 0.3, 0.2], "ranks_for_variance": {"50%": 2, "90%": 3, "99%": 9}}},
            "qwen_heads": self._heads(rng),
            "humaneval_baseline": [{"task_id": f"HumanEval/{i}", "passed": i < 4} for i in range(20)],
            "humaneval_treated": [{"task_id": f"HumanEval/{i}", "passed": 2 <= i < 10} for i in range(20)],
            "mcas": {
                "baseline_scores": [1] * 30,
                "dd_fp16_scores": [2] * 20 + [1] * 10,
                "prompts": [{"prompt": f"case {i}", "type": "tricky"} for i in range(30)],
            },
        }

    def _judged(self, rng: np.random.Generator, split: str, i: int, *, with_labels: bool) -> dict[str, Any]:
        right = bool(self.right[split][i])
        scores = {axis: int(rng.integers(1, 6)) for axis in AXES}
        scores["factual_accuracy"] = int(rng.integers(4, 6) if right else rng.integers(1, 4))
        row = {"i": i, "prompt": question(split, i), "response": self._text(rng), "cert": "CERTAIN", "scores": scores}
        if with_labels:
            row |= {"coverage": 0.8 if right else 0.2, "correct": right, "verbal": "assert" if i % 10 else "hedge"}
        return row

    def _text(self, rng: np.random.Generator) -> str:
        words = [str(rng.choice(DISHES + TROUBLES)) for _ in range(int(rng.integers(10, 20)))]
        return " ".join(words) + ("." if rng.random() < 0.5 else " and")

    def _gold(self) -> dict[str, Any]:
        right = self.right["fresh"]
        return {"coverage": np.where(right, 0.6, 0.2).tolist(), "labels": right.astype(int).tolist()}

    def _profile(self, rng: np.random.Generator) -> dict[str, Any]:
        samples = [
            {
                "prompt_i": i, "topic": f"{DISHES[i % 10]} {TROUBLES[i % 7]}", "sample_idx": 0,
                "coverage": 0.8 if right else 0.2, "correct": bool(right), "verbal": "assert" if i % 4 else "hedge",
                "text": f"The {DISHES[i % 10]} is fine, {self._text(rng)}",
            }
            for i, right in enumerate(self.right["train"])
        ]  # fmt: skip
        cells = {"confident_right": 0, "hedged_right": 0, "confident_wrong": 0, "hedged_wrong": 0}
        for sample in samples:
            how = "confident" if sample["verbal"] == "assert" else "hedged"
            cells[f"{how}_{'right' if sample['correct'] else 'wrong'}"] += 1
        accuracy = (cells["confident_right"] + cells["hedged_right"]) / N_TRAIN
        return {"summary": {"cells": cells, "rates": {"accuracy": round(accuracy, 4)}}, "samples": samples}

    def _run(self, rng: np.random.Generator, train: list[dict[str, Any]], level: float) -> dict[str, Any]:
        rows = [
            {
                "i": i + 1, "prompt": item["prompt"], "response": item["response"] if level < 0.31 else self._text(rng),
                "score": float(np.clip(level + rng.normal(0, 0.1), 0, 1)), "passed": False, "issues": [],
                "incorrect_technique": 0, "incorrect_regional": 0, "incorrect_ingredient": 0,
                "invented_count": int(rng.integers(1, 5)), "implausible_temps": 0,
            }
            for i, item in enumerate(train)
        ]  # fmt: skip
        mean = sum(row["score"] for row in rows) / len(rows)
        sanity = [
            {"prompt": rows[0]["prompt"], "resp": rows[0]["response"]},
            {"prompt": rows[1]["prompt"], "resp": "No"},
        ]
        return {"summary": {"avg_score": mean}, "rows": rows, "sanity": sanity}

    def _sweep(self, train: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> dict[str, Any]:
        axes = {}
        for axis in AXES:
            counts = {}
            for split, items in (("step16", train), ("fresh", fresh)):
                scored = [item["scores"][axis] for item in items if "error" not in item["scores"]]
                counts[f"n_pos_{split}"] = sum(score >= 4 for score in scored)
                counts[f"n_neg_{split}"] = len(scored) - counts[f"n_pos_{split}"]
            pairs = {split: counts[f"n_pos_{split}"] * counts[f"n_neg_{split}"] for split in ("step16", "fresh")}
            axes[axis] = {
                **counts, "cv_auc_step16": (pairs["step16"] // 2) / pairs["step16"],
                "transfer_auc_fresh": (pairs["fresh"] * 4 // 10) / pairs["fresh"],
                "pass_cv": False, "pass_transfer": False,
            }  # fmt: skip
        return {"axes": axes, "cross_axis_oof_correlation": {"a__b": 0.3}, "gate": {"n_disposition_axes_passing": 0}}

    def _point(self, auc: float) -> dict[str, Any]:
        right = int(self.right["fresh"].sum())
        wrong = N_FRESH - right
        p_wrong, p_correct = (wrong // 2) / wrong, (right - 3) / right
        rates = {"thr": 0.1, "p_assert_wrong": p_wrong, "p_assert_correct": p_correct, "asym": p_wrong - p_correct}
        return {"auc": round(auc * right * wrong) / (right * wrong), "balanced_pc_0.70": rates}

    def _probe(self) -> dict[str, Any]:
        right = int(self.right["fresh"].sum())
        configs = {"C=1.0": self._point(0.5), "C=0.1": self._point(0.51)}
        counts = {"n_fresh": N_FRESH, "n_fresh_pos": right, "n_fresh_neg": N_FRESH - right}
        return {"evaluation": {"configs": configs, "gate_pass": False, **counts}}

    def _heads(self, rng: np.random.Generator) -> dict[str, Any]:
        heads = []
        for i in range(24):
            right, wrong = (float(value) for value in rng.normal(2, 0.1, size=2))
            heads.append(
                {
                    "layer": i // 8, "head": i % 8, "mean_cw": wrong, "mean_cr": right, "overconf_score": wrong - right,
                    "cohen_d": (wrong - right) / 0.5,
                }
            )  # fmt: skip
        heads.sort(key=lambda head: -head["cohen_d"])
        return {
            "cohorts": {"cr": 64, "cw": 18, "hr": 11, "hw": 7},
            "top20_overconf_heads": heads[:20],
            "all_heads_ranked_by_cohen_d": heads,
        }

    def write(self, folder: Path) -> Path:
        """Write every file that is still in `files`, and return the folder."""
        for name, value in self.files.items():
            path = folder / PATHS[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".npz":
                np.savez(path, **value)
            else:
                path.write_text(json.dumps(value), encoding="utf-8")
        return folder
