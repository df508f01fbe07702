"""Where the names of curves stand: beside their ends, not on each other, and on as little of the curves as can be. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

LETTER, LINE = 8.6, 15.0
"""Pixels that a bold letter is wide in a wide font, and a label high."""

APART = 9.0
"""Pixels from the end of a curve to its label."""

SAMPLED = 8.0
"""Pixels between the points of a curve that labels are held against."""

ON_A_CURVE, ON_AN_END, TO_THE_LEFT, A_PIXEL_OFF = 6.0, 20.0, 6.0, 0.25
"""What it costs to stand on a point of a curve, on another's end, on the left of the end, and each pixel above or below it."""

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A label's rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether they overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, place: Place) -> bool:
        """Whether a point lies in it."""
        return self.left <= place[0] <= self.right and self.top <= place[1] <= self.bottom


@dataclass(frozen=True, slots=True)
class Label:
    """A name beside `end`: on the right of `x`, or on the left of it; `y` is its middle."""

    text: str
    end: Place
    x: float
    y: float
    left: bool

    @property
    def box(self) -> Box:
        """What it covers."""
        width = LETTER * len(self.text)
        begin = self.x - width if self.left else self.x
        return Box(begin, self.y - LINE / 2, begin + width, self.y + LINE / 2)


def placed(names: Sequence[str], lines: Sequence[Sequence[Place]], ground: Box) -> list[Label]:
    """Place each line's name at its end, inside the ground, in the order of the names. Places are pixels, y downwards.

    From the lowest end up, each takes the cheapest place that no other label has. Where there is no room at all, it stands
    at its end whatever is there.
    """
    points = [point for line in lines for point in _sampled(line)]
    ends = [line[-1] for line in lines]
    found: dict[int, Label] = {}
    for number in sorted(range(len(names)), key=lambda number: -lines[number][-1][1]):
        taken = [label.box for label in found.values()]
        free = [
            label
            for label in _candidates(names[number], lines[number][-1], ground)
            if not any(label.box.meets(box) for box in taken)
        ]
        end = lines[number][-1]
        found[number] = _cheapest(free, points, ends) or Label(names[number], end, end[0] - APART, end[1], True)
    return [found[number] for number in range(len(names))]


def _candidates(text: str, end: Place, ground: Box) -> Iterator[Label]:
    for off in range(-160, 161, 4):
        for left in (False, True):
            label = Label(text, end, end[0] + (-APART if left else APART), end[1] + off, left)
            box = label.box
            if (
                ground.left <= box.left
                and box.right <= ground.right
                and ground.top <= box.top
                and box.bottom <= ground.bottom
            ):
                yield label


def _cheapest(labels: Sequence[Label], points: Sequence[Place], ends: Sequence[Place]) -> Label | None:
    best, least = None, math.inf
    for off, label in sorted(((_off(label), label) for label in labels), key=lambda pair: pair[0]):
        if off >= least:
            break
        box = label.box
        cost = off + ON_A_CURVE * sum(box.holds(point) for point in points)
        cost += ON_AN_END * sum(box.holds(end) for end in ends)
        if cost < least:
            best, least = label, cost
    return best


def _off(label: Label) -> float:
    """What a place costs by itself, whatever is there."""
    return TO_THE_LEFT * label.left + A_PIXEL_OFF * abs(label.y - label.end[1])


def _sampled(line: Sequence[Place]) -> Iterator[Place]:
    """Points along a line, a few pixels apart."""
    yield from line[:1]
    for (x, y), (to_x, to_y) in pairwise(line):
        count = max(1, round(max(abs(to_x - x), abs(to_y - y)) / SAMPLED))
        for part in range(1, count + 1):
            yield x + (to_x - x) * part / count, y + (to_y - y) * part / count
