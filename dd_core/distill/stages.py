"""The stages by which a row is taught, each a template and a teacher.

    eager ─▶ draft ─▶ deliberate ─▶ review ──┐
               │                             ├─▶ synthesizer ─▶ final answer
               └────▶ adversarial ─▶ review ─┘     (the draft as well)

Beside them a `student` whose own attempt is worth correcting, and its `critique`. All that a template quotes stands
between two marks that the quoted text cannot hold, so that a prompt which gives orders is material and stays material.
Knows no teacher and no endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

from dd_core import quoting
from dd_core.distill.rows import FLAWS, user
from dd_core.records import Message, Prompt, transcript

REQUIRED = ("eager", "deliberate", "adversarial", "synthesizer")
STAGES: dict[str, str] = {
    "eager": "answers warmly and at once",
    "deliberate": "reviews the draft: is it complete, and does the reasoning hold?",
    "adversarial": "attacks the draft, and writes an answer that is wrong in a plausible way",
    "synthesizer": "writes the final answer from the draft and both reviews",
    "student": "answers as the model under test would",
    "critique": "says what was wrong with the student's attempt",
    "verifier": "says which of two answers is better",
}
"""Stage → what its teacher is asked for."""

REVIEW_FIELDS: dict[str, type] = {"problems": list, "wrong_answer": str, "flaw": str}
"""What the adversarial stage returns as JSON; `flaw` is a key of `FLAWS`."""


def question(prompt: Prompt) -> str:
    """What was asked, as one text; a conversation has a line with the speaker before each turn."""
    return transcript(prompt.history, prompt.prompt)


def render(stage: str, texts: Mapping[str, str]) -> tuple[Message, ...]:
    """The messages of one call.

    Args:
        stage: a key of `STAGES`.
        texts: what the template quotes, by name.

    Raises:
        jinja2.UndefinedError: the template names a text that is not given.
    """
    return (user(quoting.render(__package__, stage, texts, flaws=FLAWS)),)
