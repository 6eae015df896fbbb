"""From words to token ids and back: the one place where a prompt meets the subject's chat template.

Training, generation and reading all pass through here, so that a fit sees exactly the tokens that an answer starts
from. Knows the tokenizer and the template; no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dd_core.canonical import sha256
from dd_core.errors import InputError
from dd_core.records import Message
from dd_core.subjects.subject import Subject


def prompt_ids(
    subject: Subject, tokenizer: Any, prompt: str, system: str | None = None, history: Sequence[Message] = ()
) -> list[int]:
    """Token ids of `prompt` in the subject's template, up to where the answer starts.

    A subject without a turn for `system` is given it before the user's first words, with an empty line between.

    Args:
        history: the turns before `prompt`; a system turn at its head stands after `system`, in the same turn.
    """
    if history and history[0].role == "system":
        system = "\n\n".join(filter(None, (system, history[0].content)))
        history = history[1:]
    messages = [*({"role": m.role, "content": m.content} for m in history), {"role": "user", "content": prompt}]
    if system and subject.system == "role":
        messages.insert(0, {"role": "system", "content": system})
    elif system:
        messages[0]["content"] = f"{system}\n\n{messages[0]['content']}"
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, **dict(subject.template_arguments)
    )
    return tokenizer(text, add_special_tokens=False).input_ids


def answer_ids(subject: Subject, tokenizer: Any, answer: str) -> list[int]:
    """Token ids of an answer as the subject would have written it, without the end token."""
    return tokenizer(subject.answer_prefix + answer, add_special_tokens=False).input_ids if answer else []


def answer_text(subject: Subject, tokenizer: Any, ids: list[int]) -> str:
    """The words of generated token ids; special tokens are left out."""
    return tokenizer.decode(ids, skip_special_tokens=True).removeprefix(subject.answer_prefix)


def end_ids(subject: Subject, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end an answer; the first is the one that training teaches.

    Raises:
        InputError: the tokenizer has no such token.
    """
    unknown = [token for token in (subject.turn_end, *subject.end_tokens) if token and _id(tokenizer, token) is None]
    if unknown:
        raise InputError(f"subject {subject.name}: its tokenizer has no single token {unknown[0]!r} to end an answer")
    named = [_id(tokenizer, token) for token in subject.end_tokens]
    own = tokenizer.eos_token_id
    first = _id(tokenizer, subject.turn_end) if subject.turn_end else own
    return list(dict.fromkeys([first, *named, own]))


def template_digest(tokenizer: Any) -> str:
    """SHA-256 of the chat template's text."""
    return sha256(tokenizer.chat_template.encode())


def _id(tokenizer: Any, token: str) -> int | None:
    found = tokenizer.convert_tokens_to_ids(token)
    stands_for_unknown = found == tokenizer.unk_token_id and token != tokenizer.unk_token
    return None if found is None or stands_for_unknown else found
