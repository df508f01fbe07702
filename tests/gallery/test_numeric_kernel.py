from __future__ import annotations

import inspect

import numpy as np
import pytest

from quiltwork.evolve.evaluation import close_jails, evaluate
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import GALLERY, building_blocks, module, seed_program, source, with_block

NAME = "numeric_kernel"
judge = module(NAME, "evaluate")
reference = module(NAME, "reference")

SEED = source(NAME, "program", "program.py")


@pytest.fixture(scope="module")
def in_the_jail():
    """Scores a program's text as a run does."""

    def score(text):
        return evaluate(
            {
                "problem": str(GALLERY / NAME),
                "files": {"program.py": text},
                "construction": None,
                "start": None,
                "seed": 0,
                "incumbent": None,
                "trust": False,
            }
        )

    yield score
    close_jails()


def a_problem(rows=24, columns=40):
    return judge.drawn(np.random.default_rng(1), rows, columns)


def test_the_reference_is_the_program_to_start_from():
    assert inspect.getsource(reference.kernel) in SEED


@pytest.mark.parametrize("name", building_blocks(NAME, "kernel"))
@pytest.mark.parametrize("shape", [(24, 40), (31, 7)])
def test_every_building_block_computes_the_same(name, shape):
    problem = a_problem(*shape)
    kept = {name: np.copy(value) for name, value in problem.items()}
    assert judge.deviation(with_block(NAME, "kernel", name).call("kernel", **problem), reference.kernel(**kept)) < 1e-12


def test_the_reaction_keeps_concentrations_between_zero_and_one():
    u, v = reference.kernel(**a_problem())
    assert u.min() > 0
    assert v.min() >= 0
    assert max(u.max(), v.max()) <= 1


def test_two_draws_are_never_the_same():
    rng = np.random.default_rng(1)
    first, second = judge.drawn(rng, 8, 8), judge.drawn(rng, 8, 8)
    assert (first["v"] != second["v"]).any()
    assert first["feed"] != second["feed"]


def test_a_faster_kernel_scores_higher_than_the_start(in_the_jail):
    start, flat = (
        in_the_jail(text)["metrics"]["speedup"]
        for text in (SEED, SEED + "\n\n" + source(NAME, "blocks", "kernel", "flat.py"))
    )
    assert 0.2 < start < 1.3
    assert flat > 1.3 * start


STOPPED_CLOCK = """
import time

time.perf_counter = time.process_time = time.thread_time = time.monotonic = time.time = lambda: 0.0
"""

BUSY_THREAD = """
import threading


def burn():
    while True:
        np.sin(np.ones(100_000))


threading.Thread(target=burn, daemon=True).start()
"""

WORK_AT_IMPORT = """
for _ in range(300):
    kernel(np.ones((128, 128)), np.zeros((128, 128)), 1, 0.03, 0.06)
"""


@pytest.mark.parametrize("trick", [STOPPED_CLOCK, BUSY_THREAD, WORK_AT_IMPORT], ids=["clock", "thread", "import"])
def test_tricks_do_not_make_a_kernel_faster(in_the_jail, trick):
    outcome = in_the_jail(SEED + trick)
    assert outcome["verdict"] != "ok" or outcome["metrics"]["speedup"] < 1.3


ANSWERS_KEPT = """
answers = []
slow = kernel


def kernel(u, v, steps, feed, kill):
    if not answers:
        answers.append(slow(u, v, steps, feed, kill))
    return answers[0]
"""


def test_an_answer_that_was_kept_is_wrong_the_next_time(in_the_jail):
    outcome = in_the_jail(SEED + ANSWERS_KEPT)
    assert outcome["verdict"] == "invalid"
    assert "from what it should be" in outcome["detail"]


def test_thirty_two_bits_are_too_few():
    problem = a_problem()
    short = {name: value.astype(np.float32) if name in "uv" else value for name, value in problem.items()}
    reply = [grid.astype(np.float64) for grid in seed_program(NAME).call("kernel", **short)]
    with pytest.raises(InvalidScore, match="allowed"):
        judge.deviation(reply, reference.kernel(**problem))


RIGHT = [np.zeros((4, 4)), np.zeros((4, 4))]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        RIGHT[0],
        [RIGHT[0]],
        [[[0.0] * 4] * 4] * 2,
        [np.zeros((4, 5)), np.zeros((4, 5))],
        [np.zeros((4, 4), dtype=np.float32)] * 2,
        [np.zeros((4, 4), dtype=complex)] * 2,
        [np.full((4, 4), np.nan), RIGHT[1]],
        [np.full((4, 4), np.inf), RIGHT[1]],
        [RIGHT[0], np.full((4, 4), 2e-9)],
    ],
)
def test_replies_that_are_not_the_concentrations_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"kernel\(\)|concentration"):
        judge.deviation(reply, RIGHT)
