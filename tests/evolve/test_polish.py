from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quiltwork.evolve.nlp import Nlp, default_moves
from quiltwork.evolve.polish import better, same, search
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal, Specimen
from quiltwork.evolve.proposers.polish import Polish
from quiltwork.evolve.slp import improve, tighten
from tests.gallery.direct import GALLERY

Vector = np.ndarray


def _nlp(**given: Any) -> Nlp:
    fields: dict[str, Any] = {
        "random": lambda rng: rng.uniform(-2.0, 2.0, 2),
        "to_construction": lambda x: x.tolist(),
        "from_construction": np.asarray,
    }
    return Nlp(**fields | given)


def _disc() -> Nlp:
    """Minimise x + y in the unit disc: one smooth constraint, so the optimum is no vertex."""
    return _nlp(
        objective=lambda x: (float(x.sum()), np.ones(2)),
        constraints=lambda x: (np.array([1.0 - x[0] ** 2 - x[1] ** 2]), -2.0 * x[None]),
    )


def _inscribed() -> Nlp:
    """The largest circle x, y, r in the unit square."""
    rows = np.array([[1.0, 0, -1], [-1, 0, -1], [0, 1, -1], [0, -1, -1]])
    return _nlp(
        random=lambda rng: rng.uniform(-3.0, 3.0, 3),
        objective=lambda x: (-float(x[2]), np.array([0.0, 0.0, -1.0])),
        constraints=lambda x: (rows @ x + [0.0, 1.0, 0.0, 1.0], rows),
    )


def _wells() -> Nlp:
    """A chain of double wells without constraints, tilted: every sign pattern of five unknowns is a basin, all minus the best."""
    return _nlp(
        random=lambda rng: rng.uniform(0.5, 1.5, 5),
        objective=lambda x: (float(((x**2 - 1) ** 2 + 0.3 * x).sum()), 4 * x * (x**2 - 1) + 0.3),
        radius=0.5,
        hops=6,
    )


def test_a_vertex_is_reached_from_outside_the_constraints() -> None:
    found = improve(_inscribed(), np.array([3.0, -2.0, 2.5]))
    assert found.converged
    assert found.feasible
    assert found.x == pytest.approx([0.5, 0.5, 0.5], abs=1e-9)


def test_a_curved_optimum_is_finished_to_the_last_digits() -> None:
    found = tighten(_disc(), np.array([0.3, -0.2]))
    assert found.feasible
    assert found.value == pytest.approx(-math.sqrt(2.0), abs=1e-9)


def test_without_constraints_the_gradient_is_enough() -> None:
    found = tighten(_wells(), np.full(5, -0.5))
    assert _wells().objective(found.x)[1] == pytest.approx(np.zeros(5), abs=1e-5)


def test_bounds_hold_and_equal_ones_fix_an_unknown() -> None:
    nlp = replace(_inscribed(), bounds=(np.array([0.2, 0.0, 0.0]), np.array([0.2, 1.0, 1.0])))
    found = improve(nlp, np.array([0.9, 0.9, 0.9]))
    assert found.x[0] == 0.2
    assert found.value == pytest.approx(-0.2, abs=1e-9)


def test_constraints_that_nothing_satisfies_are_reported() -> None:
    nlp = _nlp(
        objective=lambda x: (float(x.sum()), np.ones(2)),
        constraints=lambda x: (np.array([x[0] - 1.0, -x[0] - 1.0]), np.array([[1.0, 0.0], [-1.0, 0.0]])),
        bounds=(np.full(2, -5.0), np.full(2, 5.0)),
    )
    assert not improve(nlp, np.zeros(2)).feasible
    assert search(nlp, None, np.random.default_rng(0)) is None


def test_hops_leave_a_basin_for_a_better_one() -> None:
    nlp = _wells()
    start = improve(nlp, np.full(5, 0.9))
    best = tighten(nlp, np.full(5, -1.1))
    x, rng = start.x, np.random.default_rng(1)
    for _ in range(30):
        found = search(nlp, x, rng)
        if found is not None and better(found.value, nlp.objective(x)[0]):
            x = found.x
    assert same(nlp.objective(x)[0], best.value)


def test_another_basin_is_brought_back_when_there_is_no_better_one() -> None:
    nlp = _wells()
    best = tighten(nlp, np.full(5, -1.1))
    found = [search(nlp, best.x, np.random.default_rng(seed)) for seed in range(6)]
    values = [each.value for each in found if each is not None]
    assert values
    assert all(better(best.value, value) for value in values)


def test_a_lone_basin_gives_nothing() -> None:
    nlp = _inscribed()
    assert search(nlp, np.array([0.5, 0.5, 0.5]), np.random.default_rng(0)) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_finds_the_same_bits(seed: int) -> None:
    nlp = _wells()
    first, second = (search(nlp, None, np.random.default_rng(seed)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.x.tobytes() == second.x.tobytes()
    assert first.note == second.note


def test_default_moves_change_something_and_stay_in_bounds() -> None:
    nlp = replace(_wells(), bounds=(np.zeros(5), np.ones(5)), random=lambda rng: rng.random(5))
    rng = np.random.default_rng(3)
    for move in default_moves(nlp).values():
        moved = [move(np.full(5, 0.5), rng) for _ in range(20)]
        assert all((each != 0.5).any() for each in moved)
        assert all(((each >= 0) & (each <= 1)).all() for each in moved)


@pytest.fixture
def circles() -> Problem:
    return Problem.load(GALLERY / "circle_packing_26")


def _propose(problem: Problem, start: Any, seed: int = 0) -> Proposal:
    parent = Specimen(Program({"program.py": "x = 1\n"}), (0.0,), {"sum_of_radii": 0.0}, {})
    return Polish().propose(Brief(problem, parent, (), np.random.default_rng(seed), start=start))


def test_polish_needs_a_declaration(tmp_path: Path, circles: Problem) -> None:
    assert Polish().applies_to(circles)
    assert not Polish().applies_to(replace(circles, path=tmp_path))
    with pytest.raises(NothingToPropose):
        _propose(replace(circles, path=tmp_path), None)


def test_polish_improves_what_it_is_given_and_leaves_the_program_alone(circles: Problem) -> None:
    grid = [[0.1 + 0.2 * i, 0.1 + 0.2 * j, 0.1] for i in range(5) for j in range(5)] + [[0.2, 0.2, 0.04]]
    proposal = _propose(circles, grid)
    assert sum(r for _, _, r in proposal.construction) > 2.55
    assert dict(proposal.program.files) == {"program.py": "x = 1\n"}
    assert proposal.note.startswith("polish: ")


def test_polish_is_a_function_of_its_brief(circles: Problem) -> None:
    first, second = _propose(circles, None, seed=5), _propose(circles, None, seed=5)
    assert first.construction == second.construction
    assert first.note == second.note


def test_moves_may_be_one_or_several() -> None:
    def move(x: Vector, rng: np.random.Generator) -> Vector:
        return x

    assert dict(replace(_disc(), perturb=move).moves()) == {"perturb": move}
    named: Mapping[str, Any] = {"shake": move}
    assert replace(_disc(), perturb=named).moves() == named
