"""`quiltwork.evolve.optimize`: a program, a function that scores it, and a budget; the best program comes back.

The function decides where programs are scored. One that can be imported by name is imported by worker processes, as a
problem's `evaluate.py` is. Any other callable (a lambda, a closure, a function of a notebook or a script) runs here, in the
thread that called `optimize`, one program at a time. Programs are jailed all the same.

The run itself is driven in a thread beside: so it works where an event loop runs already, and Ctrl-C reaches the caller.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from quiltwork.errors import UserError
from quiltwork.evolve.score import InvalidScore, Score

if TYPE_CHECKING:
    from quiltwork.evolve.calling_thread import Desk
    from quiltwork.evolve.candidate import Candidate
    from quiltwork.evolve.problem import Problem
    from quiltwork.models import ModelConfig

Evaluate = Callable[["Candidate"], "float | Mapping[str, float] | Score"]

_IMPORTED: Final = '''\
"""Scores a program with a function that was given to quiltwork.evolve.optimize."""

from quiltwork.evolve.api import as_score, imported

judge = imported({module!r}, {name!r}, folder={folder!r})


def evaluate(candidate):
    return as_score(judge(candidate), {metrics!r})
'''

_HERE: Final = '''\
"""Scores a program with a function that lived in the process that called quiltwork.evolve.optimize."""

from quiltwork.evolve.api import evaluate_here as evaluate
'''

_here = threading.local()
"""In the thread that called `optimize`: the function, and the names of its metrics."""


@dataclass(frozen=True)
class Optimized:
    """What a run found. `files` is the best program; `program` is the text of its entry file."""

    program: str
    files: Mapping[str, str] = field(repr=False)
    score: float
    """The first metric."""
    metrics: Mapping[str, float]
    initial: Mapping[str, float]
    """The metrics of the program that the run began with."""
    run: Path
    """The run's folder: `quiltwork evolve status|report|best|replay RUN`."""
    stopped: str
    """Why it ended: "budget", "interrupted" (Ctrl-C; what was found until then is here), or what models could not do."""
    evaluations: int


def optimize(
    program: str | Path | Mapping[str, str],
    evaluate: Evaluate,
    *,
    budget: str = "200evals",
    metrics: Mapping[str, str] | None = None,
    seed: int = 0,
    models: Sequence[str | ModelConfig] = (),
    out: str | Path | None = None,
    workers: int | None = None,
    trust: bool = False,
    settings: Mapping[str, Any] | None = None,
    about: str = "",
    entry: str | None = None,
    noisy: bool = False,
    descriptors: Mapping[str, tuple[float, float, int]] | None = None,
    progress: bool = False,
) -> Optimized:
    """Improve `program` until `budget` is spent, and return the best that was found.

    `program` is source text, the path of a file or of a folder, or files by path; `EVOLVE-BLOCK-START` and
    `EVOLVE-BLOCK-END` mark what may change, without them all may. `evaluate(candidate)` returns a number, numbers by name,
    or a `Score`; `candidate.call(function, ...)` runs a function of the entry file in the jail. `metrics` names what is
    selected by and in which direction, `{"score": "maximize"}` by default; several make a Pareto front.

    `models` are names as `quiltwork evolve run --model` takes them, or `ModelConfig`s. `out` is the run's folder (by default
    runs/optimize-TIME), `workers` the number of processes for an `evaluate` that can be imported (by default one per core),
    `settings` are fields as `--set` takes them, such as {"islands": 4, "limits.wall_s": 2.0}. `about` tells proposers about
    the problem. `descriptors` are (low, high, bins) by name, of numbers that a `Score` carries. `trust` runs programs
    without the jail.

    Raises `UserError` for what the caller can mend, the failure of the given program among it.
    """
    from quiltwork.evolve.budget import parse_budget
    from quiltwork.evolve.session import begin

    names = dict(metrics or {"score": "maximize"})
    place = _importable(evaluate)
    path = Path(out) if out is not None else Path("runs") / f"optimize-{datetime.now():%Y%m%d-%H%M%S-%f}"
    files, entry = _program(program, entry)
    with tempfile.TemporaryDirectory(prefix="quiltwork-optimize-") as folder:
        problem = _problem(Path(folder), path, files, entry, names, _evaluator(place, names), about, noisy, descriptors)
        begin(
            problem,
            path,
            seed=seed,
            budget=parse_budget(budget),
            settings=_limited(settings or {}),
            models=_models(models),
        )
    from quiltwork.evolve.calling_thread import Desk

    desk = Desk()
    before = getattr(_here, "judge", None)
    _here.judge = (evaluate, tuple(names))
    try:
        return cast(
            Optimized,
            desk.serve(lambda: _drive(path, desk, _size(workers), here=place is None, trust=trust, progress=progress)),
        )
    finally:
        _here.judge = before


def as_score(said: Any, metrics: Sequence[str]) -> Score:
    """What an evaluator returned, as a `Score`: a number is the first metric. Raises `InvalidScore` for anything else."""
    if isinstance(said, Score):
        return said
    if isinstance(said, Mapping):
        return Score(metrics={str(name): float(value) for name, value in said.items()})
    try:
        return Score(metrics={metrics[0]: float(said)})
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidScore):
            raise
        raise InvalidScore(
            f"evaluate() returned {type(said).__name__}; it must return a number, a dict or a Score"
        ) from None


def imported(module: str, name: str, *, folder: str) -> Evaluate:
    """A run's evaluator, found again by its name. Raises `UserError` where it is gone."""
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        return cast(Evaluate, getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"this run's programs are scored by {module}.{name}, which was in {folder} when it began: {error}. "
            f"Put it back, or name its folder in PYTHONPATH"
        ) from error


def evaluate_here(candidate: Candidate) -> Score:
    """Score a program with the function that this thread gave to `optimize`. Raises `UserError` in any other process."""
    judge = getattr(_here, "judge", None)
    if judge is None:
        raise UserError(
            "this run's programs were scored by a function that lived in the process that began it, and cannot be imported "
            "by name, so it cannot go on here. Its status, report and best program are as they were; to go on with more, "
            "put the function into a module and begin a run from the best program"
        )
    function, metrics = judge
    return as_score(function(candidate), metrics)


def _importable(function: Any) -> tuple[str, str, str] | None:
    """Module, name and the folder that it is imported from, of a function that another process would find."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    loaded = sys.modules.get(module or "")
    file = getattr(loaded, "__file__", None)
    if module in (None, "__main__") or file is None or getattr(loaded, name, None) is not function:
        return None
    depth = module.count(".") + (Path(file).name == "__init__.py")
    return module, name, str(Path(file).resolve().parents[depth])


def _evaluator(place: tuple[str, str, str] | None, metrics: Mapping[str, str]) -> str:
    if place is None:
        return _HERE
    module, name, folder = place
    return _IMPORTED.format(module=module, name=name, folder=folder, metrics=tuple(metrics))


def _program(program: str | Path | Mapping[str, str], entry: str | None) -> tuple[dict[str, str], str]:
    """The program's files, and which of them calls reach."""
    from quiltwork.evolve.program import Program

    if isinstance(program, Mapping):
        files = dict(program)
    elif isinstance(program, Path) or ("\n" not in program and Path(program).exists()):
        path = Path(program)
        if not path.exists():
            raise UserError(f"{path}: there is no such program")
        files = dict(Program.load(path).files) if path.is_dir() else {path.name: path.read_text("utf-8")}
    else:
        files = {"program.py": program}
    scripts = [name for name in files if name.endswith(".py")]
    chosen = entry or ("program.py" if "program.py" in files else scripts[0] if len(scripts) == 1 else "")
    if chosen not in files:
        raise UserError(
            f"entry {chosen!r}: say which file calls should reach; there are {', '.join(sorted(files)) or 'none'}"
        )
    return files, chosen


def _problem(
    folder: Path,
    run: Path,
    files: Mapping[str, str],
    entry: str,
    metrics: Mapping[str, str],
    evaluator: str,
    about: str,
    noisy: bool,
    descriptors: Mapping[str, tuple[float, float, int]] | None,
) -> Problem:
    """The problem as a folder, as every run has one."""
    import tomli_w

    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.program import Program

    axes = [
        {"name": name, "low": low, "high": high, "bins": bins}
        for name, (low, high, bins) in (descriptors or {}).items()
    ]
    data: dict[str, Any] = {
        "name": run.name or "optimize",
        "noisy": noisy,
        "metrics": [{"name": name, "direction": direction} for name, direction in metrics.items()],
        "program": {"entry": entry},
        **({"descriptors": axes} if axes else {}),
    }
    (folder / "program").mkdir()
    Program(files).save(folder / "program")
    for name, text in (("problem.toml", tomli_w.dumps(data)), ("evaluate.py", evaluator), ("README.md", about)):
        (folder / name).write_text(text, "utf-8")
    return Problem.load(folder)


def _limited(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def _models(models: Sequence[str | ModelConfig]) -> list[ModelConfig]:
    from quiltwork.models.settings import resolve_models

    return [found for each in models for found in (resolve_models([each]) if isinstance(each, str) else [each])]


def _size(workers: int | None) -> int:
    return workers if workers is not None else max(1, len(os.sched_getaffinity(0)))


def _drive(path: Path, desk: Desk, workers: int, *, here: bool, trust: bool, progress: bool) -> Optimized:
    """Drive the run to its end, in a thread of its own: the log is opened, written and closed by this thread alone."""
    from quiltwork.evolve.calling_thread import KIND, working_at
    from quiltwork.evolve.display.panel import Panel
    from quiltwork.evolve.display.snapshot import snapshot
    from quiltwork.evolve.library import Library
    from quiltwork.evolve.session import drive, opened
    from quiltwork.evolve.verdict import best_of

    with opened(path, drive=True) as session, working_at(desk):
        panel = Panel(lambda: snapshot(session.state, session.problem), quiet=not progress)

        def watch(driver: Any) -> None:
            desk.driver(driver)
            panel.watch(driver)

        with panel:
            reason = drive(
                session, workers=1 if here else workers, trust=trust, kind=KIND if here else "local", watch=watch
            )
        best = best_of(session)
        assert best.program is not None
        files = Library(session.run.blobs, session.problem).program(best.program).files
        lead = session.problem.config.metrics[0].name
        return Optimized(
            program=files[session.problem.config.program.entry],
            files=dict(files),
            score=best.metrics[lead],
            metrics=dict(best.metrics),
            initial=dict(session.state.members[0].metrics),
            run=path,
            stopped=f"{reason}: {session.trouble}" if session.trouble else reason,
            evaluations=session.state.evaluations,
        )
