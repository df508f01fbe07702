"""Rounds, one a line: for a member's terminal, for a pipe, for a log file."""

from __future__ import annotations

from collections.abc import Callable

from quiltwork.pretrain.display.parts import LOSS_DIGITS
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.views import Story, wording
from quiltwork.pretrain.views.notes import RoundNote
from quiltwork.pretrain.views.wording import counted, units
from quiltwork.text.numbers import duration, number, size

TOLD = frozenset(
    {"joined", "restarted", "dropped", "left", "diverged", "ejected", "audit-failed", "paused", "resumed", "finished"}
)
"""Kinds of events that have a line of their own; of lost units the round's line tells."""

TOLD_OTHERWISE = (Phase.ROUND_TRAIN, Phase.ROUND_WITNESS, Phase.FINISHED, Phase.PAUSED)
"""Phases of which rounds and events tell."""


def rounds_on(echo: Callable[[str], object]) -> Callable[[RunState], None]:
    """Make what is called with the state after every batch of entries, and says on `echo` what is new."""
    return Lines(echo)


class Lines:
    """Says on `echo` what is new. With the story of somebody who follows the run, it looks at that; else at its own."""

    def __init__(self, echo: Callable[[str], object], story: Story | None = None) -> None:
        self._echo = echo
        self._own = story is None
        self.story = Story() if story is None else story
        self._last = -1
        self._told = 0
        self._words = ""

    def __call__(self, state: RunState) -> None:
        """Say what is new in the state."""
        if self._own:
            self.story.look(state, max(0, state.entries - 1))
        if state.created is None:
            return
        if self._last < 0:
            self._begin(state)
        else:
            self._say_events()
            for note in self.story.rounds:
                if note.number > self._last:
                    self._echo(round_line(note, state.config.total_steps))
            self._last = state.last
        words = wording.phase_words(state)
        if state.phase not in TOLD_OTHERWISE and words != self._words:
            self._echo(words)
        self._words = words

    def _begin(self, state: RunState) -> None:
        """Whoever comes late is told where the run is, not all that was."""
        self._last, self._told = state.last, self.story.told
        if state.last:
            losses = [note.loss for note in self.story.rounds if note.loss is not None]
            loss = f", loss {number(losses[-1], LOSS_DIGITS)}" if losses else ""
            here = counted(len(state.here()), "member")
            self._echo(f"round {state.last:,}: step {state.step:,} of {state.config.total_steps:,}{loss}, {here}")

    def _say_events(self) -> None:
        new = list(self.story.latest(self.story.told - self._told))
        self._told = self.story.told
        for event in reversed(new):
            if event.kind in TOLD:
                self._echo(event.words)


def round_line(note: RoundNote, total_steps: int) -> str:
    """Say in a line how a round went."""
    loss = "loss –" if note.loss is None else f"loss {number(note.loss, LOSS_DIGITS)}"
    parts = [
        f"round {note.number:,}",
        f"step {note.step:,} of {total_steps:,}" if note.accepted else "no update",
        loss,
        f"{note.accepted} of {counted(note.members, 'member')}",
        units(note.units),
        duration((note.closed - note.opened) / 1e9),
        size(note.size),
    ]
    if note.returned:
        parts.append(f"{units(note.returned)} went back")
    return "  ".join(parts)
