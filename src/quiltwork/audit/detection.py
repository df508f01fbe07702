"""What an audit rate is worth: how long a cheat lasts, and how often the innocent suffer. Exact formulas, no simulation.

`rate` is the probability that a contribution is audited, `cheats` the share of its contributions in which a cheat cheats,
`detection` the probability that an audit finds it. All are between 0 and 1.
"""

from __future__ import annotations

import math

from quiltwork.audit.config import AuditConfig


def survival(rounds: int, rate: float, *, cheats: float = 1.0, detection: float = 1.0) -> float:
    """The probability that a cheat is not found within so many rounds: (1 - rate x cheats x detection)^rounds."""
    return float((1 - rate * cheats * detection) ** max(rounds, 0))


def rounds_until_found(
    rate: float, *, probability: float = 0.99, cheats: float = 1.0, detection: float = 1.0
) -> int | None:
    """The least number of rounds in which a cheat is found with this probability; None if it may never be found."""
    found = rate * cheats * detection
    if found >= 1:
        return 1
    if found <= 0 or probability >= 1:
        return None
    return max(math.ceil(math.log1p(-probability) / math.log1p(-found)), 0)


def wrong_verdict(eligible: int, liars: int, needed: int = 2) -> float:
    """The probability that liars, who always lie and all alike, decide a case: that they are a majority of its panel.

    The panel's first 2 x needed - 1 are drawn without replacement from `eligible` verifiers, so the number of liars among them
    is hypergeometric. With so few eligible that the panel is short, no majority means no decision.
    """
    seats = min(2 * needed - 1, eligible)
    ways = sum(
        math.comb(liars, lying) * math.comb(eligible - liars, seats - lying) for lying in range(needed, seats + 1)
    )
    return ways / math.comb(eligible, seats)


def safe_lie(eligible: int, liars: int, needed: int = 2) -> float:
    """The probability that conspirators can decide a case before anybody else is asked: that they are all of its first.

    Such a lie is never outvoted, so it is all that conspirators can do who do not want to be suspended.
    """
    return math.comb(liars, needed) / math.comb(eligible, needed) if needed <= eligible else 0.0


def ejection(audits: int, failure: float, config: AuditConfig, *, suspect_failure: float | None = None) -> float:
    """The probability that a member is ejected within so many audits, each of which it fails with probability `failure`.

    While it is under suspicion it fails with `suspect_failure` instead (for one who cheats: less, if it behaves then; for one
    who is lied about: less, since more must agree). Suspicion is followed exactly, as a Markov chain on its values.
    """
    under_suspicion = failure if suspect_failure is None else suspect_failure
    at = [0.0] * config.ejection_at
    at[0] = 1.0
    ejected = 0.0
    for _ in range(audits):
        after = [0.0] * config.ejection_at
        for suspicion, chance in enumerate(at):
            if chance == 0.0:
                continue
            fails = under_suspicion if suspicion else failure
            after[max(suspicion - 1, 0)] += chance * (1 - fails)
            if suspicion + config.failure_weight >= config.ejection_at:
                ejected += chance * fails
            else:
                after[suspicion + config.failure_weight] += chance * fails
        at = after
    return ejected
