"""Which threshold of similarity to take, and how sure we are of it.

Scores of honest recomputations and of cheats are measured for a pair of (dtype, device class). `choose` takes the threshold
from one part of them, and `assess` says on another part what it is worth, with exact bounds (Clopper and Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934): they hold for any number of trials,
and are wide where there were few.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy.special import betaincinv


@dataclass(frozen=True, slots=True)
class Proportion:
    """How often something happened, and between what its probability lies with the confidence that was asked for."""

    happened: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share of the trials; NaN if there were none."""
        return self.happened / self.trials if self.trials else math.nan


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a threshold is worth: how often the honest are accused, and how often cheats are caught."""

    threshold: float
    false_accusation: Proportion
    detection: Proportion


def proportion(happened: int, trials: int, confidence: float = 0.95) -> Proportion:
    """Bound a probability from `happened` of `trials`: the exact two-sided interval. Without trials it is 0 to 1.

    Raises ValueError for a confidence outside 0 to 1 or more happenings than trials.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is above 0 and below 1; {confidence:g} is not")
    if not 0 <= happened <= trials:
        raise ValueError(f"{happened} of {trials} cannot have happened")
    tail = (1 - confidence) / 2
    missed = trials - happened
    low = float(betaincinv(happened, missed + 1, tail)) if happened else 0.0
    high = float(betaincinv(happened + 1, missed, 1 - tail)) if missed else 1.0
    return Proportion(happened, trials, low, high)


def trials_needed(rate: float, confidence: float = 0.95) -> int:
    """How many trials, none of which fails, it takes to bound a rate from above: the least n whose two-sided bound is below it.

    Raises ValueError for a rate or confidence outside 0 to 1.
    """
    if not (0 < rate < 1 and 0 < confidence < 1):
        raise ValueError("rate and confidence are above 0 and below 1")
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-rate))


def assess(
    threshold: float, honest: Sequence[float], cheating: Sequence[float], confidence: float = 0.95
) -> Assessment:
    """Try a threshold on scores that it was not chosen from. Who is below it is accused; a score that is NaN is below."""
    accused = sum(not score >= threshold for score in honest)
    caught = sum(not score >= threshold for score in cheating)
    return Assessment(
        threshold, proportion(accused, len(honest), confidence), proportion(caught, len(cheating), confidence)
    )


def choose(honest: Iterable[float], cheating: Iterable[float], *, most_accused: float = 0.001) -> float:
    """Choose a threshold that accuses no more than a share `most_accused` of these honest scores, and catches most cheats.

    Among thresholds that do this equally well, that in the middle of the widest gap between scores is taken, since new scores
    will fall outside of the old ones. Raises ValueError if a score is outside 0 to 1 or there are no honest ones.
    """
    good, bad = sorted(honest), sorted(cheating)
    if not good:
        raise ValueError("a threshold cannot be chosen without honest scores")
    if not all(0 <= score <= 1 for score in (*good, *bad)):
        raise ValueError("scores are similarities, 0 to 1")
    marks = sorted({0.0, 1.0, *good, *bad})
    allowed = math.floor(most_accused * len(good))

    def worth(gap: tuple[float, float]) -> tuple[int, float]:
        low, high = gap
        return bisect_right(bad, low), high - low

    fair = [(low, high) for low, high in pairwise(marks) if bisect_right(good, low) <= allowed]
    if not fair:  # there are honest scores of 0, so that whoever accuses nobody must ask for nothing
        return 0.0
    low, high = max(fair, key=worth)
    middle = (low + high) / 2
    return middle if middle > low else high
