"""Audits in a run of `pretrain`: which commitments are computed again, by whom, and what comes of it.

The rules are those of `quiltwork.audit`. A commitment can be computed again because it names the model, the units and, by their
roots, the optimizer states before and after: the audited member discloses the two states, and verifiers do its work once more.
Both are compared, the update and the state after it, or a forged state would pass every later audit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quiltwork.audit import (
    Case,
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
from quiltwork.pretrain.entries import Challenged, Judged, Responded
from quiltwork.pretrain.facts import Closed, Commit, Health, Ruling, RunState

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Owed:
    """A verdict that a member owes, and what it is made from."""

    closed: Closed
    commit: Commit
    disclosure: bytes
    size: int


def after_round(state: RunState, closed: Closed) -> None:
    """Let a round pass for the open cases, and draw new ones from the round that closed."""
    rules = state.config.audit_rules
    for key, case in list(state.cases.items()):
        later = advance(case, round=closed.number, config=rules)
        for verifier in later.waiting_for:
            if not _is_healthy(state, verifier):
                later = excuse(later, verifier, round=closed.number, config=rules)
        _put(state, key, later)
    for update in closed.updates:
        rate = audit_rate(state.members[update.author].standing, rules)
        if is_drawn(closed.seed, update.body.payload, rate):
            _open(state, closed, update, never=())


def _open(state: RunState, closed: Closed, commit: Commit, *, never: tuple[bytes, ...]) -> None:
    rules = state.config.audit_rules
    standing = state.members[commit.author].standing
    able = {
        member.author: member.standing
        for member in state.healthy()
        if member.synced <= closed.base and member.author in closed.roster
    }
    panel = draw_panel(closed.seed, commit.body.payload, eligible(able, rules), never=(commit.author, *never))
    case = open_case(
        commit.author,
        panel,
        round=closed.number,
        config=rules,
        suspect=standing.suspicion > 0,
        last_chance=standing.debt > 0,
    )
    _put(state, (closed.number, commit.author), case)


def challenge(state: RunState, author: bytes, body: Challenged) -> str:
    """Open a case that somebody demands. Returns why not, or nothing."""
    member = state.members[author]
    if member.health is not Health.HEALTHY or sanction(member.standing, state.config.audit_rules) is not Sanction.NONE:
        return "who challenges is not in good standing"
    if author in state.challengers.values():
        return "its last challenge is not decided yet"
    closed = state.closed.get(body.round)
    commit = _commit(closed, body.member)
    if closed is None or commit is None or closed.number < state.last - state.config.audit_rules.response_rounds:
        return f"there is no commitment of that member in round {body.round} that can still be audited"
    key = (body.round, body.member)
    if key in state.cases or any((ruling.round, ruling.case.author) == key for ruling in state.rulings):
        return "that commitment is audited already"
    state.challengers[key] = author
    _open(state, closed, commit, never=(author,))
    return ""


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


def _put(state: RunState, key: tuple[int, bytes], case: Case) -> None:
    """Keep an open case; carry the sentence of a closed one out."""
    if case.outcome is None:
        state.cases[key] = case
        return
    state.cases.pop(key, None)
    state.disclosures.pop(key, None)
    state.challengers.pop(key, None)
    state.rulings.append(Ruling(key[0], case))
    state.outcomes[case.outcome] = state.outcomes.get(case.outcome, 0) + 1
    rules = state.config.audit_rules
    standings = {author: member.standing for author, member in state.members.items()}
    for author, standing in settle(case, standings, rules).items():
        state.members[author].standing = standing
        if sanction(standing, rules) is Sanction.EJECTED:
            _eject(state, author)


def _eject(state: RunState, author: bytes) -> None:
    """Out, for ever; what was earned is forfeited, and what is not applied yet is left out."""
    member = state.members[author]
    member.health = Health.EJECTED
    member.forfeited_units += member.accepted_units
    member.accepted_units = 0
    state.ready.pop(author, None)


def counts(state: RunState, author: bytes) -> bool:
    """Whether a member's work is accepted: not of the ejected, nor of who has refused to be audited."""
    member = state.members[author]
    return member.health is not Health.EJECTED and not member.standing.has_refused


def asked_of(state: RunState, author: bytes) -> Iterator[Commit]:
    """Commitments of a member for which it is to disclose its states."""
    for (round, audited), case in state.cases.items():
        if audited == author and case.waits_for_author:
            commit = _commit(state.closed.get(round), author)
            if commit is not None:
                yield commit


def owed_by(state: RunState, author: bytes) -> Iterator[Owed]:
    """Verdicts that a member is to give."""
    for key, case in state.cases.items():
        if author in case.waiting_for and key in state.disclosures:
            closed = state.closed.get(key[0])
            commit = _commit(closed, key[1])
            if closed is not None and commit is not None:
                yield Owed(closed, commit, *state.disclosures[key])


def _commit(closed: Closed | None, author: bytes) -> Commit | None:
    return None if closed is None else next((each for each in closed.commits if each.author == author), None)


def _is_healthy(state: RunState, author: bytes) -> bool:
    return state.members[author].health is Health.HEALTHY
