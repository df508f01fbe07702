"""One node at its place in a run that is told: what it wants done, and hands that do it at once and rightly."""

from __future__ import annotations

from typing import Any, TypeVar

from quiltwork.pretrain.duties import Holdings
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
from quiltwork.pretrain.facts import Phase
from quiltwork.pretrain.node import Node
from tests.pretrain.telling import SECOND, A, B, C, D, Told, hash_of, joined, model, onion

OTHERS = (A, B, C)

E = TypeVar("E", bound=Effect)
DONE = object()


class Seat:
    """A node that hears all that is said in a run. What it says is said in the run."""

    def __init__(self, run: Told, author: bytes, *, life: int = 0, states: set[bytes] | None = None) -> None:
        self.run, self.author = run, author
        chain = onion(author, life)
        self.node = Node(author, Holdings(joined(author, beacon=chain.anchor), chain, states=set(states or ())))
        self._heard = 0
        self.begun: list[Effect] = []
        """All that it wanted, in order."""

    def look(self) -> list[Effect]:
        """Hear what is new, and give what the node wants begun."""
        for seq in range(self._heard, len(self.run.said)):
            author, body = self.run.said[seq]
            self.node.told(author, body, seq)
        self._heard = len(self.run.said)
        effects = self.node.effects()
        self.begun += effects
        return effects

    def wants(self, sort: type[E]) -> list[E]:
        """Look, and give what is wanted of one sort."""
        return [effect for effect in self.look() if isinstance(effect, sort)]

    def does(self, effect: Effect, result: Result | object = DONE) -> None:
        """Carry an effect out: rightly, if no result is given."""
        if isinstance(effect, Say):
            self.run.say(self.author, effect.body)
        self.node.done(effect, self._right(effect) if result is DONE else result)  # type: ignore[arg-type]

    def _right(self, effect: Effect) -> Result:
        match effect:
            case Load(checkpoint=None):
                return Loaded(0, model(0))
            case Load(checkpoint=body) if body is not None:
                return Loaded(body.round, body.model)
            case Fetch():
                return ""
            case Train():
                name = f"round {effect.round} of {self.author[:1].hex()}"
                return Trained(hash_of(f"payload, {name}"), 1_000, hash_of(f"state, {name}"), 1.0)
            case Apply():
                return Applied(model(effect.closed.number))
            case Keep():
                return Kept(hash_of(f"manifest {effect.round}"), 100, 10_000)
            case Disclose():
                return Disclosed(hash_of(f"disclosure of {self.author.hex()} in {effect.round}"), 10_000)
            case Audit():
                return Finding(True, 1.0, "alike")
            case Forget() | Say():
                return None
        raise TypeError(f"nobody does {effect}")

    def lives(self, *leave: type[Effect]) -> list[Effect]:
        """Do all that is wanted, until nothing is, but leave some sorts of it undone. Gives what was done."""
        done: list[Effect] = []
        left: list[Effect] = []
        while effects := self.look():
            for effect in effects:
                if isinstance(effect, leave):
                    left.append(effect)
                else:
                    self.does(effect)
                    done.append(effect)
        return done

    def said(self) -> list[object]:
        """All that it has wanted to say."""
        return [effect.body for effect in self.begun if isinstance(effect, Say)]


def seated(**changes: Any) -> tuple[Told, Seat]:
    """A run in whose first round D has been given work, and the seat of D, which has not begun with it."""
    run = Told(**{"init_min_clients": 4, **changes})
    run.join(*OTHERS)
    seat = Seat(run, D)
    seat.lives()
    run.ready(*OTHERS)
    assert D in run.round.assigned
    return run, seat


def others_train(run: Told) -> None:
    run.commit(*(author for author in OTHERS if author in run.round.assigned))


def others_attest(run: Told) -> None:
    for author in OTHERS:
        if run.phase is Phase.ROUND_WITNESS and author in run.round.awaited:
            run.attest(author)


def without_d(run: Told, rounds: int = 1) -> None:
    """Rounds of which D is a member, but in which it is silent."""
    for _ in range(rounds):
        others_train(run)
        if run.phase is Phase.ROUND_TRAIN:
            run.wait(run.round.longest / SECOND)
        others_attest(run)
        if run.phase is Phase.ROUND_WITNESS:
            run.wait(run.round.longest / SECOND)
        run.hash(*OTHERS)
