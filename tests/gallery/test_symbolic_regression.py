"""The vapour pressure of water: published formulas score what `known.toml` says, and nonsense is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from quiltwork.evolve.problem import Problem
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import GALLERY

FORMULAS: dict[str, Callable[[float], float]] = {
    "Magnus form, 1996": lambda t: 0.61094 * math.exp(17.625 * t / (t + 243.04)),
    "Antoine": lambda t: 10 ** (8.07131 - 1730.63 / (233.426 + t)) * 0.13332236842,
    "Tetens, 1930": lambda t: 0.61078 * math.exp(17.27 * t / (t + 237.3)),
    "Buck, 1996": lambda t: 0.61121 * math.exp((18.678 - t / 234.5) * (t / (257.14 + t))),
}


class Formula:
    """A candidate whose program is a formula, or whose table is whatever it is given."""

    def __init__(self, answer: Callable[[float], Any]) -> None:
        self.answer = answer

    def call(self, function: str, ts: list[float]) -> list[Any]:
        assert function == "table"
        return [self.answer(t) for t in ts]


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem.load(GALLERY / "symbolic_regression")


@pytest.mark.parametrize("who", FORMULAS)
def test_published_formulas_score_what_is_known_of_them(problem: Problem, who: str) -> None:
    known = {each.who: each.value for each in problem.known}
    score = problem.evaluator.evaluate(Formula(FORMULAS[who]))
    assert score.metrics["error_percent"] == pytest.approx(known[who], rel=1e-12)
    assert score.descriptors["steepness"] == pytest.approx(5.1, abs=0.05)


def test_the_best_known_formula_is_the_last_one_and_generalises(problem: Problem) -> None:
    assert problem.known[-1].value == min(each.value for each in problem.known)
    assert problem.evaluator.held_out(Formula(FORMULAS["Buck, 1996"])).metrics["error_percent"] < 0.06


def test_training_and_held_out_rows_do_not_meet(problem: Problem) -> None:
    training, held_out = problem.evaluator.TRAINING, problem.evaluator.HELD_OUT
    assert not {t for t, _ in training} & {t for t, _ in held_out}
    assert len(training) + len(held_out) == 21


@pytest.mark.parametrize("answer", [math.nan, math.inf, "1.0", None, True, 1j, 1e9, [1.0]])
def test_what_is_no_pressure_is_refused(problem: Problem, answer: object) -> None:
    with pytest.raises(InvalidScore, match="pressure"):
        problem.evaluator.evaluate(Formula(lambda t: answer))


def test_a_table_of_the_wrong_length_is_refused(problem: Problem) -> None:
    class Short(Formula):
        def call(self, function: str, ts: list[float]) -> list[Any]:
            return [1.0]

    with pytest.raises(InvalidScore, match="11 numbers"):
        problem.evaluator.evaluate(Short(float))
