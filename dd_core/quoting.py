"""Texts of other people inside an instruction: quoted between two marks that none of them can hold.

Used wherever a model is given what a user or another model wrote, so that a text which gives orders is material and
stays material. Knows no stage, no judge and no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from dd_core.canonical import digest

UNSENDABLE = {0: "\u2400"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""Characters that no endpoint takes (NUL, halves of a pair), and what is shown for each: one character as well."""


def render(package: str, name: str, texts: Mapping[str, str], **plain: Any) -> str:
    """The words of the template `templates/NAME.txt.j2` in a package.

    A template writes `{{ quoted("answer") }}` where a text goes, and `{{ mark }}` for the name of the marks around it.

    Args:
        texts: what is quoted, by name.
        plain: what the template needs besides, none of it written by a model or a user.

    Raises:
        jinja2.UndefinedError: the template names a text that is not given.
    """
    shown = {key: text.translate(UNSENDABLE) for key, text in texts.items()}
    # A digest of all texts: whoever wrote one of them would have to know it before writing.
    mark = f"data-{digest(shown)[:12]}"

    def quoted(key: str) -> str:
        if key not in shown:
            raise jinja2.UndefinedError(f"{name}: the template quotes {key!r}, which is not given")
        return f"<{mark}>\n{shown[key]}\n</{mark}>"

    return str(_template(package, name).render(quoted=quoted, mark=mark, **plain)).strip()


def source(package: str, name: str) -> str:
    """The template itself, for fingerprints."""
    return (files(package) / "templates" / f"{name}.txt.j2").read_text(encoding="utf-8")


@cache
def _template(package: str, name: str) -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source(package, name))
