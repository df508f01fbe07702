"""When a node looks at its duties: not for every payload or vote of others, and always where it has something to do."""

from __future__ import annotations

import pytest

from quiltwork.pretrain import node as nodes
from quiltwork.pretrain.effects import Fetch, Load, Say, Train
from quiltwork.pretrain.entries import Attested, Hashed
from quiltwork.pretrain.facts import Phase
from tests.pretrain.seat import OTHERS, Seat, others_attest, others_train, seated
from tests.pretrain.telling import SECOND, A, B, C, D, Told, model, told


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at every look."""
    found = list[int]()
    whole = nodes.wanted

    def wanted(*told: object) -> object:
        found.append(1)
        return whole(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(nodes, "wanted", wanted)
    return found


def fetching(**changes: object) -> tuple[Told, Seat, list[Fetch]]:
    """D has been given work, others have done theirs, and D fetches it while it trains."""
    run, seat = seated(**changes)
    others_train(run)
    fetches = seat.wants(Fetch)
    assert len(fetches) == 3
    return run, seat, fetches


def looked(seat: Seat, looks: list[int]) -> bool:
    """Whether the node looks, if it is asked for effects."""
    before = len(looks)
    seat.node.effects()
    return len(looks) > before


def test_payloads_of_a_round_that_is_trained_give_nothing_to_do(looks: list[int]) -> None:
    _, seat, fetches = fetching()
    for fetch in fetches:
        seat.does(fetch)
        assert not looked(seat, looks)


def test_a_witness_looks_when_it_has_all_that_it_waits_for(looks: list[int]) -> None:
    run, seat, fetches = fetching()
    run.wait(run.round.longest / SECOND)
    assert run.phase is Phase.ROUND_WITNESS
    seat.look()
    for fetch in fetches[:-1]:
        seat.does(fetch)
        assert not looked(seat, looks)
    seat.does(fetches[-1])
    assert any(isinstance(body, Attested) for body in (effect.body for effect in seat.wants(Say)))


def test_who_is_behind_looks_when_it_has_the_whole_of_the_next_round(looks: list[int]) -> None:
    run, seat, fetches = fetching()
    run.wait(run.round.longest / SECOND)
    others_attest(run)
    run.wait(run.round.longest / SECOND)
    assert run.state.last == 1
    seat.look()
    for fetch in fetches[:-1]:
        seat.does(fetch)
        assert not looked(seat, looks)
    seat.does(fetches[-1])
    assert looked(seat, looks)


def test_what_is_malformed_is_a_reason_to_look(looks: list[int]) -> None:
    _, seat, fetches = fetching()
    seat.does(fetches[0], "it is not an update")
    assert looked(seat, looks)


def test_where_audits_are_open_single_payloads_count(looks: list[int]) -> None:
    run, seat = seated(verification_percent=100)
    seat.lives()
    others_train(run)
    seat.lives()
    others_attest(run)
    assert run.state.cases
    seat.lives(Fetch, Train)
    others_train(run)
    fetch = seat.wants(Fetch)[0]
    seat.does(fetch)
    assert looked(seat, looks)


def test_a_blob_that_is_coming_is_not_wanted_again_until_it_fails() -> None:
    _, seat, fetches = fetching()
    seat.node.state.news += 1
    assert seat.wants(Fetch) == []
    seat.node.failed(fetches[0], "no holder has it")
    assert seat.node.mine.coming == {fetch.blob for fetch in fetches[1:]}
    seat.run.wait(1)
    assert [fetch.blob for fetch in seat.wants(Fetch)] == [fetches[0].blob]


# --- what is news -----------------------------------------------------------------------------------------------------------


def news(run: Told, *bodies: tuple[bytes, object]) -> list[bool]:
    """Of which of these there is news."""
    found = []
    for author, body in bodies:
        before = run.state.news
        run.say(author, body)
        found.append(run.state.news > before)
    return found


def test_votes_are_news_when_they_decide_or_differ() -> None:
    run = told(A, B, C, D)
    run.train()
    run.attest(*(author for author in run.round.witnesses if author in run.round.awaited))
    voters = [(author, Hashed(1, model(1))) for author in (A, B, C)]
    assert news(run, *voters) == [False, False, True]
    assert news(run, (D, Hashed(1, model(7)))) == [True], "it has to load the model now"


def test_attestations_are_news_when_they_end_the_round() -> None:
    run = told(A, B, C, D)
    run.train()
    said = [(author, run.attestation(author)) for author in (A, B, C, D)]
    assert news(run, *said) == [False, False, False, True]


def test_commitments_are_news_for_those_who_fetch_them() -> None:
    run = told(*OTHERS)
    assert news(run, *((author, run.commitment(author)) for author in OTHERS)) == [True, True, True]


def test_a_load_is_always_a_reason_to_look(looks: list[int]) -> None:
    run = Told(init_min_clients=1)
    seat = Seat(run, D)
    for effect in seat.look():
        seat.does(effect)
    load = seat.wants(Load)[0]
    seat.does(load)
    assert looked(seat, looks)
