"""`run_shinka_eval` as evaluators know it: load the program, run it several times, validate, aggregate, write the results.

Differences from ShinkaEvolve 0.0.7: runs are always one after the other (`run_workers` is checked, and no more).
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import pickle
import statistics
import time
from collections.abc import Callable
from typing import Any

DEFAULT_METRICS_ON_ERROR: dict[str, Any] = {
    "combined_score": 0.0,
    "execution_time_mean": 0.0,
    "execution_time_std": 0.0,
    "num_successful_runs": 0,
    "num_valid_runs": 0,
    "num_invalid_runs": 0,
    "all_validation_errors": [],
}

Metrics = dict[str, Any]


def load_program(program_path: str) -> Any:
    """Import the program from its path."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{program_path}: cannot be imported as a program")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_json_results(results_dir: str, metrics: Metrics, correct: bool, error: str | None = None) -> None:
    """Write `correct.json` and `metrics.json`."""
    os.makedirs(results_dir, exist_ok=True)
    for name, content in (("correct.json", {"correct": correct, "error": error}), ("metrics.json", metrics)):
        with open(os.path.join(results_dir, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=4)


class _Runs:
    """The runs of one program: results, seconds, and what the validator said of them."""

    def __init__(self, validate: Callable[[Any], Any] | None) -> None:
        self.results: list[Any] = []
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.valid = 0
        self.invalid = 0
        self.first_error: str | None = None
        self._validate = validate

    def add(self, result: Any, seconds: float) -> None:
        self.results.append(result)
        self.seconds.append(seconds)
        if self._validate is None:
            return
        valid, error = self._validate(result)
        if valid:
            self.valid += 1
            return
        self.invalid += 1
        if error and error not in self.errors:
            self.errors.append(error)
            self.first_error = self.first_error or f"Validation failed: {error}"

    def timing(self) -> Metrics:
        found: Metrics = {
            "execution_time_mean": statistics.fmean(self.seconds) if self.seconds else 0.0,
            "execution_time_std": statistics.pstdev(self.seconds) if self.seconds else 0.0,
        }
        if self._validate is not None:
            found |= {
                "num_valid_runs": self.valid,
                "num_invalid_runs": self.invalid,
                "all_validation_errors": self.errors,
            }
        return found


def run_shinka_eval(
    program_path: str,
    results_dir: str,
    experiment_fn_name: str,
    num_runs: int,
    get_experiment_kwargs: Callable[[int], dict[str, Any]] | None = None,
    aggregate_metrics_fn: Callable[[list[Any]], Metrics] | None = None,
    validate_fn: Callable[[Any], Any] | None = None,
    plotting_fn: Callable[[Any], Any] | None = None,
    default_metrics_on_error: Metrics | None = None,
    early_stop_method: Any = None,
    early_stop_threshold: float | None = None,
    early_stop_score_fn: Callable[[Any], float] | None = None,
    early_stop_kwargs: dict[str, Any] | None = None,
    run_workers: int = 1,
    max_workers_cap: int | None = None,
) -> tuple[Metrics, bool, str | None]:
    """Run the program's function `num_runs` times; returns metrics, whether all was correct, and the first error."""
    if run_workers < 1 or (max_workers_cap is not None and max_workers_cap < 1):
        raise ValueError("run_workers and max_workers_cap must be at least 1")
    stopper = _stopper(early_stop_method, early_stop_threshold, early_stop_kwargs)
    runs = _Runs(validate_fn)
    decision = None
    scores: list[float] = []
    try:
        experiment = _experiment(program_path, experiment_fn_name)
        for index in range(num_runs):
            kwargs = get_experiment_kwargs(index) if get_experiment_kwargs else {"seed": index + 1}
            started = time.perf_counter()
            result = experiment(**kwargs)
            runs.add(result, time.perf_counter() - started)
            score = _score(result, early_stop_score_fn) if stopper is not None else None
            if stopper is not None and score is not None:
                scores.append(score)
                decision = stopper.check(scores, early_stop_threshold)
                if decision.should_stop:
                    break
        metrics = aggregate_metrics_fn(runs.results) if aggregate_metrics_fn else _preview(runs.results)
        metrics |= runs.timing()
        if stopper is not None:
            metrics["early_stop"] = _told(stopper, early_stop_threshold, decision, scores, len(runs.results), num_runs)
        error = runs.first_error or _not_finite(metrics)
        correct = runs.invalid == 0 and error is None
    except Exception as failure:  # noqa: BLE001  whatever a program raises is written down as its failure
        print(f"Evaluation error: {failure}")
        metrics = {
            name: (default_metrics_on_error or {}).get(name, value) for name, value in DEFAULT_METRICS_ON_ERROR.items()
        }
        error, correct = str(failure), False
    if "extra_data" in metrics:
        _save_extra(results_dir, metrics.pop("extra_data"), plotting_fn)
    save_json_results(results_dir, metrics, correct, error)
    return metrics, correct, error


def _experiment(program_path: str, name: str) -> Any:
    found = getattr(load_program(program_path), name, None)
    if found is None:
        raise AttributeError(f"Experiment function '{name}' not found in {program_path}")
    return found


def _stopper(method: Any, threshold: float | None, kwargs: dict[str, Any] | None) -> Any:
    if method is None:
        return None
    if threshold is None:
        raise ValueError("early_stop_threshold is required when early_stop_method is set")
    if isinstance(method, str):
        from shinka.utils.eval_stop import create_early_stop_method  # type: ignore[import-not-found]

        method = create_early_stop_method(method, **(kwargs or {}))
    method.reset()
    return method


def _score(result: Any, read: Callable[[Any], float] | None) -> float | None:
    if read is not None:
        try:
            return read(result)
        except Exception as error:  # noqa: BLE001  as ShinkaEvolve: a score that cannot be read stops nothing
            print(f"Warning: early_stop_score_fn failed: {error}")
            return None
    found = result.get("score") if isinstance(result, dict) else result
    return float(found) if isinstance(found, int | float) else None


def _told(
    stopper: Any, threshold: float | None, decision: Any, scores: list[float], completed: int, requested: int
) -> Metrics:
    return {
        "method": stopper.name,
        "threshold": threshold,
        "triggered": bool(decision and decision.should_stop),
        "runs_completed": completed,
        "runs_requested": requested,
        "prediction": decision.prediction if decision else "uncertain",
        "confidence": decision.confidence if decision else 0.0,
        "reason": decision.reason if decision else None,
        "scores": scores,
    }


def _preview(results: list[Any]) -> Metrics:
    return {
        "num_successful_runs": len(results),
        "first_run_result_type": str(type(results[0])) if results else "N/A",
        "raw_results_preview": str(results[:2]) if results else "N/A",
    }


def _not_finite(metrics: Metrics) -> str | None:
    score = metrics.get("combined_score", 0.0)
    if math.isnan(score):
        return "combined_score is NaN"
    return f"combined_score is inf ({score})" if math.isinf(score) else None


def _save_extra(results_dir: str, extra: Any, plotting_fn: Callable[[Any], Any] | None) -> None:
    os.makedirs(results_dir, exist_ok=True)
    with open(os.path.join(results_dir, "extra.pkl"), "wb") as file:
        pickle.dump(extra, file)
    if plotting_fn is not None:
        print("plots are not drawn here")
