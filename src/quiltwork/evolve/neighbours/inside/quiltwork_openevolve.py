"""Runs an OpenEvolve evaluator where its program runs: in the jail. Quiltwork calls `evaluate` here and gets plain data.

The evaluator and the program share this process, as they do under OpenEvolve: what comes back is a claim.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
import os
import sys
import threading
import traceback
from typing import Any

import quiltwork_advice  # type: ignore[import-not-found]

STAGES = ("evaluate_stage1", "evaluate_stage2", "evaluate_stage3")


class Refused(Exception):
    """The program has no score: the text says why."""


def evaluate(
    program: str,
    initial: str,
    cascade: list[float] | None,
    only: int | None,
    timeout_s: float,
    features: list[str],
    longest: int,
) -> dict[str, Any]:
    """Score `program` (a path). `cascade` holds the thresholds, or is None; `only` picks one stage of the cascade.

    The reply has "metrics" and "artifacts" (name -> data) and "features" (name -> number), or "refused" (why).
    """
    path = os.path.abspath(program)
    code, before = _text(path), _text(initial)
    if len(code) > longest and code != before:
        return {"refused": f"the program has {len(code)} characters; max_code_length is {longest}"}
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # for the children that an evaluator starts
    try:
        evaluator = _load()
        if cascade is None or not hasattr(evaluator, STAGES[0]):
            metrics, artifacts = _run(evaluator.evaluate, path, timeout_s)
        elif only is not None:
            stage = getattr(evaluator, STAGES[only], evaluator.evaluate)
            metrics, artifacts = _run(stage, path, timeout_s)
            metrics.pop("error", None)  # no threshold is compared with it
        else:
            metrics, artifacts = _cascade(evaluator, path, cascade, timeout_s)
    except Refused as refusal:
        return {"refused": str(refusal)}
    known = {"complexity": float(len(code)), "diversity": _difference(before, code)}
    metrics, artifacts = _plain(metrics, artifacts)
    return {
        "metrics": metrics,
        "artifacts": artifacts,
        "features": {name: value for name, value in known.items() if name in features},
    }


def _load() -> Any:
    here = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location("evaluation_module", os.path.join(here, "evaluator.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluation_module"] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        raise Refused(f"evaluator.py cannot be imported: {error}.{quiltwork_advice.advice(error)}") from None
    if not hasattr(module, "evaluate"):
        raise Refused("evaluator.py defines no evaluate(program_path)")
    return module


def _run(function: Any, path: str, timeout_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call one function of the evaluator, in a thread as OpenEvolve does, and wait no longer than its timeout."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(function(path))
        except BaseException as error:  # noqa: BLE001  it crosses from one thread to another
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise Refused(f"{function.__name__} took longer than evaluator.timeout = {timeout_s:g} s")
    result = outcome[0]
    if isinstance(result, SystemExit):
        raise Refused(f"{function.__name__} ended with sys.exit({result.code!r})")
    if isinstance(result, BaseException):
        text = "".join(traceback.format_exception(result, limit=-8))
        raise Refused(f"{function.__name__} raised:\n{text}{quiltwork_advice.advice(result)}")
    metrics = getattr(result, "metrics", result)
    if not isinstance(metrics, dict):
        raise Refused(f"{function.__name__} returned {type(result).__name__}; a dict or an EvaluationResult is needed")
    return dict(metrics), dict(getattr(result, "artifacts", None) or {})


def _cascade(
    evaluator: Any, path: str, thresholds: list[float], timeout_s: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stage after stage while the thresholds are reached; a later stage that fails leaves what the earlier ones found."""
    metrics, artifacts = _run(evaluator.evaluate_stage1, path, timeout_s)
    for number, name in enumerate(STAGES[1:], start=2):
        if len(thresholds) < number - 1 or not hasattr(evaluator, name):
            break
        if _mean_or_score(metrics) < thresholds[number - 2]:
            break
        try:
            more, texts = _run(getattr(evaluator, name), path, timeout_s)
        except Refused as refusal:
            metrics[f"stage{number}_passed"] = 0.0
            artifacts |= {f"stage{number}_failure": str(refusal), "failure_stage": f"stage{number}"}
            break
        merged = {**metrics, **more}
        metrics = {key: value for key, value in merged.items() if _is_number(value) and key != "error"}
        artifacts |= texts
    return metrics, artifacts


def _mean_or_score(metrics: dict[str, Any]) -> float:
    """What a threshold is compared with: `combined_score`, else the mean of all numbers but "error"."""
    score = metrics.get("combined_score")
    if _is_number(score):
        return float(score)  # type: ignore[arg-type]
    values = [float(value) for name, value in metrics.items() if name != "error" and _is_number(value)]
    return sum(values) / len(values) if values else -math.inf


def _is_number(value: Any) -> bool:
    return isinstance(_bare(value), int | float)


def _bare(value: Any) -> Any:
    """A number of numpy or torch as Python's own."""
    item = getattr(value, "item", None)
    try:
        return item() if callable(item) else value
    except (TypeError, ValueError, RuntimeError):
        return value


def _plain(metrics: dict[str, Any], artifacts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers are metrics, everything else is an artifact; both as data that may leave the jail."""
    texts: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for name, value in metrics.items():
        bare = _bare(value)
        if isinstance(bare, int | float):
            numbers[str(name)] = bare
        else:
            texts[str(name)] = _words(bare)
    texts.update({str(name): _words(value) for name, value in artifacts.items()})
    return numbers, texts


def _words(value: Any) -> Any:
    return value if isinstance(value, str | bytes) else repr(value)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _difference(before: str, after: str) -> float:
    """Share of lines that differ, 0 (the same) to 1 (nothing in common)."""
    return 1.0 - difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).ratio()
