import ast
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.novelty import normal_hash
from quiltwork.evolve.program import Program, within_blocks
from quiltwork.evolve.proposers import proposer, tune
from quiltwork.evolve.proposers.base import NothingToPropose, Turn
from quiltwork.evolve.proposers.tune import campaign_length, constants, decode, method, popsize, with_constants
from tests.evolve.corpus import ANNEALING, CORPUS, PACKING, make_brief, parses, programs

TUNE = proposer("tune")

Fitness = Callable[[tuple[float, ...]], float | None]


def python(text: str) -> Program:
    return Program({"p.py": text})


def values(text: str) -> list[float]:
    return [each.value for each in constants(python(text))]


def campaign(program: Program, fitness: Fitness, seed: int, turns: int | None = None) -> list[Turn]:
    """Run a campaign as the driver does: a generation at a time."""
    history: list[Turn] = []
    size = popsize(len(constants(program)))
    for turn in range(turns or campaign_length(len(constants(program)))):
        finished = tuple(history[: turn // size * size])
        proposal = TUNE.propose(make_brief(program, history=finished, turn=turn, campaign_seed=seed))
        history.append(Turn(proposal.point, fitness(tuple(c.value for c in constants(proposal.program)))))
    return history


def tuned(program: Program, history: list[Turn], seed: int) -> float:
    return max(turn.fitness for turn in history if turn.fitness is not None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 0.5 * y - 3\n", [0.5, 3]),
        ("x = -2.5 + (-4) * y\n", [-2.5, -4]),
        ("x = [0.1, -0.2, 1, 0]\n", [0.1, -0.2, 1, 0]),
        ("x = np.array([[1.0, 2.0], [3.0, 4.0]])\n", [1, 2, 3, 4]),
        ("weights = [3, 1, 0]\n", [3, 1, 0]),
        ("pairs = [(0, 2), (3, 4)]\nsize = (3, 4)\n", []),
        ("x = y + 0 - 1 + (-1)\n", []),
        ("x = 0.0 + 1.0 * y\n", [0.0, 1.0]),
        ("x = a[2] + a[3:7] + a[-5, 4]\n", []),
        ("x = np.zeros((3, 4)) + a.reshape(2, 6) + np.linspace(0.5, 9.0, 50)\n", [0.5, 9.0]),
        ("for i in range(10):\n    pass\n", []),
        ("rng = random.Random(42)\nx = f(3, seed=7, axis=5)\n", [3]),
        ("x = y ** 2 + y ** 2.5 + y // 3 + y % 4\n", [2.5]),
        ("if n == 5 or n > 6:\n    pass\n", [6]),
        ("v = [0.0] * 16 + [1.5]\n", [0.0, 1.5]),
        ("def f(a, b=2.5, *, c: Literal[3] = 4):\n    '''9.5'''\n", [2.5, 4]),
        ("s = f'{3.5:.2f} {x}'\nflag = True\nz = 3j\nt = '4.5'\n", []),
        ("d = {3: 0.5, 'k': 7}\n", [0.5, 7]),
        ("x = 1e400\n", []),
    ],
)
def test_constants_are_quantities_and_nothing_else(text: str, found: list[float]) -> None:
    assert values(text) == found


def test_only_constants_inside_the_blocks_are_tuned() -> None:
    assert values(PACKING) == [-1e9, 0.5, 2, 10.0, 1.0]
    assert values(ANNEALING) == [10.0, 0.995, 0.25, -1.5, 3, 200, 0.5, 0.0]


def test_a_program_has_256_dimensions_at_most() -> None:
    assert len(values(f"x = {[float(i) for i in range(300)]}\n")) == 256


@settings(deadline=None)
@given(programs, st.data())
def test_constants_read_back_as_they_were_written(program: Program, data: st.DataObject) -> None:
    places = constants(program)
    numbers = st.floats(-1e6, 1e6)
    wanted = [
        data.draw(st.integers(2, 1_000).map(float)) if each.whole else data.draw(numbers.filter(bool))
        for each in places
    ]
    changed = with_constants(program, wanted)
    assert [each.value for each in constants(changed)] == wanted
    assert parses(changed)
    assert within_blocks(program, changed)


@settings(deadline=None)
@given(programs)
def test_writing_the_constants_that_are_there_changes_nothing(program: Program) -> None:
    assert with_constants(program, [each.value for each in constants(program)]) == program


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e3, 1e3).filter(bool))
def test_signs_and_powers_keep_their_meaning(first: float, second: float) -> None:
    program = with_constants(python("x = 2.5 ** (3.5 - -1.5)\n"), [first, second, second])
    tree = ast.parse(program.files["p.py"])
    power = tree.body[0].value  # type: ignore[attr-defined]
    assert isinstance(power, ast.BinOp)
    assert ast.literal_eval(power.left) == first


@pytest.mark.parametrize("wrong", [[], [1.0], [1.0, math.nan], [1.0, 2.0, 3.0]])
def test_a_wrong_number_of_values_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="2 finite values"):
        with_constants(python("x = 0.5 + y * 0.25"), wrong)


@pytest.mark.parametrize(
    ("text", "name"),
    [("x = 0.5 + 0.25\n", "cmaes"), ("x = 0.5\n", "tpe"), ("x = [2, 3, 4]\n", "tpe"), ("x = 0.5 + 3\n", "tpe")],
)
def test_two_real_constants_are_enough_for_cma_es(text: str, name: str) -> None:
    assert method(python(text)) == name


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([PACKING, ANNEALING, "x = 0.5\n"]), st.integers(0, 2**31), st.integers(0, 40), st.data())
def test_a_point_depends_on_the_brief_alone(text: str, seed: int, turn: int, data: st.DataObject) -> None:
    """Whatever the optimisers remember of other turns, campaigns and pasts, the point is the same."""
    program = python(text)
    size = popsize(len(constants(program)))

    def fitness(point: tuple[float, ...]) -> float | None:
        return None if point[0] > 12 else -sum(abs(each) for each in point)

    tune.forget()
    history = campaign(program, fitness, seed, turns=turn // size * size) if turn >= size else []
    brief = make_brief(program, history=tuple(history), turn=turn, campaign_seed=seed)
    remembered = TUNE.propose(brief)
    other = [Turn(each.point, 1.0) for each in history]
    TUNE.propose(make_brief(program, history=tuple(other), turn=turn, campaign_seed=seed))
    after_another_past = TUNE.propose(brief)
    if data.draw(st.booleans()):
        TUNE.propose(make_brief(program, turn=0, campaign_seed=seed))
    after_a_look_back = TUNE.propose(brief)
    tune.forget()
    rebuilt = TUNE.propose(brief)
    points = {each.point for each in (remembered, after_another_past, after_a_look_back, rebuilt)}
    assert len(points) == 1
    assert rebuilt.program == remembered.program


def test_points_are_not_the_parents_own_and_differ_within_a_generation() -> None:
    program = python(ANNEALING)
    size = popsize(len(constants(program)))
    first = [TUNE.propose(make_brief(program, turn=turn, campaign_seed=1)) for turn in range(size)]
    assert len({each.point for each in first}) == size
    assert all(normal_hash(each.program) != normal_hash(program) for each in first)


def test_numpy_and_its_warnings_are_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr,index]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        campaign(python("x = 0.5 + 0.25\n"), lambda v: -sum(v), 3)
        campaign(python("x = 0.5\n"), lambda v: -sum(v), 3, turns=8)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr,index]


def test_nothing_is_written_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    campaign(python("x = 0.5 + 0.25\n"), lambda v: -sum(v), 3, turns=20)
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_in_which_all_fails_still_ends() -> None:
    for text in ("x = 0.5 + 0.25\n", "x = 0.5\n"):
        history = campaign(python(text), lambda _: None, 5)
        assert all(math.isfinite(z) for turn in history for z in turn.point)


def test_huge_fitnesses_do_no_harm() -> None:
    history = campaign(python("x = 0.5 + 0.25\n"), lambda v: v[0] * 1e300, 5)
    assert all(math.isfinite(z) for turn in history for z in turn.point)


def test_a_generation_without_its_past_is_refused() -> None:
    with pytest.raises(ValueError, match="finished turns"):
        TUNE.propose(make_brief(python("x = 0.5 + 0.25\n"), turn=30))


def test_a_program_without_constants_has_nothing_to_tune() -> None:
    with pytest.raises(NothingToPropose):
        TUNE.propose(make_brief(python("x = y\n")))


def test_whole_numbers_stay_whole_and_keep_their_sign() -> None:
    places = constants(python("x = [3, 1, 0, -7, 40]\n"))
    for z in (-50.0, -3.0, -0.1, 0.0, 0.1, 3.0, 50.0):
        found = decode(places, (z,) * 5)
        assert all(value == round(value) for value in found)
        assert all(new * each.value >= 0 for new, each in zip(found, places, strict=True))
        assert abs(found[4]) <= 410


def test_some_campaigns_leave_whole_numbers_alone() -> None:
    program = python("n = f(26)\nx = 0.5 + 0.25\n")
    counts = {
        constants(TUNE.propose(make_brief(program, turn=turn, campaign_seed=seed)).program)[0].value == 26
        for seed in range(8)
        for turn in range(4)
    }
    assert counts == {True, False}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_constants_are_found(seed: int) -> None:
    """Tuning alone: a cubic's coefficients, from a start that has one sign wrong and one magnitude far off."""
    wanted = (0.7, -1.3, 12.0)
    program = python("def model(x):\n    return 1.0 + x * (1.0 + 2.0 * x)\n")

    def fitness(found: tuple[float, ...]) -> float:
        errors = [sum((a - b) * x**k for k, (a, b) in enumerate(zip(found, wanted, strict=True))) for x in GRID]
        return -math.sqrt(sum(error**2 for error in errors) / len(errors))

    start = fitness((1.0, 1.0, 2.0))
    for step in range(4):
        history = campaign(program, fitness, 10 * seed + step)
        best = max(history, key=lambda turn: turn.fitness or 0.0)
        program = with_constants(program, decode(constants(program), best.point))
        assert fitness(tuple(each.value for each in constants(program))) >= start
    assert fitness(tuple(each.value for each in constants(program))) > start / 100


def test_one_constant_is_found_by_tpe() -> None:
    program = python("x = 1.0\n")
    best = max(
        turn.fitness or -math.inf for seed in range(4) for turn in campaign(program, lambda v: -abs(v[0] - 1.4), seed)
    )
    assert best > -0.02


def test_a_corpus_of_programs_can_be_tuned() -> None:
    for program in CORPUS[1:]:
        proposal = TUNE.propose(make_brief(program, campaign_seed=4))
        assert parses(proposal.program)
        assert within_blocks(program, proposal.program)
        assert len(proposal.point) == len(constants(program))


GRID = np.linspace(-1.0, 1.0, 21).tolist()
