"""Programs improved by proposals and evaluators (after AlphaEvolve, arXiv 2506.13131).

A *problem* is a folder: a program, an evaluator that runs outside the program's jail, and a `problem.toml`.
A *step* is one child program on its way through the run:

    plan.py       state -> Planned      who proposes, from which parents        (pure)
    proposers/    brief -> Proposal     the child program                       (effect)
    evaluation.py program -> Evaluated  its score, computed outside its jail    (effect)
    state.py      entry -> state        commits the steps in order, whatever order results came in   (fold)

`loop.py` carries the effects out and appends the entries; `session.py` begins, opens and drives runs. Steps are planned
`pipeline` ahead of the last committed one, so that a run is a function of its seed and its results and never of the
number of workers or their speed.

The names that a problem's `evaluate.py` and `polish.py` need are here, and `optimize`, the same for a program that calls.
"""

import os
from typing import TYPE_CHECKING, Any

# Before numpy loads: the last bits of linear algebra depend on the number of threads, and equal seeds must give equal
# histories; workers keep the cores busy anyway.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from quiltwork.evolve.nlp import Nlp  # noqa: E402
from quiltwork.evolve.score import Certificate, InvalidScore, Score  # noqa: E402

if TYPE_CHECKING:
    from quiltwork.evolve.api import Optimized, optimize

__all__ = ["Certificate", "InvalidScore", "Nlp", "Optimized", "Score", "optimize"]


def __getattr__(name: str) -> Any:
    """Load what only callers of `optimize` need when they ask for it: every worker imports this room."""
    if name not in ("Optimized", "optimize"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from quiltwork.evolve import api

    return getattr(api, name)
