"""What an island keeps: the archive's interface, after pyribs (github.com/icaros-usc/pyribs)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Elite(NamedTuple):
    """One occupant of an archive. `step` names the program; `fitness` has larger for better, one value per metric."""

    step: int
    fitness: tuple[float, ...]
    descriptors: tuple[float, ...]


class Archive(Protocol):
    """A bounded set of elites. Adding is deterministic and keeps the incumbent on a tie."""

    def add(self, elite: Elite) -> bool:
        """Offer an elite; true when it now is in the archive. An elite with a step already there replaces that one."""
        ...

    def remove(self, step: int) -> None:
        """Take a step's elite out; nothing happens when it is not there."""
        ...

    def __contains__(self, step: int) -> bool: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Elite]: ...

    def ranked(self) -> Sequence[Elite]:
        """All elites, best first; ties by the smaller step. O(1): the order is kept, not made."""
        ...

    def cell(self, descriptors: Sequence[float]) -> int:
        """Give the flat index of the cell that descriptors (clipped) fall into; 0 where an archive has no cells."""
        ...
