"""Teachers that know the answers, and that fail first in every way that a teacher can."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dd_core.canonical import sha256
from dd_core.distill.stages import question
from dd_core.prompts import load_domain
from dd_core.records import Prompt
from judges.pairs import known_pairs
from tests.chat_server import HALF, HTML, NO_CHOICE, RESET, Reply, error, said

OPENINGS = {
    "You are an eager": "eager",
    "You are a deliberate": "deliberate",
    "You are an adversarial": "adversarial",
    "You write the final": "synthesizer",
    "Answer this question": "student",
    "A student answered": "critique",
    "Two answers": "verifier",
}

STAGES = {"eager": "kimi", "deliberate": "glm", "adversarial": "minimax", "synthesizer": "glm", "student": "small"}

FIRST: dict[str, Reply] = {
    "nothing": said(""),
    "no words": said("  \n…"),
    "thinking only": said("<think>Let me see. The capital"),
    "cut": said("The answer to this question is", finish_reason="length"),
    "html in words": said("<html><body>Sign in to continue</body></html>"),
    "html": HTML,
    "half a reply": HALF,
    "half an object": said('{"problems": ["none"], "wrong_answer": "It is'),
    "no choice": NO_CHOICE,
    "language": said("Die Antwort auf diese Frage ist leider nicht ganz einfach, aber ich will es gern versuchen."),
    "refusal": said("I'm sorry, but I can't help with that request."),
    "429": error(429, "slow down", retry_after="0"),
    "500": error(500, "oops"),
    "reset": RESET,
    "hang": Reply(b"{}", hang_s=2.0),
}
"""What a teacher may send the first time it is asked."""


def stage_of(body: dict[str, Any]) -> str:
    text = body["messages"][-1]["content"]
    return next(stage for opening, stage in OPENINGS.items() if text.startswith(opening))


class Played:
    """Answers as good teachers of a domain would.

    Args:
        lost: words of prompts whose deliberate review never comes, whatever is asked.
        faulty: whether most calls fail once before they succeed.
        credit: calls after which the endpoint wants money; None for never.
        hopeless: words of prompts that every call about ends in a 500.
        verdict: what the verifier says of any two answers; "" for what is right.
    """

    def __init__(
        self,
        domain: str,
        faulty: bool = False,
        lost: Sequence[str] = (),
        credit: int | None = None,
        verdict: str = "",
        hopeless: Sequence[str] = (),
    ) -> None:
        self._prompts = {question(prompt): prompt for prompt in load_domain(domain)["train"]}
        self._faulty, self._lost, self.credit, self._verdict = faulty, lost, credit, verdict
        self._hopeless = hopeless
        self._good = {pair.good for pair in known_pairs(domain)}
        self._seen: Counter[tuple[str, str]] = Counter()
        self.n_calls = 0
        self.faults: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any], _: int) -> Reply:
        self.n_calls += 1
        if self.credit is not None and self.n_calls > self.credit:
            return error(402, "insufficient credits")
        stage, prompt = stage_of(body), self.prompt_of(body)
        if stage == "deliberate" and prompt.prompt in self._lost:
            return said("I'm sorry, but I can't help with that request.")
        if prompt.prompt in self._hopeless:
            return error(500, "always")
        key = (stage, prompt.prompt)
        self._seen[key] += 1
        name = list(FIRST)[int(sha256(repr(key).encode()), 16) % (len(FIRST) + 5) % len(FIRST)]
        if self._faulty and self._seen[key] == 1:
            self.faults[name] += 1
            return FIRST[name]
        if stage == "verifier":
            first = quoted(body)[1]
            good = first in self._good or first.startswith(reply("synthesizer", prompt))
            return said(self._verdict or ("first" if good else "second"))
        return said("<think>Hm.</think>\n" + reply(stage, prompt))

    def prompt_of(self, body: dict[str, Any]) -> Prompt:
        return self._prompts[quoted(body)[0]]


def quoted(body: dict[str, Any]) -> list[str]:
    """The texts between marks, in order."""
    return [text for _, text in re.findall(r"<(data-\w+)>\n(.*?)\n</\1>", body["messages"][-1]["content"], re.DOTALL)]


def reply(stage: str, prompt: Prompt) -> str:
    """What a good teacher says at a stage; the student is wrong on every third prompt."""
    right = " ".join(f"{c.claim} It is so: {c.accept[0]}." if c.open else c.claim for c in prompt.claims)
    wrong = "It is surely the other one, as every schoolbook has said for years."
    match stage:
        case "adversarial":
            review = {"problems": ["The draft gives no reason."], "wrong_answer": wrong, "flaw": "common myth"}
            return f"```json\n{json.dumps(review)}\n```"
        case "deliberate":
            return "The draft is right in each part, and a learner would want the reason for it."
        case "student":
            return wrong if int(prompt.prompt_id, 16) % 3 == 0 else right
        case "critique":
            return "The attempt names something else, and gives no reason for it."
        case _:
            return right


def configuration(folder: Path, url: str, **changes: Any) -> Path:
    """A file of teachers that all live at `url`, quick to give up on a hanging call."""
    teacher = {
        "backend": "openai", "licence": "MIT", "base_url": url, "timeout_s": 0.6, "retries": 4, "concurrency": 6,
        "usd_per_million": [1.0, 2.0],
    }  # fmt: skip
    data: dict[str, Any] = {
        "format": "ddsweep-teachers/1",
        "teachers": {name: {**teacher, "model": name} for name in ("kimi", "glm", "minimax", "small")},
        "stages": STAGES,
    }  # fmt: skip
    path = folder / "teachers.yaml"
    path.write_text(yaml.safe_dump({**data, **changes}))
    return path
