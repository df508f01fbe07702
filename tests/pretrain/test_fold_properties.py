"""Whatever is said by whomever, the fold goes on, and what must hold holds; and however it is folded, the same comes out."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.log import Body, Entry, Relayed, Statement, encode
from quiltwork.pretrain.entries import Created, Ticked
from quiltwork.pretrain.facts import HERE, Health, Phase, RunState
from quiltwork.pretrain.simulator.referee import Referee
from quiltwork.pretrain.state import apply, apply_body
from tests.pretrain.scribbles import ROUNDS, Scribble, said, scribbles
from tests.pretrain.telling import OWNER, START, created, hash_of, rules

SETTINGS = [
    {},
    {"overlap": 1, "verification_percent": 100, "audit": {"verifier_after": 0}},
    {"clock": "members", "witness_nodes": 1, "verification_percent": 50, "total_steps": 3},
    {"overlap": 1, "checkpoint_rounds": 1, "epoch_time": 120, "max_misses": 1, "verification_percent": 100},
]


def beginning(number: int) -> Created:
    settings: dict[str, Any] = {"init_min_clients": 3, "max_clients": 4, **SETTINGS[number]}
    return created(rules(**settings), model=hash_of("model 0"))


def check(state: RunState) -> None:
    """What must hold after every entry, beside what a referee sees."""
    assert (state.round is not None) == (state.phase in ROUNDS)
    assert state.ahead is None or state.phase is Phase.ROUND_WITNESS
    assert list(state.closed) == sorted(state.closed)
    assert all(1 <= number <= state.last for number in state.closed)
    assert len(state.here()) <= state.config.max_clients
    for author, member in state.members.items():
        assert member.health is Health.EJECTED or not member.standing.ejected
        assert member.accepted_units >= 0
        assert author not in state.ready or member.health is Health.JOINING
    for key, case in state.cases.items():
        assert case.outcome is None
        assert key[1] == case.author
        assert key[1] not in case.panel
    assert set(state.disclosures) <= set(state.cases)
    assert set(state.undisclosed) <= set(state.cases)
    assert set(state.challengers) <= set(state.cases)
    assert [seq for seq, _ in state.issues] == sorted(seq for seq, _ in state.issues)
    if state.round is not None:
        assert state.round.number == state.last + 1
        assert state.round.awaited <= {*state.round.assigned, *state.round.witnesses}
        assert state.round.committed == {commit.author for commit in state.round.commits}


@given(st.integers(0, len(SETTINGS) - 1), scribbles())
def test_the_fold_goes_on_whatever_is_said(settings: int, said_so: list[Scribble]) -> None:
    referee = Referee()
    referee.see(OWNER, beginning(settings), 0)
    referee.see(OWNER, Ticked(START), 1)
    now, seq = referee.state.now, 2
    for scribble in said_so:
        for author, body in said(referee.state, scribble):
            referee.see(author, body, seq)
            seq += 1
            check(referee.state)
            assert referee.state.now >= now
            now = referee.state.now
    assert referee.state.entries == seq


def facts(state: RunState) -> dict[str, object]:
    return {each.name: getattr(state, each.name) for each in fields(state) if each.name != "speakers"}


@given(st.integers(0, len(SETTINGS) - 1), scribbles(60), st.integers(0, 200), st.booleans())
def test_a_log_that_is_folded_in_pieces_gives_the_same(
    settings: int, said_so: list[Scribble], cut: int, pickled: bool
) -> None:
    whole, log = RunState(), list[tuple[bytes, object]]([(OWNER, beginning(settings)), (OWNER, Ticked(START))])
    for author, body in log:
        apply_body(whole, author, body, 0)
    for scribble in said_so:
        for author, body in said(whole, scribble):
            apply_body(whole, author, body, 0)
            log.append((author, body))
    again = RunState()
    for number, (author, body) in enumerate(log):
        if number == cut % len(log):
            before = facts(again)
            pieces = pickle.loads(pickle.dumps(again)) if pickled else copy.deepcopy(again)
            assert facts(pieces) == before
            again = pieces
        apply_body(again, author, body, 0)
    assert facts(again) == facts(whole)


def entry(seq: int, body: Body, author: bytes = OWNER) -> Entry:
    name, raw = encode(body)
    return Entry(seq, hash_of("before"), 0, author, name, raw, b"\0" * 64)


LOG = entry(0, beginning(0))

statements = st.builds(
    Statement,
    author=st.one_of(st.just(hash_of("somebody")), st.binary(max_size=40)),
    log=st.one_of(st.just(LOG.hash), st.binary(max_size=40)),
    number=st.integers(-1, 9),
    time=st.integers(-1, 1 << 62),
    kind=st.sampled_from(["pretrain.joined/1", "pretrain.committed/1", "pretrain.nothing/1", "log.relayed/1", "?"]),
    body=st.one_of(
        st.binary(max_size=60),
        st.builds(lambda number: msgspec.msgpack.encode({"beacon": hash_of("x"), "round": number}), st.integers(0, 3)),
    ),
    signature=st.one_of(st.just(b"\0" * 64), st.binary(max_size=80)),
)


@given(st.lists(st.tuples(statements, st.booleans()), max_size=20))
def test_the_fold_goes_on_whatever_is_relayed(relayed: list[tuple[Statement, bool]]) -> None:
    state = apply(RunState(), LOG)
    for seq, (statement, by_the_owner) in enumerate(relayed, 1):
        apply(state, entry(seq, Relayed(statement), OWNER if by_the_owner else hash_of("another")))
        assert state.entries == seq + 1
    assert len(state.issues) == state.issue_count <= len(relayed)


@given(st.lists(st.tuples(st.sampled_from(["pretrain.joined/1", "x.y/1", "log.relayed/1"]), st.binary(max_size=80))))
def test_the_fold_goes_on_whatever_bytes_are_in_the_log(raw: list[tuple[str, bytes]]) -> None:
    state = apply(RunState(), LOG)
    for seq, (name, body) in enumerate(raw, 1):
        apply(state, Entry(seq, hash_of("before"), 0, OWNER, name, body, b"\0" * 64))
    assert state.entries == len(raw) + 1
    assert state.members == {}


@pytest.mark.parametrize("settings", range(len(SETTINGS)))
def test_scribbles_get_far_enough_to_be_worth_it(settings: int) -> None:
    """The sensible ones alone play whole rounds, so that what is said at random is said in every phase."""
    state = RunState()
    apply_body(state, OWNER, beginning(settings), 0)
    everyone: list[Scribble] = [(21, 0, 0, 0)]
    a_round: list[Scribble] = [(0, 0, 1, 0), (18, 0, 0, 0), (19, 0, 0, 0), (20, 0, 0, 0)]
    for scribble in everyone + 4 * a_round:
        for author, body in said(state, scribble):
            apply_body(state, author, body, 0)
    assert state.step >= 3
    assert {member.health for member in state.here()} <= set(HERE)
