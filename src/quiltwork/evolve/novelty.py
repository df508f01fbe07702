"""What a program is apart from how it is written: its normal form, and its size."""

from __future__ import annotations

import re
from functools import lru_cache

import blake3

from quiltwork.evolve.program import Program
from quiltwork.evolve.source import normal_form, split

_TOKEN = re.compile(r"\w+|[^\w\s]")


@lru_cache(maxsize=4_096)
def normal_hash(program: Program) -> str:
    """Make 32 hex digits that two programs share if they differ in comments, formatting and docstrings only.

    Python files count by their syntax tree (all names kept, `pass` and bare strings gone); other files, and Python
    files that do not parse, by their text with every run of white space squeezed to one blank.
    """
    digest = blake3.blake3()
    for path, text in program.files.items():
        digest.update(f"{path}\n".encode())
        digest.update(_normal_of_file(path, text))
    return digest.hexdigest(16)


@lru_cache(maxsize=4_096)
def measure(program: Program) -> tuple[int, int]:
    """Measure the built-in descriptors `program.nodes` and `program.lines`.

    Nodes of the syntax tree for Python files, words and signs for others; lines that are not blank.
    """
    nodes = sum(_size_of_file(path, text) for path, text in program.files.items())
    lines = sum(1 for text in program.files.values() for line in text.splitlines() if line.strip())
    return nodes, lines


def _normal_of_file(path: str, text: str) -> bytes:
    pieces = split(text) if path.endswith(".py") else None
    if pieces is None:
        return b"text" + blake3.blake3(" ".join(text.split()).encode("utf-8", "surrogatepass")).digest()
    forms = [found for each in pieces if (found := normal_form(each)) is not None]
    return b"tree" + b"".join(digest for digests, _ in forms for digest in digests)


def _size_of_file(path: str, text: str) -> int:
    pieces = split(text) if path.endswith(".py") else None
    if pieces is None:
        return sum(1 for _ in _TOKEN.finditer(text))
    return sum(found[1] for each in pieces if (found := normal_form(each)) is not None)
