"""A folder as one value: the same content gives the same bytes, wherever and whenever it is packed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quiltwork.errors import UserError


def pack(folder: Path) -> bytes:
    """Every file of a folder by relative path, but for hidden ones and compiled Python, as a sorted MessagePack map."""
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
    }
    return msgspec.msgpack.encode(files, order="deterministic")


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files of `pack` below a folder. Raises `UserError` for one that would lie outside it."""
    for name, content in msgspec.msgpack.decode(packed, type=dict[str, bytes]).items():
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"a packed folder holds a file outside itself, {name!r}; it was tampered with")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
