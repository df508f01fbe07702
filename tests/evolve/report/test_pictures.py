import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.display.snapshot import CurvePoint, KnownView
from quiltwork.evolve.report.data import ArchiveView, Axis, EliteView, IslandMap
from quiltwork.evolve.report.diffs import MOST_COMPARED, MOST_LINES, changed, diff
from quiltwork.evolve.report.maps import archive_maps, voronoi_cells
from quiltwork.evolve.report.svg import MOST_DOTS, Dot, best_curve, nice_step, power_of_ten, shares_over_time, thinned
from tests.evolve.report.samples import run

odd = st.floats() | st.sampled_from([0.0, 1e300, -1e300, 1e-300])


def area(corners: list[tuple[float, float]]) -> float:
    x, y = np.array(corners).T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_voronoi_cells_cover_the_square_once(count: int) -> None:
    points = np.random.default_rng(count).random((count, 2))
    cells = voronoi_cells(points)
    assert len(cells) == count
    assert sum(map(area, cells)) == pytest.approx(1.0)
    for (x, y), cell in zip(points, cells, strict=True):
        assert min(a for a, _ in cell) <= x <= max(a for a, _ in cell)
        assert min(b for _, b in cell) <= y <= max(b for _, b in cell)


def test_an_island_without_cells_has_no_voronoi_map() -> None:
    assert voronoi_cells(np.zeros((0, 2))) == []


@pytest.mark.parametrize(
    ("kind", "axes", "shape", "maps"),
    [("grid", 1, "<rect", 2), ("grid", 2, "<rect", 2), ("cvt", 2, "<polygon", 2), ("grid", 3, "<circle", 6)],
)
def test_every_elite_is_on_the_map_of_its_island(kind: str, axes: int, shape: str, maps: int) -> None:
    view = run(30, kind=kind, axes=axes).archive
    assert view is not None
    drawn = archive_maps(view, maximize=True, best=28)
    assert len(drawn) == maps
    for index, (heading, picture) in enumerate(drawn):
        island = view.islands[index * 2 // maps]
        assert heading.startswith(f"Island {island.index + 1}")
        assert shape in picture
        if kind == "grid":
            assert all(f'href="#p{elite.step}"' in picture for elite in island.elites)


def test_the_best_is_marked_once_and_shades_follow_the_direction() -> None:
    elites = (EliteView(1, 1.0, (0.5, 0.5)), EliteView(2, 2.0, (1.5, 0.5)), EliteView(3, 3.0, (2.5, 0.5)))
    view = ArchiveView("grid", (Axis("a", 0, 3, 3), Axis("b", 0, 1, 1)), (IslandMap(0, elites, 3),))
    ((_, picture),) = archive_maps(view, maximize=False, best=1)
    assert picture.count("crown") == 1
    assert 'class="cell s7 crown"' in picture
    assert 'class="cell s0"' in picture


def test_a_front_is_drawn_over_its_own_range() -> None:
    elites = (EliteView(1, 5.0, (5.0, -3.0)), EliteView(2, 4.0, (4.0, -2.0)))
    view = ArchiveView("front", (Axis("speed", 0, 1), Axis("error", 0, 1)), (IslandMap(0, elites),))
    ((heading, picture),) = archive_maps(view, maximize=True, best=1)
    assert heading == "Island 1 \u00b7 2"
    assert "speed" in picture
    assert picture.count("<circle") == 2
    assert archive_maps(ArchiveView("front", view.axes, (IslandMap(0, ()),)), maximize=True, best=None)


def test_the_curve_has_the_known_values_and_the_last_best() -> None:
    points = [(1.0, CurvePoint(1, 0.1, 0.9)), (50.0, CurvePoint(50, 3.0, 2.6359))]
    known = [KnownView("AlphaEvolve", 2.6358627564), KnownView("best known", 2.6359830853)]
    picture = best_curve(points, 100.0, known, [], maximize=True, unit="evaluations")
    assert "AlphaEvolve 2.6358627564" in picture
    assert "10⁻³" in picture
    assert picture.count('class="best"') == 3
    assert 'r="4.5"' in picture


@given(
    st.lists(st.tuples(odd, odd), max_size=6),
    odd,
    st.lists(odd, max_size=3),
    st.lists(st.tuples(odd, odd), max_size=6),
    st.booleans(),
)
def test_no_value_is_too_odd_to_be_drawn(points, end, known, dots, maximize) -> None:
    picture = best_curve(
        [(x, CurvePoint(1, 0.0, value)) for x, value in points],
        end,
        [KnownView("k", value) for value in known],
        [Dot(x, value, 1, 0, "t") for x, value in dots],
        maximize=maximize,
        unit="u",
    )
    assert picture.count("<") == 2 * picture.count("</")
    assert 'y="nan"' not in picture
    assert len(picture) < 20_000


def test_steps_along_the_axis_are_round_numbers() -> None:
    assert [nice_step(end) for end in (10, 49, 252, 2_194, 0.3)] == pytest.approx([2, 10, 100, 500, 0.1])
    assert [power_of_ten(value) for value in (10.0, 1.0, 0.1, 1e-12)] == ["10", "1", "10⁻¹", "10⁻¹²"]


def test_too_many_dots_are_thinned_evenly() -> None:
    dots = [Dot(float(i), 1.0, i, 0, "") for i in range(10_000)]
    kept = thinned(dots)
    assert len(kept) == MOST_DOTS
    assert kept[0] == dots[0]
    assert kept[-1] == dots[-1]
    assert thinned(dots[:7]) == dots[:7]


def test_shares_fill_the_whole_height() -> None:
    picture = shares_over_time([(0.0, [0.25, 0.75]), (10.0, [0.5, 0.5])], [1, 2], unit="steps")
    assert 'd="M0 132.0L10000 88.0L10000 176.0L0 176.0Z"' in picture
    assert 'd="M0 0.0L10000 0.0L10000 88.0L0 132.0Z"' in picture


def test_a_diff_says_what_came_and_went() -> None:
    lines = diff(
        {"a.py": "one\ntwo\nthree\n", "same.py": "x"}, {"a.py": "one\n2\nthree\n", "same.py": "x", "new.py": "y\n"}
    )
    assert changed(lines) == (2, 1)
    assert [(line.kind, line.text) for line in lines if line.kind in ("file", "add", "del")] == [
        ("file", "a.py"),
        ("del", "two"),
        ("add", "2"),
        ("file", "new.py (new)"),
        ("add", "y"),
    ]
    assert diff({"a": "x"}, {"a": "x"}) == []


def test_a_diff_is_bounded() -> None:
    long = "".join(f"{i}\n" for i in range(MOST_COMPARED + 1))
    assert [line.kind for line in diff({"a": ""}, {"a": long})] == ["file", "more"]
    many = diff({"a": ""}, {"a": long[: len(long) // 2]})
    assert len(many) == MOST_LINES + 1
    assert many[-1].kind == "more"
    assert len(diff({"a": ""}, {"a": "x" * 10**6})[-1].text) < 2_000


@given(st.text(), st.text())
def test_a_diff_invents_no_line(old: str, new: str) -> None:
    lines = [line for line in diff({"a": old}, {"a": new}) if line.kind in ("add", "same")]
    added = [line.text for line in lines if line.kind == "add"]
    kept = [line.text for line in lines if line.kind == "same"]
    assert all(text in new.split("\n") for text in added)
    assert all(text in old.split("\n") for text in kept)
