"""Whatever a reply holds: a program that differs inside the blocks only, or one kind of refusal, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.fences import said
from quiltwork.evolve.editing.functions import continued, targets
from quiltwork.evolve.editing.rewrite import rewritten
from quiltwork.evolve.editing.search_replace import edited
from quiltwork.evolve.program import Program, blocks, within_blocks
from quiltwork.evolve.prompting.judge import read_judgement
from quiltwork.evolve.prompting.meta import read_instruction
from tests.evolve.corpus import CORPUS, parses, programs

LINES = sorted({line for program in CORPUS for text in program.files.values() for line in text.splitlines()})
SIGNS = [
    "<<<<<<< SEARCH",
    "=======",
    ">>>>>>> REPLACE",
    "```",
    "```python",
    "~~~",
    "# EVOLVE-BLOCK-START",
    "// EVOLVE-BLOCK-END",
    "    # EVOLVE-BLOCK-END",
    "BLOCK 1",
    "block 2:",
    "lib/b.py",
    "def priority_v1(item, bins):",
    "def model(x, y):",
    "    return 0",
    '"""',
    "\r",
    "\x0c",
    "\ud800",
    "\0",
    "",
]
lines = st.sampled_from([*SIGNS, *SIGNS, *LINES]) | st.text(max_size=12)
replies = st.lists(lines, max_size=30).map("\n".join) | st.text(max_size=200)


@st.composite
def edits_of(draw: st.DrawFn, program: Program) -> str:
    """Edits that quote a few lines around or in a block and mostly keep the shape of the program."""
    block = draw(st.sampled_from(blocks(program)))
    text = program.files[block.path].splitlines() or [""]
    first = min(max(0, draw(st.integers(block.first - 2, block.last))), len(text) - 1)
    quoted = text[first : first + draw(st.integers(1, 3))]
    indent = quoted[0][: len(quoted[0]) - len(quoted[0].lstrip())]
    added = draw(st.sampled_from(["pass", "x = 1", "return 0.5", "# why", "EVOLVE-BLOCK-END"]) | lines)
    replacement = draw(
        st.sampled_from([[indent + added, *quoted], [*quoted, indent + added], [indent + added], quoted, []])
    )
    margin = draw(st.sampled_from(["", "", "", "  ", "\t"]))
    search, new = ("\n".join(margin + line for line in each) for each in (quoted, replacement))
    lead = draw(st.sampled_from(["", block.path, f"`{block.path}`", "words"]))
    return f"{lead}\n<<<<<<< SEARCH\n{search}\n=======\n{new}\n>>>>>>> REPLACE\n"


def holds(parent: Program, change: Callable[[], Program]) -> bool:
    """Whether a child came of it; either way, what must hold holds."""
    child: Program | EditRefused
    try:
        child = change()
    except EditRefused as refusal:
        child = refusal
    if isinstance(child, EditRefused):
        assert child.reason
        assert "\n" not in child.reason
        assert len(child.shown) < 50_000
        return False
    assert child != parent
    assert within_blocks(parent, child)
    assert parses(child)
    return True


@settings(deadline=None, max_examples=300)
@given(programs, replies, st.booleans())
def test_any_reply_makes_a_child_within_the_blocks_or_is_refused(parent: Program, reply: str, cut_off: bool) -> None:
    holds(parent, lambda: edited(parent, reply, cut_off=cut_off))
    holds(parent, lambda: rewritten(parent, reply, cut_off=cut_off))
    for target in targets(parent):
        holds(parent, lambda target=target: continued(parent, target, reply, 1, cut_off=cut_off))  # type: ignore[misc]


@settings(deadline=None, max_examples=300)
@given(st.data(), programs)
def test_any_edit_makes_a_child_within_the_blocks_or_is_refused(data: st.DataObject, parent: Program) -> None:
    reply = "".join(data.draw(st.lists(edits_of(parent), min_size=1, max_size=3)))
    holds(parent, lambda: edited(parent, reply))


@settings(deadline=None, max_examples=200)
@given(replies)
def test_notes_instructions_and_judgements_are_read_or_not(reply: str) -> None:
    note = said(reply, "none")
    assert len(note) <= 120
    assert note.isprintable()
    instruction = read_instruction(reply)
    assert instruction is None or 20 <= len(instruction) <= 600
    judgement = read_judgement(reply)
    assert judgement is None or 0 <= judgement[0] <= 1


N = 60_000
FLOODS = {
    "ticks": "`" * N * 8,
    "ticks and blanks": "```" + " " * N * 8 + "`",
    "tildes": "~" * N * 8 + "`",
    "fences": "```\n" * N,
    "edits without end": "<<<<<<< SEARCH\n" * N,
    "one edit of the same line": "<<<<<<< SEARCH\n" + "x = 1\n" * N + "=======\nx = 2\n>>>>>>> REPLACE",
    "many edits": "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n" * (N // 10),
    "dividers": "<<<<<<< SEARCH\n" + "=======\n" * N,
    "brackets": "```\n" + "(" * N + "\n```",
    "signs": "```\nx = " + "-" * N + "1\n```",
    "attributes": "```\nx = a" + ".b" * N + "\n```",
    "quotes": "    x = '''" + "\nat the margin" * N,
    "definitions": "def model(x, y):\n" * N,
    "statements at the margin": "    x = (\n" + "x\n" * N,
    "braces": '{"score":' * N,
    "lists": '{"score":' + "[" * N,
    "blanks": " \t" * N * 4,
    "words": "a " * N * 4,
    "carriage returns": "\r" * N * 8,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_no_flood_takes_long(flood: str) -> None:
    reply = FLOODS[flood]
    parent = CORPUS[0]
    started = time.process_time()
    holds(parent, lambda: edited(parent, reply))
    holds(parent, lambda: rewritten(parent, reply))
    holds(parent, lambda: continued(parent, targets(parent)[0], reply, 1))
    said(reply, "none")
    read_instruction(reply)
    read_judgement(reply)
    assert time.process_time() - started < 30  # far above what is needed, far below what a square would take


def test_a_monotonous_program_and_a_monotonous_edit_take_no_square() -> None:
    parent = Program({"p.py": "x = 1\n" * 20_000})
    reply = "<<<<<<< SEARCH\n" + "x = 1\n" * 10_000 + "x = 2\n=======\nx = 3\n>>>>>>> REPLACE"
    started = time.process_time()
    with pytest.raises(EditRefused, match="do not stand"):
        edited(parent, reply)
    assert time.process_time() - started < 30
