"""The folders of this user: what they wrote, and what was fetched for them."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """`$QUILTWORK_HOME`, or `~/.config/quiltwork`: `models.toml`, `prices.toml`, and the identity (`quiltwork.keys`)."""
    said = os.environ.get("QUILTWORK_HOME")
    return Path(said) if said else Path.home() / ".config" / "quiltwork"


def cache() -> Path:
    """`$QUILTWORK_CACHE`, or `~/.cache/quiltwork`: can be deleted at any time, and fetched again."""
    said = os.environ.get("QUILTWORK_CACHE")
    return Path(said) if said else Path.home() / ".cache" / "quiltwork"
