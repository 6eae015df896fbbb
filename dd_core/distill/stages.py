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
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from dd_core.canonical import digest
from dd_core.distill.rows import FLAWS, user
from dd_core.records import Message, Prompt

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
    if not prompt.history:
        return prompt.prompt
    turns = [*prompt.history, user(prompt.prompt)]
    return "\n".join(f"{turn.role.capitalize()}: {turn.content}" for turn in turns)


def render(stage: str, texts: Mapping[str, str]) -> tuple[Message, ...]:
    """The messages of one call.

    Args:
        stage: a key of `STAGES`.
        texts: what the template quotes, by name.

    Raises:
        jinja2.UndefinedError: the template names a text that is not given.
    """
    mark = _mark(texts)

    def quoted(name: str) -> str:
        if name not in texts:
            raise jinja2.UndefinedError(f"{stage}: the template quotes {name!r}, which is not given")
        return f"<{mark}>\n{texts[name]}\n</{mark}>"

    return (user(_template(stage).render(quoted=quoted, mark=mark, flaws=FLAWS).strip()),)


def _mark(texts: Mapping[str, str]) -> str:
    """A tag that no text can hold, since it is a digest of them all."""
    return f"data-{digest(dict(texts))[:12]}"


@cache
def _template(stage: str) -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files(__package__) / "templates" / f"{stage}.txt.j2"
    return environment.from_string(source.read_text(encoding="utf-8"))
