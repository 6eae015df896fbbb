"""The command line: every verb is a thin function over a public Python call.

Heavy imports wait until a verb needs them, so that `--help` answers in well under a second.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dd_core.errors import DDSweepError, InputError
from sweeps.shell import StudyFile, folder_writer, harmless, interruptible
from sweeps.verbs.adapter import adapter_app
from sweeps.verbs.cluster import jobs_app, submit
from sweeps.verbs.judge import judge_app
from sweeps.verbs.plan import plan
from sweeps.verbs.profile import profile
from sweeps.verbs.tools import TOOLS, tools
from sweeps.verbs.watch import watch

DEFAULT_STORE = "ddsweep-store"
INTERRUPTED = 130

app = typer.Typer(
    name="ddsweep",
    help="Searches for a behavioural edit of a small language model, then tries to break its own result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tools)
app.add_typer(judge_app, name="judge", rich_help_panel=TOOLS)
app.add_typer(adapter_app, name="adapter", rich_help_panel=TOOLS)
app.command(rich_help_panel=TOOLS, epilog="Example: ddsweep profile smollm2-135m --domain chef -n 40")(profile)

StoreOption = Annotated[
    str, typer.Option("--store", metavar="URI", help="A folder, file:///path or s3://bucket/prefix.")
]

BundleOrStore = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE_OR_STORE_URI", help="A claim bundle, a store, or a study in one.", show_default=False
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="DIR", help="Where files go; beside the rows if left out."),
]


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    from dd_core import __version__

    print(f"ddsweep {__version__}")
    print(f"  python {sys.version.split()[0]}")
    for name in ("ray", "torch", "transformers", "trl", "peft", "optuna", "pyarrow", "polars", "scipy", "scikit-learn"):
        try:
            print(f"  {name} {version(name)}")
        except PackageNotFoundError:
            print(f"  {name} not installed")
    raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Versions of ddsweep and its libraries.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: ddsweep run sweeps/studies/demo.yaml")
def run(
    study: StudyFile,
    store: StoreOption = DEFAULT_STORE,
    exit_verdict: Annotated[
        bool, typer.Option("--exit-verdict", help="Exit 3 FALSIFIED, 4 INCONCLUSIVE, 5 INVALID instead of 0.")
    ] = False,
) -> None:
    """Run a study to its verdict; run it again to resume.

    Starts Ray on this machine, or joins the cluster of $RAY_ADDRESS.
    """
    from sweeps.run import run_study

    with interruptible():
        result = run_study(study, store)
    _print_summary(result.verdict, result.bundle)
    print(f"report: {result.report}")
    if exit_verdict:
        raise typer.Exit(_exit_status(result.verdict))


app.command(epilog="Example: ddsweep submit demo.yaml --address http://127.0.0.1:8265 --store s3://bucket/studies")(
    submit
)
app.command(epilog="Example: ddsweep plan sweeps/studies/demo.yaml")(plan)
app.command(epilog="Example: ddsweep watch s3://bucket/studies")(watch)
app.add_typer(jobs_app)


@app.command(epilog="Example: ddsweep falsify ddsweep-store/studies/demo-1a2b3c4d -o verdict/")
def falsify(
    source: BundleOrStore,
    out: OutFolder = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html too.")] = True,
) -> None:
    """Judge a claim from its rows alone; exit 0 SURVIVES, 3 FALSIFIED, 4 INCONCLUSIVE, 5 INVALID."""
    from dd_core.falsify import falsify as judge

    bundle, write = _source(source)
    verdict = judge(bundle)
    if out is not None:
        write = folder_writer(out)
    write("verdict.json", verdict.json_bytes())
    if report:
        from dd_core.report import render_html

        place = write("report.html", render_html(verdict, bundle).encode())
    _print_summary(verdict, bundle)
    if report:
        print(f"report: {place}")
    raise typer.Exit(_exit_status(verdict))


@app.command(rich_help_panel=TOOLS, epilog="Example: ddsweep report ddsweep-store -o page/")
def report(source: BundleOrStore, out: OutFolder = None) -> None:
    """Write report.html again from the rows."""
    from dd_core.falsify import falsify as judge
    from dd_core.report import render_html

    bundle, write = _source(source)
    if out is not None:
        write = folder_writer(out)
    print(f"report: {write('report.html', render_html(judge(bundle), bundle).encode())}")


@app.command(epilog="Example: ddsweep doctor")
def doctor(store: StoreOption = DEFAULT_STORE) -> None:
    """Say in plain words what this machine has and lacks; exit 1 if something is missing."""
    from rich.console import Console
    from rich.markup import escape

    from sweeps.doctor import checks

    console = Console(highlight=False)
    marks = {"ok": "[green]ok[/green]     ", "warn": "[yellow]warn[/yellow]   ", "missing": "[red]missing[/red]"}
    found = checks(store)
    for check in found:
        console.print(f"{marks[check.status]} [bold]{check.name}[/bold]: {escape(check.detail)}", soft_wrap=True)
        if check.remedy:
            console.print(f"          → {check.remedy}", markup=False, soft_wrap=True)
    if any(check.status == "missing" for check in found):
        raise typer.Exit(1)


def _source(source: str) -> tuple[Any, Any]:
    """The bundle at `source` and a function (name, bytes) → place that writes beside it."""
    path = Path(source)
    if any(os.path.lexists(path / name) for name in ("claim.yaml", "responses.parquet", "responses.jsonl")):
        from dd_core.falsify import load_bundle

        return load_bundle(path), folder_writer(path)
    if "://" not in source and not path.is_dir():
        raise InputError(f"{source}: no such folder; expected a claim bundle (a folder with claim.yaml) or a store")
    from storage.bundles import open_study
    from storage.opening import explained

    files, bundle = open_study(source)

    def write(name: str, data: bytes) -> str:
        with explained(files.store):
            files.put(name, data)
        return files.store.place(f"{files.folder}/{name}")

    return bundle, write


def _print_summary(verdict: Any, bundle: Any) -> None:
    from rich.console import Console

    from dd_core.report import summary

    Console(highlight=False).print(summary(verdict, bundle))


def _exit_status(verdict: Any) -> int:
    from dd_core.falsify.verdict import EXIT_STATUS

    return EXIT_STATUS[verdict.verdict]


def main() -> None:
    """Entry point: errors of the user are lines on standard error, never tracebacks."""
    try:
        app()
    except InputError as error:
        for line in error.lines:
            print(harmless(line), file=sys.stderr)
        sys.exit(2)
    except DDSweepError as error:
        print(harmless(str(error)), file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # What had to be stopped is stopped. Python's own end would wait for threads that are inside Ray: over 7 s
            # on a busy machine, of the 10 s in which Ctrl-C ends a command.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


if __name__ == "__main__":
    main()
