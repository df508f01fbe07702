"""Kinds of workers by name: the seam at which a cluster joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quiltwork.errors import UserError
from quiltwork.workers.base import Workers

Factory = Callable[[int], Workers]


def _inline(size: int) -> Workers:
    from quiltwork.workers.inline import InlineWorkers

    return InlineWorkers(size)


def _local(size: int) -> Workers:
    from quiltwork.workers.local import LocalWorkers

    return LocalWorkers(size)


_KINDS: Final[dict[str, Factory]] = {"inline": _inline, "local": _local}


def register(kind: str, factory: Factory) -> None:
    """Add a kind of workers. The factory is given the number of workers and imports what it needs when it is called."""
    _KINDS[kind] = factory


def open_workers(size: int, *, kind: str = "local") -> Workers:
    """Start workers. Raises UserError for a kind that nobody registered or a size below one."""
    if size < 1:
        raise UserError(f"{size} workers: at least one is needed")
    if kind not in _KINDS:
        raise UserError(f"no workers of kind {kind!r}; there are {', '.join(sorted(_KINDS))}")
    return _KINDS[kind](size)
