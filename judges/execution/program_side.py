"""The program's process: loads the program, then calls its functions as the tests' process asks.

Once the program has run, nothing in this process can be believed, this loop included: what it sends is data, and is
judged elsewhere. It never holds the tests, nor the pipe on which the verdict goes out.
"""

from __future__ import annotations

import _ast
import posix
import sys
from _operator import is_  # operator itself is one more file to read
from itertools import chain
from types import ModuleType

from judges.execution.side import begin
from judges.execution.wire import NotPlain, decode, encode, plain_type, receive, send

# `typing` takes 8 ms to import, and is for the type checker alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Not `__main__`: what a program does only when it is run as a script is not asked for. As a module it is known by name,
# which is where dataclasses and typing look up annotations.
NAME = "program"


def main(requests: int, replies: int) -> None:
    """Serves until the tests' process closes its end."""
    program, report = begin()
    posix.close(report)
    module = ModuleType(NAME)
    sys.modules[NAME] = module
    names = module.__dict__
    loaded = load(program, names)
    while True:
        shared: list[Any] = []
        try:
            request = decode(receive(requests), shared, grow=True)
        except EOFError:
            posix._exit(0)
        if request[0] == "look":
            send(replies, encode(loaded if loaded[0] == "fault" else (*loaded, look(names, request[1], loaded[1]))))
        else:
            send(replies, call(names, shared, *request[1:]))


def load(program: str, names: dict[str, Any]) -> tuple[str, str]:
    """("loaded", name of the last top-level function), or ("fault", what is wrong)."""
    try:
        tree: Any = compile(program, "<program>", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
        last = [node.name for node in tree.body if isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef))]
        code = compile(tree, "<program>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return "fault", f"the program is no valid Python: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return "fault", f"the program is no valid Python: {error}"
    try:
        exec(code, names)
    except BaseException as error:
        return "fault", f"the program could not be loaded: {told(error)}"
    return "loaded", last[-1] if last else ""


def look(names: dict[str, Any], wanted: tuple[str, ...], last: str) -> dict[str, tuple[Any, ...]]:
    """What the program holds under each name: a function to call, plain data, a module, or nothing of use."""
    found: dict[str, tuple[Any, ...]] = {}
    for name in (*wanted, last):
        if name not in names:
            continue
        value = names[name]
        if plain_type(value) is not None:
            try:
                encode(value)
                found[name] = ("value", value)
            except NotPlain as error:
                found[name] = ("other", str(error))
        elif callable(value):
            found[name] = ("function",)
        elif type(value) is ModuleType and value.__name__ == name:
            found[name] = ("module",)
        else:
            found[name] = ("other", f"of type {type(value).__name__}")
    return found


def call(names: dict[str, Any], shared: list[Any], name: str, args: tuple[Any, ...], named: dict[str, Any]) -> bytes:
    """The reply to one call: what came back or was raised, and what each of `shared` holds now, None if as before."""
    before = [contents(container) for container in shared]
    try:
        reply: tuple[Any, ...] = ("value", names[name](*args, **named))
    except BaseException as error:
        kinds = tuple(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        try:
            encode(error.args)
            reply = ("raised", kinds, error.args, type(error).__name__)
        except BaseException:
            reply = ("raised", kinds, (told(error),), type(error).__name__)
    try:
        now = zip(before, shared, strict=True)
        held = tuple(None if same(old, container) else contents(container) for old, container in now)
        return encode((*reply, held), shared)
    except NotPlain as error:
        return encode(("unplain", str(error)))
    except BaseException as error:
        return encode(("unplain", f"not readable: {told(error)}"))


def contents(container: Any) -> Any:
    """A container's own content, apart from the container; keys and values of a dict in turn."""
    if type(container) is bytearray:
        return bytes(container)
    return tuple(chain.from_iterable(container.items()) if isinstance(container, dict) else container)


def same(old: Any, container: Any) -> bool:
    """Whether a container still holds the very objects that `old` has, which may have changed within themselves."""
    new = contents(container)
    if type(new) is bytes:
        return new == old
    return len(new) == len(old) and all(map(is_, new, old))


def told(error: BaseException) -> str:
    """An exception in one line."""
    try:
        text = str(error)[:1000]
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
