"""The report as one HTML page: gathers what the template shows and renders it with everything escaped.

Answers, notes and prompts are hostile text: the environment escapes all of it, every string passes `visible`, and the
page's own policy forbids scripts and requests. Does not know how a step or an audit is judged, and writes no file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from dd_core import __version__
from dd_core.claim import Claim
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.falsify.verdict import AuditResult, StepResult, Verdict
from dd_core.report import rows, words
from dd_core.report.figures import steps_figure, trials_figure
from dd_core.report.sentence import verdict_sentence

OPEN = ("fail", "unclear", "not_checkable", "warn")
"""Statuses of audits that are shown unfolded; pass and not applicable are folded."""
MOST_EVIDENCE_CHARS = 400
_VERSION = re.compile(r"[\w.+ \-]{1,60}")
_NOT_TOLD = re.compile(r"host|user|node|path|dir|time|date|created|token|secret", re.I)


def _finalize(value: Any) -> Any:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=words.plain, number=words.number, count=words.count, thousands=lambda n: f"{n:,}")
    environment.globals.update(statuses=words.STATUSES, arms=words.ARMS, step_titles=words.STEPS)
    return environment


def page(verdict: Verdict, bundle: Bundle, *, seed: int = 0) -> str:
    """The page; see `dd_core.report.render_html`."""
    claim = bundle.claim
    name, _, sentence = verdict_sentence(verdict, claim).partition(": ")
    case = Case(bundle)
    shown_split, answers = rows.side_by_side(case, seed)
    crossed_split, crossed = rows.two_by_two(case)
    found = rows.trials(bundle)
    baseline = rows.baseline_mean(case)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            verdict=verdict,
            claim=claim,
            name=name,
            sentence=sentence[:1].upper() + sentence[1:],
            facts=_facts(case),
            readings=words.readings_line(verdict),
            needed=words.needed_lines(verdict),
            steps=[_step(step, claim) for step in verdict.steps],
            steps_figure=_markup(_steps_figure(verdict.steps, case)),
            audits=_audits(verdict, bundle),
            open_statuses=OPEN,
            shown_split=shown_split,
            answers=answers,
            shown_axes=rows.claimed_axes(claim),
            most_chars=rows.MOST_CHARS,
            crossed_split=crossed_split,
            crossed=crossed,
            trials=found,
            baseline=baseline,
            trials_figure=_markup(trials_figure(found, baseline=baseline, unit=_search_unit(claim))),
            certainty=rows.certainty(case),
            counts=rows.counted(bundle),
            planned=_planned(bundle),
            absent=sorted(bundle.absent),
            versions=_versions(bundle.manifest),
            manifest=bundle.manifest is not None,
            program=__version__,
            seed=seed,
        )
    )


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _facts(case: Case) -> list[tuple[str, str]]:
    claim = case.claim
    low, high = claim.range_of(claim.axis)
    facts = [
        ("Subject", case.view.subject),
        ("Claimed", f"{words.plain(claim.axis)}, {claim.direction} (scale {low:g} to {high:g})"),
        ("Configurations tried", f"{claim.searched:,}"),
    ]
    if claim.operator:
        facts.insert(1, ("Operator", claim.operator))
    if claim.anchor:
        facts.append(("Must hold", f"{words.plain(claim.anchor)}, losing {claim.margin:.0%} of its range at most"))
    if claim.replicates:
        facts.append(("Must replicate on", ", ".join(claim.replicates)))
    return facts


def _step(step: StepResult, claim: Claim) -> dict[str, Any]:
    signed = claim.kind != "probe"
    title, where = words.STEPS[step.id]
    if step.id == "variant" and claim.kind == "probe":
        where = "mean of the last four layers"
    ci = None if step.ci is None else " to ".join(words.number(end, signed=signed) for end in step.ci)
    return {
        "title": title, "where": where, "status": step.status, "estimate": words.number(step.estimate, signed=signed),
        "ci": ci or "–", "gate": words.number(step.gate, signed=signed), "n": step.n, "note": step.note,
    }  # fmt: skip


def _steps_figure(steps: tuple[StepResult, ...], case: Case) -> str | None:
    claim = case.claim
    if claim.kind == "probe":
        return steps_figure(steps, null=0.5, limits=(0.0, 1.0), unit="area under the curve")
    low, high = claim.range_of(claim.axis)
    unit = f"difference in {words.plain(claim.axis)}\n(claimed direction to the right)"
    return steps_figure(steps, null=0.0, allowance=case.allowance(), limits=(low - high, high - low), unit=unit)


def _search_unit(claim: Claim) -> str:
    better = "higher" if claim.direction == "increase" else "lower"
    return f"mean {words.plain(claim.axis)}\n({better} is claimed)"


def _audits(verdict: Verdict, bundle: Bundle) -> list[tuple[str, list[dict[str, Any]]]]:
    """Audits by status, the gravest first, each group in the verdict's order."""
    found: dict[str, list[dict[str, Any]]] = {status: [] for status in words.STATUSES}
    for audit in verdict.audits:
        found[audit.status].append(_audit(audit, bundle))
    return [(status, audits) for status, audits in found.items() if audits]


def _audit(audit: AuditResult, bundle: Bundle) -> dict[str, Any]:
    named = bundle.responses.filter(pl.col("response_id").is_in(list(audit.rows)))
    by_id = {row["response_id"]: row for row in named.iter_rows(named=True)}
    return {
        "id": audit.id,
        "note": audit.note,
        "evidence": [(words.plain(key), _evidence(value)) for key, value in sorted(audit.evidence.items())],
        "rows": [(name, by_id.get(name)) for name in audit.rows],
    }


def _evidence(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, str):
        text = value
    elif isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
        text = ", ".join(_evidence(item) for item in value)
    else:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_EVIDENCE_CHARS else text[:MOST_EVIDENCE_CHARS] + " …"


def _planned(bundle: Bundle) -> list[str]:
    planned = (bundle.manifest or {}).get("planned")
    if not isinstance(planned, dict):
        return []
    lines = []
    if isinstance(planned.get("prompts"), dict):
        lines.append("prompts: " + ", ".join(f"{n} {split}" for split, n in sorted(planned["prompts"].items())))
    if isinstance(planned.get("train_seeds"), list):
        lines.append("train seeds: " + ", ".join(map(str, planned["train_seeds"])))
    told = ("primary", "exclusions", "stop")
    return lines + [f"{key}: {planned[key]}" for key in told if isinstance(planned.get(key), str)]


def _versions(manifest: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Versions and settings of the manifest's environment, flat; nothing that names a host, a path or a time."""
    found: dict[str, str] = {}

    def add(key: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                add(str(name), item)
        elif isinstance(value, str | int | float) and _VERSION.fullmatch(str(value)) and not _NOT_TOLD.search(key):
            found.setdefault(key, str(value))

    for member in ("environment", "code_version"):
        if manifest and member in manifest:
            add(member, manifest[member])
    return sorted(found.items())
