"""Reading what a teacher sent: without its thinking, and with the name of what is wrong with it.

Nothing is repaired. A completion is used as it is or not at all, and why is said in a word that can be counted.
"""

from __future__ import annotations

import json
import re
from typing import Any

from dd_core.language import confident_languages
from dd_core.records import Completion

FAULTS: dict[str, str] = {
    "nothing": "the reply holds no words",
    "thinking only": "the reply is a <think> block, or one that never ends",
    "cut": "the reply ran into its token limit",
    "html": "the reply is a web page",
    "refusal": "the teacher declines to answer",
    "language": "the reply is in another language than English",
    "json": "the reply is not the JSON object that was asked for, or is one that was not",
    "fields": "the JSON object lacks a field, or one has the wrong type",
}
"""Name → what it means; the names are counted in `set-aside.jsonl` and on the data card."""

_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPEN_THINKING = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_TAIL_OF_THINKING = re.compile(r"^.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(r"^<(?:!doctype|html|\?xml|head|body)\b|</html>$", re.IGNORECASE)
_REFUSAL = re.compile(
    r"^(?:i'?m |i am )?(?:sorry|afraid|i apologi[sz]e)\b[^.!]{0,80}?\b(?:can(?:'|no)?t|can not|unable|not able|won't)\b"
    r"[^.!]{0,60}\b(?:help|assist|comply|fulfil+|continue|discuss|do (?:that|this)"
    r"|provide (?:that|this|such|the requested) (?:information|answer|content))\b"
    r"|^(?:i|we) (?:can(?:'|no)?t|can not|won't|will not|am unable to|'m unable to|am not able to|must decline to)\b"
    r"[^.!]{0,40}\b(?:help|assist|comply|fulfil+|engage|discuss) (?:with |in |that|this|your)"
    r"|^as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!]{0,60}\b(?:can(?:'|no)?t|can not|unable)",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"^(?:```(?:json)?\s*)?[{\[]\s*[\"{\[]")
_FENCE = re.compile(r"^```(?:json)?\s*\n(.*?)\n?```$", re.DOTALL | re.IGNORECASE)


class Unusable(Exception):
    """A completion that cannot be used; `fault` is a key of `FAULTS`."""

    def __init__(self, fault: str, detail: str = "") -> None:
        self.fault, self.detail = fault, detail
        super().__init__(detail or FAULTS[fault])


def read_text(completion: Completion) -> str:
    """The words of a reply, without thinking.

    Raises:
        Unusable: it is empty, cut, a web page, a refusal, in another language, or an object in place of prose.
    """
    text = _spoken(completion)
    if _OBJECT.match(text):
        raise Unusable("json", text[:120])
    if _REFUSAL.search(text.replace("’", "'")):
        raise Unusable("refusal", text[:120])
    _check_language(text)
    return text


def read_object(completion: Completion, fields: dict[str, type]) -> dict[str, Any]:
    """The JSON object of a reply, which may stand in a code fence, and in nothing else.

    Args:
        fields: name → type of every field that it must have; others are dropped.

    Raises:
        Unusable: as `read_text`, or it is no such object.
    """
    text = _spoken(completion)
    fenced = _FENCE.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (json.JSONDecodeError, RecursionError):
        if _REFUSAL.search(text.replace("’", "'")):
            raise Unusable("refusal", text[:120]) from None
        raise Unusable("json", text[:120]) from None
    if not isinstance(value, dict):
        raise Unusable("json", f"a {type(value).__name__}")
    for name, wanted in fields.items():
        found = value.get(name)
        if not isinstance(found, wanted) or found in ("", []):
            raise Unusable("fields", f"{name}: expected a {wanted.__name__} with something in it")
        if isinstance(found, list) and not all(isinstance(item, str) and item.strip() for item in found):
            raise Unusable("fields", f"{name}: expected a list of texts")
    _check_language(" ".join(str(value[name]) for name in fields))
    return {name: value[name] for name in fields}


def _spoken(completion: Completion) -> str:
    text = completion.text.replace("\0", "")
    plain = _THINKING.sub("", text)
    # A template that opens the block itself leaves its end alone in the reply.
    plain = _TAIL_OF_THINKING.sub("", plain) if not _OPEN_THINKING.search(plain) else plain
    plain, *unended = _OPEN_THINKING.split(plain, maxsplit=1)
    plain = plain.strip()
    if unended and completion.finish_reason == "length":
        raise Unusable("thinking only")
    if not re.search(r"\w", plain):
        raise Unusable("thinking only" if re.search(r"\w", text) else "nothing")
    if _HTML.search(plain):
        raise Unusable("html", plain[:120])
    if completion.finish_reason == "length":
        raise Unusable("cut", f"after {completion.n_completion_tokens} tokens")
    if completion.finish_reason == "content_filter":
        raise Unusable("refusal", "content filter")
    return plain


def _check_language(text: str) -> None:
    told = confident_languages([text])[text]
    if told not in (None, "ENGLISH"):
        raise Unusable("language", str(told).capitalize())
