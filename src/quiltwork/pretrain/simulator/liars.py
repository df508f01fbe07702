"""Machines that cheat, each in one way. What they cannot do is forge a signature or find a blob for a hash."""

from __future__ import annotations

from msgspec.structs import replace

from quiltwork.log import Body
from quiltwork.pretrain.bitmap import Bitmap
from quiltwork.pretrain.effects import Audit, Effect, Finding, Say, Train, Trained
from quiltwork.pretrain.entries import (
    Attested,
    Challenged,
    Checkpointed,
    Committed,
    Hashed,
    Judged,
    Ready,
    Responded,
    Undisclosed,
)
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.toy import blob_of, hash_of, state_after, update
from quiltwork.pretrain.simulator.world import SECOND


class Lazy(Machine):
    """Sends an update that was not made from its units."""

    cheat = "lazy"

    def trained(self, effect: Train) -> None:
        """See Machine."""
        blob = update(self.chance.randbytes(32), effect.own, effect.units)
        self.publish(blob)
        own = state_after(effect.own, blob)
        self._states.add(own)
        self._done(effect, Trained(hash_of(blob), self.size, own, loss=0.5))


class Hider(Lazy):
    """The same; when it is audited it says that it has disclosed its states, and gives them to nobody."""

    cheat = "hider"

    def serves(self, blob: bytes) -> bytes | None:
        """See Machine."""
        is_disclosed = any(blob == disclosed.disclosure for disclosed in self.node.mine.disclosed.values())
        return None if is_disclosed else super().serves(blob)


class Garbler(Machine):
    """Sends updates that are not even well formed."""

    cheat = "garbler"

    def trained(self, effect: Train) -> None:
        """See Machine."""
        blob = blob_of("garbled", effect.round, self.place)
        self.publish(blob)
        own = state_after(effect.own, blob)
        self._states.add(own)
        self._done(effect, Trained(hash_of(blob), self.size, own, loss=0.5))


class Withholder(Machine):
    """Commits, and gives its updates to nobody."""

    cheat = "withholder"

    def serves(self, blob: bytes) -> bytes | None:
        """See Machine."""
        return None


class FalseWitness(Machine):
    """Attests that it holds everything, or nothing, whatever it has."""

    cheat = "false witness"

    def say(self, effect: Say, body: Body) -> None:
        """See Machine."""
        if isinstance(body, Attested) and self.node.state.round is not None:
            size = len(self.node.state.round.commits)
            lie = Bitmap.of(size, range(size) if self.chance.random() < 0.7 else ())
            body = Attested(body.round, lie.to_bytes(), body.reveal)
        super().say(effect, body)


class FalseVoter(Machine):
    """Says that its model is another one."""

    cheat = "false voter"

    def say(self, effect: Say, body: Body) -> None:
        """See Machine."""
        if isinstance(body, Hashed | Ready) and self.chance.random() < 0.5:
            body = type(body)(body.round, self.chance.randbytes(32))
        super().say(effect, body)


class FalseKeeper(Machine):
    """Keeps checkpoints that nobody can load."""

    cheat = "false keeper"

    def say(self, effect: Say, body: Body) -> None:
        """See Machine."""
        if isinstance(body, Checkpointed):
            body = replace(body, manifest=self.chance.randbytes(32))
        super().say(effect, body)


class FalseJudge(Machine):
    """Calls the honest guilty and the guilty honest, or says that it cannot get what they disclosed."""

    cheat = "false judge"

    def audited(self, effect: Audit) -> None:
        """See Machine."""
        guilty = self.machines[effect.member].cheat == "lazy"
        self._done(effect, Finding(guilty, float(guilty), "made up"))

    def say(self, effect: Say, body: Body) -> None:
        """See Machine."""
        if isinstance(body, Judged) and self.chance.random() < 0.2:
            body = Undisclosed(body.round, body.member)
        super().say(effect, body)


class Copycat(Machine):
    """Commits the payload of whoever was first."""

    cheat = "copycat"

    def say(self, effect: Say, body: Body) -> None:
        """See Machine."""
        if isinstance(body, Committed) and self.node.state.round is not None and self.node.state.round.commits:
            other = self.node.state.round.commits[0].body
            body = Committed(body.round, body.units, other.payload, other.size, body.model, body.own)
        super().say(effect, body)


class Flooder(Machine):
    """Says at every turn what it may not: other rounds, other units, verdicts on everybody, checkpoints of nothing."""

    cheat = "flooder"

    def begin(self, effect: Effect) -> None:
        """See Machine."""
        super().begin(effect)
        if isinstance(effect, Train):
            self._later(SECOND // 10, self._flood)

    def _flood(self) -> None:
        chance = self.chance
        number = self.node.state.last + chance.randint(-2, 3)
        hash = chance.randbytes(32)
        victim = chance.choice(list(self.machines))
        for body in (
            Committed(number, (chance.randrange(1000),), hash, 1, hash, hash),
            Committed(self.node.state.last, tuple(range(1000)), hash, 1, hash, hash),
            Checkpointed(self.node.state.last, self.node.state.agreed.get(self.node.state.last, hash), hash, 1),
            Responded(number, hash, 1),
            Undisclosed(number, victim),
            Challenged(number, victim),
            Attested(number, chance.randbytes(1), hash),
            Judged(number, victim, False, 0.0, "made up"),
            Hashed(number + 7, hash),
        ):
            self._deliver(body, lambda: None)


LIARS = (
    Lazy,
    Hider,
    Garbler,
    Withholder,
    Copycat,
    FalseWitness,
    FalseVoter,
    FalseKeeper,
    FalseJudge,
    Flooder,
)
