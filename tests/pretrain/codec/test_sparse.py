import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.codec.base import HEADER, Kind, Malformed
from quiltwork.pretrain.codec.sparse import Rows, Sparse, SparseCodec
from quiltwork.pretrain.codec.subsets import subsets
from quiltwork.pretrain.codec.values import Floats, Signs, TwoLevels

LAYOUT = [Rows(3, 16, 5), Rows(1, 7, 7), Rows(4, 9, 1)]
CODECS = {
    "signs": SparseCodec(Kind.DEMO, Signs()),
    "two levels": SparseCodec(Kind.SPARSELOCO, TwoLevels()),
    "floats": SparseCodec(Kind.DISTRO, Floats()),
}


def values(name: str, random, shape):
    if name == "floats":
        return random.standard_normal(shape).astype(np.float32)
    signs = random.choice(np.array([-1, 1], np.float32), shape)
    return signs if name == "signs" else signs * random.choice(np.array([0.25, 3.5], np.float32), shape)


def draw(name: str, seed: int, layout=LAYOUT) -> list[Sparse]:
    random = np.random.default_rng(seed)
    tensors = []
    for rows in layout:
        places = random.random((rows.rows, rows.width)).argsort(axis=1)[:, : rows.kept]
        tensors.append(Sparse(np.sort(places, axis=1).astype(np.int64), values(name, random, places.shape)))
    return tensors


def same(a: list[Sparse], b: list[Sparse]) -> bool:
    return all(
        (x.indices == y.indices).all() and x.values.tobytes() == y.values.tobytes() for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("name", CODECS)
@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_what_is_encoded_comes_back_bit_by_bit(name, seed):
    codec, tensors = CODECS[name], draw(name, seed)
    payload = codec.encode(LAYOUT, tensors)
    assert len(payload) == codec.size(LAYOUT)
    assert same(codec.decode(LAYOUT, payload), tensors)


def test_eight_of_4096_take_11_and_a_half_bits_a_value_in_all():
    layout = [Rows(64, 4_096, 8), Rows(16, 4_096, 8)]
    payload = CODECS["signs"].encode(layout, draw("signs", 1, layout))
    assert 8 * len(payload) / (80 * 8) <= 11.5


@pytest.mark.parametrize("name", CODECS)
@given(seed=st.integers(0, 20), place=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_a_flipped_bit_is_refused_or_is_another_update_with_that_encoding(name, seed, place):
    codec, tensors = CODECS[name], draw(name, seed)
    payload = bytearray(codec.encode(LAYOUT, tensors))
    place %= 8 * len(payload)
    payload[place // 8] ^= 1 << place % 8
    try:
        found = codec.decode(LAYOUT, bytes(payload))
    except Malformed:
        return
    assert not same(found, tensors)
    assert codec.encode(LAYOUT, found) == payload


@pytest.mark.parametrize("name", CODECS)
@given(body=st.binary(min_size=1, max_size=200))
@example(body=b"\xff")
@example(body=b"\0")
@settings(deadline=None, max_examples=30)
def test_random_bytes_in_a_true_frame_are_refused_or_canonical(name, body):
    codec = CODECS[name]
    size = codec.size(LAYOUT)
    payload = HEADER.pack(1, codec.kind, size) + (body * size)[: size - HEADER.size]
    try:
        found = codec.decode(LAYOUT, payload)
    except Malformed:
        return
    assert codec.encode(LAYOUT, found) == payload


@given(payload=st.binary(max_size=200))
@settings(deadline=None, max_examples=30)
def test_random_bytes_are_refused(payload):
    with pytest.raises(Malformed):
        CODECS["signs"].decode(LAYOUT, payload)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda payload: payload + b"\0", "bytes; for these parameters"),
        (lambda payload: payload[:-1], "bytes; for these parameters"),
        (lambda payload: b"\2" + payload[1:], "version 2"),
        (lambda payload: payload[:1] + b"\5" + payload[2:], "kind is 5; demo has 2"),
        (lambda payload: payload[:2] + struct.pack("<Q", 2**63) + payload[10:], "header says"),
        (lambda payload: payload[:-1] + bytes([payload[-1] | 0x80]), "the bits after"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    payload = CODECS["signs"].encode(LAYOUT, draw("signs", 3))
    with pytest.raises(Malformed, match=said):
        CODECS["signs"].decode(LAYOUT, change(payload))


def test_hostile_bytes_take_no_more_memory_than_honest_ones():
    layout = [Rows(20_000, 256, 12)]
    codec = CODECS["signs"]
    honest = codec.encode(layout, draw("signs", 4, layout))
    hostile = honest[: HEADER.size] + b"\xff" * (len(honest) - HEADER.size)
    subsets(256, 12)

    def peak(payload: bytes) -> int:
        tracemalloc.start()
        with contextlib.suppress(Malformed):
            codec.decode(layout, payload)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    decoded = 20_000 * 12 * 12  # int64 places and fp32 values
    assert peak(hostile) <= peak(honest) <= 3 * decoded
    assert peak(bytes(10**6)) < 10**5


def levels(low: float, high: float, bits: list[int]) -> bytes:
    return struct.pack("<ff", low, high) + np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


@pytest.mark.parametrize(
    ("low", "high", "bits", "said"),
    [
        (1.0, 0.5, [0, 0, 0, 1], "not two levels"),
        (float("nan"), 0.5, [0, 0, 0, 1], "not two levels"),
        (0.5, float("inf"), [0, 0, 0, 1], "not two levels"),
        (-0.0, 0.5, [0, 0, 0, 1], "not two levels"),
        (0.5, 1.0, [0, 0, 0, 0], "a level stands there"),
        (0.5, 1.0, [0, 0, 1, 1], "a level stands there"),
        (0.5, 0.5, [0, 0, 0, 1], "a level stands there"),
        (0.0, 1.0, [1, 0, 0, 1], "a zero with a sign"),
    ],
)
def test_two_levels_have_one_encoding(low, high, bits, said):
    with pytest.raises(Malformed, match=said):
        TwoLevels().read(memoryview(levels(low, high, bits)), 1, 2)


def test_two_levels_may_be_one_or_nothing():
    for tensor in ([[2.0, -2.0]], [[0.0, 0.0]], [[0.0, -3.0]]):
        array = np.array(tensor, np.float32)
        assert (TwoLevels().read(memoryview(TwoLevels().write(array)), 1, 2) == array).all()


@pytest.mark.parametrize(
    ("coding", "tensor", "said"),
    [
        (Signs(), [[0.0]], "signs are"),
        (Signs(), [[2.0]], "signs are"),
        (TwoLevels(), [[1.0, 2.0, 3.0]], "at most two magnitudes"),
        (TwoLevels(), [[1.0, float("inf"), 1.0]], "finite"),
        (Floats(), [[float("nan")]], "finite"),
    ],
)
def test_values_that_a_coding_cannot_hold_are_not_encoded(coding, tensor, said):
    with pytest.raises(ValueError, match=said):
        coding.write(np.array(tensor, np.float32))


@pytest.mark.parametrize("places", [[[1, 1]], [[2, 1]], [[-1, 3]], [[3, 4]]])
def test_places_that_are_no_set_are_not_encoded(places):
    sent = Sparse(np.array(places, np.int64), np.ones((1, 2), np.float32))
    with pytest.raises(ValueError, match="places must rise"):
        CODECS["signs"].encode([Rows(1, 4, 2)], [sent])


def test_a_tensor_of_another_shape_is_not_encoded():
    with pytest.raises(ValueError, match="do not fit"):
        CODECS["signs"].encode([Rows(2, 4, 2)], draw("signs", 1, [Rows(1, 4, 2)]))
