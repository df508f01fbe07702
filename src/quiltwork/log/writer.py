"""One author's pen: bodies become signed entries at the end of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock

from blake3 import blake3

from quiltwork.keys import Identity
from quiltwork.log.entry import Entry, signed_bytes
from quiltwork.log.kinds import Body, encode
from quiltwork.log.protocol import Head, Log


class Writer:
    """Appends what `identity` says to `log`, at the times that `clock` gives (nanoseconds since 1970)."""

    def __init__(self, log: Log, identity: Identity, clock: Callable[[], int] = time.time_ns) -> None:
        self.author = identity.author
        self._log = log
        self._identity = identity
        self._clock = clock
        self._head: Head | None = None
        self._lock = Lock()

    def append(self, *bodies: Body) -> tuple[Entry, ...]:
        """Sign the bodies and append them, all or none, as one batch with one time.

        Raises Conflict if another writer came first; the next call goes on from the head as it is then.
        Raises InvalidBody and LogUnavailable.
        """
        if not bodies:
            return ()
        encoded = [encode(body) for body in bodies]
        with self._lock:
            head = self._head or self._log.head()
            self._head = None  # unknown until the append has returned
            entries = sign_on(self._identity, head, self._clock(), encoded)
            self._head = self._log.append(entries, head)
        return entries


def sign_on(identity: Identity, head: Head, now: int, encoded: Iterable[tuple[str, bytes]]) -> tuple[Entry, ...]:
    """Sign kinds and bodies (see `encode`) as the entries that follow `head`, all with the time `now`."""
    prev, entries = head.hash, []
    for seq, (kind, body) in enumerate(encoded, head.length):
        own = blake3(signed_bytes(seq, prev, now, identity.author, kind, body)).digest()
        entries.append(Entry(seq, prev, now, identity.author, kind, body, identity.sign(own)))
        prev = own
    return tuple(entries)
