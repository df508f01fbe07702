"""Writing a problem folder out of a neighbour's: files beside the program, settings, models, and what is said about it."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from quiltwork.errors import UserError
from quiltwork.evolve.neighbours.table import Row, as_text

INSIDE = Path(__file__).parent / "inside"
"""Sources that are laid into the jail: adapters and stand-ins. Nothing here imports them."""

ROOM_MB = 3
"""Text beside a program: it travels with every evaluation."""

TMP_MB = 64
"""Private /tmp of one evaluation, program and evaluator included: evaluators write temporary files."""

MEMORY_MB = 4_096
PROCESSES = 16
"""What an evaluator may use where its configuration says nothing."""

CPU_PER_WALL = 8
"""Processor seconds per second of the time limit: threads may use several cores."""

START_S = 10.0
"""Wall seconds beside the evaluator's own limit: to import numpy and the like on a busy machine."""

_NOT_CARRIED = ("problem.toml", "requirements.txt", "run.sh")
_OUTPUTS = ("openevolve_output", "results", "checkpoints", "node_modules", "venv", "env", "build", "dist", "wandb")
_SETTINGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".env")
_WARM = ("numpy", "scipy", "pandas", "sympy", "networkx", "sklearn", "matplotlib")
"""Packages that are worth loading once, before programs are forked."""


class NeighbourError(UserError):
    """A neighbour's folder that cannot be converted."""


@dataclass(slots=True)
class Imported:
    """A neighbour's folder in our format, before it is written: files by path, and what the user should know of it."""

    source: str
    files: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seed: int | None = None

    def write(self, folder: Path) -> None:
        """Write the problem. Raises `NeighbourError` where the folder holds something already."""
        if folder.exists() and any(folder.iterdir()):
            raise NeighbourError(f"{folder}: not empty; nothing is written over. Name a folder that is not there yet")
        for name, text in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8", newline="")

    @property
    def notice(self) -> str:
        """What one must know before a run: one line."""
        kept = sum(row.honoured for row in self.rows)
        keys = [row.key for row in self.rows if not row.honoured]
        said = f"; {kept} keys of its configuration honoured" if self.rows else ""
        said += f", not honoured: {', '.join(keys)}" if keys else ""
        return (
            f"{self.source}: evaluator and program share one jail and a process there, so a hostile program could forge "
            f"its own score, never another's{said}"
        )

    def as_text(self, out: Path) -> str:
        """For people, once it is written to `out`."""
        lines = [self.notice.partition(";")[0]]
        if self.rows:
            lines += ["", "What became of its configuration:", as_text(self.rows), ""]
        lines += [f"left out: {name}" for name in self.left_out] + [f"remark: {remark}" for remark in self.remarks]
        seed = f" --seed {self.seed}" if self.seed else ""
        lines += [f"wrote {out}", f"\nNext: quiltwork evolve check {out}\n      quiltwork evolve run {out}{seed}"]
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "source": self.source,
            "notice": self.notice,
            "seed": self.seed,
            "files": sorted(self.files),
            "left_out": self.left_out,
            "remarks": self.remarks,
            "keys": [row.as_data() for row in self.rows],
        }


def beside(folder: Path, needed: Iterable[str], imported: Imported, *, skip: Iterable[str] = ()) -> dict[str, str]:
    """The text files of a folder that lie beside the program; what is left out is named in `imported`.

    Raises `NeighbourError` where a `needed` one is among those.
    """
    skipped, found, room = {*skip, *_NOT_CARRIED}, {}, ROOM_MB * 2**20
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts) or not file.is_file():
            continue
        name = "/".join(parts)
        if name in skipped or parts[0] in _OUTPUTS or parts[0].startswith("results_"):
            continue
        text = _text(file) if file.stat().st_size <= room else None
        if text is None or re.search(r"[^\x20-\x7e]", name) or "\\" in name:
            imported.left_out.append(f"{name} (not text, or too large to travel with every evaluation)")
        elif file.suffix in _SETTINGS and _holds_key(text):
            imported.left_out.append(f"{name} (it may hold a key, which no program may see)")
        else:
            room -= len(text.encode())
            found[name] = text
    if lacking := [name for name in needed if name not in found]:
        raise NeighbourError(f"{folder / lacking[0]}: a text file of that name is needed, of at most {ROOM_MB} MiB")
    return found


def _holds_key(text: str) -> bool:
    values = re.findall(r"""api_?key["']?\s*[:=]\s*["']?(\S+)""", text, re.IGNORECASE)
    return any(not value.startswith(("${", "null", "~", "None", ",", "}")) for value in values)


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def inside(*names: str) -> dict[str, str]:
    """Sources for the jail by path; a folder stands for all that is in it."""
    found = {}
    for name in names:
        place = INSIDE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found[file.relative_to(INSIDE).as_posix()] = file.read_text("utf-8")
    return found


def imports(source: str) -> set[str]:
    """Dotted names of the modules that a Python source imports anywhere; nothing where it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def preload(sources: Iterable[str]) -> list[str]:
    """Modules that the jail loads once: those that the sources import, of packages that are slow to load and are here."""
    wanted = set().union(*map(imports, sources), {"numpy"})
    return sorted(name for name in wanted if name.partition(".")[0] in _WARM and _is_here(name))


def _is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def functions(source: str, path: Path) -> set[str]:
    """The functions that a Python file defines or imports at its top. Raises `NeighbourError` where it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise NeighbourError(f"{path}:{getattr(error, 'lineno', 1)}: {getattr(error, 'msg', error)}") from error
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found.update(alias.asname or alias.name for alias in node.names)
    return found


def free_name(wanted: str, suffix: str, taken: Mapping[str, str]) -> str:
    """A file name for the program that no file beside it has."""
    names = (wanted, "candidate", "evolved", "evolved_program")
    return next(f"{name}{suffix}" for name in names if f"{name}{suffix}" not in taken and name not in taken)


def limits(wall_s: float, memory_mb: int = MEMORY_MB) -> dict[str, Any]:
    """The `[limits]` of a problem whose evaluator runs in the jail for at most `wall_s` of its own."""
    wall = min(86_400.0, wall_s + START_S)
    return {
        "wall_s": wall,
        "cpu_s": min(86_400.0, wall * CPU_PER_WALL),
        "memory_mb": max(128, memory_mb),
        "tmp_mb": TMP_MB,
        "processes": PROCESSES,
    }


def model(name: str, taken: set[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A `[[models]]` table with a name of its own, made of what the server calls the model."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("/")[2]).strip("-._")[:60] or "model"
    unique = plain
    number = 2
    while unique in taken:
        unique, number = f"{plain}-{number}", number + 1
    taken.add(unique)
    return {"name": unique, "id": name, **fields}


def problem_toml(head: str, data: Mapping[str, Any]) -> str:
    """`problem.toml`: comment lines, then the settings."""
    return "".join(f"# {line}\n" for line in head.splitlines()) + tomli_w.dumps(dict(data), multiline_strings=False)


def plain_name(folder: Path) -> str:
    """The problem's name: its folder's."""
    return folder.resolve().name[:120] or "problem"
