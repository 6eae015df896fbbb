"""A study performed on a file store without Ray: every block real, the model tiny. Seconds instead of a minute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dd_core.claim import preregistration_hash
from dd_core.judging import with_twins
from dd_core.study import Study, parse_study
from judges import make_judge
from storage import open_store
from storage.commits import StudyFiles
from sweeps.plan import TrialSpec, make_manifest, study_id
from sweeps.schedule import Schedule
from sweeps.train import Fitter, directly
from sweeps.trial import Workbench


def performed(
    data: dict[str, Any],
    store: Path,
    until: Callable[[TrialSpec], bool] = lambda _: False,
    fit: Fitter | None = None,
) -> StudyFiles:
    """The study's files after its trials were done in this process, all of them or those before `until` says so."""
    study = parse_study(data)
    files = StudyFiles(open_store(str(store)), study_id(study))
    manifest = files.write_manifest(make_manifest(study))
    bench = workbench(study, files, preregistration_hash(manifest), fit=fit)
    schedule = Schedule(study)
    while pending := schedule.pending(files.find):
        for spec in pending:
            if until(spec):
                return files
            bench.perform(spec)
    return files


def workbench(
    study: Study,
    files: StudyFiles,
    preregistration: str,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    fit: Fitter | None = None,
) -> Workbench:
    """A workbench whose judges and fits run in this process."""
    judges = {spec.label: make_judge(spec) for spec in with_twins(study.judges)}
    return Workbench(
        study,
        files.study_id,
        files.store.uri,
        preregistration,
        score=lambda label, rows: judges[label].score(rows),
        fit=fit or directly,
        report=report,
    )
