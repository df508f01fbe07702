"""SEARCH/REPLACE edits: found in the parent exactly, then but for white space, made all together or not at all.

<<<<<<< SEARCH
lines as they are
=======
lines that replace them
>>>>>>> REPLACE
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quiltwork.evolve.editing.places import LEVELS, Place, nearest
from quiltwork.evolve.editing.refusal import EditRefused, numbered
from quiltwork.evolve.editing.splice import checked, lines_of, normal_text
from quiltwork.evolve.program import Program, blocks, line_starts

MOST_EDITS = 50
"""In one answer. Whoever needs more rewrites the block."""

AROUND = 3
"""Lines shown before and after those that come nearest to a SEARCH."""

_BEGIN = re.compile(r"[ \t]*+<{5,9} ?SEARCH\b[^\n]{0,200}$")
_MIDDLE = re.compile(r"[ \t]*+={5,9}[ \t]*+$")
_END = re.compile(r"[ \t]*+>{5,9} ?REPLACE\b[^\n]{0,200}$")
_FENCE = re.compile(r"[ \t]*+`{3,}")


@dataclass(frozen=True, slots=True)
class Edit:
    """What an answer wants exchanged: `named` are the words just before it, among which a file's path may be."""

    named: str
    search: tuple[str, ...]
    replacement: tuple[str, ...]

    @property
    def text(self) -> str:
        """The edit as it was written."""
        return "\n".join(["<<<<<<< SEARCH", *self.search, "=======", *self.replacement, ">>>>>>> REPLACE"])


@dataclass(frozen=True, slots=True)
class Change:
    """Lines `first` up to but not including `last` of a file, from 0, and what stands there afterwards."""

    path: str
    first: int
    last: int
    lines: tuple[str, ...]


def edited(program: Program, reply: str, *, cut_off: bool = False) -> Program:
    """The program with all edits of an answer made; raises `EditRefused` where one of them cannot be.

    The lines that an edit really changes must lie in one block. It may quote lines around the block, the markers too, if
    its replacement repeats them.
    """
    edits = list(dict.fromkeys(parse_edits(normal_text(reply), cut_off=cut_off)))
    if not edits:
        raise EditRefused("there is no SEARCH/REPLACE edit in the answer")
    if len(edits) > MOST_EDITS:
        raise EditRefused(f"{len(edits)} edits; at most {MOST_EDITS} are made")
    files = {path: lines_of(text) for path, text in program.files.items()}
    changes = [_change(program, files, edit) for edit in edits if edit.search != edit.replacement]
    if not changes:
        raise EditRefused("it changes nothing: every REPLACE part is the same as its SEARCH part", edits[0].text)
    return checked(program, _made(program, changes))


def parse_edits(text: str, *, cut_off: bool = False) -> Iterator[Edit]:
    """Read the edits of an answer (with plain line feeds), in their order; raises `EditRefused` for one without an end."""
    lead: list[str] = []
    search: list[str] | None = None
    replacement: list[str] | None = None
    begun = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if search is None:
            if _BEGIN.match(line):
                search, begun = [], number
            elif line.strip():
                lead = [*lead[-1:], line.strip()[:400]]
        elif replacement is None:
            if _BEGIN.match(line):
                raise EditRefused(f"line {begun} of the answer begins an edit that has no ======= line")
            if _MIDDLE.match(line):
                replacement = []
            else:
                search.append(line)
        elif _END.match(line):
            yield Edit("\n".join(lead), _bare(search), _bare(replacement))
            search, replacement, lead = None, None, []
        elif _BEGIN.match(line):
            break
        else:
            replacement.append(line)
    if search is not None:
        missing = "=======" if replacement is None else ">>>>>>> REPLACE"
        why = "; the answer was cut off" if cut_off else ""
        raise EditRefused(f"line {begun} of the answer begins an edit that has no {missing} line{why}")


def _bare(lines: Sequence[str]) -> tuple[str, ...]:
    """Without a fence around the lines, which some models put there."""
    if len(lines) >= 2 and _FENCE.match(lines[0]) and _FENCE.match(lines[-1]):
        lines = lines[1:-1]
    return tuple(lines)


def _change(program: Program, lines_by_path: Mapping[str, list[str]], edit: Edit) -> Change:
    """Find the one place of an edit inside a block."""
    files = {path: lines_by_path[path] for path in _files(program, edit)}
    if not any(line.strip() for line in edit.search):
        return _into_empty_block(program, files, edit)
    for level in LEVELS:
        tolerant = level is not LEVELS[0]
        search = _stripped(edit.search) if tolerant else edit.search
        replacement = _stripped(edit.replacement) if tolerant else edit.replacement
        found = [
            _narrowed(path, lines, place, search, replacement)
            for path, lines in files.items()
            for place in level(lines, search)
        ]
        inside = [change for change in found if _in_a_block(program, change)]
        if len(inside) > 1:
            lines_found = ", ".join(f"{change.path}:{change.first + 1}" for change in inside[:5])
            raise EditRefused(
                f"the SEARCH lines stand in more than one place ({lines_found}): quote more lines", edit.text
            )
        if inside:
            return inside[0]
        if found:
            where = f"{found[0].path}:{found[0].first + 1}"
            raise EditRefused(f"the edit at {where} lies outside the EVOLVE blocks, which alone may change", edit.text)
    raise EditRefused("the SEARCH lines do not stand in the program", _shown(files, edit))


def _files(program: Program, edit: Edit) -> list[str]:
    """The file that an edit names, else all that have a block."""
    words = set(re.split(r"[\s`*\"'#:,()=]+", edit.named))
    named = [path for path in program.files if path in words]
    return named or list(dict.fromkeys(block.path for block in blocks(program)))


def _into_empty_block(program: Program, files: Mapping[str, list[str]], edit: Edit) -> Change:
    """Nothing to search for is an insertion, where there is one block with nothing in it."""
    places = [block for block in blocks(program) if block.path in files]
    if len(places) == 1 and not any(map(str.strip, files[places[0].path][places[0].first - 1 : places[0].last])):
        return Change(places[0].path, places[0].first - 1, places[0].last, edit.replacement)
    raise EditRefused("the SEARCH part is empty: quote the lines that are replaced", edit.text)


def _stripped(lines: Sequence[str]) -> tuple[str, ...]:
    """Without blank lines at both ends."""
    full = [index for index, line in enumerate(lines) if line.strip()]
    return tuple(lines[full[0] : full[-1] + 1]) if full else ()


def _narrowed(
    path: str, lines: Sequence[str], place: Place, search: Sequence[str], replacement: Sequence[str]
) -> Change:
    """The lines that really change: what SEARCH and REPLACE have in common at both ends is only quoted."""
    before = 0
    while before < min(len(search), len(replacement)) and search[before] == replacement[before]:
        before += 1
    after = 0
    most = min(len(search), len(replacement)) - before
    while after < most and search[-1 - after] == replacement[-1 - after]:
        after += 1
    new = tuple(place.shifted(line) for line in replacement[before : len(replacement) - after])
    return Change(path, place.first + before, place.first + len(search) - after, new)


def _in_a_block(program: Program, change: Change) -> bool:
    return any(
        block.path == change.path and block.first - 1 <= change.first and change.last <= block.last
        for block in blocks(program)
    )


def _made(program: Program, changes: Sequence[Change]) -> Program:
    """All changes at once. Positions are those of the parent, so they are made from the end to the beginning."""
    ordered = sorted(changes, key=lambda change: (change.path, change.first, change.last))
    for one, next_one in pairwise(ordered):
        if one.path == next_one.path and (next_one.first < one.last or next_one.first == one.first):
            raise EditRefused(f"two edits change the same lines of {one.path} near line {next_one.first + 1}")
    files = dict(program.files)
    for change in reversed(ordered):
        old = files[change.path]
        end = "\r\n" if "\r\n" in old else "\n"
        starts = line_starts(program.files[change.path])
        new = "".join(line + end for line in change.lines)
        files[change.path] = _joined(old[: starts[change.first]], new, old[starts[change.last] :], end)
    return Program(files)


def _joined(before: str, new: str, after: str, end: str) -> str:
    """A file whose last line has no end gets one before something follows it."""
    if before and new and not before.endswith(("\n", "\r")):
        before += end
    return before + new + after


def _shown(files: Mapping[str, list[str]], edit: Edit) -> str:
    """The edit, and the lines of each file that come nearest."""
    parts = [f"The edit:\n{edit.text[:4_000]}"]
    for path, lines in files.items():
        where = nearest(lines, edit.search)
        shown = numbered(lines, where + 1 - AROUND, where + len(edit.search) + AROUND)
        parts.append(f"The nearest lines of {path} (their numbers are not part of them):\n{shown}")
    return "\n\n".join(parts[:4])
