"""The run's owner, who looks from time to time whether members can go on, and takes the run back where they cannot."""

from __future__ import annotations

from quiltwork.pretrain.entries import Rewound
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.simulator.hub import Hub
from quiltwork.pretrain.simulator.machine import Machine


class Owner:
    """Knows more than a real one: what is on which disk. A real one asks its members."""

    def __init__(self, hub: Hub, machines: dict[bytes, Machine]) -> None:
        self.hub, self.machines = hub, machines

    @property
    def _state(self) -> RunState:
        return self.hub.referee.state

    def is_needed(self) -> bool:
        """Whether nobody can have the model of the last round, because no copy is left of an update before it."""
        state, best = self._state, self._newest_model()
        if state.phase is Phase.FINISHED or best >= state.last:
            return False
        following = state.closed.get(best + 1)
        if following is not None and all(self._is_served(update.body.payload) for update in following.updates):
            return False
        return not any(self._is_served(body.manifest) for _, body in state.checkpoints if body.round > best)

    def takes_back(self) -> bool:
        """Take the run back to the newest model that there is. False if nobody could follow from it."""
        best = self._newest_model()
        if best + 1 not in self._state.closed:
            return False
        self.hub.order(Rewound(best))
        return True

    def _newest_model(self) -> int:
        """The newest model that somebody has; everybody can have model 0."""
        agreed = self._state.agreed
        loaded = [machine.node.mine.loaded for machine in self.machines.values() if machine.alive]
        return max(
            (each.round for each in loaded if each and agreed.get(each.round, each.model) == each.model), default=0
        )

    def _is_served(self, blob: bytes) -> bool:
        return any(machine.serves(blob) is not None for machine in self.machines.values())
