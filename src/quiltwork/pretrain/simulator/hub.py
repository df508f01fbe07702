"""The log's server: orders what arrives, says the time, and sends every entry to every machine, in order."""

from __future__ import annotations

from collections.abc import Callable

from quiltwork.pretrain.entries import Ticked
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.simulator.beginnings import Beginnings, Said
from quiltwork.pretrain.simulator.referee import Referee
from quiltwork.pretrain.simulator.world import HUB, SECOND, World

TICK = SECOND // 2
"""As Psyche's server."""

GATHER = SECOND // 50
"""What arrives within this time is appended and sent on together, as the real sequencer does under load."""

Listener = Callable[[RunState], None]


class Hub:
    """The log: who said what. `owner` says the time."""

    def __init__(self, world: World, owner: bytes, referee: Referee, *, checked: bool = True) -> None:
        self.world, self.owner, self.referee = world, owner, referee
        self.log: list[Said] = []
        self.listeners: dict[int, Listener] = {}
        """Machine -> what to call when more of the log has arrived there, with what that folds to."""
        self._beginnings = Beginnings(self.log, checked)
        self._heard: dict[int, int] = {}
        """Machine -> the number of entries that have arrived there."""
        self._cut_off: set[int] = set()
        """Machines to which all is sent that has been said when they are reached again."""
        self._gathered: list[tuple[Said, Callable[[], None]]] = []
        self._arrival: dict[int, int] = {}

    def start(self, created: object) -> None:
        """Begin the log and the clock."""
        self._append([(self.owner, created), (self.owner, Ticked(self.world.now))])
        self.world.after(TICK, self._tick)

    def order(self, body: object) -> None:
        """The owner says something."""
        self._append([(self.owner, Ticked(self.world.now)), (self.owner, body)])

    def submit(self, said: Said, appended: Callable[[], None]) -> None:
        """Take something that a machine says; `appended` is called when it is in the log."""
        if not self._gathered:
            self.world.after(GATHER, self._flush)
        self._gathered.append((said, appended))

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._append([(self.owner, Ticked(self.world.now)), *(said for said, _ in gathered)])
        for _, appended in gathered:
            appended()

    def _tick(self) -> None:
        if self.world.now - self.referee.state.now >= TICK:
            self._append([(self.owner, Ticked(self.world.now))])
        self.world.after(TICK, self._tick)

    def _append(self, said: list[Said]) -> None:
        news, last = self.referee.state.news, self.referee.state.last
        for author, body in said:
            self.referee.see(author, body, len(self.log))
            self.log.append((author, body))
        is_news = self.referee.state.news != news or any(type(body) is not Ticked for _, body in said)
        self._beginnings.add(self.referee.state, is_news=is_news)
        if self.referee.state.last != last:
            self.world.interrupt()
        for place in self.listeners:
            self.send(place)

    def send(self, place: int) -> None:
        """Let a machine know of all that is in the log: one stream, in order, over its link."""
        world = self.world
        if place in self._cut_off:
            return
        leaves = world.healed_by(HUB, place, world.now)
        if leaves > world.now:
            self._cut_off.add(place)
            world.at(leaves, lambda: self._send_again(place))
            return
        arrives = max(leaves + world.hop(place), self._arrival.get(place, 0))
        self._arrival[place] = arrives
        entries = self._beginnings.promise()
        world.at(arrives, lambda: self._arrived(place, entries))

    def _send_again(self, place: int) -> None:
        self._cut_off.discard(place)
        self.send(place)

    def _arrived(self, place: int, entries: int) -> None:
        before = self._heard.get(place)
        self._heard[place] = entries
        self.listeners[place](self._beginnings.look(entries))
        if before is not None:
            self._beginnings.done_with(before)
