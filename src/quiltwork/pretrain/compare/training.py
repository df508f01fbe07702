"""A contestant is trained, all its members in turn in this process, and looked at now and then.

What crosses the network in a run is encoded and decoded here, too: bytes are those of payloads, and what was sent in few bits
is learned from as such. Nothing here writes a file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from quiltwork.errors import UserError
from quiltwork.pretrain.architectures.config import OwnConfig
from quiltwork.pretrain.architectures.model import build, evaluate, gradient, parameters
from quiltwork.pretrain.compare.comparison import Comparison
from quiltwork.pretrain.compare.contestants import Contestant
from quiltwork.pretrain.compare.series import Point
from quiltwork.pretrain.data.opening import open_dataset, open_held_out
from quiltwork.pretrain.optimizers.base import Batch, Optimizer, Tensors, Update, optimizer_of

POINTS = 25
"""Of a curve, closer at its beginning: axes are logarithmic."""

HELD_OUT_SEQUENCES = 128
EVALUATED_AT_ONCE = 16


@dataclass
class Standing:
    """A contestant after `step` steps. All of it can be saved, and training goes on from it as if it had not stopped."""

    values: Tensors
    shared: Tensors
    owns: list[Tensors]
    waiting: list[list[Update]]
    """Rounds that were sent and not applied yet."""
    step: int = 0
    rounds: int = 0
    sent: int = 0
    """Bytes of one member."""
    compute_s: float = 0.0
    """Seconds of one core: of a member, the mean, and of the update that all make."""
    points: list[Point] = field(default_factory=list)
    diverged: str = ""
    """Why it cannot go on."""


class Ground:
    """What all contestants have in common: the model, its first parameters, the data. Raises UserError.

    Relative paths of data begin at `root`, or the working folder.
    """

    def __init__(self, comparison: Comparison, root: Path | None = None) -> None:
        self.comparison = comparison
        self.data = open_dataset(comparison.data, root=root)
        if not isinstance(comparison.model, OwnConfig) and self.data.vocabulary > comparison.model.vocabulary:
            raise UserError(
                f"The data have {self.data.vocabulary:,} different tokens, and model.vocabulary is "
                f"{comparison.model.vocabulary:,}. It must be at least as many."
            )
        # Whatever the seed, losses are those of the same sequences.
        held_out = open_held_out(comparison.data.model_copy(update={"seed": 0}), root=root)
        ids = range(min(HELD_OUT_SEQUENCES, len(held_out)))
        self.held_out = list(torch.split(held_out.batch(ids), comparison.micro_batch or EVALUATED_AT_ONCE))
        self._module = build(comparison.model, comparison.seed)
        self.first = parameters(self._module)
        self.gradient = gradient(self._module, micro_batch=comparison.micro_batch)

    def batch(self, step: int, member: int) -> torch.Tensor:
        """Give a member's sequences of a step, int64 [sequences, length + 1]: to all contestants the same."""
        size = self.comparison.sequences
        begin = (step * self.comparison.members + member) * size
        return self.data.batch(range(begin, begin + size))

    def loss(self, values: Tensors) -> float:
        """Give the loss on what is held out, in nats per token."""
        return evaluate(self._module, values, self.held_out)

    @property
    def dense_bytes(self) -> int:
        """Of the gradients of all parameters, in fp32."""
        return 4 * sum(value.numel() for value in self.first.values())


def begin(ground: Ground, contestant: Contestant) -> Standing:
    """Give a contestant before its first step."""
    optimizer = optimizer_of(contestant.optimizer)
    owns = [optimizer.begin_own(ground.first) for _ in range(ground.comparison.members)]
    return Standing(dict(ground.first), optimizer.begin(ground.first), owns, [[]] if contestant.late else [])


def train(ground: Ground, contestant: Contestant, standing: Standing) -> Iterator[Standing]:
    """Train until all steps are done, and give the standing, which changes, at the start and after every exchange.

    It has a point for where it is if it was looked at there. A contestant whose loss or gradients are not finite is given
    once more, `diverged`, and is over.
    """
    optimizer, due = optimizer_of(contestant.optimizer), due_steps(ground.comparison.steps)
    if not standing.points:
        _warm_up(ground)
        _look(ground, standing)
        yield standing
    while standing.step < ground.comparison.steps:
        steps = range(standing.step, min(standing.step + contestant.every, ground.comparison.steps))
        batches = [[ground.batch(step, member) for step in steps] for member in range(ground.comparison.members)]
        try:
            _round(ground, contestant, optimizer, standing, batches)
        except UserError as error:
            standing.diverged = str(error)
            yield standing
            return
        if any(standing.points[-1].step < step <= standing.step for step in due):
            _look(ground, standing)
        yield standing


def due_steps(steps: int) -> list[int]:
    """Say after which steps a contestant is looked at: POINTS of them, the last one among them."""
    return sorted({max(1, math.ceil(steps * (place / POINTS) ** 2)) for place in range(1, POINTS + 1)})


def _warm_up(ground: Ground) -> None:
    """Compute a gradient that nobody needs: the first one takes longer, and is not the first contestant's fault."""
    ground.gradient(ground.first, ground.batch(0, 0))


def _round(
    ground: Ground, contestant: Contestant, optimizer: Optimizer, standing: Standing, batches: list[list[Batch]]
) -> None:
    """Go on by one exchange, with these batches of each member. Raises UserError, and then nothing has changed."""
    schedule, steps = ground.comparison.schedule(contestant), len(batches[0])
    lr = schedule.rate(standing.step)
    before = schedule.rate(standing.step - contestant.every) if standing.step else 0.0
    # This thread's time alone: what draws the progress is another's.
    began = time.thread_time()
    results = [
        optimizer.local_step(standing.values, standing.shared, own, its, ground.gradient, lr, before)
        for own, its in zip(standing.owns, batches, strict=True)
    ]
    trained = time.thread_time()
    standing.waiting.append([(steps, result.payload) for result in results])
    standing.values, standing.shared = optimizer.aggregate(
        standing.values, standing.shared, standing.waiting.pop(0), lr
    )
    standing.compute_s += (trained - began) / len(batches) + time.thread_time() - trained
    standing.owns = [result.own for result in results]
    standing.sent += len(results[0].payload)
    standing.rounds, standing.step = standing.rounds + 1, standing.step + steps


def _look(ground: Ground, standing: Standing) -> None:
    loss = ground.loss(standing.values)
    if not math.isfinite(loss):
        standing.diverged = f"The loss is {loss} after {standing.step} steps."
    standing.points.append(Point(standing.step, standing.rounds, loss, standing.sent, standing.compute_s))
