"""Which model is the right one: the one whose hash more than half of those who applied the round report.

Every member's hash is a vote, and so is the model that a commitment says it was trained from. A member whose hash differs is
not punished: it is `joining` again, which makes its node load a checkpoint and replay.
"""

from __future__ import annotations

from collections import Counter

from quiltwork.pretrain.entries import Ready
from quiltwork.pretrain.facts import Health, RunState, Tally

MOST_BEHIND = 2
"""Rounds by which a newcomer's model may be old when it says that it is ready: rounds go on while it speaks."""


def open_tally(state: RunState, round: int, electorate: tuple[bytes, ...]) -> None:
    """Let these members vote on the model of a round; who is ready with it has voted."""
    if round in state.agreed:
        return
    state.tallies[round] = Tally(frozenset(electorate))
    for author, body in list(state.ready.items()):
        if body.round == round:
            vote(state, round, author, body.model)


def vote(state: RunState, round: int, author: bytes, model: bytes) -> str:
    """Count what a member says of a round's model. Returns why it does not count, or nothing."""
    agreed = state.agreed.get(round)
    if agreed is not None:
        if model == agreed:
            return ""
        _diverge(state, author)
        return f"its model {round} is {model[:4].hex()}, but {agreed[:4].hex()} was agreed on"
    tally = state.tallies.get(round)
    if tally is None:
        return f"nobody is asked for model {round} now"
    tally.votes[author] = model
    present = sum(
        state.members[voter].health is not Health.EJECTED for voter in tally.electorate if _here(state, voter)
    )
    count = sum(said == model and voter in tally.electorate for voter, said in tally.votes.items())
    if 2 * count > present:
        settle(state, round, model)
    return ""


def settle_by_plurality(state: RunState, round: int) -> None:
    """Agree on what most say, the earliest of equals, where a round cannot wait for a majority."""
    tally = state.tallies.get(round)
    if tally is not None and tally.votes:
        settle(state, round, Counter(tally.votes.values()).most_common(1)[0][0])


def settle(state: RunState, round: int, model: bytes) -> None:
    """Agree on the hash of a round's model; who said otherwise has to load it."""
    state.agreed[round] = model
    tally = state.tallies.pop(round, None)
    for author, said in () if tally is None else tally.votes.items():
        if said != model:
            _diverge(state, author)
    for author in [author for author, body in state.ready.items() if body.round == round]:
        if state.ready.pop(author).model == model and state.members[author].health is Health.JOINING:
            _admit(state, author, round)


def claim_ready(state: RunState, author: bytes, body: Ready) -> str:
    """A member says that it holds a model: it is healthy if the hash is right, as soon as that is known."""
    member = state.members[author]
    if member.health is not Health.JOINING:
        return f"the member is {member.health}, not joining"
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
    member.health, member.synced = Health.HEALTHY, round


def _here(state: RunState, author: bytes) -> bool:
    member = state.members.get(author)
    return member is not None and member.health in (Health.JOINING, Health.HEALTHY)


def _diverge(state: RunState, author: bytes) -> None:
    member = state.members[author]
    if member.health is Health.HEALTHY:
        member.health = Health.JOINING
        member.diverged += 1
