"""The handle through which an evaluator asks a candidate: data in, data out, never the module itself."""

from __future__ import annotations

from collections.abc import Callable

from quiltwork.evolve.score import Data
from quiltwork.sandbox import Limits, Session


class Candidate:
    """One program under evaluation, in a jail of its own.

    All calls of one evaluation reach the same jailed process, so that module state lives between them; the limits hold for
    their sum. Whatever comes back is data that a stranger wrote: check it before you believe it.
    """

    def __init__(
        self,
        open_session: Callable[[], Session],
        *,
        limits: Limits,
        seed: int,
        stage: str,
        start: Data = None,
        construction: Data = None,
    ) -> None:
        self.seed = seed
        """Seed for this run of the evaluator. The program's own `random` and numpy are seeded with it too."""
        self.stage = stage
        """Name of the stage that is being run."""
        self.start = start
        """The construction that this program was given to start from, or None."""
        self.limits = limits
        """What the candidate may use in this evaluation."""
        self._open_session = open_session
        self._session: Session | None = None
        self._construction = construction

    def call(self, function: str, *args: Data, **kwargs: Data) -> Data:
        """Call a function of the program's entry file. Raises `CandidateFailed`, which evaluators let through."""
        if self._session is None:
            self._session = self._open_session()
        return self._session.call(function, *args, **kwargs)

    def construct(self, function: str, **kwargs: Data) -> Data:
        """The construction to judge: what `function(start=..., **kwargs)` builds, or one that a proposer improved directly."""
        if self._construction is not None:
            return self._construction
        return self.call(function, start=self.start, **kwargs)

    @property
    def session(self) -> Session | None:
        """The jailed process, once there was a call."""
        return self._session
