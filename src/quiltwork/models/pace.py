"""How fast a model may be asked: two token buckets, of requests and of tokens per minute. The clock is injected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

BURST_S = 1.0
"""A bucket holds this many seconds of its rate (and at least one request): servers count over short windows too."""


@dataclass(frozen=True)
class Clock:
    """Where time comes from: `now` in seconds from any moment on, `sleep` for some seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class Bucket:
    """A token bucket, `per_min` a minute. Something larger than the bucket passes when it is full, and leaves a debt."""

    def __init__(self, per_min: float, clock: Clock) -> None:
        self._rate = per_min / 60
        self._most = max(1.0, self._rate * BURST_S)
        self._clock = clock
        self._level = self._most
        self._seen = clock.now()
        self._turn = asyncio.Lock()  # first come, first served

    async def take(self, amount: float) -> None:
        """Wait until `amount` may pass."""
        if not self._rate:
            return
        async with self._turn:
            while (missing := min(amount, self._most) - self._refilled()) > 1e-9:
                await self._clock.sleep(missing / self._rate)
            self._level -= amount

    def give(self, amount: float) -> None:
        """Put back what was taken and not used; negative for what was used beyond it."""
        if self._rate:
            self._level = min(self._most, self._refilled() + amount)

    def _refilled(self) -> float:
        now = self._clock.now()
        self._level = min(self._most, self._level + (now - self._seen) * self._rate)
        self._seen = now
        return self._level


class Pace:
    """Both limits of a model, and the pause that a server asks for (Retry-After), which holds for all requests."""

    def __init__(self, requests_per_min: float, tokens_per_min: float, clock: Clock) -> None:
        self._requests = Bucket(requests_per_min, clock)
        self._tokens = Bucket(tokens_per_min, clock)
        self._clock = clock
        self._until = clock.now()

    async def enter(self, tokens: int) -> None:
        """Wait until a request that may use so many tokens may be sent."""
        await self._requests.take(1)
        await self._tokens.take(tokens)
        while (left := self._until - self._clock.now()) > 0:
            await self._clock.sleep(left)

    def leave(self, reserved: int, used: int) -> None:
        """Say what a request that entered has used."""
        self._tokens.give(reserved - used)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._until = max(self._until, self._clock.now() + seconds)
