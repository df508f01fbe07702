"""Maps of what the islands keep: a strip, a heat map, a Voronoi map, a front, or projections on pairs of axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
from markupsafe import Markup

from quiltwork.evolve.display.gap import GapScale
from quiltwork.evolve.report.data import ArchiveView, Axis, EliteView, IslandMap
from quiltwork.evolve.report.svg import framed, percent, stretched
from quiltwork.text.markup import tag
from quiltwork.text.numbers import number

SHADES = 8
"""Shades of a map, pale for the worst value shown to full for the best; the style sheet has their colours."""

MAP_HEIGHT = 240
STRIP_HEIGHT = 96
HEAD, FOOT = 17, 22
PLOT = MAP_HEIGHT - HEAD - FOOT
MOST_PROJECTIONS = 3
MOST_MARKS = 4_000
"""Elites or cells drawn of one island."""

Shade = Callable[[float], int]


def archive_maps(view: ArchiveView, *, maximize: bool, best: int | None) -> list[tuple[str, Markup]]:
    """Draw each island: (heading, picture) pairs. `best` is the step of the run's best program, which is marked."""
    values = [elite.value for island in view.islands for elite in island.elites]
    scale = GapScale.over(values, maximize=maximize)

    def shade(value: float) -> int:
        return min(SHADES - 1, int(scale(value) * SHADES))

    maps = []
    for island in view.islands:
        for heading, picture in _pictures(view, island, shade, best):
            count = f"{len(island.elites):,}" + (f" of {island.cells:,} cells" if island.cells else "")
            again = f", restarted {island.restarts}x" if island.restarts else ""
            maps.append((f"Island {island.index + 1}{heading} \u00b7 {count}{again}", picture))
    return maps


def _pictures(view: ArchiveView, island: IslandMap, shade: Shade, best: int | None) -> Iterator[tuple[str, Markup]]:
    axes = view.axes
    if view.kind == "front":
        axes = tuple(_fitted(axis, island.elites, place) for place, axis in enumerate(axes))
    if not axes:
        return
    if len(axes) == 1:
        yield "", _strip(axes[0], island, shade, best)
    elif len(axes) == 2 and view.kind == "grid":
        yield "", _heat_map(axes, island, shade, best)
    elif len(axes) == 2 and view.kind == "cvt":
        yield "", _voronoi_map(view, island, shade, best)
    elif len(axes) == 2:
        yield "", _scatter(axes[0], axes[1], 0, 1, island, shade, best)
    else:
        for one, other in list(combinations(range(len(axes)), 2))[:MOST_PROJECTIONS]:
            heading = f", {axes[one].name} \u00d7 {axes[other].name}"
            yield heading, _scatter(axes[one], axes[other], one, other, island, shade, best)


def _fitted(axis: Axis, elites: Sequence[EliteView], place: int) -> Axis:
    """Give a front's axis the range of its elites, with some air."""
    values = [elite.place[place] for elite in elites]
    if not values:
        return axis
    low, high = min(values), max(values)
    air = 0.06 * (high - low) or max(abs(low) * 0.01, 1e-9)
    return Axis(axis.name, low - air, high + air)


def _scaled(value: float, axis: Axis) -> float:
    return min(1.0, max(0.0, (value - axis.low) / (axis.high - axis.low)))


def _bin(value: float, axis: Axis) -> int:
    return min(axis.bins - 1, int(_scaled(value, axis) * axis.bins + 1e-9))


def _link(elite: EliteView, axes: Sequence[Axis], shape: Markup) -> Markup:
    return tag("a", shape, href=f"#p{elite.step}")


def _said(elite: EliteView, axes: Sequence[Axis]) -> Markup:
    where = ", ".join(f"{axis.name} {number(place, 5)}" for axis, place in zip(axes, elite.place, strict=False))
    return tag("title", f"step {elite.step}: {number(elite.value)}\n{where}")


def _class(elite: EliteView, shade: Shade, best: int | None) -> str:
    return f"cell s{shade(elite.value)}" + (" crown" if elite.step == best else "")


def _foot(axis: Axis, height: int) -> list[Markup]:
    """Label the axis across."""
    return [
        tag("text", number(axis.low, 4), x="0", y=height - 6, class_="tick start"),
        tag("text", f"{axis.name} \u2192", x="50%", y=height - 6, class_="tick middle name"),
        tag("text", number(axis.high, 4), x="100%", y=height - 6, class_="tick end"),
    ]


def _framed_map(across: Axis, up: Axis, island: IslandMap, shapes: Sequence[Markup]) -> Markup:
    """Put shapes on a floor of PLOT pixels under the upward axis' name and above the other axis."""
    floor = tag("rect", x="0", y="0", width="100%", height=PLOT, class_="floor")
    ground = tag("svg", floor, *shapes, width="100%", height=PLOT, y=HEAD)
    name = tag("text", f"{up.name} \u2191", x="0", y="11", class_="tick start name")
    picture = tag("svg", name, ground, *_foot(across, MAP_HEIGHT), width="100%", height=MAP_HEIGHT)
    side = [(HEAD + 7.0, number(up.high, 4)), (HEAD + PLOT - 6.0, number(up.low, 4))]
    return framed(side, picture, height=MAP_HEIGHT, label=f"archive of island {island.index + 1}")


def _strip(axis: Axis, island: IslandMap, shade: Shade, best: int | None) -> Markup:
    """Draw one axis as a strip: where an elite stands, how good it is by its shade and its height."""
    plot = STRIP_HEIGHT - FOOT
    parts = [tag("rect", x="0", y="0", width="100%", height=plot, class_="floor")]
    width = 1.0 / max(axis.bins, 1)
    for elite in _drawn(island):
        level = shade(elite.value)
        tall = plot * (0.3 + 0.7 * (level + 1) / SHADES)
        at = _bin(elite.place[0], axis) * width if axis.bins > 1 else _scaled(elite.place[0], axis) * 0.99
        bar = tag(
            "rect",
            _said(elite, [axis]),
            x=percent(at + 0.04 * width),
            y=f"{plot - tall:.1f}",
            width=percent(width * 0.92 if axis.bins > 1 else 0.01),
            height=f"{tall:.1f}",
            class_=_class(elite, shade, best),
        )
        parts.append(_link(elite, [axis], bar))
    picture = tag("svg", *parts, *_foot(axis, STRIP_HEIGHT), width="100%", height=STRIP_HEIGHT)
    return framed([], picture, height=STRIP_HEIGHT, label=f"archive of island {island.index + 1}")


def _heat_map(axes: Sequence[Axis], island: IslandMap, shade: Shade, best: int | None) -> Markup:
    across, up = axes
    wide, tall = 1.0 / across.bins, PLOT / up.bins
    parts = []
    for elite in _drawn(island):
        cell = tag(
            "rect",
            _said(elite, axes),
            x=percent(_bin(elite.place[0], across) * wide + 0.03 * wide),
            y=f"{PLOT - (_bin(elite.place[1], up) + 1) * tall + 0.03 * tall:.2f}",
            width=percent(wide * 0.94),
            height=f"{tall * 0.94:.2f}",
            rx="2",
            class_=_class(elite, shade, best),
        )
        parts.append(_link(elite, axes, cell))
    return _framed_map(across, up, island, parts)


def _scatter(across: Axis, up: Axis, one: int, other: int, island: IslandMap, shade: Shade, best: int | None) -> Markup:
    parts = []
    for elite in sorted(_drawn(island), key=lambda elite: (elite.step == best, shade(elite.value))):
        dot = tag(
            "circle",
            _said(elite, [across, up] if (one, other) == (0, 1) else []),
            cx=percent(_scaled(elite.place[one], across)),
            cy=f"{(1.0 - _scaled(elite.place[other], up)) * PLOT:.1f}",
            r="4",
            class_=_class(elite, shade, best),
        )
        parts.append(_link(elite, [across, up], dot))
    return _framed_map(across, up, island, parts)


def _voronoi_map(view: ArchiveView, island: IslandMap, shade: Shade, best: int | None) -> Markup:
    across, up = view.axes
    cells = voronoi_cells(np.asarray(view.centroids[:MOST_MARKS], dtype=float).reshape(-1, 2))
    holders = _holders(view, island)
    shapes = []
    for index, corners in enumerate(cells):
        points = " ".join(f"{1000 * x:.1f},{(1.0 - y) * PLOT:.1f}" for x, y in corners)
        elite = holders.get(index)
        if elite is None:
            shapes.append(tag("polygon", points=points, class_="cell none"))
            continue
        said = _said(elite, view.axes)
        shapes.append(_link(elite, view.axes, tag("polygon", said, points=points, class_=_class(elite, shade, best))))
    shapes.sort(key=lambda shape: "crown" in shape)
    return _framed_map(across, up, island, [stretched(*shapes, width=1000, height=PLOT)])


def _holders(view: ArchiveView, island: IslandMap) -> dict[int, EliteView]:
    centroids = np.asarray(view.centroids, dtype=float)
    found = {}
    for elite in _drawn(island):
        point = [_scaled(value, axis) for value, axis in zip(elite.place, view.axes, strict=True)]
        found[int(((centroids - point) ** 2).sum(axis=1).argmin())] = elite
    return found


def voronoi_cells(centroids: np.ndarray) -> list[list[tuple[float, float]]]:
    """Give the corners of each point's Voronoi cell in the unit square; `centroids` has shape (cells, 2).

    The points are mirrored in the four sides first, which makes every cell end exactly there.
    """
    from scipy.spatial import Voronoi

    if len(centroids) == 0:
        return []
    flipped = [centroids]
    for axis in (0, 1):
        for side in (0.0, 1.0):
            mirror = centroids.copy()
            mirror[:, axis] = 2.0 * side - mirror[:, axis]
            flipped.append(mirror)
    diagram = Voronoi(np.vstack(flipped))
    cells = []
    for index in range(len(centroids)):
        corners = diagram.vertices[diagram.regions[diagram.point_region[index]]]
        cells.append([(float(x), float(y)) for x, y in np.clip(corners, 0.0, 1.0)])
    return cells


def _drawn(island: IslandMap) -> Sequence[EliteView]:
    return island.elites[:MOST_MARKS]
