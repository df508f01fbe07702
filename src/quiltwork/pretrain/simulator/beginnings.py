"""What each beginning of the log folds to: folded once, and looked at by all machines that have heard so much.

The fold is pure: whoever folds the same entries knows the same. Were 64 machines to fold every entry each for itself, a
simulation would do little else. So the state is copied at the end of every batch, before more is folded, and machines look at
copies. Nobody may change one: beside that the log is folded a second time, for nobody to see, and a copy that all have done
with must equal it. Had a machine told others something in another way than by the log, they would differ.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, fields
from operator import attrgetter

from quiltwork.pretrain.facts import Member, Round, RunState, Tally
from quiltwork.pretrain.simulator.referee import Violation
from quiltwork.pretrain.state import apply_body

Said = tuple[bytes, object]


@dataclass
class Beginnings:
    """States of a log, by the number of entries. Each is kept while somebody is to look at it still."""

    log: list[Said]
    checked: bool
    """Whether copies are compared with what the log folds to by itself."""
    _newest: int = 0
    _states: dict[int, RunState] = field(default_factory=dict)
    _awaited: Counter[int] = field(default_factory=Counter)
    _beside: RunState = field(default_factory=RunState)

    def add(self, state: RunState, *, is_news: bool) -> None:
        """Keep the state of the whole log as it is now. Where time alone has passed, nothing in it has changed."""
        before, self._newest = self._newest, len(self.log)
        last = self._states.get(before)
        self._states[self._newest] = copied(state) if is_news or last is None else later(last, state)
        self._done_with(before)

    def promise(self) -> int:
        """Promise to somebody that it can look at the state of the whole log. Gives the number of its entries."""
        self._awaited[len(self.log)] += 1
        return len(self.log)

    def look(self, entries: int) -> RunState:
        """Give what was promised. It is only to be looked at, and only until one is done with it."""
        return self._states[entries]

    def done_with(self, entries: int) -> None:
        """Let go of what was promised."""
        self._awaited[entries] -= 1
        self._done_with(entries)

    def _done_with(self, entries: int) -> None:
        if entries in self._states and self._awaited[entries] <= 0 and entries != len(self.log):
            del self._awaited[entries]
            seen = self._states.pop(entries)
            if self.checked:
                self._compare(entries, seen)

    def _compare(self, entries: int, seen: RunState) -> None:
        beside = self._beside
        if entries <= beside.entries:
            return
        beside.speakers = seen.speakers  # who hears what is said already knows who says it
        for number in range(beside.entries, entries):
            apply_body(beside, *self.log[number], number)
        if beside != seen:
            raise Violation(f"what machines look at after {entries} entries is not what these fold to")
        beside.closed = dict(seen.closed)  # equal, and not to be compared again one by one


_CONTAINERS = tuple(
    each.name for each in fields(RunState) if isinstance(getattr(RunState(), each.name), dict | list | deque)
)
_NUMBERS = ("now", "entries", "entered", "due")
"""What changes when a time is said, and nothing follows from it."""

_ALL_OF_A_STATE = attrgetter(*(each.name for each in fields(RunState)))
_ALL_OF_A_MEMBER = attrgetter(*(each.name for each in fields(Member)))
_ALL_OF_A_ROUND = attrgetter(*(each.name for each in fields(Round)))
_CHANGING = ("commits", "committed", "payloads", "attested", "reveals", "awaited")
"""What a round collects."""


def later(copy: RunState, state: RunState) -> RunState:
    """Copy a state that differs from the one that was copied last by the time alone: the rest can be shared by both copies."""
    again = RunState(*_ALL_OF_A_STATE(copy))
    for name in _NUMBERS:
        setattr(again, name, getattr(state, name))
    return again


def copied(state: RunState) -> RunState:
    """Copy all that a fold changes in place. What it replaces as a whole is shared, and the speakers, who are not heard here."""
    copy = RunState(*_ALL_OF_A_STATE(state))
    for name in _CONTAINERS:
        setattr(copy, name, getattr(state, name).copy())
    for author, member in state.members.items():
        copy.members[author] = Member(*_ALL_OF_A_MEMBER(member))
    for number, tally in state.tallies.items():
        counts = Counter[bytes]()
        counts.update(tally.counts)
        copy.tallies[number] = Tally(tally.electorate, tally.votes.copy(), counts, tally.present, tally.moves)
    for key, deprived in state.undisclosed.items():
        copy.undisclosed[key] = deprived.copy()
    if state.round is not None:
        copy.round = Round(*_ALL_OF_A_ROUND(state.round))
        for name in _CHANGING:
            setattr(copy.round, name, getattr(state.round, name).copy())
    return copy
