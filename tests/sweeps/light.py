"""A warm trial whose work is a sleep, for what is asked of Tune and of the schedule and not of a model."""

from __future__ import annotations

import time
from typing import Any

from dd_core.canonical import canonical
from dd_core.study import parse_study
from storage import open_store
from storage.commits import StudyFiles
from sweeps.plan import TrialSpec
from sweeps.search import Context, Reporter, WarmTrial

WORK_S = 0.01


class LightTrial(WarmTrial):
    """Commits, after 10 ms, a score that is its learning rate."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        self._spec = TrialSpec.model_validate_json(config["spec"])
        self._report = Reporter(context.events)
        self._study = parse_study(context.study)
        self._bench: Any = self
        self.files = StudyFiles(open_store(context.store_uri), context.study_id)

    def perform(self, spec: TrialSpec) -> dict[str, Any]:
        """Stands in for the workbench's."""
        time.sleep(WORK_S)
        commit: dict[str, Any] = {
            "trial": spec.trial_id, "role": spec.role, "claimed": spec.claimed, "spec": canonical(spec),
            "status": "done", "error": None, "score": None, "tables": {}, "seconds": WORK_S, "fit": {"loss": 1.5},
        }  # fmt: skip
        if spec.role == "search" and spec.edit is not None:
            found = spec.edit.config["learning_rate"]
            commit |= {"score": found, "objectives": [found, 0.0]}
        return self.files.commit(spec.trial_id, commit)
