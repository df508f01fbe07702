"""The exact bitmap: a set, and its one encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.bitmap import MAX_BITS, Bitmap, byte_length, tally

SIZES = st.integers(0, 300)


def sets_below(size: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(0, size - 1)) if size else st.just(set())


@given(SIZES.flatmap(lambda size: st.tuples(st.just(size), sets_below(size))))
def test_a_bitmap_is_a_set_and_comes_back_from_its_bytes(case: tuple[int, set[int]]) -> None:
    size, numbers = case
    bitmap = Bitmap.of(size, numbers)
    assert set(bitmap) == numbers
    assert list(bitmap) == sorted(numbers)
    assert len(bitmap) == len(numbers)
    assert all((number in bitmap) == (number in numbers) for number in range(-2, size + 10))
    data = bitmap.to_bytes()
    assert len(data) == byte_length(size)
    assert Bitmap.from_bytes(size, data) == bitmap


@given(SIZES.flatmap(lambda size: st.tuples(st.just(size), sets_below(size), sets_below(size))))
def test_merging_is_union(case: tuple[int, set[int], set[int]]) -> None:
    size, one, other = case
    assert set(Bitmap.of(size, one) | Bitmap.of(size, other)) == one | other


@given(SIZES.flatmap(lambda size: st.tuples(st.just(size), st.lists(sets_below(size), max_size=8))))
def test_a_tally_counts_who_has_each(case: tuple[int, list[set[int]]]) -> None:
    size, sets = case
    counts = tally(size, [Bitmap.of(size, numbers) for numbers in sets])
    assert counts == [sum(number in numbers for numbers in sets) for number in range(size)]


def test_the_lowest_bit_of_the_first_byte_is_number_zero() -> None:
    assert Bitmap.of(12, [0, 3, 8]).to_bytes() == bytes([0b1001, 0b1])
    assert Bitmap.of(256, range(256)).to_bytes() == b"\xff" * 32


@given(SIZES, st.binary(max_size=50))
def test_there_is_one_encoding_of_a_set(size: int, data: bytes) -> None:
    try:
        bitmap = Bitmap.from_bytes(size, data)
    except ValueError:
        assert len(data) != byte_length(size) or int.from_bytes(data, "little") >= 1 << size
    else:
        assert bitmap.to_bytes() == data


def test_what_is_no_set_below_the_size_is_an_error() -> None:
    for size, bits in ((3, 8), (3, -1), (-1, 0), (MAX_BITS + 1, 0)):
        with pytest.raises(ValueError, match="bits"):
            Bitmap(size, bits)
    for number in (-1, 3):
        with pytest.raises(ValueError, match="outside"):
            Bitmap.of(3, [number])
    with pytest.raises(ValueError, match="different rounds"):
        Bitmap(3) | Bitmap(4)
    with pytest.raises(ValueError, match="not all"):
        tally(3, [Bitmap(3), Bitmap(4)])
