"""The fold: what is known of a run, from its entries alone.

`apply` is total: an entry that does not fit, a stranger's, a malformed one, changes nothing but the list of issues. The state
is owned by whoever folds and changed in place. Time is what `Ticked` entries say, chance what reveals and hashes make of it.
"""

from __future__ import annotations

from pydantic import ValidationError

from quiltwork.log import Body, Entry, Refused
from quiltwork.pretrain import agreement, audits, phases, rewind, rounds
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
    Rewound,
    Ticked,
    Undisclosed,
)
from quiltwork.pretrain.facts import HERE, Health, Member, Phase, RunState

__all__ = ["RunState", "apply", "apply_body"]

ISSUES_KEPT = 1_000
"""Entries that did not fit are counted for ever; the reasons of the last ones are kept."""

CHECKPOINTS_KEPT = 3
"""Newcomers who cannot load the newest try an older one of another member."""

LARGEST_MANIFEST_BYTES = 256 << 20
"""Of a checkpoint, as its readers bound it: a larger one is refused before anybody fetches it."""

MOST_ADDRESSES, LONGEST_ADDRESS = 8, 256
LONGEST_NAME = 64
LONGEST_KIND = 32, 64
"""Characters of dtype and device. What a member says of itself is kept by all, as long as the run lasts."""

_NO_NEWS = (Hashed, Attested)
"""What gives nobody anything to do, unless it is the last that was missing: then what it brings about is news."""

_FOR_MEMBERS = (Ready, Left, Committed, Attested, Hashed, Checkpointed, Challenged, Responded, Judged, Undisclosed)


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
    if type(body) is not Ticked:
        state.news += type(body) not in _NO_NEWS
        phases.advance(state)
    elif state.now >= state.due:
        phases.advance(state)
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
            return rounds.commit(state, author, body)
        case Attested():
            return rounds.attest(state, author, body)
        case Hashed():
            return _hash(state, author, body)
        case Joined():
            return _join(state, author, body)
        case Ready():
            return agreement.claim_ready(state, author, body)
        case Left():
            return _leave(state, author)
        case Checkpointed():
            return _checkpoint(state, author, body)
        case Challenged():
            return audits.challenge(state, author, body)
        case Responded():
            return audits.respond(state, author, body)
        case Judged():
            return audits.judge(state, author, body)
        case Undisclosed():
            return audits.undisclosed(state, author, body)
        case Paused() | Resumed() | Amended() | Rewound():
            return _order(state, author, body)
        case Created():
            return "the run has begun already"
        case Body():
            return f"{type(body).__name__} is not an entry of pretrain"
        case _:
            return f"unreadable entry: {body}"


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
    phases.enter(state, Phase.WAITING_FOR_MEMBERS)
    return ""


def _rules(text: str) -> Coordinator | str:
    try:
        return Coordinator.model_validate_json(text)
    except ValidationError as error:
        return f"the rules are not valid: {error.error_count()} mistakes, the first: {error.errors()[0]['msg']}"


def _order(state: RunState, author: bytes, body: Paused | Resumed | Amended | Rewound) -> str:
    if author != state.owner:
        return "only the run's owner may say that"
    match body:
        case Paused():
            if state.phase in (Phase.FINISHED, Phase.PAUSED):
                return f"the run is {state.phase}"
            if state.phase in (Phase.WAITING_FOR_MEMBERS, Phase.WARMUP):
                phases.enter(state, Phase.PAUSED)
            else:
                state.pausing = True
        case Resumed():
            if state.pausing:
                state.pausing = False
            elif state.phase is not Phase.PAUSED:
                return f"the run is {state.phase}, not paused"
            else:
                phases.wait_for_members(state)
        case Rewound():
            if state.phase is Phase.FINISHED:
                return "the run is over"
            if issue := rewind.rewind(state, body):
                return issue
            if state.phase is not Phase.PAUSED:
                phases.wait_for_members(state)
        case Amended():
            config = _rules(body.coordinator)
            if isinstance(config, str):
                return config
            fixed = ("unit_sequences", "sequence_length", "overlap", "clock")
            if any(getattr(config, name) != getattr(state.config, name) for name in fixed):
                return f"of a run that has begun, {', '.join(fixed)} stay as they are"
            if state.phase is Phase.FINISHED:
                return "the run is over"
            if state.round is None:
                state.config = config
            else:
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
        ticks = sorted(each.ticked for each in state.here())
        now = ticks[(len(ticks) - 1) // 2]  # the lower median: no minority, nor a half, can push it ahead
    if not state.now < now:
        return ""
    if not state.now:  # the clock begins: what was before has lasted no time
        state.entered = now
        for member in state.members.values():
            member.began = now
    state.now = now
    return ""


# --- members ------------------------------------------------------------------------------------------------------------


def _join(state: RunState, author: bytes, body: Joined) -> str:
    member = state.members.get(author)
    if body.protocol != PROTOCOL:
        return f"it follows protocol {body.protocol}; this run follows {PROTOCOL}"
    if state.config.admit and author.hex() not in state.config.admit:
        return "its key is not among those that are admitted"
    if member is not None and member.health is Health.EJECTED:
        return "it was ejected"
    if (member is None or member.health not in HERE) and len(state.here()) >= state.config.max_clients:
        return f"{state.config.max_clients} members are here, as many as the run takes"
    fault = _form_fault(body) or _data_fault(state, author, body)
    if fault:
        return fault
    state.moves += 1
    if member is None:
        state.members[author] = Member(author, body, since=state.last + 1, began=state.now, beacon=body.beacon)
    else:
        _join_again(state, member, body)
    return ""


def _join_again(state: RunState, member: Member, body: Joined) -> None:
    """What it earned and how it stands remain, and of its chain and its optimizer's state what it still has."""
    if body.beacon != member.said.beacon:
        member.beacon, member.revealed = body.beacon, 0
    if body.own != member.own:
        member.own, member.own_round = b"", 0
    if state.round is not None and state.phase is Phase.ROUND_WITNESS:
        # Others have revealed: who could choose its chain now would choose the seed
        state.round.awaited.discard(member.author)
    member.said, member.since, member.began, member.misses = body, state.last + 1, state.now, 0
    member.health = Health.JOINING
    state.ready.pop(member.author, None)


def _form_fault(body: Joined) -> str:
    if len(body.beacon) != rounds.HASH_BYTES:
        return "its beacon is not 32 bytes"
    if len(body.data) not in (0, rounds.HASH_BYTES):
        return "the fingerprint of its data set is not 32 bytes"
    if len(body.addresses) > MOST_ADDRESSES or any(len(address) > LONGEST_ADDRESS for address in body.addresses):
        return f"it has more than {MOST_ADDRESSES} addresses, or one of more than {LONGEST_ADDRESS} characters"
    if len(body.name) > LONGEST_NAME or len(body.version) > LONGEST_NAME:
        return f"its name or version has more than {LONGEST_NAME} characters"
    for what, said, most in zip(("dtype", "device"), (body.dtype, body.device), LONGEST_KIND, strict=True):
        if not 0 < len(said) <= most:
            return f"its {what} has {len(said)} characters, not 1 to {most}"
    return ""


def _data_fault(state: RunState, author: bytes, body: Joined) -> str:
    known = next((each.said.data for each in state.here() if each.said.data and each.author != author), b"")
    if known and body.data and body.data != known:
        return f"its data set is {body.data[:4].hex()}, that of the others {known[:4].hex()}: they would train different units"
    return ""


def _leave(state: RunState, author: bytes) -> str:
    member = state.members[author]
    if member.health not in HERE:
        return f"the member is {member.health}"
    member.health = Health.WITHDRAWN
    state.moves += 1
    state.ready.pop(author, None)
    return ""


def _hash(state: RunState, author: bytes, body: Hashed) -> str:
    if state.members[author].health is not Health.HEALTHY:
        return f"the member is {state.members[author].health}"
    return agreement.vote(state, body.round, author, body.model)


def _checkpoint(state: RunState, author: bytes, body: Checkpointed) -> str:
    agreed = state.agreed.get(body.round)
    if state.members[author].health is not Health.HEALTHY:
        return f"the member is {state.members[author].health}"
    if author not in state.keepers:
        return "nobody asked the member for a checkpoint"
    if body.round <= state.keepers_beyond:
        return f"a checkpoint of a round after {state.keepers_beyond} was asked for, not of {body.round}"
    if agreed is None or body.model != agreed:
        return f"it is not known to be model {body.round}"
    if len(body.manifest) != rounds.HASH_BYTES:
        return "its manifest is not named by 32 bytes"
    if not 0 < body.manifest_size <= LARGEST_MANIFEST_BYTES:
        return f"its manifest of {body.manifest_size} bytes is not within 1 to {LARGEST_MANIFEST_BYTES}"
    state.keepers = tuple(keeper for keeper in state.keepers if keeper != author)
    kept = [(who, each) for who, each in state.checkpoints if who != author]
    state.checkpoints = sorted([*kept, (author, body)], key=lambda each: each[1].round)[-CHECKPOINTS_KEPT:]
    _forget(state)
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
