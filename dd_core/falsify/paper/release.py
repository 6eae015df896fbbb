"""Reads a checkout of the paper's repository, or a folder laid out like one, and joins what belongs together.

An absent file is None and is named; a malformed one is one line per fault. The one place where rows are joined by
position: the release keeps the labels, the features and the two MCAS columns as bare lists without an id. Their lengths
are checked against the rows that they belong to, and nothing more can be: a list in another order would go unseen.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from dd_core.errors import InputError
from dd_core.falsify.features import Header, read_arrays
from dd_core.falsify.paper import schema
from dd_core.falsify.reading import read_json

MOST_FAULTS = 5

RESULTS = "eval/results"
FIRST_PASS = "phase0_audit/results"

JSON_FILES: dict[str, tuple[str, type[BaseModel], type]] = {
    "gemma_step16": (f"{RESULTS}/judge_v4_step16.json", schema.JudgedAnswers, dict),
    "gemma_fresh": (f"{RESULTS}/judge_v4_fresh.json", schema.JudgedAnswers, dict),
    "gemma_gold": (f"{RESULTS}/v1_full_fresh_judged_gold.json", schema.Gold, dict),
    "smollm_gold": (f"{RESULTS}/smollm_fresh_judged_gold.json", schema.Gold, dict),
    "smollm_profile": (f"{RESULTS}/baseline_smollm_v2_disposition_profile.json", schema.Profile, dict),
    "qwen_profile": (f"{RESULTS}/baseline_qwen35_0.8b_v2_disposition_profile.json", schema.Profile, dict),
    "gemma_profile": (f"{RESULTS}/baseline_disposition_profile.json", schema.Profile, dict),
    "chef_baseline": (f"{RESULTS}/eval_baseline.json", schema.EvalRun, dict),
    "chef_treated": (f"{RESULTS}/eval_full_ddv2.json", schema.EvalRun, dict),
    "axis_sweep": (f"{RESULTS}/disposition_probe_sweep.json", schema.AxisSweep, dict),
    "multilayer": (f"{RESULTS}/probe_multilayer.json", schema.Multilayer, dict),
    "gemma_probe": (f"{RESULTS}/v1_full_v2.json", schema.GemmaProbe, dict),
    "smollm_probe": (f"{RESULTS}/smollm_factual_probe.json", schema.SmolProbe, dict),
    "spectra": (f"{RESULTS}/pca_rank.json", schema.Spectra, dict),
    "qwen_heads": (f"{RESULTS}/path_b_attribution_qwen35_0.8b.json", schema.Attribution, dict),
    "gemma_heads": (f"{RESULTS}/path_b_attribution_gemma4.json", schema.Attribution, dict),
    "humaneval_baseline": (f"{FIRST_PASS}/humaneval_baseline.json", schema.Tasks, list),
    "humaneval_treated": (f"{FIRST_PASS}/humaneval_dd_fp16.json", schema.Tasks, list),
    "mcas": (f"{FIRST_PASS}/mcas_details.json", schema.Mcas, dict),
    "first_pass": (f"{FIRST_PASS}/eval_results.json", schema.FirstPass, dict),
}
"""Member of `Release` → path in the checkout, its model, and whether it is an object or a list."""

FEATURE_FILES: dict[str, str] = {
    "smollm_train_x": f"{RESULTS}/smollm_step16_features.npz",
    "smollm_fresh_x": f"{RESULTS}/smollm_fresh_features.npz",
}

PATHS: dict[str, str] = {name: entry[0] for name, entry in JSON_FILES.items()} | FEATURE_FILES


@dataclass(frozen=True)
class Release:
    """The released files, each parsed, or None where it is absent.

    Args:
        smollm_train_x, smollm_fresh_x: last-layer hidden states at the last token, float64 [100, d] and [193, d].
    """

    gemma_step16: schema.JudgedAnswers | None = None
    gemma_fresh: schema.JudgedAnswers | None = None
    gemma_gold: schema.Gold | None = None
    smollm_gold: schema.Gold | None = None
    smollm_profile: schema.Profile | None = None
    qwen_profile: schema.Profile | None = None
    gemma_profile: schema.Profile | None = None
    chef_baseline: schema.EvalRun | None = None
    chef_treated: schema.EvalRun | None = None
    axis_sweep: schema.AxisSweep | None = None
    multilayer: schema.Multilayer | None = None
    gemma_probe: schema.GemmaProbe | None = None
    smollm_probe: schema.SmolProbe | None = None
    spectra: schema.Spectra | None = None
    qwen_heads: schema.Attribution | None = None
    gemma_heads: schema.Attribution | None = None
    humaneval_baseline: schema.Tasks | None = None
    humaneval_treated: schema.Tasks | None = None
    mcas: schema.Mcas | None = None
    first_pass: schema.FirstPass | None = None
    smollm_train_x: NDArray[np.float64] | None = None
    smollm_fresh_x: NDArray[np.float64] | None = None

    @property
    def absent(self) -> tuple[str, ...]:
        """Paths of the files that are not there, in the order of `PATHS`."""
        return tuple(path for name, path in PATHS.items() if getattr(self, name) is None)

    def lacks(self, *names: str) -> str:
        """Why what needs these members cannot be computed; empty where all are there."""
        missing = [PATHS[name].rpartition("/")[2] for name in names if getattr(self, name) is None]
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in the folder" if missing else ""


def read_release(folder: str | Path) -> Release:
    """The released files under `folder`.

    Raises:
        InputError: no such folder, none of the files in it, or something wrong in one of them; a line per fault.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a checkout of the paper's repository, with {RESULTS}")
    lines: list[str] = []
    found: dict[str, Any] = {}
    for name, (path, model, kind) in JSON_FILES.items():
        if (folder / path).is_file():
            found[name] = _parsed(folder / path, model, kind, lines)
    for name, path in FEATURE_FILES.items():
        if (folder / path).is_file():
            found[name] = _features(folder / path, lines)
    if not found:
        raise InputError(f"{folder}: has none of the paper's result files, such as {PATHS['gemma_step16']}")
    if lines:
        raise InputError(lines)
    release = Release(**found)
    _check_positions(release)
    return release


def _parsed(path: Path, model: type[BaseModel], kind: type, lines: list[str]) -> BaseModel | None:
    try:
        return model.model_validate(read_json(path, kind))
    except InputError as error:
        lines.extend(error.lines)
    except OSError as error:
        lines.append(f"{path.name}: cannot be read: {error.strerror or error}")
    except ValidationError as error:
        faults = error.errors(include_url=False)
        for fault in faults[:MOST_FAULTS]:
            where = ".".join(str(part) for part in fault["loc"])
            message = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{path.name}: {where}: {message}" if where else f"{path.name}: {message}")
        if len(faults) > MOST_FAULTS:
            lines.append(f"{path.name}: {len(faults) - MOST_FAULTS} more faults are not shown")
    return None


def _features(path: Path, lines: list[str]) -> NDArray[np.float64] | None:
    """Array `X` of an npz file, [n, d]."""
    try:
        values = read_arrays(path, _check_states, only="X")["X"]
    except InputError as error:
        lines.extend(error.lines)
        return None
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        lines.append(f"{path.name}: array X: row {int(bad[0])} has values that are not finite")
        return None
    return values.astype(np.float64)


def _check_states(headers: dict[str, Header], source: str) -> None:
    if "X" not in headers:
        raise InputError(f"{source}: has no array X")
    shape, dtype = headers["X"]
    if len(shape) != 2 or dtype.kind != "f" or 0 in shape:
        raise InputError(f"{source}: array X must be float [n, d], got {dtype} {list(shape)}")


def _check_positions(release: Release) -> None:
    """Raise where lists that are joined by position differ in length."""
    lines: list[str] = []

    def same(left: str, a: Sized | None, right: str, b: Sized | None) -> None:
        if a is not None and b is not None and len(a) != len(b):
            lines.append(f"{left} has {len(a)} rows and {right} {len(b)}: they are joined by position, so one is wrong")

    for name in ("gemma_gold", "smollm_gold"):
        gold = getattr(release, name)
        if gold is not None:
            file = PATHS[name].rpartition("/")[2]
            same(f"{file}: coverage", gold.coverage, "labels", gold.labels)
            if release.gemma_fresh is not None:
                same(f"{file}: labels", gold.labels, "judge_v4_fresh.json", release.gemma_fresh.items)
    if release.smollm_gold is not None:
        labels = release.smollm_gold.labels
        same("smollm_fresh_features.npz", release.smollm_fresh_x, "smollm_fresh_judged_gold.json", labels)
    if release.smollm_profile is not None:
        samples = release.smollm_profile.samples
        same("smollm_step16_features.npz", release.smollm_train_x, PATHS["smollm_profile"].rpartition("/")[2], samples)
    if release.smollm_train_x is not None and release.smollm_fresh_x is not None:
        widths = release.smollm_train_x.shape[1], release.smollm_fresh_x.shape[1]
        if widths[0] != widths[1]:
            lines.append(
                f"smollm_fresh_features.npz: {widths[1]} features a row, smollm_step16_features.npz {widths[0]}"
            )
    if release.mcas is not None:
        mcas = release.mcas
        same("mcas_details.json: baseline_scores", mcas.baseline_scores, "dd_fp16_scores", mcas.dd_fp16_scores)
        same("mcas_details.json: baseline_scores", mcas.baseline_scores, "prompts", mcas.prompts)
    if lines:
        raise InputError(lines)
