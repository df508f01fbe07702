from __future__ import annotations

import math

import numpy as np
import pytest
from blake3 import blake3

from quiltwork.pretrain.architectures import initial
from quiltwork.pretrain.architectures.initial import normal


def philox(key: tuple[int, int], count: int) -> list[int]:
    """The first 64-bit words of Philox 4x64-10 as its paper has it, with counters from 1 (as NumPy begins)."""
    mask, words = 2**64 - 1, []
    for counter in range(1, -(-count // 4) + 1):
        x, k = [counter, 0, 0, 0], list(key)
        for _ in range(10):
            a, b = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
            x = [(b >> 64) ^ x[1] ^ k[0], b & mask, (a >> 64) ^ x[3] ^ k[1], a & mask]
            k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
        words += x
    return words[:count]


def test_the_bits_of_a_tensor_are_those_of_the_published_algorithm() -> None:
    digest = blake3(b"quiltwork.initial/1\n7\na.weight").digest(length=16)
    words = philox((int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")), 15)
    sums = [sum(word >> shift & 0xFFFF for shift in (0, 16, 32, 48)) - 131_070 for word in words]
    scale = np.float32(0.02 / math.sqrt(4 * (2**32 - 1) / 12))
    assert normal(7, "a.weight", (3, 5), 0.02).tobytes() == (np.array(sums, np.float32) * scale).tobytes()


def test_the_bits_of_a_tensor_never_change() -> None:
    drawn = normal(7, "a.weight", (3, 5), 0.02).astype("<f4").tobytes()
    assert blake3(drawn).hexdigest() == "08979e87cf62cd3668ba6eae456f8703286a06ec6bd7c12ba4f5aa8ab171eb73"


def test_the_numbers_have_the_mean_and_deviation_asked_for_and_end_before_four_of_it() -> None:
    drawn = normal(1, "x", (400, 500), 0.5).astype(np.float64)
    assert abs(drawn.mean()) < 4 * 0.5 / np.sqrt(drawn.size)
    assert drawn.std() == pytest.approx(0.5, rel=0.01)
    assert 3 * 0.5 < np.abs(drawn).max() < 3.5 * 0.5


def test_seed_and_name_make_another_tensor() -> None:
    tensors = [normal(*key, (64,), 1.0).tobytes() for key in ((1, "a"), (1, "b"), (2, "a"), (11, "a"), (1, "1\na"))]
    assert len(set(tensors)) == len(tensors)


def test_a_tensor_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = normal(1, "x", (1_000,), 1.0)
    monkeypatch.setattr(initial, "BLOCK", 96)
    assert np.array_equal(normal(1, "x", (1_000,), 1.0), whole)
