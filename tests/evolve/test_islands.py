from quiltwork.evolve.archives import Archive, Elite, GridArchive
from quiltwork.evolve.draws import draw
from quiltwork.evolve.islands import Island, migrate, restart_stagnant


def grid() -> Archive:
    return GridArchive([(0.0, 10.0, 10)])


def island(*values: tuple[int, float, float]) -> Island:
    made = Island(grid())
    for step, fitness, place in values:
        made.offer(Elite(step, (fitness,), (place,)), now=step)
    return made


def test_rank_is_the_share_of_worse_elites() -> None:
    three = island((1, 1.0, 0.5), (2, 2.0, 1.5), (3, 3.0, 2.5))
    assert three.rank((0.0,)) == 0.0
    assert three.rank((2.0,)) == 1 / 3
    assert three.rank((9.0,)) == 1.0


def test_greed_prefers_the_better_parents() -> None:
    many = island(*[(step, float(step), step + 0.5) for step in range(10)])
    greedy = [elite.step for elite in many.draw(draw(0, 0, "t"), 2_000, greed=3.0)]
    even = [elite.step for elite in many.draw(draw(0, 1, "t"), 2_000, greed=0.0)]
    assert greedy.count(9) > 2 * even.count(9)
    assert set(even) == set(range(10))


def test_migrants_are_copies_and_go_one_island_on() -> None:
    ring = [island((1, 1.0, 0.5)), island((2, 2.0, 1.5)), island((3, 3.0, 2.5))]
    migrate(ring, now=10)
    assert [sorted(elite.step for elite in each.archive) for each in ring] == [[1, 3], [1, 2], [2, 3]]


def test_only_stagnant_islands_restart_and_never_the_leader() -> None:
    ring = [island((1, 1.0, 0.5), (5, 0.5, 5.5)), island((2, 2.0, 1.5)), island((3, 3.0, 2.5))]
    ring[1].improved_at = 95
    assert restart_stagnant(ring, lambda index: grid(), after=50, now=100) == [0]
    assert sorted(elite.step for elite in ring[0].archive) == [2, 3]
    assert sorted(elite.step for elite in ring[2].archive) == [3]
    assert ring[0].restarts == 1
