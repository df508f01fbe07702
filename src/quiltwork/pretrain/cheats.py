"""Members that cheat, each in one way: for measuring what audits find, and for the demo. Their verdicts are honest.

Every cheat saves work or does harm, and hides as well as it can: its payload is well formed, and where it can, the state that it
commits to is the one that an honest step would have left.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from quiltwork.pretrain.effects import Train
from quiltwork.pretrain.optimizers.base import Tensors
from quiltwork.pretrain.trainer import Trainer, Worked


class SkipsOne(Trainer):
    """Trains one unit less than it says, or, of a single one, half of its sequences."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        own = self.own(train.own, train.base)
        if len(train.units) > 1:
            return self.step(train.base, train.step, own, train.units[:-1])
        return self.with_gradient(
            train, own, lambda compute: lambda values, batch: compute(values, batch[: len(batch) // 2])
        )

    def with_gradient(self, train: Train, own: Tensors, change: Callable[..., object]) -> Worked:
        """Make the step with another gradient function."""
        honest = self._gradient
        self._gradient = change(honest)  # type: ignore[assignment]
        try:
            return self.step(train.base, train.step, own, train.units)
        finally:
            self._gradient = honest


class SkipsHalf(SkipsOne):
    """Trains every unit on half of its sequences."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        own = self.own(train.own, train.base)
        return self.with_gradient(train, own, lambda compute: lambda values, batch: compute(values, batch[::2]))


class Stale(Trainer):
    """Trains from an older model than it says, to save itself the waiting."""

    rounds = 1

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        base = max((round for round in self.models if round <= train.base - self.rounds), default=train.base)
        return self.step(base, train.step, self.own(train.own, train.base), train.units)


class VeryStale(Stale):
    """The same, by five rounds."""

    rounds = 5


class OtherData(Trainer):
    """Trains other units, such as some that it has at hand."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        others = tuple(unit + 1_000_003 for unit in train.units)
        return self.step(train.base, train.step, self.own(train.own, train.base), others)


class NoGradient(SkipsOne):
    """Computes nothing, and sends what is left of earlier rounds in its momentum."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""

        def change(compute: object) -> object:
            return lambda values, batch: ({name: torch.zeros_like(value) for name, value in values.items()}, 0.0)

        return self.with_gradient(train, self.own(train.own, train.base), change)


class RandomGradient(SkipsOne):
    """Makes its gradient up."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        chance = torch.Generator().manual_seed(train.round)

        def noise(value: torch.Tensor) -> torch.Tensor:
            return torch.randn(value.shape, generator=chance) * 1e-2

        def change(compute: object) -> object:
            return lambda values, batch: ({name: noise(value) for name, value in values.items()}, 1.0)

        return self.with_gradient(train, self.own(train.own, train.base), change)


class Reversed(SkipsOne):
    """Does its work, and sends the opposite: to harm."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""

        def change(compute: Callable[..., tuple[Tensors, float]]) -> object:
            def opposite(values: Tensors, batch: torch.Tensor) -> tuple[Tensors, float]:
                gradients, loss = compute(values, batch)
                return {name: -gradient for name, gradient in gradients.items()}, loss

            return opposite

        return self.with_gradient(train, self.own(train.own, train.base), change)


class ForgesState(SkipsOne):
    """Makes its gradient up, and commits to the state that honest work would have left: two lies that fit no step."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        own = self.own(train.own, train.base)
        payload, _, _ = RandomGradient.work(self, train)  # type: ignore[arg-type]
        _, honest, loss = self.step(train.base, train.step, own, train.units)
        return payload, honest, loss


class Poisons(Trainer):
    """Does its work, but commits to a state in which the next rounds' updates lie ready: made up, and never trained."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        payload, own, loss = self.step(train.base, train.step, self.own(train.own, train.base), train.units)
        chance = torch.Generator().manual_seed(train.round)
        poisoned = {
            name: tensor + torch.randn(tensor.shape, generator=chance) * tensor.abs().mean() * 10
            for name, tensor in own.items()
        }
        return payload, poisoned, loss


class SkipsASequence(SkipsOne):
    """Leaves out one sequence of its last unit: the less of its work, the more units it has."""

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        left = len(train.units)

        def change(compute: Callable[..., object]) -> object:
            def shorter(values: Tensors, batch: torch.Tensor) -> object:
                nonlocal left
                left -= 1
                return compute(values, batch if left else batch[:-1])

            return shorter

        return self.with_gradient(train, self.own(train.own, train.base), change)


class Creeps(Trainer):
    """Does its work, and commits to a state that is bent by a twentieth, every round in the same direction."""

    bent = 0.05

    def work(self, train: Train) -> Worked:
        """See Trainer."""
        payload, own, loss = self.step(train.base, train.step, self.own(train.own, train.base), train.units)
        chance = torch.Generator().manual_seed(1)
        crept = {}
        for name, tensor in own.items():
            towards = torch.randn(tensor.shape, generator=chance)
            crept[name] = tensor + towards * (self.bent * tensor.norm() / towards.norm())
        return payload, crept, loss


CHEATS: dict[str, type[Trainer]] = {
    "skips-one": SkipsOne,
    "skips-half": SkipsHalf,
    "stale": Stale,
    "very-stale": VeryStale,
    "other-data": OtherData,
    "no-gradient": NoGradient,
    "random-gradient": RandomGradient,
    "reversed": Reversed,
    "forges-state": ForgesState,
    "poisons": Poisons,
    "creeps": Creeps,
}
"""Each of them fails its audits."""

SUBTLE: dict[str, type[Trainer]] = {"skips-a-sequence": SkipsASequence}
"""This gains little, the less the more units it has: where audits let it pass is measured in docs/pretrain-verification.md."""
