"""Charts as inline SVG that keeps its letters' size at any width: positions across are percentages, heights are pixels.

Colours are classes of the page's style sheet, which knows light, dark and paper. All text is escaped by `markupsafe`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from quiltwork.evolve.display.gap import GapScale
from quiltwork.evolve.display.snapshot import CurvePoint, KnownView
from quiltwork.text.markup import tag
from quiltwork.text.numbers import amount, number, small

HEIGHT = 260
"""Pixels of a chart's plot."""

SPAN = 10_000
"""Units across for paths, which know no percentages: they lie in a stretched picture of their own."""

MOST_DECADE_LABELS = 7
MOST_DOTS = 1_500
"""Programs drawn behind a curve: more would only hide each other."""

LAST_TICK = 0.78
"""Part of the width after which ticks would run into the end's own label, on a phone."""

LABEL_APART = 15
"""Pixels that two labels need between them."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A program on a chart: where across, its value, its step, its proposer's colour, and what is said on hovering."""

    across: float
    value: float
    step: int
    colour: int
    title: str


def percent(fraction: float) -> str:
    """Write a part of the width."""
    return f"{100.0 * fraction:.3f}".rstrip("0").rstrip(".") + "%"


def stretched(*children: Markup, width: int = SPAN, height: int = HEIGHT) -> Markup:
    """Hold paths in a picture that is stretched to the width; their strokes are not (see the style sheet)."""
    return tag(
        "svg",
        *children,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        class_="stretch",
    )


def framed(left: Sequence[tuple[float, str]], plot: Markup, *, height: int = HEIGHT, label: str) -> Markup:
    """Put tick labels, (pixels from the top, text), to the left of a plot. `label` is what a screen reader says."""
    ticks = tag(
        "svg",
        *(tag("text", text, x="100%", y=f"{y:.1f}", dy="0.32em", class_="tick end") for y, text in left),
        class_="ticks",
        height=height,
        aria_hidden="true",
    )
    return tag("div", ticks, plot, class_="chart", role="img", aria_label=label)


def best_curve(
    points: Sequence[tuple[float, CurvePoint]],
    end: float,
    known: Sequence[KnownView],
    dots: Sequence[Dot],
    *,
    maximize: bool,
    unit: str,
) -> Markup:
    """Draw the best value so far over what was spent, (across, point), up to `end` `unit`, with known values as lines."""
    scale = GapScale.over([p.value for _, p in points] + [k.value for k in known], maximize=maximize)
    top, bottom = 14.0, HEIGHT - 24.0
    end = end if end > 0 and math.isfinite(end) else 1.0

    def y(value: float) -> float:
        return bottom - scale(value) * (bottom - top)

    def x(across: float) -> float:
        return min(1.0, max(0.0, across / end))

    ticks = _gap_ticks(scale, top, bottom)
    lines = [tag("line", x1="0", x2="100%", y1=f"{at:.1f}", y2=f"{at:.1f}", class_="grid") for at, _ in ticks]
    shown = [dot for dot in dots if math.isfinite(dot.value) and scale.gap(dot.value) <= scale.largest]
    rules, labels = _known_lines(known, y)
    parts = [*lines, *rules, *(_dot(dot, x(dot.across), y(dot.value)) for dot in thinned(shown))]
    if points:
        parts.append(stretched(_step_path([(x(across), y(p.value)) for across, p in points])))
        last = points[-1][1]
        parts += [
            tag(
                "circle",
                tag("title", f"{number(p.value)} after {amount(across)} {unit}"),
                cx=percent(x(across)),
                cy=f"{y(p.value):.1f}",
                r="4.5" if p is last else "2.6",
                class_="best",
            )
            for across, p in points
        ]
    parts += [*labels, *_across_ticks(end, unit)]
    plot = tag("svg", *parts, width="100%", height=HEIGHT)
    said = f"best value over {unit}: " + (f"{number(points[-1][1].value)} at the end" if points else "none yet")
    return framed(ticks, plot, label=said)


def _gap_ticks(scale: GapScale, top: float, bottom: float) -> list[tuple[float, str]]:
    decades = scale.decades()
    every = max(1, math.ceil(len(decades) / MOST_DECADE_LABELS))
    if decades:
        shown = decades[::every]
        return [(bottom - scale.height_of_gap(gap) * (bottom - top), power_of_ten(gap)) for gap in shown]
    if scale.largest > 0.0:
        return [(bottom - h * (bottom - top), small(scale.largest * (1 - h))) for h in (0.0, 0.5, 1.0)]
    return []


def power_of_ten(value: float) -> str:
    """Write 0.001 as 10 with a raised -3."""
    power = round(math.log10(value))
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {0: "1", 1: "10"}.get(power, f"10{raised}")


def _known_lines(known: Sequence[KnownView], y: Callable[[float], float]) -> tuple[list[Markup], list[Markup]]:
    """Draw a line per known value, and its label at the left end; labels that would touch are moved apart."""
    placed = [(y(each.value), each) for each in known if math.isfinite(each.value)]
    placed.sort(key=lambda pair: pair[0])
    rules: list[Markup] = []
    labels: list[Markup] = []
    before = -math.inf
    for at, each in placed:
        label = max(at - 5, before + LABEL_APART, 11.0)
        before = label
        rules.append(tag("line", x1="0", x2="100%", y1=f"{at:.1f}", y2=f"{at:.1f}", class_="known"))
        labels.append(tag("text", f"{each.who} {number(each.value)}", x="6", y=f"{label:.1f}", class_="known"))
    return rules, labels


def _dot(dot: Dot, x: float, y: float) -> Markup:
    circle = tag("circle", tag("title", dot.title), cx=percent(x), cy=f"{y:.1f}", r="2", class_=f"dot c{dot.colour}")
    return tag("a", circle, href=f"#p{dot.step}")


def _step_path(points: Sequence[tuple[float, float]]) -> Markup:
    moves = [f"M{points[0][0] * SPAN:.0f} {points[0][1]:.1f}"]
    for x, y in points[1:]:
        moves.append(f"H{x * SPAN:.0f}V{y:.1f}")
    return tag("path", d="".join(moves) + f"H{SPAN}", class_="best")


def _across_ticks(end: float, unit: str) -> Iterable[Markup]:
    step = nice_step(end)
    count = int(end / step + 1e-9)
    for index in range(count + 1):
        at = index * step / end
        if at > LAST_TICK:
            break
        side = "start" if index == 0 else "middle"
        yield tag("text", amount(index * step), x=percent(at), y=HEIGHT - 6, class_=f"tick {side}")
    yield tag("text", f"{amount(end)} {unit}", x="100%", y=HEIGHT - 6, class_="tick end")


def nice_step(end: float) -> float:
    """Give a step of 1, 2 or 5 times a power of ten that parts `end` into two to five."""
    raw = max(end, 1e-12) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


def thinned(dots: Sequence[Dot]) -> Sequence[Dot]:
    """Leave out all but an even part of what is too much to draw."""
    if len(dots) <= MOST_DOTS:
        return dots
    return [dots[round(i * (len(dots) - 1) / (MOST_DOTS - 1))] for i in range(MOST_DOTS)]


def shares_over_time(points: Sequence[tuple[float, Sequence[float]]], colours: Sequence[int], *, unit: str) -> Markup:
    """Draw shares, (across, parts that add up to 1), as a stack of areas."""
    height, bottom = 200, 176.0
    end = max((across for across, _ in points), default=0.0) or 1.0
    areas: list[Markup] = []
    below = [0.0] * len(points)
    for place, colour in enumerate(colours):
        above = [low + parts[place] for low, (_, parts) in zip(below, points, strict=True)]
        there = [
            f"{across / end * SPAN:.0f} {bottom * (1 - high):.1f}"
            for (across, _), high in zip(points, above, strict=True)
        ]
        back = [
            f"{across / end * SPAN:.0f} {bottom * (1 - low):.1f}"
            for (across, _), low in zip(points, below, strict=True)
        ]
        areas.append(tag("path", d="M" + "L".join([*there, *reversed(back)]) + "Z", class_=f"area c{colour}"))
        below = above
    foot = [
        tag("text", "0", x="0", y=height - 6, class_="tick start"),
        tag("text", f"{amount(end)} {unit}", x="100%", y=height - 6, class_="tick end"),
    ]
    plot = tag("svg", stretched(*areas, height=height), *foot, width="100%", height=height)
    ticks = [(bottom * (1 - share), f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
    ticks[-1] = (6.0, "100%")
    return framed(ticks, plot, height=height, label="proposers' credit over time")
