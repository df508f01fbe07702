"""The carried construction improved directly, by the objective and constraints that the problem's `polish.py` declares."""

from __future__ import annotations

from quiltwork.evolve.polish import search
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal


class Polish:
    """Numerical optimisation of the object itself; the program stays its parent's. About half a second per proposal."""

    name = "polish"
    heavy = True

    def applies_to(self, problem: Problem) -> bool:
        """Whether the folder declares what to polish."""
        return (problem.path / "polish.py").is_file()

    def propose(self, brief: Brief) -> Proposal:
        """A better construction than `brief.start`, else the best different one that the search came across."""
        nlp = brief.problem.nlp()
        if nlp is None:
            raise NothingToPropose("the problem has no polish.py")
        start = None if brief.start is None else nlp.from_construction(brief.start)
        found = search(nlp, start, brief.rng)
        if found is None:
            raise NothingToPropose("every search led back to the construction it started from, or to nothing valid")
        return Proposal(brief.parent.program, found.note, construction=nlp.to_construction(found.x))
