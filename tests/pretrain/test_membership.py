"""Who is a member: joining, joining again, being ready, leaving, being dropped."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.entries import PROTOCOL, Attested, Committed, Joined, Left, Ready
from quiltwork.pretrain.facts import Health, Phase
from tests.pretrain.telling import A, B, C, D, E, Told, hash_of, joined, key, model, onion, told

# --- joining ------------------------------------------------------------------------------------------------------------


def test_who_joins_is_a_member_that_has_no_work_yet() -> None:
    run = Told()
    run.join(A)
    member = run.member(A)
    assert (member.health, member.since, member.beacon) == (Health.JOINING, 1, onion(A).anchor)
    assert run.state.here() == [member]
    assert run.state.healthy() == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (joined(D, protocol=PROTOCOL + 1), f"it follows protocol {PROTOCOL + 1}; this run follows {PROTOCOL}"),
        (Joined(b"short"), "its beacon is not 32 bytes"),
        (joined(D, data=b"short"), "the fingerprint of its data set is not 32 bytes"),
        (joined(D, data=hash_of("other text")), "its data set is 9d5d2d7f, that of the others"),
        (joined(D, addresses=("tcp://x",) * 9), "it has more than 8 addresses, or one of more than 256 characters"),
        (joined(D, addresses=("x" * 257,)), "it has more than 8 addresses, or one of more than 256 characters"),
        (joined(D, name="x" * 65), "its name or version has more than 64 characters"),
        (joined(D, version="x" * 65), "its name or version has more than 64 characters"),
        (joined(D, dtype=""), "its dtype has 0 characters, not 1 to 32"),
        (joined(D, dtype="x" * 33), "its dtype has 33 characters, not 1 to 32"),
        (joined(D, device="x" * 65), "its device has 65 characters, not 1 to 64"),
    ],
)
def test_who_cannot_take_part_is_told_why(body: Joined, why: str) -> None:
    run = Told()
    run.join(A, B, C, data=hash_of("text"))
    assert why.split("9d5d2d7f")[0] in run.say(D, body)
    assert D not in run.state.members


def test_who_says_nothing_of_its_data_may_join_those_who_do() -> None:
    run = Told()
    run.join(A, data=hash_of("text"))
    run.join(B)
    run.join(C, data=hash_of("text"))
    assert len(run.state.here()) == 3


def test_joining_again_with_other_data_is_refused_like_joining() -> None:
    run = Told()
    run.join(A, B, data=hash_of("text"))
    assert "they would train different units" in run.say(B, joined(B, data=hash_of("other")))
    run.fits(A, Left())
    run.fits(B, joined(B, data=hash_of("other")))


def test_a_run_takes_no_more_members_than_it_says() -> None:
    run = Told(max_clients=3)
    run.join(A, B, C)
    assert run.say(D, joined(D)) == "3 members are here, as many as the run takes"
    run.join(B)
    run.fits(C, Left())
    run.join(D)


def test_a_run_may_name_whom_it_admits() -> None:
    run = Told(admit=[A.hex()])
    run.join(A)
    assert run.say(B, joined(B)) == "its key is not among those that are admitted"


# --- joining again ------------------------------------------------------------------------------------------------------


def after_a_round() -> Told:
    run = told(A, B, C)
    run.play()
    return run


def test_a_member_that_joins_again_keeps_what_it_earned_and_how_it_stands() -> None:
    run = after_a_round()
    before = run.member(A)
    earned, standing = before.accepted_units, before.standing
    assert earned > 0
    run.join(A)
    after = run.member(A)
    assert (after.accepted_units, after.standing, after.health) == (earned, standing, Health.JOINING)
    assert after.since == 2


def test_the_state_of_the_optimizer_goes_on_where_it_still_is() -> None:
    run = after_a_round()
    own = run.member(A).own
    assert own
    run.fits(A, joined(A, own=own))
    assert (run.member(A).own, run.member(A).own_round) == (own, 1)
    run.fits(B, joined(B))
    assert (run.member(B).own, run.member(B).own_round) == (b"", 0)
    run.fits(C, joined(C, own=hash_of("a state that it never committed to")))
    assert run.member(C).own == b""


def test_a_chain_of_secrets_goes_on_where_it_was() -> None:
    run = after_a_round()
    assert run.member(A).revealed == 1
    run.join(A)
    assert (run.member(A).revealed, run.member(A).beacon) == (1, onion(A).reveal(1))


def test_a_new_chain_begins_at_its_anchor() -> None:
    run = after_a_round()
    run.fits(A, Joined(onion(A, 1).anchor))
    assert (run.member(A).revealed, run.member(A).beacon) == (0, onion(A, 1).anchor)


def test_nobody_chooses_a_chain_when_it_has_seen_what_others_revealed() -> None:
    """Or the last witness would try chains until the seed is as it likes: it would draw its own auditors."""
    run = told(A, B, C, D)
    run.train()
    run.attest(A, B)
    run.fits(C, Joined(onion(C, 1).anchor))
    run.ready(C)
    assert run.member(C).health is Health.HEALTHY
    assert run.say(C, run.attestation(C)) == "the witness joined again when others had revealed already"
    run.attest(D)
    assert run.state.last == 1, "and nobody waits for it"


def test_a_chain_that_was_chosen_before_anybody_revealed_counts() -> None:
    run = told(A, B, C)
    run.fits(C, Joined(onion(C, 1).anchor))
    run.ready(C)
    run.train()
    run.attest(A, B, C)
    assert run.state.last == 1
    assert run.member(C).revealed == 1


# --- ready --------------------------------------------------------------------------------------------------------------


def test_who_has_the_model_is_healthy_and_gets_work_from_the_next_round_on() -> None:
    run = told(A, B, C)
    run.join(D)
    run.ready(D)
    assert run.member(D).health is Health.HEALTHY
    assert D not in run.round.roster
    run.play()
    assert D in run.round.roster
    assert run.round.assigned[D]


def test_who_says_it_is_ready_twice_is_told_that_it_is_healthy() -> None:
    assert told(A, B, C).say(A, Ready(0, model(0))) == "the member is healthy, not joining"


def test_a_wrong_model_makes_nobody_ready() -> None:
    run = Told()
    run.join(A)
    assert run.say(A, Ready(0, hash_of("wrong"))).startswith("its model 0 is ")
    assert run.say(A, Ready(0, b"short")) == "the hash of its model has 5 bytes, not 32"
    assert run.member(A).health is Health.JOINING


def test_the_model_may_be_two_rounds_old_and_no_more() -> None:
    run = told(A, B, C)
    run.play(4)
    run.join(D, E)
    assert run.say(D, Ready(1, model(1))) == "it holds model 1 when model 4 is the last"
    assert run.say(D, Ready(5, model(5))) == "it holds model 5 when model 4 is the last"
    run.fits(D, Ready(2, model(2)))
    assert (run.member(D).health, run.member(D).synced) == (Health.HEALTHY, 2)


def test_who_is_ready_before_the_model_is_agreed_on_waits_for_that() -> None:
    run = told(A, B, C)
    run.train()
    run.attest(A, B, C)
    run.join(D)
    run.ready(D)
    assert run.member(D).health is Health.JOINING
    run.hash(A, B)
    assert run.member(D).health is Health.HEALTHY


def test_who_was_ready_with_another_model_stays_joining() -> None:
    run = told(A, B, C)
    run.train()
    run.attest(A, B, C)
    run.join(D)
    run.fits(D, Ready(1, hash_of("wrong")))
    run.hash(A, B)
    assert run.member(D).health is Health.JOINING
    assert D not in run.state.ready


def test_who_waits_with_an_older_model_may_be_ready_with_a_newer_one() -> None:
    run = told(A, B, C, warmup_time=300)
    run.train()
    run.attest(A, B, C)
    run.join(D)
    run.ready(D)
    run.wait(60)
    assert (run.state.last, run.member(D).health) == (2, Health.JOINING)
    run.ready(D)
    run.hash(A, B)
    assert (run.member(D).health, run.member(D).synced) == (Health.HEALTHY, 2)


def test_who_has_become_ready_waits_for_nothing_any_more() -> None:
    run = told(A, B, C)
    run.play()
    run.train()
    run.attest(A, B, C)
    run.join(D)
    run.ready(D)
    run.fits(D, Ready(1, model(1)))
    assert (run.member(D).health, run.member(D).synced) == (Health.HEALTHY, 1)
    assert run.state.ready == {}


# --- going --------------------------------------------------------------------------------------------------------------


def test_who_leaves_is_withdrawn_and_may_come_back() -> None:
    run = told(A, B, C)
    run.fits(A, Left("to sleep"))
    assert run.member(A).health is Health.WITHDRAWN
    assert run.say(A, Left()) == "the member is withdrawn"
    run.join(A)
    assert run.member(A).health is Health.JOINING


def test_a_round_does_not_wait_for_who_has_left() -> None:
    run = told(A, B, C)
    run.train(A, B)
    run.fits(C, Left())
    assert run.phase is Phase.ROUND_WITNESS


def silent(run: Told, rounds: int) -> None:
    """Rounds in which A is silent."""
    for _ in range(rounds):
        run.commit(B, C)
        run.wait(run.state.config.max_round_train_time)
        run.attest(B, C)
        run.wait(run.state.config.round_witness_time)
        run.hash(B, C)


def test_who_is_silent_for_some_rounds_in_a_row_is_dropped() -> None:
    run = told(A, B, C, max_misses=2)
    silent(run, 1)
    assert (run.member(A).misses, run.member(A).health) == (1, Health.HEALTHY)
    silent(run, 1)
    assert run.member(A).health is Health.DROPPED
    assert A not in run.round.roster


def test_who_is_heard_in_between_is_not_dropped() -> None:
    run = told(A, B, C, max_misses=2)
    silent(run, 1)
    run.play()
    assert run.member(A).misses == 0
    silent(run, 1)
    assert run.member(A).health is Health.HEALTHY


def test_a_witness_that_keeps_its_reveal_back_misses_the_round_though_it_trains() -> None:
    run = told(A, B, C, max_misses=2)
    for misses in (1, 2):
        run.train()
        run.attest(B, C)
        run.wait(15)
        assert run.member(A).misses == misses
    assert run.member(A).health is Health.DROPPED


def test_nor_does_a_late_commitment_make_up_for_a_reveal() -> None:
    run = told(A, B, C, max_misses=2)
    for _ in range(2):
        late = run.commitment(A)
        run.commit(B, C)
        run.wait(60)
        run.attest(B, C)
        run.wait(15)
        assert "tells how fast" in run.say(A, late) or run.member(A).health is Health.DROPPED
    assert run.member(A).health is Health.DROPPED


def test_who_is_asked_for_nothing_misses_nothing() -> None:
    run = told(A, B, C, D, witness_nodes=1, max_misses=1, global_batch_size_start=2, global_batch_size_end=2)
    (worker,), (witness,) = run.round.assigned, run.round.witnesses
    run.commit(worker)
    run.attest(witness)
    others = {A, B, C, D} - {worker, witness}
    assert {run.member(author).health for author in others} == {Health.HEALTHY}


def test_who_does_not_become_ready_in_time_is_dropped_and_makes_room() -> None:
    run = told(A, B, C, max_clients=4, warmup_time=30)
    run.join(D)
    assert "as many as the run takes" in run.say(E, joined(E))
    run.wait(20)
    run.play()
    assert run.member(D).health is Health.JOINING
    run.wait(10)
    run.play()
    assert run.member(D).health is Health.DROPPED
    run.join(E)


def test_who_joins_again_has_the_time_to_load_again() -> None:
    run = told(A, B, C, warmup_time=30)
    run.join(D)
    run.wait(20)
    run.join(D)
    run.wait(20)
    run.play()
    assert run.member(D).health is Health.JOINING


def test_a_member_that_was_dropped_says_nothing_more_until_it_joins_again() -> None:
    run = told(A, B, C, max_misses=1)
    silent(run, 1)
    assert run.member(A).health is Health.DROPPED
    body = Committed(run.round.number, (0,), hash_of("p"), 1, model(1), hash_of("s"))
    assert run.say(A, body) == "the member is dropped"
    assert run.say(A, Attested(run.round.number, b"")) == f"round {run.round.number} takes no attestations now"
    assert run.say(A, Ready(1, model(1))) == "the member is dropped, not joining"


def test_members_keep_the_order_in_which_they_first_joined() -> None:
    run = Told(init_min_clients=5)
    run.join(*(key(place) for place in (3, 1, 4, 0)))
    run.fits(key(1), Left())
    run.join(key(1))
    assert [member.author for member in run.state.here()] == [key(place) for place in (3, 1, 4, 0)]
