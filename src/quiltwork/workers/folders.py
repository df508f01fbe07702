"""Folders that calls refer to by name: on this machine their path, elsewhere a copy that was shipped once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import blake3

from quiltwork.blobs.pack import unpack

SCHEME: Final = "folder:"
"""What the name of a shipped folder begins with; the rest is the digest of its content."""

_PREFIX: Final = "quiltwork-folder-"

_copies: dict[str, Path] = {}


def find(name: str) -> Path:
    """The folder that `Workers.share` named. Raises LookupError for a shipped folder that did not arrive here."""
    if not name.startswith(SCHEME):
        return Path(name)
    if name not in _copies:
        raise LookupError(f"{name} was never shipped to this worker")
    return _copies[name]


def name_of(packed: bytes) -> str:
    """The name under which workers find a shipped folder: the same content has the same name everywhere."""
    return SCHEME + blake3.blake3(packed).hexdigest(16)


def receive(name: str, packed: bytes) -> None:
    """Unpack a shipped folder for this process, in a temporary folder. A folder that is here already stays."""
    if name in _copies:
        return
    _sweep()
    copy = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    unpack(packed, copy)
    _copies[name] = copy


def forget() -> None:
    """Delete this process's copies."""
    while _copies:
        shutil.rmtree(_copies.popitem()[1], ignore_errors=True)


def _sweep() -> None:
    """Delete the copies of processes that were killed before they could."""
    for copy in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = copy.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            shutil.rmtree(copy, ignore_errors=True)  # another user's stay


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
