"""Text into tokens: as its bytes, or by a tokenizer that Hugging Face's `tokenizers` saved as a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from quiltwork.pretrain.data.tokens import DataError, Tokens, TokenWriter


class Tokenizer(Protocol):
    """Text into numbers below `vocabulary`. `separator` follows every document; none: they run into each other."""

    vocabulary: int
    separator: int | None

    def encode(self, text: str) -> Tokens:
        """Give a text's tokens."""


class ByteTokenizer:
    """UTF-8: every byte is a token, and zero, which is in no text, follows every document."""

    vocabulary = 256
    separator = 0

    def encode(self, text: str) -> Tokens:
        """See Tokenizer."""
        return np.frombuffer(text.encode(), dtype=np.uint8)


class FileTokenizer:
    """A `tokenizer.json` of Hugging Face's. Raises DataError if it cannot be read or lacks the separator."""

    def __init__(self, path: Path, separator: str = "") -> None:
        try:
            from tokenizers import Tokenizer as HuggingFaceTokenizer
        except ImportError as error:
            raise DataError(f"{path}: reading it needs the package 'tokenizers': pip install tokenizers") from error
        try:
            self._tokenizer = HuggingFaceTokenizer.from_buffer(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise DataError(f"{path} is not a tokenizer.json: {error}") from error
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        self.vocabulary = max(ids.values(), default=0) + 1  # ids may have gaps
        if separator and separator not in ids:
            raise DataError(f"{path}: the separator {separator!r} is not one of its {len(ids):,} tokens")
        self.separator = ids[separator] if separator else None

    def encode(self, text: str) -> Tokens:
        """See Tokenizer."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.uint32)


def write_tokens(path: Path, documents: Iterable[str], tokenizer: Tokenizer) -> int:
    """Write a token file of documents, one in memory at a time. Gives the number of tokens. Raises DataError."""
    with TokenWriter(path, tokenizer.vocabulary) as writer:
        for document in documents:
            writer.write(tokenizer.encode(document))
            if tokenizer.separator is not None:
                writer.write([tokenizer.separator])
    return writer.count
