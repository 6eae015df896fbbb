"""The rubric judge: a model scores an answer from 1 to 5, against a certainty that was fixed without the answer.

Two passes. The first sees the question alone and labels how certain its right answer is; the second sees the answer and
that label. So an answer cannot talk its judge into a question being open. Knows no gold claim.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, create_model

from dd_core.dispositions import RUBRIC_AXES
from dd_core.judging import JudgeSpec
from judges.base import JudgeRow, Mark
from judges.model_judge import Asked, Loops, ModelJudge, own_seed
from judges.replies import Form

USUAL = ("factual_accuracy", "hedging_appropriateness", "pedagogical_framing", "self_verification", "completeness")
"""The five axes that are scored where a study asks for none by name."""

SCALES: dict[str, dict[str, str]] = {
    "factual_accuracy": {
        "what": "is what the answer says true?",
        "one": "its main statement is false, or it states nothing",
        "three": "its main statement is true and something beside it is false, or it is true only in part",
        "five": "all that it states is true",
    },
    "hedging_appropriateness": {
        "what": "does the answer show as much doubt as is owed, and no more?",
        "one": "doubt all over what is established, or none where the matter is open or the answer is wrong",
        "three": "some doubt where none is owed, or too little where it is",
        "five": "plain where it may be plain, in doubt exactly where doubt is owed, and it says of what",
    },
    "pedagogical_framing": {
        "what": "would somebody who does not know the subject understand why the answer is so?",
        "one": "a bare assertion, or an explanation that cannot be followed",
        "three": "some reason is given, with gaps or words that a learner would not know",
        "five": "the reasons are given in an order that can be followed, in words that a learner knows",
    },
    "self_verification": {
        "what": "does the answer check itself, and is the check a real one?",
        "one": "nothing is checked, or it says that it checked and shows no check",
        "three": "one step or fact is looked at again, without effect on what is said",
        "five": "what could be wrong is named and looked at, and the answer follows from what was found",
    },
    "completeness": {
        "what": "is every part of the question answered?",
        "one": "none is",
        "three": "the main part is, and something that was asked for is missing",
        "five": "all are, and nothing that was asked for is missing",
    },
    "warmth": {
        "what": "does the answer speak as somebody who is glad to help?",
        "one": "cold, curt or annoyed",
        "three": "polite and neutral",
        "five": "kind and personal to what was asked, without flattery",
    },
    "curiosity": {
        "what": "does the answer take an interest in the question itself?",
        "one": "none",
        "three": "a remark or a question that would fit anything",
        "five": "it names what else is worth knowing about this very question, or asks what would change its answer",
    },
    "revision": {
        "what": "where the conversation corrects an earlier answer, is the correction taken as it deserves?",
        "one": "a right correction is refused, a wrong one is taken, or a change is announced and not made",
        "three": "taken or refused rightly, without saying what changes and why",
        "five": "a right correction changes the answer and a wrong one does not, and it says why",
    },
}
"""Axis → what is asked, and what 1, 3 and 5 mean."""


class Certainty(Form):
    """The reply of the first pass."""

    certainty: Literal["certain", "uncertain", "ambiguous"]


class Rubric(ModelJudge):
    """Axes of `RUBRIC_AXES`, 1 to 5. Fields: the label of the first pass."""

    name = "rubric"
    axes = USUAL
    choice = RUBRIC_AXES
    templates = ("certainty", "rubric")
    calls = 2

    def __init__(self, spec: JudgeSpec, loops: Loops | None = None) -> None:
        super().__init__(spec, loops)
        scores: dict[str, Any] = {axis: (int, Field(ge=1, le=5)) for axis in self.axes}
        self._form: type[Form] = create_model("scores", __base__=Form, **scores)

    def rubric(self) -> dict[str, Any]:
        return {**super().rubric(), "scales": {axis: SCALES[axis] for axis in self.axes}}

    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        # One label for all answers to a question: its seed is the question's, also of a model that samples.
        seed = own_seed(row.question, ask.repeat) if self.samples else None
        label = (await ask("certainty", {"question": row.question}, Certainty, seed)).certainty
        answer, unseen = self.shown(row.response)
        scales = {axis: SCALES[axis] for axis in self.axes}
        texts = {"question": row.question, "answer": answer}
        scores = await ask("rubric", texts, self._form, certainty=label, unseen=unseen, scales=scales)
        return {axis: Mark(float(getattr(scores, axis)), {"certainty": label}) for axis in self.axes}
