"""States that PyTorch pickles, as safetensors and JSON: what lies in a store is never unpickled.

Knows nothing of what a state is of; takes tensors in nested dicts, lists and tuples of plain values.
"""

from __future__ import annotations

import io
import json
from typing import Any

import torch
from safetensors.torch import load, save

TENSORS, PLAIN = "safetensors", "json"


def unpickled(name: str, data: bytes) -> dict[str, bytes]:
    """What `torch.save` wrote, as two files `name.safetensors` and `name.json`.

    Args:
        data: of this process' own making; it is opened with `weights_only`.

    Raises:
        TypeError: it holds something else than tensors and plain values.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = _plain(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), tensors)
    return {f"{name}.{TENSORS}": save(tensors), f"{name}.{PLAIN}": json.dumps(plain).encode()}


def pickled(name: str, files: dict[str, bytes]) -> bytes:
    """The state in two files of `unpickled`, as `torch.load` reads it.

    Raises:
        KeyError, ValueError: they are not such files.
    """
    tensors = load(files[f"{name}.{TENSORS}"])
    buffer = io.BytesIO()
    torch.save(_whole(json.loads(files[f"{name}.{PLAIN}"]), tensors), buffer)
    return buffer.getvalue()


def _plain(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON, each part with its kind; tensors go into `tensors` under a number."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[_plain(key, tensors), _plain(one, tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_plain(one, tensors) for one in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"a {type(value).__name__} has no place in a checkpoint")


def _whole(plain: Any, tensors: dict[str, torch.Tensor]) -> Any:
    ((kind, value),) = plain.items()
    match kind:
        case "tensor":
            return tensors[value]
        case "dict":
            return {_whole(key, tensors): _whole(one, tensors) for key, one in value}
        case "list":
            return [_whole(one, tensors) for one in value]
        case "tuple":
            return tuple(_whole(one, tensors) for one in value)
        case "value":
            return value
    raise ValueError(f"{kind!r} is no kind of value")
