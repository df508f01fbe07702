"""One round: who is given what, which commitments and attestations count, and what is accepted in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quiltwork.pretrain.beacon import next_seed
from quiltwork.pretrain.entries import Attested, Committed, Left
from quiltwork.pretrain.facts import Phase
from quiltwork.pretrain.selection import select
from tests.pretrain.telling import SECOND, A, B, C, D, E, Told, hash_of, onion, told

# --- opening ------------------------------------------------------------------------------------------------------------


def test_a_round_gives_all_units_out_and_none_twice() -> None:
    run = told(A, B, C)
    units = [unit for units in run.round.assigned.values() for unit in units]
    assert sorted(units) == [0, 1, 2, 3, 4, 5]
    assert run.state.next_unit == 6
    assert (run.round.number, run.round.step, run.round.base) == (1, 1, 0)


def test_the_witnesses_are_those_whom_the_seed_draws() -> None:
    run = told(A, B, C, D, E, witness_nodes=1)
    (place,) = select(run.round.seed, 5, witness_nodes=1).witnesses
    assert run.round.witnesses == (run.round.roster[place],)


def test_everybody_is_a_witness_where_no_number_is_said() -> None:
    assert set(told(A, B, C).round.witnesses) == {A, B, C}


def test_who_is_fast_is_given_more() -> None:
    run = told(A, B, C, D, global_batch_size_start=48, global_batch_size_end=48)
    for _ in range(3):
        run.wait(1)
        run.commit(A)
        run.wait(9)
        run.commit(B, C, D)
        run.attest(A, B, C, D)
        run.hash(A, B, C, D)
    shares = {author: len(units) for author, units in run.round.assigned.items()}
    assert shares[A] > 3 * shares[B]
    assert sum(shares.values()) == 24


def test_the_batch_grows_with_what_was_trained() -> None:
    run = told(
        A, B, C, global_batch_size_start=12, global_batch_size_end=24, global_batch_size_warmup_tokens=2 * 12 * 16
    )
    sizes = []
    for _ in range(4):
        sizes.append(sum(map(len, run.round.assigned.values())))
        run.play()
    assert sizes == [6, 9, 12, 12]


def test_a_model_is_trained_from_the_one_before_or_with_overlap_from_that_before_it() -> None:
    for overlap, bases in ((0, [0, 1, 2, 3]), (1, [0, 0, 1, 2])):
        run, found = told(A, B, C, overlap=overlap), []
        for _ in range(4):
            found.append(run.round.base)
            run.play()
        assert found == bases


def test_with_overlap_the_next_units_are_given_out_while_witnesses_are_busy() -> None:
    run = told(A, B, C, overlap=1)
    run.train(seconds=5)
    assert run.phase is Phase.ROUND_WITNESS
    ahead = run.state.ahead
    assert ahead is not None
    given = run.state.now
    assert (ahead.number, ahead.since) == (2, given)
    assert sorted(unit for units in ahead.assigned.values() for unit in units) == [6, 7, 8, 9, 10, 11]
    run.wait(3)
    run.attest(A, B, C)
    assert run.state.ahead is None
    assert (run.round.assigned, run.round.since, run.round.opened) == (ahead.assigned, given, given + 3 * SECOND)


def test_what_was_given_out_ahead_to_who_has_gone_is_given_to_others_later() -> None:
    run = told(A, B, C, overlap=1)
    run.train()
    assert run.state.ahead is not None
    lost = run.state.ahead.assigned[C]
    run.fits(C, Left())
    run.attest(A, B)
    assert set(run.round.assigned) == {A, B}
    assert tuple(run.state.returned) == lost
    run.hash(A, B)
    run.train(A, B)
    assert run.state.ahead is not None
    assert set(lost) <= {unit for units in run.state.ahead.assigned.values() for unit in units}


def test_what_was_given_out_ahead_goes_back_when_no_round_comes_next() -> None:
    run = told(A, B, C, overlap=1, total_steps=1)
    run.play()
    assert run.phase is Phase.COOLDOWN
    assert run.state.ahead is None
    assert list(run.state.returned) == [6, 7, 8, 9, 10, 11]


# --- commitments ----------------------------------------------------------------------------------------------------------


def test_a_commitment_says_what_the_next_one_begins_with() -> None:
    run = told(A, B, C)
    run.play(2)
    first, second = (
        next(commit for commit in run.state.closed[number].commits if commit.author == A) for number in (1, 2)
    )
    assert (first.before, first.before_round) == (b"", 0)
    assert (second.before, second.before_round) == (first.body.own, 1)
    assert (run.member(A).own, run.member(A).own_round) == (second.body.own, 2)


def test_a_commitment_to_a_part_of_the_units_counts_for_that_part() -> None:
    run = told(A, B, C)
    units = run.round.assigned[A]
    run.commit(A, units=units[:1])
    run.commit(B, C)
    run.attest(A, B, C)
    assert run.closed.accepted == (0, 1, 2)
    assert run.closed.returned == units[1:]
    assert set(units[1:]) <= {unit for units in run.round.assigned.values() for unit in units}


def commits(**changes: Any) -> Callable[[Told], Committed]:
    return lambda run: run.commitment(A, **changes)


WRONG_COMMITMENTS: list[tuple[str, Callable[[Told], Committed], str]] = [
    ("of no unit", commits(units=()), "it was assigned the units "),
    ("of a unit twice", lambda run: run.commitment(A, units=run.round.assigned[A] * 2), "it was assigned the units "),
    ("of somebody else's unit", lambda run: run.commitment(A, units=run.round.assigned[B]), "and commits the units "),
    ("of a unit that there is not", commits(units=(10**18, -1)), "and commits the units 1000000000000000000, -1"),
    ("with a short payload", commits(payload=b"short"), "a hash in it is not 32 bytes"),
    ("with a short state", commits(own=b""), "a hash in it is not 32 bytes"),
    ("with a short model", commits(model=b""), "a hash in it is not 32 bytes"),
    ("of no bytes", commits(size=0), "its payload of 0 bytes is not within 1 to 2000"),
    ("of too many bytes", commits(size=2_001), "its payload of 2001 bytes is not within 1 to 2000"),
    ("from another model", commits(model=hash_of("another")), "its model 0 is "),
    ("of a later round", commits(round=2), "round 2 is not open"),
    ("of a round that never was", commits(round=-1), "round -1 is not open"),
]


@pytest.mark.parametrize(
    ("body", "why"), [each[1:] for each in WRONG_COMMITMENTS], ids=[each[0] for each in WRONG_COMMITMENTS]
)
def test_a_commitment_that_does_not_fit_is_refused(body: Callable[[Told], Committed], why: str) -> None:
    run = told(A, B, C, max_payload_bytes=2_000)
    assert why in run.say(A, body(run))
    assert run.round.commits == []
    assert run.member(A).own == b""


def test_a_member_commits_once_a_round() -> None:
    run = told(A, B, C)
    run.commit(A)
    assert run.say(A, run.commitment(A)) == "the member has committed in this round"


def test_the_payload_of_another_is_nobody_s_work() -> None:
    run = told(A, B, C)
    run.commit(A)
    copied = run.commitment(B, payload=run.round.commits[0].body.payload)
    assert run.say(B, copied) == "its payload is that of another member"


def test_who_was_given_nothing_commits_to_nothing() -> None:
    run = told(A, B, C, global_batch_size_start=2, global_batch_size_end=2)
    idle = next(author for author in (A, B, C) if author not in run.round.assigned)
    assert run.say(idle, run.commitment(idle, units=(0,))) == "it was assigned no units, and commits the units 0"


def test_who_is_not_healthy_commits_to_nothing() -> None:
    run = told(A, B, C)
    body = run.commitment(A)
    run.join(A)
    assert run.say(A, body) == "the member is joining"


# --- attestations -----------------------------------------------------------------------------------------------------------


def witnessing(**changes: Any) -> Told:
    run = told(A, B, C, D, **changes)
    run.train()
    return run


WRONG_ATTESTATIONS: list[tuple[str, Callable[[Told], Attested], str]] = [
    ("of another round", lambda run: Attested(2, b"\1", onion(A).reveal(1)), "round 2 takes no attestations now"),
    ("of too few bits", lambda run: Attested(1, b"", onion(A).reveal(1)), "4 bits take 1 bytes, not 0"),
    ("of too many bits", lambda run: Attested(1, b"\x1f", onion(A).reveal(1)), "bits are set beyond the 4"),
    ("without a reveal", lambda run: Attested(1, b"\x0f"), "its reveal does not open its beacon"),
    (
        "with another reveal",
        lambda run: Attested(1, b"\x0f", onion(A).reveal(2)),
        "its reveal does not open its beacon",
    ),
]


@pytest.mark.parametrize(
    ("body", "why"), [each[1:] for each in WRONG_ATTESTATIONS], ids=[each[0] for each in WRONG_ATTESTATIONS]
)
def test_an_attestation_that_does_not_fit_is_refused(body: Callable[[Told], Attested], why: str) -> None:
    run = witnessing()
    assert why in run.say(A, body(run))
    assert run.round.attested == {}
    assert run.member(A).revealed == 0


def test_a_witness_attests_once() -> None:
    run = witnessing()
    body = run.attestation(A)
    run.attest(A)
    assert run.say(A, body) == "the witness has attested in this round"


def test_nobody_attests_before_commitments_are_closed() -> None:
    run = told(A, B, C)
    run.commit(A)
    assert run.say(A, run.attestation(A)) == "round 1 takes no attestations now"


def test_who_is_no_witness_does_not_attest() -> None:
    run = witnessing(witness_nodes=1)
    other = next(author for author in (A, B, C, D) if author not in run.round.witnesses)
    assert run.say(other, run.attestation(other)) == "who attests is no witness of this round"


def test_a_witness_that_is_not_healthy_any_more_does_not_attest() -> None:
    run = witnessing()
    body = run.attestation(A)
    run.fits(A, Left())
    assert run.say(A, body) == "the witness is not healthy any more"


# --- what is accepted -------------------------------------------------------------------------------------------------------


def test_accepted_is_what_two_thirds_of_the_witnesses_hold() -> None:
    run = told(A, B, C, D, E, global_batch_size_start=10, global_batch_size_end=10)
    run.train()
    run.attest(A, held=[0, 1, 2, 3])
    run.attest(B, held=[0, 1, 2])
    run.attest(C, held=[0, 1])
    run.attest(D, held=[0])
    run.attest(E, held=[])
    assert run.closed.accepted == (0, 1)
    assert set(run.closed.returned) == {unit for commit in run.closed.commits[2:] for unit in commit.body.units}


def test_without_witnesses_who_speak_nothing_is_accepted() -> None:
    run = witnessing(round_witness_time=10)
    run.wait(10)
    assert run.closed.accepted == ()
    assert len(run.closed.returned) == 6
    assert run.state.barren == 1


def test_units_that_came_to_nothing_are_given_out_first() -> None:
    run = told(A, B, C)
    lost = run.round.assigned[C]
    run.commit(A, B)
    run.wait(60)
    run.attest(A, B, C)
    units = {unit for units in run.round.assigned.values() for unit in units}
    assert set(lost) <= units
    assert units - set(lost) == {6, 7, 8, 9}
    assert list(run.state.returned) == []


def test_what_is_accepted_is_earned() -> None:
    run = told(A, B, C)
    run.play(2)
    assert sum(run.member(author).accepted_units for author in (A, B, C)) == run.state.accepted_units == 12
    assert run.state.tokens == 12 * 2 * 16
    assert {run.member(author).standing.accepted for author in (A, B, C)} == {2}


def test_updates_are_applied_in_the_order_in_which_they_were_committed() -> None:
    run = told(A, B, C)
    run.commit(C, A, B)
    run.attest(A, B, C)
    assert [update.author for update in run.closed.updates] == [C, A, B]


def test_the_loss_of_a_round_is_the_mean_over_its_units() -> None:
    run = told(A, B, C)
    run.commit(A, units=run.round.assigned[A][:1], loss=3.0)
    run.commit(B, loss=6.0)
    run.commit(C, loss=100.0)
    run.attest(A, held=[0, 1])
    run.attest(B, held=[0, 1])
    run.attest(C, held=[])
    assert run.closed.loss == pytest.approx((1 * 3 + 2 * 6) / 3)


def test_the_next_seed_is_made_of_what_the_witnesses_revealed() -> None:
    run = witnessing()
    before = run.state.seed
    run.attest(C, A, B, D)
    assert run.state.seed == next_seed(before, [onion(author).reveal(1) for author in (A, B, C, D)])
    assert run.closed.seed == run.state.seed == run.round.seed


def test_who_keeps_its_reveal_back_is_left_out_of_the_seed() -> None:
    run = witnessing(round_witness_time=10)
    before = run.state.seed
    run.attest(A, B, C)
    run.wait(10)
    assert run.state.seed == next_seed(before, [onion(author).reveal(1) for author in (A, B, C)])
