"""A whole block replaced by one fenced block of code, in any language."""

from __future__ import annotations

import re

from quiltwork.evolve.editing.fences import Fence, fences
from quiltwork.evolve.editing.refusal import EditRefused
from quiltwork.evolve.editing.splice import (
    block_text,
    checked,
    indentation,
    normal_text,
    reindented,
    with_blocks,
)
from quiltwork.evolve.program import Block, MarkerError, Program, ProgramError, blocks

_NAMED = re.compile(r"\bblock[ \t]*#?(\d{1,4})\b", re.IGNORECASE)


def rewritten(program: Program, reply: str, *, cut_off: bool = False) -> Program:
    """The program with one block (or each block that the reply names) exchanged for fenced code.

    With one block, the longest fence counts. With several, a fence belongs to the block whose number ("BLOCK 2") or file
    stands behind the fence or on the line before it. Code that brings the markers along counts between its markers.
    Raises `EditRefused`. `cut_off` says that the reply ended because it became too long.
    """
    found = fences(normal_text(reply))
    if not any(fence.code.strip() for fence in found):
        raise EditRefused("there is no fenced code in the answer")
    if not found[-1].closed and cut_off:
        raise EditRefused("the answer was cut off inside its code")
    places = blocks(program)
    if len(places) == 1:
        longest = max(found, key=lambda fence: len(fence.code))
        texts = _pieces(program, places, longest)
    else:
        texts = {}
        for fence in found:
            texts |= _pieces(program, _meant(places, fence), fence)
    if not texts:
        listed = ", ".join(f"BLOCK {n} ({block.path})" for n, block in enumerate(places, start=1))
        raise EditRefused(f"the answer does not say which block its code replaces; there are {listed}"[:400])
    return checked(program, with_blocks(program, texts))


def _meant(places: tuple[Block, ...], fence: Fence) -> tuple[Block, ...]:
    """The block that a fence names by its number, or the blocks of the file that it names."""
    for words in (fence.info, fence.before):
        number = _NAMED.search(words[:400])
        if number and 1 <= int(number[1]) <= len(places):
            return (places[int(number[1]) - 1],)
        parts = re.split(r"[\s`*\"':,()=]+", words[:400])
        if named := tuple(block for block in places if block.path in parts):
            return named
    return ()


def _pieces(program: Program, meant: tuple[Block, ...], fence: Fence) -> dict[Block, str]:
    """What a fence puts into the blocks it is meant for: all of its code into one, or what its own markers enclose."""
    if not meant:
        return {}
    if "EVOLVE-BLOCK-" in fence.code:
        return _between_markers(meant, fence.code)
    if len(meant) > 1:
        raise EditRefused(f"{meant[0].path} has {len(meant)} blocks: say BLOCK and the number of one before its code")
    return {meant[0]: _fitted(program, meant[0], fence.code)}


def _between_markers(meant: tuple[Block, ...], code: str) -> dict[Block, str]:
    try:
        whole = Program({meant[0].path: code})
        whole.encode()
        own = blocks(whole)
    except MarkerError as error:
        raise EditRefused(f"the markers in the answer do not pair up: {error}") from error
    except ProgramError as error:
        raise EditRefused(str(error)) from error
    if len(own) != len(meant):
        raise EditRefused(f"the code has {len(own)} marked blocks where {len(meant)} should be replaced")
    return {block: block_text(whole, mine) for block, mine in zip(meant, own, strict=True)}


def _fitted(program: Program, block: Block, code: str) -> str:
    """Python is moved to the indentation of the block that it replaces; blank lines at the block's ends stay as they were."""
    old = block_text(program, block)
    code = code.strip("\n")
    if not code.strip():
        raise EditRefused("the fenced code is empty")
    if block.path.endswith(".py") and old.strip():
        code = reindented(code, indentation(old))
    before = len(old) - len(old.lstrip("\n"))
    after = len(old) - len(old.rstrip("\n")) if old.strip() else 1
    return "\n" * before + code + "\n" * max(1, after)
