"""What lies on a member's shelf and will be superfluous one day: the updates, disclosures and checkpoints of a run, by round.

Only what the log named, or the member itself made or fetched, is ever deleted; what else lies in the store is not ours to judge.
What the log does not name, or not for long, is listed in a file before it is stored: a member that dies between the two leaves
nothing that it does not find when it comes back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from quiltwork.blobs import BlobStore
from quiltwork.blobs.protocol import is_blob_id
from quiltwork.errors import UserError
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

    def resume(self, round: int, made: Made, store: BlobStore) -> None:
        """Note what an earlier life of the member listed, as if it belonged to this round, the newest: then it is old enough.

        Call it before anything is made or fetched: what is not stored by then never will be.
        """
        ids = made.ids()
        there = [id for id in ids if store.has(id)]
        made.cross_out(set(ids).difference(there))
        self.note(round, *map(bytes.fromhex, there))

    def due(self, forget: Forget, spared: Collection[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Give the blobs, and the manifests of checkpoints, that are needed no longer, and remember them no longer.

        `spared` are blobs and manifests that are needed in spite of their age: they are given at another call.
        """
        blobs: set[bytes] = set()
        later = {blob for round, named in self._blobs.items() if round > forget.rounds for blob in named}
        for round in [round for round in self._blobs if round <= forget.rounds]:
            old = self._blobs.pop(round) - later
            blobs |= old - set(spared)
            if kept := old & set(spared):
                self._blobs[round] = kept
        needed = {*forget.manifests, *spared}
        manifests = {name for name, round in self._manifests.items() if name not in needed and round <= forget.rounds}
        for name in manifests:
            del self._manifests[name]
        return blobs - needed, manifests


class Made:
    """The ids of what a member made, or fetched though the log does not name it for long, in a file: one a line.

    An id is added before its blob is stored, and crossed out when the blob has left the store. Threads may share it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def add(self, id: str) -> None:
        """List a blob. Raises UserError if the disk does not take it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, open(self._path, "a", encoding="ascii") as file:
                file.write(f"\n{id}\n")  # on a line of its own, whatever became of the one before
        except OSError as error:
            raise self._unwritten(error) from error

    def ids(self) -> list[str]:
        """All that is listed. A line that a crash cut short names nothing: its blob was not stored."""
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return list(dict.fromkeys(line for line in lines if is_blob_id(line)))

    def cross_out(self, gone: Collection[str]) -> None:
        """List these no longer. Raises UserError if the disk does not take the shorter list."""
        unfinished = self._path.with_suffix(".new")
        with self._lock:
            before = self.ids()
            kept = [id for id in before if id not in gone]
            if kept == before:
                return
            try:
                unfinished.write_text("".join(f"{id}\n" for id in kept), encoding="ascii")
                os.replace(unfinished, self._path)
            except OSError as error:
                raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> UserError:
        return UserError(f"Cannot write {self._path}: {error.strerror}. Free some space; the run goes on.")


class Deleting(BlobStore, Protocol):
    """A store that also deletes."""

    def delete(self, id: str) -> None:
        """Let go of what is stored under this id, if anything is. Raises BlobUnavailable."""
        ...


def delete(
    store: Deleting, blobs: Collection[bytes], manifests: Collection[bytes], needed: Collection[bytes]
) -> set[str]:
    """Delete blobs, and checkpoints by their manifests, but for the pieces that `needed` manifests name as well.

    Gives the ids of what is gone.
    """
    spared = set(_checkpoint_blobs(store, needed))
    gone = [id for id in (*(blob.hex() for blob in blobs), *_checkpoint_blobs(store, manifests)) if id not in spared]
    for id in gone:
        store.delete(id)
    return set(gone)


def _checkpoint_blobs(store: Deleting, manifests: Collection[bytes]) -> list[str]:
    """The blobs of these checkpoints, pieces first: what is interrupted is found again by its manifest."""
    found = []
    for manifest in manifests:
        if store.has(manifest.hex()):
            found += [id for id, _ in checkpoint.read_manifest(store.get(manifest.hex())).pieces()]
            found.append(manifest.hex())
    return found
