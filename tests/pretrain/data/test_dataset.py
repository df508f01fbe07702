from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.data.dataset import Mixture, Source
from quiltwork.pretrain.data.tokens import ArrayFile, DataError
from tests.pretrain.data.text import LENGTH, counting, mixed

sizes = st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(lambda counts: max(counts) > LENGTH)


def starts(counts: Sequence[int]) -> list[int]:
    """First tokens of all windows of files with so many tokens."""
    found, before = [], 0
    for count in counts:
        found += range(before, before + count - LENGTH, LENGTH)
        before += count
    return found


@settings(max_examples=25, deadline=None)
@given(counts=sizes, seed=st.integers(0, 5))
def test_an_epoch_has_every_window_of_every_file_once_in_another_order_each_time(counts: list[int], seed: int) -> None:
    data = mixed(counting("a", counts), seed=seed)
    expected = starts(counts)
    assert len(data) == len(expected)
    for epoch in range(3):
        found = data.batch(range(epoch * len(expected), (epoch + 1) * len(expected)))
        assert sorted(found[:, 0].tolist()) == expected
        assert torch.equal(found, found[:, :1] + torch.arange(LENGTH + 1))


@settings(max_examples=25, deadline=None)
@given(a=sizes, b=sizes, weight=st.integers(1, 9), ids=st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_any_order_of_asking_gives_the_same_sequences(a: list[int], b: list[int], weight: int, ids: list[int]) -> None:
    data = mixed(counting("a", a), counting("b", b, first=1_000), weights=[1, weight])
    together = data.batch(ids)
    again = mixed(counting("a", a), counting("b", b, first=1_000), weights=[1, weight])
    for row in reversed(range(len(ids))):
        assert torch.equal(again.batch([ids[row]])[0], together[row])


@settings(max_examples=25, deadline=None)
@given(a=sizes, b=sizes, weight=st.integers(1, 9))
def test_nothing_is_repeated_before_the_length_is_reached_and_then_something_is(
    a: list[int], b: list[int], weight: int
) -> None:
    data = mixed(counting("a", a), counting("b", b, first=1_000), weights=[1, weight])
    seen = Counter(data.batch(range(len(data)))[:, 0].tolist())
    assert set(seen.values()) <= {1}
    assert int(data.batch([len(data)])[0, 0]) in seen


def test_a_small_source_is_gone_through_often_where_its_weight_is_large() -> None:
    small, large = counting("small", [4 * LENGTH + 1]), counting("large", [100 * LENGTH + 1], first=1_000)
    data = mixed(small, large, weights=[1, 4])
    seen = Counter(data.batch(range(100))[:, 0].tolist())
    assert [seen[start] for start in starts([4 * LENGTH + 1])] == [5, 5, 5, 5]
    assert data.epochs(100) == {"small": 5.0, "large": 0.8}
    assert data.shares() == {"small": 0.2, "large": 0.8}
    assert len(data) == int(np.flatnonzero(data.batch(range(100))[:, 0].numpy() < 1_000)[4])


def test_seeds_and_names_give_other_orders() -> None:
    orders = {
        tuple(mixed(counting(name, [1_000]), seed=seed).batch(range(20))[:, 0].tolist())
        for name, seed in (("a", 0), ("a", 1), ("b", 0))
    }
    assert len(orders) == 3


def test_a_sequence_says_where_it_is_from() -> None:
    data = mixed(counting("a", [9, 3, 12]), counting("b", [40], first=1_000))
    for id, place in enumerate(data.places(range(12))):
        source = next(source for source in data._sources if source.name == place.source)
        file = next(file for file in source.files if file.name == place.file)
        assert data.batch([id])[0].tolist() == file.read(place.start, place.start + LENGTH + 1).tolist()
        assert place.epoch == (id // 2) // source.sequences


def test_batches_are_int64_and_may_be_empty() -> None:
    data = mixed(counting("a", [20]))
    assert data.batch([]).shape == (0, LENGTH + 1)
    assert data.batch([3]).dtype == torch.int64
    with pytest.raises(ValueError, match="sequence -1: ids count from 0"):
        data.batch([2, -1])


def test_many_readers_give_what_one_gives() -> None:
    source = counting("a", [400])
    assert torch.equal(Mixture([source], [1], 0, readers=4).batch(range(30)), mixed(source).batch(range(30)))


def test_equal_data_has_an_equal_fingerprint_wherever_it_lies() -> None:
    tokens = np.arange(200, dtype=np.uint8)

    def fingerprint(name: str = "a", place: str = "x", *, seed: int = 0, length: int = 4, weight: float = 1.0) -> bytes:
        one = Source(name, [ArrayFile(place, tokens, 256)], length)
        other = Source("other", [ArrayFile("y", tokens, 256)], length)
        return Mixture([one, other], [weight, 1.0], seed).fingerprint()

    first = fingerprint()
    assert len(first) == 32
    assert fingerprint(place="elsewhere") == first
    others = [fingerprint("b"), fingerprint(seed=1), fingerprint(length=5), fingerprint(weight=2.0)]
    tokens = np.arange(201, dtype=np.uint8)
    others.append(fingerprint())
    tokens = np.arange(200, dtype=np.uint8)[::-1].copy()
    others.append(fingerprint())
    assert len({first, *others}) == 7


def test_sources_without_a_whole_sequence_and_tokens_beyond_the_vocabulary_are_refused() -> None:
    with pytest.raises(DataError, match=r"source a: none of its 2 files has the 5 tokens .*\(the first is a/0\)"):
        counting("a", [3, 4])
    data = mixed(Source("a", [ArrayFile("x.bin", np.array([1, 2, 3, 9, 1], dtype=np.uint8), 9)], 4))
    with pytest.raises(DataError, match=r"x.bin holds token 9 near its token 0, and its vocabulary ends before 9"):
        data.batch([0])
