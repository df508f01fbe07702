"""A machine: the real node, with hands that only pretend. What they do takes virtual time, and may fail."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from quiltwork.log import Body
from quiltwork.pretrain.beacon import Onion
from quiltwork.pretrain.duties import Holdings
from quiltwork.pretrain.effects import (
    Apply,
    Audit,
    Disclose,
    Effect,
    Fetch,
    Forget,
    Keep,
    Load,
    Result,
    Say,
    Train,
)
from quiltwork.pretrain.entries import Joined
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.node import Node
from quiltwork.pretrain.simulator.hub import Hub, Listener
from quiltwork.pretrain.simulator.toy import ToyTrainer, hash_of
from quiltwork.pretrain.simulator.world import HUB, SECOND, Transfer, World

NO_ANSWER = 2 * SECOND
"""How long it takes to find out that a holder does not answer."""

APPLYING = SECOND // 50
"""For a payload: a model of a million parameters on a laptop."""

REVEALS = 100
"""So few that long runs use chains up: then a machine makes another and joins again."""


class Machine:
    """A member at a place in the world. `speed` is in units per second."""

    cheat = ""
    """How it lies; nothing for the honest."""

    def __init__(
        self, place: int, world: World, hub: Hub, machines: dict[bytes, Machine], speed: float, size: int
    ) -> None:
        self.place, self.world, self.hub, self.machines = place, world, hub, machines
        self.author = bytes([1 + place // 256, place % 256]) + bytes(30)
        self.chance = Random(world.chance.random())  # noqa: S311 (a simulation)
        self.speed, self.size = speed, size
        self.alive = False
        self.lives = 0
        self.disk: dict[bytes, bytes] = {}
        """Blobs and optimizer states: what survives a crash, unless the disk is lost."""
        self._states: set[bytes] = set()
        self._secret = b""
        machines[self.author] = self

    # --- life ---------------------------------------------------------------------------------------------------------

    def boot(self, *, disk_lost: bool = False) -> None:
        """Start, or start again: read the log from the beginning."""
        if disk_lost or not self._secret:
            self.disk, self._states = {}, set()
            self._secret = self.chance.randbytes(32)
        self.alive = True
        self.lives += 1
        self._busy = self.world.now
        onion = Onion(self._secret, REVEALS)
        holdings = Holdings(self._joining(onion), onion, states=set(self._states))
        holdings.blobs = set(self.disk)
        self.trainer = ToyTrainer(self.size)
        self.node = Node(self.author, holdings)
        self.hub.listeners[self.place] = self._listener()
        self.hub.send(self.place)

    def _joining(self, onion: Onion) -> Joined:
        return Joined(onion.anchor, (f"sim://{self.place}",))

    def _renew_onion(self) -> None:
        member = self.node.state.members.get(self.author)
        if member is not None and member.revealed >= REVEALS - 1:
            self._secret = self.chance.randbytes(32)
            onion = Onion(self._secret, REVEALS)
            self.node.mine.onion, self.node.mine.joining = onion, self._joining(onion)

    def crash(self) -> None:
        """Stop at once; what was being done is lost."""
        self.alive = False
        self.lives += 1

    def _listener(self) -> Listener:
        life = self.lives

        def hear(state: RunState) -> None:
            if self.lives == life:
                self.node.state = state
                self._renew_onion()
                self.go_on()

        return hear

    def go_on(self) -> None:
        """Begin what the node wants done."""
        for effect in self.node.effects():
            self.begin(effect)

    def _done(self, effect: Effect, result: Result = None) -> None:
        self.node.done(effect, result)
        self.go_on()

    def _later(self, duration: int, event: Callable[[], None]) -> None:
        """Let something happen in this life of the machine."""
        life = self.lives
        self.world.after(duration, lambda: event() if self.lives == life else None)

    def _computed(self, duration: int, event: Callable[[], None]) -> None:
        """The same, after what is computed already: training, applying and auditing share the cores."""
        self._busy = max(self._busy, self.world.now) + duration
        self._later(self._busy - self.world.now, event)

    # --- hands --------------------------------------------------------------------------------------------------------

    def begin(self, effect: Effect) -> None:
        """Carry an effect out."""
        match effect:
            case Say():
                self.say(effect, effect.body)
            case Load():
                self._load(effect)
            case Fetch():
                self._fetch(effect, self._route(effect.holders), lambda blob: self._fetched(effect, blob))
            case Train():
                duration = round(len(effect.units) / self.speed * SECOND * self.chance.uniform(0.9, 1.2))
                self._computed(duration, lambda: self.trained(effect))
            case Apply():
                self._computed(APPLYING * (1 + len(effect.closed.accepted)), lambda: self._apply(effect))
            case Keep():
                self._computed(SECOND, lambda: self._keep(effect))
            case Disclose():
                self._later(SECOND // 10, lambda: self._disclose(effect))
            case Audit():
                duration = round(len(effect.committed.units) / self.speed * SECOND)
                self._computed(duration, lambda: self.audited(effect))
            case Forget():
                self._forget(effect)

    def say(self, effect: Say, body: Body) -> None:
        """Send something to the log."""
        self._deliver(body, lambda: self._done(effect))

    def _deliver(self, body: Body, appended: Callable[[], None]) -> None:
        """What a partition holds up leaves later; what has left arrives, though the machine crashes meanwhile."""
        life, world = self.lives, self.world

        def back() -> None:
            world.after(world.hop(self.place), lambda: appended() if self.lives == life else None)

        def leave() -> None:
            if self.lives == life:
                world.after(world.hop(self.place), lambda: self.hub.submit((self.author, body), back))

        leaves = world.healed_by(HUB, self.place, world.now)
        if leaves > world.now:
            world.at(leaves, leave)
        else:
            leave()

    def serves(self, blob: bytes) -> bytes | None:
        """Give a blob to whoever asks for it."""
        return self.disk.get(blob) if self.alive else None

    def _route(self, holders: tuple[bytes, ...]) -> list[Machine]:
        return [self.machines[author] for author in holders if author in self.machines and author != self.author]

    def _fetch(self, effect: Fetch | Load, route: list[Machine], got: Callable[[bytes], None]) -> None:
        """Ask one holder after the other."""
        if not self.node.is_wanted(effect):
            return
        if not route:
            self.node.failed(effect, "no holder has it")
            self._later(SECOND // 2, self.go_on)
            return
        holder, rest = route[0], route[1:]
        wanted = effect.blob if isinstance(effect, Fetch) else _manifest(effect)
        blob = holder.serves(wanted)
        if blob is None or not self.world.reachable(holder.place, self.place, self.world.now):
            self._later(NO_ANSWER, lambda: self._fetch(effect, rest, got))
            return
        size = effect.size if isinstance(effect, Fetch) else 100 * self.size
        life, its_life = self.lives, holder.lives

        def is_wanted() -> bool:
            return self.lives == life and self.node.is_wanted(effect)

        def arrived() -> None:
            if not is_wanted():
                return
            if holder.lives == its_life and self.world.reachable(holder.place, self.place, self.world.now):
                got(blob)
            else:
                self._later(NO_ANSWER, lambda: self._fetch(effect, rest, got))

        self.world.send(Transfer(holder.place, self.place, size, is_wanted, arrived))

    def _fetched(self, effect: Fetch, blob: bytes) -> None:
        why = self.trainer.check(blob, effect.purpose)
        if not why:
            self.disk[effect.blob] = blob
        self._done(effect, why)

    def _load(self, effect: Load) -> None:
        if effect.checkpoint is None:
            self._later(SECOND, lambda: self._done(effect, self.trainer.load(effect, b"")))
            return
        mine = self.disk.get(effect.checkpoint.manifest)
        if mine is not None:
            self._later(SECOND, lambda: self._loaded(effect, mine))
        else:
            self._fetch(effect, self._route(effect.holders), lambda blob: self._loaded(effect, blob))

    def _loaded(self, effect: Load, manifest: bytes) -> None:
        self.disk[_manifest(effect)] = manifest
        try:
            loaded = self.trainer.load(effect, manifest)
        except ValueError as error:
            self.node.failed(effect, str(error))
            self.go_on()
        else:
            self._done(effect, loaded)

    def trained(self, effect: Train) -> None:
        """An update is ready."""
        if effect.base not in self.trainer.models:
            self.node.failed(effect, "the model changed in between")
            return
        result, blob = self.trainer.train(effect)
        self.publish(blob)
        self._states.add(result.own)
        self._done(effect, result)

    def publish(self, blob: bytes) -> None:
        """Keep a blob for others."""
        self.disk[hash_of(blob)] = blob

    def _apply(self, effect: Apply) -> None:
        if effect.closed.number - 1 not in self.trainer.models:
            self.node.failed(effect, "the model changed in between")
            return
        result = self.trainer.apply(effect)
        if not self.cheat:
            self.hub.referee.applied(effect.closed.number, result.model, rewinds=len(self.node.state.rewinds))
        self._done(effect, result)

    def _keep(self, effect: Keep) -> None:
        if effect.round not in self.trainer.models:
            self.node.failed(effect, "the model is not there any more")
            return
        result, blob = self.trainer.keep(effect.round)
        self.publish(blob)
        self._done(effect, result)

    def _disclose(self, effect: Disclose) -> None:
        result, blob = self.trainer.disclose(effect)
        self.publish(blob)
        self._done(effect, result)

    def audited(self, effect: Audit) -> None:
        """An update was computed again."""
        payload, disclosure = self.disk.get(effect.committed.payload), self.disk.get(effect.disclosure)
        if payload is None or disclosure is None or effect.base not in self.trainer.models:
            self.node.failed(effect, "what it needs is not there any more")
            return
        self._done(effect, self.trainer.audit(effect, payload, disclosure))

    def _forget(self, effect: Forget) -> None:
        self.trainer.forget(effect.models)
        self._done(effect)
        needed = self.node.mine.blobs | set(effect.manifests) | {kept.manifest for kept in self.node.mine.kept.values()}
        for blob in [blob for blob in self.disk if blob not in needed]:
            del self.disk[blob]
        self._states = set(self.node.mine.states)


def _manifest(effect: Load) -> bytes:
    assert effect.checkpoint is not None
    return effect.checkpoint.manifest
