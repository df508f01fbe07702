"""One member without its hands: it is fed entries and results, and gives effects. No clock, no network, no torch.

The same node runs in a process (`loop.py`) and in the simulator, so that what the simulator proves is true of the real one.
"""

from __future__ import annotations

from collections.abc import Hashable

from quiltwork.log import Entry
from quiltwork.pretrain.duties import Holdings, is_for_later, needed, next_by_clock, wanted
from quiltwork.pretrain.effects import (
    Applied,
    Apply,
    Audit,
    Disclose,
    Disclosed,
    Effect,
    Fetch,
    Finding,
    Forget,
    Keep,
    Kept,
    Load,
    Loaded,
    Result,
    Say,
    Train,
    Trained,
)
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.state import apply, apply_body

FIRST_PAUSE_NS = 250_000_000
LONGEST_PAUSE_NS = 8_000_000_000
"""After a failure an effect is tried again after a pause that doubles between these bounds."""

REPEAT_NS = 5_000_000_000
"""What was said and had no effect is said again after so long, if it is still so: a newcomer's `Joined`, say."""


class Node:
    """A member of a run, `author`."""

    def __init__(self, author: bytes, mine: Holdings) -> None:
        self.author = author
        self.state = RunState()
        self.mine = mine
        self._in_flight: dict[Hashable, Effect] = {}
        self._not_before: dict[Hashable, int] = {}
        self._pauses: dict[Hashable, int] = {}
        self._looked_at = -1
        """The news that the last look at the duties has seen; -1: something changed here since."""
        self._look_again = 0
        """When the clock alone is a reason to look."""

    def hear(self, entry: Entry) -> None:
        """Fold an entry."""
        apply(self.state, entry)

    def told(self, author: bytes, body: object, seq: int) -> None:
        """Fold what somebody said, where it is known already who did."""
        apply_body(self.state, author, body, seq)

    @property
    def finished(self) -> bool:
        """Whether the run is over, and this node has all of it."""
        loaded = self.mine.loaded
        return self.state.phase is Phase.FINISHED and (loaded is None or loaded.round >= self.state.last)

    def effects(self) -> list[Effect]:
        """What to begin now, beside what is being done already."""
        state = self.state
        if state.news == self._looked_at and state.now < self._look_again:
            return []
        self._looked_at, self._look_again = state.news, next_by_clock(state)
        self._give_up()
        begin = []
        for effect in list(wanted(state, self.author, self.mine)):
            key = effect.key
            if key in self._in_flight:
                continue
            pause = self._not_before.get(key, 0)
            if pause > state.now:
                self._look_again = min(self._look_again, pause)
                continue
            self._in_flight[key] = effect
            if isinstance(effect, Fetch):
                self.mine.coming.add(effect.blob)
            begin.append(effect)
        return begin

    def is_wanted(self, effect: Effect) -> bool:
        """Whether an effect that was begun is wanted still. What is not may be broken off, and needs no report."""
        begun = self._in_flight.get(effect.key)
        return begun is effect or begun == effect

    def _give_up(self) -> None:
        """Blobs that nobody needs any more must not stand in the way of those that are needed."""
        if self.mine.coming:
            for blob in self.mine.coming - needed(self.state, self.author, self.mine):
                self._end(self._in_flight[Fetch.key_of(blob)])

    def _end(self, effect: Effect) -> None:
        self._in_flight.pop(effect.key, None)
        if isinstance(effect, Fetch):
            self.mine.coming.discard(effect.blob)

    def failed(self, effect: Effect, why: str) -> None:
        """An effect could not be carried out; it is tried again after a pause, if it is still wanted."""
        self._end(effect)
        self._looked_at = -1
        self.mine.failures[effect.key] = self.mine.failures.get(effect.key, 0) + 1
        if isinstance(effect, Load):
            self.mine.useless[effect.manifest] = self.mine.useless.get(effect.manifest, 0) + 1
        pause = self._pauses.get(effect.key, FIRST_PAUSE_NS)
        self._pauses[effect.key] = min(2 * pause, LONGEST_PAUSE_NS)
        self._not_before[effect.key] = self.state.now + pause

    def done(self, effect: Effect, result: Result = None) -> None:
        """An effect was carried out."""
        self._end(effect)
        for marks in (self._pauses, self._not_before, self.mine.failures):
            marks.pop(effect.key, None)
        if isinstance(effect, Say) and result is None:  # no reason to look at the duties: the log will tell
            self._not_before[effect.key] = self.state.now + REPEAT_NS
            self._look_again = min(self._look_again, self.state.now + REPEAT_NS)
            return
        if isinstance(effect, Fetch):
            self._fetched(effect, result)
            return
        self._looked_at = -1
        match effect, result:
            case Load(), Loaded():
                self._hold(result)
                self.mine.models = {result.round: result.model}
                self.mine.kept.clear()  # of what came after it, another model may have been kept
                self.mine.useless.clear()
            case Train(), Trained():
                self.mine.trained[effect.round] = (effect, result)
                self.mine.states.add(result.own)
                self.mine.blobs.add(result.payload)
            case Apply(), Applied():
                self._hold(Loaded(effect.closed.number, result.model))
            case Keep(), Kept():
                self.mine.kept[effect.round] = result
            case Disclose(), Disclosed():
                self.mine.disclosed[effect.round] = result
                self.mine.blobs.add(result.disclosure)
            case Audit(), Finding():
                self.mine.findings[effect.committed.round, effect.member] = result
            case Forget(), None:
                self._forget(effect)
            case _:
                raise TypeError(f"{effect} cannot be done with {result}")

    def _fetched(self, fetch: Fetch, result: Result) -> None:
        if isinstance(result, str) and result:
            self.mine.malformed[fetch.blob] = result
            self._looked_at = -1
            return
        self.mine.blobs.add(fetch.blob)
        if not is_for_later(self.state, self.author, self.mine, fetch.blob):
            self._looked_at = -1

    def _hold(self, loaded: Loaded) -> None:
        self.mine.loaded = loaded
        self.mine.models[loaded.round] = loaded.model

    def _forget(self, forget: Forget) -> None:
        mine = self.mine
        mine.forgotten = forget.rounds
        needed = {commit.body.payload for closed in self.state.closed.values() for commit in closed.commits}
        needed |= {disclosure for disclosure, _ in self.state.disclosures.values()}
        needed |= {each.disclosure for number, each in mine.disclosed.items() if number >= forget.models}
        needed |= {result.payload for _, result in mine.trained.values()}  # on its way into the log
        if self.state.round is not None:
            needed |= {commit.body.payload for commit in self.state.round.commits}
        mine.blobs &= needed
        mine.states &= forget.states | {result.own for _, result in mine.trained.values()}
        for table in (mine.models, mine.trained, mine.kept, mine.disclosed):
            for old in [number for number in table if number < forget.models]:
                del table[old]
        for key in [key for key in mine.findings if key[0] < forget.models]:
            del mine.findings[key]
        for blob in [blob for blob in mine.malformed if blob not in needed]:
            del mine.malformed[blob]
        for marks in (self._not_before, self._pauses, mine.failures):
            for mark in [mark for mark in marks if _is_over(mark, forget.models, needed)]:
                del marks[mark]


def _is_over(key: Hashable, models: int, needed: set[bytes]) -> bool:
    """Whether an effect is about a blob that nobody needs, or a round before these models."""
    match key:
        case ("fetch", blob):
            return blob not in needed
        case (_, int(round), *_):
            return round < models
        case _:
            return False
