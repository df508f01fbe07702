"""What people see of a run: plain data, from the state and from what the fold forgets.

story.py      how a run went, kept small however long it is; notes.py is what it is made of
series.py     rounds by the thousand as few points        wording.py    what happened, in words
watch.py      a fold and its story, fed entry by entry
about.py      what is trained, from the run's first entry
snapshot.py   state + story -> one moment, as plain values: what the terminal draws, and `summary` gives as JSON
page.py       the same for a browser: what is new since it asked last, and more of a round or of the list of them

All of it is pure, and bounded. What members wrote passes `text.strangers` on its way out and is only ever text.
"""

from __future__ import annotations

from quiltwork.pretrain.views.snapshot import RunView, snapshot, summary
from quiltwork.pretrain.views.story import Story
from quiltwork.pretrain.views.watch import Watch

__all__ = ["RunView", "Story", "Watch", "snapshot", "summary"]
