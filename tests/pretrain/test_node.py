"""A node and its hands: nothing is begun twice, what fails is tried again later, and what was said is not said again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

import pytest

from quiltwork.pretrain.effects import Apply, Disclose, Effect, Fetch, Forget, Keep, Load, Say, Train
from quiltwork.pretrain.entries import Joined, Left
from quiltwork.pretrain.facts import Phase
from quiltwork.pretrain.node import FIRST_PAUSE_NS, LONGEST_PAUSE_NS, Node
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.simulation import Scenario, simulate
from tests.pretrain.seat import OTHERS, Seat, others_attest, others_train, seated
from tests.pretrain.telling import SECOND, D, Told


def test_what_is_being_done_is_not_begun_again() -> None:
    run, seat = seated()
    assert len(seat.wants(Train)) == 1
    for _ in range(3):
        run.wait(1)
        assert seat.look() == []


def test_news_that_changes_nothing_for_a_node_begins_nothing() -> None:
    run, seat = seated()
    seat.lives(Train)
    run.join(OTHERS[0])
    assert seat.look() == []


def test_what_failed_is_tried_again_after_a_pause_that_doubles() -> None:
    run, seat = seated()
    (train,) = seat.wants(Train)
    pause = FIRST_PAUSE_NS
    for _ in range(8):
        seat.node.failed(train, "out of memory")
        run.wait((pause - 1_000) / SECOND)
        assert seat.look() == []
        run.wait(1_000 / SECOND)
        assert seat.look() == [train]
        pause = min(2 * pause, LONGEST_PAUSE_NS)


def test_what_succeeded_is_begun_without_a_pause_the_next_time() -> None:
    run, seat = seated()
    (train,) = seat.wants(Train)
    seat.node.failed(train, "out of memory")
    run.wait(10)
    (train,) = seat.wants(Train)
    seat.does(train)
    assert seat.node._pauses == {}
    assert train.key not in seat.node._not_before
    assert train.key not in seat.node.mine.failures


def test_what_is_not_wanted_any_more_is_not_tried_again() -> None:
    run, seat = seated()
    (train,) = seat.wants(Train)
    seat.node.failed(train, "out of memory")
    run.fits(D, Left())
    run.wait(10)
    assert seat.wants(Train) == []


def test_fetches_that_are_not_wanted_any_more_are_given_up_and_others_are_not() -> None:
    run, seat = seated()
    others_train(run)
    effects = seat.look()
    assert {type(effect) for effect in effects} == {Train, Fetch}
    run.fits(D, Left())
    seat.look()
    assert {type(effect): seat.node.is_wanted(effect) for effect in effects} == {Train: True, Fetch: False}


def test_an_effect_is_done_with_its_own_result_only() -> None:
    _, seat = seated()
    (train,) = seat.wants(Train)
    with pytest.raises(TypeError, match="cannot be done with None"):
        seat.node.done(train, None)


def test_a_node_that_is_alone_trains_alone() -> None:
    run = Told(init_min_clients=1, total_steps=5)
    seat = Seat(run, D)
    seat.lives()
    assert run.state.phase is Phase.FINISHED
    assert run.member(D).accepted_units == 30
    assert len(set(map(str, seat.said()))) == len(seat.said()), "nothing was said twice"


def test_keys_tell_effects_apart_and_nothing_else_does() -> None:
    run, seat = seated(verification_percent=100, checkpoint_rounds=1)
    for _ in range(3):
        others_train(run)
        seat.lives()
        others_attest(run)
        seat.lives()
        run.hash(*OTHERS)
    seat.lives()
    sorts = {type(effect) for effect in seat.begun}
    assert (
        {Say, Load, Fetch, Train, Apply, Disclose} <= sorts <= {Say, Load, Fetch, Train, Apply, Disclose, Keep, Forget}
    )
    often = Counter(effect.key for effect in seat.begun if not isinstance(effect, Keep | Forget))
    assert set(often.values()) == {1}


@pytest.mark.slow
def test_in_runs_that_go_well_nobody_says_anything_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken: dict[bytes, Counter[str]] = {}
    begin = Machine.begin

    def watched(machine: Machine, effect: Effect) -> None:
        if isinstance(effect, Say) and not isinstance(effect.body, Joined):  # who loads for long joins again
            spoken.setdefault(machine.author, Counter())[str(effect.body)] += 1
        begin(machine, effect)

    monkeypatch.setattr(Machine, "begin", watched)
    for seed in range(12):
        spoken.clear()
        simulate(seed, Scenario(liars=False, accidents=False, rounds=12))
        assert sum(map(len, spoken.values())) > 100
        assert [said for each in spoken.values() for said, times in each.items() if times > 1] == []


@pytest.mark.slow
def test_whatever_happens_nothing_is_begun_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: dict[Node, dict[Hashable, Effect]] = {}
    effects, done, failed = Node.effects, Node.done, Node.failed

    def begun(node: Node) -> list[Effect]:
        mine = under_way.setdefault(node, {})
        wanted = effects(node)
        for effect in wanted:
            earlier = mine.get(effect.key)
            assert earlier is None or isinstance(earlier, Fetch), "only fetches are given up"
            mine[effect.key] = effect
        return wanted

    def ended(end: Callable[..., None]) -> Callable[..., None]:
        def call(node: Node, effect: Effect, *result: object) -> None:
            assert under_way[node].pop(effect.key, effect).key == effect.key
            end(node, effect, *result)

        return call

    monkeypatch.setattr(Node, "effects", begun)
    monkeypatch.setattr(Node, "done", ended(done))
    monkeypatch.setattr(Node, "failed", ended(failed))
    for seed in range(5):
        simulate(seed)
    assert len(under_way) > 30
