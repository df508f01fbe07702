"""DisTrO as Psyche ships it: DeMo whose results are applied a round later, so that the network works while members train.

Theta in round r does not yet hold what was sent in round r - 1. So a member looks ahead by its own momentum, which still
holds what it sent, before it takes the gradient:

    look <- theta - lr_{r-1} sign(d)
    g    <- gradient at `look`
    d    <- d - DCT^-1(c_{r-1})          what was sent a round ago, before rounding to signs
    d    <- beta d + lr g
    c_r  <- the k largest coefficients of DCT(d), of each chunk; d keeps them for a round

`aggregate` is DeMo's. Psyche decays weights in the local step, one round earlier than the sign step that goes with it; here
both are in `aggregate`, since only it changes parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.optimizers.base import Batch, Gradient, Step, Tensors, alike, group, joined, square, zeros
from quiltwork.pretrain.optimizers.chosen import Chosen
from quiltwork.pretrain.optimizers.demo import DeMo
from quiltwork.pretrain.optimizers.gradients import mean_gradient
from quiltwork.pretrain.optimizers.numbers import clipped


class DisTrO(DeMo):
    """A member's own state is its momentum and what it sent last, in the parameters' own space."""

    name = "distro"
    kind = Kind.DISTRO

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Begin with no momentum, and with nothing sent."""
        return joined(momentum=zeros(parameters), sent=zeros(parameters))

    def local_step(
        self,
        parameters: Tensors,
        shared: Tensors,
        own: Tensors,
        batches: Sequence[Batch],
        gradient: Gradient,
        lr: float,
        previous_lr: float,
    ) -> Step:
        """Take the gradient ahead of the parameters; drop what was sent a round ago, and choose anew."""
        momentum, sent = group(own, "momentum"), group(own, "sent")
        ahead = {name: p - previous_lr * momentum[name].sign() for name, p in parameters.items()}
        gradients, loss = mean_gradient(ahead, batches, gradient)
        chosen: dict[str, Chosen] = {}
        for name, g in clipped(gradients, self.config.clip).items():
            momentum[name] = self.config.beta * (momentum[name] - sent[name]) + lr * g
            chosen[name] = self.coefficients.choose(momentum[name])
            sent[name] = self.coefficients.restore(chosen[name], momentum[name])
        return Step(self.coefficients.encode(chosen, parameters), joined(momentum=momentum, sent=sent), loss)

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Compare the momenta by the length of what the gradient brought.

        What was sent must be what their own momentum holds where their update says that they sent.
        """
        said = self.coefficients.decode(updates[1], parameters)
        apart = brought = 0.0
        for name, p in parameters.items():
            momentum, sent = f"momentum/{name}", f"sent/{name}"
            places = said[name].places
            held = self.coefficients.chunks(p).forward(theirs[momentum]).gather(1, places)
            expected = self.coefficients.restore(Chosen(places, held), p)
            gradient = mine[momentum] - self.config.beta * (before[momentum] - before[sent])
            apart += square(mine[momentum] - theirs[momentum])
            apart += square(expected - theirs[sent])
            brought += square(gradient)
        return alike(apart, brought)
