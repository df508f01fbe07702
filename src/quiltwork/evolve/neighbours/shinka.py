"""ShinkaEvolve's folders: `initial.*` and `evaluate.py`, perhaps `run_evo.py` or a YAML file, made into a problem of ours.

`convert` writes no file; `score` is what the converted problem's `evaluate.py` calls. Semantics follow ShinkaEvolve 0.0.7,
except where docs/moving.md says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quiltwork.evolve.neighbours import scoring
from quiltwork.evolve.score import InvalidScore, Score

if TYPE_CHECKING:
    from quiltwork.evolve.candidate import Candidate
    from quiltwork.evolve.neighbours.folder import Imported
    from quiltwork.evolve.neighbours.table import Reader

ADAPTER: Final = "quiltwork_shinka.py"
PRIVATE: Final = "private.jsonl"
"""Where private numbers go: an artifact that is kept, and that no proposer is shown."""

DEFAULT_TIME_S: Final = 300.0
"""ShinkaEvolve has no limit by default; a run that hangs is no run."""

EVALUATE: Final = '''\
"""Scores a program with beside/evaluate.py, which runs beside it in its jail: what comes back is a claim of both.

Made by `quiltwork evolve import` from a ShinkaEvolve folder; change it as you like.
"""

from quiltwork.evolve.neighbours import shinka


def evaluate(candidate):
    return shinka.score(
        candidate,
{options}
    )
'''

HEAD: Final = """\
From a ShinkaEvolve folder. Every field: docs/problem-format.md; what became of its configuration: docs/moving.md
noisy: nobody said that equal programs score alike (evaluators often measure time); set it to false where they do."""


def score(candidate: Candidate, *, program: str, extra: Sequence[str] = (), text_feedback: bool = True) -> Score:
    """Run the evaluator in the candidate's jail and read what it wrote. Raises `InvalidScore` with its reason.

    `program` is the evolved file, `extra` are further words of the evaluator's command line.
    """
    reply = candidate.call("evaluate", program, list(extra))
    if isinstance(reply, dict) and "refused" in reply:
        raise InvalidScore(str(reply["refused"]))
    found = scoring.table(reply, "metrics")
    if not reply.get("correct"):
        raise InvalidScore(f"not correct: {reply.get('error') or found.get('text_feedback') or 'no reason was given'}")
    if not isinstance(found.get("combined_score"), int | float):
        raise InvalidScore(
            f"metrics.json has no number combined_score; it has {', '.join(map(str, found)) or 'nothing'}"
        )
    public, private = _table(found, "public"), _table(found, "private")
    artifacts = scoring.texts(
        {f"public.{name}": json.dumps(value) for name, value in public.items() if _is_text(value)}
    )
    metrics = scoring.numbers(found, artifacts)
    metrics |= scoring.numbers({f"public.{name}": value for name, value in public.items()}, artifacts)
    if private:
        artifacts[PRIVATE] = json.dumps(private) + "\n"
    if text_feedback and found.get("text_feedback"):
        artifacts["feedback.txt"] = str(found["text_feedback"])
    return Score(metrics={**metrics, "combined_score": float(found["combined_score"])}, artifacts=artifacts)


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _is_text(value: Any) -> bool:
    return not isinstance(value, bool | int | float)


def recognise(folder: Path) -> bool:
    """Whether a folder is ShinkaEvolve's: an initial program and an evaluator, and no problem of ours."""
    return (folder / "evaluate.py").is_file() and bool(_initial(folder)) and not (folder / "program").is_dir()


def _initial(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("initial.*") if path.is_file())


def convert(folder: Path, *, stages: bool = False) -> Imported:
    """A folder in our format (`stages` changes nothing here: there is no cascade).

    Raises `NeighbourError` for a configuration that cannot be read, with the file and the key.
    """
    from quiltwork.evolve.neighbours import folder as folders
    from quiltwork.evolve.neighbours.shinka_config import read_configs
    from quiltwork.evolve.neighbours.shinka_keys import KEYS
    from quiltwork.evolve.neighbours.table import Reader, rows

    config, unread, read = read_configs(folder)
    source = f"ShinkaEvolve's layout in {folder.resolve().name}"
    imported = folders.Imported(source=source, rows=[*rows(config, KEYS), *unread])
    reader = Reader(config)
    initial = _program(folder, reader)
    evaluator = Path(str(reader.get("job_config.eval_program_path", "evaluate.py"))).name
    around = folders.beside(folder, (initial.name, evaluator), imported, skip=(*read, "run_evo.py"))
    around["evaluate.py"] = around[evaluator]
    python = [text for path, text in around.items() if path.endswith(".py")]
    standin = ["shinka"] if any("shinka" in text for text in python) else []
    around |= folders.inside(ADAPTER, "quiltwork_advice.py", *standin)
    name = folders.free_name("main", initial.suffix, around)
    try:
        settings, options = _settings(reader, around[initial.name], imported)
    except (ValueError, TypeError) as error:
        raise folders.NeighbourError(f"{folder}: {error}") from error
    settings["program"] = {"entry": ADAPTER, "preload": folders.preload(python)}
    lines = "\n".join(f"        {key}={value!r}," for key, value in {"program": name, **options}.items())
    told = str(reader.get("evo_config.task_sys_msg", "Improve the program's combined_score.")).strip()
    imported.files = {
        "problem.toml": folders.problem_toml(HEAD, {"name": folders.plain_name(folder), **settings}),
        "evaluate.py": EVALUATE.format(options=lines),
        f"program/{name}": around[initial.name],
        **{f"beside/{path}": text for path, text in around.items()},
        "README.md": f"# {folder.resolve().name}\n\n{told}\n",
    }
    return imported


def _program(folder: Path, config: Reader) -> Path:
    from quiltwork.evolve.neighbours.folder import NeighbourError

    named = config.get("evo_config.init_program_path")
    if named is not None and (folder / Path(str(named)).name).is_file():
        return folder / Path(str(named)).name
    found = _initial(folder)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise NeighbourError(f"{folder}: several initial programs ({names}); leave the one to start from")
    return found[0]


def _settings(config: Reader, initial: str, imported: Imported) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables of `problem.toml`, and what `score` is told."""
    from quiltwork.evolve.neighbours import folder as folders
    from quiltwork.evolve.neighbours.shinka_models import models

    asked = models(config, imported)
    generations, dollars = int(config.number("evo_config.num_generations", 0)), config.get("evo_config.max_api_costs")
    limits = [f"{generations}evals"] if generations > 0 else []
    limits += [f"{float(dollars):g}usd"] if dollars and asked else []
    lines = max(40, 4 * initial.count("\n"))
    similar = config.number("evo_config.code_embed_sim_threshold", 0.99)
    settings: dict[str, Any] = {
        "noisy": True,
        **({"budget": ",".join(limits)} if limits else {}),
        "metrics": [{"name": "combined_score", "direction": "maximize"}],
        "descriptors": [{"name": "program.lines", "low": 0.0, "high": float(lines), "bins": 16}],
        "limits": folders.limits(_seconds(config.get("job_config.time"))),
        "search": _search(config),
        **({"models": asked} if asked else {}),
        "novelty": {"similar": min(1.0, max(0.01, similar))},
    }
    words = [
        word for key, value in config.get("job_config.extra_cmd_args", {}).items() for word in (f"--{key}", str(value))
    ]
    feedback = config.get("evo_config.use_text_feedback")
    return settings, {"extra": words, "text_feedback": feedback is not False}


def _search(config: Reader) -> dict[str, Any]:
    shown = config.number("db_config.num_archive_inspirations", 1) + config.number(
        "db_config.num_top_k_inspirations", 1
    )
    stagnation = int(config.number("db_config.stagnation_threshold", 100))
    return {
        "islands": max(1, min(64, int(config.number("db_config.num_islands", 2)))),
        "migrate_every": max(1, int(config.number("db_config.migration_interval", 10))),
        "inspirations": max(0, min(16, int(shown))),
        **({"restart_after": max(1, stagnation)} if config.get("db_config.enable_dynamic_islands") else {}),
    }


def _seconds(said: Any) -> float:
    """A time limit, as "hh:mm:ss" or in seconds. Raises ValueError for anything else."""
    if said is None:
        return DEFAULT_TIME_S
    parts = str(said).split(":")
    if len(parts) not in (1, 3) or not all(part.strip().replace(".", "", 1).isdigit() for part in parts):
        raise ValueError(f"job_config.time must be hh:mm:ss, not {said!r}")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60.0 + float(part)
    return max(0.1, seconds)
