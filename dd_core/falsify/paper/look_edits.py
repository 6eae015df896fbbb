"""A second look at the edits: the Chef adapter, the heads found by attribution, and the withdrawn first pass.

Reads the released rows only. Does not look at probes.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtr

from dd_core.falsify.case import tidy
from dd_core.falsify.paper.edits import pass_rate
from dd_core.falsify.paper.look_answers import cut_off
from dd_core.falsify.paper.looks import Look, bounds, listed, percent, percent_span, span
from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.schema import EvalAnswer, EvalRun
from dd_core.falsify.statistics import Estimate, crossed, mcnemar, wilson

GATE_SHARE = 0.05
FEWEST_PAIRS = 10
FLAGS = ("incorrect_technique", "incorrect_regional", "incorrect_ingredient")


def edit_looks(release: Release) -> list[Look]:
    """Findings about the edits, in order."""
    found = [
        _chef(release),
        _verifier(release),
        _sampling(release),
        *_heads(release),
        _humaneval(release),
        _mcas(release),
    ]
    return [look for look in found if look is not None]


def paired_answers(baseline: EvalRun, treated: EvalRun) -> list[tuple[EvalAnswer, EvalAnswer]]:
    """Answers of both runs to the same prompt, by its text; a prompt that either run has twice is left out."""
    sides = []
    for run in (baseline, treated):
        seen: dict[str, EvalAnswer | None] = {}
        for row in run.rows:
            seen[row.prompt] = None if row.prompt in seen else row
        sides.append({prompt: row for prompt, row in seen.items() if row is not None})
    return [(sides[0][prompt], sides[1][prompt]) for prompt in sorted(sides[0].keys() & sides[1].keys())]


def paired(differences: list[float]) -> Estimate:
    """Mean difference with its interval by prompt."""
    values = np.array(differences, dtype=np.float64)
    return crossed(values, np.arange(len(values)), np.zeros(len(values), dtype=np.int64))


def _chef(release: Release) -> Look | None:
    if release.chef_baseline is None or release.chef_treated is None:
        return None
    pairs = paired_answers(release.chef_baseline, release.chef_treated)
    if len(pairs) < 2:
        return None
    effect = paired([after.score - before.score for before, after in pairs])
    cut = [sum(cut_off(pair[side].response) for pair in pairs) for side in (0, 1)]
    whole = [a.score - b.score for b, a in pairs if not cut_off(b.response) and not cut_off(a.response)]
    numbers = {
        "difference": tidy(effect.mean), "interval": bounds(effect.interval()), "n": len(pairs),
        "cut_before": cut[0], "cut_after": cut[1], "pairs_uncut": len(whole),
    }  # fmt: skip
    apart = "cannot be told from zero" if effect.interval()[0] < 0 < effect.interval()[1] else "is apart from zero"
    said = (
        f"On the same {len(pairs)} prompts the trained Gemma scores {effect.mean:+.3f} ({span(effect.interval(), 3)}, "
        f"of a range of 1) with the keyword verifier against the untrained: this {apart}, and a gain of {GATE_SHARE} "
        f"is {'ruled out' if effect.interval()[1] < GATE_SHARE else 'not ruled out'}. {percent(cut[0] / len(pairs))} "
        f"of the untrained and {percent(cut[1] / len(pairs))} of the trained answers end in mid-sentence; neither "
        f"does in {len(whole)} pairs"
    )
    if len(whole) >= FEWEST_PAIRS:
        uncut = paired(whole)
        said += f", where the difference is {uncut.mean:+.3f} ({span(uncut.interval(), 3)})"
        numbers |= {"difference_uncut": tidy(uncut.mean), "interval_uncut": bounds(uncut.interval())}
    else:
        said += ", too few to compare"
    return Look(
        "chef_adapter", f"{said}. There is one trained adapter, so nothing is known between training seeds.", numbers
    )


def _verifier(release: Release) -> Look | None:
    rows = [row for run in (release.chef_baseline, release.chef_treated) if run is not None for row in run.rows]
    if not rows:
        return None
    silent = [flag.replace("_", " ") for flag in FLAGS if not any(getattr(row, flag) for row in rows)]
    if len(silent) < len(FLAGS):
        return None
    return Look(
        "verifier_says_one_thing",
        f"The keyword verifier found nothing on {listed(silent)} in any of {len(rows)} answers: all that lowers its "
        "score is terms that it takes for invented, so a rare word costs as much as a wrong one.",
        {"silent": silent, "n": len(rows)},
    )


def _sampling(release: Release) -> Look | None:
    parts, numbers = [], {}
    for label, run in (("untrained", release.chef_baseline), ("trained", release.chef_treated)):
        if run is None:
            continue
        known = {row.prompt: row.response for row in run.rows}
        both = [(sanity.resp, known[sanity.prompt]) for sanity in run.sanity if sanity.prompt in known and sanity.resp]
        other = sum(not text.startswith(start) for start, text in both)
        if other:
            parts.append(f"{other} of {len(both)} of the {label} model")
            numbers[label] = {"differ": other, "of": len(both)}
    if not parts:
        return None
    return Look(
        "answers_not_reproduced",
        f"The files hold a second answer to some prompts, and it is another text in {listed(parts)}: a run again does "
        "not give the same answers, and the noise between runs was not measured.",
        numbers,
    )


def _heads(release: Release) -> list[Look]:
    found = []
    for name, subject, heads in (
        ("heads_by_chance_qwen", "Qwen3.5-0.8B", release.qwen_heads),
        ("heads_by_chance_gemma", "Gemma", release.gemma_heads),
    ):
        if heads is None or heads.cohorts.cr < 2 or heads.cohorts.cw < 2:
            continue
        n, right, wrong = len(heads.all_heads_ranked_by_cohen_d), heads.cohorts.cr, heads.cohorts.cw
        largest = max(head.cohen_d for head in heads.all_heads_ranked_by_cohen_d)
        by_chance = largest_by_chance(largest, n, right, wrong)
        found.append(
            Look(
                name,
                f"{subject}: the largest of {n} values of Cohen's d is {largest:.2f}, from {right} correct and "
                f"{wrong} wrong answers. If no head differed and the heads were independent, the largest would be at "
                f"least that with a probability of {by_chance:.2f}: the heads that were tempered "
                f"{'may have been picked by chance' if by_chance > 0.05 else 'were not picked by chance alone'}.",
                {"heads": n, "largest_d": tidy(largest), "probability": tidy(by_chance)},
            )
        )
    return found


def largest_by_chance(d: float, n_heads: int, n_right: int, n_wrong: int) -> float:
    """P(largest of `n_heads` independent values of Cohen's d is at least `d`) where no head differs.

    d times sqrt(n m / (n + m)) has Student's t distribution on n + m - 2 degrees of freedom (Hedges 1981).
    """
    t = d * math.sqrt(n_right * n_wrong / (n_right + n_wrong))
    return 1 - float(stdtr(n_right + n_wrong - 2, t)) ** n_heads


def _humaneval(release: Release) -> Look | None:
    if release.humaneval_baseline is None or release.humaneval_treated is None:
        return None
    before = {task.task_id: task.passed for task in release.humaneval_baseline.root}
    after = {task.task_id: task.passed for task in release.humaneval_treated.root}
    both = sorted(before.keys() & after.keys())
    if len(both) < 2:
        return None
    effect = paired([float(after[task]) - float(before[task]) for task in both])
    gained = sum(after[task] and not before[task] for task in both)
    lost = sum(before[task] and not after[task] for task in both)
    points = tuple(100 * bound for bound in effect.interval())
    apart = "cannot be told" if points[0] <= 0 <= points[1] else "is told"
    return Look(
        "humaneval_first_pass",
        f"The released rows of the first HumanEval pass give {pass_rate(release.humaneval_baseline):.1f}% and "
        f"{pass_rate(release.humaneval_treated):.1f}%, a gain of {100 * effect.mean:+.1f} points ({points[0]:.1f} to "
        f"{points[1]:.1f}; {gained} problems gained, {lost} lost, McNemar's p {mcnemar(gained, lost):.2g}), where the "
        "paper prints 14.6%, 29.9% and +15.3. The gain "
        f"{apart} from zero by its interval, and the paper found it to "
        "be truncation: the rows hold no text, no token count and no finish reason, so nothing in them could have "
        "shown it. Here a claim without these cannot be SURVIVES, and twice the token budget is a step.",
        {
            "difference": tidy(effect.mean), "interval": bounds(effect.interval()), "gained": gained, "lost": lost,
            "n": len(both),
        },
    )  # fmt: skip


def _mcas(release: Release) -> Look | None:
    if release.mcas is None:
        return None
    before, after = release.mcas.baseline_scores, release.mcas.dd_fp16_scores
    groups: dict[str, list[float]] = {}
    for prompt, b, a in zip(release.mcas.prompts, before, after, strict=True):
        groups.setdefault(prompt.prompt, []).append(a - b)
    effect = paired([float(np.mean(values)) for _, values in sorted(groups.items())]) if len(groups) > 1 else None
    if effect is None:
        return None
    top, middle = sum(score == 2 for score in after), sum(score == 1 for score in before)
    ceiling, default = wilson(top, len(after)), wilson(middle, len(before))
    low, high = (50 * bound for bound in effect.interval())
    return Look(
        "mcas_first_pass",
        f"MCAS: {50 * effect.mean:+.1f} points of 100 ({low:.1f} to {high:.1f}) over {len(groups)} different prompts. "
        f"The judge gave the highest of its three scores to {percent(top / len(after))} of the trained answers "
        f"({percent_span(ceiling)}) and the middle one to {percent(middle / len(before))} of the untrained "
        f"({percent_span(default)}): a scale with hardly more than one value in use on either side. Both columns are "
        "joined by position, without answers and without a judge's fingerprint.",
        {
            "difference": tidy(effect.mean), "interval": bounds(effect.interval()), "prompts": len(groups),
            "rows": len(after), "at_top_after": tidy(top / len(after)), "at_middle_before": tidy(middle / len(before)),
        },
    )  # fmt: skip
