"""The fold: by tables of entries, and by properties of their order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.budget import Budget
from quiltwork.evolve.config import Descriptor, Metric, ProblemConfig, SearchConfig
from quiltwork.evolve.entries import Cost, Evaluated, HeldOut, Planned, Proposed, Refused, Resumed, Started, Stopped
from quiltwork.evolve.state import State, apply_body
from quiltwork.log import Body

SECOND = 10**9


def config(**search: object) -> ProblemConfig:
    return ProblemConfig(
        name="table",
        metrics=(Metric(name="value"),),
        descriptors=(Descriptor(name="place", low=0, high=10, bins=10),),
        search=SearchConfig.model_validate({"islands": 1, "pipeline": 2, **search}),
    )


def started(budget: str = "100evals", settings: ProblemConfig | None = None) -> Started:
    text = (settings or config()).model_dump_json()
    return Started(problem="p", config=text, seed=1, budget=budget, program="seed", version="0")


def fold(*bodies: Body, state: State | None = None) -> State:
    state = state or State()
    for body in bodies:
        apply_body(state, body, seq=0, time=0)
    return state


def step(
    number: int, value: float | None, *, parents: Sequence[int] = (0,), normal: str = "", place: float = 0.5
) -> list[Body]:
    """A step's entries after its plan: proposed and evaluated, or refused when `value` is None."""
    if value is None:
        return [Refused(step=number, reason="nothing")]
    return [
        Proposed(step=number, program=f"program {number}", normal=normal or f"normal {number}"),
        Evaluated(step=number, verdict="ok", metrics={"value": value}, descriptors={"place": place}),
    ]


def planned(number: int, parents: Sequence[int] = (0,)) -> Planned:
    if number == 0:
        return Planned(step=0, arm="seed", island=0)
    return Planned(step=number, arm="mutate", island=0, parents=tuple(parents))


def test_the_seed_is_judged_before_anything_else_is_planned() -> None:
    state = fold(started())
    assert state.wants_plan()
    fold(planned(0), state=state)
    assert not state.wants_plan()
    fold(*step(0, 1.0), state=state)
    assert state.committed == 1
    assert state.wants_plan()


def test_a_step_is_committed_only_when_the_pipeline_is_full_again() -> None:
    state = fold(started(), planned(0), *step(0, 1.0), planned(1), *step(1, 2.0))
    assert state.committed == 1, "step 2 must be planned from what was known before step 1 was committed"
    fold(planned(2), state=state)
    assert state.committed == 2


def run_to_end(values: Sequence[float | None], order: Sequence[int]) -> State:
    """Drive the fold as the loop does: plan whenever wanted, deliver verdicts in the order given."""
    state = fold(started(f"{len(values)}evals", config(pipeline=3)))
    waiting: list[int] = []
    rank = {number: place for place, number in enumerate(order)}

    def plan() -> None:
        while state.wants_plan() and state.planned < len(values):
            waiting.append(state.planned)
            fold(planned(state.planned, (state.best or 0,)), state=state)

    plan()
    while waiting:
        waiting.sort(key=lambda number: rank[number])
        number = waiting.pop(0)
        fold(*step(number, values[number], place=float(number)), state=state)
        plan()
    return state


@given(st.permutations(range(12)), st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=12, max_size=12))
def test_any_order_of_arrival_gives_the_same_history(order: list[int], values: list[float | None]) -> None:
    values[0] = 0.0
    first, second = run_to_end(values, range(12)), run_to_end(values, order)
    assert first.digest == second.digest
    assert first.best == second.best
    assert [m.verdict for m in first.members.values()] == [m.verdict for m in second.members.values()]


def test_of_two_equal_programs_the_later_step_is_the_duplicate_whichever_came_first() -> None:
    state = fold(started(), planned(0), *step(0, 1.0), planned(1), planned(2))
    fold(*step(2, 5.0, normal="same"), state=state)
    fold(*step(1, 5.0, normal="same"), state=state)
    for number in (3, 4):
        fold(planned(number), state=state)
    assert state.members[1].verdict == "ok"
    assert state.members[2].verdict == "duplicate"
    assert state.evaluations == 2


def test_the_seed_reaches_every_island() -> None:
    state = fold(started(settings=config(islands=4)), planned(0), *step(0, 1.0))
    assert [len(island.archive) for island in state.islands] == [1, 1, 1, 1]


def test_a_budget_of_evaluations_is_reserved_before_a_step_is_planned() -> None:
    state = fold(started("2evals"), planned(0), *step(0, 1.0))
    assert state.wants_plan()
    fold(planned(1), state=state)
    assert not state.wants_plan(), "one was evaluated and one is on its way"
    fold(*step(1, None), state=state)
    assert state.wants_plan(), "a step that was refused gives its reservation back"


def test_a_better_program_becomes_the_best_and_is_noted_with_what_was_spent() -> None:
    state = fold(started("3evals"), planned(0), *step(0, 1.0), planned(1), planned(2), *step(1, 3.0), *step(2, 2.0))
    assert state.best == 1
    assert [(i.step, i.value) for i in state.improvements] == [(0, 1.0), (1, 3.0)]
    assert state.finished()


def test_minimised_metrics_are_turned_round() -> None:
    settings = config().model_copy(update={"metrics": (Metric(name="value", direction="minimize"),)})
    state = fold(
        started("3evals", settings), planned(0), *step(0, 1.0), planned(1), planned(2), *step(1, 3.0), *step(2, -2.0)
    )
    assert state.best == 2


def test_entries_that_do_not_fit_change_nothing_and_say_why() -> None:
    state = fold(started(), planned(0))
    before = (state.committed, state.planned, state.digest)
    strangers: list[Body] = [
        planned(7),
        *step(9, 1.0),
        Evaluated(step=0, verdict="ok", metrics={"value": 9.0}),
        Planned(step=1, arm="mutate", island=99, parents=()),
        Planned(step=1, arm="mutate", island=0, parents=(55,)),
        Planned(step=1, arm="tune", island=0, parents=(), campaign=0),
        started(),
    ]
    fold(*strangers, state=state)
    assert (state.committed, state.planned, state.digest) == before
    assert state.issue_count == len(strangers)


def test_a_log_without_a_beginning_is_a_list_of_issues() -> None:
    state = fold(planned(0), *step(0, 1.0))
    assert state.issue_count == 3
    assert state.members == {}


def test_wall_time_counts_only_while_somebody_drives() -> None:
    state = State()
    for time, body in [
        (0, started("100s")),
        (2 * SECOND, planned(0)),
        (3 * SECOND, Stopped(reason="interrupted", host_cpu_s=0.5)),
        (100 * SECOND, Resumed(version="0", budget="100s")),
        (101 * SECOND, Stopped(reason="interrupted")),
        (200 * SECOND, HeldOut(step=0, metrics={})),
    ]:
        apply_body(state, body, seq=0, time=time)
    assert state.wall_s == 4.0
    assert state.cpu_s == 0.5


def test_the_time_lost_to_a_kill_is_not_counted() -> None:
    state = State()
    apply_body(state, started("100s"), seq=0, time=0)
    apply_body(state, planned(0), seq=1, time=SECOND)
    apply_body(state, Resumed(version="0", budget="100s"), seq=2, time=500 * SECOND)
    assert state.wall_s == 1.0


def test_a_proposer_is_paid_in_processor_seconds_when_the_budget_is() -> None:
    bodies = [
        planned(0),
        *step(0, 1.0),
        planned(1),
        planned(2),
        Proposed(step=1, program="p", normal="n", cost=Cost(cpu_s=2.0)),
        Evaluated(step=1, verdict="ok", metrics={"value": 2.0}, descriptors={"place": 1.0}, cost=Cost(cpu_s=1.0)),
        planned(3),
    ]
    assert fold(started("500cpu-s"), *bodies).bandit.arms["mutate"].cost == 3.0
    assert fold(started("500evals"), *bodies).bandit.arms["mutate"].cost == 1.0


def test_running_an_elite_again_merges_its_scores() -> None:
    settings = config().model_copy(update={"noisy": True})
    state = fold(
        started("9evals", settings), planned(0), *step(0, 1.0), planned(1), planned(2), *step(1, 3.0), planned(3)
    )
    again = Planned(step=4, arm="again", island=0, parents=(1,))
    fold(*step(2, None), again, *step(3, None), planned(5), state=state)
    fold(
        Proposed(step=4, program="program 1", normal="normal 1"),
        Evaluated(step=4, verdict="ok", metrics={"value": 0.0}, descriptors={"place": 0.5}),
        planned(6),
        state=state,
    )
    assert state.members[1].metrics == {"value": 1.5}
    assert state.members[1].samples == 2
    assert state.members[4].verdict == "ok"
    assert state.budget == Budget(9, "evals")


def test_a_score_that_lacks_what_the_problem_asks_for_is_not_believed() -> None:
    strange = [{}, {"value": float("nan")}, {"value": float("inf")}, {"other": 1.0}]
    state = fold(started("9evals", config(pipeline=5)), planned(0), *step(0, 1.0), *[planned(n) for n in range(1, 6)])
    for number, metrics in enumerate(strange, start=1):
        fold(
            Proposed(step=number, program=f"p{number}", normal=f"n{number}"),
            Evaluated(step=number, verdict="ok", metrics=metrics, descriptors={"place": 1.0}),
            planned(number + 5),
            state=state,
        )
    assert [state.members[number].verdict for number in range(1, 5)] == ["malformed"] * 4
    assert state.best == 0


@given(
    st.lists(st.builds(Evaluated, step=st.integers(0, 4), verdict=st.sampled_from(["ok", "raised", ""])), max_size=20)
)
def test_no_sequence_of_verdicts_breaks_the_fold(bodies: list[Evaluated]) -> None:
    state = fold(started(), planned(0), *step(0, 1.0), planned(1), planned(2), *bodies)
    assert state.committed <= 3
