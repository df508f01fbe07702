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
from quiltwork.pretrain.selection import MAX_WITNESSES, draw_witnesses, witness_quorum

HASH_BYTES = 32
NANO = 1_000_000_000

EARLIEST_SHARE = 0.5
"""An adaptive deadline ends a round only when half of its units are there: a rule against slow members must not turn
against a round in which everybody is slow."""

LATE_ROUNDS = 8
"""Rounds by which a commitment may be late and still tell how fast its author is; the slow would be given work that nobody
waits for, again and again, if nothing were known of them."""

GIVEN_UP_AFTER = 2
ASKED_AGAIN_EVERY = 8
"""Witnesses wait no longer for the payload of who kept it from them so many rounds in a row, but for every so-manyth: a member
that gives its work to nobody, or whose link is down, must not cost every round the time in which one hopes for it."""

MOST_HALVINGS = 4
"""Of the share of who is accepted late, or never: a sixteenth remains, so that one sees when its link is better."""

MOST_DOUBLINGS = 4
"""A run whose rounds fail is given 16 times the time that was planned; more would hide that it cannot work."""

FAILURES_FORGIVEN = 3
"""Rounds that fail before the next are given more time, unless members are dropped sooner: where some crashed together, the
others wait for them until then, and must not wait ever longer."""


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
        {member.author: _counted(member) for member in healthy},
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
            member.halvings = max(member.halvings - 1, 0)
    return Given(number, state.now, {author: units for author, units in given.units.items() if units})


def _counted(member: Member) -> int:
    """The speed by which a member is given work: halved each time that its work came to nothing, doubled when it did not.

    Units are little use to who trains fast, and sends slowly. With fewer it is done earlier, and what it sends is there in time;
    where it is not, less has to be done again.
    """
    estimate = member.speed.estimate
    return max(estimate >> member.halvings, 1) if estimate else 0


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


def abandon(state: RunState) -> None:
    """Break the round off, as if it had not begun."""
    if state.round is not None:
        state.returned.extend(sorted(unit for units in state.round.assigned.values() for unit in units))
        state.round = None
    take_back(state)


def take_back(state: RunState) -> None:
    """No round comes next: what was given out ahead goes back."""
    if state.ahead is not None:
        state.returned.extend(sorted(unit for units in state.ahead.assigned.values() for unit in units))
        state.ahead = None


@lru_cache(maxsize=64)
def _draw_witnesses(seed: bytes, members: int, witness_nodes: int) -> tuple[int, ...]:
    """Remembered for simulators, where every member of a run draws the same. Where all are witnesses nothing is drawn."""
    if members <= (witness_nodes or MAX_WITNESSES):
        return tuple(range(members))
    return draw_witnesses(seed, members, witness_nodes)


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
    round.payloads.add(body.payload)
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
        return f"it was assigned {_listed(mine)}, and commits {_listed(body.units)}"
    if any(len(hash) != HASH_BYTES for hash in (body.payload, body.own, body.model)):
        return "a hash in it is not 32 bytes"
    if not 0 < body.size <= state.config.max_payload_bytes:
        return f"its payload of {body.size} bytes is not within 1 to {state.config.max_payload_bytes}"
    if body.payload in round.payloads:
        return "its payload is that of another member"
    return agreement.vote(state, round.base, author, body.model)


def _listed(units: tuple[int, ...]) -> str:
    return f"the units {', '.join(map(str, units[:8]))}{'...' if len(units) > 8 else ''}" if units else "no units"


def _late(state: RunState, member: Member, body: Committed) -> str:
    """Who comes late is alive, and its speed is known: it will be given less."""
    late = state.round if state.round is not None and state.round.number == body.round else None
    round = late or state.closed.get(body.round)
    if round is None:
        return f"round {body.round} is not open"
    if body.round < state.last - LATE_ROUNDS or body.round <= max(member.own_round, member.late_round):
        return f"round {body.round} takes no more commitments of the member"
    units = set(body.units)
    if member.health is not Health.HEALTHY or not units or not units <= set(round.assigned.get(member.author, ())):
        return f"round {body.round} takes no more commitments"
    member.late += 1
    member.late_round = body.round
    if member.author not in round.witnesses:
        member.misses = 0
    _measure(state, member, len(units), round.since)
    return f"round {body.round} takes no more commitments; this one tells how fast the member is"


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
    if author not in round.awaited:
        return "the witness joined again when others had revealed already"
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
    early = state.now - _waited_from(state, round) >= round.waits
    if state.phase is Phase.ROUND_TRAIN and (late or (early and _half_is_done(round))):
        close_training(state)
    elif state.phase is Phase.ROUND_WITNESS and (late or (early and _all_is_held(state, round))):
        close_round(state)


def _all_is_held(state: RunState, round: Round) -> bool:
    """Whether enough witnesses hold what one waits for."""
    held = set(_held(round))
    return all(
        number in held or not is_waited_for(state.members[commit.author]) for number, commit in enumerate(round.commits)
    )


def is_waited_for(member: Member) -> bool:
    """Whether a round waits for the payload that a member has committed to."""
    return member.lost < GIVEN_UP_AFTER or member.lost % ASKED_AGAIN_EVERY == 0


def _half_is_done(round: Round) -> bool:
    done = sum(len(commit.body.units) for commit in round.commits)
    return done >= EARLIEST_SHARE * sum(map(len, round.assigned.values()))


def close_round(state: RunState) -> None:
    """Accept what the witnesses hold; give back what is lost; draw the seed, the audits and the keepers."""
    round = state.round
    assert round is not None
    agreement.count(state, round.base)  # of its voters some may have gone since
    if round.base not in state.agreed and state.barren >= state.config.max_misses:
        agreement.settle_by_plurality(state, round.base, least=1)
    held = [
        number
        for number in _held(round)
        if round.commits[number].body.model == state.agreed.get(round.base)
        and state.members[round.commits[number].author].health is not Health.EJECTED
    ]
    accepted = tuple(number for number in held if audits.counts(state, round.commits[number].author))
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
        assigned=round.assigned,
        commits=tuple(round.commits),
        accepted=accepted,
        returned=lost,
    )
    state.closed[round.number] = closed
    state.last = round.number
    state.round = None
    _account(state, closed)
    _count_misses(state, round)
    _drop_loiterers(state)
    agreement.open_tally(state, closed.number, tuple(member.author for member in state.healthy()))
    audits.after_round(state, closed, [closed.commits[number] for number in held])


def _held(round: Round) -> list[int]:
    """Numbers of the commitments whose payloads enough witnesses hold."""
    needed = witness_quorum(len(round.witnesses))
    counts = tally(len(round.commits), list(round.attested.values()))
    return [number for number, count in enumerate(counts) if count >= needed]


def _account(state: RunState, closed: Closed) -> None:
    state.barren = 0 if closed.accepted else state.barren + 1
    state.step += bool(closed.accepted)
    accepted = set(closed.accepted)
    for number, commit in enumerate(closed.commits):
        if accepted:
            member = state.members[commit.author]
            is_lost = number not in accepted
            member.lost = member.lost + 1 if is_lost else 0
            member.halvings = min(max(member.halvings + (1 if is_lost else -1), 0), MOST_HALVINGS)
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
        heard = author in given or (author not in witnesses and member.late_round == round.number)
        member.misses = 0 if heard else member.misses + 1
        if member.misses >= state.config.max_misses and member.health is Health.HEALTHY:
            agreement.drop(state, author)


def _drop_loiterers(state: RunState) -> None:
    """Who joined and has not become ready in the time for it may have gone: whose node lives joins again at once."""
    for member in state.here():
        if member.health is Health.JOINING and state.now - member.began >= round(state.config.warmup_time * NANO):
            agreement.drop(state, member.author)


def _healthy(state: RunState, author: bytes) -> bool:
    return state.members[author].health is Health.HEALTHY


def _enter(state: RunState, phase: Phase, offsets: Sequence[int], longest: float) -> None:
    """Begin a phase. When rounds bring nothing, every next one is given twice the time: links may be slow."""
    assert state.round is not None
    state.phase, state.entered = phase, state.now
    failures = max(0, state.barren - min(state.config.max_misses, FAILURES_FORGIVEN))
    patience = round(longest * NANO) << min(failures, MOST_DOUBLINGS)
    state.round.longest = patience
    state.round.waits = deadline(offsets, mads=state.config.deadline_mads, floor=0, ceiling=patience)
    state.due = min(_waited_from(state, state.round) + state.round.waits, state.entered + patience)


def _waited_from(state: RunState, round: Round) -> int:
    """What the adaptive deadline counts from: units may have been given out before the phase began."""
    return round.since if state.phase is Phase.ROUND_TRAIN else state.entered
