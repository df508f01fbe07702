"""What a member should do now, given what the run is and what it holds. Pure; the order is the order of urgency."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from quiltwork.pretrain import audits
from quiltwork.pretrain.beacon import HASH_BYTES, Onion
from quiltwork.pretrain.bitmap import Bitmap
from quiltwork.pretrain.effects import (
    Apply,
    Audit,
    Disclose,
    Disclosed,
    Effect,
    Fetch,
    Finding,
    Forget,
    Keep,
    Kept,
    Load,
    Loaded,
    Say,
    Train,
    Trained,
)
from quiltwork.pretrain.entries import (
    Attested,
    Checkpointed,
    Committed,
    Hashed,
    Joined,
    Judged,
    Ready,
    Responded,
    Undisclosed,
)
from quiltwork.pretrain.facts import HERE, Closed, Commit, Health, Member, Phase, Round, RunState
from quiltwork.pretrain.rounds import LATE_ROUNDS, is_waited_for

RELOAD_BEYOND = 16
"""A node that is further behind a checkpoint loads it, instead of replaying what came before."""

ATTEST_AT = 0.6
"""Share of the witnesses' time after which a witness says what it holds, though something is missing."""

FETCH_TRIES = 3
"""Vain attempts at a blob, each at all holders, after which a node goes on without it: for a payload it looks for a checkpoint
that makes it superfluous, of a disclosure it says that there is none."""

FORGET_EVERY = 4
"""Models are let go of a few at a time."""


NEVER = 1 << 63


@dataclass(slots=True)
class Holdings:
    """What a node has: a model, blobs, optimizer states by their roots, and results that are not in the log yet."""

    joining: Joined
    onion: Onion
    loaded: Loaded | None = None
    models: dict[int, bytes] = field(default_factory=dict)
    """Rounds whose models are still there, with their hashes."""
    states: set[bytes] = field(default_factory=set)
    blobs: set[bytes] = field(default_factory=set)
    coming: set[bytes] = field(default_factory=set)
    """Blobs that are on their way: to want them again, at every look, is most of what a look would cost."""
    malformed: dict[bytes, str] = field(default_factory=dict)
    trained: dict[int, tuple[Train, Trained]] = field(default_factory=dict)
    kept: dict[int, Kept] = field(default_factory=dict)
    disclosed: dict[int, Disclosed] = field(default_factory=dict)
    findings: dict[tuple[int, bytes], Finding] = field(default_factory=dict)
    failures: dict[Hashable, int] = field(default_factory=dict)
    useless: dict[bytes, int] = field(default_factory=dict)
    """Manifests of checkpoints that could not be loaded, with how often (empty: model 0)."""
    forgotten: int = 0


def wanted(state: RunState, me: bytes, mine: Holdings) -> Iterator[Effect]:
    """All that the member should be doing now, but for the fetching of blobs that are coming already (see `needed`)."""
    if state.created is None:
        return
    member = state.members.get(me)
    if member is not None and member.health is Health.EJECTED:
        return
    if member is None or _must_join(member, mine):
        if state.phase is not Phase.FINISHED:
            yield _join(member, mine)
        return
    yield from _vote(state, member, mine)
    if member.health is Health.HEALTHY:
        yield from _witness(state, member, mine)
        yield from _train(state, member, mine)
        yield from _come_late(state, member, mine)
        yield from _fetch(state, member, mine)
    yield from _follow(state, member, mine)
    yield from _keep(state, member, mine)
    if state.cases:
        yield from _be_audited(state, member, mine)
        yield from _audit(state, member, mine)
    yield from _forget(state, member, mine)


def needed(state: RunState, me: bytes, mine: Holdings) -> set[bytes]:
    """Those of the blobs that are coming which are of use to the member still; there may be others among them."""
    member = state.members.get(me)
    if member is None or member.health not in HERE:
        return set()
    blobs = set[bytes]()
    if member.health is Health.HEALTHY and state.round is not None:
        blobs |= state.round.payloads
    for closed in _replayed(state, mine):
        blobs |= closed.payloads
    if state.cases and not mine.coming <= blobs:
        blobs.update(owed.disclosure for owed in audits.owed_by(state, me))
    return blobs


def _join(member: Member | None, mine: Holdings) -> Say:
    if member is None:
        return Say(("join", 0), mine.joining)
    own = member.own if member.own in mine.states else b""
    return Say(("join", member.since), replace(mine.joining, own=own))


def _must_join(member: Member, mine: Holdings) -> bool:
    """Whether one is out, or is not as the log has it: without the optimizer's state, or with another chain or address."""
    lost = member.own != b"" and member.own not in mine.states
    said = replace(member.said, own=b"") if member.said.own else member.said
    return member.health not in HERE or lost or said != mine.joining


# --- the model ----------------------------------------------------------------------------------------------------------


def _follow(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Have the model of the last closed round: load, then fetch and apply round by round."""
    if mine.loaded is None or _astray(state, mine.loaded):
        yield _fewest_failures(_loads(state), mine)
        return
    at = mine.loaded.round
    if at >= state.last:
        return
    closed = state.closed.get(at + 1)
    if closed is None or _is_lost(mine, closed) or _is_far_behind(state, mine, at):
        newer = _loads(state, beyond=at)
        if newer:
            yield _fewest_failures(newer, mine)
    for ahead in _replayed(state, mine):
        missing = ahead.payloads - mine.blobs
        if not missing and ahead.number == at + 1:
            yield Apply(ahead)
        # What is malformed has deceived whoever accepted it: only a checkpoint helps
        missing = missing - mine.coming - mine.malformed.keys()
        if missing:
            holders = _appliers(state, ahead)
            for update in ahead.updates:
                if update.body.payload in missing:
                    yield _get(member.author, update, holders)


def _replayed(state: RunState, mine: Holdings) -> Iterator[Closed]:
    """The closed rounds that a node applies one by one: none, if it has to load a checkpoint."""
    if mine.loaded is None or _astray(state, mine.loaded):
        return
    at = mine.loaded.round
    if at >= state.last or (first := state.closed.get(at + 1)) is None:
        return
    if _is_far_behind(state, mine, at) and not _is_lost(mine, first):
        return
    for number in range(at + 1, state.last + 1):
        closed = state.closed.get(number)
        if closed is None:
            return
        yield closed


def _is_far_behind(state: RunState, mine: Holdings, at: int) -> bool:
    newest = state.checkpoints[-1][1] if state.checkpoints else None
    return newest is not None and newest.round > at + RELOAD_BEYOND and newest.manifest not in mine.useless


def _is_lost(mine: Holdings, closed: Closed) -> bool:
    """Whether a round cannot be applied for want of an update."""
    if not (mine.malformed or mine.failures):
        return False
    return any(
        payload in mine.malformed or mine.failures.get(("fetch", payload), 0) >= FETCH_TRIES
        for payload in closed.payloads - mine.blobs
    )


def _astray(state: RunState, loaded: Loaded) -> bool:
    agreed = state.agreed.get(loaded.round)
    return agreed is not None and agreed != loaded.model


def _loads(state: RunState, *, beyond: int = -1) -> list[Load]:
    """What could be loaded beyond a round, the newest first; model 0 last, if all that came after it is there."""
    loads = []
    for keeper, body in reversed(state.checkpoints):
        if body.round > beyond:
            others = (member.author for member in state.healthy() if member.author != keeper)
            loads.append(Load(body, (keeper, *others)))
    if beyond < 0 and (not loads or 1 in state.closed):
        loads.append(Load(None, ()))
    return loads


def _fewest_failures(loads: list[Load], mine: Holdings) -> Load:
    return min(loads, key=lambda load: mine.useless.get(load.manifest, 0))


def _vote(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Say what model one has: as a newcomer that one is ready, otherwise every round."""
    loaded = mine.loaded
    if loaded is None:
        return
    if member.health is Health.JOINING:
        said = state.ready.get(member.author)
        if loaded.round == state.last and not _astray(state, loaded) and (said is None or said.round < loaded.round):
            yield Say(("ready", loaded.round, loaded.model), Ready(loaded.round, loaded.model))
    elif loaded.round > member.hashed and (loaded.round in state.agreed or loaded.round in state.tallies):
        yield Say(("hash", loaded.round), Hashed(loaded.round, loaded.model))


# --- work ---------------------------------------------------------------------------------------------------------------


def _train(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Train what was given out: in this round, or ahead, in the hope that something of this round is accepted."""
    round, author = state.round, member.author
    if round is None:
        return
    committing = state.phase is Phase.ROUND_TRAIN and author not in round.committed
    if committing and author in round.assigned:
        train = Train(round.number, round.step, round.base, member.own, round.assigned[author])
    elif state.ahead is not None and author in state.ahead.assigned:
        train = Train(round.number + 1, round.step + 1, round.number - 1, member.own, state.ahead.assigned[author])
        committing = False
    else:
        return
    done = mine.trained.get(train.round)
    if done is None or done[0] != train:
        if train.base in mine.models:
            yield train
    elif committing and train.base in mine.models:
        result, model = done[1], mine.models[train.base]
        body = Committed(train.round, train.units, result.payload, result.size, model, result.own, result.loss)
        yield Say(("commit", train.round, result.payload), body)


def _come_late(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Say what one trained for a round that takes no more commitments: it tells how fast one is."""
    for number in range(state.last, max(member.own_round, member.late_round, state.last - LATE_ROUNDS), -1):
        closed = state.closed.get(number)
        if number in mine.trained and closed is not None:
            train, result = mine.trained[number]
            if closed.assigned.get(member.author) == train.units:
                model = mine.models.get(train.base, bytes(HASH_BYTES))
                body = Committed(number, train.units, result.payload, result.size, model, result.own, result.loss)
                yield Say(("commit", number, result.payload), body)
            return


def _fetch(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Get the payloads of the round that goes on as they are committed, witness or not: all will be applied."""
    round = state.round
    if round is None:
        return
    missing = round.payloads - mine.blobs - mine.coming - mine.malformed.keys()
    if not missing:
        return
    for number, commit in enumerate(round.commits):
        if commit.body.payload in missing and commit.author != member.author:
            others = [author for author, held in round.attested.items() if number in held]
            yield _get(member.author, commit, tuple(others))


def _get(me: bytes, commit: Commit, holders: tuple[bytes, ...]) -> Fetch:
    named = dict.fromkeys((commit.author, *holders))
    return Fetch(
        commit.body.payload, commit.body.size, tuple(author for author in named if author != me), purpose="payload"
    )


def _appliers(state: RunState, closed: Closed) -> tuple[bytes, ...]:
    """Who should have a round's accepted payloads: all who applied it."""
    return tuple(member.author for member in state.healthy() if member.since <= closed.number)


def _witness(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    round = state.round
    if round is None or state.phase is not Phase.ROUND_WITNESS or member.author not in round.awaited:
        return
    if _waits(state, round, mine) and state.now < _overdue(round):
        return
    held = Bitmap.of(
        len(round.commits),
        (number for number, commit in enumerate(round.commits) if commit.body.payload in mine.blobs),
    )
    yield Say(("attest", round.number), Attested(round.number, held.to_bytes(), mine.onion.reveal(member.revealed + 1)))


def _waits(state: RunState, round: Round, mine: Holdings) -> bool:
    """Whether a witness hopes for more payloads."""
    missing = round.payloads - mine.blobs - mine.malformed.keys()
    return bool(missing) and any(
        commit.body.payload in missing and is_waited_for(state.members[commit.author]) for commit in round.commits
    )


def is_for_later(state: RunState, me: bytes, mine: Holdings, blob: bytes) -> bool:
    """Whether a well-formed payload that has come changes nothing yet: the member need not look at its duties for it.

    Of a round that is trained nothing is done with payloads before the witnesses' turn, in their turn nothing before all that
    is waited for is there, and a closed round is applied with all of its payloads or not at all. Audits need single ones.
    """
    round = state.round
    if state.cases:
        return False
    if round is not None and blob in round.payloads:
        return state.phase is Phase.ROUND_TRAIN or me not in round.awaited or _waits(state, round, mine)
    following = None if mine.loaded is None else state.closed.get(mine.loaded.round + 1)
    return following is not None and not following.payloads <= mine.blobs


def _overdue(round: Round) -> int:
    return round.trained_at + int(ATTEST_AT * round.longest)


def next_by_clock(state: RunState) -> int:
    """When the clock alone will give members another duty."""
    if state.round is not None and state.phase is Phase.ROUND_WITNESS and state.now < _overdue(state.round):
        return _overdue(state.round)
    return NEVER


def _keep(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Make the checkpoint that one was drawn for: of the newest model on whose hash the members agree."""
    if member.author not in state.keepers or member.health is not Health.HEALTHY:
        return
    beyond = state.keepers_beyond
    right = [round for round, model in mine.models.items() if round > beyond and state.agreed.get(round) == model]
    if not right:
        return
    round = max((number for number in right if number in mine.kept), default=max(right))
    kept = mine.kept.get(round)
    if kept is None:
        yield Keep(round)
    else:
        body = Checkpointed(round, mine.models[round], kept.manifest, kept.manifest_size, kept.size)
        yield Say(("checkpoint", round), body)


# --- audits -------------------------------------------------------------------------------------------------------------


def _be_audited(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    for commit in audits.asked_of(state, member.author):
        number = commit.body.round
        disclosed = mine.disclosed.get(number)
        if disclosed is None:
            yield Disclose(number, commit.before, commit.body.own)
        else:
            yield Say(("respond", number), Responded(number, disclosed.disclosure, disclosed.size))


def _audit(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    for owed in audits.owed_by(state, member.author):
        closed, commit = owed.closed, owed.commit
        key = (closed.number, commit.author)
        finding = mine.findings.get(key) or _without_looking(mine, owed)
        if finding is not None:
            body = Judged(closed.number, commit.author, finding.honest, finding.score, finding.why)
            yield Say(("judge", *key), body)
        elif mine.failures.get(("fetch", owed.disclosure), 0) >= FETCH_TRIES and state.last >= owed.due:
            yield Say(("judge", *key), Undisclosed(closed.number, commit.author))
        elif owed.disclosure not in mine.blobs and owed.disclosure not in mine.coming:
            yield Fetch(owed.disclosure, owed.size, (commit.author,), purpose="disclosure")
        elif owed.disclosure in mine.blobs and closed.base in mine.models and commit.body.payload in mine.blobs:
            yield Audit(commit.author, closed.step, closed.base, commit.body, commit.before, owed.disclosure)


def _without_looking(mine: Holdings, owed: audits.Owed) -> Finding | None:
    """What is not even well formed need not be computed again."""
    why = mine.malformed.get(owed.disclosure)
    return None if why is None else Finding(False, 0.0, f"what was disclosed is malformed: {why}")


def _forget(state: RunState, member: Member, mine: Holdings) -> Iterator[Effect]:
    """Let go of what no replay and no audit needs."""
    if mine.loaded is None or _astray(state, mine.loaded):
        return  # what will be loaded may be older than what is kept
    rounds = next(iter(state.closed), state.last + 1) - 1  # the first is the oldest, as in `models`
    models = min(state.last - state.config.window, mine.loaded.round)
    if rounds > mine.forgotten or next(iter(mine.models), models) < models - FORGET_EVERY:
        own = [
            commit for closed in state.closed.values() for commit in closed.commits if commit.author == member.author
        ]
        recent = [commit for commit in own if commit.body.round >= models]
        states = {root for commit in recent for root in (commit.before, commit.body.own)} | {member.own}
        yield Forget(rounds, models, frozenset(states), tuple(body.manifest for _, body in state.checkpoints))
