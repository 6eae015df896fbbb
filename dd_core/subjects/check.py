"""Whether a subject behaves on this machine as everything built on it assumes: a finding for each assumption.

Run on the real weights where they are, and in the tests on a tiny model of every layout. Changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from dd_core.errors import InputError
from dd_core.records import Message
from dd_core.subjects import chat
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.layout_check import check_layout
from dd_core.subjects.parting import parting
from dd_core.subjects.quiet import quiet
from dd_core.subjects.subject import Decoding, Subject

SYSTEM = "Answer in one short sentence."
PROMPTS = (
    "What is the capital of France?",
    "Why?",
    "Name a river that is longer than the one which flows through Cairo, and say how sure you are of it.",
    "How many legs does a spider have?",
)
TEXTS = (
    "I'm not sure, but I think it's Paris.",
    " a space before and after ",
    "Zürich, naïve café, Ελλάδα, Москва",
    "東京は大きい。 שלום العربية",
    "🙂👩‍👩‍👧 ✓ — “quoted” …",
    "def f(x):\n\tif x > 0:\n        return {'a': [1, 2.5e-3]}  # half\n",
    "1,234.56 + 7% = $8 & <b>bold</b> \\n C:\\temp",
    "two\n\nparagraphs\r\nand   three spaces",
)
BATCH = Decoding(max_new_tokens=16)
# Sums in another order differ by rounding. As shares of the largest logit: in float32 1e-6 for SmolLM2-135M and 4e-5
# at most for the tiny models; in bfloat16, which has 8 bits, up to 2e-2 for the tiny models.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
_THINKING = (("<think>", "</think>"), ("<|channel>", "<channel|>"))


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: its name.
        ok: whether the subject behaves as assumed; None where it cannot be asked.
        figures: what was measured, or what differs, in a line.
    """

    check: str
    ok: bool | None
    figures: str


def check(name: str, threads: int, device: str = "cpu") -> Iterator[Finding]:
    """The findings of subject `name`, each as soon as it is there; one alone if the subject cannot be loaded."""
    try:
        engine = Engine(name, threads, device)
    except InputError as error:
        yield Finding("load", False, "; ".join(error.lines))
        return
    for title, find in CHECKS.items():
        with quiet():
            ok, figures = find(engine)
        yield Finding(title, ok, figures)


def layout(engine: Engine) -> tuple[bool, str]:
    """The model is laid out as the registry says (`Engine` would not have loaded it otherwise)."""
    try:
        check_layout(engine.model, engine.subject)
    except InputError as error:
        return False, "; ".join(error.lines)
    said = engine.subject.layout
    return True, f"{type(engine.model).__name__}: {said.in_words()}; attention is {said.coverage('attention')}"


def template(engine: Engine) -> tuple[bool, str]:
    """A prompt holds what was said, opens an answer as finished answers are opened, and starts with one BOS at most."""
    subject, tokenizer = engine.subject, engine.tokenizer
    history = (Message(role="user", content="Who?"), Message(role="assistant", content="Nobody."))
    wrong = []
    for what, system, turns in (
        ("plain", None, ()),
        ("with an instruction", SYSTEM, ()),
        ("third turn", None, history),
    ):
        ids = chat.prompt_ids(subject, tokenizer, PROMPTS[0], system, turns)
        text = tokenizer.decode(ids)
        said = [PROMPTS[0], *([system] if system else []), *(message.content for message in turns)]
        wrong += [f"{what}: {words!r} is not in the prompt" for words in said if words not in text]
        if tokenizer.bos_token_id is not None and ids[:2] == [tokenizer.bos_token_id] * 2:
            wrong.append(f"{what}: two {tokenizer.bos_token} at the start")
        opened = [a for a, b in _THINKING if text.count(a) != text.count(b)]
        if opened or "<|think|>" in text:
            wrong.append(f"{what}: thinking is on ({(*opened, '<|think|>')[0]})")
    header, _ = _around_an_answer(subject, tokenizer)
    opens = _generation_prompt(subject, tokenizer) + subject.answer_prefix
    if _without_thinking(opens) != _without_thinking(header):
        wrong.append(f"an answer is opened by {opens!r} and stands behind {header!r} in a finished dialogue")
    return not wrong, "; ".join(wrong) or f"answers are opened by {opens!r}, instructions are a {subject.system}"


def round_trip(engine: Engine) -> tuple[bool, str]:
    """Texts of many kinds come back from the tokenizer as they went in."""
    changed = []
    for text in TEXTS:
        back = chat.answer_text(
            engine.subject, engine.tokenizer, chat.answer_ids(engine.subject, engine.tokenizer, text)
        )
        if back != text:
            changed.append(f"{text!r} comes back as {back!r}")
    return not changed, "; ".join(changed) or f"{len(TEXTS)} of {len(TEXTS)} texts come back as they were"


def batch(engine: Engine) -> tuple[bool, str]:
    """Greedy answers of a batch are those of single runs, token for token, but for ties within rounding."""
    requests = [Request(f"p{i}", prompt) for i, prompt in enumerate(PROMPTS)]
    together = engine.tokens(requests, BATCH)
    notes, ok = [], True
    for i, request in enumerate(requests):
        alone = engine.tokens([request], BATCH)[0]
        found = parting(engine, request, alone, together[i])
        if found is None:
            continue
        at = found.position
        logits = _last_logits(engine, [engine.inputs([request])[0] + alone[:at]])[0]
        tie = abs(found.gap) <= _tolerance(engine, logits)
        ok = ok and tie
        notes.append(
            f"{request.prompt_id} differs from token {at} on, {'a tie: ' if tie else ''}logits {found.gap:.1e} apart"
        )
    same = len(requests) - len(notes)
    return ok, "; ".join([f"{same} of {len(requests)} greedy answers of a batch equal the single ones", *notes])


def padding(engine: Engine) -> tuple[bool, str]:
    """Logits behind padding on the left are those without."""
    rows = engine.inputs([Request(f"p{i}", prompt) for i, prompt in enumerate(PROMPTS)])
    together = _last_logits(engine, rows)
    apart = max(float((together[i] - _last_logits(engine, [row])[0]).abs().max()) for i, row in enumerate(rows))
    padded, largest = max(map(len, rows)) - min(map(len, rows)), float(together.abs().max())
    return (
        apart <= _tolerance(engine, together),
        f"logits of up to {largest:.0f} behind up to {padded} pads are within {apart:.1e} of those without",
    )


def end_tokens(engine: Engine) -> tuple[bool, str]:
    """Each end token ends an answer, and the one that training teaches closes answers in the template."""
    ends = chat.end_ids(engine.subject, engine.tokenizer)
    names = [engine.tokenizer.convert_ids_to_tokens(end) for end in ends]
    ids = torch.tensor(engine.inputs([Request("p", PROMPTS[0])]), device=engine.device)
    wrong = []
    for end, name in zip(ends, names, strict=True):
        with torch.inference_mode():
            output = engine.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=4,
                logits_processor=transformers.LogitsProcessorList([_Saying(end, ids.shape[1])]),
            )
        if int(output[0, -1]) != end or output.shape[1] > ids.shape[1] + 1:
            wrong.append(f"generation goes on behind {name!r}")
    _, footer = _around_an_answer(engine.subject, engine.tokenizer)
    if not footer.startswith(engine.tokenizer.decode([ends[0]])):
        wrong.append(f"the template closes an answer by {footer!r}, training teaches {names[0]!r}")
    return not wrong, "; ".join(wrong) or f"{', '.join(map(repr, names))} end answers; {names[0]!r} is taught"


def decoding(engine: Engine) -> tuple[bool, str]:
    """Answers drawn by the subject's own defaults, and under a presence penalty, come out the same twice."""
    own = engine.subject.decoding.model_copy(update={"max_new_tokens": BATCH.max_new_tokens})
    requests = [Request(f"p{i}", prompt, seed=i) for i, prompt in enumerate(PROMPTS[:2])]
    changed = []
    for how in (own, own.model_copy(update={"temperature": own.temperature or 0.7, "presence_penalty": 2.0})):
        drawn = engine.tokens(requests, how)
        if engine.tokens(requests, how) != drawn:
            changed.append(f"another draw at {_in_words(how)}")
    return not changed, "; ".join(changed) or f"defaults: {_in_words(own)}; equal draws also under a presence penalty"


CHECKS: dict[str, Callable[[Engine], tuple[bool, str]]] = {
    "layout": layout,
    "template": template,
    "round trip": round_trip,
    "padding": padding,
    "batch": batch,
    "end tokens": end_tokens,
    "decoding": decoding,
}
"""Name → check; each says whether it holds, and a line of figures."""


class _Saying(transformers.LogitsProcessor):
    """Makes `token` the likeliest once the sequence is `length` tokens long."""

    def __init__(self, token: int, length: int) -> None:
        self._token, self._length = token, length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary], changed at that length alone."""
        if input_ids.shape[1] == self._length:
            scores = scores.clone()
            scores[:, self._token] = scores.max() + 1.0
        return scores


def _last_logits(engine: Engine, rows: list[list[int]]) -> torch.Tensor:
    """Logits [rows, vocabulary] behind the last token of each row, in one pass padded on the left, as float32."""
    width = max(map(len, rows))
    pad = engine.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=engine.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=engine.device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.inference_mode():
        output = engine.model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
    return output.logits[:, -1].float()


def _render(subject: Subject, tokenizer: Any, answer: str | None, generation_prompt: bool) -> str:
    messages = [{"role": "user", "content": PROMPTS[0]}]
    messages += [{"role": "assistant", "content": answer}] if answer is not None else []
    return tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=generation_prompt, **dict(subject.template_arguments)
    )


def _generation_prompt(subject: Subject, tokenizer: Any) -> str:
    """What the template adds where an answer is to start."""
    asked = _render(subject, tokenizer, None, False)
    return _render(subject, tokenizer, None, True).removeprefix(asked)


def _around_an_answer(subject: Subject, tokenizer: Any) -> tuple[str, str]:
    """What a finished dialogue has between the question's turn and the answer's words, and behind these."""
    answer = "It is Paris."
    finished = _render(subject, tokenizer, answer, False).removeprefix(_render(subject, tokenizer, None, False))
    header, _, footer = finished.partition(answer)
    return header, footer


def _without_thinking(text: str) -> str:
    """`text` without an empty think block, which templates show where an answer starts and not always afterwards."""
    return re.sub(r"<think>\s*</think>\s*|<\|channel>thought\s*<channel\|>\s*", "", text)


def _tolerance(engine: Engine, logits: torch.Tensor) -> float:
    return TOLERANCE[engine.subject.run_dtype(engine.device)] * float(logits.abs().max())


def _in_words(how: Decoding) -> str:
    if how.temperature == 0.0 and not how.presence_penalty:
        return "greedy"
    said = f"temperature {how.temperature:g}, top_p {how.top_p:g}, top_k {how.top_k}"
    return said + (f", presence penalty {how.presence_penalty:g}" if how.presence_penalty else "")
