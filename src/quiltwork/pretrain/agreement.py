"""Which model is the right one: the one whose hash more than half of those who applied the round report.

Every member's hash is a vote, and so is the model that a commitment says it was trained from. A member whose hash differs is
not punished: it is `joining` again, which makes its node load a checkpoint and replay.
"""

from __future__ import annotations

from collections import Counter

from quiltwork.pretrain.beacon import HASH_BYTES
from quiltwork.pretrain.entries import Ready
from quiltwork.pretrain.facts import HERE, Health, RunState, Tally

MOST_BEHIND = 2
"""Rounds by which a newcomer's model may be old when it says that it is ready: rounds go on while it speaks."""


def open_tally(state: RunState, round: int, electorate: tuple[bytes, ...]) -> None:
    """Let these members vote on the model of a round; who is ready with it has voted."""
    if round in state.agreed:
        return
    earlier = state.tallies.get(round)
    tally = Tally(frozenset(electorate), {} if earlier is None else earlier.votes)
    tally.votes.update((author, body.model) for author, body in state.ready.items() if body.round == round)
    state.tallies[round] = tally
    count(state, round)


def vote(state: RunState, round: int, author: bytes, model: bytes) -> str:
    """Count what a member says of a round's model. Returns why it does not count, or nothing."""
    if len(model) != HASH_BYTES:
        return f"the hash of its model has {len(model)} bytes, not {HASH_BYTES}"
    member = state.members[author]
    agreed = state.agreed.get(round)
    if agreed is not None:
        if model == agreed:
            member.hashed = max(member.hashed, round)
            return ""
        _diverge(state, author)
        return f"its model {round} is {model[:4].hex()}, but {agreed[:4].hex()} was agreed on"
    tally = state.tallies.get(round)
    if tally is None:
        return f"nobody is asked for model {round} now"
    _recount(state, tally)
    if author in tally.electorate and member.health in HERE:
        if author in tally.votes:
            tally.counts[tally.votes[author]] -= 1
        tally.counts[model] += 1
    tally.votes[author] = model
    member.hashed = max(member.hashed, round)
    if 2 * tally.counts[model] > tally.present:
        settle(state, round, model)
    return ""


def count(state: RunState, round: int) -> None:
    """Agree on what more than half of the electorate say, without those who are not here any more."""
    favourite = _favourite(state, round)
    if favourite is not None:
        model, votes = favourite
        if 2 * votes > state.tallies[round].present:
            settle(state, round, model)


def settle_by_plurality(state: RunState, round: int, *, least: int) -> None:
    """Agree on what most of the electorate say, the earliest of equals, if it is said by at least so many.

    This is for a run that cannot go on otherwise: where so few speak, a liar may be the most.
    """
    favourite = _favourite(state, round)
    if favourite is not None and favourite[1] >= least:
        settle(state, round, favourite[0])


def _favourite(state: RunState, round: int) -> tuple[bytes, int] | None:
    """What most of the electorate who are here say, and how many."""
    tally = state.tallies.get(round)
    if tally is None:
        return None
    _recount(state, tally)
    return tally.counts.most_common(1)[0] if tally.counts else None


def _recount(state: RunState, tally: Tally) -> None:
    """Count again if somebody came or went since."""
    if tally.moves == state.moves:
        return
    here = {voter for voter in tally.electorate if state.members[voter].health in HERE}
    tally.counts = Counter(model for voter, model in tally.votes.items() if voter in here)
    tally.present, tally.moves = len(here), state.moves


def settle(state: RunState, round: int, model: bytes) -> None:
    """Agree on the hash of a round's model; who said otherwise has to load it."""
    state.agreed[round] = model
    state.news += 1
    tally = state.tallies.pop(round, None)
    for author, said in () if tally is None else tally.votes.items():
        if said != model:
            _diverge(state, author)
    for author in [author for author, body in state.ready.items() if body.round == round]:
        if state.ready.pop(author).model == model:
            _admit(state, author, round)


def claim_ready(state: RunState, author: bytes, body: Ready) -> str:
    """A member says that it holds a model: it is healthy if the hash is right, as soon as that is known."""
    member = state.members[author]
    if member.health is not Health.JOINING:
        return f"the member is {member.health}, not joining"
    if len(body.model) != HASH_BYTES:
        return f"the hash of its model has {len(body.model)} bytes, not {HASH_BYTES}"
    if body.round < state.last - MOST_BEHIND or body.round > state.last:
        return f"it holds model {body.round} when model {state.last} is the last"
    agreed = state.agreed.get(body.round)
    if agreed == body.model:
        _admit(state, author, body.round)
        return ""
    if agreed is not None:
        return f"its model {body.round} is {body.model[:4].hex()}, but {agreed[:4].hex()} was agreed on"
    state.ready[author] = body
    return vote(state, body.round, author, body.model) if body.round in state.tallies else ""


def _admit(state: RunState, author: bytes, round: int) -> None:
    member = state.members[author]
    state.ready.pop(author, None)
    member.health, member.synced, member.hashed = Health.HEALTHY, round, max(member.hashed, round)


def drop(state: RunState, author: bytes) -> None:
    """A member is not heard of. It may join again."""
    state.members[author].health = Health.DROPPED
    state.moves += 1
    state.ready.pop(author, None)


def _diverge(state: RunState, author: bytes) -> None:
    member = state.members[author]
    if member.health is Health.HEALTHY:
        state.news += 1
        member.health, member.began = Health.JOINING, state.now
        member.diverged += 1
