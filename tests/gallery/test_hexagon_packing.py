"""Hexagons in a hexagon, 11 and 12: exactly regular, exactly disjoint, in numbers a + b sqrt(3)."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import pairwise

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

SIZES = {"hexagon_packing_11": 11, "hexagon_packing_12": 12}
NAME = "hexagon_packing_11"
BLOCKS = [
    (name, slot, block) for name in SIZES for slot in ("place", "improve") for block in building_blocks(name, slot)
]
surd = module(NAME, "surd")
numbers = st.tuples(st.fractions(max_denominator=50), st.fractions(max_denominator=50))


def grid(n: int, apart: float = 2.0) -> list[list[float]]:
    """Hexagons that are not turned, in columns `apart` from each other (2 is contact of two corners) and in rows of height 2."""
    return [[apart * (i - 1.5), 2.0 * (j - 1), 0.0] for j in range(3) for i in range(4)][:n]


def value(p: tuple[Fraction, Fraction]) -> float:
    return float(p[0]) + float(p[1]) * math.sqrt(3)


@given(numbers, numbers)
def test_surds_are_compared_and_multiplied_as_the_numbers_that_they_are(p, q) -> None:
    assert value(surd.times(p, q)) == pytest.approx(value(p) * value(q), rel=1e-9, abs=1e-9)
    assert surd.sign(surd.times(p, q)) == surd.sign(p) * surd.sign(q)
    if abs(value(p) - value(q)) > 1e-9:
        assert surd.not_below(p, q) == (value(p) > value(q))
    assert surd.not_below(p, p)


def test_a_sign_is_right_where_floats_see_zero() -> None:
    convergent = Fraction(1_000_000_000_000_000_000_000, 577_350_269_189_625_764_509)
    assert surd.sign((convergent, Fraction(-1))) == -surd.sign((-convergent, Fraction(1))) != 0
    assert surd.sign((Fraction(0), Fraction(0))) == 0


@pytest.mark.parametrize(("name", "n"), SIZES.items())
def test_a_grid_that_touches_has_the_side_that_it_should(name: str, n: int) -> None:
    score = module(name, "evaluate").evaluate(Replies(grid(n)))
    assert score.construction == grid(n)
    assert score.descriptors == {"turned": 0.0, "angles": 1.0}
    reach = max(abs(x) * math.sqrt(0.75) + abs(y) / 2 for x, y, _ in grid(n)) + math.sqrt(0.75)
    reach = max(reach, 2.0 + math.sqrt(0.75))
    assert score.metrics["side"] == pytest.approx(reach / math.sqrt(0.75), abs=1e-12)
    assert str(score.artifacts["picture.svg"]).startswith("<svg")


@pytest.mark.parametrize("overlap", [1e-15, 1e-12, 1e-8])
def test_an_overlap_is_paid_for(overlap: float) -> None:
    judge = module(NAME, "evaluate")
    squeezed = grid(11, 2.0 - overlap)
    score = judge.evaluate(Replies(squeezed))
    assert score.construction != squeezed
    assert judge.is_packing(score.construction)
    assert score.metrics["side"] >= judge.evaluate(Replies(grid(11))).metrics["side"] - 4 * overlap
    x = [row[0] for row in score.construction]
    assert min(Fraction(b) - Fraction(a) for a, b in pairwise(x[:4])) >= 2


@pytest.mark.parametrize(
    ("row", "column", "number", "reason"),
    [
        (0, 0, -2.9, r"hexagons \d+ and \d+ overlap by 0"),
        (0, 0, 30.0, "keep"),
        (0, 2, 1.5, "keep"),
        *[(3, 1, number, "row 3 holds") for number in HOSTILE_NUMBERS],
    ],
)
def test_hexagons_that_are_no_packing_are_refused_with_the_reason(row, column, number, reason) -> None:
    hexagons = grid(11)
    hexagons[row][column] = number
    with pytest.raises(InvalidScore, match=reason):
        module(NAME, "evaluate").evaluate(Replies(hexagons))


@pytest.mark.parametrize("name", SIZES)
def test_the_seed_program_is_weak_and_never_loses_what_it_starts_from(name: str) -> None:
    judge = module(name, "evaluate")
    first = judge.evaluate(seed_program(name))
    second = judge.evaluate(seed_program(name, start=first.construction))
    assert 4.5 < second.metrics["side"] <= first.metrics["side"] < 6.0


@pytest.mark.parametrize(("name", "slot", "block"), BLOCKS)
def test_every_building_block_builds(name: str, slot: str, block: str) -> None:
    assert 3.9 < module(name, "evaluate").evaluate(with_block(name, slot, block)).metrics["side"] < 12.0


def polished(name: str):
    polish = module(name, "polish")
    nlp = polish.problem()
    found = search(nlp, None, np.random.default_rng(0))
    assert found is not None
    return nlp.to_construction(found.x)


def test_polish_beats_the_honeycomb_or_equals_it_and_its_certificate_stands(tmp_path) -> None:
    judge, polish = module(NAME, "evaluate"), module(NAME, "polish")
    score = judge.evaluate(Replies(polished(NAME)))
    assert 3.92 < score.metrics["side"] < 4.2
    again = judge.evaluate(Replies(score.construction))
    assert (again.metrics, again.construction) == (score.metrics, score.construction)
    z = polish.from_construction(score.construction)
    assert polish.objective(z)[0] == pytest.approx(score.metrics["side"], abs=1e-9)
    assert polish.constraints(z)[0].min() > -1e-9
    certificate = judge.certify(score.construction)
    assert 0 <= Fraction(score.metrics["side"]) - certificate.value < Fraction(1, 10**12)
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert str(certificate.value) in checked.stdout


@pytest.mark.parametrize("name", SIZES)
def test_gradients_are_those_of_the_functions(name: str) -> None:
    polish = module(name, "polish")
    rng, step = np.random.default_rng(4), 1e-7
    z = polish.random(rng)
    z += rng.normal(0, 0.01, len(z))
    columns = [
        (polish.constraints(z + step * e)[0] - polish.constraints(z - step * e)[0]) / (2 * step) for e in np.eye(len(z))
    ]
    assert np.allclose(np.array(columns).T, polish.constraints(z)[1], atol=1e-5)


@pytest.mark.parametrize("change", ["side", "overlap", "outside", "row", "text", "missing"])
def test_the_independent_check_refuses_what_is_wrong(change: str, tmp_path) -> None:
    certificate = module(NAME, "evaluate").certify(grid(11))
    hexagons = json.loads(json.dumps(certificate.data["hexagons"]))
    changes: dict[str, object] = {"data": {"hexagons": hexagons}}
    match change:
        case "side":
            changes["value"] = str(certificate.value - Fraction(1, 2**63))
        case "overlap":
            hexagons[1][0] = str(Fraction(hexagons[1][0]) - Fraction(1, 10**40))
        case "outside":
            hexagons[0][1] = "-21/10"
        case "row":
            hexagons.pop()
        case "text":
            hexagons[0][0] = "one"
        case "missing":
            changes["data"] = {}
    checked = independent_check(NAME, certificate, tmp_path, changes)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr
