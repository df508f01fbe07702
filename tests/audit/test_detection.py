"""The formulas, by simulation and by hand; and what holds when some verifiers lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.audit.case import Outcome
from quiltwork.audit.config import AuditConfig
from quiltwork.audit.detection import ejection, rounds_until_found, safe_lie, survival, wrong_verdict
from quiltwork.audit.standing import Standing, was_audited

CONFIG = AuditConfig()
SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("rate", "rounds", "found"),
    [(0.05, 28, 0.762), (0.05, 90, 0.990), (0.1, 7, 0.522), (0.1, 44, 0.990), (1.0, 1, 1.0), (0.3, 0, 0.0)],
)
def test_a_cheat_in_every_round_is_found_sooner_or_later(rate: float, rounds: int, found: float) -> None:
    assert 1 - survival(rounds, rate) == pytest.approx(found, abs=5e-4)


def test_survival_is_what_a_simulation_gives() -> None:
    chance = np.random.default_rng(5)
    rate, cheats, detection, rounds, runs = 0.2, 0.6, 0.9, 15, 20_000
    each = chance.random((3, runs, rounds))
    found = (each[0] < rate) & (each[1] < cheats) & (each[2] < detection)
    survived = np.mean(~found.any(axis=1))
    expected = survival(rounds, rate, cheats=cheats, detection=detection)
    assert survived == pytest.approx(expected, abs=4 * math.sqrt(expected / runs))


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.5, 0.9999))
def test_the_rounds_until_found_are_the_least(rate: float, cheats: float, probability: float) -> None:
    rounds = rounds_until_found(rate, cheats=cheats, probability=probability)
    assert rounds is not None
    assert 1 - survival(rounds, rate, cheats=cheats) >= probability - 1e-12
    assert 1 - survival(rounds - 1, rate, cheats=cheats) < probability + 1e-12


@pytest.mark.parametrize(("rate", "rounds"), [(0.05, 90), (0.1, 44), (0.01, 459), (1.0, 1)])
def test_rounds_until_99_per_cent(rate: float, rounds: int) -> None:
    assert rounds_until_found(rate) == rounds


def test_what_is_never_audited_is_never_found() -> None:
    assert rounds_until_found(0.0) is None
    assert rounds_until_found(0.5, cheats=0.0) is None
    assert rounds_until_found(0.5, probability=1.0) is None


@pytest.mark.parametrize(
    ("eligible", "liars", "needed", "chance"),
    [
        (10, 1, 2, 0.0),  # one liar decides nothing
        (3, 2, 2, 1.0),
        (10, 2, 2, 8 / 120),  # both and one of the eight, of C(10, 3)
        (10, 10, 3, 1.0),
        (2, 2, 2, 1.0),
        (2, 1, 2, 0.0),
        (1_000_000, 100_000, 2, 0.028),  # 3 b^2 - 2 b^3 with b = 0.1
        (1_000_000, 100_000, 3, 0.00856),  # 10 b^3 (1-b)^2 + 5 b^4 (1-b) + b^5
    ],
)
def test_how_often_liars_decide_a_case(eligible: int, liars: int, needed: int, chance: float) -> None:
    assert wrong_verdict(eligible, liars, needed) == pytest.approx(chance, rel=1e-3)


@given(st.integers(1, 60), st.data())
def test_a_larger_panel_helps_the_majority(eligible: int, data: st.DataObject) -> None:
    liars = data.draw(st.integers(0, eligible))
    assert 0 <= safe_lie(eligible, liars) <= wrong_verdict(eligible, liars) <= 1 + 1e-12
    if 2 * liars < eligible and eligible >= 5:
        assert wrong_verdict(eligible, liars, 3) <= wrong_verdict(eligible, liars, 2) + 1e-12


def test_a_lie_that_nobody_can_outvote_needs_all_seats() -> None:
    assert safe_lie(10, 2, 2) == pytest.approx(2 / 10 * 1 / 9)
    assert safe_lie(10, 3, 3) == pytest.approx(3 / 10 * 2 / 9 * 1 / 8)
    assert safe_lie(10, 1, 2) == safe_lie(1, 1, 2) == 0


@pytest.mark.parametrize(("failure", "suspect"), [(0.05, None), (0.02, None), (0.05, 0.1), (0.9, 0.0)])
def test_the_chance_of_ejection_is_what_a_simulation_gives(failure: float, suspect: float | None) -> None:
    chance = np.random.default_rng(11)
    runs, audits = 400, 150
    ejected = 0
    for _ in range(runs):
        held = Standing()
        for draw in chance.random(audits).tolist():
            fails = failure if suspect is None or not held.suspicion else suspect
            held = was_audited(held, Outcome.FAILED if draw < fails else Outcome.PASSED, CONFIG)
            if held.ejected:
                ejected += 1
                break
    expected = ejection(audits, failure, CONFIG, suspect_failure=suspect)
    assert ejected / runs == pytest.approx(expected, abs=4 * math.sqrt(max(expected * (1 - expected), 1e-9) / runs))


@given(st.integers(0, 60), SHARES)
def test_a_chance_of_ejection_is_a_chance_and_grows_with_audits(audits: int, failure: float) -> None:
    now, later = (ejection(count, failure, CONFIG) for count in (audits, audits + 1))
    assert -1e-12 <= now <= later + 1e-12 <= 1 + 2e-12


def test_noise_ejects_an_honest_member_once_in_thousands_of_runs() -> None:
    """The reason beside `ejection_at`: 10,000 audits, of which noise fails one in a thousand."""
    assert 1 / ejection(10_000, 0.001, CONFIG) == pytest.approx(2_700, rel=0.05)
    two_failures = CONFIG.model_copy(update={"ejection_at": 50})
    assert 1 / ejection(10_000, 0.001, two_failures) == pytest.approx(7, rel=0.05)


def test_who_always_cheats_is_ejected_at_the_third_audit() -> None:
    assert ejection(3, 1.0, CONFIG) == 1.0
    assert ejection(2, 1.0, CONFIG) == 0.0
    assert ejection(4, 0.99, CONFIG) > 0.999


def test_conspirators_that_are_a_tenth_can_hardly_eject_an_honest_member() -> None:
    """They lie only where nobody can outvote them. Without the larger panel for suspects they would succeed in 1 of 15."""
    pair, three = safe_lie(100, 10, 2), safe_lie(100, 10, 3)
    assert ejection(1_000, pair, CONFIG, suspect_failure=three) < 2e-4
    assert ejection(1_000, pair, CONFIG) > 0.05
