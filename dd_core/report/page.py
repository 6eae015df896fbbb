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
from dd_core.falsify.audits.inference.dose_response import P_VALUE
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.falsify.show.summary import StepLine, summarise
from dd_core.falsify.statistics import AUDIT_LEVEL
from dd_core.falsify.verdict import AuditResult, StepResult, Verdict
from dd_core.report import rows, words
from dd_core.report.curve import choices, curve_figure
from dd_core.report.dose import Response, response
from dd_core.report.dose_figure import dose_figure
from dd_core.report.figures import steps_figure, trials_figure
from dd_core.report.guards import guards, measures
from dd_core.report.made_of import fits
from dd_core.report.mechanism import explained
from dd_core.report.probe import probe_read, roc_figure
from dd_core.report.search import tradeoff, tradeoff_figure
from dd_core.report.sentence import verdict_sentence

OPEN = ("fail", "unclear", "not_checkable", "warn")
"""Statuses of audits that are shown unfolded; pass and not applicable are folded."""
MOST_EVIDENCE_CHARS = 400
DRAWN = {"fragile": ("choices",), "dose_response": ("by_strength", "isotonic")}
"""Audit → evidence that has a figure and a table of its own."""
_VERSION = re.compile(r"[\w.+ \-]{1,60}")
_NOT_TOLD = re.compile(r"host|user|node|path|dir|time|date|created|token|secret", re.I)


def _finalize(value: Any) -> Any:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment() -> jinja2.Environment:
    """Where the templates of this folder are rendered: everything in them is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        plain=words.plain, number=words.number, percent=words.percent, count=words.count, thousands=lambda n: f"{n:,}"
    )
    made.globals.update(statuses=words.STATUSES, arms=words.ARMS, step_titles=words.STEPS)
    return made


def page(verdict: Verdict, bundle: Bundle, *, seed: int = 0) -> str:
    """The page; see `dd_core.report.render_html`."""
    claim = bundle.claim
    name, _, sentence = verdict_sentence(verdict, claim).partition(": ")
    case = Case(bundle, verdict.seed)
    shown_split, answers = rows.side_by_side(case, seed)
    told = summarise(verdict)
    crossed_split, crossed = rows.two_by_two(case)
    found = rows.trials(bundle)
    baseline = rows.baseline_mean(case)
    searched = tradeoff(case)
    other = choices(verdict)
    read = probe_read(verdict, case)
    dosed = response(case)
    guarded = guards(bundle.edit)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            verdict=verdict,
            claim=claim,
            name=name,
            sentence=sentence[:1].upper() + sentence[1:],
            facts=_facts(case),
            readings=words.readings_line(verdict),
            needed=words.needed_lines(verdict),
            mechanism=explained(verdict, lambda audit: _audit(audit, bundle)),
            steps=[_step(step, line, claim) for step, line in zip(verdict.steps, told.steps, strict=True)],
            steps_figure=_markup(_steps_figure(verdict.steps, claim)),
            choices=other,
            audit_level=words.percent(AUDIT_LEVEL),
            curve_figure=_markup(curve_figure(other, gate=case.gate(), limits=_limits(claim), unit=_unit(claim))),
            probe=read,
            roc_figure=_markup(roc_figure(read) if read is not None else None),
            dose=dosed,
            rise_p=P_VALUE,
            dose_figure=_markup(None if dosed is None else _dose_figure(dosed, claim)),
            guards=guarded,
            guard_measures=measures(guarded),
            made_of=fits(bundle.edit),
            audits=_audits(verdict, bundle),
            open_statuses=OPEN,
            shown_split=shown_split,
            answers=answers,
            shown_axes=rows.claimed_axes(claim),
            most_chars=rows.MOST_CHARS,
            crossed_split=crossed_split,
            crossed=crossed,
            trials=found,
            strengths=rows.strengths_tried([trial.trial_id for trial in found]),
            baseline=baseline,
            tradeoff=searched,
            trials_figure=_markup(
                tradeoff_figure(searched, axis=words.plain(claim.axis), anchor=words.plain(claim.anchor or ""))
                if searched is not None
                else trials_figure(found, baseline=baseline, unit=_search_unit(claim))
            ),
            certainty=rows.certainty(case, rows.fresh_level(verdict)),
            fresh_level=rows.fresh_level(verdict),
            probe_certainty=rows.probe_certainty(verdict),
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


def _step(step: StepResult, line: StepLine, claim: Claim) -> dict[str, Any]:
    where = words.STEPS[step.id][1]
    if claim.kind == "probe":
        where = {"within": "out of fold, on the rows fitted on", "variant": "mean of the last four layers"}.get(
            step.id, where
        )
    return vars(line) | {"title": line.name, "where": where, "n": step.n, "note": step.note}


def _steps_figure(steps: tuple[StepResult, ...], claim: Claim) -> str | None:
    if claim.kind == "probe":
        return steps_figure(steps, base=0.5, limits=(0.0, 1.0), unit="area under the curve")
    return steps_figure(steps, base=0.0, limits=_limits(claim), unit=_unit(claim))


def _dose_figure(read: Response, claim: Claim) -> str:
    anchor = claim.anchor or claim.axis
    return dose_figure(
        read,
        axis=words.plain(claim.axis),
        anchor=words.plain(claim.anchor) if claim.anchor else None,
        limits=_limits(claim),
        anchor_limits=_limits(claim, anchor),
    )


def _limits(claim: Claim, axis: str | None = None) -> tuple[float, float]:
    """Between which every difference on `axis` (the claimed one by default) lies, in its units."""
    low, high = claim.range_of(axis or claim.axis)
    return low - high, high - low


def _unit(claim: Claim) -> str:
    return f"difference in {words.plain(claim.axis)}\n(claimed direction to the right)"


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
        "status": audit.status,
        "evidence": [
            (words.plain(key), _evidence(value))
            for key, value in sorted(audit.evidence.items())
            if key not in DRAWN.get(audit.id, ())
        ],
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
