from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.blobs.plan import (
    COPIES,
    FIRST_STRIPES,
    MOST_DEPTH,
    UNPROVED_BEFORE_OUTLINE,
    Plan,
    Stripes,
    first_stripes,
)
from quiltwork.blobs.tree import CHUNK_BYTES
from quiltwork.blobs.wire import OUTLINE


def plan(chunks: int, lanes: int = 1, **options: object) -> Plan:
    made = Plan(chunks * CHUNK_BYTES, **options)  # type: ignore[arg-type]
    for lane in range(lanes):
        made.join(lane, 0.0)
    return made


def simulate(
    chunks: int, seconds_per_chunk: list[float], ends_at: dict[int, float] | None = None
) -> tuple[float, list[int]]:
    """Lanes that bring a chunk every so many seconds; gives when all had come, and how many each had brought first."""
    work = plan(chunks, len(seconds_per_chunk), outline_known=True)
    queues: list[deque[int]] = [deque() for _ in seconds_per_chunk]
    ready = [0.0] * len(seconds_per_chunk)
    brought = [0] * len(seconds_per_chunk)
    now = 0.0
    while not work.done:
        for lane, queue in enumerate(queues):
            if (ends_at or {}).get(lane, 1e9) <= now:
                continue
            asked = work.take(lane, now)
            if asked and not queue:
                ready[lane] = now + seconds_per_chunk[lane]
            queue.extend(asked)
        now = round(now + 0.01, 6)
        for lane, queue in enumerate(queues):
            if queue and ready[lane] <= now and (ends_at or {}).get(lane, 1e9) > now:
                index = queue.popleft()
                if work.arrived(lane, index, now):
                    brought[lane] += 1
                    work.prove(index)
                ready[lane] = now + seconds_per_chunk[lane]
        assert now < 10_000
    return now, brought


def test_the_outline_is_asked_for_first() -> None:
    assert plan(3).take(0, 0.0)[0] == OUTLINE


def test_one_chunk_needs_no_outline() -> None:
    assert Plan(10).outline_known
    only = plan(1)
    assert only.take(0, 0.0) == [0]


def test_until_the_outline_is_there_little_is_asked_for() -> None:
    many = plan(1_000, lanes=200)
    asked = [index for lane in range(200) for index in many.take(lane, 0.0)]
    assert len(asked) == UNPROVED_BEFORE_OUTLINE
    many.arrived(0, OUTLINE, 0.1)
    many.prove(OUTLINE)
    assert many.take(199, 0.1) != []


def test_lanes_give_in_proportion_to_their_goodput() -> None:
    _, brought = simulate(400, [0.1, 0.2, 0.4])
    assert sum(brought) == 400
    assert 1.7 < brought[0] / brought[1] < 2.3
    assert 1.7 < brought[1] / brought[2] < 2.3


def test_three_lanes_are_as_fast_as_their_sum() -> None:
    took, _ = simulate(400, [0.1, 0.2, 0.4])
    assert took < 1.1 * 400 / (10 + 5 + 2.5)


def test_a_lane_that_stalls_at_the_end_costs_a_moment() -> None:
    alone, _ = simulate(100, [0.1])
    with_a_dead_one, brought = simulate(100, [0.1, 0.1], ends_at={1: 0.55})
    assert brought[1] <= 5
    assert with_a_dead_one < alone + 1.0


def test_a_lane_that_gave_nothing_yet_does_not_hold_the_last_chunk() -> None:
    took, _ = simulate(20, [0.1, 500.0])
    assert took < 3.5


def test_nobody_is_asked_twice_for_the_same_chunk_and_few_at_once() -> None:
    work = plan(1, lanes=6, outline_known=True)
    assert work.take(0, 0.0) == [0]
    takers = [lane for lane in range(1, 6) if work.take(lane, 100.0 * lane) == [0]]
    assert len(takers) == COPIES - 1
    assert work.take(0, 1_000.0) == []


def test_what_a_lane_leaves_behind_is_asked_of_others() -> None:
    work = plan(4, lanes=2, outline_known=True)
    left = work.take(0, 0.0)
    work.leave(0)
    taken: list[int] = []
    while new := work.take(1, 0.1):
        for index in new:
            work.arrived(1, index, 0.1)
            work.prove(index)
        taken += new
    assert sorted(taken) == [0, 1, 2, 3]
    assert set(left) <= set(taken)
    assert work.done


def test_what_was_refuted_is_asked_for_again() -> None:
    work = plan(2, lanes=2, outline_known=True)
    first = work.take(0, 0.0)[0]
    assert work.arrived(0, first, 0.1)
    work.refute(first)
    assert first in work.take(1, 0.1)


def test_a_second_copy_is_not_worth_proving() -> None:
    work = plan(1, lanes=2, outline_known=True)
    work.take(0, 0.0)
    work.take(1, 100.0)
    assert work.arrived(1, 0, 101.0)
    assert not work.arrived(0, 0, 102.0)


@settings(max_examples=60, deadline=None)
@given(
    chunks=st.integers(2, 60),
    moves=st.lists(
        st.tuples(st.sampled_from(["take", "bring", "lie", "leave"]), st.integers(0, 4), st.floats(0.001, 5)),
        max_size=200,
    ),
)
def test_whatever_happens_every_chunk_can_still_land(chunks: int, moves: list[tuple[str, int, float]]) -> None:
    """Lanes come, bring, lie and leave at random; then one honest lane finishes the blob."""
    work, now, present = Plan(chunks * CHUNK_BYTES), 0.0, set[int]()
    for move, lane, seconds in moves:
        now += seconds
        if lane not in present:
            work.join(lane, now)
            present.add(lane)
        if move == "take":
            assert len(work.take(lane, now)) <= MOST_DEPTH + 1
        elif move == "leave":
            work.leave(lane)
            present.discard(lane)
        elif work.under_way(lane):
            index = work.under_way(lane)[0]
            if work.arrived(lane, index, now):
                if move == "bring":
                    work.prove(index)
                else:
                    work.refute(index)
    for lane in present:
        work.leave(lane)
    work.join(99, now)
    for _ in range(10 * chunks + 10):
        now += 0.1
        work.take(99, now)
        for index in work.under_way(99):
            if work.arrived(99, index, now):
                work.prove(index)
    assert work.done
    assert work.proving == 0


def test_connections_are_doubled_while_that_pays() -> None:
    stripes, total, now = Stripes(4, 32), 0.0, 0.0
    seen = []
    for _ in range(120):
        now += 0.1
        total += 0.1 * min(stripes.count, 16) * 100_000
        seen.append(stripes.measure(now, int(total), stripes.count))
    assert sorted(set(seen)) == [4, 8, 16, 32]  # 32 was tried, and gave no more
    assert seen[-1] == 32


def test_on_a_full_line_connections_stay_as_they_are() -> None:
    stripes, total, now = Stripes(4, 16), 0.0, 0.0
    for _ in range(100):
        now += 0.1
        total += 600_000
        stripes.measure(now, int(total), stripes.count)
    assert stripes.count == 8


def test_over_a_long_way_there_are_more_from_the_beginning() -> None:
    for dial_s, count in ((0.001, 4), (0.05, 8), (0.4, 16)):
        stripes = Stripes(4, 16)
        stripes.reached(dial_s, 10_000_000)
        assert stripes.count == count
    small = Stripes(1, 16)
    small.reached(0.4, 100_000)
    assert small.count == 1


def test_small_blobs_and_many_holders_need_few_connections() -> None:
    assert first_stripes(100, 1) == 1
    assert first_stripes(100_000_000, 1) == FIRST_STRIPES
    assert first_stripes(100_000_000, 2) == 2
    assert first_stripes(100_000_000, 8) == 1
