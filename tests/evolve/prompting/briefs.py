"""Briefs as a run gives them to models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from quiltwork.evolve.config import AgentConfig, KnownValue, LlmConfig, Metric, ProblemConfig
from quiltwork.evolve.draws import draw
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, Specimen
from quiltwork.models import ModelConfig
from tests.evolve.corpus import PACKING

PARENT = Program({"p.py": PACKING})
OTHER = Program({"p.py": PACKING.replace("left ** 2", "left ** 3")})
BETTER = Program({"p.py": PACKING.replace("left ** 2", "abs(left)")})


def model(**fields: Any) -> ModelConfig:
    return ModelConfig(**{"name": "m", "url": "http://localhost/v1", "max_tokens": 1_000, **fields})


def specimen(program: Program, bins: float, **artifacts: str) -> Specimen:
    return Specimen(program=program, fitness=(-bins,), metrics={"bins": bins, "other": 0.5}, artifacts=artifacts)


def problem(program: Program = PARENT, asked: ModelConfig | None = None, **llm: Any) -> Problem:
    config = ProblemConfig(
        name="Packing",
        summary="As few bins as possible",
        metrics=(Metric(name="bins", direction="minimize"),),
        models=(asked or model(),),
        agents=(AgentConfig(command=("true",), name="helper"),),
        llm=LlmConfig(**llm),
    )
    known = (KnownValue(who="best fit", value=212.0, source="here"),)
    return Problem(Path("/nowhere"), config, program, known, "Gaps of 20 are good.\n", {})


def brief(program: Program = PARENT, asked: ModelConfig | None = None, seed: int = 0, **fields: Any) -> Brief:
    llm = fields.pop("llm", {})
    found = Brief(
        problem=problem(program, asked, **llm),
        parent=specimen(program, 213.5, **{"feedback.txt": "too many gaps"}),
        inspirations=[specimen(BETTER, 212.5), specimen(OTHER, 214.5)],
        rng=draw(seed, 0, "propose"),
        instruction="Waste less.",
    )
    return replace(found, **fields)
