"""Heilbronn's problem for convex regions, 13 and 14 points: shares of the hull, exact, the same after every affine map."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import (
    HOSTILE_NUMBERS,
    Replies,
    building_blocks,
    independent_check,
    module,
    seed_program,
    with_block,
)

SIZES = {"heilbronn_convex_13": 13, "heilbronn_convex_14": 14}
BLOCKS = [
    (name, slot, block) for name in SIZES for slot in ("place", "improve") for block in building_blocks(name, slot)
]


def judged(name: str, points: object) -> float:
    return module(name, "evaluate").evaluate(Replies(points)).metrics["smallest_area"]


def parabola(n: int) -> list[list[float]]:
    """Points (k, k^2): a triangle's doubled area is the product of its differences in k, 2 at least; all lie on the hull."""
    return [[float(k), float(k * k)] for k in range(n)]


def parabola_value(n: int) -> Fraction:
    """The hull falls into the triangles (0, k, k + 1), of the doubled area k (k + 1)."""
    return Fraction(2, sum(k * (k + 1) for k in range(1, n - 1)))


@pytest.mark.parametrize(("name", "n"), SIZES.items())
def test_points_of_a_parabola_have_the_share_that_vandermonde_says(name: str, n: int) -> None:
    score = module(name, "evaluate").evaluate(Replies(parabola(n)))
    assert 0 <= parabola_value(n) - Fraction(score.metrics["smallest_area"]) < Fraction(1, 2**56)
    assert score.descriptors["hull"] == n
    assert str(score.artifacts["picture.svg"]).startswith("<svg")


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9), st.permutations(range(13)))
def test_affine_maps_and_the_order_of_the_points_change_nothing(a, b, c, d, order) -> None:
    judge = module("heilbronn_convex_13", "evaluate")
    points = [[a * x + b * y + 5.0, c * x + d * y - 0.25] for x, y in parabola(13)]
    moved = [points[k] for k in order]
    if a * d == b * c:
        with pytest.raises(InvalidScore, match="on a line"):
            judge.evaluate(Replies(moved))
    else:
        assert judge.certify(moved).value == parabola_value(13)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=13, max_size=13))
def test_the_share_is_that_of_the_smallest_triangle_even_where_points_coincide(points) -> None:
    judge = module("heilbronn_convex_13", "evaluate")
    areas = [abs((q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])) for p, q, r in combinations(points, 3)]
    if max(areas) == 0:
        with pytest.raises(InvalidScore, match="on a line"):
            judge.evaluate(Replies(points))
    elif min(areas) == 0:
        assert judged("heilbronn_convex_13", points) == 0.0
    else:
        assert 0.0 < judged("heilbronn_convex_13", points) <= Fraction(min(areas), max(areas))


@pytest.mark.parametrize(("name", "n"), SIZES.items())
@pytest.mark.parametrize("number", [*HOSTILE_NUMBERS, 1e7])
def test_numbers_that_are_no_places_are_refused(name: str, n: int, number: float) -> None:
    points = parabola(n)
    points[3][1] = number
    with pytest.raises(InvalidScore, match=r"row 3 holds|point 3 is beyond"):
        judged(name, points)


@pytest.mark.parametrize(("name", "n"), SIZES.items())
def test_other_shapes_are_refused(name: str, n: int) -> None:
    for reply in (None, [], np.zeros((n + 1, 2)), np.zeros((n, 3)), np.zeros((n, 2), dtype=complex)):
        with pytest.raises(InvalidScore, match="must be"):
            judged(name, reply)


@pytest.mark.parametrize("name", SIZES)
def test_the_seed_program_improves_on_what_it_starts_from(name: str) -> None:
    judge = module(name, "evaluate")
    first = judge.evaluate(seed_program(name))
    second = judge.evaluate(seed_program(name, start=first.construction))
    assert 0 < first.metrics["smallest_area"] < second.metrics["smallest_area"] < 0.02


@pytest.mark.parametrize(("name", "slot", "block"), BLOCKS)
def test_every_building_block_builds(name: str, slot: str, block: str) -> None:
    assert 0.0 < module(name, "evaluate").evaluate(with_block(name, slot, block)).metrics["smallest_area"] < 0.031


@pytest.mark.parametrize("name", SIZES)
def test_polish_beats_the_seed_program_and_keeps_what_it_is_given(name: str) -> None:
    judge, polish = module(name, "evaluate"), module(name, "polish")
    found = search(polish.problem(), None, np.random.default_rng(0))
    score = judge.evaluate(Replies(polish.to_construction(found.x)))
    assert score.metrics["smallest_area"] > 0.02
    again = polish.from_construction(score.construction)
    assert again[-1] == pytest.approx(score.metrics["smallest_area"], abs=1e-13)
    assert polish.constraints(again)[0].min() > -1e-12


@pytest.mark.parametrize("name", SIZES)
def test_gradients_are_those_of_the_functions(name: str) -> None:
    polish = module(name, "polish")
    z = polish.random(np.random.default_rng(4))
    z[-1], step = 0.01, 1e-6
    columns = [
        (polish.constraints(z + step * e)[0] - polish.constraints(z - step * e)[0]) / (2 * step) for e in np.eye(len(z))
    ]
    assert np.allclose(np.array(columns).T, polish.constraints(z)[1], atol=1e-5)


@pytest.mark.parametrize(("name", "n"), SIZES.items())
def test_the_independent_check_agrees_with_the_certificate(name: str, n: int, tmp_path) -> None:
    certificate = module(name, "evaluate").certify(parabola(n))
    checked = independent_check(name, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert str(parabola_value(n)) in checked.stdout


@pytest.mark.parametrize(("name", "n"), SIZES.items())
@pytest.mark.parametrize("change", ["value", "moved", "row", "text", "missing"])
def test_the_independent_check_refuses_what_is_wrong(name: str, n: int, change: str, tmp_path) -> None:
    certificate = module(name, "evaluate").certify(parabola(n))
    points = json.loads(json.dumps(certificate.data["points"]))
    changes: dict[str, object] = {"data": {"points": points}}
    match change:
        case "value":
            changes["value"] = str(certificate.value + Fraction(1, 10**30))
        case "moved":
            points[5][0] = str(Fraction(5) + Fraction(1, 10**40))
        case "row":
            points[2] = points[7]
        case "text":
            points[0][0] = "one"
        case "missing":
            changes["data"] = {}
    checked = independent_check(name, certificate, tmp_path, changes)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr
