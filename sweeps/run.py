"""A study from its file to its verdict: manifest, trials, falsification, report. Running again resumes.

The only module that knows the whole path; each stretch of it is somebody else's.
"""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import metrics
from cluster.session import Session, session
from dd_core.canonical import sha256
from dd_core.claim import preregistration_hash
from dd_core.errors import InputError, StudyFailed
from dd_core.falsify import Bundle, Verdict, falsify
from dd_core.judging import with_twins
from dd_core.report import render_html
from dd_core.resources import Demand
from dd_core.study import Study, load_study, parse_study
from dd_core.subjects.registry import get_subject, missing
from judges.backends import open_backend
from storage import Store, load_bundle, open_store
from storage.commits import StudyFiles
from sweeps.checking import check
from sweeps.driver import Heartbeat, Superseded, driving
from sweeps.faults import told
from sweeps.journal import write_journal
from sweeps.loggers import check_loggers, places
from sweeps.memory import require
from sweeps.monitor import Monitor
from sweeps.plan import coverage, make_manifest, outline, seconds, slot, study_id, subjects_at_hand
from sweeps.progress import Display
from sweeps.schedule import Schedule
from sweeps.shell import log_file
from sweeps.train import check_workers

DEFAULT_STORE = "ddsweep-store"
HOLD_S = 1.0
"""How long Tune, of which a step takes some tenths of a second, may take to come to its next one."""

STOP_POOL_S = 4.0
"""What of the 10 s in which Ctrl-C ends a run its judge pool has; with the last heartbeat and Ray it takes 3 s."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyResult:
    """What a run leaves: the verdict, and where everything lies.

    Args:
        report: path of report.html for a `file://` store, its object's address otherwise.
        bundle: the rows that the verdict was reached from.
    """

    study_id: str
    verdict: Verdict
    store_uri: str
    report: str
    bundle: Bundle = field(repr=False)

    def __str__(self) -> str:
        return f"{self.verdict}\nreport: {self.report}"

    def _repr_html_(self) -> str:
        return f"<pre>{self}</pre>"


def run_study(
    study: str | Path | dict[str, Any] | Study, store: str = DEFAULT_STORE, *, console: Console | None = None
) -> StudyResult:
    """Runs what of a study is not in the store yet, and judges what is.

    Args:
        study: path of a YAML file, the same as a mapping, or a `Study`.
        store: a folder, `file://…` or `s3://bucket/prefix`.
        console: where progress goes; standard output if left out.

    Raises:
        InputError: the study, the store or the machine is not fit to start; no work was done.
        StudyFailed: no verdict can be reached.
        KeyboardInterrupt: interrupted; what is finished is kept, and running again resumes.
    """
    if isinstance(study, dict):
        study = parse_study(study)
    elif not isinstance(study, Study):
        study = load_study(study)
    check(study)
    if (why := missing(get_subject(study.subject))) is not None:
        raise InputError(f"subject: {why}")
    for spec in study.judges:
        if spec.model is not None:
            open_backend(spec.model)  # a key that is missing is told before the first answer is made
    check_loggers(study)
    check_workers(study)
    asked = make_manifest(study)
    opened = metrics.observed(open_store(store))
    files = StudyFiles(opened, study_id(study))
    manifest = files.write_manifest(asked)
    with log_file(files.study_id) as (log_path, out):
        console = console or out
        try:
            schedule = Schedule(study)
            found: dict[str, dict[str, Any]] = {}

            def find(trial_id: str) -> dict[str, Any] | None:
                if (commit := files.find(trial_id)) is not None:
                    found[trial_id] = commit
                return commit

            left = schedule.pending(find)
            with driving(files) as heart:
                if left:
                    _run_what_is_left(study, files, manifest, console, heart, found)
                else:
                    files.note_trials(commit["trial"] for commit in schedule.finished)
                    _say(
                        console,
                        f"{files.study_id}: every trial is in {opened.uri}; nothing to run, so Ray is not started",
                    )
                return _judged(files)
        except (InputError, KeyboardInterrupt, Superseded):
            raise
        except StudyFailed as error:
            raise StudyFailed(f"{error}\nlog: {log_path}") from None
        except Exception as error:
            log.exception("the run ended by an error")
            raise StudyFailed(f"{told(error, opened)}\nlog: {log_path}") from error


def _judged(files: StudyFiles) -> StudyResult:
    write_journal(files)
    return judge_study(files.store, files.study_id)


def judge_study(store: Store, study_id: str) -> StudyResult:
    """Falsifies a study from its stored rows alone, and stores verdict.json and report.html beside them.

    Raises:
        InputError: there is no such study, or its rows cannot be read.
    """
    files = StudyFiles(store, study_id)
    bundle = load_bundle(store, study_id)
    verdict = falsify(bundle)
    files.put("verdict.json", verdict.json_bytes())
    files.put("report.html", render_html(verdict, bundle).encode())
    return StudyResult(study_id, verdict, store.uri, store.place(f"{files.folder}/report.html"), bundle)


def _run_what_is_left(
    study: Study,
    files: StudyFiles,
    manifest: dict[str, Any],
    console: Console,
    heart: Heartbeat,
    found: dict[str, dict[str, Any]],
) -> None:
    require(study)
    with _status(console, "starting Ray"), contextlib.ExitStack() as stack:
        needed = study.resources
        cpus = needed.cpus + math.ceil(needed.judge_cpus)
        here = stack.enter_context(
            session(cpus=cpus, gpus=needed.gpus, demands=_demands(study), grows=needed.cluster_grows)
        )
        keep = stack.pop_all()
    with keep:
        _reached_by_all(study, files, here)
        heart.tell(here.dashboard)
        dashboard = here.dashboard or "not running"
        _say(console, f"{files.study_id} · dashboard {dashboard} · store {files.store.uri}")
        for place in places(study, files.study_id):
            _say(console, place)
        for line in here.waits:
            _say(console, f"{line}; waiting until the cluster has grown")
        if here.local:
            study = study.model_copy(update={"resources": needed.on_one_machine()})
        _prepare(study, console, here.local)
        _trials(study, files, manifest, console, heart, found, here.local)


def _reached_by_all(study: Study, files: StudyFiles, here: Session) -> None:
    """Refuses a folder of this machine as the store of several nodes, each of which would fill one of its own.

    Raises:
        InputError: the nodes are several, or are about to be, and the study does not say that they share the path.
    """
    import ray

    n_nodes = sum(node["Alive"] for node in ray.nodes())
    grows = study.resources.cluster_grows and not here.local
    if not files.store.uri.startswith("file:") or study.resources.store_is_shared or (n_nodes < 2 and not grows):
        return
    how_many = f"{n_nodes} nodes" if n_nodes > 1 else "one node and grows"
    raise InputError(
        f"store {files.store.uri}: it is a folder, and the cluster has {how_many}; give an s3:// store, or set "
        "resources.store_is_shared: true if every node mounts this very path"
    )


def _demands(study: Study) -> list[Demand]:
    """What single processes of the study ask of their nodes."""
    subjects = subjects_at_hand(study)
    workers = [study.resources.worker(name) for name in subjects] if study.resources.workers else []
    return [*(study.resources.trial(name) for name in subjects), *workers, study.resources.judge]


def _prepare(study: Study, console: Console, here: bool) -> None:
    """Says what edits will reach, and prepares the subjects where trials run `here`; on a cluster each node prepares
    those of its own trials."""
    for name in study.replicates:
        if name not in subjects_at_hand(study):
            _say(console, f"replication on {name} is left out: {missing(get_subject(name))}")
    for name in subjects_at_hand(study):
        if here:
            from dd_core.subjects.loading import prepare

            with _status(console, f"preparing {name} (once)"):
                prepare(name, report=None if console.is_terminal else lambda line: _say(console, line))
        for line in coverage(study, name):
            _say(console, line)


def _trials(
    study: Study,
    files: StudyFiles,
    manifest: dict[str, Any],
    console: Console,
    heart: Heartbeat,
    found: dict[str, dict[str, Any]],
    here: bool,
) -> None:
    from ray.util.queue import Queue

    from judges.pool import APP, PoolClient, start_pool, stop_pool
    from sweeps.search import Brake, Context, run_trials

    judges = with_twins(study.judges)
    # Runs that share a cluster have pools of their own, save two of one study: they ask the same judges.
    app = f"{APP}-{files.study_id}-{sha256(files.store.uri.encode())[:8]}"
    heart.look()  # the pool would take the place of a newer run's
    heart.check()
    with _status(console, "starting the judge pool"):
        start_pool(
            judges,
            replicas=study.resources.judge_replicas,
            num_cpus=study.resources.judge_cpus,
            nodes=study.resources.judges_on,
            store_uri=files.store.uri,
            app=app,
        )
    events = Queue(actor_options={"num_cpus": 0, "label_selector": {"ray.io/node-id": _this_node()}})
    context = Context(
        study.model_dump(mode="json"), files.study_id, files.store.uri, preregistration_hash(manifest),
        PoolClient(judges, app), events, manifest["created"],
    )  # fmt: skip
    failure: list[BaseException] = []
    brake = Brake()

    def work() -> None:
        try:
            run_trials(study, context, found=found, brake=brake)
        except BaseException as error:
            failure.append(error)

    # Tune runs in a thread of its own: its handler for Ctrl-C waits for running trials, ours must not.
    thread = threading.Thread(target=work, name="trials", daemon=True)
    committed = list(found.values())
    done = Counter(slot(commit["spec"]["label"]) for commit in committed)
    planned = [trial for _, trials in outline(study) for trial in trials]
    weights: dict[str, float] = {}
    for trial in planned:
        if done[name := slot(trial.label)] > 0:
            done[name] -= 1
        else:
            weights[trial.label] = seconds(study, trial)
    try:
        monitor = Monitor(study, planned, committed)
        with Display(console, len(planned) - len(weights), len(planned), weights) as display:
            thread.start()
            while thread.is_alive() or not events.empty():
                heart.check()
                try:
                    event = events.get(timeout=0.5)
                    display.event(event)
                    monitor.event(event)
                except queue.Empty:
                    display.tick()
        if failure:
            raise failure[0]
    finally:
        if thread.is_alive():
            brake.pull(HOLD_S)
        if not here:
            heart.look()
        if not heart.superseded:  # else the pool is the newer run's
            stop_pool(app, STOP_POOL_S, shared=not here)


def _this_node() -> str:
    """The driver's own: what must live as long as the driver is not put where it could vanish earlier."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


@contextlib.contextmanager
def _status(console: Console, text: str) -> Iterator[None]:
    """A spinner on a terminal; nothing elsewhere, so that the first line of a log is the dashboard's address."""
    with console.status(text) if console.is_terminal else contextlib.nullcontext():
        yield


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)
