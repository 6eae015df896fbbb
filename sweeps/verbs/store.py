"""The verbs of `ddsweep store`: what a store holds, whether it is sound, what can go, and a study's rows elsewhere.

Thin over `storage`; heavy imports wait until a verb needs them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dd_core.errors import InputError
from sweeps.shell import folder_writer, harmless, interruptible, is_there

if TYPE_CHECKING:
    from storage.garbage import Garbage

WRONG = 1
SHOWN = 20
"""Lines of one reason that `gc` prints before it says how many more there are."""

_AGE = re.compile(r"(\d{1,6})([smhd]?)")
_UNITS = {"": "days", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

store_app = typer.Typer(help="What a store holds, whether it is sound, what can go.", no_args_is_help=True)

StoreUri = Annotated[str, typer.Argument(metavar="STORE_URI", show_default=False)]
StoreOrStudy = Annotated[
    str, typer.Argument(metavar="STORE_URI", help="A store, or a study in one.", show_default=False)
]


@store_app.command("ls", epilog="Example: ddsweep store ls s3://bucket/studies")
def store_ls(source: StoreOrStudy) -> None:
    """List the studies of a store with what each has come to, and its blocks by kind."""
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table
    from rich.text import Text

    from storage.inventory import kinds, study_lines, take_inventory
    from storage.opening import explained, open_address
    from storage.verify import unknown_study

    store, study_id = open_address(source)
    console = Console(highlight=False)
    with interruptible("interrupted"), explained(store), Console(stderr=True).status("listing"):
        inventory = take_inventory(store)
        if study_id is not None and study_id not in inventory.studies:
            raise unknown_study(inventory, study_id)
        lines = list(study_lines(inventory, study_id))
    table = Table("study", "state", "trials", "rows", "size", "verdict", box=None, pad_edge=False)
    for line in lines:
        trials = f"{line.trials}, {line.failed} failed" if line.failed else f"{line.trials}"
        verdict = f"{line.damaged} damaged; see: store verify" if line.damaged else line.verdict or "-"
        # Text, since what a stranger wrote may be markup.
        state, word = Text(harmless(line.state)), Text(harmless(verdict))
        table.add_row(line.study_id, state, trials, f"{line.rows:,}", decimal(line.n_bytes), word)
    console.print(table if lines else "no study")
    if study_id is not None:
        return
    blocks = Table("blocks", "how many", "size", box=None, pad_edge=False)
    for kind, (n, n_bytes) in kinds(inventory).items():
        blocks.add_row(kind, f"{n:,}", decimal(n_bytes))
    console.print()
    console.print(blocks if inventory.blocks else "no block")
    n_others = len(inventory.strangers) + len(inventory.abandoned)
    others = f"; {n_others} objects belong to nothing, see: store verify" if n_others else ""
    console.print(f"\n{store.uri}: {decimal(inventory.n_bytes)}{others}", markup=False, soft_wrap=True)


@store_app.command("verify", epilog="Example: ddsweep store verify ddsweep-store")
def store_verify(source: StoreOrStudy) -> None:
    """Read everything and name what is missing, truncated, altered or orphaned; exit 1 if anything is.

    Whole blocks that no commit names are no finding: they are a cache. While a study runs, what nothing names yet is
    none either.
    """
    from storage.opening import explained, open_address
    from storage.verify import verify
    from sweeps.bar import progress

    store, study_id = open_address(source)
    with interruptible("interrupted"), explained(store), progress("objects checked") as report:
        findings, n_objects = verify(store, study_id, report)
    for finding in findings:
        print(harmless(str(finding)))
    if findings:
        print(f"{store.uri}: {len(findings)} wrong, {n_objects} checked")
        raise typer.Exit(WRONG)
    print(f"{store.uri}: {n_objects} checked, all sound")


@store_app.command("gc", epilog="Example: ddsweep store gc ddsweep-store --older-than 30d --delete")
def store_gc(
    source: StoreUri,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without this, only say what would go.")] = False,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Keep what was written since: 7d, 12h, 30m, 0.")
    ] = "7d",
    chat: Annotated[
        bool, typer.Option("--chat", help="Replies of models too, which somebody may have paid for.")
    ] = False,
) -> None:
    """Say what nobody needs: leftovers of killed writers, and blocks that no commit leads to; --delete removes it.

    What a commit names stays, and what that was made from. While a study goes on, all blocks and tables stay. What a
    writer left is an hour old at least, whatever age is given.
    """
    from rich.filesize import decimal

    from storage.garbage import find_garbage, remove
    from storage.inventory import take_inventory
    from storage.opening import explained, open_address
    from sweeps.bar import progress

    age = _age(older_than)
    store, study_id = open_address(source)
    if study_id is not None:
        raise InputError(f"{source}: gc is asked of a whole store, since studies share blocks; give {store.uri}")
    with interruptible("interrupted; what was not removed yet stays"), explained(store):
        with progress("studies read") as report:
            inventory = take_inventory(store)
            plan = find_garbage(inventory, age, paid=chat, report=report)
        _print(plan.garbage)
        for line in plan.kept:
            print(line)
        if delete and plan.garbage:
            with progress("removed") as report:
                plan = remove(inventory, plan, report)
            for line in plan.kept:
                print(line)
    size = f"{plan.n_objects} objects, {decimal(plan.n_bytes)} ({plan.n_bytes} bytes)"
    if delete:
        print(f"{store.uri}: removed {size}")
    else:
        print(f"{store.uri}: would remove {size}" + ("; --delete does" if plan.garbage else ""))


@store_app.command("export", epilog="Example: ddsweep store export ddsweep-store -o bundle/")
def store_export(
    source: StoreUri,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder that does not exist yet.")],
) -> None:
    """Write a study's rows as a claim bundle that anyone can judge without the store."""
    from dd_core.falsify import save_bundle
    from storage import load_bundle

    save_bundle(load_bundle(source), out)
    print(f"bundle: {out}")


@store_app.command("optuna", epilog="Example: ddsweep store optuna ddsweep-store -o optuna.jsonl")
def store_optuna(
    source: StoreOrStudy,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="A file that does not exist yet.")],
) -> None:
    """Write a study's search as an Optuna journal, which optuna-dashboard opens."""
    from storage.bundles import find_study
    from storage.opening import explained
    from sweeps.journal import journal

    if is_there(str(out)):
        raise InputError(f"{out}: is there already; give another name")
    files = find_study(source)
    with explained(files.store):
        manifest, commits = files.manifest(), files.commits().values()
    data = journal(manifest, commits)
    print(f"journal: {folder_writer(out.parent)(out.name, data)}; optuna-dashboard {out} shows it")


def _age(text: str) -> timedelta:
    """The age in `--older-than`.

    Raises:
        InputError: it is none.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise InputError(f"--older-than: {text[:40]!r} is no age; give a number with s, m, h or d, such as 12h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _print(garbage: list[Garbage]) -> None:
    """A line for each, by reason."""
    from rich.filesize import decimal

    for why in dict.fromkeys(one.why for one in garbage):
        several = [one for one in garbage if one.why == why]
        for one in several[:SHOWN]:
            print(harmless(f"{why}: {one.name}: {decimal(one.n_bytes)}"))
        if len(several) > SHOWN:
            n_bytes = sum(one.n_bytes for one in several[SHOWN:])
            print(f"{why}: and {len(several) - SHOWN} more: {decimal(n_bytes)}")
