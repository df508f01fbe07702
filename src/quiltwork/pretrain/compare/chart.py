"""Curves as inline SVG: loss over bytes, loss over time. Colours are classes of the page's style sheet. Pure.

A chart is drawn for a width, so that its letters have their size on a phone and on a desk; the page holds one for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from quiltwork.pretrain.compare.axes import Axis, loss_axis
from quiltwork.pretrain.compare.contestants import NAMES
from quiltwork.pretrain.compare.labels import Box, Label, placed
from quiltwork.pretrain.compare.series import Curve, Point
from quiltwork.text.markup import tag
from quiltwork.text.numbers import number

LOSS_DIGITS = 4
TOP, FOOT, LEFT = 12.0, 42.0, 40.0
NAMES_WIDTH = 110.0
"""Pixels on the right of a wide chart; on a narrow one names stand in the plot."""

FAR_LABEL = 12.0
"""Pixels above or below its end from which a label has a line to it."""

SHAPES = ("circle", "square", "diamond", "up", "down", "cross", "star")
"""The marks at the ends of curves, in the order of the contestants: names without colour."""

CORNERS = {
    "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
    "diamond": ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
    "up": ((0, -5), (5, 4), (-5, 4)),
    "down": ((0, 5), (5, -4), (-5, -4)),
    "cross": (
        *((-1.7, -5), (1.7, -5), (1.7, -1.7), (5, -1.7), (5, 1.7), (1.7, 1.7)),
        *((1.7, 5), (-1.7, 5), (-1.7, 1.7), (-5, 1.7), (-5, -1.7), (-1.7, -1.7)),
    ),
    "star": ((0, -6), (1.8, -1.8), (6, 0), (1.8, 1.8), (0, 6), (-1.8, 1.8), (-6, 0), (-1.8, -1.8)),
}


@dataclass(frozen=True, slots=True)
class Across:
    """What stands on the horizontal axis: its title, a point's value, the axis for values and pixels, a value in words."""

    title: str
    value: Callable[[Curve, Point], float]
    axis: Callable[[Sequence[float], float, float, int], Axis]
    words: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Size:
    """Of a chart, in pixels, and how many marks there may be across and up."""

    width: int
    height: int
    across: int
    up: int
    kind: str

    @property
    def right(self) -> float:
        """Where the plot ends; the rest is for names."""
        return self.width - (NAMES_WIDTH if self.width >= 500 else 14.0)


WIDE = Size(width=620, height=430, across=6, up=8, kind="wide")
NARROW = Size(width=360, height=430, across=4, up=8, kind="narrow")


def chart(curves: Sequence[Curve], across: Across, size: Size) -> Markup:
    """Draw curves that have begun; points at 0 bytes or 0 seconds have no place on a logarithmic axis."""
    ways = [[(across.value(curve, point), point) for point in curve.sound] for curve in curves]
    ways = [[(value, point) for value, point in way if value > 0] for way in ways]
    x = across.axis([value for way in ways for value, _ in way], LEFT, size.right, size.across)
    losses = [point.loss for way in ways for _, point in way]
    y = loss_axis(losses, size.height - FOOT, TOP, size.up)
    shown = [(curve, way) for curve, way in zip(curves, ways, strict=True) if way]
    lines = [[(x(value), y(point.loss)) for value, point in way] for _, way in shown]
    labels = placed(
        [curve.contestant.label for curve, _ in shown], lines, Box(LEFT + 2, 0, size.width, size.height - FOOT)
    )
    parts = [*_grid(x, y, size), _text(across.title, (LEFT + size.right) / 2, size.height - 6, "middle title")]
    parts += [_curve(curve, line) for (curve, _), line in zip(shown, lines, strict=True)]
    for (curve, way), line in zip(shown, lines, strict=True):
        parts += [
            _dot(curve, place, across.words(value), point) for place, (value, point) in zip(line, way, strict=True)
        ]
    for (curve, way), label in zip(shown, labels, strict=True):
        value, point = way[-1]
        said = f"{curve.contestant.label}: loss {number(point.loss, LOSS_DIGITS)} after {across.words(value)}"
        parts += [*_label(curve, label), mark(curve.contestant.name, label.end, said)]
    said = f"loss over {across.title}; the table below has the ends"
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {size.width} {size.height}",
        class_=f"chart {size.kind}",
        role="img",
        aria_label=said,
    )


def mark(name: str, place: tuple[float, float], said: str = "") -> Markup:
    """Draw a contestant's mark."""
    x, y = place
    title = [tag("title", said)] if said else []
    shape = SHAPES[NAMES.index(name) % len(SHAPES)]
    if shape == "circle":
        return tag("circle", *title, cx=_n(x), cy=_n(y), r="4.6", class_=f"mark {name}")
    points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in CORNERS[shape])
    return tag("polygon", *title, points=points, class_=f"mark {name}")


def _grid(x: Axis, y: Axis, size: Size) -> list[Markup]:
    floor = size.height - FOOT
    parts = [
        tag("line", x1=_n(LEFT), x2=_n(size.right), y1=_n(y(value)), y2=_n(y(value)), class_="grid")
        for value, _ in y.marks
    ]
    parts += [
        tag("line", x1=_n(x(value)), x2=_n(x(value)), y1=_n(TOP), y2=_n(floor), class_="grid") for value, _ in x.marks
    ]
    parts += [_text(text, LEFT - 6, y(value) + 4, "end") for value, text in y.marks]
    parts += [_text(text, x(value), floor + 16, "middle") for value, text in x.marks]
    return parts


def _curve(curve: Curve, line: Sequence[tuple[float, float]]) -> Markup:
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in line)
    return tag("polyline", points=points, class_=f"curve {curve.contestant.name}")


def _dot(curve: Curve, place: tuple[float, float], words: str, point: Point) -> Markup:
    """A place to point at: what is said there is all that a page without scripts can say."""
    said = f"{curve.contestant.label}, step {point.step:,}: loss {number(point.loss, LOSS_DIGITS)} after {words}"
    return tag(
        "circle", tag("title", said), cx=_n(place[0]), cy=_n(place[1]), r="5", class_=f"dot {curve.contestant.name}"
    )


def _label(curve: Curve, label: Label) -> list[Markup]:
    x, y = label.end
    inner = label.x + (3 if label.left else -3)
    far = abs(label.y - y) >= FAR_LABEL
    line = (
        [tag("line", x1=_n(x), y1=_n(y), x2=_n(inner), y2=_n(label.y), class_=f"lead {curve.contestant.name}")]
        if far
        else []
    )
    side = "end" if label.left else "start"
    return [*line, _text(label.text, label.x, label.y + 4.5, f"{side} name {curve.contestant.name}")]


def _text(text: str, x: float, y: float, kind: str) -> Markup:
    return tag("text", text, x=_n(x), y=_n(y), class_=kind)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
