"""A run done once more, from its folder alone: every round applied again, a member's every step computed again.

The owner's folder has all that members published, so nobody has to be asked, and nobody believed. Rounds are applied from
model 0 on; where an old payload was let go of, that is said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quiltwork.blobs import BlobMissing, BlobStore, MemoryBlobs
from quiltwork.errors import UserError
from quiltwork.log import Log
from quiltwork.pretrain.effects import Apply, Load, Loaded
from quiltwork.pretrain.facts import Closed, RunState
from quiltwork.pretrain.optimizers.base import root
from quiltwork.pretrain.recipe import recipe_of
from quiltwork.pretrain.state import apply
from quiltwork.pretrain.trainer import Trainer


@dataclass(frozen=True)
class Retraced:
    """A round that was applied again. `agreed` is None where the members never agreed on a hash."""

    number: int
    model: bytes
    agreed: bytes | None

    @property
    def right(self) -> bool:
        """Whether the model is the one that the members agreed on."""
        return self.agreed is None or self.model == self.agreed


@dataclass(frozen=True)
class Recomputed:
    """A commitment that was computed again: how alike the updates are, and whether the state after it has the same root."""

    round: int
    units: tuple[int, ...]
    score: float
    same_state: bool


class _Layered:
    """The run's blobs to read; what is made on the way stays in memory."""

    def __init__(self, below: BlobStore) -> None:
        self._below, self._above = below, MemoryBlobs()

    def put(self, data: bytes) -> str:
        return self._above.put(data)

    def get(self, id: str) -> bytes:
        return self._above.get(id) if self._above.has(id) else self._below.get(id)

    def has(self, id: str) -> bool:
        return self._above.has(id) or self._below.has(id)


class Retrace:
    """Reads the log of a run whose payloads are in `blobs`. Use it as a context manager."""

    def __init__(self, log: Log, blobs: BlobStore, *, data: Path | None = None) -> None:
        self._log = log
        self._blobs = blobs
        self._data = data
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Retrace:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def closed_rounds(self) -> Iterator[tuple[RunState, Closed]]:
        """Fold the log; give every round when it is over, with the state at that entry."""
        state, last = RunState(), 0
        for entry in self._log.read():
            apply(state, entry)
            while last < state.last:
                last += 1
                yield state, state.closed[last]
        if state.created is None:
            raise UserError("The log holds no run of pretrain.")

    def trainer(self, state: RunState) -> Trainer:
        """A trainer of the run, at model 0."""
        assert state.created is not None
        made = Trainer(
            recipe_of(state.created),
            unit_sequences=state.config.unit_sequences,
            folder=Path(self._folder.name),
            blobs=_Layered(self._blobs),
            root=self._data,
        )
        made.load(Load(None, ()), self._blobs.get)
        return made

    def models(self, upto: int | None = None) -> Iterator[tuple[Trainer, Closed, Retraced]]:
        """Apply round after round, up to `upto`, and compare each model's hash with the one that was agreed on.

        Raises UserError if a payload is not there any more.
        """
        trainer: Trainer | None = None
        waiting: list[tuple[Closed, bytes]] = []
        for state, closed in self.closed_rounds():
            trainer = trainer or self.trainer(state)
            yield from self._settled(trainer, waiting, state)
            if upto is not None and closed.number > upto:
                break
            try:
                model = trainer.apply(Apply(closed)).model
            except BlobMissing as error:
                raise UserError(f"Round {closed.number} cannot be applied again: {error}") from error
            trainer.forget(closed.number - state.config.window, frozenset())
            waiting.append((closed, model))
        for closed, model in waiting:
            assert trainer is not None
            yield trainer, closed, Retraced(closed.number, model, self._last_agreed(closed.number))

    def kept(self) -> tuple[Trainer, Loaded]:
        """Load the newest checkpoint that the run has named and that is in the blobs. Raises UserError if none is."""
        state = RunState()
        for entry in self._log.read():
            apply(state, entry)
        if state.created is None:
            raise UserError("The log holds no run of pretrain.")
        for _, body in reversed(state.checkpoints):
            if self._blobs.has(body.manifest.hex()):
                trainer = self.trainer(state)
                return trainer, trainer.load(Load(body, ()), self._blobs.get)
        rounds = ", ".join(str(body.round) for _, body in state.checkpoints) or "none yet"
        raise UserError(
            f"The run's checkpoints (of the rounds: {rounds}) are not here. Name the home of a member that was there at its end."
        )

    def _settled(
        self, trainer: Trainer, waiting: list[tuple[Closed, bytes]], state: RunState
    ) -> Iterator[tuple[Trainer, Closed, Retraced]]:
        """Rounds on whose model the members have agreed by now."""
        while waiting and waiting[0][0].number in state.agreed:
            closed, model = waiting.pop(0)
            yield trainer, closed, Retraced(closed.number, model, state.agreed[closed.number])

    def _last_agreed(self, number: int) -> bytes | None:
        state = RunState()
        for entry in self._log.read():
            apply(state, entry)
        return state.agreed.get(number)

    def steps(self, author: bytes, upto: int) -> Iterator[Recomputed]:
        """Compute a member's commitments again, from its first to that of round `upto`, each from the state before it.

        The state is followed from the beginning, so this needs nothing that the member would have to disclose. After a step that
        differs the recomputed state goes on: it is what an honest member would have.
        """
        trainer: Trainer | None = None
        own = b""
        for state, closed in self.closed_rounds():
            trainer = trainer or self.trainer(state)
            commit = next((each for each in closed.commits if each.author == author), None)
            if commit is not None:
                body = commit.body
                before = trainer.own(own if commit.before else b"", closed.base)
                payload, after, _ = trainer.step(closed.base, closed.step, before, body.units)
                theirs = self._blobs.get(body.payload.hex())
                score = trainer.optimizer.compare(payload, theirs, trainer.models[closed.base].parameters)
                own = trainer.remember(after)
                yield Recomputed(closed.number, body.units, score, root(after) == body.own)
            if closed.number >= upto:
                return
            trainer.apply(Apply(closed))
            trainer.forget(closed.number - state.config.window, frozenset((own,)))


def find_member(state: RunState, name: str) -> bytes:
    """Find a member by its name or the first digits of its key. Raises UserError."""
    found = [
        author for author, member in state.members.items() if member.said.name == name or author.hex().startswith(name)
    ]
    if len(found) != 1:
        names = ", ".join(f"{member.said.name or '-'} ({author[:4].hex()})" for author, member in state.members.items())
        raise UserError(f"{'No' if not found else 'More than one'} member is called {name!r}; there are: {names}.")
    return found[0]
