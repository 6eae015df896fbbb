"""The verbs of `ddsweep judge`: serve a pool, score a file of answers, measure what a judge is worth, label by hand.

Thin over `sweeps.judging`; heavy imports wait until a verb needs them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dd_core.errors import InputError
from sweeps.shell import interruptible, log_file, make_folder

if TYPE_CHECKING:
    from judges.asking import Spent

TOKEN_ENV = "DDSWEEP_JUDGE_TOKEN"
NOT_VALID = 3

judge_app = typer.Typer(
    help="Judges: a pool to ask, answers to score, and what a judge is worth.", no_args_is_help=True
)

Judges = Annotated[
    list[str],
    typer.Option("--judge", metavar="NAME|FILE.yaml", help="A judge; repeat for several.", show_default=False),
]
Rows = Annotated[
    Path,
    typer.Argument(metavar="ROWS", help=".jsonl, .csv or .parquet with prompt and response.", show_default=False),
]
Domain = Annotated[
    str | None, typer.Option(metavar="DOMAIN", help="Whose gold claims go with prompts of the same words.")
]
StoreOption = Annotated[str, typer.Option("--store", metavar="URI", help="Where judgements are kept.")]


@judge_app.command("serve", epilog="Example: ddsweep judge serve --judge checklist --judge delivery --replicas 2")
def serve(
    judges: Judges,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 8000,
    replicas: Annotated[int, typer.Option(min=1, max=256, help="Processes at most; more start as calls queue.")] = 2,
    store: StoreOption = "ddsweep-store",
) -> None:
    """Serve judges over HTTP on this machine until Ctrl-C; whoever asks needs the token that is printed.

    $DDSWEEP_JUDGE_TOKEN sets the token; one is made up where it is not set.
    """
    import secrets
    import time

    from cluster.session import session
    from sweeps.judging import judges_of

    specs = judges_of(judges)
    _free(port)
    token = _token() or secrets.token_urlsafe(24)
    with interruptible("the pool has stopped"), log_file("judge-serve") as (_, console), session(cpus=1) as here:
        from judges.pool import start_pool, stop_pool

        try:
            start_pool(specs, replicas=replicas, store_uri=store, token=token, port=port)
            address = f"http://127.0.0.1:{port}"
            console.print(f"dashboard {here.dashboard or 'not running'}", soft_wrap=True)
            console.print(f"judges at {address}: {', '.join(spec.label for spec in specs)}", soft_wrap=True)
            console.print(f"token: {token}" if TOKEN_ENV not in os.environ else f"token: that of ${TOKEN_ENV}")
            console.print(
                f"from outside: {TOKEN_ENV}=… ddsweep judge score ROWS.jsonl -o judgements.jsonl "
                f"--judge {specs[0].label} --address {address}",
                soft_wrap=True,
            )
            while True:
                time.sleep(1)
        finally:
            stop_pool()


def _token() -> str:
    """The token in the environment, "" where there is none.

    Raises:
        InputError: it could stand in no header.
    """
    token = os.environ.get(TOKEN_ENV, "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise InputError(f"{TOKEN_ENV}: expected printable ASCII without spaces")
    return token


def _free(port: int) -> None:
    """Raises InputError where something listens already; Serve itself would try on and on."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"--port {port}: {error.strerror}; name another one") from None


@judge_app.command("score", epilog="Example: ddsweep judge score answers.jsonl --domain chef -o judgements.jsonl")
def score(
    rows: Rows,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help=".jsonl or .parquet", show_default=False)],
    judges: Annotated[
        list[str] | None,
        typer.Option(
            "--judge", metavar="NAME|FILE.yaml", help="delivery if left out, and with a domain checklist too."
        ),
    ] = None,
    domain: Domain = None,
    address: Annotated[
        str | None, typer.Option(metavar="http://HOST:PORT", help="A pool that `judge serve` started; else here.")
    ] = None,
    store: StoreOption = "ddsweep-store",
) -> None:
    """Score a file of answers; run again to resume. A row that cannot be judged is an error row with its reason."""
    from rich.console import Console

    from dd_core.records import JUDGEMENTS
    from sweeps.bar import progress
    from sweeps.judging import judges_of, score_rows
    from sweeps.row_files import read_rows
    from sweeps.spending import spent_line

    if out.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"-o {out}: expected a name that ends in .jsonl or .parquet")
    if out.is_dir() or (out.exists() and out.samefile(rows)):
        raise InputError(f"-o {out}: {'is a folder' if out.is_dir() else 'holds the answers themselves'}: name another")
    make_folder(out.parent)
    names = judges or (["checklist", "delivery"] if domain is not None else ["delivery"])
    asked = read_rows(rows, domain)
    spent: dict[str, Spent] = {}
    try:
        with interruptible(), progress("rows judged") as report:
            if address is None:
                found = score_rows(judges_of(names), asked, store, report, spent)
            else:
                from sweeps.remote import score_remotely

                found = score_remotely(address, _token(), names, asked, report)
    finally:
        for label, of in spent.items():
            print(f"{label}: {spent_line(of)}")
    columns = [column.name for column in JUDGEMENTS.columns]
    table = [{name: one.get(name) for name in columns} for one in found]
    _write(out, table)
    Console(highlight=False).print(_summary(table))
    print(f"judgements: {out}")
    if all(one["status"] == "error" for one in table):
        raise typer.Exit(1)


@judge_app.command("validate", epilog="Example: ddsweep judge validate checklist --domain facts -o validity/")
def validate(
    judge: Annotated[str, typer.Argument(metavar="NAME|FILE.yaml", show_default=False)],
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Whose known pairs are asked.")] = "chef",
    n: Annotated[int | None, typer.Option("-n", metavar="N", min=8, help="So many pairs; all if left out.")] = None,
    second: Annotated[
        str | None, typer.Option("--with", metavar="NAME|FILE.yaml", help="A second judge: agreement, self-preference.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", metavar="ROWS", help="Answers that people labelled, with --labels.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="CSV", help="response_id, axis, score by people.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where judges.json goes.")] = Path("validity"),
    store: StoreOption = "ddsweep-store",
) -> None:
    """Measure what a judge is worth; exit 3 where it is not valid on an axis of which something is known, or on none.

    Known pairs, repeated passes, the placebo battery, 30 injections; with a second judge or labels, agreement.
    """
    from rich.console import Console

    from judges.validity import accepted
    from sweeps.bar import progress
    from sweeps.judging import judges_of, score_rows, with_people
    from sweeps.judging import validate as measure
    from sweeps.row_files import read_labels, read_rows
    from sweeps.validity_table import validity_table

    if (rows is None) != (labels is None):
        raise InputError("--rows and --labels belong together: what was labelled, and how")
    if labels is not None and second is not None:
        raise InputError("--with and --labels: a report has one agreement, with a judge or with people; ask twice")
    specs = judges_of([judge])
    others = judges_of([second]) if second is not None else (None,)
    make_folder(out)
    reports: list[dict[str, Any]] = []
    with interruptible(), progress("rows judged") as report:
        for spec in specs:
            more = measure(spec, domain, store, n, others[0], report)
            if rows is not None and labels is not None:
                said = score_rows((spec,), read_rows(rows, domain), store, report)
                people = with_people(said, read_labels(labels), labels.name)
                more = [one | ({"agreement": people[one["axis"]]} if one["axis"] in people else {}) for one in more]
            reports += more
    (out / "judges.json").write_text(json.dumps(reports, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    Console(highlight=False).print(validity_table(reports, domain))
    print(f"report: {out / 'judges.json'}")
    measured = [one for one in reports if one.get("n_pairs")]
    if not measured or not all(map(accepted, measured)):
        raise typer.Exit(NOT_VALID)


@judge_app.command("label", epilog="Example: ddsweep judge label answers.jsonl --axis correct -o labels.csv")
def label(
    rows: Rows,
    axis: Annotated[str, typer.Option(metavar="AXIS", help="What you score, correct for example.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="CSV", help="Labels; added to.")] = Path("labels.csv"),
    domain: Domain = None,
    judgements: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What a judge said (judge score -o); tells the agreement at the end."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order in which answers are shown.")] = 0,
) -> None:
    """Show answers one by one for a person to score; goes on where it stopped, and computes agreement."""
    from rich.console import Console

    from sweeps.judging import with_people
    from sweeps.labelling import label as ask_person
    from sweeps.row_files import read_judgements, read_labels, read_rows

    make_folder(out.parent)
    asked = read_rows(rows, domain)
    said = read_judgements(judgements) if judgements is not None else []
    console = Console(highlight=False)
    with interruptible("stopped; the labels so far are kept, and running again goes on"):
        n = ask_person(asked, axis, out, console, input, seed)
    console.print(f"{n} of {len(asked)} answers have a label on {axis}: {out}", soft_wrap=True)
    for name in sorted({one["judge"] for one in said}):
        mine = [one for one in said if one["judge"] == name]
        agreed = with_people(mine, read_labels(out), out.name).get(axis) if out.exists() else None
        if agreed is not None:
            kappa = f"kappa {agreed['kappa']:.2f} {agreed['interval']}" if "kappa" in agreed else "no kappa: one value"
            console.print(f"{name}: {kappa}, equal on {agreed['equal']:.0%} of {agreed['n']}", soft_wrap=True)


def _write(out: Path, table: list[dict[str, Any]]) -> None:
    from dd_core.records import JUDGEMENTS

    scratch = out.with_name(f".{out.name}.part")
    try:
        if out.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(JUDGEMENTS.arrow(table), scratch)
        else:
            scratch.write_text("".join(json.dumps(one) + "\n" for one in table), encoding="utf-8")
        scratch.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None


def _summary(table: list[dict[str, Any]]) -> Any:
    from collections import Counter

    from rich.markup import escape
    from rich.table import Table

    shown = Table("judge", "axis", "rows", "errors", "mean", "first error", box=None, pad_edge=False)
    for judge, axis in sorted({(one["judge"], one["axis"]) for one in table}):
        mine = [one for one in table if (one["judge"], one["axis"]) == (judge, axis)]
        scores = [one["score"] for one in mine if one["score"] is not None]
        why = next(iter(Counter(one["error"] for one in mine if one["error"])), "")
        mean = f"{sum(scores) / len(scores):.3f}" if scores else ""
        shown.add_row(judge, axis, str(len(mine)), str(len(mine) - len(scores)), mean, escape(why[:80]))
    return shown
