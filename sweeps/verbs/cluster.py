"""The verbs for a cluster: `submit` a study, and `status`, `logs` and `stop` for what was submitted.

Thin over `cluster.submit` and `cluster.jobs`; heavy imports wait until a verb needs them. What is wrong with a study
or with where its rows are to go is found here, before anything is sent.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dd_core.errors import InputError
from sweeps.shell import StudyFile, harmless, interruptible

if TYPE_CHECKING:
    from cluster.head import Head
    from cluster.jobs import Job
    from dd_core.study import Study

CLUSTER = "On a cluster"
STUDY = "study.yaml"
"""What a study is called in the folder of its job."""

jobs_app = typer.Typer()

Address = Annotated[
    str,
    typer.Option(
        metavar="http://HEAD:8265",
        envvar="RAY_API_SERVER_ADDRESS",
        help="The dashboard of the cluster's head.",
        show_default=False,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="As submit printed it.", show_default=False)]
Follow = Annotated[bool, typer.Option("--follow", help="Go on until the job is at an end.")]


def submit(
    study: StudyFile,
    address: Address,
    store: Annotated[str, typer.Option(metavar="URI", help="A store that the cluster reaches: s3://… or file:///…")],
    follow: Annotated[bool, typer.Option("--follow/--detach", help="Wait for the end, or return at once.")] = True,
    exit_verdict: Annotated[bool, typer.Option("--exit-verdict", help="As for run.")] = False,
    any_versions: Annotated[
        bool, typer.Option("--any-versions", help="Run though the head's libraries are not those of this machine.")
    ] = False,
    pip: Annotated[
        bool, typer.Option("--pip", help="Let Ray install the versions of this machine for the job.")
    ] = False,
) -> None:
    """Run a study on a cluster through the Ray job API and return its exit status.

    Libraries are compared before anything runs. Credentials are the cluster's own: none are sent. Ctrl-C stops the job.
    """
    from cluster.following import exit_status
    from cluster.following import follow as to_the_end
    from cluster.head import Head
    from cluster.jobs import withdraw
    from cluster.submit import new_job
    from cluster.submit import submit as submit_job
    from dd_core.study import load_study
    from sweeps.checking import check
    from sweeps.plan import study_id

    scheme = _reachable(store)
    checked = load_study(study)
    check(checked)
    files = {STUDY: study.read_bytes(), **_data_files(checked.prompts.data)}
    arguments = ["run", STUDY, "--store", store, *(["--exit-verdict"] if exit_verdict else [])]
    with interruptible():
        head = Head(address)
        if scheme == "file":
            _note(f"--store {store}: a folder of the cluster's machines, not of this one")
        _note_waiting(head, checked)
        job = new_job(f"ddsweep-{checked.name}")
        try:
            notes = submit_job(
                head, job, "sweeps.cli", arguments, files, about={"study": study_id(checked), "store": store},
                demand=checked.resources.search, any_versions=any_versions, pip=pip,
            )  # fmt: skip
            for line in notes:
                _note(line)
            print(f"submitted {job} to {head.address}", flush=True)
            if not follow:
                print(f"ddsweep logs {job} --address {head.address} --follow")
                return
            status = exit_status(job, to_the_end(head, job, _write, _note))
        except KeyboardInterrupt:
            _note(withdraw(head, job))
            raise
    raise typer.Exit(status)


@jobs_app.command(rich_help_panel=CLUSTER, epilog="Example: ddsweep status --address http://127.0.0.1:8265")
def status(
    address: Address,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="One job; all if left out.", show_default=False)
    ] = None,
) -> None:
    """Say how submitted studies stand; of one that has ended, its exit status comes back, and 0 while it runs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cluster.head import Head
    from cluster.jobs import job as one_job
    from cluster.jobs import jobs

    with interruptible():
        head = Head(address)
        found = [one_job(head, job)] if job is not None else jobs(head)
    if job is not None:
        _tell(found[0])
        raise typer.Exit(found[0].status or 0)
    if not found:
        print(f"{head.address} knows no study; submit one: ddsweep submit STUDY.yaml --address {head.address}")
        return
    table = Table("job", "state", "exit", "study", "began", "by", "store", box=None, pad_edge=False)
    for one in found:
        exit_status = "" if one.status is None else str(one.status)
        cells = (one.id, one.state, exit_status, one.study, one.began, one.by, one.store)
        table.add_row(*(Text(harmless(cell)) for cell in cells))  # Text: what others wrote may be markup
    # Not cut to a terminal's width: ids are there to be copied.
    Console(highlight=False, width=None if sys.stdout.isatty() else 400).print(table)


@jobs_app.command(rich_help_panel=CLUSTER, epilog="Example: ddsweep logs ddsweep-demo-1a2b3c4d --follow")
def logs(job: JobId, address: Address, follow: Follow = False) -> None:
    """Print a submitted study's log; with --follow to its end, and then its exit status comes back.

    Ctrl-C ends the following and leaves the study alone.
    """
    from cluster.head import Head
    from cluster.jobs import followed
    from cluster.jobs import logs as print_logs

    with interruptible(f"no longer following; {job} goes on"):
        head = Head(address)
        if not follow:
            print_logs(head, job, _write)
            return
        status = followed(head, job, _write, _note)
    raise typer.Exit(status)


@jobs_app.command(rich_help_panel=CLUSTER, epilog="Example: ddsweep stop ddsweep-demo-1a2b3c4d")
def stop(
    job: JobId,
    address: Address,
    anyway: Annotated[bool, typer.Option("--anyway", help="Though somebody else submitted it.")] = False,
) -> None:
    """Stop a submitted study; what is finished is kept, and submitting it again resumes."""
    from cluster.head import Head
    from cluster.jobs import NOT_STARTED
    from cluster.jobs import stop as stop_job

    with interruptible("interrupted; the job may or may not have been stopped"):
        found = stop_job(Head(address), job, anyway)
    _tell(found)
    if found.status is None:
        _note(f"{job} {NOT_STARTED}")


def _reachable(store: str) -> str:
    """The scheme of an address that another machine can open, and that puts no secret into the job's record.

    Raises:
        InputError: it is no such address.
    """
    from storage.opening import reopen_store, scheme_of

    if "@" in store.partition("://")[2].partition("/")[0]:
        raise InputError("--store: holds a password; credentials are the cluster's own, by boto3's usual rules")
    scheme = scheme_of(store)
    if scheme is None:
        raise InputError(f"--store {store}: a cluster needs a whole address, s3://bucket/prefix or file:///shared/path")
    reopen_store(store)
    return scheme


def _note_waiting(head: Head, study: Study) -> None:
    """Says so where no node is such as the driver asks for: Ray lets the job wait, and gives it up after 15 minutes."""
    from cluster.head import HeadSilent
    from cluster.placement import bundle, unmet

    demand = study.resources.search
    if not (demand.on or bundle(demand)):
        return
    with contextlib.suppress(HeadSilent):  # a head that has just started tells of its nodes last of all
        for line in unmet([demand], head.nodes()):
            _note(f"{line}; the job waits for one, 15 min at most unless the head is set otherwise")


def _data_files(source: str | None) -> dict[str, bytes]:
    """The files of a study's own training rows, to travel with it; an absolute path has to be there already.

    Nothing else of their folder goes along: it may be one in which somebody works.

    Raises:
        InputError: the folder lies outside this one, or is called as something that travels beside it.
    """
    from cluster.environment import FILE
    from cluster.package import PACKAGES
    from dd_core.distill.rows import CARD_FILE, DPO_FILE, EMBEDDED, SFT_FILE

    if source in (None, EMBEDDED) or Path(source).is_absolute():
        return {}
    folder = Path(source)
    if ".." in folder.parts:
        raise InputError(f"prompts.teacher: {source} lies outside this folder and cannot travel; name it from here")
    if folder.parts[:1] and folder.parts[0] in (*PACKAGES, STUDY, FILE):
        raise InputError(f"prompts.teacher: {folder.parts[0]} is the name of what travels beside it; rename the folder")
    paths = [folder / name for name in (CARD_FILE, SFT_FILE, DPO_FILE)]
    return {path.as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _tell(job: Job) -> None:
    for name, value in (
        ("job", job.id), ("state", job.state), ("study", job.study), ("store", job.store), ("submitted by", job.by),
        ("began", job.began), ("ended", job.ended), ("exit status", "" if job.status is None else str(job.status)),
        ("Ray says", job.said),
    ):  # fmt: skip
        if value:
            print(f"{name:<12} {harmless(value)}")


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
