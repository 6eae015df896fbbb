"""The tests' process: runs the tests against functions that live in the program's process, and gives the verdict.

A call goes out as plain data and comes back as plain data, built here; whatever compares it is this process's own.
"""

from __future__ import annotations

import _thread
import builtins
import posix
import sys

from judges.execution.cases import BUILTINS, COUNTER, Cases, NoAnswer, imports, names_in, parsed, rewritten
from judges.execution.side import begin
from judges.execution.wire import Malformed, NotPlain, decode, encode, receive, send

# `typing` takes 8 ms to import, and is for the type checker alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Inside `all(map(f, cases))` each of them would end the iteration, and leave the rest unasked.
_ENDS_ITERATION = (StopIteration, StopAsyncIteration, GeneratorExit)


def main(requests: int, replies: int) -> None:
    """Writes ("verdict", number of cases, number that passed, reason) and ends."""
    (tests, entry_point), report = begin()
    try:
        verdict = judged(tests, entry_point, Link(requests, replies))
    except BaseException as error:
        verdict = (0, 0, f"the tests could not be run: {type(error).__name__}: {str(error)[:200]}")
    n_cases, n_passed, reason = verdict
    send(report, encode(("verdict", n_cases, n_passed, reason[:2000])))
    posix._exit(0)


def judged(tests: str, entry_point: str | None, link: Link) -> tuple[int, int, str]:
    """Number of cases, number that passed, and what went wrong first."""
    try:
        used, bound = names_in(tests)
        tree = parsed(tests)
        if "unittest" in used - bound or imports(tree, "unittest"):
            return 0, 0, "the tests are at fault: tests that use unittest are not supported: write asserts"
        code = compile(rewritten(tree), "<tests>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return 0, 0, f"the tests are at fault: no valid Python: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return 0, 0, f"the tests are at fault: no valid Python: {error}"
    # Where the tests call it by its name, a test of `pow` is no test of Python's own. A `check` that they leave to be
    # called is given it, and uses Python's own by that name.
    own = BUILTINS if "check" in bound and "check" not in used else BUILTINS - {entry_point}
    wanted = tuple(sorted(used - bound - own))
    try:
        last, found = link.look((*wanted, entry_point) if entry_point else wanted)
    except NoAnswer as error:
        return 0, 0, str(error)
    cases = Cases(tests)
    names: dict[str, Any] = {"__name__": "__main__", COUNTER: cases}
    for name in wanted:
        if name in found:
            names[name] = provided(name, found[name], link)
        else:
            cases.missing.add(name)
    if "random" in tests:
        # Two runs of the same tests make the same cases.
        import random

        random.seed(0)
    exec(code, names)
    if hasattr(names.get("check"), "__code__") and "check" not in wanted and not cases.checked:
        candidate = entry_point or last
        if candidate in found:
            try:
                names["check"](provided(candidate, found[candidate], link))
            except BaseException:
                cases.strays(names["check"].__code__.co_firstlineno)
        else:
            cases.fail(f"the program does not define {candidate}" if candidate else "the program defines no function")
    if link.fault and cases.n_cases == cases.n_passed:
        # The tests took it for an exception that they expect.
        cases.fail(link.fault)
    return cases.n_cases, cases.n_passed, cases.reason


def provided(name: str, kind: tuple[Any, ...], link: Link) -> Any:
    """What stands under `name` for the tests."""
    if kind[0] == "value":
        return kind[1]
    if kind[0] == "module" and name in sys.stdlib_module_names:
        return __import__(name)

    def proxy(*args: Any, **named: Any) -> Any:
        if kind[0] != "function":
            raise link.failed(f"{name} is no function and no plain data")
        return link.call(name, args, named)

    proxy.__name__ = proxy.__qualname__ = name
    return proxy


class Link:
    """The way to the program; one call at a time.

    Args:
        requests: descriptor that the program reads.
        replies: descriptor that it writes.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self.requests, self.replies = requests, replies
        self.fault = ""
        self._broken = ""
        self._lock = _thread.allocate_lock()

    def failed(self, reason: str) -> NoAnswer:
        """The exception to raise for an answer that cannot be judged; it fails the run whoever catches it."""
        self.fault = self.fault or reason
        return NoAnswer(reason)

    def look(self, names: tuple[str, ...]) -> tuple[str, dict[str, tuple[Any, ...]]]:
        """The program's last top-level function, and what it holds under each of `names`.

        Raises:
            NoAnswer: the program could not be loaded, or ended.
        """
        reply = self._exchange(encode(("look", names)), [])
        try:
            if reply[0] == "fault":
                raise self.failed(str(reply[1]))
            _, last, found = reply
            return str(last), {str(name): (str(kind[0]), *kind[1:]) for name, kind in found.items()}
        except (TypeError, ValueError, LookupError, AttributeError):
            raise self._broke("the program's process answered with nonsense") from None

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the program's function returns.

        Raises:
            NoAnswer: nothing that could be judged came back.
            Exception: what the function raised, as the nearest of Python's own.
        """
        shared: list[Any] = []
        try:
            request = encode(("call", name, args, named), shared, grow=True)
        except NotPlain as error:
            raise self.failed(f"the tests are at fault: an argument of {name} is {error}") from None
        reply = self._exchange(request, shared)
        try:
            kind, *rest = reply
            if kind == "unplain":
                raise self.failed(f"{name} returned no plain data: it is {rest[0]}")
            for container, content in zip(shared, rest[-1], strict=True):
                _replace(container, content)
            if kind == "value":
                return rest[0]
            error_kinds, error_args, error_name = rest[:3]
            raised = _exception(error_kinds, error_args, error_name)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            raise self._broke("the program's process answered with nonsense") from None
        raise raised

    def _exchange(self, request: bytes, shared: list[Any]) -> Any:
        with self._lock:
            if self._broken:
                raise self.failed(self._broken)
            try:
                send(self.requests, request)
                return decode(receive(self.replies), shared)
            except (EOFError, OSError):
                raise self._broke("the program's process has ended") from None
            except (Malformed, MemoryError):
                raise self._broke("the program's process answered with nonsense") from None

    def _broke(self, reason: str) -> NoAnswer:
        # After bytes that are no frame nobody knows where the next begins.
        self._broken = self._broken or reason
        return self.failed(reason)


_REPLACE: dict[type, Callable[[Any, Any], None]] = {
    list: lambda container, content: container.__setitem__(slice(None), content),
    bytearray: lambda container, content: container.__setitem__(slice(None), content),
    set: lambda container, content: (container.clear(), container.update(content))[0],
    dict: lambda container, content: _replace_items(container, content),
}


def _replace_items(container: Any, content: Any) -> None:
    # Not by `update`, which counts where the container is a Counter.
    pairs = list(zip(content[::2], content[1::2], strict=True))
    container.clear()
    for key, value in pairs:
        container[key] = value


def _replace(container: Any, content: Any) -> None:
    """Makes `content` the content of the tests' own container; None says that it is so already."""
    if content is None:
        return
    for kind, replace in _REPLACE.items():
        if isinstance(container, kind):
            if type(content) is not (bytes if kind is bytearray else tuple):
                raise TypeError("no content")
            replace(container, content)


def _exception(kinds: Any, args: Any, name: str) -> BaseException:
    """An exception of the first of `kinds`, names of Python's own, that can be made with `args`."""
    for kind in kinds:
        found = getattr(builtins, kind) if isinstance(kind, str) and kind in BUILTINS else None
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            continue
        if issubclass(found, _ENDS_ITERATION):
            return RuntimeError(f"the program raised {found.__name__}")
        try:
            return found(*args)
        except TypeError:
            continue
    return Exception(f"{name}: {args}"[:200])
