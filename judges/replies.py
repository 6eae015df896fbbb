"""Reading what a model that judges sent: an object of the form that was asked for, or an error that says what came.

Nothing is repaired and nothing is searched for in prose: a score that stands in a sentence is no score.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dd_core.distill.completions import FAULTS, Unusable, check_prose, spoken, unfenced
from dd_core.records import Completion

SHOWN_CHARS = 120


class Form(BaseModel):
    """Base of the forms in which judges ask for replies: closed to unknown members, types exact."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Unread(Exception):
    """A reply that cannot be read as the form that was asked for."""


F = TypeVar("F", bound=Form)


@cache
def schema_of(form: type[Form]) -> dict[str, Any]:
    """The JSON schema of a form; made once, since making it takes a fifth of a call's CPU."""
    return form.model_json_schema()


def read(completion: Completion, form: type[F]) -> F:
    """The reply as `form`; it may stand in a code fence as a whole, and after thinking.

    Raises:
        Unread: it is empty, cut, prose, no JSON, or not of that form; a member that is there twice counts as that.
    """
    try:
        text = spoken(completion)
        try:
            value = json.loads(unfenced(text), object_pairs_hook=_once, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            if not text.lstrip("`jsonJSON \n").startswith("{"):
                check_prose(text)
            raise Unread(f"the reply is no JSON object ({error}): {_shown(text)}") from None
    except Unusable as fault:
        detail = f": {_shown(fault.detail)}" if fault.detail else ""
        raise Unread(f"{FAULTS[fault.fault]}{detail}") from None
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Unread(f"{where + ': ' if where else ''}{first['msg']}: {_shown(text)}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is there twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _shown(text: str) -> str:
    return " ".join(text[:SHOWN_CHARS].split())
