"""One round of a run: opened, filled with commitments, closed to them, attested, and closed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from quiltwork.audit import contributed
from quiltwork.pretrain import agreement, audits, beacon
from quiltwork.pretrain.assignment import assign
from quiltwork.pretrain.bitmap import Bitmap, tally
from quiltwork.pretrain.deadlines import deadline
from quiltwork.pretrain.entries import Attested, Committed
from quiltwork.pretrain.facts import Closed, Commit, Given, Health, Member, Phase, Round, RunState
from quiltwork.pretrain.schedules import batch_size
from quiltwork.pretrain.selection import select, witness_quorum

HASH_BYTES = 32
NANO = 1_000_000_000

EARLIEST_SHARE = 0.5
"""An adaptive deadline ends a round only when half of its units are there: a rule against slow members must not turn
against a round in which everybody is slow."""

MOST_DOUBLINGS = 4
"""A run whose rounds fail is given 16 times the time that was planned; more would hide that it cannot work."""


def open_round(state: RunState) -> None:
    """Draw the witnesses and give out the units of the next round, as far as they are not given out yet."""
    config = state.config
    healthy = state.healthy()
    number = state.last + 1
    given = _still_given(state) or _give_out(state, number)
    drawn = _draw_witnesses(state.seed, len(healthy), config.witness_nodes)
    state.round = Round(
        number=number,
        step=state.step + 1,
        base=max(0, number - 1 - config.overlap),
        since=given.since,
        opened=state.now,
        seed=state.seed,
        roster=tuple(member.author for member in healthy),
        witnesses=tuple(healthy[index].author for index in drawn),
        assigned=given.assigned,
        awaited=set(given.assigned),
    )
    _enter(state, Phase.ROUND_TRAIN, state.train_offsets, config.max_round_train_time)


def _give_out(state: RunState, number: int) -> Given:
    """Divide the units of a round among the healthy, in proportion to their speeds: those that were lost first."""
    config = state.config
    healthy = state.healthy()
    sequences = batch_size(
        state.tokens,
        start=config.global_batch_size_start,
        end=config.global_batch_size_end,
        warmup_tokens=config.global_batch_size_warmup_tokens,
    )
    count = max(1, sequences // config.unit_sequences)
    given = assign(
        {member.author: member.speed.estimate for member in healthy},
        count,
        lost=tuple(state.returned),
        next_unit=state.next_unit,
        most=count,
        seed=state.seed,
    )
    for _ in range(given.taken):
        state.returned.popleft()
    state.next_unit += given.fresh
    for member in healthy:
        if not given.units[member.author]:
            member.speed = member.speed.rested()
    return Given(number, state.now, {author: units for author, units in given.units.items() if units})


def _still_given(state: RunState) -> Given | None:
    """What was given out ahead to those who are still healthy. The units of others go back."""
    ahead, state.ahead = state.ahead, None
    if ahead is None:
        return None
    kept = {author: units for author, units in ahead.assigned.items() if _healthy(state, author)}
    state.returned.extend(
        sorted(unit for author, units in ahead.assigned.items() if author not in kept for unit in units)
    )
    return Given(ahead.number, ahead.since, kept) if kept else None


def take_back(state: RunState) -> None:
    """No round comes next: what was given out ahead goes back."""
    if state.ahead is not None:
        state.returned.extend(sorted(unit for units in state.ahead.assigned.values() for unit in units))
        state.ahead = None


@lru_cache(maxsize=64)
def _draw_witnesses(seed: bytes, members: int, witness_nodes: int) -> tuple[int, ...]:
    """Remembered for simulators, where every member of a run draws the same."""
    return select(seed, members, witness_nodes=witness_nodes).witnesses


def commit(state: RunState, author: bytes, body: Committed) -> str:
    """Take a member's commitment. Returns why it does not count, or nothing."""
    member, round = state.members.get(author), state.round
    if member is None:
        return "who commits is no member"
    if round is None or body.round != round.number or state.phase is not Phase.ROUND_TRAIN:
        return _late(state, member, body)
    why = _fault(state, round, member, body)
    if why:
        return why
    round.committed.add(author)
    round.commits.append(Commit(author, body, state.now, member.own, member.own_round))
    member.own, member.own_round = body.own, body.round
    _measure(state, member, len(body.units), round.since)
    round.awaited.discard(author)
    if not round.awaited:
        close_training(state)
    return ""


def _fault(state: RunState, round: Round, member: Member, body: Committed) -> str:
    author = member.author
    if member.health is not Health.HEALTHY:
        return f"the member is {member.health}"
    if author in round.committed:
        return "the member has committed in this round"
    mine = round.assigned.get(author, ())
    if not body.units or not set(body.units) <= set(mine) or len(set(body.units)) != len(body.units):
        return f"it was assigned the units {list(mine)}, and commits {list(body.units[:16])}"
    if any(len(hash) != HASH_BYTES for hash in (body.payload, body.own, body.model)):
        return "a hash in it is not 32 bytes"
    if not 0 < body.size <= state.config.max_payload_bytes:
        return f"its payload of {body.size} bytes is not within 1 to {state.config.max_payload_bytes}"
    if any(body.payload == other.body.payload for other in round.commits):
        return "its payload is that of another member"
    return agreement.vote(state, round.base, author, body.model)


def _late(state: RunState, member: Member, body: Committed) -> str:
    """Who comes late is alive, and its speed is known: it will be given less."""
    closed = state.closed.get(body.round)
    if closed is not None:
        since = closed.since
    elif state.round is not None and state.round.number == body.round:
        since = state.round.since
    else:
        return f"round {body.round} is not open"
    if member.health is Health.HEALTHY:
        member.misses = 0
        member.late += 1
        _measure(state, member, len(body.units), since)
    return f"round {body.round} takes no more commitments"


def _measure(state: RunState, member: Member, units: int, since: int) -> None:
    member.speed = member.speed.measured(units, state.now - since)
    state.train_offsets.append(state.now - since)


def close_training(state: RunState) -> None:
    """Take no more commitments; the witnesses' turn. A round without any ends here.

    With overlap members train the next round meanwhile, whose model they have already.
    """
    round = state.round
    assert round is not None
    round.trained_at = state.now
    if round.commits:
        round.awaited = {author for author in round.witnesses if _healthy(state, author)}
        _enter(state, Phase.ROUND_WITNESS, state.witness_offsets, state.config.round_witness_time)
        if state.config.overlap:
            state.ahead = _give_out(state, round.number + 1)
    else:
        close_round(state)


def attest(state: RunState, author: bytes, body: Attested) -> str:
    """Take a witness's attestation. Returns why it does not count, or nothing."""
    round = state.round
    if round is None or body.round != round.number or state.phase is not Phase.ROUND_WITNESS:
        return f"round {body.round} takes no attestations now"
    if author not in round.witnesses:
        return "who attests is no witness of this round"
    if not _healthy(state, author):
        return "the witness is not healthy any more"
    if author in round.attested:
        return "the witness has attested in this round"
    try:
        held = Bitmap.from_bytes(len(round.commits), body.held)
    except ValueError as error:
        return str(error)
    member = state.members[author]
    if not beacon.check(member.beacon, body.reveal):
        return "its reveal does not open its beacon"
    member.beacon, member.revealed = body.reveal, member.revealed + 1
    round.attested[author] = held
    round.reveals[author] = body.reveal
    state.witness_offsets.append(state.now - round.trained_at)
    round.awaited.discard(author)
    if not round.awaited:
        close_round(state)
    return ""


def tick(state: RunState) -> None:
    """End what has lasted long enough, and what waits for nobody who could still come."""
    round = state.round
    assert round is not None
    late = state.now - state.entered >= round.longest or not any(_healthy(state, author) for author in round.awaited)
    early = state.now - (round.since if state.phase is Phase.ROUND_TRAIN else state.entered) >= round.waits
    if state.phase is Phase.ROUND_TRAIN and (late or (early and _half_is_done(round))):
        close_training(state)
    elif state.phase is Phase.ROUND_WITNESS and (late or (early and len(_accepted(round)) == len(round.commits))):
        close_round(state)


def _half_is_done(round: Round) -> bool:
    done = sum(len(commit.body.units) for commit in round.commits)
    return done >= EARLIEST_SHARE * sum(map(len, round.assigned.values()))


def close_round(state: RunState) -> None:
    """Accept what the witnesses hold; give back what is lost; draw the seed, the audits and the keepers."""
    round = state.round
    assert round is not None
    if round.base not in state.agreed:
        agreement.settle_by_plurality(state, round.base)
    accepted = tuple(
        number
        for number in _accepted(round)
        if round.commits[number].body.model == state.agreed.get(round.base)
        and audits.counts(state, round.commits[number].author)
    )
    done = {unit for number in accepted for unit in round.commits[number].body.units}
    lost = tuple(unit for units in round.assigned.values() for unit in units if unit not in done)
    state.returned.extend(sorted(lost))
    state.seed = beacon.next_seed(state.seed, [round.reveals[author] for author in sorted(round.reveals)])
    closed = Closed(
        number=round.number,
        step=round.step,
        base=round.base,
        seed=state.seed,
        since=round.since,
        opened=round.opened,
        closed=state.now,
        roster=round.roster,
        witnesses=round.witnesses,
        commits=tuple(round.commits),
        accepted=accepted,
        returned=lost,
    )
    state.closed[round.number] = closed
    state.last = round.number
    state.round = None
    _account(state, closed)
    _count_misses(state, round)
    agreement.open_tally(state, closed.number, tuple(member.author for member in state.healthy()))
    audits.after_round(state, closed)


def _accepted(round: Round) -> list[int]:
    needed = witness_quorum(len(round.witnesses))
    counts = tally(len(round.commits), list(round.attested.values()))
    return [number for number, count in enumerate(counts) if count >= needed]


def _account(state: RunState, closed: Closed) -> None:
    state.barren = 0 if closed.accepted else state.barren + 1
    state.step += bool(closed.accepted)
    for update in closed.updates:
        units = len(update.body.units)
        member = state.members[update.author]
        member.accepted_units += units
        member.standing = contributed(member.standing)
        state.accepted_units += units
        state.tokens += units * state.config.unit_sequences * state.config.sequence_length


def _count_misses(state: RunState, round: Round) -> None:
    """Who owed something and did not give it has missed the round: a witness its attestation, another its commitment.

    A witness that keeps its attestation back keeps a reveal back: that must cost something (see `beacon`).
    """
    witnesses = set(round.witnesses if round.commits else ())
    for author in round.roster:
        member = state.members[author]
        owed, given = (witnesses, round.attested) if author in witnesses else (round.assigned, round.committed)
        if author not in owed:
            continue
        member.misses = 0 if author in given else member.misses + 1
        if member.misses >= state.config.max_misses and member.health is Health.HEALTHY:
            member.health = Health.DROPPED


def _healthy(state: RunState, author: bytes) -> bool:
    return state.members[author].health is Health.HEALTHY


def _enter(state: RunState, phase: Phase, offsets: Sequence[int], longest: float) -> None:
    """Begin a phase. After a round in which nothing was accepted the next is given twice the time: links may be slow."""
    assert state.round is not None
    state.phase, state.entered = phase, state.now
    patience = round(longest * NANO) << min(state.barren, MOST_DOUBLINGS)
    state.round.longest = patience
    state.round.waits = deadline(offsets, mads=state.config.deadline_mads, floor=0, ceiling=patience)
