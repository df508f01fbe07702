"""Kinds of workers by name: the seam at which a cluster joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quiltwork.errors import UserError
from quiltwork.workers.base import Workers

Factory = Callable[[int, str], Workers]


def _inline(size: int, address: str) -> Workers:
    from quiltwork.workers.inline import InlineWorkers

    _need_no_address("inline", address)
    return InlineWorkers(size)


def _local(size: int, address: str) -> Workers:
    from quiltwork.workers.local import LocalWorkers

    _need_no_address("local", address)
    return LocalWorkers(size)


def _ray(size: int, address: str) -> Workers:
    from quiltwork.workers.ray import RayWorkers

    return RayWorkers(size, address or None)


_KINDS: Final[dict[str, Factory]] = {"inline": _inline, "local": _local, "ray": _ray}


def register(kind: str, factory: Factory) -> None:
    """Add a kind of workers. The factory is given the number of workers and what follows "KIND:", an address or "".

    It imports what it needs when it is called.
    """
    _KINDS[kind] = factory


def open_workers(size: int, *, kind: str = "local") -> Workers:
    """Start workers: `kind` is "local", "inline", "ray", "ray:HOST:PORT" or what somebody registered.

    Raises UserError for a kind that nobody registered, a size below one, or what the kind itself cannot do.
    """
    if size < 1:
        raise UserError(f"{size} workers: at least one is needed")
    check_kind(kind)
    name, _, address = kind.partition(":")
    return _KINDS[name](size, address)


def check_kind(kind: str) -> None:
    """Raise UserError for a kind of workers that nobody registered, before anything is begun with it."""
    name = kind.partition(":")[0]
    if name not in _KINDS:
        raise UserError(f"no workers of kind {name!r}; there are {', '.join(sorted(_KINDS))}")


def _need_no_address(name: str, address: str) -> None:
    if address:
        raise UserError(f"workers of kind {name!r} have no address; {address!r} was given")
