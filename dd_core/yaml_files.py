"""YAML files that people write: read with an error that says where, and checked with one line for each mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dd_core.errors import InputError

_PASSWORD = re.compile(r"//[^/@\s']*@")
"""Who logs in, in an address."""


class _Loader(yaml.SafeLoader):
    """As YAML's safe loader, but a key that is there twice is an error: the last one would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is there twice", key_node.start_mark
                )
            if key is not None and key_node.tag != "tag:yaml.org,2002:merge":
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, noun: str) -> Any:
    """The plain data of the YAML file at `path`.

    Args:
        noun: what it should be, for the error ("study file").

    Raises:
        InputError: the file is missing (those beside it are named), cannot be read, or is no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        here = ", ".join(sorted(p.name for p in path.parent.glob("*.yaml"))) if path.parent.is_dir() else ""
        raise InputError(f"{path}: no such {noun}" + (f"; beside it: {here}" if here else "")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{path}:{where} is not YAML: {getattr(error, 'problem', None) or error}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: holds a value that cannot be read: {error}") from None


def error_lines(
    error: ValidationError, source: str, prefix: str = "", only: set[str] | None = None, but: set[str] | None = None
) -> list[str]:
    """One line per mistake: source, dotted path of the field, what was expected, and what was found.

    Args:
        prefix: what the paths begin with.
        only, but: the first segments of the paths that are told, or left out.
    """
    lines = []
    for item in error.errors():
        head = str(item["loc"][0]) if item["loc"] else ""
        if (only is not None and head not in only) or (but is not None and head in but):
            continue
        field = ".".join([prefix, *map(str, item["loc"])] if prefix else map(str, item["loc"]))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key"
        elif item["type"] == "missing":
            message = "required, and absent"
        elif "input" in item and not isinstance(item["input"], dict | BaseModel) and "key" not in field:
            message += f" (found {_PASSWORD.sub('//…@', repr(item['input']))})"
        lines.append(f"{source}: {field + ': ' if field else ''}{message}")
    return lines


def kind_of(data: Any) -> str:
    """What parsed YAML is, for an error message."""
    return "an empty file" if data is None else f"a {type(data).__name__}"
