"""A run that is told to the fold, entry by entry, without a log: what tests of the fold are written with."""

from __future__ import annotations

from functools import cache
from typing import Any

from blake3 import blake3

from quiltwork.log import Body
from quiltwork.pretrain.beacon import Onion
from quiltwork.pretrain.bitmap import Bitmap
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import (
    Attested,
    Checkpointed,
    Committed,
    Created,
    Hashed,
    Joined,
    Ready,
    Ticked,
)
from quiltwork.pretrain.facts import Closed, Member, Phase, Round, RunState
from quiltwork.pretrain.state import apply_body

SECOND = 10**9
START = 1_700_000_000 * SECOND
REVEALS = 64


def hash_of(text: str) -> bytes:
    return blake3(text.encode()).digest()


OWNER = hash_of("owner")
STRANGER = hash_of("stranger")


def key(place: int) -> bytes:
    return bytes([1 + place]) * 32


A, B, C, D, E = (key(place) for place in range(5))


def model(round: int) -> bytes:
    return hash_of(f"model {round}")


@cache
def onion(author: bytes, life: int = 0) -> Onion:
    return Onion(blake3(author + bytes([life])).digest(), REVEALS)


def joined(author: bytes, **said: Any) -> Joined:
    return Joined(**{"beacon": onion(author).anchor, **said})


RULES: dict[str, Any] = {
    "init_min_clients": 3,
    "min_clients": 1,
    "waiting_for_members_extra_time": 0,
    "global_batch_size_start": 12,
    "global_batch_size_end": 12,
    "unit_sequences": 2,
    "sequence_length": 16,
    "verification_percent": 0,
    "epoch_time": 86_400,
    "total_steps": 1_000,
}
"""Six units a round; nothing happens by itself but what a test is about."""


def rules(**changes: Any) -> Coordinator:
    return Coordinator.model_validate({**RULES, **changes})


def created(coordinator: Coordinator | str | None = None, **said: Any) -> Created:
    text = coordinator if isinstance(coordinator, str) else (coordinator or rules()).model_dump_json()
    return Created(**{"run_id": "told", "coordinator": text, "work": "{}", "seed": hash_of("seed"), **said})


class Told:
    """A run. What is said returns why it did not fit, or nothing."""

    def __init__(self, *, model_0: bytes | None = None, **changes: Any) -> None:
        self.state = RunState()
        self.said: list[tuple[bytes, object]] = []
        begin = created(rules(**changes), model=model(0) if model_0 is None else model_0)
        assert self.say(OWNER, begin) == ""
        if self.state.config.clock == "owner":
            self.fits(OWNER, Ticked(START))

    def say(self, author: bytes, body: object) -> str:
        issues = self.state.issue_count
        self.said.append((author, body))
        apply_body(self.state, author, body, len(self.said) - 1)
        return self.state.issues[-1][1] if self.state.issue_count > issues else ""

    def fits(self, author: bytes, *bodies: Body) -> None:
        for body in bodies:
            issue = self.say(author, body)
            assert issue == "", issue

    def wait(self, seconds: float) -> None:
        assert self.say(OWNER, Ticked(self.state.now + round(seconds * SECOND))) == ""

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        return self.state.phase

    @property
    def round(self) -> Round:
        assert self.state.round is not None
        return self.state.round

    @property
    def closed(self) -> Closed:
        """The last round that is over."""
        return self.state.closed[self.state.last]

    def member(self, author: bytes) -> Member:
        return self.state.members[author]

    # --- what members say ---------------------------------------------------------------------------------------------

    def join(self, *authors: bytes, **said: Any) -> None:
        for author in authors:
            self.fits(author, joined(author, **said))

    def ready(self, *authors: bytes) -> None:
        for author in authors:
            self.fits(author, Ready(self.state.last, model(self.state.last)))

    def commitment(self, author: bytes, **changes: Any) -> Committed:
        round = self.round
        name = f"round {round.number} of {author[:1].hex()}"
        honest: dict[str, Any] = {
            "round": round.number,
            "units": round.assigned.get(author, ()),
            "payload": hash_of(f"payload, {name}"),
            "size": 1_000,
            "model": model(round.base),
            "own": hash_of(f"state, {name}"),
        }
        return Committed(**{**honest, **changes})

    def commit(self, *authors: bytes, **changes: Any) -> None:
        for author in authors:
            self.fits(author, self.commitment(author, **changes))

    def attestation(self, author: bytes, held: list[int] | None = None) -> Attested:
        round, member = self.round, self.member(author)
        numbers = range(len(round.commits)) if held is None else held
        bitmap = Bitmap.of(len(round.commits), numbers)
        life = next(life for life in range(9) if onion(author, life).anchor == member.said.beacon)
        return Attested(round.number, bitmap.to_bytes(), onion(author, life).reveal(member.revealed + 1))

    def attest(self, *authors: bytes, held: list[int] | None = None) -> None:
        for author in authors:
            self.fits(author, self.attestation(author, held))

    def hash(self, *authors: bytes) -> None:
        for author in authors:
            self.fits(author, Hashed(self.state.last, model(self.state.last)))

    # --- longer stories -----------------------------------------------------------------------------------------------

    def begin(self, *authors: bytes) -> Told:
        """Let members join and be ready: the first round is open."""
        self.join(*authors)
        self.ready(*authors)
        assert self.phase is Phase.ROUND_TRAIN
        return self

    def train(self, *authors: bytes, seconds: float = 1) -> None:
        """Let members commit; without names, all that were given something."""
        self.wait(seconds)
        self.commit(*(authors or self.round.assigned))

    def play(self, rounds: int = 1) -> None:
        """Let so many rounds pass in which everybody does what it should."""
        for _ in range(rounds):
            roster, number = self.round.roster, self.round.number
            self.train()
            self.attest(*(author for author in self.round.witnesses if author in self.round.awaited))
            assert self.state.last == number
            self.hash(*roster)

    def checkpoint(self, author: bytes, round: int | None = None, **changes: Any) -> Checkpointed:
        number = self.state.last if round is None else round
        honest: dict[str, Any] = {
            "round": number,
            "model": model(number),
            "manifest": hash_of(f"manifest {number}"),
            "manifest_size": 100,
            "size": 10_000,
        }
        return Checkpointed(**{**honest, **changes})


def told(*authors: bytes, **changes: Any) -> Told:
    """A run whose first round is open to these members."""
    changes = {"init_min_clients": len(authors), **changes}
    return Told(**changes).begin(*authors)
