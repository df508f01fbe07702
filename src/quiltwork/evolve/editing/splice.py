"""Texts into blocks, and what every child must satisfy."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from itertools import pairwise

from quiltwork.evolve.editing.refusal import EditRefused, numbered
from quiltwork.evolve.program import Block, Program, ProgramError, blocks, line_starts, within_blocks
from quiltwork.evolve.source import parse

REPLY_LIMIT = 2**20
"""Characters of a reply that are read. More than this is no program that somebody will read, and parsing it takes seconds."""

AROUND = 3
"""Lines shown before and after the one that is no Python."""

_LINE_END = re.compile(r"\r\n?")


def normal_text(reply: str) -> str:
    """A reply with plain line feeds; raises `EditRefused` for one that is too long to be read."""
    if len(reply) > REPLY_LIMIT:
        raise EditRefused(f"the answer has {len(reply)} characters; at most {REPLY_LIMIT} are read")
    return _LINE_END.sub("\n", reply)


def lines_of(text: str) -> list[str]:
    """The lines of a file without their ends, numbered as `blocks` numbers them."""
    return [text[start:stop].rstrip("\r\n") for start, stop in pairwise(line_starts(text))]


def block_text(program: Program, block: Block) -> str:
    """What stands in a block, with plain line feeds."""
    text = program.files[block.path]
    starts = line_starts(text)
    return _LINE_END.sub("\n", text[starts[block.first - 1] : starts[block.last]])


def with_blocks(program: Program, texts: Mapping[Block, str]) -> Program:
    """Exchange what stands in some blocks of a program. The file's own kind of line end is kept."""
    files = dict(program.files)
    for block in sorted(texts, key=lambda block: (block.path, -block.first)):
        old, new = files[block.path], texts[block]
        starts = line_starts(old)
        if new and not new.endswith("\n"):
            new += "\n"
        if "\r\n" in old:
            new = new.replace("\n", "\r\n")
        files[block.path] = old[: starts[block.first - 1]] + new + old[starts[block.last] :]
    return Program(files)


def checked(parent: Program, child: Program) -> Program:
    """Return a child that may be evaluated, or raise `EditRefused`.

    It must differ from its parent, in the blocks only, with every marker in its place; Python must be Python, unless the
    parent's own file is not.
    """
    if child == parent:
        raise EditRefused("it changes nothing: the program is the same as before")
    try:
        child.encode()
        blocks(child)
    except ProgramError as error:
        raise EditRefused(str(error)) from error
    if not within_blocks(parent, child):
        outside = ", ".join(touched_outside(parent, child))
        raise EditRefused(f"it changes what stands outside the EVOLVE blocks, or their markers: {outside}")
    for path, text in child.files.items():
        if path.endswith(".py") and text != parent.files[path]:
            _check_python(path, text, parent.files[path])
    return child


def touched_outside(parent: Program, child: Program) -> list[str]:
    """The files that changed outside their blocks, or are new or gone."""
    return [
        path
        for path in sorted(parent.files.keys() | child.files.keys())
        if path not in parent.files
        or path not in child.files
        or not within_blocks(parent, parent.with_file(path, child.files[path]))
    ]


def indentation(text: str) -> str:
    """The white space that all lines with something on them begin with."""
    found: str | None = None
    for line in text.split("\n"):
        if not line.strip():
            continue
        own = line[: len(line) - len(line.lstrip(" \t"))]
        if found is None or not own.startswith(found):
            found = own if found is None else _common(found, own)
        if not found:
            break
    return found or ""


def reindented(text: str, indent: str) -> str:
    """The same text with its common indentation exchanged. Lines inside strings move along."""
    old = indentation(text)
    if old == indent:
        return text
    return "\n".join(indent + line[len(old) :] if line.strip() else line for line in text.split("\n"))


def _common(first: str, second: str) -> str:
    length = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return first[: min(len(first), len(second)) if length is None else length]


def python_error(text: str) -> tuple[int, str] | None:
    """The line (from 1, 0 where none is known) and the reason why a text is no Python; None where it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError as error:
            return error.lineno or 0, error.msg
        except (ValueError, RecursionError, MemoryError) as error:
            return 0, str(error) or "it is nested too deeply"
    return None


def _check_python(path: str, text: str, before: str) -> None:
    error = python_error(text)
    if error is None or parse(before) is None:
        return
    line, message = error
    shown = numbered(lines_of(text), line - AROUND, line + AROUND, marked=line) if line else ""
    raise EditRefused(
        f"{path}:{line}: no valid Python: {message}" if line else f"{path}: no valid Python: {message}", shown
    )
