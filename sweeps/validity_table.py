"""What a judge is worth, on a terminal: a line for each measure, and a sentence on whether it may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from judges.validity import LEAST_RIGHT, accepted

LEAST_SURE = 0.80
"""Lower limit of what is right under which the number of pairs is told as too small to be sure."""


def validity_table(reports: Sequence[dict[str, Any]], domain: str) -> RenderableType:
    """Every report, one below the other."""
    return Group(*(part for report in reports for part in (*_one(report, domain), Text(""))))


def _one(report: dict[str, Any], domain: str) -> tuple[RenderableType, ...]:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _lines(report):
        table.add_row(f"  {name}", value)
    return Text(f"{report['judge']} on {report['axis']}", style="bold"), table, _sentence(report, domain)


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if report.get("n_pairs"):
        low, high = report["interval"]
        lines.append(("known and right", f"{report['n_right']} of {report['n_pairs']} [{low:.2f}, {high:.2f}]"))
        missed = [f"{kind} {n} of {of}" for kind, (n, of) in report["missed"].items()]
        if missed:
            lines.append(("missed", ", ".join(missed)))
    for name in ("sensitivity", "specificity", "flip_rate", "position_bias"):
        if report.get(name) is not None:
            lines.append((name.replace("_", " "), f"{report[name]:.3f}"))
    if report["placebo"]:
        shifts = ", ".join(f"{name} {shift:+.3f}" for name, shift in report["placebo"].items())
        lines.append(("placebo battery", shifts))
        most = max(0.0, *report["placebo"].values())
        lines.append(("bias allowance, increase", f"{most:.3f}"))
    if report.get("injections"):
        lines.append(("injections that raised it", "{raised} of {n}".format(**report["injections"])))
    if report.get("errors"):
        lines.append(("rows without a score", str(report["errors"])))
    if (agreed := report.get("agreement")) is not None:
        kappa = "kappa {kappa:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]" if "kappa" in agreed else "no kappa"
        lines.append((f"agreement with {agreed['with']}", f"{kappa.format(**agreed)}, n {agreed['n']}"))
    if (own := report.get("self_preference")) is not None and "estimate" in own:
        low, high = own["interval"]
        lines.append(("self-preference", f"{own['estimate']:+.2f} [{low:.2f}, {high:.2f}], n {own['n']}"))
    return lines


def _sentence(report: dict[str, Any], domain: str) -> Text:
    if not report.get("n_pairs"):
        return Text(f"  not measured: {domain} has nothing known on {report['axis']}", style="yellow")
    if accepted(report):
        low = report["interval"][0]
        few = "" if low >= LEAST_SURE else f", as far as {report['n_pairs']} can say"
        return Text(f"  valid: it may be evidence on this axis{few}", style="green")
    return Text(f"  not valid: under {LEAST_RIGHT:.0%} of what is known is right; it is no evidence", style="red")
