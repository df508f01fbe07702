"""Drives ShinkaEvolve in its own environment: `python shinka_driver.py JOB.json`, through its runner."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
from shinka.core import EvolutionConfig, ShinkaEvolveRunner
from shinka.database import DatabaseConfig
from shinka.database.dbase import Program, ProgramDatabase
from shinka.launch import LocalJobConfig


def main(job: dict) -> None:
    folder = Path(job["folder"])
    results = folder / "shinka"
    results.mkdir(exist_ok=True)
    random.seed(job["seed"])  # it has no seed of its own; this is all that a user could do
    np.random.seed(job["seed"])
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    if not job["resume"]:
        fill(results, job["preload"])
    limit = int(job["limit_s"])
    runner = ShinkaEvolveRunner(
        evo_config=EvolutionConfig(
            task_sys_msg=job["text"],
            patch_types=["full"],
            patch_type_probs=[1.0],
            num_generations=job["preload"] + job["replies"] + 1,
            max_patch_resamples=1,
            max_patch_attempts=1,
            llm_models=[f"local/{job['model']}@{job['url']}"],
            llm_dynamic_selection=None,
            llm_dynamic_selection_kwargs={},
            llm_kwargs={"temperatures": [0.8], "max_tokens": job["max_tokens"]},
            meta_rec_interval=None,
            embedding_model=None,
            max_novelty_attempts=1,
            init_program_path=str(folder / "initial.py"),
            results_dir=str(results),
        ),
        job_config=LocalJobConfig(
            eval_program_path=str(folder / "evaluate.py"), time=f"00:{limit // 60:02d}:{limit % 60:02d}"
        ),
        db_config=DatabaseConfig(num_islands=2, archive_size=40),
        max_evaluation_jobs=job["workers"],
        max_proposal_jobs=job["proposals"],
        verbose=False,
    )
    runner.run()


def fill(results: Path, count: int) -> None:
    from task import honest, knob_of

    if not count:
        return
    database = ProgramDatabase(
        DatabaseConfig(db_path=str(results / "programs.sqlite"), num_islands=2, archive_size=40), embedding_model=None
    )
    chance = random.Random(1)
    for number in range(count):
        code = honest(10_000_000 + number) + "# " + "x" * chance.randrange(2_000) + "\n"
        database.add(
            Program(
                id=f"filled-{number}",
                code=code,
                generation=number,
                correct=True,
                combined_score=0.5 * knob_of(number),
                metadata={"patch_type": "full"},
            )
        )
    database.close()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
