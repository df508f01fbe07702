import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ribs.archives import CVTArchive as RibsCvt
from ribs.archives import GridArchive as RibsGrid

from quiltwork.evolve.archives import Archive, CvtArchive, Elite, GridArchive, ParetoArchive, make_archive
from quiltwork.evolve.archives.cvt import centroidal_voronoi
from quiltwork.evolve.config import ProblemConfig

GRID = [(-1.0, 3.0, 4), (0.0, 10.0, 7)]

fitnesses = st.integers(-5, 5).map(float)
places = st.tuples(st.floats(-3, 5), st.floats(-2, 12))
elites = st.builds(lambda step, fitness, place: Elite(step, (fitness,), place), st.integers(0, 40), fitnesses, places)
by_step = st.lists(elites, max_size=60, unique_by=lambda elite: elite.step)


def grid() -> GridArchive:
    return GridArchive(GRID)


def cvt() -> CvtArchive:
    return CvtArchive([(low, high) for low, high, _ in GRID], 12, seed=3)


both = pytest.mark.parametrize("make", [grid, cvt])


def occupancy(archive: Archive) -> dict[int, Elite]:
    return {archive.cell(elite.descriptors): elite for elite in archive}


def is_in_order(archive: Archive) -> bool:
    ranked = list(archive.ranked())
    return ranked == sorted(archive, key=lambda elite: (-elite.fitness[0], elite.step))


def feed(archive, ribs, rng: np.random.Generator, points: np.ndarray) -> None:
    for step, point in enumerate(points):
        fitness = float(rng.integers(0, 50)) / 7
        archive.add(Elite(step, (fitness,), tuple(point)))
        ribs.add_single([step], fitness, point)


def assert_same(archive, ribs) -> None:
    theirs = ribs.data(["index", "objective", "measures", "solution"])
    ours = occupancy(archive)
    assert sorted(ours) == sorted(theirs["index"])
    for index, objective, measures, solution in zip(
        theirs["index"], theirs["objective"], theirs["measures"], theirs["solution"], strict=True
    ):
        assert ours[index] == Elite(int(solution[0]), (float(objective),), tuple(measures))


@pytest.mark.parametrize("seed", range(5))
def test_the_grid_holds_what_pyribs_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ribs = RibsGrid(solution_dim=1, dims=[7, 4, 3], ranges=[(-1, 1), (0, 10), (100, 101)])
    archive = GridArchive([(-1, 1, 7), (0, 10, 4), (100, 101, 3)])
    points = rng.uniform([-1.3, -2, 99.8], [1.3, 12, 101.2], size=(400, 3))
    feed(archive, ribs, rng, points)
    assert_same(archive, ribs)


def test_the_grid_agrees_with_pyribs_on_every_edge() -> None:
    ribs = RibsGrid(solution_dim=1, dims=[100, 7], ranges=[(0, 1), (-3, 4)])
    archive = GridArchive([(0, 1, 100), (-3, 4, 7)])
    for x in range(-1, 102):
        for y in range(-4, 6):
            point = (x / 100, float(y))
            assert archive.cell(point) == ribs.index_of_single(point), point


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_cvt_holds_what_pyribs_holds_with_the_same_centroids(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    archive = CvtArchive([(0.0, 1.0)] * dimensions, 30, seed=11)
    ribs = RibsCvt(solution_dim=1, centroids=archive.centroids, ranges=[(0, 1)] * dimensions)
    feed(archive, ribs, rng, rng.random((500, dimensions)))
    assert_same(archive, ribs)


def test_cvt_cells_are_about_as_even_as_those_of_pyribs() -> None:
    points = np.random.default_rng(0).random((20_000, 2))
    ribs = RibsCvt(solution_dim=1, centroids=40, ranges=[(0, 1)] * 2, seed=1, samples=4_000)
    archive = CvtArchive([(0.0, 1.0)] * 2, 40, seed=1)
    ours = np.bincount([archive.cell(tuple(p)) for p in points[:8_000]], minlength=40)
    theirs = np.bincount(ribs.index_of(points[:8_000]), minlength=40)
    assert ours.std() < 1.5 * theirs.std()


def test_centroids_depend_on_the_seed_alone() -> None:
    assert np.array_equal(centroidal_voronoi(3, 20, 5), centroidal_voronoi(3, 20, 5))
    assert not np.array_equal(centroidal_voronoi(3, 20, 5), centroidal_voronoi(3, 20, 6))
    inside = centroidal_voronoi(2, 50, 1)
    assert inside.shape == (50, 2)
    assert inside.min() > 0
    assert inside.max() < 1


def test_a_cvt_scales_every_descriptor_to_the_same_weight() -> None:
    small = CvtArchive([(0.0, 1.0), (0.0, 1.0)], 25, seed=2)
    large = CvtArchive([(0.0, 1.0), (-5_000.0, 5_000.0)], 25, seed=2)
    for x, y in np.random.default_rng(4).random((50, 2)):
        assert small.cell((x, y)) == large.cell((x, y * 10_000 - 5_000))


@both
def test_values_outside_the_ranges_are_clipped(make) -> None:
    archive = make()
    assert archive.cell((-1e300, 1e300)) == archive.cell((-1.0, 10.0))
    assert archive.cell((99.0, -99.0)) == archive.cell((3.0, 0.0))


@both
def test_the_incumbent_stays_on_a_tie(make) -> None:
    archive = make()
    assert archive.add(Elite(9, (1.0,), (0.0, 0.0)))
    assert not archive.add(Elite(2, (1.0,), (0.0, 0.0)))
    assert [elite.step for elite in archive] == [9]


@both
def test_a_newer_measurement_replaces_the_old_one_even_when_it_is_worse(make) -> None:
    archive = make()
    archive.add(Elite(1, (5.0,), (0.0, 0.0)))
    assert archive.add(Elite(1, (2.0,), (0.0, 0.0)))
    assert [elite.fitness for elite in archive] == [(2.0,)]


@both
def test_a_newer_measurement_that_loses_its_cell_leaves_nothing_behind(make) -> None:
    archive = make()
    archive.add(Elite(1, (5.0,), (-1.0, 0.0)))
    archive.add(Elite(2, (3.0,), (3.0, 10.0)))
    assert not archive.add(Elite(1, (1.0,), (3.0, 10.0)))
    assert [elite.step for elite in archive] == [2]


@both
@pytest.mark.parametrize("bad", [Elite(1, (float("nan"),), (0.0, 0.0)), Elite(1, (1.0,), (float("inf"), 0.0))])
def test_what_is_not_finite_is_never_kept(make, bad: Elite) -> None:
    archive = make()
    assert not archive.add(bad)
    assert len(archive) == 0


@both
def test_a_wrong_number_of_descriptors_is_an_error(make) -> None:
    with pytest.raises(ValueError):
        make().add(Elite(1, (1.0,), (0.0,)))


@pytest.mark.parametrize("ranges", [[], [(1.0, 1.0, 3)], [(0.0, float("inf"), 3)], [(0.0, 1.0, 0)]])
def test_ranges_that_make_no_grid_are_errors(ranges) -> None:
    with pytest.raises(ValueError):
        GridArchive(ranges)


@both
@given(offers=st.lists(elites, max_size=80), removed=st.sets(st.integers(0, 40)))
def test_order_size_and_membership_hold_through_any_adds_and_removals(make, offers, removed) -> None:
    archive = make()
    for number, elite in enumerate(offers):
        assert archive.add(elite) == (elite.step in archive)
        if number in removed:
            archive.remove(number)
            assert number not in archive
        assert len(archive) == len(set(archive)) == len(occupancy(archive)) <= archive.cells
        assert is_in_order(archive)
    for elite in list(archive):
        archive.remove(elite.step)
    assert len(archive) == 0
    assert list(archive.ranked()) == []


@both
@given(offers=by_step)
def test_no_better_elite_is_ever_lost_to_a_worse_one(make, offers) -> None:
    archive = make()
    for elite in offers:
        archive.add(elite)
    best: dict[int, float] = {}
    for elite in offers:
        cell = archive.cell(elite.descriptors)
        best[cell] = max(best.get(cell, -np.inf), elite.fitness[0])
    assert {cell: elite.fitness[0] for cell, elite in occupancy(archive).items()} == best


@both
@given(offers=by_step, seed=st.integers(0, 1_000))
def test_the_order_of_insertion_decides_nothing_but_ties(make, offers, seed) -> None:
    offers = [Elite(e.step, (e.fitness[0] + e.step / 1_000,), e.descriptors) for e in offers]
    shuffled = [offers[i] for i in np.random.default_rng(seed).permutation(len(offers))]
    first, second = make(), make()
    for one, other in zip(offers, shuffled, strict=True):
        first.add(one)
        second.add(other)
    assert list(first.ranked()) == list(second.ranked())


def test_a_problem_says_which_archive_it_gets() -> None:
    def config(**fields) -> ProblemConfig:
        return ProblemConfig.model_validate_json(json.dumps({"name": "p", "metrics": [{"name": "m"}], **fields}))

    axes = [{"name": "a", "low": 0, "high": 1, "bins": 4}, {"name": "b", "low": -1, "high": 1, "bins": 5}]
    grid_archive = make_archive(config(descriptors=axes), seed=1)
    assert isinstance(grid_archive, GridArchive)
    assert grid_archive.cells == 20
    cvt_archive = make_archive(config(descriptors=axes, archive={"kind": "cvt", "cells": 9}), seed=1)
    assert isinstance(cvt_archive, CvtArchive)
    assert len(cvt_archive.centroids) == 9
    front = make_archive(config(metrics=[{"name": "m"}, {"name": "n"}], archive={"pareto_size": 5}), seed=1)
    assert isinstance(front, ParetoArchive)
    assert front.size == 5
