"""Gallery problems without a jail: load their modules, call their programs in this process, answer as a hostile one would."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from quiltwork.evolve.certify import to_json
from quiltwork.evolve.score import Certificate, Data

GALLERY = Path(__file__).parents[2] / "gallery"


def module(problem: str, name: str) -> types.ModuleType:
    """A module of a problem's folder, with its siblings importable, as the driver loads it."""
    package = f"gallery_{problem}"
    if package not in sys.modules:
        parent = types.ModuleType(package)
        parent.__path__ = [str(GALLERY / problem)]
        sys.modules[package] = parent
    return importlib.import_module(f"{package}.{name}")


def source(problem: str, *parts: str) -> str:
    """The text of one of the folder's files."""
    return GALLERY.joinpath(problem, *parts).read_text("utf-8")


class Direct:
    """A candidate handle that runs a program's text here."""

    def __init__(self, text: str, *, start: Data = None, seed: int = 0) -> None:
        self.start, self.seed, self.stage = start, seed, "full"
        self._names: dict[str, Any] = {"__name__": "program"}
        exec(compile(text, "program.py", "exec"), self._names)

    def call(self, function: str, *args: Data, **kwargs: Data) -> Data:
        return self._names[function](*args, **kwargs)

    def construct(self, function: str, **kwargs: Data) -> Data:
        return self.call(function, start=self.start, **kwargs)


class Replies:
    """A candidate that answers every call with the same data, or with what a function makes of the call's arguments."""

    def __init__(self, reply: Data | Callable[..., Data]) -> None:
        self.start, self.seed, self.stage = None, 0, "full"
        self._reply = reply

    def call(self, function: str, *args: Data, **kwargs: Data) -> Data:
        return self._reply(*args, **kwargs) if callable(self._reply) else self._reply

    construct = call


def seed_program(problem: str, **options: Any) -> Direct:
    """The program that the folder starts from."""
    return Direct(source(problem, "program", "program.py"), **options)


def with_block(problem: str, function: str, name: str) -> Direct:
    """The seed program with one of its building blocks in the place of the function."""
    text = source(problem, "program", "program.py") + "\n\n" + source(problem, "blocks", function, f"{name}.py")
    return Direct(text)


def building_blocks(problem: str, function: str) -> list[str]:
    return sorted(path.stem for path in GALLERY.joinpath(problem, "blocks", function).glob("*.py"))


def check_file(problem: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the folder's check.py on a certificate's file, as a stranger would: by an interpreter that cannot find this library."""
    script = GALLERY / problem / "check.py"
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(path)], capture_output=True, text=True, check=False
    )


def independent_check(
    problem: str, certificate: Certificate, folder: Path, change: Mapping[str, Data] | None = None
) -> subprocess.CompletedProcess[str]:
    """Write a certificate, with some of its fields changed, and check the file."""
    path = folder / "certificate.json"
    path.write_text(json.dumps(json.loads(to_json(certificate)) | dict(change or {})), "utf-8")
    return check_file(problem, path)


HOSTILE_NUMBERS = [np.nan, np.inf, -np.inf]
