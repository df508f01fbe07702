"""A curve in a few lines of text: braille patterns hold 2 x 4 dots per letter."""

from __future__ import annotations

from collections.abc import Sequence

EMPTY = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, by row and column inside a letter (Unicode, Braille Patterns)."""


def braille_steps(points: Sequence[tuple[float, float]], end: float, width: int, height: int) -> list[str]:
    """Draw a step function as `height` lines of `width` letters, the highest first.

    `points` are (x, level), by increasing x from 0 or more, levels from 0 (bottom) to 1 (top); each level holds until
    the next point, the last one until `end`. Columns before the first point stay empty.
    """
    columns, rows = 2 * width, 4 * height
    letters = [[EMPTY] * width for _ in range(height)]
    previous: int | None = None
    place = -1
    for column in range(columns):
        x = end * (column + 1) / columns
        while place + 1 < len(points) and points[place + 1][0] <= x:
            place += 1
        if place < 0:
            continue
        row = min(rows - 1, max(0, round((1.0 - points[place][1]) * (rows - 1))))
        start = row if previous is None else previous
        for dot in range(min(start, row), max(start, row) + 1):
            letters[dot // 4][column // 2] |= DOTS[dot % 4][column % 2]
        previous = row
    return ["".join(map(chr, line)) for line in letters]
