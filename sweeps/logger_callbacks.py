"""Tune's own callbacks for TensorBoard, MLflow and Weights & Biases, told of every trial that ends.

One that fails is left out from then on, and the study goes on. Does not know what a trial is beyond its label, its
settings and its result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.logger import LoggerCallback

from dd_core.errors import InputError
from dd_core.study import Study
from sweeps.loggers import folder_of, tracking_uri, wandb_project
from sweeps.plan import TrialSpec

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

log = logging.getLogger(__name__)

_LOGGED = ("score", "shift", "anchor_shift", "seconds", "status", "fit", "training_iteration")


def open_loggers(study: Study, study_id: str) -> list[Callback]:
    """The callbacks for Tune.

    Raises:
        InputError: a logger cannot begin (no key, a server that does not answer); one line each.
    """
    made: list[Callback] = []
    lines = []
    for name in study.resources.loggers:
        try:
            inner = _OPEN[name](study_id)
            inner.setup()
        except Exception as error:
            lines.append(f"resources.loggers: {name} cannot begin: {str(error).strip().splitlines()[0]}")
        else:
            made.append(_Told(inner, study, folder_of(name, study_id), name))
    if lines:
        raise InputError(lines)
    return made


class _Shown:
    """A Tune trial under its label and with the settings that were proposed, rather than its whole specification."""

    def __init__(self, trial: Trial, study: Study, folder: Path) -> None:
        edit = TrialSpec.model_validate_json(trial.config["spec"]).edit
        self._trial, self._label = trial, str(trial.config["label"])
        self.config = _proposed(study, edit.config) if edit else {}
        self.evaluated_params = self.config
        self._folder = folder / self._label

    @property
    def local_path(self) -> str:
        self.init_local_path()
        return str(self._folder)

    def init_local_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return self._label

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)


def _proposed(study: Study, config: dict[str, Any]) -> dict[str, Any]:
    halving = study.search.halving
    return study.search.proposed(config) | ({halving.setting: config[halving.setting]} if halving else {})


class _Told(LoggerCallback):
    """Hands trials to another callback as `_Shown`, and leaves it out for good when it fails."""

    def __init__(self, inner: LoggerCallback, study: Study, folder: Path, name: str) -> None:
        self._inner, self._study, self._folder, self._name = inner, study, folder, name
        self._shown: dict[str, Any] = {}
        self._broken = False

    def log_trial_start(self, trial: Trial) -> None:
        self._shown[trial.trial_id] = shown = _Shown(trial, self._study, self._folder)
        self._tell(self._inner.log_trial_start, shown)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        told = {name: result[name] for name in _LOGGED if name in result}
        self._tell(self._inner.log_trial_result, iteration, self._shown[trial.trial_id], told)

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        if (shown := self._shown.pop(trial.trial_id, None)) is not None:
            self._tell(self._inner.log_trial_end, shown, failed)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        self._tell(self._inner.on_experiment_end, trials, **info)

    def _tell(self, hook: Callable[..., None], *args: Any, **info: Any) -> None:
        if self._broken:
            return
        try:
            hook(*args, **info)
        except Exception:
            self._broken = True
            log.warning("logger %s failed and is told nothing more; the study goes on", self._name, exc_info=True)


def _tensorboard(study_id: str) -> LoggerCallback:
    from ray.tune.logger import TBXLoggerCallback

    return TBXLoggerCallback()


def _mlflow(study_id: str) -> LoggerCallback:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    folder_of("mlflow", study_id).parent.mkdir(parents=True, exist_ok=True)
    return MLflowLoggerCallback(tracking_uri=tracking_uri(), experiment_name=study_id)


def _wandb(study_id: str) -> LoggerCallback:
    from ray.air.integrations.wandb import WandbLoggerCallback

    return WandbLoggerCallback(project=wandb_project(), group=study_id)


_OPEN: dict[str, Callable[[str], LoggerCallback]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
