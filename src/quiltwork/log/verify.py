"""Is this log what its authors signed? Whole, in order, and by whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from quiltwork import keys
from quiltwork.log.entry import Entry
from quiltwork.log.protocol import EMPTY, Broken, Head, Log, chain_on
from quiltwork.log.statement import Refused, Speakers


class Verified(NamedTuple):
    """What verification found: the number of entries, where they end, and how many each author speaks in.

    A relayed statement counts for its own author: see `Speakers`.
    """

    count: int  # type: ignore[assignment]  # a NamedTuple hides tuple.count
    head: Head
    authors: Mapping[bytes, int]


def verify(
    log: Log, signatures: bool = True, authors: Collection[bytes] | None = None, expect: Head | None = None
) -> Verified:
    """Read the whole log and check it; raise Broken at the first entry that is wrong.

    The chain of hashes shows every entry that was changed, removed, put in or moved, as long as one after it is as it
    was; signatures show it for the last one too, and who wrote each. Without `signatures` the chain alone is checked,
    much faster, which finds damage but not a forger. `authors`, if given, are the only ones who may have signed.
    A relayed statement that is not heard is wrong, too: no sequencer appends one. Its signature is checked like an
    entry's, and its author must be among `authors` as well as the author of the entry that carries it.
    `expect` is a head that this log is known to have had: a log that no longer reaches it was cut, and one that has
    another entry there was rewritten. Without it, nobody can tell a log that was cut from one that never went on.
    """
    head = EMPTY
    counts: dict[bytes, int] = {}
    speakers = Speakers(signatures=signatures)
    expected_seen = expect is None or expect == EMPTY
    for entry in log.read():
        head = chain_on((entry,), head)
        check_author(entry, head.hash, signatures=signatures, authors=authors)
        said = speakers.attribute(entry)
        if isinstance(said, Refused):
            raise Broken(entry.seq, str(said))
        if said is not entry:
            check_allowed(entry.seq, said.author, authors)
        counts[said.author] = counts.get(said.author, 0) + 1
        if expect is not None and head.length == expect.length:
            if head.hash != expect.hash:
                raise Broken(entry.seq, f"its hash is {head.hash.hex()}, but {expect.hash.hex()} is expected there")
            expected_seen = True
    if expect is not None and not expected_seen:
        raise Broken(head.length, f"the log ends before it, but {expect.length} entries are expected")
    return Verified(head.length, head, counts)


def check_author(
    entry: Entry, own_hash: bytes, *, signatures: bool = True, authors: Collection[bytes] | None = None
) -> None:
    """Check who signed one entry; raise Broken if nobody did, or somebody who may not."""
    check_allowed(entry.seq, entry.author, authors)
    if signatures and not keys.verify(entry.author, own_hash, entry.signature):
        raise Broken(entry.seq, f"its signature is not that of {entry.author.hex()} for this content")


def check_allowed(seq: int, author: bytes, authors: Collection[bytes] | None) -> None:
    """Check that somebody may speak in entry `seq`; raise Broken if not. None allows all."""
    if authors is not None and author not in authors:
        raise Broken(seq, f"{author.hex()} signed it, who is not among the expected authors")
