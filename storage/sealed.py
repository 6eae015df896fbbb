"""JSON objects that carry a digest of themselves, so that a flipped byte is found when they are read."""

from __future__ import annotations

import json
from typing import Any

from dd_core.canonical import canonical, digest
from dd_core.errors import IntegrityError

_SEAL = "digest"


def seal(value: dict[str, Any]) -> bytes:
    """`value` as JSON for people (sorted keys, one space of indentation) with `digest` over all the rest in it.

    Raises:
        ValueError: a float is NaN or infinite, or `value` has a `digest` of its own.
        TypeError: something in it has no JSON form.
    """
    if _SEAL in value:
        raise ValueError(f"the member {_SEAL!r} is set by the store")
    plain = canonical(value)
    sealed = {**plain, _SEAL: digest(plain)}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def unseal(data: bytes, name: str) -> dict[str, Any]:
    """What was sealed, without its digest; `name` is the object's, for the message.

    Raises:
        IntegrityError: the bytes are no JSON object, or not the one that was sealed.
    """
    try:
        value = json.loads(data)
        found = value.pop(_SEAL)
        if found != digest(value):
            raise ValueError("its digest does not match")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{name} is damaged: {error!s:.200}") from error
    return value
