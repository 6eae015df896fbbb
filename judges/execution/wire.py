"""Plain data as bytes, between two processes that do not trust each other.

What crosses: None, bool, int of any size, float, complex, str (lone surrogates too), bytes, bytearray, list, tuple,
dict, OrderedDict (whose order counts when it is compared), set and frozenset. What a subclass adds stays behind: an
`int` that says it equals everything arrives as the int it is, a Counter or a defaultdict as a dict, a namedtuple as a
tuple. Reading builds these types and nothing else, from bytes that may be anything.

A value may point to containers that both sides already know, by position in a list, `shared`: so a function that
changes its argument, or returns it, does the same to the caller's own object.

Runs in both sandboxes, with nothing imported that takes time.
"""

from __future__ import annotations

import posix
from _collections import OrderedDict  # collections itself takes 3 ms to import

# `typing` takes 8 ms to import, and is for the type checker alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 200
"""Lists within lists; a level takes a frame or two of Python's 1,000."""


class NotPlain(Exception):
    """A value cannot cross: its type, its size or its depth."""


class Malformed(Exception):
    """Bytes that no `encode` wrote."""


TOO_LARGE = f"larger than {MAX_BYTES // 2**20} MiB"
PLAIN: tuple[type, ...] = (
    type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, OrderedDict, dict, set, frozenset,
)  # fmt: skip
_TAGS: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"z"}
_MAPPINGS: dict[type, bytes] = {dict: b"d", OrderedDict: b"o"}
_MUTABLE = (list, dict, OrderedDict, set, bytearray)


def plain_type(value: object) -> type | None:
    """Which plain type `value` is of, or inherits from; None where there is none."""
    for base in type(value).__mro__:
        if base in PLAIN:
            return base
    return None


def encode(value: object, shared: list[Any] | None = None, *, grow: bool = False) -> bytes:
    """`value` as bytes; a container in `shared` becomes its position, and with `grow` those met are added to it.

    Raises:
        NotPlain: it holds what is no plain data, is over `MAX_BYTES`, or nested deeper than `MAX_DEPTH`.
    """
    writer = _Writer([] if shared is None else shared, grow)
    writer.put(value, 0)
    return bytes(writer.out)


def decode(data: bytes, shared: list[Any] | None = None, *, grow: bool = False) -> Any:
    """The value that `encode` wrote; `shared` and `grow` as there.

    Raises:
        Malformed: for bytes that are nothing of the kind.
    """
    reader = _Reader(data, [] if shared is None else shared, grow)
    try:
        value = reader.get(0)
    except (ValueError, OverflowError, TypeError, MemoryError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if reader.at != len(data):
        raise Malformed("bytes follow the value")
    return value


class _Writer:
    def __init__(self, shared: list[Any], grow: bool) -> None:
        self.out = bytearray()
        self.shared, self.grow = shared, grow
        self.position = {id(container): i for i, container in enumerate(shared)}

    def head(self, tag: bytes, length: int) -> None:
        if length + len(self.out) > MAX_BYTES:
            raise NotPlain(TOO_LARGE)
        self.out += tag
        self.out += length.to_bytes(4, "big")

    def text(self, tag: bytes, data: bytes) -> None:
        self.head(tag, len(data))
        self.out += data

    def items(self, items: Any, depth: int) -> None:
        for item in items:
            self.put(item, depth + 1)

    def put(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise NotPlain(f"nested deeper than {MAX_DEPTH}")
        kind = plain_type(value)
        if kind is None:
            raise NotPlain(f"of type {type(value).__name__}")
        if kind in _MUTABLE:
            position = self.position.get(id(value))
            if position is not None:
                self.head(b"R", position)
                return
            if self.grow:
                self.position[id(value)] = len(self.shared)
                self.shared.append(value)
        # The methods of the plain type, called by its name: a subclass has no say.
        if kind is type(None):
            self.out += b"N"
        elif kind is bool:
            self.out += b"T" if value else b"F"
        elif kind is int:
            n_bytes = int.bit_length(value) // 8 + 1
            self.head(b"i", n_bytes)
            self.out += int.to_bytes(value, n_bytes, "big", signed=True)
        elif kind is float:
            self.text(b"f", float.hex(value).encode())
        elif kind is complex:
            self.out += b"c"
            self.text(b"f", float.hex(complex.real.__get__(value)).encode())
            self.text(b"f", float.hex(complex.imag.__get__(value)).encode())
        elif kind is str:
            if str.__len__(value) > MAX_BYTES:
                raise NotPlain(TOO_LARGE)
            self.text(b"s", str.encode(value, "utf-8", "surrogatepass"))
        elif kind is bytes:
            self.text(b"b", b"".join([value]))
        elif kind is bytearray:
            self.text(b"y", bytes(memoryview(value)))
        elif kind in _MAPPINGS:
            self.head(_MAPPINGS[kind], dict.__len__(value))
            for key, item in kind.items(value):  # type: ignore[attr-defined]
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        else:
            tag = _TAGS[kind]
            self.head(tag, kind.__len__(value))  # type: ignore[attr-defined]
            self.items(kind.__iter__(value), depth)  # type: ignore[attr-defined]


class _Reader:
    def __init__(self, data: bytes, shared: list[Any], grow: bool) -> None:
        self.data, self.at = data, 0
        self.shared, self.grow = shared, grow

    def take(self, n_bytes: int) -> bytes:
        start, self.at = self.at, self.at + n_bytes
        if self.at > len(self.data):
            raise Malformed("cut short")
        return self.data[start : self.at]

    def length(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def text(self) -> bytes:
        return self.take(self.length())

    def known(self, container: Any) -> Any:
        if self.grow:
            self.shared.append(container)
        return container

    def number(self) -> float:
        if self.take(1) != b"f":
            raise Malformed("a complex number of something else")
        return float.fromhex(self.text().decode("ascii"))

    def get(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        tag = self.take(1)
        if tag == b"i":
            return int.from_bytes(self.text(), "big", signed=True)
        if tag == b"s":
            return self.text().decode("utf-8", "surrogatepass")
        if tag == b"f":
            return float.fromhex(self.text().decode("ascii"))
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag == b"b":
            return self.text()
        if tag == b"y":
            return self.known(bytearray(self.text()))
        if tag == b"c":
            return complex(self.number(), self.number())
        # A length that is not true runs into the end of the bytes: nothing is made ahead of its items.
        n_items = self.length()
        if tag == b"R":
            if n_items >= len(self.shared):
                raise Malformed("points to nothing")
            return self.shared[n_items]
        if tag == b"l":
            made: Any = self.known([])
            for _ in range(n_items):
                made.append(self.get(depth + 1))
            return made
        if tag in (b"d", b"o"):
            made = self.known({} if tag == b"d" else OrderedDict())
            for _ in range(n_items):
                key = self.get(depth + 1)
                made[key] = self.get(depth + 1)
            return made
        if tag == b"S":
            made = self.known(set())
            for _ in range(n_items):
                made.add(self.get(depth + 1))
            return made
        if tag in (b"t", b"z"):
            items = [self.get(depth + 1) for _ in range(n_items)]
            return tuple(items) if tag == b"t" else frozenset(items)
        raise Malformed(f"no such tag: {tag!r}")


_CONSTANTS = {b"N": None, b"T": True, b"F": False}


def send(fd: int, data: bytes) -> None:
    """Writes one frame: four bytes of length, then `data`."""
    rest = memoryview(len(data).to_bytes(4, "big") + data)
    while rest:
        rest = rest[posix.write(fd, rest) :]


def receive(fd: int) -> bytes:
    """Reads one frame.

    Raises:
        EOFError: the other end is closed.
        Malformed: it announces more than `MAX_BYTES`.
    """
    n_bytes = int.from_bytes(_read(fd, 4), "big")
    # The parts of a value are held to the limit before they are written, so that the last may pass it a little.
    if n_bytes > MAX_BYTES + 1024:
        raise Malformed(f"announces {n_bytes} bytes")
    return _read(fd, n_bytes)


def _read(fd: int, n_bytes: int) -> bytes:
    parts = []
    while n_bytes:
        part = posix.read(fd, min(n_bytes, 2**20))
        if not part:
            raise EOFError("the other end is closed")
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)
