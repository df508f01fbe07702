"""Seeds that must hold, run a few at a time."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.simulator import Report, Scenario, Violation, simulate


def hold(seeds: range, scenario: Scenario) -> list[Report]:
    """Run these seeds; the first that does not hold is told with the command that runs it again."""
    reports = []
    for seed in seeds:
        try:
            reports.append(simulate(seed, scenario))
        except Violation as violation:
            pytest.fail(f"{violation}\n{Report(seed, scenario).again}")
    assert all(report.steps == scenario.rounds or report.is_lost for report in reports)
    return reports
