"""Steps as rows of a table, newest first, by the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quiltwork.evolve.member import Member
from quiltwork.evolve.views.watch import Watch, whole_number
from quiltwork.text.strangers import plain

PAGE = 50
"""Rows of a page, and of the newest steps that a change brings."""

NOTE_LETTERS = 200


def page(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """Rows before step `before` (none: the newest), of arm `arm` and verdict `verdict`, where these are given.

    A verdict may also be "refused" (all but "ok") or "better" (made the run's best better). `next` is what to give as
    `before` for the page after this one, or None at the run's beginning.
    """
    state = watch.state
    before = min(whole_number(words, "before", state.committed), state.committed)
    arm, verdict = words.get("arm", ""), words.get("verdict", "")
    bests = {improvement.step for improvement in state.improvements}
    rows: list[dict[str, Any]] = []
    step = before
    while step > 0 and len(rows) < PAGE:
        step -= 1
        member = state.members[step]
        if (not arm or member.arm == arm) and _fits(member, verdict, bests):
            rows.append(row(watch, member, bests))
    return {"rows": rows, "next": step if step > 0 else None, "committed": state.committed}


def _fits(member: Member, verdict: str, bests: set[int]) -> bool:
    match verdict:
        case "":
            return True
        case "refused":
            return member.fitness is None
        case "better":
            return member.step in bests
        case _:
            return member.verdict == verdict


def row(watch: Watch, member: Member, bests: set[int]) -> dict[str, Any]:
    """One step in a line."""
    return {
        "step": member.step,
        "arm": plain(member.arm),
        "island": member.island,
        "parents": member.parents,
        "verdict": plain(member.verdict, NOTE_LETTERS),
        "value": first_metric(watch, member),
        "note": plain(member.note, NOTE_LETTERS),
        "cpu_s": member.cpu_s,
        "tokens": member.tokens,
        "usd": member.usd,
        "better": member.step in bests,
    }


def first_metric(watch: Watch, member: Member) -> float | None:
    """The value of the metric that decides, where the step has one."""
    assert watch.state.config is not None
    return member.metrics.get(watch.state.config.metrics[0].name) if member.fitness is not None else None
