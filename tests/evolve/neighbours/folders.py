"""Folders in the layouts of OpenEvolve and ShinkaEvolve, written for these tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

PARABOLA = '''\
"""Finds the lowest point of a parabola."""

# EVOLVE-BLOCK-START
GUESS = 3.0


def search():
    return GUESS * 1.0


# EVOLVE-BLOCK-END


def run():
    return search()
'''

EVALUATOR = """\
import importlib.util
import subprocess
import sys
import tempfile

from openevolve.evaluation_result import EvaluationResult
from target import CENTRE


def load(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def evaluate(program_path):
    print("evaluating", program_path)
    x = load(program_path).run()
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(f"import numpy; print(float(numpy.square({x!r} - {CENTRE})))")
        script.flush()
        done = subprocess.run([sys.executable, script.name], capture_output=True, text=True, check=True)
    error = float(done.stdout)
    return EvaluationResult(
        metrics={"combined_score": 1 / (1 + error), "error_size": error, "worst": float("inf"), "kind": "parabola"},
        artifacts={"stderr": f"off by {x - CENTRE}", "blob": b"\\x00\\x01"},
    )
"""

CASCADE = """\
import importlib.util


def value(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run()


def evaluate_stage1(path):
    return {"near": 1.0 if abs(value(path)) < 10 else 0.0}


def evaluate_stage2(path):
    return {"nearer": 1.0 if abs(value(path)) < 5 else 0.0, "error": 99.0}


def evaluate_stage3(path):
    x = value(path)
    if x == 4.0:
        raise ValueError("four is refused by the last stage")
    return {"combined_score": 1.0 / (1.0 + abs(x - 1.0))}


def evaluate(path):
    return evaluate_stage3(path)
"""

EVERY_KEY = """\
max_iterations: 30
random_seed: 11
checkpoint_interval: 5
log_level: DEBUG
log_dir: null
language: python
file_suffix: .py
diff_based_evolution: true
max_code_length: 3000
enforce_evolve_blocks: true
diff_pattern: "x"
early_stopping_patience: 5
convergence_threshold: 0.1
early_stopping_metric: combined_score
max_tasks_per_child: 4
max_iteratons: 12
llm:
  api_base: https://models.example/v1
  api_key: ${EXAMPLE_KEY}
  temperature: 0.3
  top_p: 0.9
  max_tokens: 999
  timeout: 20
  retries: 2
  retry_delay: 3
  reasoning_effort: high
  primary_model: first
  primary_model_weight: 0.7
  secondary_model: second
  secondary_model_weight: 0.0
  models:
    - name: group/third
      weight: 0.5
      temperature: 1.1
    - name: fourth
      provider: claude_code
      api_key: sk-this-is-a-secret
prompt:
  system_message: Look at the slope.
  num_top_programs: 4
  num_diverse_programs: 1
  include_artifacts: true
  max_artifact_bytes: 1234
  use_meta_prompting: true
  meta_prompt_weight: 0.2
  template_dir: prompts
database:
  num_islands: 2
  migration_interval: 7
  random_seed: 12
  feature_dimensions: [complexity, diversity, score, error_size]
  feature_bins: {complexity: 4, score: 3}
  similarity_threshold: 0.9
  population_size: 60
evaluator:
  timeout: 33
  memory_limit_mb: 777
  cascade_evaluation: false
  cascade_thresholds: [0.1, 0.2]
  enable_artifacts: true
  use_llm_feedback: true
  parallel_evaluations: 3
evolution_trace:
  enabled: true
"""

RUN_EVO = '''\
from shinka.core import EvolutionConfig, ShinkaEvolveRunner
from shinka.database import DatabaseConfig
from shinka.launch import LocalJobConfig

STRATEGY = "weighted"
if STRATEGY == "weighted":
    parents = dict(parent_selection_strategy="weighted")
else:
    parents = dict(num_beams=4)

MESSAGE = """Find the lowest point."""
job = LocalJobConfig(eval_program_path="evaluate.py", time="00:02:00", extra_cmd_args={"scale": 2})
db = DatabaseConfig(num_islands=2, archive_sizes=20, migration_interval=9, **parents)
evo = EvolutionConfig(
    task_sys_msg=MESSAGE,
    patch_types=["diff", "full"],
    num_generations=25,
    max_api_costs=2.5,
    llm_models=["gpt-5-mini", "local/qwen@http://127.0.0.1:9/v1?api_key_env=MINE", "bedrock/x"],
    llm_kwargs=dict(temperatures=[0.0, 1.0], max_tokens=4096),
    use_text_feedback=True,
    results_dir=f"results_{STRATEGY}",
)

if __name__ == "__main__":
    ShinkaEvolveRunner(evo_config=evo, job_config=job, db_config=db, max_evaluation_jobs=2).run()
'''

SHINKA_EVALUATE = """\
import argparse

from shinka.core import run_shinka_eval


def kwargs_of(run):
    return {"scale": SCALE * (run + 1)}


def validate(result):
    return abs(result) < 1e6, f"{result} is far out"


def aggregate(results):
    error = sum(abs(result - 1.0) for result in results) / len(results)
    return {
        "combined_score": 1.0 / (1.0 + error),
        "public": {"error": error, "how": "mean"},
        "private": {"secret": 42},
        "text_feedback": "aim at one",
    }


def main(program_path, results_dir):
    run_shinka_eval(
        program_path=program_path,
        results_dir=results_dir,
        experiment_fn_name="run",
        num_runs=2,
        get_experiment_kwargs=kwargs_of,
        validate_fn=validate,
        aggregate_metrics_fn=aggregate,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program_path", default="initial.py")
    parser.add_argument("--results_dir", default="results")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    SCALE = options.scale
    main(options.program_path, options.results_dir)
"""


def write(folder: Path, **files: str) -> Path:
    """Files by name, with `__` for a dot."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(dedent(text))
    return folder


def openevolve(folder: Path, *, program: str = PARABOLA, evaluator: str = EVALUATOR, config: str = "") -> Path:
    """A function to optimise, in OpenEvolve's layout."""
    write(folder, initial_program__py=program, evaluator__py=evaluator, target__py="CENTRE = 1.5\n")
    if config:
        (folder / "config.yaml").write_text(config)
    return folder


def shinka(folder: Path, *, evaluate: str = SHINKA_EVALUATE, run_evo: str = RUN_EVO) -> Path:
    """The same in ShinkaEvolve's."""
    program = PARABOLA.replace("def run():", "def run(scale):").replace(
        "return search()", "return search() + 0 * scale"
    )
    return write(folder, initial__py=program, evaluate__py=evaluate, run_evo__py=run_evo)
