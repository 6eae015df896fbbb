"""Tests as cases: every `assert` is counted and caught by itself, so that one that fails hides no other.

An assert inside the body of a `try` with handlers, or of a `with`, keeps its meaning instead: what it raises goes to
them. Whatever else raises is one failed case, after which the next statement of the tests, or of `check`, runs.

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
        self.lines = tests.splitlines()
        self.n_cases = self.n_passed = 0
        self.reason = ""
        self.checked = False
        self.missing: set[str] = set()
        self._left: tuple[Any] | None = None

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
        self.fail(f"{self._source(line, column, end_line, end_column)} does not hold{got}{said}")

    def raises(self, line: int, column: int, end_line: int, end_column: int) -> None:
        """The assert at that place raised what is being handled."""
        self._left = None
        self.fail(f"{self._source(line, column, end_line, end_column)} {self._raised()}")

    def strays(self, line: int) -> None:
        """What is being handled was raised outside an assert."""
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
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            _rewrite_inside(node, guarded=False)
            node.body = [_parsed(f"{COUNTER}.checked = True"), *(_apart(inner) for inner in node.body)]
            body.append(node)
        else:
            body += [inner if future else _apart(inner) for inner in _rewrite([node], guarded=False)]
    tree.body = body
    return tree


def parsed(source: str) -> ast.Module:
    """The syntax tree, as `ast.parse` gives it."""
    tree = compile(source, "<tests>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def free_names(tests: str) -> set[str]:
    """Names that the tests use and neither define nor import: what the program is to provide, builtins included."""
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
    return {name for name in used - bound if not (name.startswith("__") and name.endswith("__"))}


BUILTINS = frozenset(dir(builtins))


def _rewrite(body: list[ast.stmt], *, guarded: bool) -> list[ast.stmt]:
    made: list[ast.stmt] = []
    for node in body:
        if not isinstance(node, ast.Assert):
            _rewrite_inside(node, guarded)
            made.append(node)
        elif guarded:
            made += [node, _parsed(f"{COUNTER}.passed()")]
        else:
            made.append(_case(node))
    return made


def _rewrite_inside(node: Any, guarded: bool) -> None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        guarded = False
    handled = guarded or bool(getattr(node, "handlers", None)) or isinstance(node, (ast.With, ast.AsyncWith))
    for field in ("body", "orelse", "finalbody"):
        inner = getattr(node, field, None)
        # The body of a lambda or of a conditional expression is one expression.
        if isinstance(inner, list):
            setattr(node, field, _rewrite(inner, guarded=handled if field == "body" else guarded))
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        part.body = _rewrite(part.body, guarded=guarded)


def _case(node: ast.Assert) -> ast.stmt:
    """`if test: passed() else: fails(place, message)`, where what either raises is the case's own."""
    place = f"{node.lineno}, {node.col_offset}, {node.end_lineno}, {node.end_col_offset}"
    made = _parsed(
        f"try:\n if 0: {COUNTER}.passed()\n else: {COUNTER}.fails({place})\n"
        f"except BaseException: {COUNTER}.raises({place})"
    )
    assert isinstance(made, ast.Try)
    branch: Any = made.body[0]
    branch.test = node.test
    if isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
        keep: Any = _parsed(f"{COUNTER}.left(0)")
        keep.value.args = [node.test.left]
        node.test.left = keep.value
    if node.msg is not None:
        branch.orelse[0].value.args.append(node.msg)
    return made


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
