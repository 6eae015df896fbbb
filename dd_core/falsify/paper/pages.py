"""How a replication looks: as a Markdown page, and in a terminal.

Shows what `Replication` holds and computes nothing. rich is imported when a terminal asks for it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dd_core.falsify.paper.replication import PAPER, Replication
from dd_core.falsify.paper.rows import Row

if TYPE_CHECKING:
    from rich.console import RenderableType

STATUS = {
    "same": "same",
    "differs": "differs",
    "in_file": "in a file only",
    "absent": "absent",
    "not_computable": "cannot be computed",
}
COLOURS = {"same": "green", "differs": "red", "in_file": "cyan", "absent": "yellow", "not_computable": "yellow"}
RECOMPUTED, AUDITED, UNSAID = (
    "Recomputed beside printed",
    "The same rows before the falsifier",
    "What the paper does not say",
)


def tally_sentence(found: Replication) -> str:
    """How many numbers are the same, and what became of the others."""
    n = found.tally
    parts = [
        f"{n['same']} of {len(found.rows)} numbers are the same to the last printed digit",
        f"{n['differs']} {'differs' if n['differs'] == 1 else 'differ'}",
        f"{n['in_file']} agree with a result file whose rows were not released",
        f"{n['absent']} need a file that is not in the folder",
        f"{n['not_computable']} cannot be computed from anything that was released",
    ]
    return "; ".join(parts) + "."


def verdict_of(row: Row) -> str:
    """A row's status in words, with its note."""
    word = STATUS[row.status]
    if row.status == "differs":
        return f"{word} {row.note}"
    return f"{word}: {row.note}" if row.note else word


def markdown(found: Replication) -> str:
    """The page as Markdown; the same replication gives the same text."""
    lines = [f"# {PAPER}, recomputed from its released files", "", tally_sentence(found), "", f"## {RECOMPUTED}"]
    for section, rows in groupby(found.rows, key=lambda row: row.section):
        lines += [
            "",
            f"### {section}",
            "",
            "| what | recomputed | printed | where | verdict |",
            "|---|---|---|---|---|",
        ]
        lines += [
            "| "
            + " | ".join(_cell(text) for text in (row.what, row.recomputed, row.printed, row.where, verdict_of(row)))
            + " |"
            for row in rows
        ]
    lines += ["", f"## {AUDITED}", ""]
    lines += [f"- **{claim.about}**: {_escape(found.sentences[claim.name])}" for claim in found.claims]
    lines += ["", f"## {UNSAID}", ""]
    lines += [f"- **{look.title}**: {_escape(look.sentence)}" for look in found.looks]
    if found.absent:
        lines += ["", "## Files that are not in the folder", "", *(f"- `{path}`" for path in found.absent)]
    return "\n".join(lines) + "\n"


def files(found: Replication) -> dict[str, bytes]:
    """File name → bytes: the page as Markdown and as JSON, and a verdict for each claim that could be put."""
    verdicts = {f"verdict-{c.name}.json": c.verdict.json_bytes() for c in found.claims if c.verdict is not None}
    return {"paper.md": markdown(found).encode(), "paper.json": found.json_bytes(), **verdicts}


def _cell(text: str | None) -> str:
    return "–" if text is None else _escape(text).replace("|", "\\|")


def _escape(text: str) -> str:
    """`text` with the characters that Markdown would read as emphasis or code, or HTML as a tag, escaped."""
    for character in "\\`*_<":
        text = text.replace(character, "\\" + character)
    return text


def terminal(found: Replication) -> RenderableType:
    """The same for a terminal: readable at 80 columns, and plain text without colour."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{PAPER}, recomputed from its released files", style="bold")]
    parts += [Text(tally_sentence(found)), Text()]
    for section, grouped in groupby(found.rows, key=lambda row: row.section):
        rows = list(grouped)
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        table.add_column("what", ratio=8, overflow="fold")
        table.add_column("recomputed", ratio=5, justify="right")
        table.add_column("printed", ratio=5, justify="right")
        table.add_column("verdict", ratio=8, overflow="fold")
        for row in rows:
            shown = Text(verdict_of(row), style=COLOURS[row.status])
            if row.where != rows[0].where:
                shown.append(f" ({row.where})", style="dim")
            table.add_row(Text(row.what), Text(row.recomputed or "–"), Text(row.printed), shown)
        parts += [Text(section, style="bold").append(f"  {rows[0].where}", style="dim"), Padding(table, (0, 0, 1, 2))]
    parts.append(Text(AUDITED, style="bold"))
    parts += [_item(found.sentences[claim.name], claim.about) for claim in found.claims]
    parts += [Text(), Text(UNSAID, style="bold"), *(_item(look.sentence, look.title) for look in found.looks)]
    if found.absent:
        parts += [Text(), Text("Files that are not in the folder", style="bold")]
        parts += [_item(path) for path in found.absent]
    return Group(*parts)


def _item(text: str, lead: str = "") -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1))
    row.add_row(Text("-"), Text.assemble((f"{lead}: ", "bold"), text) if lead else Text(text))
    return row
