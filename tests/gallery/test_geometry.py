"""The constructions of geometry in the gallery: scores are exact, nothing is forgiven, certificates stand on their own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quiltwork.evolve.certify import write_certificate
from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore, Score
from tests.gallery.direct import (
    GALLERY,
    HOSTILE_NUMBERS,
    Replies,
    building_blocks,
    check_file,
    module,
    seed_program,
    with_block,
)

CIRCLES = {"circle_packing_26": 26, "circle_packing_32": 32}
RATIOS = {"distance_ratio_16_2d": (16, 2), "distance_ratio_14_3d": (14, 3)}
HEILBRONN = "heilbronn_triangle_11"
PROBLEMS = {**{name: (n, 3) for name, n in CIRCLES.items()}, **RATIOS, HEILBRONN: (11, 2)}
"""Problem -> rows and columns of its construction."""

BLOCKS = [
    (name, slot.name, block)
    for name in PROBLEMS
    for slot in sorted(GALLERY.joinpath(name, "blocks").iterdir())
    for block in building_blocks(name, slot.name)
]


def judge(problem: str, construction: Any) -> Score:
    return module(problem, "evaluate").evaluate(Replies(construction))


def metric(score: Score) -> float:
    return next(iter(score.metrics.values()))


def sign(problem: str) -> float:
    return 1.0 if problem in (*CIRCLES, HEILBRONN) else -1.0


def polished(problem: str) -> Any:
    nlp = module(problem, "polish").problem()
    found = search(nlp, None, np.random.default_rng(0))
    assert found is not None
    return nlp.to_construction(found.x)


@pytest.fixture(scope="module")
def good() -> Callable[[str], Any]:
    """A polished construction of each problem, made once."""
    return cache(polished)


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_seed_program_is_valid_and_improves_on_what_it_starts_from(problem: str) -> None:
    first = module(problem, "evaluate").evaluate(seed_program(problem))
    second = module(problem, "evaluate").evaluate(seed_program(problem, start=first.construction))
    assert sign(problem) * metric(second) >= sign(problem) * metric(first)
    assert str(first.artifacts["picture.svg"]).startswith("<svg")


@pytest.mark.parametrize(("problem", "slot", "block"), BLOCKS)
def test_every_building_block_builds(problem: str, slot: str, block: str) -> None:
    score = module(problem, "evaluate").evaluate(with_block(problem, slot, block))
    assert math.isfinite(metric(score))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_polish_beats_the_seed_program(problem: str, good: Callable[[str], Any]) -> None:
    seed = module(problem, "evaluate").evaluate(seed_program(problem))
    assert sign(problem) * metric(judge(problem, good(problem))) > sign(problem) * metric(seed)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_gradients_are_those_of_the_functions(problem: str) -> None:
    nlp = module(problem, "polish").problem()
    rng = np.random.default_rng(4)
    x = nlp.from_construction(judge(problem, polished(problem)).construction) + rng.normal(
        0, 0.02, len(nlp.random(rng))
    )
    step = 1e-6
    assert nlp.constraints is not None
    for function in (lambda z: np.atleast_1d(nlp.objective(z)[0]), lambda z: nlp.constraints(z)[0]):
        columns = [(function(x + step * e) - function(x - step * e)) / (2 * step) for e in np.eye(len(x))]
        given = np.atleast_2d(nlp.objective(x)[1]) if len(columns[0]) == 1 else nlp.constraints(x)[1]
        assert np.allclose(np.array(columns).T, given, atol=1e-5)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_construction_scores_the_same_when_it_comes_back(problem: str, good: Callable[[str], Any]) -> None:
    once = judge(problem, good(problem))
    again = judge(problem, once.construction)
    assert again.metrics == once.metrics
    assert again.construction == once.construction


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
def test_numbers_that_are_not_finite_are_refused(problem: str, number: float, good: Callable[[str], Any]) -> None:
    hostile = np.array(good(problem))
    hostile[3, 1] = number
    with pytest.raises(InvalidScore, match=r"row 3 holds (nan|inf|-inf)"):
        judge(problem, hostile)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_other_shapes_and_types_are_refused(problem: str, good: Callable[[str], Any]) -> None:
    table = np.array(good(problem))
    for hostile in (
        None,
        "",
        [],
        {},
        table[1:],
        table[:, 1:],
        table + 0j,
        table > 0,
        table.ravel(),
        [*table.tolist(), [0.0]],
    ):
        with pytest.raises(InvalidScore, match="must be"):
            judge(problem, hostile)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_accepts_our_certificate_and_says_its_value(
    problem: str, good: Callable[[str], Any], tmp_path: Path
) -> None:
    score = judge(problem, good(problem))
    certificate = module(problem, "evaluate").certify(score.construction)
    path = tmp_path / "certificate.json"
    write_certificate(certificate, path)
    answer = check_file(problem, path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith("VALID\n")
    assert str(certificate.value) in answer.stdout
    exact, said = certificate.value, Fraction(metric(score))
    assert 0 <= sign(problem) * (exact - said) < Fraction(1, 10**12)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("tampering", ["value", "number", "row", "text", "missing"])
def test_check_refuses_a_certificate_that_was_tampered_with(
    problem: str, tampering: str, good: Callable[[str], Any], tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    write_certificate(module(problem, "evaluate").certify(good(problem)), path)
    document = json.loads(path.read_text())
    rows = next(value for value in document["data"].values() if isinstance(value, list))
    match tampering:
        case "value":
            document["value"] = str(Fraction(document["value"]) + Fraction(1, 10**30))
        case "number":
            rows[5][0] = str(Fraction(rows[5][0]) + Fraction(1, 100))
        case "row":
            rows[2] = rows[7]
        case "text":
            rows[0][0] = "one"
        case "missing":
            del document["data"]
    path.write_text(json.dumps(document))
    answer = check_file(problem, path)
    assert answer.returncode == 1
    assert "INVALID" in answer.stderr
    assert "VALID" not in answer.stdout


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_is_short_and_imports_nothing_of_ours(problem: str) -> None:
    text = (GALLERY / problem / "check.py").read_text()
    assert len(text.splitlines()) <= 50
    assert "quiltwork" not in text


# --- circles --------------------------------------------------------------------------------------------------------


def grid_of_circles(n: int) -> tuple[list[list[float]], Fraction]:
    """Rows of circles of radius 1/16 that touch exactly (dyadic numbers), and their exact sum of radii."""
    circles = [[(2 * i + 1) / 16, (2 * j + 1) / 16, 1 / 16] for i in range(8) for j in range(8)][:n]
    return circles, Fraction(n, 16)


@pytest.mark.parametrize(("problem", "n"), CIRCLES.items())
def test_circles_that_touch_exactly_score_their_sum(problem: str, n: int) -> None:
    circles, wanted = grid_of_circles(n)
    score = judge(problem, circles)
    assert score.construction == circles
    assert Fraction(metric(score)) == wanted


@pytest.mark.parametrize(("problem", "n"), CIRCLES.items())
def test_the_square_grid_with_a_small_circle_in_a_gap_scores_what_it_should(problem: str, n: int) -> None:
    side = 5
    circles = [[0.1 + 0.2 * i, 0.1 + 0.2 * j, 0.1] for i in range(side) for j in range(side)]
    small = 0.1 * (math.sqrt(2) - 1)
    circles += [[0.2 + 0.2 * k, 0.2, small] for k in range(4)] + [[0.2 + 0.2 * k, 0.4, small] for k in range(4)]
    wanted = 2.5 + (n - 25) * small
    assert wanted - 1e-14 < metric(judge(problem, circles[:n])) <= wanted


@pytest.mark.parametrize(("problem", "n"), CIRCLES.items())
@pytest.mark.parametrize("overlap", [1e-16, 1e-12, 1e-9])
def test_an_overlap_costs_at_least_what_it_overlaps(problem: str, n: int, overlap: float) -> None:
    circles, exact = grid_of_circles(n)
    circles[9][0] -= overlap
    if circles[9][0] == grid_of_circles(n)[0][9][0]:
        circles[9][0] = math.nextafter(circles[9][0], 0.0)
    score = judge(problem, circles)
    assert score.construction != circles
    assert module(problem, "evaluate").is_packing(score.construction)
    assert exact - n * Fraction(3 * overlap + 2e-16) < Fraction(metric(score)) < exact


@pytest.mark.parametrize(("problem", "n"), CIRCLES.items())
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((9, 0, 0.3), r"circles \d+ and \d+ overlap by 0\.\d+"),
        ((0, 2, 0.0626), r"sticks out|overlap"),
        ((3, 2, -0.01), "circle 3 has radius -0.01"),
        ((4, 0, 1.5), "circle 4 .* not in the unit square"),
        ((4, 1, -1e300), "circle 4 .* not in the unit square"),
    ],
)
def test_circles_that_do_not_fit_are_refused_with_the_reason(
    problem: str, n: int, change: tuple[int, int, float], reason: str
) -> None:
    circles, _ = grid_of_circles(n)
    circles[change[0]][change[1]] = change[2]
    with pytest.raises(InvalidScore, match=reason):
        judge(problem, circles)


@pytest.mark.parametrize("problem", CIRCLES)
def test_check_refuses_circles_that_overlap_by_less_than_a_float_can_show(problem: str, tmp_path: Path) -> None:
    circles, _ = grid_of_circles(CIRCLES[problem])
    path = tmp_path / "certificate.json"
    write_certificate(module(problem, "evaluate").certify(circles), path)
    document = json.loads(path.read_text())
    document["data"]["circles"][9][2] = str(Fraction(1, 16) + Fraction(1, 10**40))
    document["value"] = str(Fraction(document["value"]) + Fraction(1, 10**40))
    path.write_text(json.dumps(document))
    answer = check_file(problem, path)
    assert answer.returncode == 1
    assert "overlap" in answer.stderr


# --- distances ------------------------------------------------------------------------------------------------------


def lattice(problem: str) -> list[list[float]]:
    """Points of the square or cubic lattice, nearest to the middle of a cell first."""
    n, dimension = RATIOS[problem]
    cells = np.stack(np.meshgrid(*[np.arange(-2, 4)] * dimension), axis=-1).reshape(-1, dimension)
    order = np.argsort(((cells - 0.5) ** 2).sum(axis=1), kind="stable")
    return cells[order[:n]].astype(float).tolist()


def test_sixteen_points_of_the_square_lattice_have_ratio_squared_eighteen() -> None:
    score = judge("distance_ratio_16_2d", [[float(i), float(j)] for i in range(4) for j in range(4)])
    assert score.metrics == {"ratio_squared": 18.0}
    assert score.descriptors == {"shortest": 24.0, "longest": 2.0}


@pytest.mark.parametrize("problem", RATIOS)
@pytest.mark.parametrize("scale", [2.0**-300, 1.0, 2.0**15])
def test_a_ratio_does_not_change_with_the_scale(problem: str, scale: float) -> None:
    points = np.array(lattice(problem))
    assert judge(problem, points * scale).metrics == judge(problem, points).metrics


@pytest.mark.parametrize("problem", RATIOS)
def test_a_ratio_is_rounded_up_and_never_down(problem: str) -> None:
    points = lattice(problem)
    points[0][0] += 1e-16 + 1e-3
    exact = [[Fraction(value) for value in point] for point in points]
    squares = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for i, p in enumerate(exact) for q in exact[:i]]
    ratio, said = max(squares) / min(squares), Fraction(metric(judge(problem, points)))
    assert ratio <= said < ratio * (1 + Fraction(1, 2**51))


@pytest.mark.parametrize("problem", RATIOS)
@pytest.mark.parametrize("apart", [0.0, 1e-300, 1e-5])
def test_points_that_coincide_are_refused(problem: str, apart: float) -> None:
    points = lattice(problem)
    points[5] = points[2].copy()
    points[5][0] += apart
    with pytest.raises(InvalidScore, match="points 2 and 5 coincide"):
        judge(problem, points)


@pytest.mark.parametrize("problem", RATIOS)
def test_points_at_the_end_of_the_world_are_refused(problem: str) -> None:
    with pytest.raises(InvalidScore, match="beyond a million"):
        judge(problem, np.array(lattice(problem)) * 1e200)


# --- Heilbronn ------------------------------------------------------------------------------------------------------


def parabola() -> list[list[float]]:
    """Eleven points on a parabola, no three on a line: a triangle's area is the product of its differences in k, by 2**-13."""
    return [[k / 32, k * k / 256] for k in range(11)]


def test_points_of_a_parabola_have_the_area_that_vandermonde_says() -> None:
    score = judge(HEILBRONN, parabola())
    assert score.metrics == {"smallest_area": 2 * 2.0**-13}
    assert score.descriptors == {"on_sides": 1.0, "hull": 11.0}


def test_three_points_on_a_line_span_nothing() -> None:
    points = parabola()
    points[4] = [(points[3][0] + points[5][0]) / 2, (points[3][1] + points[5][1]) / 2]
    assert judge(HEILBRONN, points).metrics == {"smallest_area": 0.0}


def test_a_point_that_only_floats_see_on_the_side_is_moved_onto_it() -> None:
    points = parabola()
    points[10] = [0.1, 0.9]
    assert 0.1 + 0.9 == 1.0
    assert Fraction(0.1) + Fraction(0.9) > 1
    u, v = judge(HEILBRONN, points).construction[10]
    assert Fraction(u) + Fraction(v) <= 1
    assert (u, v) == pytest.approx((0.1, 0.9), abs=1e-15)


@pytest.mark.parametrize("slip", [1e-17, 1e-12, 1e-7])
def test_a_point_that_slipped_out_is_put_back(slip: float) -> None:
    points = parabola()
    points[0] = [-slip, -slip]
    points[10] = [0.25 + slip, math.nextafter(0.75, 1.0)]
    (u, v), origin = (judge(HEILBRONN, points).construction[k] for k in (10, 0))
    assert origin == [0.0, 0.0]
    assert Fraction(u) + Fraction(v) <= 1
    assert abs(u + v - 1) < 1e-15


@pytest.mark.parametrize("point", [[0.5, 0.500002], [-0.1, 0.5], [0.3, -1e-5], [1e300, 0.0]])
def test_a_point_outside_is_refused(point: list[float]) -> None:
    points = parabola()
    points[7] = point
    with pytest.raises(InvalidScore, match=r"point 7 .* is outside the triangle"):
        judge(HEILBRONN, points)


def test_check_refuses_a_point_that_is_outside_by_less_than_a_float_can_show(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    write_certificate(module(HEILBRONN, "evaluate").certify(parabola()), path)
    document = json.loads(path.read_text())
    document["data"]["points"][0][0] = str(Fraction(-1, 10**40))
    path.write_text(json.dumps(document))
    answer = check_file(HEILBRONN, path)
    assert answer.returncode == 1
    assert "outside" in answer.stderr
