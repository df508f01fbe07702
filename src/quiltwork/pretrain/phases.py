"""From one phase to the next, as Psyche's coordinator goes; only that a member may join, leave or fail in any of them."""

from __future__ import annotations

from quiltwork.pretrain import agreement, rounds
from quiltwork.pretrain.facts import Health, Phase, RunState
from quiltwork.pretrain.selection import permutation

NANO = 1_000_000_000

KEEPERS = 2
"""Members that are asked for the same checkpoint: one may fail, or its disk be full."""

BARREN_ROUNDS = 8
"""After so many rounds in a row in which nothing was accepted the run waits for members, instead of burning theirs."""


def advance(state: RunState) -> None:
    """Go on as far as the time and the members allow. Called after every entry that may have changed either."""
    while _step(state):
        state.news += 1


def _step(state: RunState) -> bool:
    """Make one transition, if one is due."""
    before = (state.phase, state.last)
    match state.phase:
        case Phase.WAITING_FOR_MEMBERS:
            _wait(state)
        case Phase.WARMUP:
            _warm_up(state)
        case Phase.ROUND_TRAIN | Phase.ROUND_WITNESS if state.round is not None:
            rounds.tick(state)
            if state.round is None:
                _after_round(state)
        case Phase.ROUND_TRAIN | Phase.ROUND_WITNESS:
            _after_round(state)
        case Phase.COOLDOWN:
            _cool_down(state)
        case _:
            pass
    return (state.phase, state.last) != before


def _wait(state: RunState) -> None:
    here = state.here()
    first = state.epoch == 0 or not state.healthy()
    enough = len(here) >= (state.config.init_min_clients if first else state.config.min_clients)
    # Those who trained together a moment ago need not wait for each other.
    extra = 0 if all(member.health is Health.HEALTHY for member in here) else _extra_ns(state)
    if not enough:
        state.entered = state.now  # the extra time begins when enough are there
    elif state.now - state.entered >= extra:
        enter(state, Phase.WARMUP)
        agreement.open_tally(state, state.last, tuple(member.author for member in here))


def _extra_ns(state: RunState) -> int:
    return round(state.config.waiting_for_members_extra_time * NANO)


def _warm_up(state: RunState) -> None:
    here, healthy = state.here(), state.healthy()
    if len(here) < state.config.min_clients:
        enter(state, Phase.WAITING_FOR_MEMBERS)
    elif len(healthy) == len(here) or (state.epoch and len(healthy) >= state.config.init_min_clients):
        _begin_epoch(state)  # nobody waits for newcomers who can come in the middle
    elif _lasted(state, state.config.warmup_time):
        for member in here:
            said = state.ready.get(member.author)
            if member.health is Health.JOINING and (said is None or said.round < state.last):
                agreement.drop(state, member.author)
        agreement.count(state, state.last)
        agreement.settle_by_plurality(state, state.last, least=state.config.min_clients)
        if len(state.healthy()) >= state.config.min_clients:
            _begin_epoch(state)
        else:
            enter(state, Phase.WAITING_FOR_MEMBERS)


def _begin_epoch(state: RunState) -> None:
    state.epoch += 1
    state.epoch_opened = state.now
    state.barren = 0
    rounds.open_round(state)


def _after_round(state: RunState) -> None:
    """A round has closed: open the next, or cool down."""
    if state.amended is not None:
        state.config, state.amended = state.amended, None
    _draw_keepers_if_due(state)
    over = state.step >= state.config.total_steps
    epoch_over = state.now - state.epoch_opened >= round(state.config.epoch_time * NANO)
    too_few = len(state.healthy()) < state.config.min_clients or state.barren >= BARREN_ROUNDS
    if over or epoch_over or too_few or state.pausing:
        draw_keepers(state, beyond=state.last - 1)
        rounds.take_back(state)
        enter(state, Phase.COOLDOWN)
    else:
        rounds.open_round(state)


def _cool_down(state: RunState) -> None:
    kept = bool(state.checkpoints) and state.checkpoints[-1][1].round >= state.last
    if not (kept or _lasted(state, state.config.cooldown_time) or not state.healthy()):
        return
    if state.step >= state.config.total_steps:
        enter(state, Phase.FINISHED)
    elif state.pausing:
        state.pausing = False
        enter(state, Phase.PAUSED)
    else:
        enter(state, Phase.WAITING_FOR_MEMBERS)


def wait_for_members(state: RunState) -> None:
    """Take up a run that was paused, or taken back."""
    enter(state, Phase.WAITING_FOR_MEMBERS)


def _draw_keepers_if_due(state: RunState) -> None:
    """Every so many rounds since the last checkpoint; earlier if none of those who were asked is healthy any more."""
    checkpoint = state.checkpoints[-1][1].round if state.checkpoints else 0
    age = state.last - checkpoint
    if age >= state.config.checkpoint_rounds:
        waiting = any(state.members[keeper].health is Health.HEALTHY for keeper in state.keepers)
        if not waiting or age % state.config.checkpoint_rounds == 0:
            draw_keepers(state, beyond=checkpoint)


def draw_keepers(state: RunState, *, beyond: int) -> None:
    """Choose who makes a checkpoint of a round after `beyond`."""
    state.keepers_beyond = beyond
    healthy = state.healthy()
    order = permutation(len(healthy), state.seed, "keepers")
    state.keepers = tuple(healthy[index].author for index in order[:KEEPERS].tolist())


def _lasted(state: RunState, seconds: float) -> bool:
    return state.now - state.entered >= round(seconds * NANO)


def enter(state: RunState, phase: Phase) -> None:
    """Begin a phase that is not a round's."""
    state.phase, state.entered, state.due = phase, state.now, 0
