from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from quiltwork.pretrain.data import corpus as module
from quiltwork.pretrain.data.corpus import BLOCK_BYTES, bible, corpus, python_sources
from quiltwork.pretrain.data.tokens import DataError


def all_of(name: str, part: str) -> bytes:
    file = corpus(name, part)
    return file.read(0, file.layout.count).tobytes()


def test_every_twentieth_block_of_64_kib_is_held_out_and_the_rest_is_trained_on() -> None:
    text, held_out, train = python_sources(), all_of("python", "held_out"), all_of("python", "train")
    assert held_out[:BLOCK_BYTES] == text[19 * BLOCK_BYTES : 20 * BLOCK_BYTES]
    assert train[: 19 * BLOCK_BYTES] == text[: 19 * BLOCK_BYTES]
    assert train[19 * BLOCK_BYTES : 38 * BLOCK_BYTES] == text[20 * BLOCK_BYTES : 39 * BLOCK_BYTES]
    assert len(held_out) + len(train) == len(text)
    assert len(held_out) % BLOCK_BYTES == 0 or len(text) // BLOCK_BYTES % 20 == 19


def test_the_standard_library_is_megabytes_of_python_without_its_tests() -> None:
    text = python_sources()
    assert len(text) > 5_000_000
    assert (Path(np.__file__).parent / "__init__.py").read_bytes() not in text
    assert b"class OrderedDict" in text


@pytest.mark.skipif(shutil.which("bible") is None, reason="Debian's bible-kjv is not installed")
def test_the_bible_is_one_verse_a_line_from_the_beginning() -> None:
    text = bible()
    assert text.startswith(b"Ge1:1 In the beginning God created the heaven and the earth.\n")
    assert text.count(b"\n") == 31_102


def test_a_corpus_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    monkeypatch.setattr(module.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(DataError, match="apt install bible-kjv"):
        bible.__wrapped__()
    with pytest.raises(DataError, match="no sources in"):
        python_sources.__wrapped__()


def test_a_corpus_whose_command_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "bible"
    command.write_text("#!/bin/sh\necho no text >&2\nexit 3\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(DataError, match="failed: no text"):
        bible.__wrapped__()
