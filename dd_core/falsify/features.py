"""`features.npz`: hidden states by pooling tag, beside the ids of the responses that they were read from.

Knows the npz format and what is safe to load of it: headers are looked at first, and nothing is ever unpickled. Does
not know which responses there are; `dd_core.falsify.validation` does.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from dd_core.errors import InputError
from dd_core.falsify.reading import exists, reason

FEATURE_KEY = "response_id"
MOST_BYTES = 8 << 30
"""A million responses with 2,048 float32 each; a file of a few kilobytes can declare a thousand times that."""

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

Header = tuple[tuple[int, ...], np.dtype]


def read_features(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """`features.npz` as (pooling tag -> float32 [n, d], response ids [n]); nothing in it is ever unpickled.

    Raises:
        InputError: not an npz file, object arrays, wrong shapes, more than fits in memory, or no `response_id`.
    """
    if not exists(path):
        return {}, ()
    arrays = read_arrays(path, _check)
    ids = arrays.pop(FEATURE_KEY)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        features = {name: value.astype(np.float32) for name, value in sorted(arrays.items())}
    return features, tuple(ids.tolist())


def read_arrays(
    path: Path, check: Callable[[dict[str, Header], str], None], *, only: str | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an npz file, once their headers are found good; nothing in it is ever unpickled.

    Args:
        check: called with the headers and the file's name before anything is read; raises `InputError`.
        only: the one array that is wanted; others may hold anything.

    Raises:
        InputError: not an npz file, object arrays, more than fits in memory, or what `check` refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = _headers(archive, path.name, only)
            _check_safe(headers, path.name)
            check(headers, path.name)
            return {name: _array(archive, name) for name in headers}
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise six unrelated types on a damaged archive
        raise InputError(f"{path.name}: cannot be read as npz: {reason(error)}") from None


def _headers(archive: zipfile.ZipFile, source: str, only: str | None) -> dict[str, Header]:
    """Array name → (shape, dtype), read without the arrays."""
    headers: dict[str, Header] = {}
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if only is not None and name != only:
            continue
        if name in headers:
            raise InputError(f"{source}: array {name} is there twice")
        with archive.open(entry) as file:
            version = npy.read_magic(file)
            if version not in HEADERS:
                raise InputError(f"{source}: array {name} is in a version of the format that plain arrays do not need")
            shape, _, dtype = HEADERS[version](file)
        headers[name] = shape, dtype
    return headers


def _check_safe(headers: dict[str, Header], source: str) -> None:
    for name, (_, dtype) in headers.items():
        if dtype.hasobject:
            raise InputError(
                f"{source}: array {name} holds Python objects, which are never loaded: "
                "save text as fixed-width strings and features as float32"
            )
    n_bytes = sum(dtype.itemsize * int(np.prod(shape, dtype=object)) for shape, dtype in headers.values())
    if n_bytes > MOST_BYTES:
        raise InputError(f"{source}: declares {n_bytes} bytes, over the {MOST_BYTES} that are read at most")


def _check(headers: dict[str, Header], source: str) -> None:
    shape, dtype = headers.get(FEATURE_KEY, ((), np.dtype(float)))
    if len(shape) != 1 or dtype.kind != "U":
        raise InputError(f"{source}: needs {FEATURE_KEY}, a one-dimensional array of strings")
    n = shape[0]
    lines = [
        f"{source}: array {name} must be float [n, d] with n = {n} and d from 1, got {dtype} {list(shape)}"
        for name, (shape, dtype) in headers.items()
        if name != FEATURE_KEY and (dtype.kind != "f" or len(shape) != 2 or shape[0] != n or shape[1] == 0)
    ]
    if len(headers) == 1:
        lines.append(f"{source}: has no features beside {FEATURE_KEY}")
    if n == 0:
        lines.append(f"{source}: array {FEATURE_KEY} has no rows")
    if lines:
        raise InputError(lines)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return npy.read_array(file, allow_pickle=False)
