"""OpenEvolve's folders: `initial_program.*`, `evaluator.py` and perhaps `config.yaml`, made into a problem of ours.

`convert` writes no file; `score` is what the converted problem's `evaluate.py` calls. Semantics follow OpenEvolve 0.4.0,
except where docs/moving.md says otherwise: a failure is a refusal there is a reason for, never a score of 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quiltwork.evolve.neighbours import scoring
from quiltwork.evolve.score import InvalidScore, Score

if TYPE_CHECKING:
    from quiltwork.evolve.candidate import Candidate
    from quiltwork.evolve.neighbours.folder import Imported
    from quiltwork.evolve.neighbours.table import Reader

ADAPTER: Final = "quiltwork_openevolve.py"
BUILT_IN: Final = ("complexity", "diversity")
"""Features that are measured for every program; all others are numbers of the evaluator, or its score."""

STAGES: Final = ("stage1", "stage2", "stage3")
DEFAULT_TIMEOUT_S: Final = 300.0
DEFAULT_CASCADE: Final = (0.5, 0.75, 0.9)
JUDGE: Final = "Is the code readable, easy to maintain, and efficient?"

EVALUATE: Final = '''\
"""Scores a program with evaluator.py, which runs beside it in its jail: what comes back is a claim of both.

Made by `quiltwork evolve import` from an OpenEvolve folder; change it as you like.
"""

from quiltwork.evolve.neighbours import openevolve


def evaluate(candidate):
    return openevolve.score(
        candidate,
{options}
    )
'''

HEAD: Final = """\
From an OpenEvolve folder. Every field: docs/problem-format.md; what became of config.yaml: docs/moving.md
noisy: nobody said that equal programs score alike (evaluators often measure time); set it to false where they do."""


def score(
    candidate: Candidate,
    *,
    program: str,
    initial: str,
    cascade: list[float] | None,
    timeout_s: float,
    features: list[str],
    max_code_length: int = 10_000,
    artifacts: bool = True,
) -> Score:
    """Run the evaluator in the candidate's jail and read what it says. Raises `InvalidScore` with its reason.

    `program` and `initial` are the evolved file and the one that evolution began with; `cascade` holds the thresholds, or
    is None. Where problem.toml has stages of the names stage1 to stage3, each runs only its own function.
    """
    only = STAGES.index(candidate.stage) if candidate.stage in STAGES else None
    reply = candidate.call("evaluate", program, initial, cascade, only, float(timeout_s), features, max_code_length)
    if isinstance(reply, dict) and "refused" in reply:
        raise InvalidScore(str(reply["refused"]))
    found, measured = scoring.table(reply, "metrics"), scoring.table(reply, "features")
    texts = scoring.texts(scoring.table(reply, "artifacts"))
    fitness = _fitness(found, features)
    metrics = {**scoring.numbers(found, texts), "combined_score": fitness}
    return Score(
        metrics=metrics,
        descriptors={name: _feature(name, found, measured, fitness) for name in features},
        artifacts=texts if artifacts else {},
    )


def _fitness(metrics: Mapping[str, Any], features: list[str]) -> float:
    """`combined_score`, else the mean of the numbers that are no features, else the mean of all."""
    said = metrics.get("combined_score")
    if isinstance(said, int | float):
        return float(said)
    found = scoring.mean(metrics, without=tuple(features))
    found = scoring.mean(metrics) if found is None else found
    if found is None:
        raise InvalidScore(f"the evaluator returned no number; it returned {', '.join(map(str, metrics)) or 'nothing'}")
    return found


def _feature(name: str, metrics: Mapping[str, Any], measured: Mapping[str, Any], fitness: float) -> float:
    value = metrics.get(name, fitness if name == "score" else measured.get(name))
    if not isinstance(value, int | float):
        raise InvalidScore(
            f"feature_dimensions names {name!r}, which the evaluator did not return as a number; it returned "
            f"{', '.join(map(str, metrics)) or 'nothing'}"
        )
    return float(value) if name in BUILT_IN else scoring.spread(float(value))


def recognise(folder: Path) -> bool:
    """Whether a folder is OpenEvolve's: an initial program and an evaluator, and no problem of ours."""
    return (folder / "evaluator.py").is_file() and bool(_initial(folder))


def _initial(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("initial_program.*") if path.is_file())


def convert(folder: Path, *, stages: bool = False) -> Imported:
    """A folder in our format. With `stages` the cascade becomes our stages, which refuse what is below a threshold.

    Raises `NeighbourError` for a configuration that cannot be read, with the file and the key.
    """
    from quiltwork.evolve.neighbours import folder as folders
    from quiltwork.evolve.neighbours.openevolve_keys import KEYS
    from quiltwork.evolve.neighbours.table import Reader, rows

    programs = _initial(folder)
    if len(programs) > 1:
        names = ", ".join(path.name for path in programs)
        raise folders.NeighbourError(f"{folder}: several initial programs ({names}); leave the one to start from")
    config = _read_config(folder)
    imported = folders.Imported(source=f"OpenEvolve's layout in {folder.resolve().name}", rows=rows(config, KEYS))
    initial = programs[0]
    around = folders.beside(folder, (initial.name, "evaluator.py"), imported)
    python = [source for path, source in around.items() if path.endswith(".py")]
    around |= _laid(python)
    name = folders.free_name("program", initial.suffix, around)
    text = around[initial.name]
    reader = Reader(config)
    try:
        imported.seed = _seed(reader)
        settings, options = _settings(reader, around["evaluator.py"], text, imported, folder, stages=stages)
    except (ValueError, TypeError) as error:
        raise folders.NeighbourError(f"{folder / 'config.yaml'}: {error}") from error
    settings["program"] = {"entry": ADAPTER, "preload": folders.preload(python)}
    options = {"program": name, "initial": initial.name, **options}
    lines = "\n".join(f"        {key}={value!r}," for key, value in options.items())
    imported.files = {
        "problem.toml": folders.problem_toml(HEAD, {"name": folders.plain_name(folder), **settings}),
        "evaluate.py": EVALUATE.format(options=lines),
        f"program/{name}": text,
        **{f"beside/{path}": source for path, source in around.items()},
        "README.md": _readme(reader, folder),
    }
    return imported


def _laid(python: list[str]) -> dict[str, str]:
    """The adapter, and the stand-in where somebody imports OpenEvolve."""
    from quiltwork.evolve.neighbours.folder import inside

    standin = ["openevolve"] if any("openevolve" in source for source in python) else []
    return inside(ADAPTER, "quiltwork_advice.py", *standin)


def _read_config(folder: Path) -> dict[str, Any]:
    from quiltwork.evolve.neighbours.folder import NeighbourError

    path = next((folder / name for name in ("config.yaml", "config.yml") if (folder / name).is_file()), None)
    if path is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NeighbourError(f"{path}: not valid YAML: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise NeighbourError(f"{path}: a table of settings is needed, not {type(found).__name__}")
    return found or {}


def _seed(config: Reader) -> int | None:
    inner, outer = config.get("database.random_seed"), config.get("random_seed")
    said = outer if outer is not None else inner
    if said is not None and not isinstance(said, int):
        raise ValueError(f"random_seed must be a whole number, not {said!r}")
    return abs(said) if said is not None else None


def _readme(config: Reader, folder: Path) -> str:
    said = config.get("prompt.system_message", "")
    text = str(said).strip() if said and said != "system_message" else "Improve the program's combined_score."
    return f"# {folder.resolve().name}\n\n{text}\n"


def _settings(
    config: Reader, evaluator: str, initial: str, imported: Imported, folder: Path, *, stages: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables of `problem.toml`, and what `score` is told."""
    from quiltwork.evolve.neighbours import folder as folders

    defined = folders.functions(evaluator, folder / "evaluator.py")
    if "evaluate" not in defined:
        raise folders.NeighbourError(f"{folder / 'evaluator.py'}: it must define evaluate(program_path)")
    thresholds = [float(each) for each in config.get("evaluator.cascade_thresholds", DEFAULT_CASCADE)]
    cascaded = bool(config.get("evaluator.cascade_evaluation", default=True)) and "evaluate_stage1" in defined
    count = sum(f"evaluate_{name}" in defined for name in STAGES) if cascaded else 1
    timeout_s = config.number("evaluator.timeout", DEFAULT_TIMEOUT_S)
    names, descriptors = _descriptors(config, initial)
    if config.get("enforce_evolve_blocks") is False and "EVOLVE-BLOCK-START" in initial:
        imported.remarks.append(
            "edits outside the EVOLVE-BLOCK markers are refused; take the markers out to allow them"
        )
    iterations = int(config.number("max_iterations", 0))
    settings: dict[str, Any] = {
        "noisy": True,
        **({"budget": f"{iterations + 1}evals"} if iterations > 0 else {}),
        "metrics": [{"name": "combined_score", "direction": "maximize"}],
        "descriptors": descriptors,
        "limits": folders.limits(
            timeout_s * (1 if stages else count), int(config.number("evaluator.memory_limit_mb", folders.MEMORY_MB))
        ),
        "search": _search(config),
        **_models(config),
    }
    if stages and cascaded:
        bounds: list[dict[str, Any]] = [{"threshold": each} for each in thresholds[: count - 1]]
        bounds += [{}] * (count - len(bounds))
        settings["stages"] = [{"name": name, **bound} for name, bound in zip(STAGES, bounds, strict=False)]
    options = {
        "cascade": thresholds if cascaded else None,
        "timeout_s": timeout_s,
        "features": names,
        "max_code_length": int(config.number("max_code_length", 10_000)),
        "artifacts": bool(config.get("evaluator.enable_artifacts", default=True)),
    }
    return settings, options


def _descriptors(config: Reader, initial: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Features as axes with fixed ranges: a range that follows what was seen would move programs between cells."""
    names = [str(name) for name in config.get("database.feature_dimensions", list(BUILT_IN))]
    bins: Any = config.get("database.feature_bins", 10)
    found: list[dict[str, Any]] = []
    for name in names:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) is None:
            raise ValueError(f"database.feature_dimensions: {name!r} is no plain name")
        count = max(1, int(bins.get(name, 10) if isinstance(bins, dict) else bins))
        low, high = {"complexity": (0.0, max(2_000.0, 4.0 * len(initial))), "diversity": (0.0, 1.0)}.get(
            name, (-scoring.UNIT_BINS_TO, scoring.UNIT_BINS_TO)
        )
        if name not in BUILT_IN:
            count *= int(2 * scoring.UNIT_BINS_TO)
        found.append({"name": name, "low": low, "high": high, "bins": min(1_000, count)})
    return names, found


def _search(config: Reader) -> dict[str, Any]:
    islands = max(1, min(64, int(config.number("database.num_islands", 5))))
    shown = config.number("prompt.num_top_programs", 3) + config.number("prompt.num_diverse_programs", 2)
    return {
        "islands": islands,
        "migrate_every": max(1, int(config.number("database.migration_interval", 50)) * islands),
        "inspirations": max(0, min(16, int(shown))),
    }


def _models(config: Reader) -> dict[str, Any]:
    """The tables `models`, `llm` and `novelty`, as far as the configuration says something about them."""
    from quiltwork.evolve.neighbours.openevolve_models import models

    found: dict[str, Any] = {}
    asked = models(config)
    if asked:
        found["models"] = asked
    llm: dict[str, Any] = {}
    if config.get("prompt.include_artifacts", default=True) is False:
        llm["artifact_chars"] = 0
    elif (most := config.get("prompt.max_artifact_bytes")) is not None:
        llm["artifact_chars"] = max(0, int(most))
    meta, weight = config.get("prompt.use_meta_prompting"), config.number("prompt.meta_prompt_weight", 0.1)
    if meta is not None:
        llm["meta_share"] = min(1.0, weight) if meta else 0.0
    if config.get("evaluator.use_llm_feedback") and asked:
        llm["judges"] = [{"name": "quality", "question": JUDGE}]
    similar = config.number("database.similarity_threshold", 0.99)
    return {**found, **({"llm": llm} if llm else {}), "novelty": {"similar": min(1.0, max(0.01, similar))}}
