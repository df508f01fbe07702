"""A log moved from one backend to any other: entry by entry, and its proof with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from quiltwork.errors import UserError
from quiltwork.log.entry import Entry
from quiltwork.log.protocol import EMPTY, Head, Log
from quiltwork.log.verify import verify

BATCH_ENTRIES = 1_000
BATCH_BYTES = 4 << 20
"""Of one append, which every backend takes: a copy that is cut off has lost no more work than this."""


class Diverged(UserError):
    """The target is no beginning of the source, nor the reverse: entry `seq` is the first in which they differ."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(
            f"The target holds another log: its entry {seq} is not that of the source. Nothing was copied. "
            "Copy into an empty log, or into one that was copied from this source before."
        )


class Copied(NamedTuple):
    """What a copy came to: where source and target are the same now, and how many entries were copied this time."""

    head: Head
    copied: int


def copy(
    source: Log,
    target: Log,
    *,
    batch_entries: int = BATCH_ENTRIES,
    batch_bytes: int = BATCH_BYTES,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Copied:
    """Append to `target` what `source` has and it lacks, then verify all of `target` against the head of `source`.

    A target that holds the beginning of the source is continued, so a copy that was cut off is just begun again. One that
    holds more than the source is left as it is. What is appended to the source meanwhile is left for the next time.
    `tell` is called after each batch with how many entries are there, and how many there will be. Raises Diverged, Broken
    for a source that is broken, and what reading and appending raise.
    """
    goal, head = source.head(), target.head()
    common = min(goal.length, head.length)
    if _hash_at(source, common, goal) != _hash_at(target, common, head):
        raise Diverged(_first_difference(source, target, common))
    copied = 0
    for batch in _batches(source.read(common, goal.length), batch_entries, batch_bytes):
        head = target.append(batch, head)
        copied += len(batch)
        tell(head.length, goal.length)
    verify(target, expect=goal)
    return Copied(goal, copied)


def _hash_at(log: Log, length: int, head: Head) -> bytes:
    """Give the hash of the last of the first `length` entries: it commits to all of them."""
    if length in (0, head.length):
        return EMPTY.hash if length == 0 else head.hash
    return next(log.read(length - 1, length)).hash


def _first_difference(source: Log, target: Log, common: int) -> int:
    for ours, theirs in zip(source.read(0, common), target.read(0, common), strict=True):
        if ours.hash != theirs.hash:
            return ours.seq
    raise AssertionError("their last hashes differ, so some entry does")


def _batches(entries: Iterator[Entry], most_entries: int, most_bytes: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == most_entries or size + len(entry.body) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.body)
    if batch:
        yield batch
