"""Token files: a header of 32 bytes, then the tokens, each 1, 2 or 4 bytes, little-endian.

    bytes 0-15   "quiltwork.tokens"
    16-17        version, 1
    18-19        bytes per token: 1, 2 or 4
    20-23        how many different tokens there are (0: 2^32)
    24-31        how many tokens follow

A file without that header is read, too, if the config says what its tokens are (nanoGPT and Psyche write such files).
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quiltwork.errors import UserError

MAGIC = b"quiltwork.tokens"
VERSION = 1
HEADER = struct.Struct("<16sHHIQ")
WIDTHS: dict[int, np.dtype[Any]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}

Tokens = NDArray[Any]
"""[tokens], of an unsigned type."""


class DataError(UserError):
    """Data that cannot be read as the config says. The text names the source or field, the file and the reason."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file's tokens are and what they can be."""

    width: int
    """Bytes per token."""
    offset: int
    """Bytes before the first."""
    count: int
    """Tokens."""
    vocabulary: int
    """Every token is below."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the tokens on the disk."""
        return WIDTHS[self.width]


def layout(head: bytes, size: int, name: str, dtype: str = "", vocabulary: int = 0) -> Layout:
    """Read the layout from a file's first bytes and its size. `dtype` and `vocabulary` are the config's. Raises DataError."""
    if head.startswith(MAGIC) and len(head) >= HEADER.size:
        return _headed(head, size, name, dtype)
    if not dtype:
        raise DataError(
            f"{name} has no header of ours. If it holds nothing but tokens, say of which type: dtype = 'uint16', for example."
        )
    width = np.dtype(dtype).itemsize
    if size % width:
        raise DataError(f"{name}: {size:,} bytes are no whole number of tokens of dtype {dtype}")
    return Layout(width, 0, size // width, vocabulary or 256**width)


def _headed(head: bytes, size: int, name: str, dtype: str) -> Layout:
    _, version, width, vocabulary, count = HEADER.unpack(head[: HEADER.size])
    if version != VERSION or width not in WIDTHS:
        raise DataError(
            f"{name} is of version {version} with {width} bytes a token; this program reads version {VERSION}"
        )
    if dtype and np.dtype(dtype).itemsize != width:
        raise DataError(f"{name} holds tokens of {width} bytes; dtype says {dtype}")
    if size != HEADER.size + count * width:
        raise DataError(
            f"{name} should have {HEADER.size + count * width:,} bytes for {count:,} tokens and has {size:,}; "
            "it was cut off or not written to the end"
        )
    return Layout(width, HEADER.size, count, vocabulary or 2**32)


class TokenFile(Protocol):
    """Tokens by their place, wherever they are. Threads may read at once."""

    name: str
    layout: Layout

    def read(self, start: int, stop: int) -> Tokens:
        """Give tokens start to stop - 1. Raises DataError."""


class ArrayFile:
    """Tokens in memory."""

    def __init__(self, name: str, tokens: Tokens, vocabulary: int) -> None:
        self.name = name
        self.layout = Layout(tokens.dtype.itemsize, 0, len(tokens), vocabulary)
        self._tokens = tokens

    def read(self, start: int, stop: int) -> Tokens:
        """See TokenFile."""
        return self._tokens[start:stop]


class LocalFile:
    """Tokens on a disk, memory-mapped: what is not read is not loaded, and the system's cache keeps what is."""

    def __init__(self, path: Path, dtype: str = "", vocabulary: int = 0) -> None:
        self.name = str(path)
        try:
            with open(path, "rb") as file:
                head, size = file.read(HEADER.size), os.fstat(file.fileno()).st_size
            self.layout = layout(head, size, self.name, dtype, vocabulary)
            where, shape = self.layout.offset, (self.layout.count,)
            empty = np.empty(0, self.layout.dtype)  # which no file can be mapped as
            self._tokens = np.memmap(path, self.layout.dtype, "r", where, shape) if self.layout.count else empty
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error

    def read(self, start: int, stop: int) -> Tokens:
        """See TokenFile."""
        return np.array(self._tokens[start:stop])


class TokenWriter:
    """Write a token file of any length. It appears whole or not at all.

    with TokenWriter(path, vocabulary=256) as writer:
        writer.write(tokens)
    """

    def __init__(self, path: Path, vocabulary: int) -> None:
        if not 1 <= vocabulary <= 2**32:
            raise ValueError(f"a vocabulary of {vocabulary} tokens has no width; 1 to 2^32 have")
        self.path, self.vocabulary, self.count = path, vocabulary, 0
        self._width = next(width for width in WIDTHS if vocabulary <= 256**width)
        self._unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")

    def __enter__(self) -> TokenWriter:
        try:
            self._file = open(self._unfinished, "xb")  # __exit__ closes it
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}") from error
        self._file.write(bytes(HEADER.size))
        return self

    def write(self, tokens: Sequence[int] | Tokens) -> None:
        """Append tokens. Raises DataError for one that the vocabulary lacks."""
        given = np.asarray(tokens)
        if given.size and not 0 <= given.min() <= given.max() < self.vocabulary:
            raise DataError(
                f"{self.path}: tokens from {given.min()} to {given.max()} do not fit a vocabulary of {self.vocabulary}"
            )
        self._file.write(given.astype(WIDTHS[self._width]).tobytes())
        self.count += given.size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._file.seek(0)
                self._file.write(HEADER.pack(MAGIC, VERSION, self._width, self.vocabulary % 2**32, self.count))
            self._file.close()
            if kind is None:
                os.replace(self._unfinished, self.path)
        finally:
            self._file.close()
            self._unfinished.unlink(missing_ok=True)
