"""Data as bytes: everything that may cross comes back as it was, and no bytes can hurt their reader."""

from __future__ import annotations

import math
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from quiltwork.sandbox import wire

HEX = (
    "016d030000007301000000614402000000000000000000f03f00000000000000407301000000626c05000000690100000000"
    "0000007301000000784e54490900000000000000000000000173010000006361060201000000000000000200000000000000"
    "01000200"
)
"""A value written by version 1, byte by byte: constructions in old runs must stay readable."""

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars | st.lists(st.floats()) | st.lists(st.integers()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
dtypes = st.sampled_from([np.dtype(name) for name in wire.DTYPES])


def alike(a, b) -> bool:
    if isinstance(a, float):
        return type(b) is float and struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(alike(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(values)
@example([1, 2**63])
@example([True, 1])
@example([-0.0, math.nan, math.inf])
def test_every_value_comes_back_as_it_was(value):
    assert alike(value, wire.decode(wire.encode(value)))


@given(npst.arrays(dtypes, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)))
def test_every_array_comes_back_as_it_was(array):
    found = wire.decode(wire.encode(array))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_arrays_of_other_layouts_cross_by_value():
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    np.testing.assert_array_equal(wire.decode(wire.encode(array)), array)


def test_a_decoded_array_can_be_written_to():
    wire.decode(wire.encode(np.zeros(3)))[0] = 1.0


@pytest.mark.parametrize(
    ("value", "plain"), [(np.float32(0.5), 0.5), (np.int8(-3), -3), (np.bool_(True), True), ((1, "a"), [1, "a"])]
)
def test_scalars_and_tuples_become_pythons_own(value, plain):
    found = wire.decode(wire.encode(value))
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1: 2},
        {1, 2},
        1j,
        np.array([object()]),
        np.array(["text"]),
        np.longdouble(1),
        np.array([1], "M8[s]"),
        "\ud800",
        1 << 40_000,
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_data_may_not_cross(value):
    with pytest.raises(wire.WireError):
        wire.encode(value)


def test_a_value_that_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(wire.WireError, match="within"):
        wire.encode(loop)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_a_wire_error(data):
    for candidate in (data, bytes([wire.VERSION]) + data):
        with suppress(wire.WireError):
            wire.decode(candidate)


@settings(max_examples=300)
@given(values, st.data())
def test_damaged_bytes_decode_to_data_or_a_wire_error(value, data):
    raw = bytearray(wire.encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = wire.decode(bytes(raw))
    except wire.WireError:
        return
    wire.encode(found)


@given(values)
def test_a_value_cut_short_or_with_more_behind_it_is_refused(value):
    raw = wire.encode(value)
    for wrong in (raw[:-1], raw + b"N"):
        with pytest.raises(wire.WireError):
            wire.decode(wrong)


def nested(tag: bytes, depth: int) -> bytes:
    return bytes([wire.VERSION]) + tag * depth + b"N"


def test_deep_nesting_costs_nothing():
    with pytest.raises(wire.WireError, match="within"):
        wire.decode(nested(b"l\x01\x00\x00\x00", 100_000))


@pytest.mark.parametrize(
    "raw",
    [
        b"l" + b"\xff\xff\xff\xff",
        b"s" + b"\xff\xff\xff\xff",
        b"D" + b"\xff\xff\xff\xff",
        b"m" + b"\xff\xff\xff\xff",
        b"a" + bytes([11, 2]) + struct.pack("<2Q", 1 << 40, 1 << 40),
        b"a" + bytes([11, 2]) + struct.pack("<2Q", 0, 1 << 63),
        b"a" + bytes([11, 32]) + b"\x02" * 256,
        b"a" + bytes([200, 0]),
    ],
)
def test_an_announced_size_reserves_no_memory(raw):
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError):
            wire.decode(bytes([wire.VERSION]) + raw)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "item",
    [
        b"N",
        b"l\x00\x00\x00\x00",
        b"m\x00\x00\x00\x00",
        b"f" + b"\x01" * 8,
        b"s\x02\x00\x00\x00\xc3\xa9",
        b"i" + b"\x7f" * 8,
    ],
)
def test_decoding_takes_no_more_memory_than_allowed(item):
    count = 60_000
    raw = bytes([wire.VERSION]) + b"l" + struct.pack("<I", count) + item * count
    allowed = 2_000_000
    tracemalloc.start()
    try:
        wire.decode(raw, memory=allowed)
    except wire.WireError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1.2 * allowed


def test_booleans_that_are_neither_cannot_be_smuggled_in():
    raw = bytearray(wire.encode(np.array([True, False])))
    raw[-1] = 77
    assert wire.decode(bytes(raw)).tobytes() == b"\x01\x01"


def test_the_format_stays_as_it_is():
    value = {"a": [1.0, 2.0], "b": [1, "x", None, True, 1 << 64], "c": np.array([[1, 2]], dtype="<u2")}
    assert wire.encode(value).hex() == HEX
    assert alike(wire.decode(bytes.fromhex(HEX))["b"], value["b"])
