"""What lies on a member's shelf and will be superfluous one day: the updates, disclosures and checkpoints of a run, by round.

Only what the log named, or the member itself made or fetched, is ever deleted; what else lies in the store is not ours to judge.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from quiltwork.blobs import BlobStore
from quiltwork.pretrain import checkpoint
from quiltwork.pretrain.effects import Forget
from quiltwork.pretrain.facts import RunState


class Remains:
    """Remembers blobs by the rounds they belong to, until `due` says that nobody needs them."""

    def __init__(self) -> None:
        self._blobs: dict[int, set[bytes]] = {}
        self._manifests: dict[bytes, int] = {}
        self._seen = 0

    def see(self, state: RunState) -> None:
        """Note what the rounds that closed since the last call named. Call it before the fold lets go of them."""
        if state.last == self._seen:
            return
        for number in range(self._seen + 1, state.last + 1):
            if number in state.closed:
                self.note(number, *(commit.body.payload for commit in state.closed[number].commits))
        for _, body in state.checkpoints:
            self._manifests[body.manifest] = body.round
        self._seen = state.last

    def note(self, round: int, *blobs: bytes) -> None:
        """Note blobs of a round that the log does not name, or not for long."""
        self._blobs.setdefault(round, set()).update(blobs)

    def due(self, forget: Forget, spared: Collection[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Give the blobs, and the manifests of checkpoints, that are needed no longer, and remember them no longer.

        `spared` are blobs and manifests that are needed in spite of their age: they are given at another call.
        """
        blobs: set[bytes] = set()
        for round in [round for round in self._blobs if round <= forget.rounds]:
            old = self._blobs.pop(round)
            blobs |= old - set(spared)
            if kept := old & set(spared):
                self._blobs[round] = kept
        needed = {*forget.manifests, *spared}
        manifests = {name for name, round in self._manifests.items() if name not in needed and round <= forget.rounds}
        for name in manifests:
            del self._manifests[name]
        return blobs - needed, manifests


class Deleting(BlobStore, Protocol):
    """A store that also deletes."""

    def delete(self, id: str) -> None:
        """Let go of what is stored under this id, if anything is. Raises BlobUnavailable."""
        ...


def delete(store: Deleting, blobs: Collection[bytes], manifests: Collection[bytes], needed: Collection[bytes]) -> None:
    """Delete blobs, and checkpoints by their manifests, but for the pieces that `needed` manifests name as well."""
    spared = set(_checkpoint_blobs(store, needed))
    for id in [*(blob.hex() for blob in blobs), *_checkpoint_blobs(store, manifests)]:
        if id not in spared:
            store.delete(id)


def _checkpoint_blobs(store: Deleting, manifests: Collection[bytes]) -> list[str]:
    """The blobs of these checkpoints, pieces first: what is interrupted is found again by its manifest."""
    found = []
    for manifest in manifests:
        if store.has(manifest.hex()):
            found += [id for id, _ in checkpoint.read_manifest(store.get(manifest.hex())).pieces()]
            found.append(manifest.hex())
    return found
