"""A run in one JSON value: what the commands print for scripts."""

from __future__ import annotations

import dataclasses
from typing import Any

from quiltwork.evolve.session import Session


def summary(session: Session) -> dict[str, Any]:
    """Where a run stands, what it spent, and what it found."""
    state = session.state
    member = state.members.get(state.best) if state.best is not None else None
    assert state.started is not None
    return {
        "run": str(session.run.path),
        "problem": session.problem.config.name,
        "seed": state.started.seed,
        "budget": str(state.budget),
        "steps": state.committed,
        "evaluations": state.evaluations,
        "tokens": state.tokens,
        "usd": round(state.usd, 6),
        "asked": {name: dataclasses.asdict(asked) for name, asked in sorted(state.asked.items())},
        "cpu_s": round(state.cpu_s, 3),
        "wall_s": round(state.wall_s, 3),
        "best": None if member is None else {"step": member.step, "metrics": member.metrics, "note": member.note},
        "held_out": state.held_out.get(member.step) if member is not None else None,
        "certified": certified.value
        if member is not None and (certified := state.certified.get(member.step))
        else None,
        "known": [known.model_dump() for known in session.problem.known],
        "refused": dict(sorted(state.refusals.items())),
        "digest": state.digest.hex(),
    }
