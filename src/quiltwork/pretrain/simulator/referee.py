"""What must hold in every run, checked at every entry and at every application of a round."""

from __future__ import annotations

from quiltwork.pretrain.facts import Health, RunState
from quiltwork.pretrain.state import apply_body


class Violation(AssertionError):
    """Something happened that must not."""


class Referee:
    """Folds the log as everybody does, and compares what it sees with what must be."""

    def __init__(self) -> None:
        self.state = RunState()
        self.honest: set[bytes] = set()
        self.models: dict[int, bytes] = {}
        self._done: dict[int, int] = {}
        """Unit -> the round in which it was accepted."""
        self._rewinds = 0
        self._seen = 0
        self.progressed = 0
        """When something was accepted last."""

    def see(self, author: bytes, body: object, seq: int) -> None:
        """Fold an entry, then check."""
        apply_body(self.state, author, body, seq)
        state = self.state
        if len(state.rewinds) > self._rewinds:
            self._rewind(state.rewinds[-1])
        for number in range(self._seen + 1, state.last + 1):
            self._check_round(number)
        self._seen = state.last

    def _rewind(self, target: int) -> None:
        self._rewinds += 1
        self._done = {unit: number for unit, number in self._done.items() if number <= target}
        self.models = {number: model for number, model in self.models.items() if number <= target}

    def _check_round(self, number: int) -> None:
        state = self.state
        closed = state.closed.get(number)
        if closed is None:
            return
        if closed.accepted:
            self.progressed = state.now
        for update in closed.updates:
            for unit in update.body.units:
                if unit in self._done:
                    raise Violation(f"unit {unit} was applied twice, the second time in round {number}")
                self._done[unit] = number
        given = [each.assigned for each in (state.round, state.ahead) if each is not None]
        outstanding = set(state.returned) | {
            unit for assigned in given for units in assigned.values() for unit in units
        }
        known = len(self._done) + len(outstanding)
        if known != state.next_unit:
            raise Violation(f"after round {number} {state.next_unit - known} of {state.next_unit} units are lost")
        earned = sum(member.accepted_units + member.forfeited_units for member in state.members.values())
        if not earned == state.accepted_units == len(self._done) + state.taken_back_units:
            raise Violation(
                f"after round {number} members have earned {earned} units, {state.accepted_units} were accepted"
            )
        for agreed, model in state.agreed.items():
            if self.models.get(agreed, model) != model:
                raise Violation(f"the log agreed on another model {agreed} than honest members hold")
        for author, member in state.members.items():
            if author in self.honest and member.health is Health.EJECTED:
                raise Violation(f"honest member {author[:2].hex()} was ejected by round {number}")

    def applied(self, round: int, model: bytes, *, rewinds: int) -> None:
        """An honest machine has applied a round; it knows of so many rewinds."""
        if rewinds != self._rewinds:
            return
        first = self.models.setdefault(round, model)
        if model != first:
            raise Violation(f"honest members hold two models {round}: {model[:4].hex()} and {first[:4].hex()}")
        if self.state.agreed.get(round, model) != model:
            raise Violation(f"the log agreed on another model {round} than honest members hold")
