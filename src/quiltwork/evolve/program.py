"""A program: a set of text files, named by the hash of what they hold, with the blocks in which it may change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import blake3
import msgspec

from quiltwork.errors import UserError

SIZE_LIMIT_MB = 8
"""A program travels with every step of a run; data belongs into the problem's folder, where the evaluator reads it."""

_MARKER = re.compile(r"^(?:[^\w\"'`]*|\s*(?:REM|rem|dnl)\s+)EVOLVE-BLOCK-(START|END)(?![\w-])")
_MARKER_BEHIND_CODE = re.compile(
    r"\S\s*(?:#|//|--|%|;|/\*|\(\*|<!--)\s*EVOLVE-BLOCK-(?:START|END)\s*(?:\*/|\*\)|-->)?\s*$"
)
_LINE_END = re.compile(r"\r\n|\r|\n")


class ProgramError(UserError):
    """Files that make no program: a bad path, text that is no UTF-8, or too much of it."""


class MarkerError(ProgramError):
    """EVOLVE-BLOCK markers that do not pair up."""


@dataclass(frozen=True, eq=False)
class Program:
    """Text files by relative path, in the order of their paths. A value: equal files are equal programs.

    Raises `ProgramError` for a path that is absolute, leaves the folder, or names a file and a folder at once.
    """

    files: Mapping[str, str]

    def __post_init__(self) -> None:
        files = {path: self.files[path] for path in sorted(self.files)}
        for path, text in files.items():
            _check_path(path)
            if not isinstance(text, str):
                raise ProgramError(f"{path}: a program's file holds text, not {type(text).__name__}")
        for path in files:
            folder = next((str(p) for p in PurePosixPath(path).parents if str(p) in files), None)
            if folder is not None:
                raise ProgramError(f"{path}: {folder} is a file of the program and cannot also be a folder")
        object.__setattr__(self, "files", MappingProxyType(files))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.files == other.files

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[type[Program], tuple[dict[str, str]]]:
        return Program, (dict(self.files),)

    def __repr__(self) -> str:
        return f"Program({self.id[:8]}: {', '.join(self.files)})"

    @cached_property
    def id(self) -> str:
        """BLAKE3 of `encode()`, 64 hex digits: the id of its blob."""
        return blake3.blake3(self.encode()).hexdigest()

    def encode(self) -> bytes:
        """Write the canonical bytes, a sorted MessagePack map of path to text; `ProgramError` beyond the size limit."""
        try:
            encoded = msgspec.msgpack.encode(dict(self.files), order="deterministic")
        except UnicodeEncodeError as error:
            bad = next(path for path, text in self.files.items() if _is_not_utf8(text))
            raise ProgramError(f"{bad}: the text cannot be written as UTF-8: {error.reason}") from error
        if len(encoded) > SIZE_LIMIT_MB * 2**20:
            raise ProgramError(
                f"the program has {len(encoded) / 2**20:.1f} MiB of text; at most {SIZE_LIMIT_MB} are kept"
            )
        return encoded

    @classmethod
    def decode(cls, encoded: bytes) -> Program:
        """Read `encode()`'s bytes; anything else, non-canonical bytes included, raises `ProgramError`."""
        try:
            program = cls(msgspec.msgpack.decode(encoded, type=dict[str, str]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProgramError(f"these bytes are no program: {error}") from error
        if program.encode() != encoded:
            raise ProgramError("these bytes are no program: they are not in canonical form")
        return program

    def with_file(self, path: str, text: str) -> Program:
        """Return the same program with one file's text changed, or one file more."""
        return Program({**self.files, path: text})

    @classmethod
    def load(cls, folder: Path) -> Program:
        """Read all files below a folder, but hidden ones and `__pycache__`; a `ProgramError` names the file."""
        files = {}
        for file in sorted(folder.rglob("*")):
            relative = file.relative_to(folder)
            if any(part.startswith(".") or part == "__pycache__" for part in relative.parts) or not file.is_file():
                continue
            try:
                files[relative.as_posix()] = file.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ProgramError(
                    f"{file}: not UTF-8 text (byte {error.start}); a program is made of text, data belongs elsewhere"
                ) from error
        if not files:
            raise ProgramError(f"{folder}: no file in it; put the program to improve there")
        program = cls(files)
        program.encode()
        return program

    def save(self, folder: Path) -> None:
        """Write the files below a folder, which is made when it is not there. Other files in it are left alone."""
        for path, text in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class Block:
    """What may change: lines `first` to `last` of a file, from 1, both included. Empty if `last < first`."""

    path: str
    first: int
    last: int


@lru_cache(maxsize=512)
def blocks(program: Program) -> tuple[Block, ...]:
    """List the blocks of a program, in the order of files and lines.

    They stand between lines `EVOLVE-BLOCK-START` and `EVOLVE-BLOCK-END`, each in a comment of its own, whatever the
    language. A program without any marker is one block per file. Raises `MarkerError` where they do not pair up.
    """
    marked = tuple(block for path, text in program.files.items() for block in _marked(path, text))
    if marked:
        return marked
    return tuple(Block(path, 1, len(line_starts(text)) - 1) for path, text in program.files.items())


def within_blocks(old: Program, new: Program) -> bool:
    """Whether `new` is `old` but for the insides of its blocks: no file more or less, every marker where it was."""
    if old.files.keys() != new.files.keys():
        return False
    try:
        return _frame(old) == _frame(new)
    except MarkerError:
        return False


def line_starts(text: str) -> list[int]:
    """Where each line begins, as Python's own tokeniser counts lines, and the end of the text last.

    `str.splitlines` also breaks at form feeds and Unicode separators, which would put every position behind one wrong.
    """
    starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
    return starts if starts[-1] == len(text) and len(starts) > 1 else [*starts, len(text)]


def _check_path(path: str) -> None:
    parts = path.split("/") if isinstance(path, str) else [""]
    if any(part in ("", ".", "..") for part in parts) or "\\" in path or not path.isprintable():
        raise ProgramError(
            f"{path!r}: a program's file needs a relative path such as 'lib/pack.py', without '..' in it"
        )


def _is_not_utf8(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _marked(path: str, text: str) -> list[Block]:
    if "EVOLVE-BLOCK-" not in text:
        return []
    found: list[Block] = []
    opened = 0
    for number, (start, stop) in enumerate(pairwise(line_starts(text)), start=1):
        line = text[start:stop]
        if "EVOLVE-BLOCK-" not in line:
            continue
        marker = _MARKER.match(line)
        if marker is None:
            if _MARKER_BEHIND_CODE.search(line):
                raise MarkerError(
                    f"{path}:{number}: an EVOLVE-BLOCK marker needs a line of its own, without code on it"
                )
        elif marker[1] == "START":
            if opened:
                raise MarkerError(
                    f"{path}:{number}: EVOLVE-BLOCK-START inside the block that line {opened} began; end that first"
                )
            opened = number
        else:
            if not opened:
                raise MarkerError(f"{path}:{number}: EVOLVE-BLOCK-END without an EVOLVE-BLOCK-START before it")
            found.append(Block(path, opened + 1, number - 1))
            opened = 0
    if opened:
        raise MarkerError(f"{path}:{opened}: EVOLVE-BLOCK-START without an EVOLVE-BLOCK-END after it")
    return found


@lru_cache(maxsize=512)
def _frame(program: Program) -> dict[str, tuple[str, ...]]:
    """Cut out what must not change: per file the texts around its blocks, nothing where all of it is one block."""
    marked = {path: _marked(path, text) for path, text in program.files.items()}
    if not any(marked.values()):
        return dict.fromkeys(program.files, ())
    return {path: _around(program.files[path], inside) for path, inside in marked.items()}


def _around(text: str, inside: list[Block]) -> tuple[str, ...]:
    starts = line_starts(text)
    cuts = [0, *(starts[line] for block in inside for line in (block.first - 1, block.last)), len(text)]
    return tuple(text[start:stop] for start, stop in zip(cuts[::2], cuts[1::2], strict=True))
