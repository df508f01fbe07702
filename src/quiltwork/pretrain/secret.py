"""A file that only its owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_secret(place: Path, secret: bytes) -> None:
    """Write it whole or not at all: it replaces what was there in one step. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())  # what was revealed from a secret that is lost cannot be gone on from
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
