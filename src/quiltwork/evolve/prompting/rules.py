"""How to answer, per format, each with an example that is about soup, so that nobody takes it for the program."""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.evolve.program import Block

SOUP = "def season(soup):\n    taste(soup)\n    return stir(soup, minutes=5)"
"""What the examples put in place. A model that hands it in as its answer has copied the example."""

DIFF = """\
How to answer. First one sentence that says what you change. Then one or more edits, each in exactly this form:

<<<<<<< SEARCH
lines of the program as they are now
=======
lines that replace them
>>>>>>> REPLACE

- The SEARCH lines are copied from the program character by character, indentation included, and are long enough to occur \
there only once.
- Only what stands between the lines EVOLVE-BLOCK-START and EVOLVE-BLOCK-END may change (all of it where there are none).
- The edits are made all together or not at all. Write no line numbers, and nothing else between the three marker lines.

Example of the form, with another program (about soup):

Taste the soup while it is stirred.

<<<<<<< SEARCH
    return stir(soup, minutes=3)
=======
    taste(soup)
    return stir(soup, minutes=5)
>>>>>>> REPLACE
"""

DIFF_FILES = (
    "- The program has several files: on the line before each edit, write the path of the file that it changes.\n"
)

REWRITE = f"""\
How to answer. First one sentence that says what you change. Then the whole new text of {{what}}, complete, in one fenced code \
block. It replaces everything between EVOLVE-BLOCK-START and EVOLVE-BLOCK-END (all of the file where there are none), so leave \
out nothing that is still needed there; leave the marker lines out. The rest of the program stays as it is and uses what you \
write under the names it has now.

Example of the form, with another program (about soup):

Taste the soup while it is stirred.
{{named}}
```python
{SOUP}
```
"""

CROSS = (
    "Two programs are shown: A, the one to change, and B1, another one that solves the same problem. Combine "
    "them: take what is good in B1 over into A, so that the result is better than both. Do not just repeat one of them.\n\n"
)

REPAIR = "Answer again, in the same form and in full: the answer before this one was not used."


def diff(files: int) -> str:
    """The rules of SEARCH/REPLACE edits."""
    return DIFF.replace("\nExample of", f"{DIFF_FILES}\nExample of", 1) if files > 1 else DIFF


def rewrite(places: Sequence[Block], first_lines: Sequence[str]) -> str:
    """The rules of a rewritten block; where there are several, how one is named."""
    if len(places) == 1:
        return REWRITE.format(what="the block", named="")
    listed = "\n".join(
        f"BLOCK {n}: {block.path}, lines {block.first} to {block.last}, begins with: {line}"
        for n, (block, line) in enumerate(zip(places, first_lines, strict=True), start=1)
    )
    rules = REWRITE.format(what="one block", named="\nBLOCK 1")
    return f"{rules}\nOn the line before the code, name the block that it replaces (as BLOCK 1). The blocks are:\n{listed}\n"


def prefill(name: str) -> str:
    """The rules of a function that the answer already begins with."""
    return f"Write a better version of the function `{name}`. Answer with the function alone, in one fenced code block."


def repair(reason: str, shown: str) -> str:
    """The one further turn after an answer that could not be used. `shown` is framed already."""
    return "\n\n".join(part for part in (f"Your answer could not be used: {reason}.", shown, REPAIR) if part)
