"""Trackers that people have (TensorBoard, MLflow, Weights & Biases): whether they are here, and where they show what.

They show and are never read: a study's record is its store. Imports none of them, nor Ray; `logger_callbacks` does.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dd_core.errors import InputError
from dd_core.study import Study
from dd_core.subjects.registry import cache_dir
from sweeps.journal import fit_metrics

_MODULES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def check_loggers(study: Study) -> None:
    """Refuses loggers whose library is not installed.

    Raises:
        InputError: one line each.
    """
    lines = [
        f'resources.loggers: {name} is not installed; pip install "ddsweep[{name}]"'
        for name in study.resources.loggers
        if importlib.util.find_spec(_MODULES[name]) is None
    ]
    if lines:
        raise InputError(lines)


def folder_of(logger: str, study_id: str) -> Path:
    """Where a logger's files of one study stay, unless it sends them to a server."""
    return cache_dir().parent / logger / study_id


def places(study: Study, study_id: str) -> list[str]:
    """One line for each logger: how to look at what it is told."""
    found = {
        "tensorboard": f"tensorboard --logdir {folder_of('tensorboard', study_id)}",
        "mlflow": f"mlflow: experiment {study_id} at {_without_password(tracking_uri())}",
        "wandb": f"wandb: group {study_id} of project {wandb_project()}",
    }
    return [found[name] for name in study.resources.loggers]


def tracking_uri() -> str:
    """MLflow's server, or a file of ours where none is named."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{cache_dir().parent / 'mlflow' / 'mlflow.db'}"


def _without_password(uri: str) -> str:
    """An address as it may be printed: what may stand before an @ in it is a secret."""
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def wandb_project() -> str:
    """Where runs of every study go."""
    return os.environ.get("WANDB_PROJECT", "ddsweep")


def logged(commit: Mapping[str, Any]) -> dict[str, Any]:
    """What a logger is told of a commit: score, objectives, status, seconds, and under `fit` what the fit measured."""
    objectives = dict(zip(("shift", "anchor_shift"), commit.get("objectives") or (), strict=False))
    told = {name: commit.get(name) for name in ("score", "seconds", "status")} | objectives
    return {name: value for name, value in told.items() if value is not None} | {"fit": fit_metrics(commit)}
