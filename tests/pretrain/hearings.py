"""Audits that are told to the fold: who answers, who judges, and what comes of it."""

from __future__ import annotations

from typing import Any

from quiltwork.audit import Case, Outcome
from quiltwork.pretrain.entries import Judged, Responded
from tests.pretrain.telling import A, B, C, D, Told, hash_of, told

ALL = (A, B, C, D)


def audited(*authors: bytes, rounds: int = 1, **changes: Any) -> Told:
    """A run in which every accepted commitment is audited."""
    run = told(*(authors or ALL), **{"verification_percent": 100, **changes})
    run.play(rounds)
    return run


def case_of(run: Told, author: bytes, round: int = 1) -> Case:
    return run.state.cases[round, author]


def disclosure(author: bytes, round: int = 1) -> bytes:
    return hash_of(f"disclosure of {author.hex()} in {round}")


def respond(run: Told, author: bytes, round: int = 1) -> str:
    return run.say(author, Responded(round, disclosure(author, round), 10_000))


def judge(run: Told, author: bytes, honest: bool, count: int = 2, round: int = 1) -> list[bytes]:
    """Let as many of those who are asked give the same verdict."""
    verifiers: list[bytes] = []
    while len(verifiers) < count and (round, author) in run.state.cases:
        verifiers.append(case_of(run, author, round).waiting_for[0])
        run.fits(verifiers[-1], Judged(round, author, honest, float(honest)))
    return verifiers


def ruling(run: Told) -> tuple[int, bytes, Outcome | None]:
    last = run.state.rulings[-1]
    return last.round, last.case.author, last.case.outcome


def unanswering(run: Told, author: bytes, rounds: int) -> None:
    """Rounds in which everybody answers and passes but one."""
    for _ in range(rounds):
        for number, audited_member in list(run.state.cases):
            case = run.state.cases.get((number, audited_member))
            if audited_member != author and case is not None and case.waits_for_author:
                respond(run, audited_member, number)
                judge(run, audited_member, honest=True, round=number)
        run.play()
