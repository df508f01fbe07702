"""What is known of a member's honesty, and what follows from it.

Suspicion is Page's cumulative sum ("Continuous inspection schemes", Biometrika 1954) in whole numbers: a failed audit adds
`failure_weight`, a passed one takes 1 away, and it never falls below 0. It sees who fails often, however the failures are
spread, and forgets what measuring noise does once in a thousand audits. At `ejection_at` the member is ejected, for ever.

    none        works, is audited now and then, verifies others
    watched     failed an audit or left one unanswered: is audited at `watched_rate`, verifies only where nobody else can
    suspended   its verdicts are against the majority or missing too often: verifies only where nobody else can.
                Or it has refused: the same, and its work does not count, until it passes an audit
    ejected     is out

Only verdicts eject. Silence never does, since honest machines crash; but the work of who stays silent does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from quiltwork.audit.case import Case, Outcome
from quiltwork.audit.config import AuditConfig


class Sanction(StrEnum):
    """What a member has to bear, from nothing to everything."""

    NONE = "none"
    WATCHED = "watched"
    SUSPENDED = "suspended"
    EJECTED = "ejected"


@dataclass(frozen=True, slots=True)
class Standing:
    """The record of one member: of its work, and of its verdicts on the work of others."""

    accepted: int = 0
    passed: int = 0
    failed: int = 0
    refused: int = 0
    streak: int = 0
    """Audits passed in a row."""
    suspicion: int = 0
    debt: int = 0
    """Chances in a row that it let pass without an answer: 1, it has another; from 2 on it has refused."""
    ejected: bool = False
    agreed: int = 0
    dissented: int = 0
    silent: int = 0

    @property
    def has_refused(self) -> bool:
        """Whether its work does not count for now."""
        return self.debt > 1


def contributed(standing: Standing) -> Standing:
    """A contribution was accepted."""
    return replace(standing, accepted=standing.accepted + 1)


def was_audited(standing: Standing, outcome: Outcome, config: AuditConfig) -> Standing:
    """An audit of the member's own work ended."""
    if standing.ejected:
        return standing
    match outcome:
        case Outcome.PASSED:
            return replace(
                standing,
                passed=standing.passed + 1,
                streak=standing.streak + 1,
                suspicion=max(standing.suspicion - 1, 0),
                debt=0,
            )
        case Outcome.FAILED:
            suspicion = standing.suspicion + config.failure_weight
            out = suspicion >= config.ejection_at
            return replace(standing, failed=standing.failed + 1, streak=0, suspicion=suspicion, debt=0, ejected=out)
        case Outcome.UNANSWERED:
            return replace(standing, streak=0, debt=max(standing.debt, 1))
        case Outcome.REFUSED:
            return replace(standing, streak=0, refused=standing.refused + 1, debt=standing.debt + 1)
        case Outcome.UNDECIDED:
            return standing


def settle(case: Case, standings: Mapping[bytes, Standing], config: AuditConfig) -> dict[bytes, Standing]:
    """Write a closed case into the records: the new standings of the author and of all verifiers who were asked.

    Those who are not in `standings` begin with an empty record. Verdicts of an undecided case are neither right nor wrong.
    An open case changes nothing.
    """
    if case.outcome is None:
        return {}
    changed = {case.author: was_audited(standings.get(case.author, Standing()), case.outcome, config)}
    if case.outcome in (Outcome.PASSED, Outcome.FAILED):
        for verdict in case.verdicts:
            held = standings.get(verdict.verifier, Standing())
            if verdict.honest is (case.outcome is Outcome.PASSED):
                changed[verdict.verifier] = replace(held, agreed=held.agreed + 1)
            else:
                changed[verdict.verifier] = replace(held, dissented=held.dissented + 1)
    for verifier in case.silent:
        held = standings.get(verifier, Standing())
        changed[verifier] = replace(held, silent=held.silent + 1)
    return changed


def sanction(standing: Standing, config: AuditConfig) -> Sanction:
    """Say what a member has to bear now."""
    if standing.ejected:
        return Sanction.EJECTED
    bad = standing.dissented + standing.silent
    if standing.has_refused or (bad > config.bad_verdicts and bad > config.bad_share * (bad + standing.agreed)):
        return Sanction.SUSPENDED
    return Sanction.WATCHED if standing.suspicion or standing.debt else Sanction.NONE


def audit_rate(standing: Standing, config: AuditConfig) -> float:
    """The probability with which a contribution of the member is audited."""
    if standing.debt:
        return 1.0
    if standing.suspicion:
        return max(config.watched_rate, config.rate)
    if standing.passed < config.newcomer_audits:
        return min(config.rate * config.newcomer_factor, 1.0)
    return config.rate * (config.proven_factor if standing.streak >= config.proven_audits else 1.0)


def eligible(standings: Mapping[bytes, Standing], config: AuditConfig) -> tuple[tuple[bytes, ...], ...]:
    """Sort those who may verify into ranks, of which `draw_panel` fills its places one after the other.

    First those without a sanction who have `verifier_after` accepted contributions; then newcomers without one; then those
    whom only silence or bad verdicts speak against; last those under suspicion. The ejected are in none. In a large society
    nobody but the first rank is ever asked. In a small one, or after a blackout that left everybody with an unanswered audit,
    the alternative would be that nobody can be audited, and so nobody cleared.
    """
    ranks: tuple[list[bytes], ...] = ([], [], [], [])
    for member, held in standings.items():
        match sanction(held, config):
            case Sanction.EJECTED:
                continue
            case Sanction.NONE:
                ranks[held.accepted < config.verifier_after].append(member)
            case _:
                ranks[3 if held.suspicion else 2].append(member)
    return tuple(map(tuple, ranks))
