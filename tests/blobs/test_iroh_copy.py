from __future__ import annotations

import ctypes
from typing import Any

import pytest
from iroh import iroh_ffi

from quiltwork.blobs import iroh_copy
from quiltwork.blobs.iroh import IrohTransport


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package as it is generated, whatever another test has mended."""

    def slow(self: Any, value: bytes) -> None:
        with self._reserve(len(value)):
            for i, byte in enumerate(value):
                self.rbuf.data[self.rbuf.len + i] = byte

    monkeypatch.setattr(iroh_ffi._UniffiRustBufferBuilder, "write", slow)
    return slow


def test_the_mend_is_put_in_place_once_and_copies_truly(generated: Any) -> None:
    assert iroh_copy.mend() is None
    assert iroh_ffi._UniffiRustBufferBuilder.write is iroh_copy._write
    assert iroh_copy.mend() is None
    assert iroh_copy._copies(iroh_ffi)


def test_a_version_that_it_was_not_tried_with_stays_as_it_is_and_is_announced(
    generated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iroh_copy, "version", lambda _: "9.9.9")
    assert "this is 9.9.9" in str(iroh_copy.mend())
    assert iroh_ffi._UniffiRustBufferBuilder.write is generated
    with pytest.warns(RuntimeWarning, match=r"a few MB/s only.*9\.9\.9"):
        IrohTransport("x/1")


def test_a_copy_that_gives_other_bytes_is_taken_back(generated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "memmove", lambda *_: None)
    assert "other bytes" in str(iroh_copy.mend())
    assert iroh_ffi._UniffiRustBufferBuilder.write is generated


def test_a_copy_that_fails_is_taken_back(generated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise AttributeError("rbuf")

    monkeypatch.setattr(ctypes, "memmove", fails)
    assert "AttributeError: rbuf" in str(iroh_copy.mend())
    assert iroh_ffi._UniffiRustBufferBuilder.write is generated
