"""Prompts and what `check` found, on a terminal. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dd_core.prompts.check import Report
from dd_core.prompts.domain import Domain
from dd_core.records import SPLITS, Prompt


def domains(loaded: Mapping[str, tuple[Domain, Mapping[str, tuple[Prompt, ...]]]]) -> Table:
    """One line a domain: what it holds and how many prompts of each split."""
    table = Table("domain", *SPLITS, "not certain", "licence", "holds", box=None, pad_edge=False)
    for name, (domain, prompts) in loaded.items():
        everything = [prompt for split in SPLITS for prompt in prompts[split]]
        unsure = sum(prompt.certainty != "certain" for prompt in everything) / max(1, len(everything))
        counts = [str(len(prompts[split])) for split in SPLITS]
        table.add_row(name, *counts, f"{unsure:.0%}", domain.licence, domain.about)
    return table


def report(name: str, found: Report) -> Group:
    """The measures of one domain with their bounds, and below them what is to be mended."""
    title = f"[bold]{escape(name)}[/bold]: " + ("[green]kept[/green]" if found.kept else "[red]to be mended[/red]")
    table = Table("", *SPLITS, "bound", "", box=None, pad_edge=False)
    for measure in found.measures:
        mark = "[green]kept[/green]" if measure.kept else "[red]broken[/red]"
        table.add_row(escape(measure.name), *(measure.values[split] for split in SPLITS), measure.bound, mark)
    return Group(Text.from_markup(title), table, *(Text(f"  {finding}") for finding in found.findings))


def prompt(one: Prompt) -> RenderableType:
    """A prompt in full: what is asked, what a right answer says, and why it is right."""
    lines = [Text(f"{turn.role}: {turn.content}", style="dim") for turn in one.history]
    lines.append(Text(one.prompt, style="bold"))
    for claim in one.claims:
        lines.append(Text(f"• {claim.claim}"))
        lines.append(Text(f"    accepted: {_phrases(claim.accept)}", style="green"))
        if claim.contradict:
            lines.append(Text(f"    contradicts: {_phrases(claim.contradict)}", style="red"))
        if claim.reference:
            lines.append(Text(f"    {claim.reference}", style="dim"))
    if one.program is not None:
        lines.append(Text(f"• {one.program.entry_point} passes:"))
        lines.append(Text(one.program.tests.strip(), style="green"))
    if one.reference:
        lines.append(Text(one.reference, style="dim"))
    labels = [one.prompt_id, one.split, one.category, one.difficulty, one.certainty]
    if one.correction:
        labels.append(f"{one.correction} correction")
    return Panel(Group(*lines), title=escape(" · ".join(labels)), title_align="left", border_style="dim")


def _phrases(phrases: Iterable[str]) -> str:
    return "; ".join(phrases)
