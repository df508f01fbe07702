"""Where the lines of a SEARCH stand in a file: exactly, or nearly; and which lines come nearest where they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_PLACES = 100
"""Places of one SEARCH that are looked at; more cannot become one."""

NEAR_LINES = 5_000
"""Lines of a file among which the nearest are sought."""

NEAR_CHARS = 200
"""Characters of a line that are compared: `SequenceMatcher` takes time that grows with their square."""


@dataclass(frozen=True, slots=True)
class Place:
    """Lines `first` to `first + len(search) - 1` of a file, from 0, and how they are indented beside the SEARCH lines.

    `deeper` is what the file's lines have in front that the SEARCH lines lack, `shallower` the other way round.
    """

    first: int
    deeper: str = ""
    shallower: str = ""

    def shifted(self, line: str) -> str:
        """A line of the replacement at the file's indentation."""
        if not line.strip():
            return line
        if self.shallower:
            return line.removeprefix(self.shallower) if line.startswith(self.shallower) else line.lstrip(" \t")
        return self.deeper + line


def exact(lines: Sequence[str], search: Sequence[str]) -> list[Place]:
    """All places where the lines are the same."""
    return [Place(first) for first in _occurrences(lines, search)]


def without_trailing_space(lines: Sequence[str], search: Sequence[str]) -> list[Place]:
    """All places where the lines are the same but for white space at their ends."""
    return [Place(first) for first in _occurrences(_each(lines, str.rstrip), _each(search, str.rstrip))]


def at_another_indentation(lines: Sequence[str], search: Sequence[str]) -> list[Place]:
    """All places where the lines are the same once all are moved to the right, or all to the left, by the same."""
    found = []
    for first in _occurrences(_each(lines, str.strip), _each(search, str.strip)):
        place = _shift(lines[first : first + len(search)], search, first)
        if place is not None:
            found.append(place)
    return found


LEVELS = (exact, without_trailing_space, at_another_indentation)
"""The strictest first: the first level at which a SEARCH stands somewhere decides."""


def nearest(lines: Sequence[str], search: Sequence[str]) -> int:
    """The line (from 0) at which what comes nearest to the SEARCH lines begins."""
    bare = _each(lines[:NEAR_LINES], str.strip)
    wanted = [line for line in _each(search, str.strip) if line]
    if not wanted or not bare:
        return 0
    known = set(wanted)
    hits = [line in known for line in bare]
    width = min(len(search), len(bare))
    count = best = sum(hits[:width])
    where = 0
    for first in range(1, len(bare) - width + 1):
        count += hits[first + width - 1] - hits[first - 1]
        if count > best:
            best, where = count, first
    if best:
        return where
    longest = max(wanted, key=len)[:NEAR_CHARS]
    likeness = SequenceMatcher(b=longest, autojunk=False)
    near = [(_quick(likeness, line[:NEAR_CHARS]), -number) for number, line in enumerate(bare)]
    few = sorted(near, reverse=True)[:5]
    return max((_ratio(likeness, bare[-number][:NEAR_CHARS]), number) for _, number in few)[1] * -1


def _quick(likeness: SequenceMatcher[str], line: str) -> float:
    likeness.set_seq1(line)
    return likeness.quick_ratio()


def _ratio(likeness: SequenceMatcher[str], line: str) -> float:
    likeness.set_seq1(line)
    return likeness.ratio()


def _each(lines: Sequence[str], change: Callable[[str], str]) -> list[str]:
    return [change(line) for line in lines]


def _occurrences(lines: Sequence[str], search: Sequence[str]) -> list[int]:
    """Where a run of lines begins, overlaps included, by Knuth, Morris and Pratt: time linear in both."""
    if not search:
        return []
    fallback = [0] * len(search)
    length = 0
    for index in range(1, len(search)):
        while length and search[index] != search[length]:
            length = fallback[length - 1]
        length += search[index] == search[length]
        fallback[index] = length
    found = []
    length = 0
    for index, line in enumerate(lines):
        while length and (length == len(search) or line != search[length]):
            length = fallback[length - 1]
        length += line == search[length]
        if length == len(search):
            found.append(index - length + 1)
            if len(found) == MOST_PLACES:
                break
    return found


def _shift(own: Sequence[str], search: Sequence[str], first: int) -> Place | None:
    pairs = [(mine, theirs) for mine, theirs in zip(own, search, strict=True) if mine.strip()]
    if not pairs:
        return Place(first)
    mine, theirs = (_margin(line) for line in pairs[0])
    if mine.endswith(theirs):
        deeper = mine[: len(mine) - len(theirs)]
        fits = all(_margin(a) == deeper + _margin(b) for a, b in pairs)
        return Place(first, deeper=deeper) if fits else None
    if theirs.endswith(mine):
        shallower = theirs[: len(theirs) - len(mine)]
        fits = all(_margin(b) == shallower + _margin(a) for a, b in pairs)
        return Place(first, shallower=shallower) if fits else None
    return None


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
