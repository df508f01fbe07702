"""One audit from its opening to its result: a fold over an answer, verdicts and rounds that pass.

    asked      the author is to disclose what its contribution was computed from
    judging    as many verifiers as must agree compute it again, each on its own
    closed     passed, failed, unanswered, refused or undecided

A case is decided as soon as `needed` verdicts agree. At first exactly so many of the panel are asked; another is asked whenever
those who may still speak are too few to decide. So with two needed, two that agree close the case, and two that differ make a
third the majority of three. Who is silent too long is replaced by the next of the panel and has lost its say; but where nobody
else is left, the silent are asked again: in a small society a slow verifier is better than none.

An author who does not answer may be dishonest, or its machine may have crashed with the state in it. So the first time this is
only noted (unanswered), and its next contribution is audited for certain; only if that is not answered either, it has refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from quiltwork.audit.config import AuditConfig


class Outcome(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNANSWERED = "unanswered"  # the author was silent, and has a second chance
    REFUSED = "refused"  # the author was silent at its second chance, too
    UNDECIDED = "undecided"  # too few verifiers, or too late


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier found. `score` is the similarity that it measured, 0 to 1."""

    verifier: bytes
    honest: bool
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """The audit of one contribution. Rounds are the caller's; `due` is the last in which what is awaited may come."""

    author: bytes
    panel: tuple[bytes, ...]
    needed: int
    last_chance: bool
    opened: int
    due: int
    answered: bool = False
    asked: int = 0
    """How many of the panel have been asked, from its beginning."""
    verdicts: tuple[Verdict, ...] = ()
    silent: tuple[bytes, ...] = ()
    """Verifiers that let their time pass, and were not asked again since."""
    excused: tuple[bytes, ...] = ()
    """Verifiers that are not here any more, which is no fault."""
    outcome: Outcome | None = None

    @property
    def waiting_for(self) -> tuple[bytes, ...]:
        """Verifiers that are to speak now; none before the author has answered, and none after the end."""
        if self.outcome is not None:
            return ()
        done = {*self.silent, *self.excused, *(verdict.verifier for verdict in self.verdicts)}
        return tuple(verifier for verifier in self.panel[: self.asked] if verifier not in done)

    def waits_for(self, verifier: bytes) -> bool:
        """Whether it is one of them."""
        return (
            self.outcome is None
            and verifier in self.panel[: self.asked]
            and verifier not in self.silent
            and verifier not in self.excused
            and all(verdict.verifier != verifier for verdict in self.verdicts)
        )

    @property
    def waits_for_author(self) -> bool:
        """Whether the author is to answer now."""
        return self.outcome is None and not self.answered

    def votes(self, honest: bool) -> int:
        """How many found so."""
        return sum(verdict.honest is honest for verdict in self.verdicts)


def open_case(
    author: bytes,
    panel: tuple[bytes, ...],
    *,
    round: int,
    config: AuditConfig,
    suspect: bool = False,
    last_chance: bool = False,
) -> Case:
    """Open a case in a round. A panel of too few is undecided from the beginning.

    A suspect's case needs more verdicts, if the panel is large enough for that to have a majority whatever they are.
    """
    larger = suspect and len(panel) >= 2 * config.suspect_quorum - 1
    needed = config.suspect_quorum if larger else config.quorum
    case = Case(author, panel, needed, last_chance, opened=round, due=round + config.response_rounds)
    return case if len(panel) >= needed else replace(case, outcome=Outcome.UNDECIDED)


def answer(case: Case, *, round: int, config: AuditConfig) -> tuple[Case, str]:
    """The author discloses. Returns the case, and why the answer does not count, or nothing."""
    if case.outcome is not None:
        return case, f"the case is closed: {case.outcome}"
    if case.answered:
        return case, "the author has answered already"
    if round > case.due:
        return case, f"an answer was due until round {case.due}"
    return _ask(replace(case, answered=True), round, config), ""


def judge(case: Case, verdict: Verdict, *, round: int, config: AuditConfig) -> tuple[Case, str]:
    """A verifier speaks. Returns the case, and why the verdict does not count, or nothing."""
    if case.outcome is not None:
        return case, f"the case is closed: {case.outcome}"
    if not case.answered:
        return case, "the author has not answered yet"
    if not case.waits_for(verdict.verifier):
        return case, "the verifier is not one who is asked now"
    if round > case.due:
        return case, f"verdicts were due until round {case.due}"
    case = replace(case, verdicts=(*case.verdicts, verdict))
    if case.votes(verdict.honest) >= case.needed:
        return replace(case, outcome=Outcome.PASSED if verdict.honest else Outcome.FAILED), ""
    return _ask(case, round, config), ""


def advance(case: Case, *, round: int, config: AuditConfig) -> Case:
    """Let time pass: it is now this round. Who is overdue has lost its turn."""
    if case.outcome is not None or round <= case.due:
        return case
    if not case.answered:
        return replace(case, outcome=Outcome.REFUSED if case.last_chance else Outcome.UNANSWERED)
    case = replace(case, silent=(*case.silent, *case.waiting_for))
    return _ask(case, round, config)


def excuse(case: Case, verifier: bytes, *, round: int, config: AuditConfig) -> Case:
    """Replace a verifier at once that has left, was dropped or ejected. For others nothing happens."""
    if not case.waits_for(verifier):
        return case
    return _ask(replace(case, excused=(*case.excused, verifier)), round, config)


def _ask(case: Case, round: int, config: AuditConfig) -> Case:
    """Ask as many more as could decide the case, or else the silent again. If that is in vain, or too late, lay it down."""
    ends = case.opened + config.case_rounds
    wanted = case.needed - max(case.votes(True), case.votes(False)) - len(case.waiting_for)
    if wanted <= 0:
        return case
    others = len(case.panel) - case.asked
    if round >= ends or wanted > others + len(case.silent):
        return replace(case, outcome=Outcome.UNDECIDED)
    silent = case.silent if wanted <= others else ()
    return replace(
        case, asked=case.asked + min(wanted, others), silent=silent, due=min(round + config.verdict_rounds, ends)
    )
