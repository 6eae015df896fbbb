"""Reading what a teacher sent: without its thinking, and with the name of what is wrong with it.

Nothing is repaired. A completion is used as it is or not at all, and why is said in a word that can be counted.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from dd_core.language import CHARS, FUNCTION_WORDS, confident_languages
from dd_core.records import Completion

FAULTS: dict[str, str] = {
    "nothing": "the reply holds no words",
    "thinking only": "the reply is a <think> block, or one that never ends",
    "cut": "the reply ran into its token limit, or ended for a reason that is no end",
    "too long": "the reply is many times as long as was asked for",
    "html": "the reply is a web page",
    "refusal": "the reply declines to answer",
    "language": "the reply is in another language than English",
    "json": "the reply is not the JSON object that was asked for, or is one that was not",
    "fields": "the JSON object lacks a field, or one has the wrong type",
}
"""Name → what it means; the names are counted in `set-aside.jsonl` and on the data card."""

MAX_CHARS = 20_000
"""Twenty times what a template asks for; nothing longer is an answer to it."""

LEAST_ENGLISH = 0.25
"""Share of English function words from which a text is English, whatever names of dishes and towns are in it: of 3,335
right English texts of the domains 26 were told as another language without this, 4 with it. In the 16 known pairs whose
bad answer is in another language the share is at most 0.11."""

ENDS = ("stop", "end_turn", "eos", "stop_sequence")
"""How endpoints say that a reply ended by itself."""

_THINKING = re.compile(r"<(/?)think(?:ing)?>|◁(/?)think▷", re.IGNORECASE)
_HTML = re.compile(r"^<(?:!doctype|html|\?xml|head|body)\b|</html>$", re.IGNORECASE)
# Narrower than what the falsifier and the delivery judge call a refusal: an answer that defers is often right here.
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
    text = spoken(completion)
    check_prose(text)
    return text


def read_object(completion: Completion, fields: dict[str, type]) -> dict[str, Any]:
    """The JSON object of a reply, which may stand in a code fence, and in nothing else.

    Args:
        fields: name → type (str, or list for a list of texts) of every field that it must have; others are dropped.

    Raises:
        Unusable: as `read_text`, also of any of its texts, or it is no such object.
    """
    text = spoken(completion)
    try:
        value = json.loads(unfenced(text))
    except (ValueError, RecursionError):
        check_prose(text)
        raise Unusable("json", text[:120]) from None
    if not isinstance(value, dict):
        raise Unusable("json", f"a {type(value).__name__}")
    for name, wanted in fields.items():
        found = value.get(name)
        texts: list[Any] = found if isinstance(found, list) else [found]
        if not isinstance(found, wanted) or not texts or not all(isinstance(t, str) and _has_word(t) for t in texts):
            raise Unusable("fields", f"{name}: expected {'texts' if wanted is list else 'a text'} with words in it")
        for one in texts:
            check_prose(one)
    return {name: value[name] for name in fields}


def spoken(completion: Completion) -> str:
    """What a reply says outside of thinking, whatever form it has.

    Raises:
        Unusable: it is empty, cut, a web page or too long.
    """
    text = completion.text.replace("\0", "")
    plain, unended = _without_thinking(text)
    if unended and completion.finish_reason == "length":
        raise Unusable("thinking only")
    if not _has_word(plain):
        raise Unusable("thinking only" if _has_word(text) else "nothing")
    if _HTML.search(plain):
        raise Unusable("html", plain[:120])
    if completion.finish_reason == "content_filter":
        raise Unusable("refusal", "content filter")
    if completion.finish_reason not in ENDS:
        raise Unusable("cut", f"finish_reason {completion.finish_reason!r}, {completion.n_completion_tokens} tokens")
    if len(plain) > MAX_CHARS:
        raise Unusable("too long", f"{len(plain)} characters")
    return plain


def unfenced(text: str) -> str:
    """`text` without the code fence that it stands in as a whole."""
    fenced = _FENCE.match(text)
    return fenced[1] if fenced else text


def _without_thinking(text: str) -> tuple[str, bool]:
    """What is said outside of thinking, and whether thinking never ended; one look at each mark, however many."""
    said: list[str] = []
    at, thinking = 0, False
    for mark in _THINKING.finditer(text):
        closing = "/" in (mark[1], mark[2])
        if not closing and not thinking:
            said.append(text[at : mark.start()])
        elif closing and not thinking:
            said.clear()  # a template that opens the block itself leaves its end alone in the reply
        at, thinking = mark.end(), not closing
    if not thinking:
        said.append(text[at:])
    return "".join(said).strip(), thinking


def _has_word(text: str) -> bool:
    return re.search(r"\w", text) is not None


def check_prose(text: str) -> None:
    """Nothing, where `text` is English prose.

    Raises:
        Unusable: it is a web page, an object, a refusal or in another language.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable("json", "half of a character") from None
    if _HTML.search(text.strip()):
        raise Unusable("html", text[:120])
    if _OBJECT.match(text):
        raise Unusable("json", text[:120])
    if _REFUSAL.search(text.strip().replace("’", "'")):
        raise Unusable("refusal", text[:120])
    _check_language(text)


def _check_language(text: str) -> None:
    letters = [character for character in text if character.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if latin * 2 < len(letters):
        raise Unusable("language", "another script")
    windows = [text[start : start + CHARS] for start in range(0, len(text), CHARS)]
    doubtful = [window for window in windows if _english_share(window) < LEAST_ENGLISH]
    told = set(confident_languages(doubtful).values()) - {None, "ENGLISH"}
    if told:
        raise Unusable("language", ", ".join(sorted(str(language).capitalize() for language in told)))


def _english_share(text: str) -> float:
    words = re.findall(r"\w+", text.casefold())
    return sum(word in FUNCTION_WORDS for word in words) / len(words) if words else 0.0
