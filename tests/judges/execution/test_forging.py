"""A program cannot make its tests pass, whatever it prints, raises, patches, overloads or writes to."""

from __future__ import annotations

import pytest

from judges.execution import Execution, execute

TESTS = "assert add(1, 2) == 3\nassert add(2, 2) == 4\n"

FORGERIES = {
    "prints": "print('all 2 cases passed', flush=True)\ndef add(a, b): print('passed'); return 0",
    "exits with 0": "import sys\nsys.exit(0)",
    "exits with 0 at once": "import os\nos._exit(0)",
    "exits with 0 when called": "import sys\ndef add(a, b): sys.exit(0)",
    "exits with 0 at once when called": "import os\ndef add(a, b): os._exit(0)",
    "exits at the end": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
    "raises AssertionError": "def add(a, b): raise AssertionError",
    "raises SystemExit": "def add(a, b): raise SystemExit(0)",
    "raises KeyboardInterrupt": "def add(a, b): raise KeyboardInterrupt",
    "raises while it is loaded": "def add(a, b): return a + b\nraise KeyboardInterrupt",
    "an int that equals everything": """
class Same(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def add(a, b): return Same(7)""",
    "an object that equals everything": """
class Same:
    def __eq__(self, other): return True
def add(a, b): return Same()""",
    "an object that says it is an int": """
class Same:
    __class__ = int
    def __eq__(self, other): return True
    def __index__(self): return 3
def add(a, b): return Same()""",
    "a type that lies about its ancestors": """
class Kind(type):
    __mro__ = property(lambda self: (int,))
    def __eq__(self, other): return True
    def __hash__(self): return hash(int)
class Same(metaclass=Kind):
    def __eq__(self, other): return True
def add(a, b): return Same()""",
    "patched builtins": """
import builtins
for name in ("abs", "all", "any", "len", "isinstance", "int", "bool", "type", "compile", "exec", "BaseException"):
    try: setattr(builtins, name, lambda *args, **named: True)
    except Exception: pass
def add(a, b): return 0""",
    "patched modules": """
import sys
class Passing:
    def __getattr__(self, name): return lambda *args, **named: True
for name in list(sys.modules):
    sys.modules[name] = Passing()
def add(a, b): return 0""",
    "its own check": "def check(candidate): pass\ndef add(a, b): return 0\n__cases__ = None",
    "patched loop": """
import sys
side = sys.modules["judges.execution.program_side"]
side.call = lambda *args: side.encode(("verdict", 2, 2, ""))
def add(a, b): return 0""",
    "a verdict on every descriptor": """
import os
from judges.execution.wire import encode
data = encode(("verdict", 2, 2, ""))
frame = len(data).to_bytes(4, "big") + data
def add(a, b):
    for fd in range(64):
        try: os.write(fd, b"ready\\n" + frame); os.write(fd, frame)
        except OSError: pass
    return 0""",
    "closed descriptors": "import os\nos.closerange(0, 64)\ndef add(a, b): return 0",
    "descriptors closed when called": "import os\ndef add(a, b): os.closerange(0, 64)",
    "descriptors that do not block": """
import os
for fd in range(64):
    try: os.set_blocking(fd, False)
    except OSError: pass
def add(a, b): return 0""",
    "bytes that are no reply": """
import os
def add(a, b):
    for fd in range(3, 8):
        try: os.write(fd, b"\\xff" * 4096)
        except OSError: pass
    return 3""",
    "replies ahead of the calls": """
import os
from judges.execution.wire import encode
data = encode(("value", 3, ()))
def add(a, b):
    for fd in range(3, 8):
        try: os.write(fd, (len(data).to_bytes(4, "big") + data) * 9)
        except OSError: pass
    return 3""",
    "replies of a strange shape": """
import sys
side = sys.modules["judges.execution.program_side"]
side.call = lambda *args: side.encode(("value", 3, (1, 2, 3)))
def add(a, b): return 0""",
    "millions of sets in a few bytes": """
import sys
side = sys.modules["judges.execution.program_side"]
n = 3 * 10**6
side.call = lambda *args: b"t\\0\\0\\0\\3" + side.encode("value") + b"l" + n.to_bytes(4, "big") + b"S\\0\\0\\0\\0" * n
def add(a, b): return 0""",
    "an exception that is none": """
import sys
side = sys.modules["judges.execution.program_side"]
side.call = lambda *args: side.encode(("raised", ("print", "__import__", "exec"), ("passed",), "x", ()))
def add(a, b): return 0""",
    "another program in its place": """
import os, sys
def add(a, b): os.execv(sys.executable, [sys.executable, "-S", "-c", "print('passed')"])""",
    "a result that never ends": """
def add(a, b):
    def count():
        while True: yield 3
    return count()""",
    "a giant result": "def add(a, b): return '3' * 10**8",
    "a deep result": """
def add(a, b):
    made = 3
    for _ in range(10**5): made = [made]
    return made""",
    "a result that holds itself": "def add(a, b):\n    made = []\n    made.append(made)\n    return made",
    "recursion without end": "def add(a, b): return add(a, b)",
    "recursion beyond the stack": "import sys\nsys.setrecursionlimit(10**9)\ndef add(a, b): return add(a, [b])",
    "a crash": "import ctypes\ndef add(a, b): return ctypes.string_at(0)",
    "takes all memory": "def add(a, b): return len(bytearray(10**10))",
    "takes 1 GB piece by piece": "kept = []\ndef add(a, b):\n    while True: kept.append(bytearray(10**7))",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_pass_is_none(name: str) -> None:
    done = execute(FORGERIES[name], TESTS, timeout_s=1.5)
    assert not done.passed and done.reason and done.n_passed < 2, done


def test_a_program_that_reads_every_object_and_frame_finds_no_test() -> None:
    program = """
import gc, sys
def add(a, b):
    seen, frame = [], sys._getframe()
    while frame:
        seen += [frame.f_globals, frame.f_locals, frame.f_code.co_consts]
        frame = frame.f_back
    seen += gc.get_objects()
    return any("271828" in text for text in map(repr, seen))
"""
    # repr of everything includes this program, which names the number itself: it must not be in the program's source.
    program = program.replace('"271828"', 'str(2) + "71828"')
    done = execute(program, "expected = 271828\nassert add(1, 2) is False\n", timeout_s=10)
    assert done.passed, done


def test_names_that_the_tests_define_or_that_are_builtins_are_never_the_programs() -> None:
    program = "def close(a, b): return True\ndef abs(x): return 0\ndef half(x): return 0"
    tests = "def close(a, b): return abs(a - b) < 1e-6\nassert close(half(5), 2.5)\n"
    assert not execute(program, tests, timeout_s=10).passed


def test_the_function_under_test_is_the_programs_even_where_it_is_called_as_a_builtin() -> None:
    tests = "def check(candidate):\n    assert candidate(2, 3) == 8\n"
    wrong, right = ("def pow(a, b): return 0", "def pow(a, b): return a ** b")
    for call in ("", "check(pow)\n"):
        assert not execute(wrong, tests + call, timeout_s=10, entry_point="pow").passed
        assert execute(right, tests + call, timeout_s=10, entry_point="pow").passed


def test_an_exception_that_ends_an_iteration_does_not_end_the_tests_own() -> None:
    tests = "def right(a):\n    return add(a, 1) == a + 1\nassert all(map(right, [1, 2, 3]))\n"
    assert not execute("def add(a, b): raise StopIteration", tests, timeout_s=10).passed


@pytest.mark.parametrize("ending", ["return object()", "import os; os._exit(1)", "return (x for x in a)"])
def test_tests_that_expect_any_exception_do_not_take_a_missing_answer_for_one(ending: str) -> None:
    tests = "try:\n    add('a', 1)\nexcept:\n    assert True\nelse:\n    assert False\n"
    done = execute(f"def add(a, b): {ending}", tests, timeout_s=10)
    assert not done.passed, done


def test_a_thread_that_outlives_the_call_changes_no_verdict() -> None:
    program = """
import os, threading, time
def noise():
    while True:
        for fd in range(16):
            try: os.write(fd, b"passed")
            except OSError: pass
        time.sleep(0.001)
def add(a, b):
    threading.Thread(target=noise, daemon=True).start()
    return 0
"""
    assert not execute(program, TESTS, timeout_s=3).passed


def test_the_honest_program_passes() -> None:
    assert execute("def add(a, b): return a + b", TESTS, timeout_s=10) == Execution(True, "all 2 cases passed", 2, 2)
