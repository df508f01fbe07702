"""A run that is followed: its fold, and the story beside it."""

from __future__ import annotations

from quiltwork.log import Entry, Refused
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.state import apply, apply_body
from quiltwork.pretrain.views.story import Story


class Watch:
    """Feed it the entries of a log in order; between two of them look at `state` and `story`. One thread at a time."""

    def __init__(self) -> None:
        self.state = RunState()
        self.story = Story()
        self.entries = 0
        self.head = b""
        """The hash of the last entry, which stands for all of them."""

    def feed(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        spoken = self.state.speakers.hear(entry)
        if isinstance(spoken, Refused):
            apply(self.state, entry)  # refused again, and noted as an issue
            self._took(entry)
        else:
            apply_body(self.state, spoken.author, spoken.body, entry.seq)
            self._took(entry)
            self.story.look(self.state, entry.seq, spoken.author, spoken.body)

    def told(self, author: bytes, body: object, seq: int) -> None:
        """Take what somebody said, where it is known already who did."""
        apply_body(self.state, author, body, seq)
        self.entries = seq + 1
        self.story.look(self.state, seq, author, body)

    def _took(self, entry: Entry) -> None:
        self.entries, self.head = entry.seq + 1, entry.hash
