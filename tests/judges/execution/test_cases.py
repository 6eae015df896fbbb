"""What counts as a case, what the tests get from a program, and what is said of one that fails."""

from __future__ import annotations

import pytest

from judges.execution import Execution, execute

ADD = "def add(a, b):\n    return a + b\n"


def run(program: str, tests: str, entry_point: str | None = None) -> Execution:
    return execute(program, tests, timeout_s=10, entry_point=entry_point)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def add(a, b): return a - b", "1 of 2 cases failed, the first: assert add(1, 2) == 3 does not hold: the"),
        ("def add(a, b): return None", "the left side is None"),
        ("def add(a): return a", "raised TypeError: add() takes 1 positional argument but 2 were given"),
        ("def plus(a, b): return a + b", "needs add, which the program does not define"),
        ("def add(a, b) return a + b", "the program is no valid Python: expected ':' (line 1)"),
        ("", "needs add, which the program does not define"),
        ("import numpy\ndef add(a, b): return a + b", "the program could not be loaded: ModuleNotFoundError"),
        ("def add(a, b): return a + b\nprint(1 / 0)", "the program could not be loaded: ZeroDivisionError"),
        ("\0", "the program is no valid Python"),
        ("x = '\ud800'", "the program is no valid Python"),
        ("(" * 10_000, "the program is no valid Python"),
        ("def add(a, b): return (x for x in (a, b))", "add returned no plain data: it is of type generator"),
        ("class Sum: pass\ndef add(a, b): return [Sum()]", "add returned no plain data: it is of type Sum"),
        ("def add(a, b): return 'x' * 2**25", "add returned no plain data: it is larger than 16 MiB"),
        ("import os\ndef add(a, b): os._exit(0)", "the program's process has ended"),
        ("add = object()", "add is no function and no plain data"),
    ],
)  # fmt: skip
def test_a_wrong_program_fails_for_a_reason_that_is_told(program: str, reason: str) -> None:
    done = run(program, "assert add(1, 2) == 3\nassert add(0, 0) == 0\n")
    assert not done.passed and reason in done.reason, done


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("assert add(1, 2) = 3", "the tests are at fault: no valid Python: "),
        ("x = 1", "the tests ran no case"),
        ("def check(candidate):\n    pass\n", "the tests ran no case"),
        ("", "the tests ran no case"),
        ("import sys\nsys.exit(0)", "raised SystemExit: 0"),
        ("import os\nos._exit(0)", "the tests ended without a verdict: exit status 0"),
        ("import os\nos.closerange(3, 64)", "exit status 1"),
        ("assert add(print, 1) == 1", "the tests are at fault: an argument of add is of type builtin_function"),
        ("assert undefined == 1", "needs undefined, which the program does not define"),
        ("assert add(1, 2) == 4, 'sums'", "assert add(1, 2) == 4, 'sums' does not hold: the left side is 3"),
        ("assert not add(1, 2), 'sums'", "assert not add(1, 2), 'sums' does not hold ('sums')"),
        ("s = 'a\x0cb'\nassert add(1, 2) == 4", "assert add(1, 2) == 4 does not hold: the left side is 3"),
    ],
)
def test_what_is_wrong_with_the_tests_is_told(tests: str, reason: str) -> None:
    done = run(ADD, tests)
    assert not done.passed and reason in done.reason, done


def test_every_case_is_run_wherever_it_stands() -> None:
    tests = """
assert add(1, 1) == 3
for n in range(3):
    assert add(n, n) == 2 * n
def more():
    assert add(1, 0) == 0
    assert add(2, 0) == 2
more()
class Group:
    assert add(3, 0) == 3
with open("/dev/null"):
    assert add(4, 0) == 4
if add(1, 1):
    assert add(5, 0) == 6
raise ValueError("in between")
assert (lambda: add(6, 0))() == 6
"""
    done = run(ADD, tests)
    assert (done.n_cases, done.n_passed) == (11, 7)
    assert done.reason.startswith("4 of 11 cases failed, the first: assert add(1, 1) == 3 does not hold")


def test_a_case_that_raises_does_not_stop_check() -> None:
    tests = "def check(f):\n    assert f(0) == 1\n    x = f(0)\n    assert f(1) == 1\n    return\n"
    done = run("def f(x): return 1 // x", tests)
    assert (done.n_cases, done.n_passed) == (3, 1), done


@pytest.mark.parametrize(
    "call", ["", "check(add)\n", "if True:\n    check(add)\n", "if __name__ == '__main__': check(add)\n"]
)
@pytest.mark.parametrize("entry_point", ["add", None])
def test_check_is_called_once(call: str, entry_point: str | None) -> None:
    tests = f"def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(2, 2) == 4\n{call}"
    assert run("def other(): pass\n" + ADD, tests, entry_point) == Execution(True, "all 2 cases passed", 2, 2)


def test_check_without_a_function_to_call_it_with_fails() -> None:
    tests = "def check(candidate):\n    assert True\n"
    assert run("x = 1", tests).reason == "the program defines no function"
    assert run(ADD, tests, "sub").reason == "the program does not define sub"


def test_exceptions_arrive_as_the_nearest_of_pythons_own() -> None:
    program = """
import json
class Mine(KeyError): pass
def f(n):
    if n == 0: raise ValueError("zero")
    if n == 1: raise Mine("one")
    if n == 2: json.loads("{")
    if n == 3: b"\\xff".decode()
    if n == 4: open("/nowhere")
    raise Exception(object())
"""
    tests = """
def raised(n):
    try:
        f(n)
    except Exception as error:
        return type(error).__name__, error.args[0]
assert raised(0) == ("ValueError", "zero")
assert raised(1) == ("KeyError", "one")
assert raised(2)[0] == "ValueError"
assert raised(3) == ("UnicodeDecodeError", "utf-8")
assert raised(4) == ("FileNotFoundError", 2)
assert raised(5)[0] == "Exception"
try:
    f(0)
    assert False
except ValueError:
    pass
"""
    done = run(program, tests)
    assert (done.passed, done.n_cases) == (True, 7), done


def test_what_an_assert_in_a_try_raises_goes_to_its_handlers() -> None:
    program = "def f(n):\n    if n < 0: raise ValueError\n    return n\n"
    tests = """
try:
    assert f(-1) == 0
except ValueError:
    assert True
try:
    assert f(1) == 0
except AssertionError:
    assert True
try:
    assert f(1) == 0
except ValueError:
    assert True
"""
    done = run(program, tests)
    assert (done.n_cases, done.n_passed) == (3, 2), done
    assert "assert f(1) == 0 does not hold: the left side is 1" in done.reason


REFUSES = "def f(n):\n    if n < 0: raise ValueError('below')\n    return n\n"
ACCEPTS = "def f(n): return n\n"
OTHERWISE = "def f(n): raise TypeError\n"
EXPECTING = [
    "try:\n    f(-1)\n    assert False, 'no error'\nexcept ValueError:\n    pass\n",
    "try:\n    f(-1)\n    raise AssertionError('no error')\nexcept ValueError:\n    pass\n",
    "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    assert False\n",
    "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError\n",
    "try:\n    if f(-1) != 0:\n        assert False\n    assert False\nexcept (ValueError, KeyError):\n    n = 0\n",
    "try:\n    assert f(-1) == 0\nexcept ValueError:\n    pass\n",
    "for n in [-1]:\n    try:\n        f(n)\n        assert False\n    except ValueError:\n        continue\n",
    "def check(c):\n    try:\n        c(-1)\n        assert False\n    except ValueError:\n        return\n",
    "try:\n    try:\n        f(-1)\n        assert False\n    except ValueError:\n        pass\nfinally:\n    n = 0\n",
]  # fmt: skip


@pytest.mark.parametrize("tests", EXPECTING)
def test_an_exception_that_is_hoped_for_is_a_case(tests: str) -> None:
    assert run(REFUSES, tests, "f") == Execution(True, "all 1 cases passed", 1, 1)
    for program in (ACCEPTS, OTHERWISE):
        done = run(program, tests, "f")
        assert (done.n_cases, done.n_passed) == (1, 0), (program, done)


@pytest.mark.parametrize("catching", ["except Exception", "except AssertionError", "except"])
@pytest.mark.parametrize("failing", ["assert False", "raise AssertionError('no error')", "assert f(1) == 2"])
def test_a_failed_assert_is_a_failed_case_whoever_catches_it(failing: str, catching: str) -> None:
    tests = f"try:\n    f(1)\n    {failing}\n{catching}:\n    pass\nassert f(1) == 1\n"
    done = run(ACCEPTS, tests)
    assert (done.n_cases, done.n_passed) == (2, 1) and failing in done.reason, done
    done = run(ACCEPTS, f"import contextlib\nwith contextlib.suppress(AssertionError):\n    {failing}\n")
    assert (done.n_cases, done.n_passed) == (1, 0), done


def test_an_assert_whose_failure_is_answered_with_another_is_an_attempt() -> None:
    tests = "try:\n    assert f(1) == [1, 2]\nexcept AssertionError:\n    assert f(1) == [2, 1]\n"
    for pair, passed in (([1, 2], True), ([2, 1], True), ([1, 1], False)):
        done = run(f"def f(n): return {pair}", tests)
        assert (done.passed, done.n_cases) == (passed, 1), done


def test_a_handler_that_catches_a_missing_function_or_module_is_no_case() -> None:
    done = run("x = 1", "try:\n    f(-1)\n    assert False\nexcept Exception:\n    pass\n")
    assert not done.passed and "f, which the program does not define" in done.reason, done
    done = run(ACCEPTS, "try:\n    import numpy\n    assert f(1) == 2\nexcept ImportError:\n    pass\n")
    assert not done.passed and done.n_cases == 0, done


@pytest.mark.parametrize(
    "tests",
    [
        "import unittest\nassert f(1) == 1\n",
        "import unittest\nunittest.TestCase().assertEqual(f(1), 1)\n",
        "from unittest import TestCase, main\nclass T(TestCase):\n    def test(self): assert f(1) == 1\nmain()\n",
        "def go():\n    import unittest.mock as mock\n    return f(1)\nassert go() == 1\n",
        "unittest.main()\n",
    ],
)  # fmt: skip
def test_tests_that_use_unittest_are_refused(tests: str) -> None:
    reason = "the tests are at fault: tests that use unittest are not supported: write asserts"
    assert run("import unittest\n" + ACCEPTS, tests) == Execution(False, reason)


def test_a_byte_order_mark_and_a_docstring_before_future_imports_are_read_over() -> None:
    tests = '\ufeff"""Tests."""\nfrom __future__ import annotations\ndef g(x: Nothing): return f(x)\nassert g(1) == 1\n'
    assert run("\ufeff" + ACCEPTS, tests).passed


def test_a_builtin_is_pythons_own_in_a_check_that_is_given_the_programs_function_of_that_name() -> None:
    tests = "def check(candidate):\n    assert abs(candidate(-3) - 3) < 1e-6\n"
    assert not run("def abs(x): return 0", tests, "abs").passed
    assert run("def abs(x): return max(x, -x)", tests, "abs").passed


def test_arguments_changed_in_place_are_changed_for_the_tests() -> None:
    program = """
def change(items, table, kinds, data):
    items.append(4); items[0].append(5); table["new"] = items; del table["old"]; kinds.discard(1); data[:] = b"new"
def keep(x): return x
def size(x): return len(x)
def first(x): return x[0]
def fill_and_fail(x):
    x.append(1)
    raise ValueError
"""
    tests = """
from collections import Counter, OrderedDict, defaultdict
inner = [1]
items, table, kinds, data = [inner, inner, 3], {"old": 1}, {1, 2}, bytearray(b"old")
assert change(items, table, kinds, data) is None
assert items == [[1, 5], [1, 5], 3, 4] and items[0] is inner and items[1] is inner
assert table == {"new": items} and table["new"] is items
assert kinds == {2} and data == b"new"
assert keep(items) is items
assert first(x=items) is inner
assert keep([1]) is not inner
looped = []
looped.append(looped)
assert keep(looped) is looped
other = []
try:
    fill_and_fail(other)
except ValueError:
    assert other == [1]
for table in (Counter(old=2, b=2), OrderedDict(old=2, b=2), defaultdict(int, old=2, b=2)):
    kind = type(table)
    assert size(table) == 2
    assert dict(table) == {"old": 2, "b": 2}
    assert change([[]], table, set(), bytearray()) is None
    assert list(table.items()) == [("b", 2), ("new", [[5], 4])] and type(table) is kind
"""
    done = run(program, tests)
    assert (done.passed, done.n_cases) == (True, 21), done


def test_what_a_call_left_alone_is_not_written_back() -> None:
    tests = """
class Watched(dict):
    def clear(self): raise RuntimeError
numbers, watched = [True, 1.0, [2]], Watched(a=[1], b=2)
assert f([numbers, watched]) is None
assert repr(numbers) == "[True, 1.0, [2, 3]]" and watched == {"a": [1, 3], "b": 2}
"""
    done = run("def f(x): x[0][2].append(3); x[1]['a'].append(3)", tests)
    assert (done.passed, done.n_cases) == (True, 2), done


def test_the_order_of_an_ordered_dict_counts_both_ways() -> None:
    program = "from collections import OrderedDict\ndef f(x):\n    x.move_to_end('a')\n    return OrderedDict(x, z=0)\n"
    tests = (
        "from collections import OrderedDict\nx = OrderedDict(a=1, b=2)\nassert f(x) == OrderedDict(b=2, a=1, z=0)\n"
        "assert x == OrderedDict(b=2, a=1)\nassert f(x) == {'a': 1, 'b': 2, 'z': 0}\n"
    )
    done = run(program, tests)
    assert (done.passed, done.n_cases) == (True, 3), done
    assert not run(program.replace("x, z=0", "z=0"), tests).passed
    assert not run(program, tests.replace("== OrderedDict(b=2, a=1, z=0)", "== OrderedDict(a=1, b=2, z=0)")).passed


def test_plain_data_and_modules_of_the_program_are_there_for_the_tests() -> None:
    program = "import math\nLIMIT = 7\nTABLE = {'a': [1]}\ndef f(x): return x\n"
    assert run(program, "assert f(LIMIT) == 7 and TABLE['a'] == [1] and math.floor(1.5) == 1\n").passed
    assert not run("import os as math\ndef f(): pass", "assert math.floor(1.5) == 1\n").passed


def test_subclasses_of_plain_data_arrive_as_the_data_they_hold() -> None:
    program = """
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
def results():
    class Level(IntEnum): LOW = 1
    table = defaultdict(list); table["a"].append(1)
    return Counter("aab"), OrderedDict(x=1), table, namedtuple("P", "x y")(1, 2), Level.LOW
"""
    tests = "assert results() == ({'a': 2, 'b': 1}, {'x': 1}, {'a': [1]}, (1, 2), 1)\n"
    assert run(
        program,
        tests + "assert [type(r).__name__ for r in results()] == ['dict', 'OrderedDict', 'dict', 'tuple', 'int']\n",
    ).passed


def test_a_program_as_people_write_them_runs() -> None:
    program = '''
"""Doc."""
from __future__ import annotations
import asyncio, dataclasses, functools, hashlib, heapq, itertools, re, typing
from typing import List, NamedTuple

@dataclasses.dataclass
class Point:
    x: int
    y: typing.Optional[int] = None

class Pair(NamedTuple):
    a: int

@functools.lru_cache(maxsize=None)
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)

async def later(n): return n

def f(n: List[int]):
    return [Point(1).x, Pair(2).a, fib(50), asyncio.run(later(3)), hashlib.md5(b"x").hexdigest()[:2], __name__]

if __name__ == "__main__":
    f(int(input()))
'''
    done = run(program, "assert f([]) == [1, 2, 12586269025, 3, '9d', 'program']\n")
    assert done.passed, done


def test_two_runs_give_the_same_verdict_where_order_and_chance_come_in() -> None:
    program = "def f(words): return list(set(words))\n"
    tests = "import random\nassert f(list('abcdefgh')) == [random.random()]\n"
    assert len({run(program, tests).reason for _ in range(3)}) == 1
