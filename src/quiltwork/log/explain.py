"""Why is this so? The way back from an entry to the entries and blobs that it rests on, proven on the way.

What an entry rests on is for its room to say: see `Body.links`. An entry rests on the earlier entries about the same
subject, and on the entries about the subjects that those name, as far as they were there before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from quiltwork.errors import UserError
from quiltwork.log.entry import Entry
from quiltwork.log.kinds import Body, Encoded, Links, Malformed, Unknown, decode
from quiltwork.log.protocol import EMPTY, Broken, Head, Log, chain_on
from quiltwork.log.statement import Refused, Speakers, Statement, check, said_in
from quiltwork.log.verify import check_author

SHORTEST_PREFIX = 6
"""Digits of a hash that name an entry: fewer are ambiguous soon, and look like a number."""


class EntryNotFound(UserError):
    """No entry, or more than one, goes by this name."""


@dataclass(frozen=True)
class Told:
    """One entry on the way, its signatures checked. `said` is who speaks in it: the entry, or the statement in it.

    The body of a statement that is not heard is the reason why not.
    """

    entry: Entry
    said: Entry | Statement
    body: Body | Unknown | Malformed | Refused

    @property
    def links(self) -> Links:
        """What it is about and rests on."""
        return self.body.links() if isinstance(self.body, Body) else Links()


@dataclass(frozen=True)
class Reason:
    """A subject, what was told about it until then, and what that rests on.

    `part` is what it was for the subject above it. `left_out` says why nothing more is told: shown elsewhere, or too deep.
    """

    about: str
    part: str = ""
    told: list[Told] = field(default_factory=list)
    because: list[Reason] = field(default_factory=list)
    left_out: str = ""


@dataclass(frozen=True)
class Explanation:
    """An entry, the head of the whole chain that holds it, and its reasons."""

    entry: Entry
    head: Head
    reason: Reason


def explain(log: Log, name: str, *, depth: int = 2, read: Callable[[Encoded], object] = decode) -> Explanation:
    """Walk back from the entry called `name`, a number or the beginning of a hash, over `depth` generations of subjects.

    Checks the whole chain, and the signatures of all entries that are told, and of the statements in them. `read` decodes
    an entry or a statement, for callers who load rooms when their kinds turn up. Raises EntryNotFound and Broken.
    """
    way = _Way(log, read)
    seq = way.find(name)
    return Explanation(way.entry(seq), way.head, way.reason(seq, depth))


class _Way:
    """The walk: which entries are about what, and which subjects have been told."""

    def __init__(self, log: Log, read: Callable[[Encoded], object]) -> None:
        self._log = log
        self._read = read
        self._about: dict[str, list[int]] = {}
        self._told: set[str] = set()
        self._unheard: dict[int, Refused] = {}
        self.head = EMPTY

    def find(self, name: str) -> int:
        """Check the chain, note what every entry is about, and give the number of the entry that is meant."""
        number = int(name) if name.isascii() and name.isdigit() and len(name) < SHORTEST_PREFIX * 3 else -1
        by_number, by_hash = False, []
        speakers = Speakers()
        for entry in self._log.read():
            self.head = chain_on((entry,), self.head)
            by_number = by_number or entry.seq == number
            if len(name) >= SHORTEST_PREFIX and self.head.hash.hex().startswith(name.lower()):
                by_hash.append(entry.seq)
            if isinstance(refused := speakers.attribute(entry), Refused):
                self._unheard[entry.seq] = refused
            about = self._tell(entry).links.about
            if about:
                self._about.setdefault(about, []).append(entry.seq)
        if by_number:
            return number
        if len(by_hash) != 1:
            found = (
                f"{len(by_hash)} entries have hashes that begin so" if by_hash else f"it has {self.head.length} entries"
            )
            raise EntryNotFound(
                f"The log has no single entry {name!r}: {found}. Give a number from 0, or at least {SHORTEST_PREFIX} "
                "digits of a hash; `quiltwork log show` lists both."
            )
        return by_hash[0]

    def entry(self, seq: int) -> Entry:
        return next(self._log.read(seq, seq + 1))

    def reason(self, seq: int, depth: int) -> Reason:
        """Tell of the subject of entry `seq` up to that entry."""
        told = self._prove(seq)
        if not told.links.about:
            return Reason("", told=[told], because=self._because([told], depth))
        return self._subject(told.links.about, "", seq + 1, depth)

    def _subject(self, about: str, part: str, before: int, depth: int) -> Reason:
        seqs = self._about.get(about, [])
        seqs = seqs[: bisect_left(seqs, before)]
        if about in self._told:
            return Reason(about, part, left_out="told elsewhere in this tree")
        if not seqs:
            return Reason(about, part, left_out=f"no entry before {before} tells of it")
        if depth < 0:
            return Reason(about, part, left_out="not followed: ask for a greater depth")
        self._told.add(about)
        told = [self._prove(seq) for seq in seqs]
        return Reason(about, part, told, self._because(told, depth))

    def _because(self, told: list[Told], depth: int) -> list[Reason]:
        named: dict[str, tuple[str, int]] = {}
        for each in told:
            for about, part in each.links.rests_on.items():
                if about != each.links.about:
                    named[about] = (part, each.entry.seq)  # known up to the last entry that names it
        return [self._subject(about, part, before, depth - 1) for about, (part, before) in named.items()]

    def _prove(self, seq: int) -> Told:
        told = self._tell(self.entry(seq))
        check_author(told.entry, told.entry.hash)
        if isinstance(told.said, Statement) and not isinstance(told.body, Refused) and (forged := check(told.said)):
            raise Broken(seq, str(forged))
        return told

    def _tell(self, entry: Entry) -> Told:
        said = said_in(entry)
        if entry.seq in self._unheard:
            return Told(entry, said, self._unheard[entry.seq])
        body = self._read(said)
        assert isinstance(body, Body | Unknown | Malformed)
        return Told(entry, said, body)
