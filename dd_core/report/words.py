"""Words that only the report needs: a name for every arm, and for every audit what is so when it fails.

The words of steps, statuses and numbers are those of `dd_core.falsify.show`, and are found here as well. Nothing here
weighs evidence or looks at a row.
"""

from __future__ import annotations

from dd_core.falsify.show.words import (
    STATUSES,
    STEPS,
    count,
    needed_lines,
    number,
    one_line,
    percent,
    plain,
    readings_line,
    visible,
)

__all__ = [
    "ARMS",
    "AUDITS",
    "MECHANISMS",
    "STATUSES",
    "STEPS",
    "count",
    "needed_lines",
    "number",
    "one_line",
    "percent",
    "plain",
    "readings_line",
    "visible",
]

ARMS: dict[str, str] = {
    "baseline": "Baseline",
    "treated": "Treated",
    "placebo": "Placebo",
    "identity": "Identity",
    "prompt_control": "Prompt control",
}

MECHANISMS: dict[str, str] = {
    "truncation": "Answers were cut off by the token budget, and more often in one arm: what was scored is the cut.",
    "uniform_output": "The outcome varies while the outputs do not, so that nothing can be read from them.",
    "capability_cliff": "There are too few right or too few wrong answers for anything to tell them apart.",
    "content_damage": "The disposition was paid for with what the model knew.",
    "style_mimicry": "The marker of the disposition was learned, and not when to use it.",
    "length": "The judge rewards length, and the answers became longer.",
    "format": "The judge rewards headings, lists and emphasis, and the answers have more of them.",
    "degeneration": "Repetitive answers carry the score.",
    "judge": "The score is the judge's own doing: it does not measure, or not alike in both arms.",
    "placebo": "An edit of the same size without the content does as much.",
    "selection": "The best of many configurations looks as good by luck.",
    "contamination": "The test prompts were in what the edit was made from.",
    "no_op": "The edit did not reach the model.",
    "none_found": "The claim fails, and no audit names what made it look true.",
}
"""Mechanism → what it says of the rows."""

AUDITS: dict[str, str] = {
    "decoding_mismatch": "the arms were not decoded in the same way",
    "judge_asymmetry": "the arms were not scored by one and the same blind judge",
    "prompt_mismatch": "the arms or the gold claims do not belong to the same prompts",
    "contamination": "prompts of the test are in the training data",
    "split_shift": "the fresh prompts are of another kind than the search's",
    "edit_applied": "the treated answers are copies of another arm's, so that the edit did not reach the model",
    "identity_mismatch": "the edit at the strength that should change nothing changes the answers already",
    "gates_changed": "the claim or its gates are not the ones that were pre-registered",
    "judge_invalid": "the judge is not good enough to carry this claim",
    "judge_saturation": "the score is stuck at one value or at an end of its scale",
    "judge_noise": "the judge contradicts itself as much as the effect is large",
    "judge_view": "the judge saw one arm's answers cut more often than the other's",
    "lost_rows": "rows were lost more often in one arm than in the other",
    "truncation": "it goes away where no answer is cut off by the token budget",
    "length_confound": "the length of the answers explains it",
    "format_confound": "headings, lists and emphasis explain it",
    "style_mimicry": "only the wording moves, on right and wrong answers alike",
    "response_class": "it goes away without refusals, empty answers and echoes",
    "degeneration": "it goes away without repetitive answers",
    "content_damage": "it costs more {anchor} than the margin allows",
    "uniform_output": "the answers do not vary in what would have to be read from them",
    "capability_cliff": "there are too few right or too few wrong answers to read anything from",
    "selection_bias": "the best of {searched} configurations would look as good by chance",
    "seed_instability": "the training seeds do not agree on its direction",
    "pseudo_replication": "it needs repeated prompts counted as many",
    "degenerate_threshold": "the threshold says one class nearly always, or was chosen on the data it is judged on",
    "surface_rival": "the mere surface of prompt or answer predicts as much",
    "collinear_cohorts": "the cohorts point one way, or the strength was scored on the rows that made the direction",
    "no_specific_effect": "{placebo} does as much",
    "dose_response": "it has the other sign at smaller strengths",
    "fragile": "another reasonable choice for the whole data set turns it round",
    "weaker_than_prompt": "a system prompt does more",
    "underpowered": "the smallest effect that could have been seen is above the gate",
}
"""Audit → what is so when it fails, as a clause after "but"."""
