"""Kissing spheres as integer vectors: a set counts when every pair is far enough apart, and not otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import (
    Direct,
    Replies,
    building_blocks,
    independent_check,
    module,
    seed_program,
    source,
    with_block,
)

NAME = "kissing_number_11d"
D = 11
judge = module(NAME, "evaluate")

BLOCKS = [(slot, block) for slot in ("candidates", "choose", "extend") for block in building_blocks(NAME, slot)]
CROSS = np.vstack([np.eye(D, dtype=int), -np.eye(D, dtype=int)]).tolist()


def far_enough(vectors: list[list[int]]) -> bool:
    longest = max(sum(x * x for x in v) for v in vectors)
    return all(
        sum((x - y) ** 2 for x, y in zip(v, w, strict=True)) >= longest
        for i, v in enumerate(vectors)
        for w in vectors[:i]
    )


def spheres(candidate: Direct | Replies) -> float:
    return judge.evaluate(candidate).metrics["spheres"]


def test_the_roots_of_d11_are_220_spheres_that_touch_36_others_each() -> None:
    score = judge.evaluate(seed_program(NAME))
    assert score.metrics == {"spheres": 220.0}
    assert score.descriptors == {"opposite": 1.0, "contacts": 36.0}
    assert str(score.artifacts["picture.svg"]).startswith("<svg")


@pytest.mark.parametrize("scale", [1, 3, 10**6, 10**15])
def test_scale_does_not_matter_up_to_the_largest_coordinates(scale: int) -> None:
    vectors = [[scale * x for x in vector] for vector in CROSS]
    assert spheres(Replies(vectors)) == 22
    vectors[0][1] = 1
    with pytest.raises(InvalidScore, match=r"too close|beyond"):
        spheres(Replies([*vectors, [scale, scale, *[0] * 9]]))


@given(st.lists(st.lists(st.integers(-2, 2), min_size=D, max_size=D).filter(any), min_size=1, max_size=6))
def test_a_set_counts_exactly_when_no_pair_is_too_close(vectors: list[list[int]]) -> None:
    if far_enough(vectors):
        assert spheres(Replies(vectors)) == len(vectors)
    else:
        with pytest.raises(InvalidScore, match="pairs are too close"):
            spheres(Replies(vectors))


def test_one_unit_in_the_fifteenth_digit_decides() -> None:
    big = 10**15
    touching = [[big, 0, *[0] * 9], [0, big, *[0] * 9], [-big, 0, *[0] * 9]]
    assert spheres(Replies(touching)) == 3
    longer = [[big, 1, *[0] * 9], [big // 2, 866025403784438, *[0] * 9]]
    with pytest.raises(InvalidScore, match="too close"):
        spheres(Replies(longer))


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        "vectors",
        [[1] * 10],
        [[1.0] * D],
        [[True] * D],
        [[0] * D],
        [[10**15 + 1] * D],
        [[1] * D] * 901,
        np.eye(D),
        np.zeros((2, 2, 2), dtype=int),
    ],
)
def test_replies_that_are_no_vectors_are_refused(reply: object) -> None:
    with pytest.raises(InvalidScore, match=r"integers|vectors?"):
        spheres(Replies(reply))


def test_a_vector_that_appears_twice_is_refused() -> None:
    with pytest.raises(InvalidScore, match="too close"):
        spheres(Replies([*CROSS, CROSS[0]]))


@pytest.mark.parametrize(("slot", "block"), BLOCKS)
def test_every_building_block_builds(slot: str, block: str) -> None:
    assert 22 <= spheres(with_block(NAME, slot, block)) <= 604


@pytest.mark.parametrize("block", building_blocks(NAME, "extend"))
def test_extending_a_set_with_a_hole_never_loses(block: str) -> None:
    candidate = with_block(NAME, "extend", block)
    vectors = np.array(judge.evaluate(seed_program(NAME)).construction[:-20])
    assert spheres(Replies(candidate.call("extend", vectors, np.random.default_rng(0)))) >= 200


def test_tabu_search_among_fours_finds_582() -> None:
    text = source(NAME, "program", "program.py")
    for slot, block in (("candidates", "fours"), ("choose", "tabu")):
        text += "\n\n" + source(NAME, "blocks", slot, f"{block}.py")
    score = judge.evaluate(Direct(text))
    assert score.metrics == {"spheres": 582.0}
    assert spheres(seed_program(NAME, start=score.construction)) == 582


def test_the_independent_check_agrees_with_the_certificate(tmp_path) -> None:
    certificate = judge.certify(judge.evaluate(seed_program(NAME)).construction)
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "spheres = 220" in checked.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"value": "23/1"},
        {"data": {"vectors": [*CROSS[1:], CROSS[1]]}},
        {"data": {"vectors": [*CROSS[1:], [0] * D]}},
        {"data": {"vectors": [*CROSS[1:], [1] * (D - 1)]}},
        {"data": {"vectors": [*CROSS[1:], [1.0, *[0] * 10]]}},
        {"data": {"vectors": [*CROSS, [1, 1, *[0] * 9]]}},
        {"data": {}},
    ],
)
def test_the_independent_check_refuses_what_is_wrong(change: dict[str, object], tmp_path) -> None:
    checked = independent_check(NAME, judge.certify(CROSS), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr
