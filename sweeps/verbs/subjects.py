"""The verbs of `ddsweep subjects`: which models there are, getting one, and whether one behaves as is assumed of it.

Thin over `dd_core.subjects`; heavy imports wait until a verb needs them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dd_core.errors import InputError
from sweeps.shell import interruptible

if TYPE_CHECKING:
    from dd_core.subjects.check import Finding
    from dd_core.subjects.subject import Subject

subjects_app = typer.Typer(help="The models under test.", no_args_is_help=True)


@subjects_app.command("list", epilog="Example: ddsweep subjects list")
def subjects_list() -> None:
    """The subjects: where each comes from, licence, disk need, layout, and whether it can be loaded here."""
    from rich.console import Console
    from rich.text import Text

    from dd_core.subjects.registry import SUBJECTS, missing

    console = Console(highlight=False)
    row = "{:<16}{:<16}{:>10}  {:>8}  {}".format
    console.print(Text(row("subject", "family", "parameters", "disk", "here"), style="bold"))
    for name, subject in SUBJECTS.items():
        why = missing(subject)
        size, disk = _amount(subject.layout.n_parameters), f"{subject.disk_mb:,} MB"
        console.print(Text(row(name, subject.family, size, disk, "no" if why else "yes")))
        about = f"  {_origin(subject)}, {subject.licence}: {subject.layout.in_words()}"
        console.print(Text(about, style="dim"), soft_wrap=True)
        if why:
            console.print(Text(f"  {why}", style="dim"), soft_wrap=True)


@subjects_app.command("get", epilog="Example: ddsweep subjects get smollm2-135m")
def subjects_get(name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)]) -> None:
    """Download or convert a subject once; prints its licence and disk need first."""
    from dd_core.subjects.loading import weights_dir
    from dd_core.subjects.registry import get_subject

    subject = get_subject(name)
    print(f"{name}: licence {subject.licence}; needs {subject.disk_mb} MB of disk")
    with interruptible("interrupted; running again goes on"):
        print(f"ready: {weights_dir(name, report=print)}")


@subjects_app.command(
    "check",
    epilog="Examples: ddsweep subjects check smollm2-135m tiny-qwen3.5; "
    "ddsweep subjects check qwen3-0.6b --engine my_engines:Served",
)
def subjects_check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]…", help="All that can be loaded here if left out.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="PACKAGE.MODULE:CLASS",
            help="Compare this engine's log-probabilities with ours instead, without an edit and with one of each "
            "operator.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Of torch.")] = 2,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu or cuda.")] = "cpu",
) -> None:
    """Try on each subject what studies assume of it: template, tokenizer, padding, batches, end tokens, decoding.

    A line for each check, with what was measured; exit 1 if one does not hold.
    """
    from rich.console import Console
    from rich.text import Text

    from dd_core.subjects.registry import SUBJECTS, get_subject, missing

    absent = [why for name in names or () if (why := missing(get_subject(name)))]
    if absent:
        raise InputError(absent)
    if engine is not None and not names:
        raise InputError("--engine compares one engine with another on a subject: name at least one")
    console = Console(highlight=False)
    kept = True
    with interruptible("interrupted"):
        for name in names or [name for name, subject in SUBJECTS.items() if not missing(subject)]:
            console.print(Text(name, style="bold"))
            width = 10 if engine is None else 14
            for found in _findings(name, engine, threads, device):
                kept = kept and found.ok is not False
                word, style = _WORDS[found.ok]
                line = Text(f"  {found.check:<{width}}  ").append(word, style)
                console.print(line.append(f"{':' if found.ok is False else ''}  {found.figures}"), soft_wrap=True)
    if not kept:
        raise typer.Exit(1)


_WORDS = {True: ("ok", "green"), False: ("differs", "red"), None: ("left out", "yellow")}


def _findings(name: str, other: str | None, threads: int, device: str) -> Iterator[Finding]:
    """Of the subject alone, or of another engine beside ours."""
    if other is None:
        from dd_core.subjects.check import check

        yield from check(name, threads, device)
        return
    from dd_core.subjects.engine import Engine
    from dd_core.subjects.engine_check import check_engine, open_engine

    # A user's module lies where the command is run, which a console script does not look at.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    yield from check_engine(open_engine(other, name), Engine(name, threads, device))


def _origin(subject: Subject) -> str:
    """Where the weights come from: the Hub's name, a package, or nowhere."""
    return str(getattr(subject.source, "repo_id", None) or getattr(subject.source, "package", None) or "random weights")


def _amount(n: int) -> str:
    """A count of parameters in three digits: "135 M", "1.71 B", "106 k"."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.3g} {letter}"
    return str(n)
