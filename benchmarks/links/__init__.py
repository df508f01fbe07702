"""Emulated links between network namespaces of this machine: see `Link` and `Star`."""

from links.link import Link, LinkError, Side, missing
from links.star import Star

__all__ = ["Link", "LinkError", "Side", "Star", "missing"]
