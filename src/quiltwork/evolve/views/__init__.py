"""What a browser shows of a run while it goes on, as plain data that fits into JSON: `pages.py` hands it out.

A `Watch` folds a run's log entry by entry. All that it answers is bounded, however long the run is: newest rows first,
older ones by the page. What strangers wrote passes `text.strangers.plain` on its way out and is only ever text.
"""

from __future__ import annotations

from quiltwork.evolve.views.watch import NotThere, Watch

__all__ = ["NotThere", "Watch"]
