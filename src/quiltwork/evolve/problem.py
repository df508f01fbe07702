"""A problem folder: loading it, saying what is wrong with it (file, line, field), freezing it into a run."""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import blake3

from quiltwork.blobs.pack import pack
from quiltwork.errors import UserError
from quiltwork.evolve.building_blocks import check_building_block
from quiltwork.evolve.config import Known, KnownValue, ProblemConfig
from quiltwork.evolve.neighbours import find
from quiltwork.evolve.program import Program, blocks
from quiltwork.toml import read_toml

if TYPE_CHECKING:
    from quiltwork.evolve.neighbours.folder import Imported
    from quiltwork.evolve.nlp import Nlp

GUIDE = "docs/problem-format.md"

BUNDLE_LIMIT_MB = 64
"""A problem travels inside its run; larger data belongs somewhere that the evaluator reads from."""


class ProblemError(UserError):
    """A problem folder that cannot be used."""


@dataclass(frozen=True)
class Problem:
    """A problem folder, checked. `program` is the seed, `building_blocks` maps slot -> block name -> source text.

    `beside` are text files that lie beside the program in its jail and do not change: helpers, tables.
    `imported` says where the folder comes from, if it was a neighbour's (OpenEvolve's, ShinkaEvolve's).
    """

    path: Path
    config: ProblemConfig
    program: Program
    known: tuple[KnownValue, ...]
    readme: str
    building_blocks: Mapping[str, Mapping[str, str]]
    beside: Mapping[str, str] = field(default_factory=dict)
    imported: Imported | None = None

    @classmethod
    def load(cls, path: Path) -> Problem:
        """Read a folder; raises `ProblemError` (or another `UserError`) that names the file, the line and the field."""
        path = path.resolve()
        if not (path / "problem.toml").is_file():
            if imported := find(path):
                return cls._converted(imported)
            hint = (
                "make one with: quiltwork evolve new DIR" if not path.exists() else "a problem is a folder that has one"
            )
            raise ProblemError(f"{path}: there is no problem.toml here; {hint}")
        config = read_toml(path / "problem.toml", ProblemConfig, guide=GUIDE)
        for needed in ("program", "evaluate.py"):
            if not (path / needed).exists():
                raise ProblemError(f"{path / needed}: missing; a problem needs problem.toml, program/ and evaluate.py")
        program = Program.load(path / "program")
        beside = dict(Program.load(path / "beside").files) if (path / "beside").is_dir() else {}
        if twice := sorted(beside.keys() & program.files.keys()):
            raise ProblemError(f"{path / 'beside' / twice[0]}: program/ has a file of that name too; rename one")
        if config.program.entry not in program.files and config.program.entry not in beside:
            raise ProblemError(
                f"{path / 'problem.toml'}: field program.entry: program/ has no file {config.program.entry!r}, "
                f"only {', '.join(sorted(program.files))}"
            )
        blocks(program)
        known = read_toml(path / "known.toml", Known, guide=GUIDE).known if (path / "known.toml").is_file() else ()
        readme = path / "README.md"
        return cls(
            path=path,
            config=config,
            program=program,
            known=known,
            readme=readme.read_text("utf-8") if readme.is_file() else "",
            building_blocks=_read_building_blocks(path / "blocks"),
            beside=beside,
        )

    @classmethod
    def _converted(cls, imported: Imported) -> Problem:
        """A neighbour's problem in a temporary folder, which goes when the problem does; a run has its own copy."""
        folder = tempfile.TemporaryDirectory(prefix="quiltwork-import-")
        imported.write(Path(folder.name))
        problem = replace(cls.load(Path(folder.name)), imported=imported)
        weakref.finalize(problem, folder.cleanup)
        return problem

    @cached_property
    def evaluator(self) -> types.ModuleType:
        """The problem's `evaluate.py`, imported. Its siblings are `from .name import ...` to it."""
        module = self._module("evaluate")
        if not callable(getattr(module, "evaluate", None)):
            raise ProblemError(f"{self.path / 'evaluate.py'}: it must define evaluate(candidate) -> Score")
        return module

    def hook(self, name: str) -> Callable[..., Any] | None:
        """An optional function of `evaluate.py`: `held_out` or `certify`."""
        found = getattr(self.evaluator, name, None)
        return found if callable(found) else None

    def nlp(self) -> Nlp | None:
        """The declaration for `polish`, where the folder has a `polish.py`."""
        if not (self.path / "polish.py").is_file():
            return None
        declare = getattr(self._module("polish"), "problem", None)
        if not callable(declare):
            raise ProblemError(f"{self.path / 'polish.py'}: it must define problem() -> Nlp")
        found: Nlp = declare()
        return found

    def _module(self, name: str) -> types.ModuleType:
        package = "quiltwork_problem_" + blake3.blake3(str(self.path).encode()).hexdigest()[:12]
        if package not in sys.modules:
            parent = types.ModuleType(package)
            parent.__path__ = [str(self.path)]
            sys.modules[package] = parent
        try:
            return importlib.import_module(f"{package}.{name}")
        except SyntaxError as error:
            raise ProblemError(f"{error.filename}:{error.lineno}: {error.msg}") from error
        except ImportError as error:
            raise ProblemError(f"{self.path / name}.py: cannot be imported: {error}") from error

    @cached_property
    def bundle(self) -> bytes:
        """Every file of the folder as one canonical value, so that a run carries its problem along."""
        bundle = pack(self.path)
        if len(bundle) > BUNDLE_LIMIT_MB * 2**20:
            raise ProblemError(
                f"{self.path}: the folder holds {len(bundle) / 2**20:.0f} MiB, more than the {BUNDLE_LIMIT_MB} MiB that a "
                "run carries along; keep large data elsewhere and let evaluate.py read it"
            )
        return bundle


def _read_building_blocks(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    if not folder.is_dir():
        return found
    for slot in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))):
        found[slot.name] = {}
        for file in sorted(slot.glob("*.py")):
            source = file.read_text("utf-8")
            check_building_block(slot.name, str(file), source)
            found[slot.name][file.stem] = source
    return found
