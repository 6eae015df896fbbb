"""The claim and the JSON files of a bundle, read into plain values, each fault one line that names file and place.

Knows file formats and what can be done to a reader with them. Does not know which values are right:
`dd_core.falsify.documents` does. Tables and features have modules of their own.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dd_core.claim import Claim
from dd_core.errors import InputError

MOST_CLAIM_BYTES = 1 << 18
MOST_NODES = 10_000
"""Values in a claim with its aliases written out: a few lines of aliases of aliases stand for billions."""

MOST_DEPTH = 100
"""Levels of a JSON file. Python's own limit is near 1,000, and later steps need some of it."""


def exists(path: Path) -> bool:
    """Whether there is a file at `path`; a folder, pipe or dangling link in its place is no absence.

    Raises:
        InputError: something else is there, or it cannot be looked at.
    """
    try:
        if path.is_file():
            return True
        there = path.is_symlink() or path.exists()
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {reason(error)}") from None
    if there:
        what = "a link that leads nowhere" if path.is_symlink() else "a folder" if path.is_dir() else "no regular file"
        raise InputError(f"{path.name}: expected a file, and it is {what}")
    return False


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, MemoryError) as error:
        raise InputError(f"{path.name}: cannot be read: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What an exception says, in one line of at most 200 characters."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0][:200]


class _Loader(yaml.SafeLoader):
    """Plain values only, each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {name} is there twice", key.start_mark)
            seen.add(name) if name is not None else None
        return super().construct_mapping(node, deep)


def read_claim(path: Path) -> Claim:
    """`claim.yaml` as a `Claim`.

    Raises:
        InputError: the file is absent, no YAML mapping, or says something impossible; one line per field.
    """
    if not exists(path):
        raise InputError(f"{path.name}: not found in {path.parent}: a claim bundle needs it")
    data = _bytes(path)
    if len(data) > MOST_CLAIM_BYTES:
        raise InputError(f"{path.name}: {len(data)} bytes are too many for a claim; the most is {MOST_CLAIM_BYTES}")
    try:
        value = _yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not UTF-8 text: save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or reason(error)
        raise InputError(f"{path.name}{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise InputError(f"{path.name}: nested too deeply to be a claim") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # What PyYAML raises on a tagged or dated value that is none, such as 2025-13-01 or !!int x.
        raise InputError(f"{path.name}: holds a value that is none of its type: {reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path.name}: expected a mapping of fields such as `name: ...`, got {kind_of(value)}")
    return parse_claim(value, path.name)


def _yaml(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MOST_NODES:
            raise yaml.YAMLError(f"over {MOST_NODES} values, aliases written out")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Values under `node` with aliases written out; infinite where it holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def parse_claim(value: dict[str, Any], source: str) -> Claim:
    """A `Claim` from a mapping; `source` names where it came from in the errors.

    Raises:
        InputError: one line per wrong field.
    """
    try:
        return Claim.model_validate(value)
    except (RecursionError, OverflowError, UnicodeError) as error:
        raise InputError(f"{source}: cannot be a claim: {reason(error)}") from None
    except ValidationError as error:
        lines = []
        for finding in error.errors():
            path = ".".join(str(part) for part in finding["loc"])
            message = finding["msg"].removeprefix("Value error, ")
            lines.append(f"{source}: {path}: {message}" if path else f"{source}: {message}")
        raise InputError([line.replace("\n", " ") for line in lines]) from None


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's members; a `ValueError` where a key is there twice, of which JSON readers take either."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"{Counter(name for name, _ in pairs).most_common(1)[0][0]} is there twice")
    return members


def read_json(path: Path, kind: type) -> Any:
    """The value in a JSON file, which must be a `kind` (dict or list); None when the file is absent.

    Raises:
        InputError: the file is empty, is not JSON, holds something else, or a number or text out of bounds.
    """
    if not exists(path):
        return None
    data = _bytes(path)
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=each_key_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not valid JSON: {reason(error)}") from None
    if not isinstance(value, kind):
        raise InputError(f"{path.name}: expected {'an object' if kind is dict else 'a list'}, got {kind_of(value)}")
    problem = _out_of_bounds(value)
    if problem:
        raise InputError(f"{path.name}: {problem}")
    return value


def _out_of_bounds(value: Any) -> str:
    """What no later step could work with: numbers past a float's range, lone surrogates, endless nesting; or ""."""
    level = [("", value)]
    for _ in range(MOST_DEPTH):
        below: list[tuple[str, Any]] = []
        for where, item in level:
            if isinstance(item, dict):
                below += [(f"{where}.{key}" if where else key, child) for key, child in item.items()]
                below += [(where, key) for key in item]
            elif isinstance(item, list):
                below += [(f"{where}[{index}]", child) for index, child in enumerate(item)]
            elif isinstance(item, str):
                if not item.isascii() and not is_text(item):
                    return f"{where}: holds a lone surrogate, which is no text: replace it"
            elif isinstance(item, int | float) and not abs(item) < 1e300:
                return f"{where}: the number is too large"
        level = below
        if not level:
            return ""
    return f"nested over {MOST_DEPTH} levels deep"


def is_text(text: str) -> bool:
    """Whether `text` can be written as UTF-8: a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")


def kind_of(value: Any) -> str:
    """What a person calls the type of a JSON or YAML value."""
    if value is None:
        return "nothing"
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)
