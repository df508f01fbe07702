"""Replies to programs: what a model wrote, put into the parent's blocks, or refused with a reason. No input or output.

    refusal.py         the one exception, and program text with line numbers to show
    splice.py          texts into blocks; what every child must satisfy
    fences.py          fenced code in a reply, and the prose around it
    rewrite.py         a whole block replaced
    search_replace.py  SEARCH/REPLACE edits
    places.py          where the lines of a SEARCH stand, exactly or nearly
    functions.py       one Python function continued by a model, cut out and spliced in

A reply is a stranger's text: it may be huge, and it may be written to break what reads it. Whatever it holds, the outcome
is a program that differs from its parent inside the blocks only, or `EditRefused`.
"""

from quiltwork.evolve.editing.refusal import EditRefused

__all__ = ["EditRefused"]
