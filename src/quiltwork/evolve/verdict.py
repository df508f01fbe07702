"""What a run ends with: how its best program does on what selection never saw, and a certificate of its construction."""

from __future__ import annotations

from quiltwork.errors import UserError
from quiltwork.evolve.certify import to_json
from quiltwork.evolve.entries import Certified, HeldOut
from quiltwork.evolve.evaluation import close_jails, judge_held_out
from quiltwork.evolve.library import Library
from quiltwork.evolve.member import Member
from quiltwork.evolve.score import Certificate
from quiltwork.evolve.session import Session
from quiltwork.evolve.state import apply
from quiltwork.log import Body


def best_of(session: Session, step: int | None = None) -> Member:
    """The run's best member, or the one of a step; raises `UserError` when it has no program that passed."""
    wanted = session.state.best if step is None else step
    member = session.state.members.get(wanted) if wanted is not None else None
    if member is None or member.program is None or member.fitness is None:
        what = "no program has passed its evaluator yet" if step is None else f"step {step} has no program that passed"
        raise UserError(f"{session.run.path}: {what}")
    return member


def judge(session: Session, *, trust: bool) -> None:
    """Record the held-out score and the certificate of the best program, where the problem defines them."""
    if session.state.best is None:
        return
    member = best_of(session)
    if member.step not in session.state.held_out and session.problem.hook("held_out") is not None:
        _record(session, _held_out(session, member, trust=trust))
    if member.step not in session.state.certified and session.problem.hook("certify") is not None:
        _record(session, certify(session, member)[1])


def certify(session: Session, member: Member) -> tuple[Certificate, Certified]:
    """The certificate of a member's construction, in exact arithmetic, and the entry that records it."""
    hook = session.problem.hook("certify")
    if hook is None:
        raise UserError(f"{session.problem.config.name}: its evaluate.py defines no certify(construction)")
    if member.construction is None:
        raise UserError(f"step {member.step}: its score carries no construction to certify")
    certificate: Certificate = hook(Library(session.run.blobs, session.problem).construction(member.construction))
    blob = session.run.blobs.put(to_json(certificate).encode())
    return certificate, Certified(
        step=member.step, value=str(certificate.value), claim=certificate.claim, certificate=blob
    )


def _held_out(session: Session, member: Member, *, trust: bool) -> HeldOut:
    library = Library(session.run.blobs, session.problem)
    assert member.program is not None
    assert session.state.started is not None
    try:
        result = judge_held_out(
            {
                "problem": str(session.problem.path),
                "files": dict(library.program(member.program).files),
                "construction": library.raw(member.construction),
                "start": library.raw(member.start),
                "seed": session.state.started.seed % 2**31,
                "trust": trust,
            }
        )
    finally:
        close_jails()
    return HeldOut(step=member.step, metrics=result["metrics"])


def _record(session: Session, body: Body) -> None:
    for entry in session.run.writer.append(body):
        apply(session.state, entry)
