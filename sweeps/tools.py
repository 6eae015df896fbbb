"""Verbs beside a study, in the second panel of the help: the falsifier's own figures, the paper, subjects, stores.

Heavy imports wait until a verb needs them. Does not know the verbs that run or judge a study.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweeps.shell import folder_writer, interruptible, make_folder

TOOLS = "Tools"

tools = typer.Typer()
subjects_app = typer.Typer(help="The models under test.", no_args_is_help=True)
store_app = typer.Typer(help="What a store holds.", no_args_is_help=True)
tools.add_typer(subjects_app, name="subjects", rich_help_panel=TOOLS)
tools.add_typer(store_app, name="store", rich_help_panel=TOOLS)


@tools.command("replicate-paper", rich_help_panel=TOOLS, epilog="Example: ddsweep replicate-paper paper/ -o found/")
def replicate_paper(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A checkout of the paper's public repository.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Store the page as Markdown and JSON there, and the verdicts."),
    ] = None,
) -> None:
    """Recompute arXiv 2604.11867 from its released files, and say what they show that it does not.

    Absent files are named and the rest is done without them; a number that differs is told, and is no error.
    """
    from rich.console import Console

    from dd_core.falsify.paper import files, replicate_paper, terminal

    with Console(stderr=True).status("recomputing and auditing the released rows"):
        found = replicate_paper(folder)
    Console(highlight=False).print(terminal(found))
    if out is not None:
        write = folder_writer(out)
        for name, data in files(found).items():
            print(f"stored: {write(name, data)}")


@tools.command(rich_help_panel=TOOLS, epilog="Example: ddsweep calibrate --quick")
def calibrate(
    n_false: Annotated[int | None, typer.Option("--false", metavar="N", help="False claims, over all kinds.")] = None,
    n_real: Annotated[int | None, typer.Option("--real", metavar="N", help="Real claims, over all sizes.")] = None,
    n_clean: Annotated[int | None, typer.Option("--clean", metavar="N", help="Further clean bundles.")] = None,
    n_power: Annotated[
        int | None, typer.Option("--power", metavar="N", help="Studies a cell of the power table.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Every kind once, of few prompts: about a minute.")] = False,
    only: Annotated[str | None, typer.Option("--only", metavar="KIND", help="One kind, as often as --false N.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all planted studies.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", metavar="N", help="Processes; one a core if left out.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the table goes.")] = Path(
        "calibration"
    ),
    kinds: Annotated[bool, typer.Option("--list", help="Name the kinds and what is planted in each.")] = False,
    write: Annotated[
        tuple[str, int, Path] | None,
        typer.Option("--write", metavar="KIND INDEX DIR", help="Save one planted study as a claim bundle."),
    ] = None,
) -> None:
    """Measure the falsifier's own error rates on 1,000 false and 1,000 real planted studies, beside three rivals."""
    from rich.console import Console

    from dd_core.falsify.calibration import calibrate as measure
    from dd_core.falsify.calibration.calibrate import Settings, write_study
    from dd_core.falsify.calibration.generator import KINDS
    from dd_core.falsify.calibration.progress import progress
    from dd_core.falsify.calibration.table import files, renderable

    if kinds:
        for name, kind in KINDS.items():
            print(f"{name} ({kind.truth}): {kind.why}")
        return
    if write is not None:
        write_study(write[0], write[1], write[2], seed, quick)
        print(f"bundle: {write[2]}")
        return
    settings = Settings(n_false, n_real, n_clean, n_power, quick, only, seed, jobs)
    make_folder(out)
    with interruptible("interrupted; nothing was written"), progress("planted studies") as report:
        figures = measure(settings, report)
    write_file = folder_writer(out)
    figures_at, table_at = (write_file(name, data) for name, data in files(figures).items())
    console = Console(highlight=False)
    console.print(renderable(figures))
    print(f"table: {table_at}")
    print(f"figures: {figures_at}")
    if figures["crashed"]:
        raise typer.Exit(1)


@subjects_app.command("list")
def subjects_list() -> None:
    """The subjects, their family, licence, disk need, and whether they can be loaded here."""
    from rich.console import Console
    from rich.table import Table

    from dd_core.subjects.registry import SUBJECTS, missing

    table = Table("subject", "family", "licence", "disk MB", "here", box=None, pad_edge=False)
    for name, subject in SUBJECTS.items():
        table.add_row(name, subject.family, subject.licence, str(subject.disk_mb), missing(subject) or "yes")
    Console(highlight=False).print(table)


@subjects_app.command("get", epilog="Example: ddsweep subjects get smollm2-135m")
def subjects_get(name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)]) -> None:
    """Download or convert a subject once; prints its licence and disk need first."""
    from dd_core.subjects.loading import prepare
    from dd_core.subjects.registry import get_subject

    subject = get_subject(name)
    print(f"{name}: licence {subject.licence}; needs {subject.disk_mb} MB of disk")
    print(f"ready: {prepare(name, report=print)}")


@store_app.command("export", epilog="Example: ddsweep store export ddsweep-store -o bundle/")
def store_export(
    source: Annotated[str, typer.Argument(metavar="STORE_URI", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder that does not exist yet.")],
) -> None:
    """Write a study's rows as a claim bundle that anyone can judge without the store."""
    from dd_core.falsify import save_bundle
    from storage import load_bundle

    save_bundle(load_bundle(source), out)
    print(f"bundle: {out}")
