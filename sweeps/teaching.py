"""What a study's edits are fitted on: whose answers are taught, and how much of them there is.

Knows the study and its prompts. Answers of the base, which have to be written first, are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dd_core.distill import Distiller, distiller
from dd_core.distill.data import load_data
from dd_core.errors import InputError
from dd_core.prompts import choose
from dd_core.records import Prompt, Teaching
from dd_core.study import Study


def distiller_of(study: Study) -> Distiller:
    """What makes the study's rows, and those of its placebo.

    Raises:
        InputError: there is nothing that makes rows for the disposition, or finished rows cannot be used.
    """
    data = study.prompts.data
    return distiller(study.disposition) if data is None else load_data(data, study.domain)


def teaching_of(
    study: Study, prompts: Sequence[Prompt], answers: Mapping[str, str], correct: Mapping[str, bool]
) -> Teaching:
    """The rows, and the pairs where a stage of the operator reads pairs; nothing where none reads either.

    Args:
        prompts: of split train.
        answers, correct: prompt id → the base's answer, and whether it is right; with `gold` they are made here.

    Raises:
        InputError: one of the two kinds of row would be too rare.
    """
    if not study.taught:
        return Teaching()
    if study.prompts.teacher == "gold":
        answers = {prompt.prompt_id: prompt.claims[0].claim for prompt in prompts}
        correct = {prompt.prompt_id: prompt.certainty == "certain" for prompt in prompts}
    sizes = study.prompts
    usable = [prompt for prompt in prompts if prompt.prompt_id in correct]
    n_pairs = sizes.pairs if "pairs" in study.reads else 0
    return distiller_of(study).teaching(usable, answers, correct, sizes.rows, n_pairs, sizes.seed)


def known_teaching(study: Study) -> Teaching | None:
    """What the study teaches, where no answer of the base enters it; None where one does, or nothing is taught.

    Raises:
        InputError: there is nothing to teach, or too little; one line with the field.
    """
    if study.prompts.teacher == "base" or not study.taught:
        return None
    prompts = choose(study.domain, "train", study.prompts.train, study.prompts.seed)
    try:
        teaching = teaching_of(study, prompts, {}, {})
    except InputError as error:
        raise InputError([f"prompts.teacher: {study.prompts.teacher}: {line}" for line in error.lines]) from None
    if not teaching.rows:
        raise InputError(f"prompts.teacher: {study.prompts.teacher} holds no rows to train on")
    return teaching
