"""Recomputes what the paper says of edits: the first pass and its re-evaluation, the Chef adapter, and the heads found.

Does not judge what the results mean. Most of the re-evaluation was printed without rows, and is listed as such.
"""

from __future__ import annotations

import math

from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.rows import Row, Section, as_printed
from dd_core.falsify.paper.schema import Attribution, EvalRun, Tasks

FIRST = Section("Qwen3-0.6B: the first pass, later withdrawn", "section 4.1")
AGAIN = Section("The re-evaluation of the edits", "table 1")
CHEF = Section("Gemma: the keyword verifier on the Chef adapter", "the file's own summary")
HEADS = Section("Attention heads found by attribution", "section 5.1")

NO_ROWS = "no rows of it were released"
_WITHOUT_ROWS = (
    ("Qwen3-0.6B HumanEval at 1024 tokens, %", "36.0, 28.0, -8.0"),
    ("Qwen3-0.6B recovery after a correction, %", "10.5, 7.5, -3.0"),
    ("Qwen3-0.6B MCAS scored alike, of 25", "12.39, 12.07, -0.32"),
    ("Qwen3-1.7B LoRA on attention alone, %", "83.5, 67.7, -15.8"),
    ("Qwen3-1.7B LoRA on all modules, %", "83.5, 62.8, -20.7"),
)


def edit_rows(release: Release) -> list[Row]:
    """Rows of all edits."""
    return [*_first_rows(release), *_again_rows(), *_chef_rows(release), *_head_rows(release)]


def pass_rate(tasks: Tasks) -> float:
    """Share of problems passed, in percent."""
    return 100 * sum(task.passed for task in tasks.root) / len(tasks.root) if tasks.root else math.nan


def _first_rows(release: Release) -> list[Row]:
    section, rows = FIRST, []
    humaneval = ("HumanEval before, %", "14.6"), ("HumanEval after, %", "29.9"), ("HumanEval gain, points", "+15.3")
    before, after = release.humaneval_baseline, release.humaneval_treated
    if before is None or after is None or not before.root or not after.root:
        why = release.lacks("humaneval_baseline", "humaneval_treated") or "the files have no problems"
        rows += [section.without(what, printed, why) for what, printed in humaneval]
    else:
        values = pass_rate(before), pass_rate(after), pass_rate(after) - pass_rate(before)
        rows += [section.number(w, value, printed) for (w, printed), value in zip(humaneval, values, strict=True)]
        if release.first_pass is not None:
            own = (
                ("HumanEval before, %", values[0], release.first_pass.baseline_humaneval),
                ("HumanEval after, %", values[1], release.first_pass.dd_fp16_humaneval),
            )
            rows += [section.number(what, v, as_printed(given, 2), "eval_results.json") for what, v, given in own]
    what, printed = "MCAS gain, points", "+33.9"
    if release.mcas is None:
        return [*rows, section.without(what, printed, release.lacks("mcas"))]
    means = [50 * sum(s) / len(s) for s in (release.mcas.baseline_scores, release.mcas.dd_fp16_scores)]
    rows.append(section.number(what, means[1] - means[0], printed))
    if release.first_pass is not None:
        own = (
            ("MCAS before, %", means[0], release.first_pass.baseline_mcas),
            ("MCAS after, %", means[1], release.first_pass.dd_fp16_mcas),
        )
        rows += [section.number(what, v, as_printed(given, 1), "eval_results.json") for what, v, given in own]
    return rows


def _again_rows() -> list[Row]:
    rows = [AGAIN.never(f"{what}: before, after, difference", printed, NO_ROWS) for what, printed in _WITHOUT_ROWS]
    why = "the trained model's answers were released without their coverage"
    return [*rows, AGAIN.never("Gemma, share of gold claims: after, difference in points", "0.379, -7.3", why)]


def _chef_rows(release: Release) -> list[Row]:
    rows = []
    for name, label, printed in (
        ("chef_baseline", "untrained", "0.2791"),
        ("chef_treated", "trained", "0.2412"),
    ):
        run: EvalRun | None = getattr(release, name)
        if run is None:
            rows.append(CHEF.without(f"{label}: mean score", printed, release.lacks(name)))
            continue
        n = len(run.rows)
        own = {
            "avg_score": sum(row.score for row in run.rows) / n,
            "pass_rate": sum(row.passed for row in run.rows) / n,
            "avg_invented": sum(row.invented_count for row in run.rows) / n,
            "technique_clean": sum(row.incorrect_technique == 0 for row in run.rows) / n,
            "regional_clean": sum(row.incorrect_regional == 0 for row in run.rows) / n,
            "ingredient_clean": sum(row.incorrect_ingredient == 0 for row in run.rows) / n,
            "invented_zero": sum(row.invented_count == 0 for row in run.rows) / n,
        }
        for member, value in own.items():
            given = run.summary.get(member)
            if isinstance(given, int | float) and not isinstance(given, bool):
                rows.append(CHEF.number(f"{label}: {member.replace('_', ' ')}", value, as_printed(given, 4)))
    return rows


def _head_rows(release: Release) -> list[Row]:
    section, rows = HEADS, []
    for name, subject, cells in (
        ("qwen_heads", "Qwen3.5-0.8B", (64, 18, 11, 7)),
        ("gemma_heads", "Gemma", (53, 38, 5, 4)),
    ):
        found: Attribution | None = getattr(release, name)
        if found is None:
            what = f"{subject}: cohorts asserted correct, wrong; hedged correct, wrong"
            rows.append(section.without(what, ", ".join(map(str, cells)), release.lacks(name), "the 2x2 table"))
        else:
            rows += _attribution_rows(section, subject, found, cells)
    why = "the directions and the cohort means per dimension were not released"
    return [
        *rows,
        section.never("Qwen3.5-0.8B, by direction: largest Cohen's d, over", "1.3", why),
        section.never("Qwen3.5-0.8B, by direction: cosine of the cohort means", "0.96 to 0.998", why),
    ]


def _attribution_rows(
    section: Section, subject: str, found: Attribution, cells: tuple[int, int, int, int]
) -> list[Row]:
    heads, file = found.all_heads_ranked_by_cohen_d, "the attribution file"
    cohorts = found.cohorts.cr, found.cohorts.cw, found.cohorts.hr, found.cohorts.hw
    differences = max(abs(head.mean_cw - head.mean_cr - head.overconf_score) for head in heads)
    ranked = all(a.cohen_d >= b.cohen_d for a, b in zip(heads, heads[1:], strict=False))
    listed = found.top20_overconf_heads == heads[: len(found.top20_overconf_heads)]
    top = max(heads, key=lambda head: head.cohen_d)
    what = f"{subject}: cohorts asserted correct, wrong; hedged correct, wrong"
    return [
        section.counts(what, cohorts, cells, "the 2x2 table"),
        section.words(f"{subject}: scores are the differences of means", _yes(differences < 1e-5), "yes", file),
        section.words(f"{subject}: heads are ranked by Cohen's d", _yes(ranked), "yes", file),
        section.words(f"{subject}: the top 20 are the first 20", _yes(listed), "yes", file),
        section.filed(
            f"{subject}: largest Cohen's d, of layer {top.layer} and head {top.head}",
            top.cohen_d,
            as_printed(found.top20_overconf_heads[0].cohen_d if found.top20_overconf_heads else top.cohen_d, 3),
            "it needs each answer's activation, which was not released",
            file,
        ),
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
