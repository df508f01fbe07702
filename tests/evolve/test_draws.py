import numpy as np

from quiltwork.evolve.draws import draw

FROZEN_INTEGERS = [3177758640, 2365724100, 2270277878]
FROZEN_FLOAT = 0.2769901734368768

FROZEN_INTEGERS = [3177758640, 2365724100, 2270277878]
FROZEN_FLOAT = 0.2769901734368768


def test_draws_are_the_same_on_every_machine() -> None:
    rng = draw(7, 42, "plan")
    assert rng.integers(2**32, size=3).tolist() == FROZEN_INTEGERS
    assert rng.random() == FROZEN_FLOAT


def test_a_draw_does_not_depend_on_what_was_drawn_before() -> None:
    first = draw(1, 2, "a").random(5)
    draw(1, 3, "a").random(5)
    np.testing.assert_array_equal(draw(1, 2, "a").random(5), first)


def test_every_argument_makes_another_stream() -> None:
    streams = [
        draw(*key).integers(2**62) for key in ((1, 2, "a"), (2, 1, "a"), (1, 2, "b"), (12, 0, "a"), (1, 20, "a"))
    ]
    assert len(set(map(int, streams))) == len(streams)


def test_large_and_negative_seeds_are_welcome() -> None:
    assert draw(2**80, -1, "").random() != draw(-(2**80), -1, "").random()
