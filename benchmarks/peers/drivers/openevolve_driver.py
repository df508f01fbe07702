"""Drives OpenEvolve in its own environment: `python openevolve_driver.py JOB.json`, through its library's controller."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import yaml
from openevolve.config import load_config
from openevolve.controller import OpenEvolve
from openevolve.database import Program

CONFIG = {
    "log_level": "WARNING",
    "diff_based_evolution": False,
    "early_stopping_patience": None,
    "evaluator": {"cascade_evaluation": False},
    "database": {"num_islands": 5, "feature_dimensions": ["complexity", "diversity"], "feature_bins": 10},
}


def main(job: dict) -> None:
    folder = Path(job["folder"])
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(job)))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    controller = OpenEvolve(
        initial_program_path=str(folder / "initial.py"),
        evaluation_file=str(folder / "evaluator.py"),
        config=load_config(folder / "config.yaml"),
        output_dir=str(folder / "openevolve"),
    )
    fill(controller.database, job["preload"])
    checkpoint = newest(folder) if job["resume"] else None
    try:
        asyncio.run(controller.run(iterations=job["replies"] - reached(checkpoint), checkpoint_path=checkpoint))
    finally:
        programs = sorted(controller.database.programs.values(), key=lambda p: (p.iteration_found, p.timestamp))
        found = [
            {"code": p.code, "score": p.metrics.get("combined_score"), "time": p.timestamp, "step": p.iteration_found}
            for p in programs
            if not p.metadata.get("filled")
        ]
        best = controller.database.get_best_program()
        score = None if best is None else best.metrics.get("combined_score")
        (folder / "history.json").write_text(json.dumps({"programs": found, "best": score}))


def configuration(job: dict) -> dict:
    """The user's file: the defaults, but for what the job says."""
    model = {"name": job["model"], "api_base": job["url"], "api_key": "${OPENAI_API_KEY}"}
    llm = {"models": [model], "api_base": job["url"], "timeout": job["reply_s"], "max_tokens": job["max_tokens"]}
    return {
        **CONFIG,
        "max_iterations": job["replies"],
        "random_seed": job["seed"],
        "llm": llm,
        "prompt": {"system_message": job["text"]},
        "evaluator": {
            **CONFIG["evaluator"],
            "parallel_evaluations": job["processes"],
            "timeout": job["limit_s"],
        },
        "database": {**CONFIG["database"], "population_size": max(1_000, 2 * job["preload"])},
    }


def fill(database, count: int) -> None:
    from task import honest, knob_of

    chance = random.Random(1)
    for number in range(count):
        code = honest(10_000_000 + number) + "# " + "x" * chance.randrange(2_000) + "\n"
        program = Program(
            id=f"filled-{number}",
            code=code,
            metrics={"combined_score": 0.5 * knob_of(number)},
            metadata={"filled": True},
        )
        database.add(program, iteration=0, target_island=number % 5)


def newest(folder: Path) -> str | None:
    found = sorted(
        (folder / "openevolve" / "checkpoints").glob("checkpoint_*"), key=lambda p: int(p.name.split("_")[1])
    )
    return str(found[-1]) if found else None


def reached(checkpoint: str | None) -> int:
    return int(checkpoint.rsplit("_", 1)[1]) if checkpoint else 0


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
