"""Data across the jail's wall, as bytes: typed, no code, and no reply can cost its reader more memory than it allows.

Both sides of the wall use this file, so it imports nothing but the standard library; numpy is touched only if it is there.
A value is None, bool, int, float, str, bytes, a list, a dict with string keys, or a numpy array of numbers. Tuples become
lists and numpy's scalars become Python's. Bytes are little-endian: a version byte, then one tagged value.

    N None   T True   F False   i int64   I longer int   f float64   s str   b bytes   l list   m dict
    D list of floats, packed    Q list of int64, packed    a array: dtype code, dimensions, shape, raw C-order data
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Any, Final

VERSION: Final = 1
MAX_DEPTH: Final = 64
"""Containers within containers; beyond this even honest code would fear for its stack."""
MAX_INT_BYTES: Final = 4_096
"""Longer integers are refused: their decimal text would take quadratic time."""

DTYPES: Final = ("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16")
_ITEM_BYTES: Final = tuple(int(name[2:]) for name in DTYPES)
_MAX_DIMENSIONS: Final = 32

_U32: Final = struct.Struct("<I")
_I64: Final = struct.Struct("<q")
_F64: Final = struct.Struct("<d")
_LITTLE: Final = sys.byteorder == "little"

# What one decoded object takes in CPython on 64 bits, rounded up, with the pointer that its container holds.
_POINTER: Final = 8
_INT: Final = 40
_FLOAT: Final = 32
_TEXT: Final = 88
_LIST: Final = 72
_DICT: Final = 240
_DICT_ITEM: Final = 120
_ARRAY: Final = 256


class WireError(ValueError):
    """A value that may not cross, or bytes that are no value."""


def encode(value: Any) -> bytes:
    """Write a value as bytes. Raises WireError for anything that is not data."""
    out = bytearray((VERSION,))
    _write(out, value, 0)
    return bytes(out)


def decode(data: bytes, *, memory: int | None = None) -> Any:
    """Read a value from bytes that a stranger may have written. Raises WireError, and nothing else, for bytes that are none.

    `memory` bounds, in bytes, what the value may take once it is decoded (None: about forty times the length of `data`).
    """
    if not data or data[0] != VERSION:
        raise WireError(f"not data of wire version {VERSION}")
    reader = _Reader(data, sys.maxsize if memory is None else memory)
    value = reader.value(0)
    if reader.at != len(data):
        raise WireError(f"{len(data) - reader.at} bytes after the value")
    return value


def _write(out: bytearray, value: Any, depth: int) -> None:
    kind = type(value)
    if kind is float:
        out += b"f" + _F64.pack(value)
    elif value is None:
        out += b"N"
    elif kind is bool:
        out += b"T" if value else b"F"
    elif kind is int:
        _write_int(out, value)
    elif kind is str:
        _write_text(out, value)
    elif kind in (list, tuple):
        _write_list(out, value, depth)
    elif kind is dict:
        _write_dict(out, value, depth)
    elif kind in (bytes, bytearray):
        out += b"b" + _length(value) + value
    else:
        _write_other(out, value, depth)


def _length(value: Any) -> bytes:
    if len(value) >= 1 << 32:
        raise WireError(f"{type(value).__name__} of length {len(value)} is too long to cross")
    return _U32.pack(len(value))


def _write_int(out: bytearray, value: int) -> None:
    if -(1 << 63) <= value < 1 << 63:
        out += b"i" + _I64.pack(value)
        return
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if len(raw) > MAX_INT_BYTES:
        raise WireError(f"integer of {value.bit_length()} bits; at most {MAX_INT_BYTES * 8} may cross")
    out += b"I" + _length(raw) + raw


def _write_text(out: bytearray, value: str) -> None:
    try:
        raw = value.encode()
    except UnicodeEncodeError as error:
        raise WireError(f"text that is not Unicode: {error.reason}") from None
    out += b"s" + _length(raw) + raw


def _write_list(out: bytearray, value: Any, depth: int) -> None:
    depth = _deeper(depth)
    kinds = set(map(type, value))
    if kinds == {float}:
        out += b"D" + _length(value) + _packed("d", value)
        return
    if kinds == {int}:
        try:
            packed = _packed("q", value)
        except OverflowError:
            pass
        else:
            out += b"Q" + _length(value) + packed
            return
    out += b"l" + _length(value)
    for item in value:
        _write(out, item, depth)


def _packed(code: str, values: Any) -> bytes:
    numbers = array(code, values)
    if not _LITTLE:
        numbers.byteswap()
    return numbers.tobytes()


def _write_dict(out: bytearray, value: Any, depth: int) -> None:
    depth = _deeper(depth)
    out += b"m" + _length(value)
    for key, item in value.items():
        if not isinstance(key, str):
            raise WireError(f"dict key {key!r:.60} is {type(key).__name__}; keys are strings")
        _write_text(out, key)
        _write(out, item, depth)


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise WireError(f"more than {MAX_DEPTH} containers within each other")
    return depth + 1


def _write_other(out: bytearray, value: Any, depth: int) -> None:
    """Numpy's arrays and scalars, and subclasses of what may cross, which cross as their base."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        _write_array(out, numpy, value)
    elif numpy is not None and isinstance(value, numpy.generic):
        _write_scalar(out, numpy, value)
    elif isinstance(value, int):
        _write_int(out, int(value))
    elif isinstance(value, float):
        out += b"f" + _F64.pack(value)
    elif isinstance(value, str):
        _write_text(out, str.__str__(value))
    elif isinstance(value, (list, tuple)):
        _write_list(out, list(value), depth)
    elif isinstance(value, dict):
        _write_dict(out, value, depth)
    else:
        raise WireError(f"{type(value).__module__}.{type(value).__qualname__} is not data and may not cross")


def _write_scalar(out: bytearray, numpy: Any, value: Any) -> None:
    if isinstance(value, (numpy.bool_, numpy.integer, numpy.floating)) and value.dtype.itemsize <= 8:
        _write(out, value.item(), MAX_DEPTH)
    else:
        raise WireError(f"numpy scalar of dtype {value.dtype} may not cross; send an array or a float")


def _write_array(out: bytearray, numpy: Any, value: Any) -> None:
    name = value.dtype.newbyteorder("<").str
    if name not in DTYPES:
        raise WireError(f"array of dtype {value.dtype}; only booleans, integers, floats and complex numbers may cross")
    if value.ndim > _MAX_DIMENSIONS:
        raise WireError(f"array of {value.ndim} dimensions; at most {_MAX_DIMENSIONS} may cross")
    plain = numpy.asarray(value, dtype=name)
    out += b"a" + bytes((DTYPES.index(name), plain.ndim))
    out += struct.pack(f"<{plain.ndim}Q", *plain.shape)
    out += plain.tobytes()


class _Reader:
    """Reads values at a place in bytes, and counts what they will take in memory before it makes them."""

    __slots__ = ("at", "data", "memory")

    def __init__(self, data: bytes, memory: int) -> None:
        self.data = data
        self.at = 1
        self.memory = memory

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise WireError("the bytes end in the middle of a value")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def count(self, item_bytes: int, item_memory: int) -> int:
        """A length field, refused before anything is made of it if its items cannot be there or may not."""
        (count,) = _U32.unpack(self.take(4))
        if count * item_bytes > len(self.data) - self.at:
            raise WireError(f"{count} items announced, {len(self.data) - self.at} bytes left")
        self.charge(count * item_memory)
        return int(count)

    def charge(self, cost: int) -> None:
        self.memory -= cost
        if self.memory < 0:
            raise WireError("the value would take more memory than it may")

    def value(self, depth: int) -> Any:
        tag = self.take(1)
        reader = _READERS.get(tag)
        if reader is None:
            raise WireError(f"unknown tag {tag!r}")
        return reader(self, depth)

    def integer(self, _depth: int) -> int:
        self.charge(_INT)
        return int(_I64.unpack(self.take(8))[0])

    def long_integer(self, _depth: int) -> int:
        count = self.count(1, 2)
        self.charge(_INT)
        if count > MAX_INT_BYTES:
            raise WireError(f"integer of {count} bytes; at most {MAX_INT_BYTES} may cross")
        return int.from_bytes(self.take(count), "little", signed=True)

    def number(self, _depth: int) -> float:
        self.charge(_FLOAT)
        return float(_F64.unpack(self.take(8))[0])

    def text(self, _depth: int) -> str:
        raw = self.take(self.count(1, 1))
        self.charge(_TEXT + (0 if raw.isascii() else 3 * len(raw)))
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise WireError(f"text that is not UTF-8: {error.reason}") from None

    def raw(self, _depth: int) -> bytes:
        self.charge(_TEXT)
        return self.take(self.count(1, 1))

    def items(self, depth: int) -> list[Any]:
        depth = _deeper(depth)
        self.charge(_LIST)
        return [self.value(depth) for _ in range(self.count(1, _POINTER))]

    def floats(self, depth: int) -> list[Any]:
        return self.packed("d", _FLOAT, depth)

    def integers(self, depth: int) -> list[Any]:
        return self.packed("q", _INT, depth)

    def packed(self, code: str, item_memory: int, depth: int) -> list[Any]:
        _deeper(depth)
        self.charge(_LIST)
        numbers = array(code, self.take(8 * self.count(8, item_memory)))
        if not _LITTLE:
            numbers.byteswap()
        return numbers.tolist()

    def mapping(self, depth: int) -> dict[str, Any]:
        depth = _deeper(depth)
        self.charge(_DICT)
        found: dict[str, Any] = {}
        for _ in range(self.count(6, _DICT_ITEM)):
            if self.take(1) != b"s":
                raise WireError("a dict key that is not a string")
            key = self.text(depth)
            if key in found:
                raise WireError(f"dict key {key!r:.60} twice")
            found[key] = self.value(depth)
        return found

    def array(self, _depth: int) -> Any:
        code, dimensions = self.take(2)
        if code >= len(DTYPES) or dimensions > _MAX_DIMENSIONS:
            raise WireError("an array of unknown dtype or of too many dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self.take(8 * dimensions))
        size = _ITEM_BYTES[code]
        for length in shape:
            size *= length
        if size > len(self.data) - self.at or max(shape, default=0) >= 1 << 62:
            raise WireError(f"array of shape {shape} announced, {len(self.data) - self.at} bytes left")
        self.charge(_ARRAY + 2 * size)
        return _array(DTYPES[code], shape, self.take(size))


def _array(name: str, shape: tuple[int, ...], raw: bytes) -> Any:
    import numpy as np

    try:
        if name == "|b1":
            # Any byte but 0 and 1 would make a boolean that numpy itself does not expect.
            return np.asarray(np.frombuffer(raw, dtype=np.uint8).reshape(shape) != 0)
        return np.frombuffer(raw, dtype=name).reshape(shape).copy()
    except (ValueError, OverflowError) as error:
        raise WireError(f"array of shape {shape}: {error}") from None


_READERS: Final = {
    b"N": lambda _reader, _depth: None,
    b"T": lambda _reader, _depth: True,
    b"F": lambda _reader, _depth: False,
    b"i": _Reader.integer,
    b"I": _Reader.long_integer,
    b"f": _Reader.number,
    b"s": _Reader.text,
    b"b": _Reader.raw,
    b"l": _Reader.items,
    b"m": _Reader.mapping,
    b"D": _Reader.floats,
    b"Q": _Reader.integers,
    b"a": _Reader.array,
}
