"""Virtual time and the network: what arrives when, over which links, and what a partition does to it."""

from __future__ import annotations

from random import Random

import pytest

from quiltwork.pretrain.simulator.world import HUB, SECOND, START, Link, Partition, Transfer, World


def world(**links: Link) -> World:
    made = World(Random(1))
    for place in range(3):
        made.links[place] = Link(1_000.0, 1_000.0, SECOND // 10, 0, 0.0)
    made.links[HUB] = Link(1e9, 1e9, 0, 0, 0.0)
    return made


def run(made: World) -> None:
    while made.step():
        pass


def transfer(
    made: World, seen: list[tuple[str, float]], name: str, size: int, *, source: int = 0, wanted: bool = True
) -> None:
    made.send(Transfer(source, 1, size, lambda: wanted, lambda: seen.append((name, (made.now - START) / SECOND))))


def test_events_happen_in_the_order_of_their_times_and_equals_in_that_of_their_making() -> None:
    made, seen = world(), list[str]()
    for name, seconds in (("b", 2), ("a", 1), ("c", 2)):
        made.after(seconds * SECOND, lambda name=name: seen.append(name))  # type: ignore[misc]
    run(made)
    assert seen == ["a", "b", "c"]
    assert made.now == START + 2 * SECOND


def test_nothing_happens_in_the_past() -> None:
    made, seen = world(), list[int]()
    made.after(5 * SECOND, lambda: made.at(START, lambda: seen.append(made.now)))
    run(made)
    assert seen == [START + 5 * SECOND]


def test_things_happen_until_a_time_or_until_one_of_them_interrupts() -> None:
    made, seen = world(), list[int]()
    for seconds in (1, 2, 3, 7):
        made.after(seconds * SECOND, lambda: seen.append((made.now - START) // SECOND))
    made.after(2 * SECOND, made.interrupt)
    assert made.run(START + 3 * SECOND)
    assert (seen, made.now) == ([1, 2], START + 2 * SECOND)
    assert made.run(START + 5 * SECOND)
    assert (seen, made.now) == ([1, 2, 3], START + 5 * SECOND)
    assert not made.run(START + 9 * SECOND)
    assert seen == [1, 2, 3, 7]


def test_a_blob_takes_as_long_as_its_size_and_the_delays_say() -> None:
    made, seen = world(), list[tuple[str, float]]()
    transfer(made, seen, "a", 2_000)
    run(made)
    assert seen == [("a", 2.2)]


def test_an_uplink_carries_one_blob_after_the_other() -> None:
    made, seen = world(), list[tuple[str, float]]()
    transfer(made, seen, "a", 1_000)
    transfer(made, seen, "b", 1_000)
    transfer(made, seen, "other", 1_000, source=2)
    run(made)
    assert sorted(seen) == [("a", 1.2), ("b", 2.2), ("other", 1.2)]


def test_what_nobody_wants_any_more_is_left_out() -> None:
    made, seen = world(), list[tuple[str, float]]()
    transfer(made, seen, "a", 1_000)
    transfer(made, seen, "unwanted", 1_000, wanted=False)
    transfer(made, seen, "b", 1_000)
    run(made)
    assert seen == [("a", 1.2), ("b", 2.2)]


def test_the_slower_of_two_links_decides_and_losses_slow_it_down() -> None:
    made, seen = world(), list[tuple[str, float]]()
    made.links[1] = Link(1_000.0, 500.0, SECOND // 10, 0, 0.05)
    transfer(made, seen, "a", 1_000)
    run(made)
    assert seen == [("a", pytest.approx(4.2))]


def test_a_message_that_is_lost_is_sent_again() -> None:
    made = world()
    made.links[0] = Link(1.0, 1.0, SECOND // 10, 0, 0.5)
    hops = [made.hop(0) for _ in range(2_000)]
    assert min(hops) == SECOND // 10
    assert sum(hops) / len(hops) == pytest.approx(0.1 * SECOND + 1.0 * 0.4 * SECOND, rel=0.15)


def test_a_partition_parts_two_sides_and_nobody_else_while_it_lasts() -> None:
    made = world()
    made.partitions.append(Partition(START + 10, START + 20, frozenset({0, 1})))
    assert made.reachable(0, 2, START + 9)
    assert not made.reachable(0, 2, START + 10)
    assert not made.reachable(HUB, 1, START + 19)
    assert made.reachable(0, 1, START + 15)
    assert made.reachable(0, 2, START + 20)


def test_what_is_parted_waits_until_the_last_of_several_partitions_is_over() -> None:
    made = world()
    made.partitions += [
        Partition(START + 10, START + 20, frozenset({0})),
        Partition(START + 15, START + 30, frozenset({0, 1})),
    ]
    assert made.healed_by(HUB, 0, START) == START
    assert made.healed_by(HUB, 0, START + 12) == START + 30
    assert made.healed_by(HUB, 1, START + 12) == START + 12
