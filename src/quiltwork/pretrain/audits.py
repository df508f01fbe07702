"""Audits in a run of `pretrain`: which commitments are computed again, by whom, and what comes of it.

The rules are those of `quiltwork.audit`. A commitment can be computed again because it names the model, the units and, by their
roots, the optimizer states before and after: the audited member discloses the two states, and verifiers do its work once more.
Both are compared, the update and the state after it, or a forged state would pass every later audit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from quiltwork.audit import (
    Case,
    Outcome,
    Sanction,
    Verdict,
    advance,
    answer,
    audit_rate,
    draw_panel,
    eligible,
    excuse,
    is_drawn,
    open_case,
    sanction,
    settle,
)
from quiltwork.audit import judge as judge_case
from quiltwork.pretrain.deadlines import SPEED_SCALE
from quiltwork.pretrain.entries import Challenged, Judged, Responded, Undisclosed
from quiltwork.pretrain.facts import Closed, Commit, Health, Ruling, RunState
from quiltwork.pretrain.selection import permutation

HASH_BYTES = 32

CANDIDATES = 24
"""Of each rank, for one panel: twice as many as are ever asked, so that slow ones can be left for last. To draw among all
2,048 members for every audit of a round would cost more than all else that a round's entries do."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A verdict that a member owes, and what it is made from."""

    closed: Closed
    commit: Commit
    disclosure: bytes
    size: int
    due: int
    """The last round after which the verdict may come."""


def after_round(state: RunState, closed: Closed, held: Sequence[Commit]) -> None:
    """Let a round pass for the open cases, and draw new ones from the commitments that the witnesses hold.

    Those of members who have refused are among them, though they were not accepted: passing an audit is their way back. Where
    fewer others have the model than would have to agree, no case is opened: nobody could decide it.
    """
    rules = state.config.audit_rules
    for key, case in list(state.cases.items()):
        later = advance(case, round=closed.number, config=rules)
        for verifier in later.waiting_for:
            if not _is_healthy(state, verifier):
                later = excuse(later, verifier, round=closed.number, config=rules)
        _put(state, key, later)
    drawn = [
        commit
        for commit in held
        if is_drawn(closed.seed, commit.body.payload, audit_rate(state.members[commit.author].standing, rules))
    ]
    able = _able(state, closed) if drawn else ()
    for commit in drawn:
        _open(state, closed, commit, able)


def _able(state: RunState, closed: Closed) -> tuple[tuple[bytes, ...], ...]:
    """Who has what an audit of a round begins with, in ranks of trust; in each in an order that nobody chose."""
    roster = set(closed.roster)
    able = {
        member.author: member.standing
        for member in state.healthy()
        if member.synced <= closed.base and member.author in roster
    }
    return tuple(
        tuple(rank[place] for place in permutation(len(rank), closed.seed, "verifiers").tolist())
        for rank in eligible(able, state.config.audit_rules)
    )


def _candidates(rank: tuple[bytes, ...], contribution: bytes) -> tuple[bytes, ...]:
    """Those of a rank of whom a panel is drawn: a window of it, from a place that the contribution says.

    Its author chose that, but before anybody could know the order.
    """
    if len(rank) <= CANDIDATES:
        return rank
    start = int.from_bytes(contribution[:8], "little") % len(rank)
    return (rank + rank)[start : start + CANDIDATES]


def _quick_first(
    state: RunState, closed: Closed, commit: Commit, ranks: tuple[tuple[bytes, ...], ...]
) -> Iterator[list[bytes]]:
    """In each rank those first who can do the work again in the time of a round, half of what a verifier is given.

    A slow machine that is asked to verify what a fast one did would be late, and be blamed for it.
    """
    work = len(commit.body.units) * SPEED_SCALE * 10**9
    least = work // max(closed.closed - closed.since, 1)
    for each in ranks:
        rank = _candidates(each, commit.body.payload)
        quick = [author for author in rank if state.members[author].speed.estimate >= least]
        yield quick
        yield [author for author in rank if state.members[author].speed.estimate < least]


def _open(
    state: RunState, closed: Closed, commit: Commit, able: tuple[tuple[bytes, ...], ...], never: tuple[bytes, ...] = ()
) -> str:
    """Open a case, if there are as many as would have to agree. Returns why not, or nothing."""
    rules = state.config.audit_rules
    standing = state.members[commit.author].standing
    ranks = _quick_first(state, closed, commit, able)
    panel = draw_panel(closed.seed, commit.body.payload, ranks, never=(commit.author, *never))
    if len(panel) < rules.quorum:
        return f"{len(panel)} others have the model of round {closed.base}, and {rules.quorum} would have to agree"
    case = open_case(
        commit.author,
        panel,
        round=closed.number,
        config=rules,
        suspect=standing.suspicion > 0,
        last_chance=standing.debt > 0,
    )
    _put(state, (closed.number, commit.author), case)
    return ""


def challenge(state: RunState, author: bytes, body: Challenged) -> str:
    """Open a case that somebody demands. Returns why not, or nothing."""
    member = state.members[author]
    if member.health is not Health.HEALTHY or sanction(member.standing, state.config.audit_rules) is not Sanction.NONE:
        return "who challenges is not in good standing"
    if author in state.challengers.values():
        return "its last challenge is not decided yet"
    closed = state.closed.get(body.round)
    commit = None if closed is None else next((each for each in closed.updates if each.author == body.member), None)
    if closed is None or commit is None or closed.number < state.last - state.config.audit_rules.response_rounds:
        return f"no commitment of that member in round {body.round} was accepted and can still be audited"
    key = (body.round, body.member)
    if key in state.cases or any((ruling.round, ruling.case.author) == key for ruling in state.rulings):
        return "that commitment is audited already"
    state.challengers[key] = author
    why = _open(state, closed, commit, _able(state, closed), never=(author,))
    if why:
        del state.challengers[key]
    return why


def respond(state: RunState, author: bytes, body: Responded) -> str:
    """The audited member discloses. Returns why it does not count, or nothing."""
    key = (body.round, author)
    case = state.cases.get(key)
    if case is None:
        return f"its commitment of round {body.round} is not being audited"
    if len(body.disclosure) != HASH_BYTES or body.size <= 0:
        return "its disclosure is not named by 32 bytes and a size"
    case, why = answer(case, round=state.last, config=state.config.audit_rules)
    if not why:
        state.disclosures[key] = (body.disclosure, body.size)
        _put(state, key, case)
    return why


def judge(state: RunState, author: bytes, body: Judged) -> str:
    """A verifier speaks. Returns why it does not count, or nothing."""
    key = (body.round, body.member)
    case = state.cases.get(key)
    if case is None:
        return "that commitment is not being audited"
    if not _is_healthy(state, author):
        return "the verifier is not healthy"
    verdict = Verdict(author, body.honest, body.score)
    case, why = judge_case(case, verdict, round=state.last, config=state.config.audit_rules)
    if not why:
        _put(state, key, case)
    return why


def undisclosed(state: RunState, author: bytes, body: Undisclosed) -> str:
    """A verifier cannot get the disclosure: another is asked. If enough cannot, nothing was disclosed.

    Returns why it does not count, or nothing.
    """
    key = (body.round, body.member)
    case = state.cases.get(key)
    if case is None:
        return "that commitment is not being audited"
    if not _is_healthy(state, author):
        return "the verifier is not healthy"
    if not case.waits_for(author):
        return "the verifier is not one who is asked now"
    deprived = state.undisclosed.setdefault(key, set())
    deprived.add(author)
    if len(deprived) >= case.needed:
        _put(state, key, replace(case, outcome=Outcome.REFUSED if case.last_chance else Outcome.UNANSWERED))
    else:
        _put(state, key, excuse(case, author, round=state.last, config=state.config.audit_rules))
    return ""


def lay_down(state: RunState, key: tuple[int, bytes], case: Case) -> None:
    """Close a case that nobody can decide any more."""
    _put(state, key, replace(case, outcome=Outcome.UNDECIDED))


def _put(state: RunState, key: tuple[int, bytes], case: Case) -> None:
    """Keep an open case; carry the sentence of a closed one out."""
    if case.outcome is None:
        state.cases[key] = case
        return
    state.cases.pop(key, None)
    state.disclosures.pop(key, None)
    state.challengers.pop(key, None)
    state.undisclosed.pop(key, None)
    state.rulings.append(Ruling(key[0], case))
    state.outcomes[case.outcome] = state.outcomes.get(case.outcome, 0) + 1
    rules = state.config.audit_rules
    involved = (case.author, *case.silent, *(verdict.verifier for verdict in case.verdicts))
    standings = {author: state.members[author].standing for author in involved}
    for author, standing in settle(case, standings, rules).items():
        state.members[author].standing = standing
        if sanction(standing, rules) is Sanction.EJECTED:
            _eject(state, author)


def _eject(state: RunState, author: bytes) -> None:
    """Out, for ever; what was earned is forfeited, and what is not applied yet is left out."""
    member = state.members[author]
    member.health = Health.EJECTED
    state.moves += 1
    member.forfeited_units += member.accepted_units
    member.accepted_units = 0
    state.ready.pop(author, None)


def counts(state: RunState, author: bytes) -> bool:
    """Whether a member's work is accepted: not of who has refused to be audited."""
    return not state.members[author].standing.has_refused


def asked_of(state: RunState, author: bytes) -> Iterator[Commit]:
    """Commitments of a member for which it is to disclose its states."""
    for (round, audited), case in state.cases.items():
        if audited == author and case.waits_for_author:
            commit = _commit(state.closed.get(round), author)
            if commit is not None:
                yield commit


def owed_by(state: RunState, author: bytes) -> Iterator[Owed]:
    """Verdicts that a member is to give."""
    for key in state.disclosures:
        case = state.cases[key]
        if case.waits_for(author):
            closed = state.closed.get(key[0])
            commit = _commit(closed, key[1])
            if closed is not None and commit is not None:
                yield Owed(closed, commit, *state.disclosures[key], case.due)


def _commit(closed: Closed | None, author: bytes) -> Commit | None:
    return None if closed is None else next((each for each in closed.commits if each.author == author), None)


def _is_healthy(state: RunState, author: bytes) -> bool:
    return state.members[author].health is Health.HEALTHY
