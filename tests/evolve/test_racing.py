import numpy as np

from quiltwork.evolve.racing import ERROR_RATE, is_worse


def test_two_runs_say_nothing() -> None:
    assert not is_worse([0.0, 0.0], 100.0, looks=10)


def test_a_candidate_that_is_far_worse_is_dropped_early() -> None:
    assert is_worse([1.0, 1.1, 0.9], 10.0, looks=10)


def test_a_candidate_that_never_varies_is_compared_exactly() -> None:
    assert is_worse([1.0, 1.0, 1.0], 1.0000001, looks=10)
    assert not is_worse([1.0, 1.0, 1.0], 1.0, looks=10)


def test_equal_candidates_are_dropped_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(3)
    dropped = 0
    races = 400
    for _ in range(races):
        values = rng.normal(0.0, 1.0, 20)
        dropped += any(is_worse(values[:n].tolist(), 0.0, looks=20) for n in range(1, 21))
    assert dropped / races < ERROR_RATE + 0.03
