"""Back to an earlier model, by the owner's order: where every copy of an update is lost, nobody can have the models after it.

Members could agree on it among themselves, but who is here may be newcomers, and those who have the models may sleep: they
would find their work thrown away in the morning. So it is the owner who says that nobody will come.

Rounds keep their numbers. Those that are taken back stay as rounds in which nothing was accepted, so that every member
applies them as it applies others, and the model after them is the model before. What members earned they keep: they did the
work. The units are given out again.
"""

from __future__ import annotations

from dataclasses import replace

from quiltwork.pretrain import audits, rounds
from quiltwork.pretrain.entries import Rewound
from quiltwork.pretrain.facts import Health, RunState


def rewind(state: RunState, body: Rewound) -> str:
    """Take all rounds after one back. Returns why not, or nothing; the run then waits for members to have the model."""
    target = body.round
    taken = range(target + 1, state.last + 1)
    if not 0 <= target < state.last:
        return f"model {target} is not one of those before model {state.last}"
    if taken[0] not in state.closed:
        return f"rounds before {min(state.closed)} are forgotten: nobody could follow from model {target}"
    state.step = state.closed[taken[0]].step - 1
    model = state.agreed.get(target)
    for number in taken:
        _take_back(state, number)
        state.tallies.pop(number, None)
        state.agreed.pop(number, None)
        if model is not None:
            state.agreed[number] = model
    rounds.abandon(state)  # its units follow those of the rounds before
    for key, case in list(state.cases.items()):
        if key[0] > target:
            audits.lay_down(state, key, case)
    state.checkpoints = [each for each in state.checkpoints if each[1].round <= target]
    state.keepers = ()
    state.ready.clear()
    for member in state.members.values():
        member.hashed = min(member.hashed, target)
        if member.health is Health.HEALTHY:
            member.health, member.began = Health.JOINING, state.now
    state.rewinds.append(target)
    return ""


def _take_back(state: RunState, number: int) -> None:
    closed = state.closed[number]
    units = [unit for update in closed.updates for unit in update.body.units]
    state.closed[number] = replace(closed, accepted=(), returned=(*closed.returned, *units))
    state.returned.extend(sorted(units))
    state.taken_back_units += len(units)
    state.tokens -= len(units) * state.config.unit_sequences * state.config.sequence_length
