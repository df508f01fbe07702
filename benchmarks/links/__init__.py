"""Emulated links between two network namespaces of this machine: see `Link`."""

from links.link import Link, LinkError, Side, missing

__all__ = ["Link", "LinkError", "Side", "missing"]
