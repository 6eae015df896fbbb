"""What makes a study impossible, told before anything starts: axes, judges, layers, states, rows and budgets.

Loads no model. Whether this machine can hold it is `memory`'s business, and whether its packages are here `train`'s.
"""

from __future__ import annotations

from typing import Any

from dd_core.claim import VARIANT_TAG
from dd_core.distill import distiller
from dd_core.errors import InputError
from dd_core.operators import OPERATORS
from dd_core.operators.interventions import OF_PAIRS
from dd_core.operators.settings import Settings
from dd_core.prompts import load_domain
from dd_core.records import Teaching
from dd_core.study import ClaimChoice, Study
from dd_core.subjects.registry import get_subject
from dd_core.subjects.states import parse_tags
from judges import make_judge
from sweeps.plan import coverage
from sweeps.teaching import known_teaching


def check(study: Study) -> None:
    """Refuses a study whose axes no judge scores, whose judges do not exist or cannot judge its domain.

    Raises:
        InputError: one line each.
    """
    taught = study.taught
    if taught and study.prompts.data is None:
        distiller(study.disposition)
    judges = {spec.label: make_judge(spec) for spec in study.judges}
    scored = {axis for judge in judges.values() for axis in judge.axes}
    claim = study.claim_of()
    labels = list(dict.fromkeys(filter(None, map(_label_axis, study.extreme_configs()))))
    wanted = dict.fromkeys(filter(None, (claim.axis, claim.anchor, *claim.in_scope, *labels)))
    have = f"{', '.join(judges)} score {', '.join(sorted(scored))}"
    lines = [f"claim: no judge of this study scores {axis!r}; {have}" for axis in wanted if axis not in scored]
    prompts = load_domain(study.domain)["train"]
    lacking = {
        "claims": "the prompts ask for programs and have no gold claims",
        "program": "the prompts ask for no programs",
        "correction": "the prompts correct no earlier answer",
        "other": "a study has no two answers to compare; `ddsweep judge score` does",
    }
    lines += [
        f"judges: {label} cannot judge domain {study.domain!r}: {why}"
        for label, judge in judges.items()
        for member, why in lacking.items()
        if member in judge.needs and not any(getattr(prompt, member, None) for prompt in prompts)
    ]
    programs = any(prompt.program is not None for prompt in prompts)
    if taught and programs and study.prompts.teacher == "gold":
        lines.append(f"prompts.teacher: the prompts of domain {study.domain!r} have no gold claims; take embedded")
    lines += _undealt(study)
    lines += [
        f"resources.subjects: {name!r} is no subject of this study; there are {', '.join(subjects)}"
        for subjects in [(study.subject, *study.replicates)]
        for name in study.resources.subjects
        if name not in subjects
    ]
    lines += _without_effect(study)
    for name in (study.subject, *study.replicates):
        longest, room = study.decoding_of(name, doubled=True).max_new_tokens, get_subject(name).layout.context
        if longest >= room:
            lines.append(
                f"decoding.max_new_tokens: the variant doubles it to {longest:,}, and {name} holds {room:,} tokens, "
                "the prompt's among them"
            )
        lines += _out_of_reach(study, name)
    if claim.kind == "probe":
        lines += _not_probed(study)
        lines += [
            f"claim.axis: the readout is fitted on {axis!r} and the claim is about {claim.axis!r}; give both the same"
            for axis in labels
            if axis != claim.axis
        ]
    if not lines and taught:
        lines += _unpaired(study, known_teaching(study))
    if lines:
        raise InputError(lines)


def _without_effect(study: Study) -> list[str]:
    """What is set and would do nothing: whoever set it believes that it does."""
    idle = [config.idle() if isinstance(config, Settings) else frozenset() for config in study.extreme_configs()]
    given = {name: "operator" for name in study.operator.fixed} | {name: "search.space" for name in study.search.space}
    lines = [
        f"{given[name]}.{name}: does nothing beside the other settings: leave it out"
        for name in sorted(set(given).intersection(*idle))
    ]
    if study.claim.kind == "probe":
        own, plain = study.claim.model_dump(), ClaimChoice(axis=study.claim.axis, kind="probe").model_dump()
        lines += [
            f"claim.{name}: a probe claim has none, since no arm is edited: leave it out"
            for name in ("direction", "anchor", "margin")
            if own[name] != plain[name]
        ]
    if not study.taught:
        sizes = study.prompts.model_dump()
        lines += [
            f"prompts.{name}: {study.operator.name} is taught no rows: leave it out"
            for name in ("training_rows", "training_pairs")
            if sizes.get(name) is not None
        ]
    return lines


def _not_probed(study: Study) -> list[str]:
    """What a probe claim cannot search: the falsifier fits a linear probe anew, on states of one tag."""
    configs = study.extreme_configs()
    tags = list(dict.fromkeys(tag for config in configs for tag in OPERATORS[study.operator.name].captures(config)))
    lines = []
    if len(tags) > 1:
        lines.append(f"tag: a probe claim is about states of one tag, and the search has {', '.join(tags)}: keep one")
    if VARIANT_TAG in tags:
        lines.append(f"tag: {VARIANT_TAG} is the variant that every probe claim is put to: claim another tag")
    if {getattr(config, "readout", "logistic") for config in configs} != {"logistic"}:
        lines.append(
            "readout: a probe claim is about a linear readout, which the falsifier fits anew; try others as gates, "
            "with claim.kind shift"
        )
    return lines


def _label_axis(config: Any) -> str | None:
    """The axis that parts the subject's own answers; None where nothing is learnt from them."""
    axis = getattr(config, "axis", None) or getattr(config, "cohorts", None)
    return None if axis in OF_PAIRS else axis


def _out_of_reach(study: Study, subject: str) -> list[str]:
    """What the operator's settings name and this subject does not have: layers, heads, states."""
    lines: list[str] = []
    for ask in (lambda: coverage(study, subject), lambda: parse_tags(study.captures, get_subject(subject).layout)):
        try:
            ask()
        except InputError as error:
            lines += [f"operator: {study.operator.name} on {subject}: {line}" for line in error.lines]
    return list(dict.fromkeys(lines))


def _unpaired(study: Study, teaching: Teaching | None) -> list[str]:
    """Where preferences are asked for and there are no pairs of the kind."""
    kinds = {"calibration"} if teaching is None else {pair.kind for pair in teaching.pairs}
    operator = OPERATORS[study.operator.name]
    asked = {
        getattr(config, "dpo_pairs", "all") for config in study.extreme_configs() if "pairs" in operator.reads(config)
    }
    there = ", ".join(sorted(kinds)) or "none"
    return [
        f"dpo_pairs: there are no pairs of kind {kind!r} in {study.prompts.teacher!r}; there are: {there}"
        for kind in sorted(asked)
        if not kinds or kind not in ("all", *kinds)
    ]


def _undealt(study: Study) -> list[str]:
    """Where the rows of a step cannot be shared evenly among the workers."""
    world = max(study.resources.workers, 1)
    sizes = {getattr(config, "rows_per_step", world) for config in study.extreme_configs()}
    return [
        f"resources.workers: {size} rows a step (batch_size x gradient_accumulation) cannot be dealt to {world} workers"
        for size in sorted(sizes)
        if size % world
    ]
