"""One file of prompts: from lines to `Prompt`, with the place and the field of everything that is wrong.

Knows no domain, and judges no content: what a prompt set promises as a whole is `check`'s business.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from dd_core.errors import InputError
from dd_core.prompts import humaneval
from dd_core.prompts.phrases import expand
from dd_core.records import Prompt


def parse_split(text: str, split: str, source: str, places: dict[str, str] | None = None) -> tuple[Prompt, ...]:
    """The prompts of one JSONL text, in order; blank lines are skipped.

    Args:
        text: one JSON object a line. `accept` may name a set of `phrases` ("@unknowable"); a line with a `task_id` is
            completed from HumanEval. `split` may be left out.
        split: the split of every line.
        source: the file's name for error messages.
        places: prompt_id → `file:line` of the prompts seen so far; extended here, so that a prompt which stands in two
            files is found.

    Raises:
        InputError: one line per finding, each with file, line, field and what was expected.
    """
    places = {} if places is None else places
    prompts: list[Prompt] = []
    errors: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{source}:{number}"
        try:
            prompt = Prompt.model_validate(_completed(_row(line), split))
        except humaneval.NotInstalled as error:
            raise InputError(f"{source}: {error}") from None
        except InputError as error:
            errors += [f"{place}: {finding}" for finding in error.lines]
            continue
        except json.JSONDecodeError as error:
            errors.append(f"{place}: this line is not JSON ({error.msg} at column {error.colno})")
            continue
        except RecursionError:
            errors.append(f"{place}: this line is nested too deeply")
            continue
        except ValidationError as error:
            errors += [f"{place}: {_field(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
            continue
        if prompt.split != split:
            errors.append(f"{place}: split: this file holds {split!r} prompts, the line says {prompt.split!r}")
        if prompt.prompt_id in places:
            errors.append(f"{place}: prompt: {prompt.prompt!r} stands already at {places[prompt.prompt_id]}")
        places.setdefault(prompt.prompt_id, place)
        prompts.append(prompt)
    if errors:
        raise InputError(errors)
    return tuple(prompts)


def _row(line: str) -> Any:
    """The JSON of a line.

    Raises:
        InputError: a key stands twice in an object, a number is out of all bounds, or a text holds half a character.
        json.JSONDecodeError, RecursionError: it is no JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{', '.join(twice)}: stands twice in one object")
        return dict(pairs)

    try:
        row = json.loads(line, object_pairs_hook=unique)
        json.dumps(row, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except UnicodeEncodeError:
        raise InputError("a text holds half of a character (a lone surrogate)") from None
    except ValueError as error:
        raise InputError(str(error)) from None
    return row


def _completed(row: Any, split: str) -> Any:
    """`row` with its split, HumanEval's part and named phrase sets written out; what is no prompt is left as it is."""
    if not isinstance(row, dict):
        return row
    if "task_id" in row:
        row = humaneval.completed(row)
    row.setdefault("split", split)
    claims = row.get("claims")
    for i, claim in enumerate(claims if isinstance(claims, list) else []):
        accept = claim.get("accept") if isinstance(claim, dict) else None
        if isinstance(accept, list) and all(isinstance(phrase, str) for phrase in accept):
            try:
                claim["accept"] = expand(accept)
            except InputError as error:
                raise InputError(f"claims.{i}.accept: {error}") from None
    return row


def _field(location: tuple[int | str, ...]) -> str:
    """The path of a field, and nothing where the finding itself names it."""
    return ".".join(str(part) for part in location) + ": " if location else ""
