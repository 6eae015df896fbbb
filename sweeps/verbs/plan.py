"""The verb `plan`: what a study would do, told before anything is done.

Knows how it is shown; what is shown is `sweeps.plan`'s and `sweeps.memory`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeps.shell import StudyFile

if TYPE_CHECKING:
    from dd_core.study import Study


def plan(study: StudyFile) -> None:
    """Show what would run, how long it would take, and the pre-registration hash."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from dd_core.claim import preregistration_hash
    from dd_core.errors import InputError
    from dd_core.study import load_study
    from dd_core.subjects.registry import get_subject, missing
    from sweeps.checking import check
    from sweeps.loggers import check_loggers
    from sweeps.memory import needed, require
    from sweeps.plan import (
        answers,
        coverage,
        judging_costs,
        make_manifest,
        outline,
        seconds,
        study_id,
        subjects_at_hand,
    )
    from sweeps.teaching import known_teaching
    from sweeps.train import check_workers

    loaded = load_study(study)
    check(loaded)
    manifest = make_manifest(loaded)
    console = Console(highlight=False)
    console.print(f"[bold]{study_id(loaded)}[/bold]: {escape(loaded.statement)}", soft_wrap=True)
    console.print(f"claim: {_claimed(loaded)}", soft_wrap=True)
    table = Table("generation", "trials", "answers", "minutes", box=None, pad_edge=False)
    total = 0.0
    for name, trials in outline(loaded):
        cost = sum(seconds(loaded, trial) for trial in trials)
        total += cost
        table.add_row(name, str(len(trials)), str(answers(loaded, trials)), f"{cost / 60:.1f}")
    console.print(table)
    parallel = loaded.resources.concurrent_trials
    console.print(f"about {total / 60 / parallel:.0f} min, {parallel} trial(s) at a time, by rates of two CPU threads")
    if loaded.resources.usd_per_hour:
        spent = total / 3600 * loaded.resources.usd_per_hour
        console.print(f"about {spent:.2f} USD of machine time, at {loaded.resources.usd_per_hour:g} an hour")
    if loaded.search.stop is not None:
        rule = f"the search ends earlier with the generation in which {loaded.search.stop} are reached"
        console.print(rule, soft_wrap=True)
    for judge in judging_costs(loaded):
        console.print(
            f"{escape(judge.label)}: at most {judge.calls:,} calls, {judge.calls_for_validity:,} for its validity; "
            f"{judge.prompt_tokens:,} tokens in, {judge.completion_tokens:,} out; about {judge.usd:.2f} USD",
            soft_wrap=True,
        )
    if loaded.prompts.data is not None and loaded.taught:
        console.print(f"training rows: {escape(loaded.prompts.data)} {loaded.planned()['data']}", soft_wrap=True)
    for name in dict.fromkeys((loaded.subject, *subjects_at_hand(loaded))):
        for line in coverage(loaded, name):
            console.print(line, markup=False, soft_wrap=True)
    console.print(f"memory: {needed(loaded)}", markup=False, soft_wrap=True)
    teaching = known_teaching(loaded)
    if teaching is not None and len(teaching.rows) < loaded.prompts.rows:
        console.print(f"{len(teaching.rows)} training rows can be made, {loaded.prompts.rows} were asked for")
    for refused in (require, check_loggers, check_workers):
        try:
            refused(loaded)
        except InputError as error:
            console.print(f"run would refuse: {error}", markup=False, soft_wrap=True, style="yellow")
    for name in (loaded.subject, *loaded.replicates):
        if name not in subjects_at_hand(loaded) or missing(get_subject(name)):
            console.print(f"not here: {missing(get_subject(name))}")
    if loaded.claim.kind == "probe":
        console.print("the falsifier fits the probe anew and chooses C on train: what the search finds decides nothing")
    if 0 < len(loaded.train_seeds) < 5:
        console.print(f"{len(loaded.train_seeds)} train seeds: wide intervals (5 are the default, 8 for publication)")
    console.print(f"pre-registration {preregistration_hash(manifest)}", soft_wrap=True)


def _claimed(study: Study) -> str:
    """What is asserted, in a line."""
    claim = study.claim
    if claim.kind == "probe":
        also = f"; in scope too: {', '.join(claim.in_scope)}" if claim.in_scope else ""
        return f"states ({', '.join(study.captures)}) tell answers that are high on {claim.axis} from the others{also}"
    return f"{claim.axis} {claim.direction}s; {claim.anchor} holds within {claim.margin:.0%} of its range"
