"""Which part of a model's answer is its program."""

from __future__ import annotations

import pytest

from judges.execution import program_in

ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    "answer",
    [
        ADD,
        f"Here it is:\n\n```python\n{ADD}```\n\nIt adds.",
        f"```\n{ADD}```",
        f"~~~py\n{ADD}~~~",
        f"````python\n{ADD}````\n",
        f"```python\n{ADD}",
        f"1. So:\n\n   ```python\n   {ADD.replace(chr(10), chr(10) + '   ')[:-3]}   ```\n",
        f"```python\n{ADD}```\nUse it:\n```python\nprint(add(1, 2))\n```\nwhich prints\n```\n3\n```\n",
        f"```bash\npip install nothing\n```\n```python\n{ADD}```\n",
        f"```js\nfunction add(a, b) {{}}\n```\n```Python\n{ADD}```\n",
        f"{ADD}\n```\n3\n```\n",
    ],
)
@pytest.mark.parametrize("entry_point", ["add", None])
def test_the_program_is_what_defines_the_function(answer: str, entry_point: str | None) -> None:
    assert program_in(answer, entry_point).strip() == ADD.strip()


def test_several_blocks_that_define_it_are_run_in_order() -> None:
    second = ADD.replace("+", "-")
    assert program_in(f"```python\n{ADD}```\nor\n```python\n{second}```", "add") == f"{ADD}\n{second}"


def test_a_block_that_defines_another_function_is_none_of_it() -> None:
    assert program_in(f"```python\ndef adder(): pass\n```\n```python\n{ADD}```", "add") == ADD


def test_without_a_definition_every_block_of_python_is_taken() -> None:
    assert program_in("```python\nadd = sum\n```\n```sh\nls\n```\n```\nx = 1\n```", "add") == "add = sum\n\nx = 1\n"


def test_a_long_answer_is_read_in_no_time() -> None:
    assert program_in("```" * 100_000 + "\n```python\n" + "`" * 100_000, "add")
    assert program_in("```python\n" * 20_000, "add") is not None
