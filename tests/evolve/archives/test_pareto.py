import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.archives import Elite, ParetoArchive
from quiltwork.evolve.archives.pareto import crowding_distances

points = st.tuples(st.integers(-6, 6).map(float), st.integers(-6, 6).map(float), st.integers(0, 2).map(float))
elites = st.builds(lambda step, point: Elite(step, point, ()), st.integers(0, 60), points)
by_step = st.lists(elites, max_size=40, unique_by=lambda elite: elite.step)


def dominates(one: Elite, other: Elite) -> bool:
    pairs = list(zip(one.fitness, other.fitness, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def filled(offers, size: int = 1_000) -> ParetoArchive:
    archive = ParetoArchive(size)
    for elite in offers:
        archive.add(elite)
    return archive


@given(offers=by_step)
def test_the_front_is_what_brute_force_finds(offers) -> None:
    front = {elite.fitness for elite in offers if not any(dominates(other, elite) for other in offers)}
    archive = filled(offers)
    assert {elite.fitness for elite in archive} == front
    assert len(archive) == len(front)


@given(offers=by_step)
def test_of_equal_programs_the_first_stays(offers) -> None:
    for elite in filled(offers):
        equals = [other.step for other in offers if other.fitness == elite.fitness]
        assert elite.step == equals[0]


@given(offers=st.lists(elites, max_size=60), size=st.integers(1, 8))
def test_the_front_is_bounded_and_the_best_is_never_lost(offers, size) -> None:
    archive = ParetoArchive(size)
    best: tuple[float, ...] | None = None
    seen: set[int] = set()
    for elite in offers:
        if elite.step in seen:
            continue
        seen.add(elite.step)
        assert archive.add(elite) == (elite.step in archive)
        best = max(best, elite.fitness) if best else elite.fitness
        assert len(archive) <= size
        assert max(member.fitness for member in archive) == best
        assert not any(dominates(one, other) for one in archive for other in archive)


@given(offers=by_step, seed=st.integers(0, 1_000))
def test_the_order_of_insertion_decides_nothing_but_ties(offers, seed) -> None:
    shuffled = [offers[i] for i in np.random.default_rng(seed).permutation(len(offers))]
    assert {elite.fitness for elite in filled(offers)} == {elite.fitness for elite in filled(shuffled)}


@given(offers=by_step, size=st.integers(1, 10))
def test_ranked_goes_from_lonely_to_crowded_and_holds_all(offers, size) -> None:
    archive = filled(offers, size)
    ranked = list(archive.ranked())
    assert sorted(elite.step for elite in ranked) == sorted(elite.step for elite in archive)
    assert len(ranked) == len(archive)
    if ranked:
        by_place = sorted(ranked, key=lambda e: (tuple(-v for v in e.fitness), e.step))
        distance = dict(zip(by_place, crowding_distances(np.array([e.fitness for e in by_place])), strict=True))
        assert ranked == sorted(ranked, key=lambda e: (-distance[e], e.step))


@given(offers=by_step, gone=st.integers(0, 60))
def test_removing_takes_out_one_and_nothing_else(offers, gone) -> None:
    archive = filled(offers)
    before = {elite.step for elite in archive}
    archive.remove(gone)
    assert gone not in archive
    assert {elite.step for elite in archive} == before - {gone}


def test_crowding_distance_is_the_one_of_the_paper() -> None:
    front = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    distances = crowding_distances(front)
    assert distances.tolist() == [np.inf, 4 / 10 + 5 / 10, 9 / 10 + 6 / 10, np.inf]


def test_too_many_lose_the_most_crowded_one() -> None:
    archive = filled([Elite(s, p, ()) for s, p in enumerate([(0.0, 10.0), (10.0, 0.0), (1.0, 9.5)])], size=3)
    assert not archive.add(Elite(7, (0.5, 9.6), ()))
    assert archive.add(Elite(8, (5.0, 5.0), ()))
    assert sorted(elite.step for elite in archive) == [0, 1, 8]


def test_a_newer_measurement_replaces_the_old_one() -> None:
    archive = filled([Elite(1, (5.0, 5.0), ()), Elite(2, (6.0, 1.0), ())])
    assert not archive.add(Elite(1, (0.0, 0.0), ()))
    assert [elite.step for elite in archive] == [2]


def test_what_is_not_finite_is_never_kept() -> None:
    assert not ParetoArchive(3).add(Elite(1, (1.0, float("nan")), ()))


def test_a_wrong_number_of_metrics_is_an_error() -> None:
    archive = filled([Elite(1, (5.0, 5.0), ())])
    with pytest.raises(ValueError, match="step 2 has 3 metrics"):
        archive.add(Elite(2, (1.0, 2.0, 3.0), ()))


def test_a_front_has_no_cells() -> None:
    assert ParetoArchive(3).cell((1.0, 2.0)) == 0
    with pytest.raises(ValueError):
        ParetoArchive(0)
