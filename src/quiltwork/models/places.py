"""Where things are: the folder of what can be fetched again, and whether a server is on this machine."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit


def cache() -> Path:
    """`$QUILTWORK_CACHE`, or `~/.cache/quiltwork`: can be deleted at any time, and fetched again."""
    said = os.environ.get("QUILTWORK_CACHE")
    return Path(said) if said else Path.home() / ".cache" / "quiltwork"


def on_this_machine(url: str) -> bool:
    """Whether a server is on a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
