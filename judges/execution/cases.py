"""Tests as cases: every `assert` is counted and caught by itself, so that one that fails hides no other.

An assert inside the body of a `try` with handlers, or of a `with`, is counted as well, and what it raises then goes to
them. Where such a `try` holds an assert in its body or `else`, a handler that ends well is a case that holds, unless it
counted cases of its own: `try: f(-1); assert False; except ValueError: pass`. Only where a handler for AssertionError
asserts something itself is an assert of the body an attempt that may fail. Whatever else raises is one failed case,
after which the next statement of the tests, or of `check`, runs.

Runs in the tests' process; knows nothing of where the functions under test come from.
"""

from __future__ import annotations

import _ast as ast  # ast itself takes 5 ms to import
import builtins
import reprlib
import symtable
import sys

# `typing` takes 8 ms to import, and is for the type checker alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

COUNTER = "__cases__"
"""The name under which rewritten tests find their `Cases`."""

_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80


class NoAnswer(BaseException):
    """The program gave nothing that the tests could judge: no exception of the program, so no test may expect it."""


class Cases:
    """The count, and the first thing that went wrong."""

    def __init__(self, tests: str) -> None:
        # As Python counts lines; str.splitlines knows more ends of them.
        self.lines = tests.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.n_cases = self.n_passed = 0
        self.reason = ""
        self.checked = False
        self.missing: set[str] = set()
        self._left: tuple[Any] | None = None
        self._counted: BaseException | None = None

    def passed(self) -> None:
        """One case that holds."""
        self._left = None
        self.n_cases += 1
        self.n_passed += 1

    def fail(self, reason: str) -> None:
        """One case that failed, and why."""
        self.n_cases += 1
        self.reason = self.reason or reason

    def left(self, value: Any) -> Any:
        """`value`, kept to be told if the comparison that it is the left side of does not hold."""
        self._left = (value,)
        return value

    def fails(self, line: int, column: int, end_line: int, end_column: int, message: Any = None) -> None:
        """The assert at that place does not hold."""
        got = f": the left side is {shown(self._left[0])}" if self._left else ""
        said = f" ({shown(message)})" if message is not None and not got else ""
        self._left = None
        source = self._source(line, column, end_line, end_column)
        self.fail(f"{source} {'is reached' if source.startswith('raise ') else 'does not hold'}{got}{said}")

    def failure(self, line: int, column: int, end_line: int, end_column: int, *message: Any) -> AssertionError:
        """As `fails`, for an assert whose exception is then to be raised."""
        self.fails(line, column, end_line, end_column, *message)
        self._counted = AssertionError(*message)
        return self._counted

    def handled(self) -> Handled:
        """Around the body of a handler of a `try` that asserts something."""
        self._left = None
        return Handled(self, sys.exc_info()[1])

    def raises(self, line: int, column: int, end_line: int, end_column: int) -> None:
        """The assert at that place raised what is being handled."""
        self._left = None
        self.fail(f"{self._source(line, column, end_line, end_column)} {self._raised()}")

    def strays(self, line: int) -> None:
        """What is being handled was raised outside an assert, or by one that was counted."""
        self._left = None
        if self._counted is None or sys.exc_info()[1] is not self._counted:
            self.fail(f"line {line} of the tests {self._raised()}")

    def _raised(self) -> str:
        error = sys.exc_info()[1]
        if isinstance(error, NoAnswer):
            return f"got no answer: {error}"
        if isinstance(error, NameError) and error.name in self.missing:
            return f"needs {error.name}, which the program does not define"
        try:
            return f"raised {type(error).__name__}: {str(error)[:200]}".removesuffix(": ")
        except Exception:
            return f"raised {type(error).__name__}"

    def _source(self, line: int, column: int, end_line: int, end_column: int) -> str:
        """The assert as it is written, in one line; columns count bytes."""
        lines = [text.encode("utf-8", "replace") for text in self.lines[line - 1 : end_line]]
        if not lines:
            return f"line {line} of the tests"
        lines[-1] = lines[-1][:end_column]
        lines[0] = lines[0][column:]
        text = " ".join(b" ".join(lines).decode("utf-8", "replace").split())
        return text if len(text) <= 160 else text[:159] + "…"


class Handled:
    """Counts a case when it is left without an exception, but for what may be caught without being expected."""

    def __init__(self, cases: Cases, error: BaseException | None) -> None:
        self._cases, self._error = cases, error
        self._n_cases = cases.n_cases

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        cases, caught = self._cases, self._error
        if error is not None or cases.n_cases != self._n_cases or isinstance(caught, ImportError):
            return
        if isinstance(caught, NameError) and caught.name in cases.missing:
            cases.fail(f"the tests need {caught.name}, which the program does not define")
        elif caught is not cases._counted:
            cases.passed()


def shown(value: Any) -> str:
    """`value` for a person, cut short."""
    try:
        return _REPR.repr(value)
    except Exception:
        return f"a large {type(value).__name__}"


def rewritten(tree: ast.Module) -> ast.Module:
    """The tests with their cases apart."""
    body: list[ast.stmt] = []
    for node in tree.body:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            _rewrite_inside(node, _case)
            node.body = [_parsed(f"{COUNTER}.checked = True"), *(_apart(inner) for inner in node.body)]
            body.append(node)
        else:
            # A docstring comes before what is imported from __future__, which comes before everything else.
            body += [inner if future or text else _apart(inner) for inner in _rewrite([node], _case)]
    tree.body = body
    return tree


def parsed(source: str) -> ast.Module:
    """The syntax tree, as `ast.parse` gives it."""
    tree = compile(source, "<tests>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def imports(tree: ast.AST, module: str) -> bool:
    """Whether `module`, or one within it, is imported anywhere."""
    nodes: list[Any] = [tree]
    while nodes:
        node = nodes.pop()
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        if any(name.split(".")[0] == module for name in names):
            return True
        for field in node._fields:
            value = getattr(node, field, None)
            nodes += [inner for inner in (value if isinstance(value, list) else [value]) if isinstance(inner, ast.AST)]
    return False


def names_in(tests: str) -> tuple[set[str], set[str]]:
    """Global names that the tests use, and those that they define or import.

    What they use and do not define is for the program to provide, or for Python.
    """
    top = symtable.symtable(tests, "<tests>", "exec")
    used, bound, tables = set(), set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table is top or symbol.is_global():
                if symbol.is_referenced():
                    used.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                    bound.add(symbol.get_name())
    return {name for name in used if not (name.startswith("__") and name.endswith("__"))}, bound


BUILTINS = frozenset(dir(builtins))


def _rewrite(body: list[ast.stmt], case: Callable[[Any], list[ast.stmt]]) -> list[ast.stmt]:
    """`body` with `case` in place of each assert."""
    made: list[ast.stmt] = []
    for node in body:
        if case is _guarded:
            node = _as_assert(node)
        if isinstance(node, ast.Assert):
            made += case(node)
        else:
            _rewrite_inside(node, case)
            made.append(node)
    return made


def _rewrite_inside(node: Any, case: Callable[[Any], list[ast.stmt]]) -> None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        case = _case
    handlers = getattr(node, "handlers", None) or []
    in_body = _guarded if case is _case and (handlers or isinstance(node, (ast.With, ast.AsyncWith))) else case
    if any(_is_for_assertions(handler) and _asserts(handler.body) for handler in handlers):
        in_body = _attempt
    counts = in_body is _guarded and bool(handlers) and _asserts(node.body + node.orelse)
    for field in ("body", "orelse", "finalbody"):
        inner = getattr(node, field, None)
        # The body of a lambda or of a conditional expression is one expression.
        if isinstance(inner, list):
            setattr(node, field, _rewrite(inner, in_body if field == "body" else case))
    for part in (*handlers, *getattr(node, "cases", ())):
        part.body = _rewrite(part.body, case)
    for handler in handlers if counts else ():
        around: Any = _parsed(f"with {COUNTER}.handled(): pass")
        around.body = handler.body
        handler.body = [around]


def _asserts(body: list[Any]) -> bool:
    """Whether an assert is among these statements, or inside them outside a function of their own."""
    for node in body:
        if isinstance(_as_assert(node), ast.Assert):
            return True
        parts = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())]
        inner = [getattr(part, field, []) for part in parts for field in ("body", "orelse", "finalbody")]
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if not is_function and any(_asserts(each) for each in inner if isinstance(each, list)):
            return True
    return False


def _as_assert(node: ast.stmt) -> ast.stmt:
    """`raise AssertionError(message)` as the assert that it stands for; anything else as it is."""
    if not isinstance(node, ast.Raise) or node.cause is not None:
        return node
    args: list[ast.expr] = []
    raised: Any = node.exc
    if isinstance(raised, ast.Call) and not raised.keywords and len(raised.args) < 2:
        raised, args = raised.func, raised.args
    if (
        not isinstance(raised, ast.Name)
        or raised.id != "AssertionError"
        or any(isinstance(a, ast.Starred) for a in args)
    ):
        return node
    made: Any = _parsed("assert False")
    made.msg = args[0] if args else None
    for attribute in node._attributes:
        setattr(made, attribute, getattr(node, attribute))
    return made


def _is_for_assertions(handler: Any) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id == "AssertionError" for kind in kinds)


def _attempt(node: ast.Assert) -> list[ast.stmt]:
    """The assert itself, counted where it holds."""
    return [node, _parsed(f"{COUNTER}.passed()")]


def _guarded(node: ast.Assert) -> list[ast.stmt]:
    """`if test: passed() else: raise failure(place, message)`."""
    made: Any = _parsed(f"if 0: {COUNTER}.passed()\nelse: raise {COUNTER}.failure({_place(node)})")
    _fill(made, made.orelse[0].exc, node)
    return [made]


def _case(node: ast.Assert) -> list[ast.stmt]:
    """`if test: passed() else: fails(place, message)`, where what either raises is the case's own."""
    place = _place(node)
    made: Any = _parsed(
        f"try:\n if 0: {COUNTER}.passed()\n else: {COUNTER}.fails({place})\n"
        f"except BaseException: {COUNTER}.raises({place})"
    )
    _fill(made.body[0], made.body[0].orelse[0].value, node)
    return [made]


def _place(node: ast.Assert) -> str:
    return f"{node.lineno}, {node.col_offset}, {node.end_lineno}, {node.end_col_offset}"


def _fill(branch: ast.If, told: ast.Call, node: ast.Assert) -> None:
    """Puts the test of `node` into `branch`, its left side kept, and its message into the call that tells of it."""
    branch.test = node.test
    if isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
        keep: Any = _parsed(f"{COUNTER}.left(0)")
        keep.value.args = [node.test.left]
        node.test.left = keep.value
    if node.msg is not None:
        told.args.append(node.msg)


def _apart(node: ast.stmt) -> ast.stmt:
    """`node`, with what it raises counted as a failed case."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node
    made = _parsed(f"try: pass\nexcept BaseException: {COUNTER}.strays({node.lineno})")
    assert isinstance(made, ast.Try)
    made.body = [node]
    return made


def _parsed(source: str) -> ast.stmt:
    return parsed(source).body[0]
