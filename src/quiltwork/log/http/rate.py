"""How much one client may ask of a server: token buckets, fed with the time by whoever asks."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

MAX_METERED = 4_096
"""Whom a server remembers the use of. Whoever was quiet longest is forgotten, and begins with full buckets again."""


class Rate(NamedTuple):
    """So much a second, and so much at once after a quiet time."""

    per_s: float
    burst: float


class Limits(msgspec.Struct, frozen=True):
    """What a server lets clients use.

    A request counts once, and one with statements once for each. Bytes count in both directions. What is above all of
    these stays a flood; a training run of 64 members uses a hundredth.
    """

    token_requests: Rate = Rate(1_000, 4_000)
    token_bytes: Rate = Rate(32 << 20, 128 << 20)
    author_statements: Rate = Rate(50, 500)
    author_bytes: Rate = Rate(1 << 20, 16 << 20)
    followers_per_token: int = 256
    """Connections that stay open: each takes some 100 kB."""


DEFAULT_LIMITS = Limits()


class Bucket:
    """A token bucket: fills at a rate up to its burst. What is more than the burst may be taken from a full one, as debt."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._level = rate.burst
        self._at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Give the seconds until this amount can be taken; 0 if it can be now."""
        self._fill(now)
        return max(0.0, min(amount, self._rate.burst) - self._level) / self._rate.per_s

    def take(self, amount: float, now: float) -> None:
        """Take an amount, whether or not it is there: `wait_s` tells, and some things are used before they are counted."""
        self._fill(now)
        self._level -= amount

    def _fill(self, now: float) -> None:
        self._level = min(self._rate.burst, self._level + (now - self._at) * self._rate.per_s)
        self._at = now


class Meter:
    """What each client has used lately, in items and bytes."""

    def __init__(self, items: Rate, size: Rate) -> None:
        self._rates = (items, size)
        self._buckets: OrderedDict[bytes, tuple[Bucket, Bucket]] = OrderedDict()

    def wait_s(self, name: bytes, items: float, size: float, now: float) -> float:
        """Give the seconds that a client must wait before it may use so much; 0 if it may now."""
        buckets = self._of(name, now)
        return max(bucket.wait_s(amount, now) for bucket, amount in zip(buckets, (items, size), strict=True))

    def take(self, name: bytes, items: float, size: float, now: float) -> None:
        """Note what a client uses, even if it should have waited."""
        for bucket, amount in zip(self._of(name, now), (items, size), strict=True):
            bucket.take(amount, now)

    def _of(self, name: bytes, now: float) -> tuple[Bucket, Bucket]:
        items, size = self._rates
        buckets = self._buckets.setdefault(name, (Bucket(items, now), Bucket(size, now)))
        self._buckets.move_to_end(name)
        if len(self._buckets) > MAX_METERED:
            self._buckets.popitem(last=False)
        return buckets
