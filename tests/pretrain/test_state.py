"""The fold as a whole: the beginning, who may say what, the clock, and what it makes of entries that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from quiltwork.keys import Identity
from quiltwork.log import Body, MemoryLog, Relayed, Speaker, Writer, kind, log_id
from quiltwork.pretrain.entries import (
    PROTOCOL,
    Amended,
    Attested,
    Challenged,
    Checkpointed,
    Committed,
    Created,
    Hashed,
    Joined,
    Judged,
    Left,
    Paused,
    Ready,
    Responded,
    Resumed,
    Rewound,
    Ticked,
    Undisclosed,
)
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.state import ISSUES_KEPT, apply, apply_body
from tests.pretrain.telling import (
    OWNER,
    START,
    STRANGER,
    A,
    B,
    C,
    Told,
    created,
    hash_of,
    joined,
    model,
    rules,
    told,
)


@kind("tests.pretrain_stray", 1)
class Stray(Body, frozen=True):
    """Of another room."""


# --- the beginning ------------------------------------------------------------------------------------------------------


def test_nothing_is_known_before_the_run_is_created() -> None:
    state = RunState()
    apply_body(state, A, joined(A), 0)
    assert state.members == {}
    assert state.issues == [(0, "the run has not begun")]


def test_who_creates_the_run_owns_it() -> None:
    run = Told()
    assert run.state.owner == OWNER
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    assert run.state.config == rules()


def test_the_model_that_the_owner_names_is_agreed_on() -> None:
    assert Told().state.agreed == {0: model(0)}
    assert Told(model_0=b"").state.agreed == {}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (created(protocol=PROTOCOL + 1), f"the run follows protocol {PROTOCOL + 1}; this version follows {PROTOCOL}"),
        (created(seed=b"short"), "seed and model 0 are not 32 bytes"),
        (created(model=b"short"), "seed and model 0 are not 32 bytes"),
        (created(coordinator="{"), "the rules are not valid"),
        (
            created(coordinator='{"min_clients": 0, "max_clients": 0}'),
            "the rules are not valid: 2 mistakes, the first:",
        ),
        (created(coordinator='{"global_batch_size_start": 2}'), "a round would hold no unit"),
    ],
)
def test_a_run_that_cannot_be_followed_does_not_begin(body: Created, why: str) -> None:
    state = RunState()
    apply_body(state, OWNER, body, 0)
    assert state.created is None
    assert why in state.issues[0][1]


def test_a_run_begins_once() -> None:
    assert Told().say(OWNER, created()) == "the run has begun already"


# --- who may say what ---------------------------------------------------------------------------------------------------

SAYINGS: list[Body] = [
    Ready(0, model(0)),
    Left(),
    Committed(1, (0,), model(1), 1, model(0), model(2)),
    Attested(1, b"\1"),
    Hashed(1, model(1)),
    Checkpointed(1, model(1), model(2), 1),
    Challenged(1, A),
    Responded(1, model(1), 1),
    Judged(1, A, True, 1.0),
    Undisclosed(1, A),
]


@pytest.mark.parametrize("body", SAYINGS, ids=lambda body: type(body).__name__)
def test_a_stranger_is_not_heard(body: Body) -> None:
    run = told(A, B, C)
    before = str(run.round)
    assert run.say(STRANGER, body) == "who says it is no member"
    assert str(run.round) == before
    assert STRANGER not in run.state.members


@pytest.mark.parametrize(
    "body",
    [Paused(), Resumed(), Amended(rules().model_dump_json()), Rewound(0)],
    ids=lambda body: type(body).__name__,
)
def test_a_member_gives_no_orders(body: Body) -> None:
    assert told(A, B, C).say(A, body) == "only the run's owner may say that"


def test_what_is_not_of_this_room_is_noted() -> None:
    assert Told().say(OWNER, Stray()) == "Stray is not an entry of pretrain"


# --- what cannot be read, and relays -------------------------------------------------------------------------------------


def in_a_log(*say: Callable[[Writer, MemoryLog], object]) -> RunState:
    """Fold a real log of the owner's."""
    log = MemoryLog()
    writer = Writer(log, Identity.from_seed(OWNER))
    for each in say:
        each(writer, log)
    state = RunState()
    for entry in log.read():
        apply(state, entry)
    return state


def append(body: Body) -> Callable[[Writer, MemoryLog], object]:
    return lambda writer, log: writer.append(body)


def relay(seed: bytes, body: Body, **changes: Any) -> Callable[[Writer, MemoryLog], object]:
    def say(writer: Writer, log: MemoryLog) -> None:
        (statement,) = Speaker(Identity.from_seed(seed), log_id(log)).say(body)
        writer.append(Relayed(msgspec.structs.replace(statement, **changes)))

    return say


def test_a_relayed_statement_is_its_author_s() -> None:
    state = in_a_log(append(created()), relay(A, joined(A)))
    assert list(state.members) == [Identity.from_seed(A).author]
    assert (state.entries, state.issue_count) == (2, 0)


def test_a_statement_that_is_not_heard_changes_nothing_and_is_noted() -> None:
    state = in_a_log(append(created()), relay(A, joined(A), number=0), relay(A, joined(A), log=hash_of("another log")))
    assert state.members == {}
    assert state.entries == 3
    assert [seq for seq, _ in state.issues] == [1, 2]
    assert "its number is not a whole number" in state.issues[0][1]
    assert "it is for the log that begins with" in state.issues[1][1]


def test_the_same_statement_twice_is_heard_once() -> None:
    state = in_a_log(append(created()), relay(A, joined(A)), relay(A, Left()))  # both have number 1
    assert [issue for _, issue in state.issues] == ["its number is 1, but its author has used 1 before"]


def test_bodies_that_cannot_be_read_are_noted_with_their_kind() -> None:
    def odd(writer: Writer, log: MemoryLog) -> None:
        for name, raw in (("room.unheard_of/1", b"\xc0"), ("pretrain.joined/1", b"\x80")):
            (statement,) = Speaker(Identity.from_seed(A), log_id(log), first_number=len(list(log.read()))).say(Left())
            writer.append(Relayed(msgspec.structs.replace(statement, kind=name, body=raw)))

    state = in_a_log(append(created()), odd)
    assert [issue for _, issue in state.issues] == [
        "unreadable entry: room.unheard_of/1 is not a known kind",
        "unreadable entry: the body is not a canonical pretrain.joined/1: Object missing required field `beacon`",
    ]


def test_issues_are_counted_for_ever_and_the_last_ones_kept() -> None:
    run = Told()
    for _ in range(2 * ISSUES_KEPT + 5):
        run.say(OWNER, Stray())
    assert run.state.issue_count == 2 * ISSUES_KEPT + 5
    assert ISSUES_KEPT <= len(run.state.issues) <= 2 * ISSUES_KEPT
    assert run.state.issues[-1][0] == len(run.said) - 1


def test_a_reason_is_short_however_much_was_said() -> None:
    run = told(A, B, C)
    assert len(run.say(A, run.commitment(A, units=tuple(range(100_000))))) < 300


# --- the clock ----------------------------------------------------------------------------------------------------------


def test_the_owner_tells_the_time() -> None:
    run = Told()
    assert run.state.now == START
    assert run.say(A, Ticked(START + 1)) == "only the run's owner tells the time"
    run.wait(5)
    assert run.state.now == START + 5 * 10**9


def test_time_never_goes_back() -> None:
    run = Told()
    run.fits(OWNER, Ticked(START - 1), Ticked(0), Ticked(-1))
    assert run.state.now == START


def told_by_members(*authors: bytes) -> Told:
    run = Told(clock="members", init_min_clients=len(authors))
    run.join(*authors)
    return run


def test_without_a_server_the_time_is_the_median_of_the_members() -> None:
    run = told_by_members(A, B, C)
    run.fits(A, Ticked(10))
    run.fits(B, Ticked(30))
    assert run.state.now == 10
    run.fits(C, Ticked(20))
    assert run.state.now == 20


def test_no_minority_and_no_half_pushes_the_time_ahead() -> None:
    run = told_by_members(A, B)
    run.fits(A, Ticked(1 << 62))
    assert run.state.now == 0, "B has not spoken yet"
    run.fits(B, Ticked(7))
    assert run.state.now == 7


def test_who_is_not_here_has_no_part_in_the_time() -> None:
    run = told_by_members(A, B, C)
    assert run.say(OWNER, Ticked(5)) == "only members tell the time"
    run.fits(A, Left())
    assert run.say(A, Ticked(5)) == "only members tell the time"
    run.fits(B, Ticked(8))
    run.fits(C, Ticked(9))
    assert run.state.now == 8


def test_joining_twice_is_told_by_the_clock_of_the_run() -> None:
    run = Told()
    run.wait(60)
    run.join(A)
    assert run.member(A).began == run.state.now


def test_every_kind_of_entry_is_an_entry_of_the_fold() -> None:
    """Whoever adds a kind must teach the fold what to make of it."""
    from quiltwork.pretrain import entries

    kinds = {each for each in vars(entries).values() if isinstance(each, type) and issubclass(each, Body)} - {Body}
    known = {type(body) for body in SAYINGS} | {Created, Ticked, Joined, Paused, Resumed, Amended, Rewound}
    assert kinds == known
