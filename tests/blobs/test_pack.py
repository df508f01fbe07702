from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quiltwork.blobs.pack import pack, unpack
from quiltwork.errors import UserError


def test_a_folder_comes_out_as_it_went_in_but_for_what_is_hidden_or_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "deep" / "__pycache__").mkdir(parents=True)
    (folder / "deep" / "data").write_bytes(b"\0\xff")
    (folder / "note.txt").write_text("hello")
    (folder / ".secret").write_text("key")
    (folder / "deep" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    unpack(pack(folder), tmp_path / "two")
    found = {str(path.relative_to(tmp_path / "two")) for path in (tmp_path / "two").rglob("*") if path.is_file()}
    assert found == {"note.txt", "deep/data"}
    assert pack(tmp_path / "two") == pack(folder)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside"])
def test_a_file_that_would_lie_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="outside itself"):
        unpack(msgspec.msgpack.encode({name: b"x"}), tmp_path / "folder")
