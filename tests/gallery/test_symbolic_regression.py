from __future__ import annotations

import math
import tomllib

import pytest

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import (
    HOSTILE_NUMBERS,
    Direct,
    Replies,
    building_blocks,
    module,
    seed_program,
    source,
    with_block,
)

NAME = "symbolic_regression"
judge = module(NAME, "evaluate")

FORMULAS = {
    "Magnus form, 1996": "0.61094 * math.exp(17.625 * t / (t + 243.04))",
    "Antoine": "10 ** (8.07131 - 1730.63 / (233.426 + t)) * 0.133322368",
    "Tetens, 1930": "0.61078 * math.exp(17.27 * t / (t + 237.3))",
    "Buck, 1996": "0.61121 * math.exp((18.678 - t / 234.5) * (t / (257.14 + t)))",
}


def formula(expression):
    return Direct(f"import math\n\n\ndef table(ts):\n    return [{expression} for t in ts]\n")


def test_the_program_to_start_from_is_far_from_the_measurements():
    assert judge.evaluate(seed_program(NAME)).metrics["error_percent"] > 10


@pytest.mark.parametrize("known", tomllib.loads(source(NAME, "known.toml"))["known"], ids=lambda known: known["who"])
def test_published_formulas_have_the_known_errors(known):
    score = judge.evaluate(formula(FORMULAS[known["who"]]))
    assert score.metrics["error_percent"] == pytest.approx(known["value"], rel=1e-9)


def test_a_formula_is_judged_at_the_end_on_rows_that_selection_never_saw():
    assert not set(judge.TRAINING) & set(judge.HELD_OUT)
    assert judge.held_out(formula(FORMULAS["Buck, 1996"])).metrics["error_percent"] < 0.1


@pytest.mark.parametrize("block", building_blocks(NAME, "pressure"))
def test_every_building_block_gives_pressures(block):
    assert math.isfinite(judge.evaluate(with_block(NAME, "pressure", block)).metrics["error_percent"])


@pytest.mark.parametrize(
    "reply",
    [
        None,
        1.0,
        [1.0],
        [[1.0]] * 11,
        ["1"] * 11,
        [True] * 11,
        [1 + 0j] * 11,
        [1e9] * 11,
        [10**400] * 11,
        *[[float(number)] * 11 for number in HOSTILE_NUMBERS],
    ],
)
def test_replies_that_are_no_pressures_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"table|pressure"):
        judge.evaluate(Replies(reply))
