"""The encoding brings plain data across exactly, and takes nothing else, whatever bytes it meets."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.execution.wire import MAX_BYTES, Malformed, NotPlain, decode, encode, receive, send

# NaN equals nothing, itself included: it has a test of its own.
KEYS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.binary(max_size=9) | st.text(st.characters(exclude_categories=()), max_size=9)
)  # fmt: skip
VALUES = st.recursive(
    KEYS | st.binary(max_size=9).map(bytearray) | st.frozensets(KEYS, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict)
        | st.sets(KEYS, max_size=4)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(VALUES)
def test_plain_data_comes_across_as_it_is(value: Any) -> None:
    there = decode(encode(value))
    assert there == value
    assert type(there) is type(value)


def test_odd_values_come_across_as_they_are() -> None:
    values = [math.inf, -math.inf, -0.0, 5e-324, 10**5000, -(2**63), "\ud800", "\0", complex(-0.0, math.inf)]
    there = decode(encode(values))
    assert there == values and math.copysign(1, there[2]) == -1
    assert str(decode(encode(math.nan))) == "nan"


@settings(max_examples=300, deadline=None)
@given(
    st.binary()
    | st.lists(st.sampled_from([b"l", b"t", b"d", b"o", b"S", b"z", b"R", b"i", b"f", b"c", b"N", b"\0\0\0\1"])).map(
        b"".join
    )
)
def test_bytes_that_may_be_anything_are_read_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        decode(data, [[]])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"l\xff\xff\xff\xff", b"s\xff\xff\xff\xffx", b"NN", b"S\0\0\0\1l\0\0\0\0", b"d\0\0\0\1l\0\0\0\0N",
        b"f\0\0\0\3xyz", b"R\0\0\0\0", b"s\0\0\0\1\xff", b"l\0\0\0\1" * 10_000, b"cNN",
    ],
)  # fmt: skip
def test_bytes_that_nobody_wrote_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


@pytest.mark.parametrize("value", [object(), len, int, range(3), iter([]), [[print]], {1: object()}, ValueError()])
def test_what_is_no_plain_data_does_not_cross(value: Any) -> None:
    with pytest.raises(NotPlain, match="of type"):
        encode(value)


def test_size_and_depth_are_limited() -> None:
    deep: Any = 0
    for _ in range(300):
        deep = [deep]
    twice: Any = ["x" * 1000]
    for _ in range(40):
        twice = [twice, twice]
    for value in (deep, "x" * (MAX_BYTES + 1), [b"x" * 2**20] * 20, twice, 1 << (8 * MAX_BYTES + 8)):
        with pytest.raises(NotPlain):
            encode(value)


def test_containers_that_both_sides_know_are_told_by_position() -> None:
    inner: list[Any] = [1]
    ours: list[Any] = []
    theirs: list[Any] = []
    there = decode(encode((inner, {"a": inner}), ours, grow=True), theirs, grow=True)
    assert there == ([1], {"a": [1]}) and there[1]["a"] is there[0]
    assert decode(encode([there[0], [1]], theirs), ours)[0] is inner
    assert len(ours) == len(theirs) == 2


def test_frames_are_read_whole_up_to_a_size() -> None:
    read, write = os.pipe()
    try:
        send(write, b"abc")
        assert receive(read) == b"abc"
        os.write(write, b"\xff\xff\xff\xff")
        with pytest.raises(Malformed):
            receive(read)
    finally:
        os.close(write)
    with pytest.raises(EOFError):
        receive(read)
    os.close(read)
