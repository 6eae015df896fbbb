"""What a distillation would cost, what it cost, and what came of it, on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dd_core.distill.teachers import Cost
from judges.asking import Spent
from sweeps.distill import Distilled


def cost_table(costs: Sequence[Cost]) -> Table:
    """Calls, tokens and dollars by stage, and their sum."""
    table = Table(
        "stage", "teacher", "calls", "tokens in", "tokens out", "USD, about", "at most", box=None, pad_edge=False
    )
    for cost in costs:
        tokens = (f"{cost.prompt_tokens:,}", f"{cost.completion_tokens:,}")
        table.add_row(cost.stage, cost.teacher, str(cost.calls), *tokens, f"{cost.usd:.2f}", f"{cost.usd_at_most:.2f}")
    usd, most = sum(cost.usd for cost in costs), sum(cost.usd_at_most for cost in costs)
    table.add_row("in all", "", str(sum(cost.calls for cost in costs)), "", "", f"{usd:.2f}", f"{most:.2f}")
    return table


def spent_line(spent: Spent) -> str:
    """One line: calls, tokens, dollars, and why calls were made again."""
    tokens = [sum(pair[i] for pair in spent.tokens.values()) for i in (0, 1)]
    line = (
        f"{spent.calls} replies, {spent.found} of them found in the store; {tokens[0]:,} tokens in, {tokens[1]:,} out; "
        f"{spent.usd:.2f} USD, {spent.usd_now:.2f} of it now"
    )
    if spent.retried:
        line += "; asked again for " + ", ".join(f"{why} ({n})" for why, n in sorted(spent.retried.items()))
    if spent.unusable:
        line += "; could not be used: " + ", ".join(f"{why} ({n})" for why, n in sorted(spent.unusable.items()))
    return line


def outcome(done: Distilled) -> Group:
    """Rows by kind, what was set aside by reason, warnings, and where it all is."""
    rows = ", ".join(f"{n} {kind}" for kind, n in done.gated.counts.items())
    aside = Counter(f"{row.stage}: {row.reason}" for row in (*done.lost, *done.gated.dropped))
    lines = [f"the final answer was right for {done.taught} of {done.asked} prompts", f"rows: {rows}"]
    if aside:
        lines.append("set aside: " + ", ".join(f"{reason} ({n})" for reason, n in sorted(aside.items())))
    lines += [f"note: {warning}" for warning in done.gated.warnings]
    lines.append(f"data card: {done.folder / 'CARD.md'}")
    return Group(*map(Text, lines))
