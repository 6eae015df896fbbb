"""Verbs beside a study, in the second panel of the help: the falsifier's own figures, the paper, subjects, stores.

Heavy imports wait until a verb needs them. Does not know the verbs that run or judge a study.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dd_core.errors import InputError, unknown
from sweeps.shell import folder_writer, interruptible, is_there, make_folder
from sweeps.verbs.store import store_app
from sweeps.verbs.subjects import subjects_app

TOOLS = "Tools"

tools = typer.Typer()
prompts_app = typer.Typer(help="Prompts with known answers.", no_args_is_help=True)
tools.add_typer(prompts_app, name="prompts", rich_help_panel=TOOLS)
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
    from dd_core.falsify.calibration.table import files, renderable
    from sweeps.bar import progress

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


@prompts_app.command("list", epilog="Example: ddsweep prompts list")
def prompts_list() -> None:
    """The domains, how many prompts each has, and what it holds."""
    from rich.console import Console

    from dd_core.prompts import DOMAINS, load_domain
    from dd_core.prompts.show import domains

    Console(highlight=False).print(domains({name: (domain, load_domain(name)) for name, domain in DOMAINS.items()}))


@prompts_app.command("show", epilog="Example: ddsweep prompts show chef --split fresh --category 'mother sauce'")
def prompts_show(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", show_default=False)],
    split: Annotated[str | None, typer.Option(help="train, eval or fresh; all if left out.")] = None,
    category: Annotated[str | None, typer.Option(help="Only this category.")] = None,
    prompt_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Only this prompt.")] = None,
    n: Annotated[int, typer.Option("-n", metavar="N", min=1, help="At most so many.")] = 10,
) -> None:
    """Prompts in full: what is asked, what a right answer says, and why it is right."""
    from rich.console import Console

    from dd_core.prompts import load_domain
    from dd_core.prompts.show import prompt as panel

    prompts = load_domain(domain)
    if split is not None and split not in prompts:
        raise InputError(f"--split: {unknown('split', split, prompts)}")
    found = [p for name in prompts if split in (None, name) for p in prompts[name]]
    categories = {p.category for p in found}
    if category is not None and category not in categories:
        raise InputError(f"--category: {unknown('category', category, categories)}")
    found = [p for p in found if category in (None, p.category) and prompt_id in (None, p.prompt_id)]
    if not found:
        raise InputError(f"--id: no prompt of {domain} is called {prompt_id}")
    console = Console(highlight=False)
    for one in found[:n]:
        console.print(panel(one))
    if len(found) > n:
        console.print(f"{n} of {len(found)}; -n {len(found)} shows all", style="dim")


@prompts_app.command("check", epilog="Example: ddsweep prompts check, or: ddsweep prompts check my-domain/")
def prompts_check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DOMAIN|FOLDER]…", help="All domains if left out.", show_default=False),
    ] = None,
) -> None:
    """Measure balance, duplicates and gold claims against each domain's bounds; exit 2 if something is to be mended.

    A folder with train.jsonl, eval.jsonl and fresh.jsonl is checked as a domain that is being written.
    """
    from rich.console import Console

    from dd_core.prompts import DOMAINS, Bounds, load_domain, load_folder
    from dd_core.prompts.check import check
    from dd_core.prompts.show import report
    from judges.checklist import makes_claim

    console = Console(highlight=False)
    lines: list[str] = []
    kept = True
    for name in names or DOMAINS:
        own = name not in DOMAINS and is_there(name, Path.is_dir)
        try:
            prompts = load_folder(Path(name), name) if own else load_domain(name)
        except InputError as error:
            lines += error.lines
            continue
        found = check(prompts, Bounds() if own else DOMAINS[name].bounds, makes_claim)
        console.print(report(name, found), soft_wrap=True)
        kept = kept and found.kept
    if lines:
        raise InputError(lines)
    if not kept:
        raise typer.Exit(2)


@tools.command(rich_help_panel=TOOLS, epilog="Example: ddsweep distill chef --teachers mit-stack -o rows/ --dry-run")
def distill(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", show_default=False)],
    teachers: Annotated[
        str, typer.Option(metavar="CONFIG", help="A YAML file; mit-stack and local ship with the project.")
    ] = "",
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the rows go.")] = Path("rows"),
    n: Annotated[int | None, typer.Option("-n", metavar="N", min=1, help="So many prompts of split train.")] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Gate these rows instead of asking teachers.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every reply there, for a teacher that plays it back.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and ask nobody.")] = False,
    store: Annotated[str, typer.Option("--store", metavar="URI", help="Where replies are kept.")] = "ddsweep-store",
) -> None:
    """Make training rows from four teachers, and refuse them if they are no good; run again to resume.

    Writes sft.jsonl and dpo.jsonl as TRL reads them, what was set aside and why, and a data card.
    """
    from rich.console import Console

    from dd_core.errors import QuotaExhausted
    from judges.asking import Spent
    from sweeps.bar import progress
    from sweeps.distill import distill as make
    from sweeps.distill import estimated, regate, teachers_of
    from sweeps.spending import cost_table, outcome, spent_line

    console = Console(highlight=False)
    if rows is not None:
        with progress("gate") as report:
            done = regate(domain, rows, out, report)
        console.print(outcome(done), soft_wrap=True)
        return
    if not teachers:
        raise InputError("--teachers: name a configuration (mit-stack, local, or a YAML file of yours)")
    config = teachers_of(teachers)
    console.print(cost_table(estimated(config, domain, n)))
    if dry_run:
        return
    make_folder(out)
    spent = Spent()
    try:
        with interruptible(), progress("prompts taught") as report:
            done = make(domain, teachers, out, store, n, report, spent, record)
    except QuotaExhausted as error:
        raise QuotaExhausted(f"{error}\nwhat was done is kept; run again to go on") from None
    finally:
        if spent.calls:
            console.print(spent_line(spent), soft_wrap=True)
    console.print(outcome(done), soft_wrap=True)
