import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quiltwork.pretrain.codec.base import HEADER, Kind, Malformed
from quiltwork.pretrain.codec.dense import decode_dense, dense_bytes, encode_dense

SHAPES = [(2, 3), (), (4,)]
TENSORS = st.tuples(
    *(
        arrays.arrays(np.float32, shape, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
        for shape in SHAPES
    )
)


@given(tensors=TENSORS)
@settings(deadline=None, max_examples=30)
def test_tensors_come_back_bit_by_bit(tensors):
    payload = encode_dense(Kind.ADAMW, tensors)
    assert len(payload) == dense_bytes(SHAPES) == HEADER.size + 4 * 11
    found = decode_dense(Kind.ADAMW, SHAPES, payload)
    assert [a.tobytes() for a in found] == [a.tobytes() for a in tensors]
    assert [a.shape for a in found] == SHAPES


@given(body=st.binary(min_size=44, max_size=44))
@settings(deadline=None, max_examples=30)
def test_any_body_is_refused_or_canonical(body):
    payload = HEADER.pack(1, Kind.ADAMW, HEADER.size + 44) + body
    try:
        found = decode_dense(Kind.ADAMW, SHAPES, payload)
    except Malformed:
        assert not np.isfinite(np.frombuffer(body, "<f4")).all()
    else:
        assert encode_dense(Kind.ADAMW, found) == payload


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_finite_is_neither_sent_nor_taken(number):
    tensor = np.array([number], np.float32)
    with pytest.raises(ValueError, match="finite"):
        encode_dense(Kind.ADAMW, [tensor])
    payload = HEADER.pack(1, Kind.ADAMW, HEADER.size + 4) + tensor.tobytes()
    with pytest.raises(Malformed, match="not finite"):
        decode_dense(Kind.ADAMW, [(1,)], payload)


def test_another_optimizers_payload_is_refused():
    payload = encode_dense(Kind.DILOCO, [np.zeros(3, np.float32)])
    with pytest.raises(Malformed, match="kind is 5; adamw has 1"):
        decode_dense(Kind.ADAMW, [(3,)], payload)
