"""One way to turn a value into bytes, and bytes into a name.

Keys of blocks, fingerprints of judges and the pre-registration hash all pass through here, so that equality cannot
drift between them. Knows nothing of what the values mean.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from pydantic import BaseModel


def compact_json(value: Any) -> bytes:
    """JSON with sorted keys, separators `,` and `:` and ASCII escapes; the form that a manifest's hash is taken over.

    Raises:
        ValueError: a float is NaN or infinite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def canonical(value: Any) -> Any:
    """`value` as plain JSON data in which equal things look equal: models dumped, `1.0` as `1`, tuples as lists.

    Raises:
        ValueError: a float is NaN or infinite.
        TypeError: a mapping has a key that is no string, or a value has no JSON form.
    """
    if isinstance(value, BaseModel):
        return canonical(value.model_dump(mode="json"))
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a mapping key must be a string, not {key!r}")
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} has no canonical form")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def sha256(data: bytes) -> str:
    """Hex SHA-256 of `data`, 64 characters."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `value`, 64 characters."""
    return sha256(compact_json(canonical(value)))


def round_significant(value: float, digits: int = 6) -> float:
    """`value` rounded to `digits` significant digits: a suggested learning rate is this before it enters a key."""
    return float(f"{value:.{digits}g}")
