"""The fold: what is known of a run, from its entries alone.

`apply` is total: an entry that does not fit, a stranger's, a malformed one, changes nothing but the list of issues. The state
is owned by whoever folds and changed in place. Time is what `Ticked` entries say, chance what reveals and hashes make of it.
"""

from __future__ import annotations

from pydantic import ValidationError

from quiltwork.log import Body, Entry, Refused
from quiltwork.pretrain import agreement, audits, phases, rounds
from quiltwork.pretrain.config import Coordinator
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
    Ticked,
)
from quiltwork.pretrain.facts import HERE, Health, Member, Phase, RunState

__all__ = ["RunState", "apply", "apply_body"]

ISSUES_KEPT = 1_000
"""Entries that did not fit are counted for ever; the reasons of the last ones are kept."""

CHECKPOINTS_KEPT = 3
"""Newcomers who cannot load the newest try an older one of another member."""

LONGEST_STEP_NS = 3_600 * 10**9
"""A tick that is further ahead than this is a clock that is wrong, unless nothing happened for as long."""

_FOR_MEMBERS = (Ready, Left, Committed, Attested, Hashed, Checkpointed, Challenged, Responded, Judged)


def apply(state: RunState, entry: Entry) -> RunState:
    """Fold one entry of the log into the state."""
    spoken = state.speakers.hear(entry)
    if isinstance(spoken, Refused):
        state.entries += 1
        _note(state, entry.seq, spoken.why)
        return state
    return apply_body(state, spoken.author, spoken.body, entry.seq)


def apply_body(state: RunState, author: bytes, body: object, seq: int) -> RunState:
    """Fold what an author says."""
    state.entries += 1
    issue = _dispatch(state, author, body)
    if issue:
        _note(state, seq, issue)
    return state


def _note(state: RunState, seq: int, issue: str) -> None:
    state.issue_count += 1
    state.issues.append((seq, issue))
    if len(state.issues) > 2 * ISSUES_KEPT:
        del state.issues[:ISSUES_KEPT]


def _dispatch(state: RunState, author: bytes, body: object) -> str:
    """Apply one body; returns why it was not applied, or nothing."""
    if state.created is None:
        return _create(state, author, body) if isinstance(body, Created) else "the run has not begun"
    if isinstance(body, _FOR_MEMBERS) and author not in state.members:
        return "who says it is no member"
    match body:
        case Ticked():
            return _tick(state, author, body)
        case Committed():
            return _then_advance(state, rounds.commit(state, author, body))
        case Attested():
            return _then_advance(state, rounds.attest(state, author, body))
        case Hashed():
            return _hash(state, author, body)
        case Joined():
            return _join(state, author, body)
        case Ready():
            issue = agreement.claim_ready(state, author, body)
            phases.advance(state)
            return issue
        case Left():
            return _leave(state, author)
        case Checkpointed():
            return _checkpoint(state, author, body)
        case Challenged():
            return audits.challenge(state, author, body)
        case Responded():
            return audits.respond(state, author, body)
        case Judged():
            issue = audits.judge(state, author, body)
            phases.advance(state)
            return issue
        case Paused() | Resumed() | Amended():
            return _order(state, author, body)
        case Created():
            return "the run has begun already"
        case Body():
            return f"{type(body).__name__} is not an entry of pretrain"
        case _:
            return f"unreadable entry: {body}"


def _then_advance(state: RunState, issue: str) -> str:
    if not issue:
        phases.advance(state)
    return issue


# --- the owner ----------------------------------------------------------------------------------------------------------


def _create(state: RunState, author: bytes, body: Created) -> str:
    if body.protocol != PROTOCOL:
        return f"the run follows protocol {body.protocol}; this version follows {PROTOCOL}"
    config = _rules(body.coordinator)
    if isinstance(config, str):
        return config
    if len(body.seed) != rounds.HASH_BYTES or len(body.model) not in (0, rounds.HASH_BYTES):
        return "the run's seed and model 0 are not 32 bytes"
    state.created, state.owner, state.config, state.seed = body, author, config, body.seed
    if body.model:
        state.agreed[0] = body.model
    state.phase = Phase.WAITING_FOR_MEMBERS
    return ""


def _rules(text: str) -> Coordinator | str:
    try:
        return Coordinator.model_validate_json(text)
    except ValidationError as error:
        return f"the rules are not valid: {error.error_count()} mistakes, the first: {error.errors()[0]['msg']}"


def _order(state: RunState, author: bytes, body: Paused | Resumed | Amended) -> str:
    if author != state.owner:
        return "only the run's owner may say that"
    match body:
        case Paused():
            if state.phase in (Phase.FINISHED, Phase.PAUSED):
                return f"the run is {state.phase}"
            if state.phase in (Phase.WAITING_FOR_MEMBERS, Phase.WARMUP):
                state.phase, state.entered = Phase.PAUSED, state.now
            else:
                state.pausing = True
        case Resumed():
            if state.phase is not Phase.PAUSED:
                return f"the run is {state.phase}, not paused"
            phases.resume(state)
            phases.advance(state)
        case Amended():
            config = _rules(body.coordinator)
            if isinstance(config, str):
                return config
            fixed = ("unit_sequences", "sequence_length", "overlap", "clock")
            if any(getattr(config, name) != getattr(state.config, name) for name in fixed):
                return f"of a run that has begun, {', '.join(fixed)} stay as they are"
            state.amended = config
    return ""


def _tick(state: RunState, author: bytes, body: Ticked) -> str:
    if state.config.clock == "owner":
        if author != state.owner:
            return "only the run's owner tells the time"
        now = body.now
    else:
        member = state.members.get(author)
        if member is None or member.health not in HERE:
            return "only members tell the time"
        member.ticked = max(member.ticked, body.now)
        ticks = sorted(each.ticked for each in state.here() if each.ticked)
        now = ticks[(len(ticks) - 1) // 2]  # the lower median: no minority can push it ahead
    if now > state.now:
        state.now = now
        phases.advance(state)
    return ""


# --- members ------------------------------------------------------------------------------------------------------------


def _join(state: RunState, author: bytes, body: Joined) -> str:
    member = state.members.get(author)
    if body.protocol != PROTOCOL:
        return f"it follows protocol {body.protocol}; this run follows {PROTOCOL}"
    if state.config.admit and author.hex() not in state.config.admit:
        return "its key is not among those that are admitted"
    if len(body.beacon) != rounds.HASH_BYTES:
        return "its beacon is not 32 bytes"
    if member is not None and member.health is Health.EJECTED:
        return "it was ejected"
    if member is None or member.health not in HERE:
        if len(state.here()) >= state.config.max_clients:
            return f"{state.config.max_clients} members are here, as many as the run takes"
        fault = _data_fault(state, body)
        if fault:
            return fault
    if member is None:
        state.members[author] = Member(author, body, since=state.last + 1, beacon=body.beacon)
    else:
        # Its optimizer's state is a new one, and so is its chain of secrets; what it earned and how it stands remain.
        member.said, member.since, member.beacon = body, state.last + 1, body.beacon
        member.own, member.own_round, member.misses, member.revealed = b"", 0, 0, 0
        member.health = Health.JOINING
        state.ready.pop(author, None)
    if state.phase in (Phase.WAITING_FOR_MEMBERS, Phase.WARMUP):
        phases.advance(state)
    return ""


def _data_fault(state: RunState, body: Joined) -> str:
    known = next((each.said.data for each in state.here() if each.said.data), b"")
    if known and body.data and body.data != known:
        return f"its data set is {body.data[:4].hex()}, that of the others {known[:4].hex()}: they would train different units"
    return ""


def _leave(state: RunState, author: bytes) -> str:
    member = state.members[author]
    if member.health not in HERE:
        return f"the member is {member.health}"
    member.health = Health.WITHDRAWN
    state.ready.pop(author, None)
    phases.advance(state)
    return ""


def _hash(state: RunState, author: bytes, body: Hashed) -> str:
    if state.members[author].health is not Health.HEALTHY:
        return f"the member is {state.members[author].health}"
    return agreement.vote(state, body.round, author, body.model)


def _checkpoint(state: RunState, author: bytes, body: Checkpointed) -> str:
    agreed = state.agreed.get(body.round)
    if state.members[author].health is not Health.HEALTHY:
        return f"the member is {state.members[author].health}"
    if agreed is None or body.model != agreed:
        return f"it is not known to be model {body.round}"
    if len(body.manifest) != rounds.HASH_BYTES:
        return "its manifest is not named by 32 bytes"
    kept = [(who, each) for who, each in state.checkpoints if who != author]
    if kept and body.round < kept[-1][1].round:
        return f"a checkpoint of round {kept[-1][1].round} is there already"
    state.checkpoints = [*kept, (author, body)][-CHECKPOINTS_KEPT:]
    if body.round >= state.last:
        state.keepers = ()
    _forget(state)
    phases.advance(state)
    return ""


def _forget(state: RunState) -> None:
    """Let go of rounds that no newcomer replays and no audit needs."""
    oldest = min(state.checkpoints[0][1].round, state.last - state.config.window)
    for old in [number for number in state.closed if number <= oldest]:
        del state.closed[old]
    for old in [number for number in state.agreed if number < oldest]:
        del state.agreed[old]
    for old in [number for number in state.tallies if number < oldest]:
        del state.tallies[old]
