import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.models.pace import Bucket, Pace
from tests.models.misbehaving import FakeTime


def entered(amounts: list[float], per_min: float) -> list[float]:
    """The moments at which so much passes, when all of it wants to pass at once."""

    async def run() -> list[float]:
        time = FakeTime()
        bucket = Bucket(per_min, time.clock)
        moments = []
        for amount in amounts:
            await bucket.take(amount)
            moments.append(time.now)
        return moments

    return asyncio.run(run())


def test_no_limit_is_no_wait() -> None:
    assert entered([1] * 1000, 0) == [0.0] * 1000


@given(st.integers(1, 600), st.integers(2, 150))
def test_no_minute_sees_more_than_its_rate_and_one_burst(per_min: int, count: int) -> None:
    moments = entered([1] * count, per_min)
    burst = max(1, per_min / 60)
    for start in moments:
        assert sum(start <= moment < start + 60 for moment in moments) <= per_min + burst + 1e-6


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30), st.integers(60, 10_000))
def test_large_amounts_pass_in_their_turn_and_are_paid_for(amounts: list[int], per_min: int) -> None:
    moments = entered(list(amounts), per_min)
    assert moments == sorted(moments)
    burst = max(1, per_min / 60)
    assert moments[-1] >= (sum(amounts[:-1]) - burst) / (per_min / 60) - 1e-6


def test_what_was_reserved_and_not_used_is_given_back() -> None:
    async def run(used: int) -> float:
        time = FakeTime()
        pace = Pace(0, 6000, time.clock)
        for _ in range(3):
            await pace.enter(6000)
            pace.leave(6000, used)
        return time.now

    assert asyncio.run(run(0)) == 0
    assert asyncio.run(run(6000)) == pytest.approx(120, abs=2)


def test_many_tasks_pass_first_come_first_served() -> None:
    async def run() -> list[int]:
        pace = Pace(60, 0, FakeTime().clock)
        order: list[int] = []

        async def one(number: int) -> None:
            await pace.enter(0)
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(20)))
        return order

    assert asyncio.run(run()) == list(range(20))


def test_a_pause_holds_for_all() -> None:
    async def run() -> float:
        time = FakeTime()
        pace = Pace(0, 0, time.clock)
        pace.pause(30)
        pace.pause(10)
        await asyncio.gather(pace.enter(1), pace.enter(1))
        return time.now

    assert asyncio.run(run()) >= 30
