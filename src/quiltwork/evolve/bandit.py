"""Who proposes next: a discounted Thompson sampler over proposers, paid in rank gain per unit of cost.

Each arm's rate of gain per cost has a Gamma posterior (gains arrive like events of a Poisson process along the spent
budget), all evidence is discounted per step so that an arm which was good early is not believed for ever (discounted
Thompson sampling: Raj and Kalyani, arXiv 1707.09727), and the arm with the largest sampled rate wins. Cost is counted in
the currency of the run's budget: steps when the budget is in evaluations, so that equal seeds give equal histories, and
processor seconds when it is in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

PRIOR_GAIN = 0.3
"""Every arm starts as if it had gained this much over one average step: hope enough to be tried, little enough to be
disproved by an arm whose steps cost almost nothing."""


@dataclass(slots=True)
class Arm:
    """What is known of one proposer: discounted evidence for choosing, undiscounted totals for showing."""

    gain: float = 0.0
    cost: float = 0.0
    steps: int = 0
    total_gain: float = 0.0
    improvements: int = 0
    cpu_s: float = 0.0


@dataclass(slots=True)
class Bandit:
    """The arms of one run. `pay` after each committed step, `choose` before each planned one."""

    discount: float
    arms: dict[str, Arm] = field(default_factory=dict)
    weight: float = 0.0

    def pay(self, name: str, *, gain: float, cost: float, cpu_s: float, improved: bool) -> None:
        """Credit one step: `gain` in ranks (0 to 2), `cost` in the budget's currency."""
        for arm in self.arms.values():
            arm.gain *= self.discount
            arm.cost *= self.discount
        self.weight = self.weight * self.discount + 1.0
        arm = self.arms.setdefault(name, Arm())
        arm.gain += gain
        arm.cost += cost
        arm.steps += 1
        arm.total_gain += gain
        arm.improvements += improved
        arm.cpu_s += cpu_s

    def average_cost(self) -> float:
        """Mean cost of a recent step; 1 before there was any."""
        cost = sum(arm.cost for arm in self.arms.values())
        return cost / self.weight if cost > 0.0 else 1.0

    def rate(self, name: str) -> float:
        """Expected gain per unit of cost."""
        arm = self.arms.get(name, Arm())
        return (PRIOR_GAIN + arm.gain) / (self.average_cost() + arm.cost)

    def choose(self, names: Sequence[str], rng: np.random.Generator, *, explore: float) -> str:
        """One of `names`: a uniform one with probability `explore`, else the largest sampled rate."""
        if rng.random() < explore:
            return names[int(rng.integers(len(names)))]
        prior_cost = self.average_cost()
        arms = [self.arms.get(name, Arm()) for name in names]
        shapes = np.array([PRIOR_GAIN + arm.gain for arm in arms])
        scales = 1.0 / np.array([prior_cost + arm.cost for arm in arms])
        return names[int(np.argmax(rng.gamma(shapes, scales)))]
