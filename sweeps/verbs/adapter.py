"""The verbs of `ddsweep adapter`: what a study's adapters are, one of them as Hugging Face knows it, and merged.

Thin over `sweeps.adapters`; heavy imports wait until a verb needs them. What people or models wrote is shown as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dd_core.errors import InputError
from sweeps.shell import interruptible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dd_core.operators.model_card import Facts
    from sweeps.adapters import Merged
    from sweeps.study_adapters import StudyAdapters

DIFFERENT = 1

adapter_app = typer.Typer(help="Adapters: what a study made, written for plain PEFT, or merged.", no_args_is_help=True)

Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A store, a study in one, or a folder with an adapter.", show_default=False),
]
Trial = Annotated[str | None, typer.Option("--trial", metavar="LABEL", help="Whose adapter; see: adapter show SOURCE.")]


@adapter_app.command("show", epilog="Example: ddsweep adapter show ddsweep-store --trial treated-seed-1 -o adapter/")
def show(
    source: Source,
    trial: Trial = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write the adapter there, with a model card."),
    ] = None,
) -> None:
    """List the adapters of a study, or say all that is known of one; with -o write it for plain PEFT."""
    from rich.console import Console

    from sweeps.adapters import FolderAdapter, export, read_source

    console = Console(highlight=False)
    found = read_source(source)
    if isinstance(found, FolderAdapter):
        if trial is not None:
            raise InputError(f"--trial: {source} is one adapter by itself; leave the option out")
        facts, contents = found.facts, found.contents
    elif trial is None:
        if out is not None:
            raise InputError(f"-o: name the adapter with --trial, one of {', '.join(a.label for a in found.all())}")
        _print_table(console, found)
        return
    else:
        adapter = found.adapter(trial)
        facts, contents = found.facts(adapter), found.contents(adapter)
    console.print(details(facts), soft_wrap=True)
    if out is not None:
        for path in export(facts, contents, out):
            print(f"written: {path}")


@adapter_app.command("merge", epilog="Example: ddsweep adapter merge ddsweep-store --trial treated-seed-1 -o merged/")
def merge(
    source: Source,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder that is not there yet.")],
    trial: Trial = None,
    prompts: Annotated[int, typer.Option(metavar="N", min=1, help="Prompts to compare on, at most.")] = 16,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="Base of a folder's adapter that names none that is known.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Whose prompts, for a folder's adapter; facts if left out.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or bfloat16, of the merged weights; the subject's own if left out.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Add an adapter into its base's weights and compare the answers; exit 1, and keep nothing, where they differ."""
    from rich.console import Console
    from rich.markup import escape

    from sweeps.adapters import merge_adapter

    said = Console(stderr=True, highlight=False)
    with interruptible("interrupted; nothing was written"), said.status("") as spinner:

        def say(words: str) -> None:
            spinner.update(escape(words))
            if not words.startswith("compared"):  # counted where something moves, not line by line
                said.print(words, markup=False, soft_wrap=True, style="dim")

        done = merge_adapter(
            source, out, trial=trial, subject=subject, domain=domain, prompts=prompts, dtype=dtype, device=device,
            report=say,
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(compared(done))
    if not done.files:
        instead = "use the adapter unmerged"
        instead += ", or merge with --dtype float32" if done.comparison.dtype != "float32" else ""
        console.print(f"[red]The merged model is not the edit[/red]: nothing was written; {instead}.", soft_wrap=True)
        raise typer.Exit(DIFFERENT)
    print(f"merged: {out} ({', '.join(done.files)})")


def details(facts: Facts) -> RenderableType:
    """All that is known of one adapter."""
    from rich.table import Table

    from dd_core.operators.model_card import covered, losses, sparkline, uncovered

    base, origin = facts.base, facts.origin
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")

    def row(name: str, value: str) -> None:
        table.add_row(name, _plain(value))

    row("adapter", facts.name)
    weights = ", ".join(f"{name} sha256:{digest[:16]}" for name, digest in base.weights.items())
    at = f" = {base.hub_id} at {base.revision or 'an unknown commit'}" if base.hub_id else ""
    row("base", "; ".join(part for part in (base.name + at, weights, base.licence or "licence unknown") if part))
    row("size", f"rank {facts.rank}, alpha {facts.alpha:g}, scaling {facts.scaling:g}; norm {facts.norm:.4g}")
    row("covers", f"{'; '.join(covered(facts.modules))}. {uncovered(facts)}")
    if origin is None:
        row("origin", "from elsewhere: what it was trained on is not known here")
        row("files", f"sha256:{facts.sha256}")
        return table
    curve, metrics = losses(facts), origin.metrics
    if curve:
        row("loss", f"{curve[0]:.4g} {sparkline(curve)} {curve[-1]:.4g} in {len(curve)} steps")
    row("fitted", f"{origin.operator}, train seed {origin.train_seed}; "
                  + ", ".join(f"{name} {value}" for name, value in origin.settings.items()))  # fmt: skip
    row("fit said", ", ".join(f"{name} {_figure(value)}" for name, value in metrics.items() if _is_figure(value)))
    row("trained on", origin.data + (f" Data card {origin.data_card}." if origin.data_card else ""))
    row("prompt set", origin.prompt_set)
    row("claim", f"{origin.statement} ({origin.claim})")
    row("verdict", _verdict(origin.verdict) or origin.progress)
    row("study", f"{origin.study}, pre-registration {origin.preregistration}")
    row("block", " → ".join(f"train/{key}" for key in (*origin.stages, origin.block)))
    row("files", f"sha256:{facts.sha256}")
    return table


def compared(done: Merged) -> RenderableType:
    """What merging changed."""
    from rich.console import Group
    from rich.table import Table

    found = done.comparison
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("answers", f"{found.n_equal} of {found.n_answers} the same token for token ({_plain(done.prompts)})")
    table.add_row("logits", f"differ by at most {found.largest:.2g}, root mean square {found.rms:.2g}, "
                            f"over {found.n_tokens:,} positions")  # fmt: skip
    table.add_row("the edit", f"moves them by at most {found.edit_largest:.2g}, root mean square {found.edit_rms:.2g}")
    outcome = "holds" if found.same else "[red]does not hold[/red]"
    table.add_row("asked for", f"{found.dtype}: {found.bound}: {outcome}")
    if not found.partings:
        return table
    parts = Table("prompt", "token", "unmerged", "merged", "margin", "differ by", "", box=None, pad_edge=False)
    for one in found.partings:
        parts.add_row(
            one.prompt_id[:12], str(one.position + 1), _plain(repr(one.unmerged)), _plain(repr(one.merged)),
            f"{one.margin:.2g}", f"{one.difference:.2g}", "near tie" if one.near_tie else "no near tie",
        )  # fmt: skip
    return Group(table, "", "where answers part:", parts)


def _print_table(console: Any, found: StudyAdapters) -> None:
    from rich.table import Table

    from dd_core.operators.model_card import covered
    from sweeps.study_adapters import sizes

    best, confirmed = found.answer
    table = Table(box=None, pad_edge=False)
    for name in ("", "trial", "data", "covers"):
        table.add_column(name, no_wrap=name == "trial")
    for name in ("seed", "r/α", "norm", "loss", "steps", "rows", "score"):
        table.add_column(name, justify="right")
    for adapter in found.all():
        meta, edit = adapter.block.meta, adapter.spec["edit"]
        curve = meta.get("losses") or [meta.get("loss")]
        rank, alpha, _ = sizes(adapter.config)
        where = "; ".join(covered(meta.get("modules", ()))).replace(" of layers ", " in ")
        table.add_row(
            "*" if adapter.label == best or adapter.label in confirmed else "", _plain(adapter.label), edit["data"],
            _plain(where), str(edit["train_seed"]), f"{rank}/{alpha:g}", _figure(meta.get("delta_norm")),
            f"{_figure(curve[0])}→{_figure(curve[-1])}", _figure(meta.get("n_steps")), _figure(meta.get("n_rows")),
            _figure(adapter.commit.get("score")),
        )  # fmt: skip
    outcome = _verdict(found.verdict) or found.progress
    console.print(f"[bold]{_plain(found.files.study_id)}[/bold]: {outcome}", soft_wrap=True)
    console.print(table)
    if confirmed:
        chosen = f"the configuration of {best}" if best else "the chosen configuration"
        console.print(_plain(f"* the answer: {chosen}, trained again as {', '.join(confirmed)}"), soft_wrap=True)
    elif best:
        console.print(_plain(f"* the best so far: {best}; nothing is confirmed yet"), soft_wrap=True)


def _verdict(verdict: Any) -> str:
    """The verdict in a line, "" where there is none."""
    if verdict is None:
        return ""
    why = f" ({', '.join(map(str, verdict['reasons']))})" if verdict.get("reasons") else ""
    mechanism = f", mechanism {verdict['mechanism']}" if verdict.get("mechanism") else ""
    return _plain(f"{verdict['verdict']}{why}{mechanism}")


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _figure(value: Any) -> str:
    """A number in few characters, "-" for none, anything else as it is written."""
    if value is None:
        return "-"
    if not _is_figure(value):
        return _plain(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _plain(text: str) -> str:
    """Text as one line, in which nothing is markup."""
    from rich.markup import escape

    from dd_core.falsify.show.words import one_line

    return escape(one_line(text))
