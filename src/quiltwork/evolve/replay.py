"""Reading a run again: its history's digest, and whether its programs still score what the log says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quiltwork.evolve.entries import Planned, Proposed
from quiltwork.evolve.evaluation import close_jails, evaluate
from quiltwork.evolve.library import Library, payload_for_evaluation
from quiltwork.evolve.member import Member
from quiltwork.evolve.session import Session
from quiltwork.log import decode


@dataclass(frozen=True, slots=True)
class Recheck:
    """One program evaluated again: what the log says and what came out now."""

    step: int
    recorded: dict[str, float]
    now: dict[str, float]
    verdict: str
    detail: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the metrics are the same to the last bit."""
        return self.verdict == "ok" and self.recorded == self.now


def elites(session: Session) -> list[Member]:
    """The members that the archives hold now, best first."""
    state = session.state
    steps = {elite.step for island in state.islands for elite in island.archive}
    found = [state.members[step] for step in steps]
    return sorted(found, key=lambda member: (tuple(-value for value in member.fitness or ()), member.step))


def recheck(session: Session, members: Sequence[Member], *, trust: bool) -> Iterator[Recheck]:
    """Evaluate members again, as they were planned, one after the other."""
    plans, proposals = _entries_of(session, {member.step for member in members})
    library = Library(session.run.blobs, session.problem)
    try:
        for member in members:
            payload = payload_for_evaluation(
                library, session.state, plans[member.step], proposals[member.step], trust=trust
            )
            result = evaluate(payload)
            yield Recheck(
                step=member.step,
                recorded=member.metrics,
                now=result.get("metrics", {}),
                verdict=result["verdict"],
                detail=result["detail"],
            )
    finally:
        close_jails()


def _entries_of(session: Session, steps: set[int]) -> tuple[dict[int, Planned], dict[int, Proposed]]:
    plans: dict[int, Planned] = {}
    proposals: dict[int, Proposed] = {}
    for entry in session.run.log.read():
        body = decode(entry)
        if isinstance(body, Planned) and body.step in steps:
            plans[body.step] = body
        elif isinstance(body, Proposed) and body.step in steps:
            proposals[body.step] = body
    return plans, proposals


def save_best(session: Session, member: Member, folder: Path) -> list[Path]:
    """Write a member's program, and what belongs to it, into a folder; returns the files."""
    library = Library(session.run.blobs, session.problem)
    assert member.program is not None
    folder.mkdir(parents=True, exist_ok=True)
    library.program(member.program).save(folder)
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    summary = {
        "step": member.step,
        "metrics": member.metrics,
        "held_out": session.state.held_out.get(member.step),
        "parents": list(member.parents),
        "note": member.note,
        "digest": session.state.digest.hex(),
    }
    score = folder / "score.json"
    score.write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    written.append(score)
    if certified := session.state.certified.get(member.step):
        certificate = folder / "certificate.json"
        certificate.write_bytes(session.run.blobs.get(certified.certificate))
        written.append(certificate)
    for name, blob in member.artifacts.items():
        artifact = folder / Path(name).name
        artifact.write_bytes(session.run.blobs.get(blob))
        written.append(artifact)
    return written
