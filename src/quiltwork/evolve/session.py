"""Beginning, opening and ending runs: what the command line and a program that embeds `evolve` both do."""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from quiltwork import __version__
from quiltwork.blobs.pack import unpack
from quiltwork.errors import UserError
from quiltwork.evolve.budget import Budget, parse_budget
from quiltwork.evolve.config import CandidateLimits, LlmConfig, NoveltyConfig, ProblemConfig, SearchConfig
from quiltwork.evolve.entries import Resumed, Started
from quiltwork.evolve.loop import Driver
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.state import State, apply
from quiltwork.log import verify
from quiltwork.models import ModelConfig
from quiltwork.models.base import Models
from quiltwork.models.prices import price_is_known
from quiltwork.run import Run
from quiltwork.workers import open_workers


@dataclass(slots=True)
class Session:
    """An open run: its folder, its frozen problem (unpacked in a temporary folder) and its state."""

    run: Run
    problem: Problem
    state: State
    trouble: str = ""
    """Why the last drive could not go on, where a model could not be asked."""
    heard: str = ""
    """What a model's server last did otherwise than expected: retries, above all."""

    def hear(self, text: str) -> None:
        """Take such a line over."""
        self.heard = text


def begin(
    problem: Problem,
    path: Path,
    *,
    seed: int,
    budget: Budget | None = None,
    settings: Mapping[str, Any] | None = None,
    models: Sequence[ModelConfig] = (),
) -> None:
    """Make a new run's folder at `path`, with the problem frozen into it and its first entry.

    `models` join those that the problem names, or take their place where the name is the same. Raises `UserError` for what
    cannot work, before there is a folder.
    """
    config = with_models(with_settings(problem.config, settings or {}), models)
    budget = budget or parse_budget(config.budget)
    check_budget(budget, config)
    with Run.create(path, room="evolve", config=json.loads(config.model_dump_json(exclude_none=True))) as run:
        run.writer.append(
            Started(
                problem=run.blobs.put(problem.bundle),
                config=config.model_dump_json(),
                seed=seed,
                budget=str(budget),
                program=run.blobs.put(problem.program.encode()),
                version=__version__,
            )
        )


@contextmanager
def opened(path: Path, *, drive: bool) -> Iterator[Session]:
    """Open a run: fold its log, unpack its problem.

    With `drive` nobody else may drive it meanwhile, and its chain is verified first: nothing is built on a broken log.
    """
    with Run.open(path, drive=drive) as run, tempfile.TemporaryDirectory(prefix="quiltwork-problem-") as folder:
        if drive:
            verify(run.log, signatures=False)
        state = fold(run)
        if state.started is None or state.config is None:
            raise UserError(f"{path}: not a run of evolve; its log has no beginning")
        unpack(run.blobs.get(state.started.problem), Path(folder))
        # Workers read the folder: it has to say what the run was begun with, settings of the command line included.
        frozen = tomli_w.dumps(state.config.model_dump(mode="json", exclude_none=True))
        (Path(folder) / "problem.toml").write_text(frozen, "utf-8")
        problem = replace(Problem.load(Path(folder)), config=state.config)
        yield Session(run, problem, state)


def fold(run: Run) -> State:
    """The state of a run, from its log."""
    state = State()
    for entry in run.log.read():
        apply(state, entry)
    return state


def drive(
    session: Session,
    *,
    workers: int,
    trust: bool,
    more: Budget | None = None,
    cassette: Path | None = None,
    kind: str = "local",
    watch: Callable[[Driver], Any] | None = None,
) -> str:
    """Drive a run until its budget is spent or it is interrupted; returns the reason. `watch` sees the driver first.

    `kind` of workers as `workers.open_workers` knows them. With a `cassette` no model is asked: it has all the replies.
    """
    state = session.state
    resumed = state.committed > 0 or state.planned > 0
    if resumed or more is not None:
        budget = state.budget.extended(more) if more is not None else state.budget
        for entry in session.run.writer.append(Resumed(version=__version__, budget=str(budget))):
            apply(state, entry)
    models = _open_models(session, cassette)
    pool = open_workers(workers, kind=kind)
    gc.collect()
    gc.freeze()  # a run of many programs is not walked again and again for garbage that it does not hold
    try:
        driver = Driver(session.run, session.problem, state, pool, trust=trust, models=models)
        if watch is not None:
            watch(driver)
        reason = asyncio.run(driver.drive())
        session.trouble = driver.trouble
        return reason
    finally:
        gc.unfreeze()
        pool.close()


def _open_models(session: Session, cassette: Path | None) -> Models | None:
    if not session.problem.config.models:
        return None
    from quiltwork.models.gateway import open_models  # with it comes httpx, which a run without models does not need

    return open_models(session.problem.config.models, cassette=cassette, heard=session.hear)


def check_cassette(cassette: Path, config: ProblemConfig) -> None:
    """Refuse a recording that cannot be read, or that nobody would ask. Raises `UserError`."""
    from quiltwork.models.cassette import Cassette

    Cassette.load(cassette)
    if not config.models:
        raise UserError(
            f"{cassette}: this run asks no model, so it needs no recorded replies; name the models with --model"
        )


def with_models(config: ProblemConfig, models: Sequence[ModelConfig]) -> ProblemConfig:
    """The problem's settings with more models, or other ones of the same name."""
    named = {model.name: model for model in (*config.models, *models)}
    return ProblemConfig.model_validate({**config.model_dump(), "models": [m.model_dump() for m in named.values()]})


def check_budget(budget: Budget, config: ProblemConfig) -> None:
    """Refuse a limit that would never be reached, or could not be kept. Raises `UserError`."""
    paid = budget.limit("usd") is not None
    if budget.unit in ("tokens", "usd") and not config.models and not (paid and config.agents):
        raise UserError(f"a budget of {budget} is for runs that ask models; name one with --model, or write 500evals")
    if unknown := [model.name for model in config.models if paid and not price_is_known(model)]:
        raise UserError(
            f"what model {unknown[0]!r} costs is not known, so a budget in dollars cannot be kept; "
            f"give it usd_per_mtok_in and usd_per_mtok_out, or a budget in tokens"
        )


SETTABLE: dict[str, type[BaseModel]] = {
    "search": SearchConfig,
    "llm": LlmConfig,
    "novelty": NoveltyConfig,
    "limits": CandidateLimits,
}
"""Tables of `problem.toml` whose fields `--set` may replace; a name without a table is one of `search`."""


def with_settings(config: ProblemConfig, settings: Mapping[str, Any]) -> ProblemConfig:
    """The problem's settings with some fields replaced: `islands` or `llm.repair`. Raises `UserError` that names the field."""
    for name, value in settings.items():
        table, _, field = name.rpartition(".")
        model = SETTABLE.get(table or "search")
        if model is None or field not in model.model_fields:
            raise UserError(f"--set {name}: there is no such setting; there are {_settings_there_are(table)}")
        now: BaseModel = getattr(config, table or "search")
        try:
            changed = model.model_validate({**now.model_dump(), field: value})
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(f"--set {name}: {first['msg']} (given: {first['input']!r})") from error
        config = config.model_copy(update={table or "search": changed})
    return config


def _settings_there_are(table: str) -> str:
    if table in SETTABLE:
        return ", ".join(f"{table}.{field}" for field in SETTABLE[table].model_fields)
    others = ", ".join(f"{name}.…" for name in SETTABLE if name != "search")
    return f"{', '.join(SearchConfig.model_fields)}, {others}"
