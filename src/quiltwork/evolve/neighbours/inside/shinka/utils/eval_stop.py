"""When repeated runs have said enough of a program's mean score against a threshold (the rules of ShinkaEvolve 0.0.7)."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass
class EarlyStopDecision:
    """Whether to stop, and why."""

    should_stop: bool
    prediction: str
    confidence: float
    trials_used: int
    reason: str | None = None


class EarlyStopMethod:
    """A rule. `check(scores, threshold)` gives a decision after each run."""

    name = "no_early_stop"
    min_trials = 0

    def check(self, scores: list[float], threshold: float) -> EarlyStopDecision:
        """Decide after so many scores."""
        if len(scores) < self.min_trials:
            return _go_on(len(scores), f"need at least {self.min_trials} trials")
        return self._decide(scores, threshold)

    def reset(self) -> None:
        """Forget the last program; rules without memory have nothing to forget."""

    def _decide(self, scores: list[float], threshold: float) -> EarlyStopDecision:
        return _go_on(len(scores), "early stopping disabled")


class NoEarlyStop(EarlyStopMethod):
    """Always run all trials."""


class BayesianEarlyStop(EarlyStopMethod):
    """Stop when a normal posterior puts the mean on one side of the threshold."""

    def __init__(self, prob_cutoff: float = 0.05, min_trials: int = 2) -> None:
        self.prob_cutoff = prob_cutoff
        self.min_trials = min_trials
        self.name = f"bayesian_p{prob_cutoff}"

    def _decide(self, scores: list[float], threshold: float) -> EarlyStopDecision:
        mean, error = _estimate(scores)
        if error == 0.0:
            return _settled(mean > threshold, 1.0, len(scores), "all scores identical")
        beats = 0.5 * math.erfc((threshold - mean) / (error * math.sqrt(2.0)))
        said = f"P(beats)={beats:.4f}"
        if beats < self.prob_cutoff:
            return _settled(False, 1.0 - beats, len(scores), said)
        if beats > 1.0 - self.prob_cutoff:
            return _settled(True, beats, len(scores), said)
        return _go_on(len(scores), said, beats)


class ConfidenceIntervalEarlyStop(EarlyStopMethod):
    """Stop when Student's interval of the mean lies on one side of the threshold."""

    def __init__(self, confidence: float = 0.90, min_trials: int = 3) -> None:
        self.confidence = confidence
        self.min_trials = min_trials
        self.name = f"ci_{int(confidence * 100)}"

    def _decide(self, scores: list[float], threshold: float) -> EarlyStopDecision:
        mean, error = _estimate(scores)
        if error == 0.0:
            return _settled(mean > threshold, 1.0, len(scores), "all scores identical")
        reach = _student(self.confidence, len(scores) - 1) * error
        said = f"CI [{mean - reach:.4f}, {mean + reach:.4f}]"
        if mean + reach < threshold or mean - reach > threshold:
            return _settled(mean > threshold, self.confidence, len(scores), said)
        return _go_on(len(scores), said, self.confidence)


class HybridEarlyStop(EarlyStopMethod):
    """Stop when the interval lies below the threshold, or the posterior is sure of either side."""

    name = "hybrid"

    def __init__(self, prob_cutoff: float = 0.05, ci_confidence: float = 0.90, min_trials: int = 3) -> None:
        self.min_trials = min_trials
        self._bayes = BayesianEarlyStop(prob_cutoff, min_trials)
        self._interval = ConfidenceIntervalEarlyStop(ci_confidence, min_trials)

    def _decide(self, scores: list[float], threshold: float) -> EarlyStopDecision:
        interval = self._interval.check(scores, threshold)
        fails = interval.should_stop and interval.prediction == "fails"
        return interval if fails else self._bayes.check(scores, threshold)


def create_early_stop_method(
    method: str = "none", prob_cutoff: float = 0.05, ci_confidence: float = 0.90, min_trials: int = 3
) -> EarlyStopMethod:
    """The rule of a name: none, bayesian, ci or hybrid."""
    match method.lower():
        case "none" | "no_early_stop":
            return NoEarlyStop()
        case "bayesian":
            return BayesianEarlyStop(prob_cutoff, min_trials)
        case "ci" | "confidence_interval":
            return ConfidenceIntervalEarlyStop(ci_confidence, min_trials)
        case "hybrid":
            return HybridEarlyStop(prob_cutoff, ci_confidence, min_trials)
    raise ValueError(f"Unknown early stop method: {method}. Choose from: none, bayesian, ci, hybrid")


def _estimate(scores: list[float]) -> tuple[float, float]:
    """Mean and its standard error; an error below 1e-10 counts as none."""
    spread = statistics.stdev(scores) if len(scores) > 1 else 1.0
    error = spread / math.sqrt(len(scores))
    return statistics.fmean(scores), error if error >= 1e-10 else 0.0


def _student(confidence: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1.0 + confidence) / 2.0))


def _settled(beats: bool, confidence: float, trials: int, reason: str) -> EarlyStopDecision:
    return EarlyStopDecision(True, "beats" if beats else "fails", confidence, trials, reason)


def _go_on(trials: int, reason: str, confidence: float = 0.5) -> EarlyStopDecision:
    return EarlyStopDecision(False, "uncertain", confidence, trials, reason)
