"""Runs a ShinkaEvolve evaluator where its program runs: in the jail. Quiltwork calls `evaluate` here and gets plain data.

The evaluator and the program share this process, where under ShinkaEvolve they share one of their own: what comes back is
a claim.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import traceback
from typing import Any

import quiltwork_advice  # type: ignore[import-not-found]


def evaluate(program: str, extra: list[str]) -> dict[str, Any]:
    """Run evaluate.py on `program` as a command with its two options and `extra` words; read what it wrote.

    The reply has "metrics" (what metrics.json holds), "correct" and "error" (what correct.json holds), or "refused" (why).
    """
    path = os.path.abspath(program)
    results = tempfile.mkdtemp(prefix="results-")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # for the children that an evaluator starts
    sys.argv = ["evaluate.py", "--program_path", path, "--results_dir", results, *extra]
    try:
        _run(path, results)
    except SystemExit as end:
        if end.code not in (None, 0):
            return {"refused": f"evaluate.py ended with sys.exit({end.code!r})"}
    except Exception as error:  # noqa: BLE001  whatever an evaluator raises is its verdict
        text = "".join(traceback.format_exception(error, limit=-8))
        return {"refused": f"evaluate.py raised:\n{text}{quiltwork_advice.advice(error)}"}
    metrics, verdict = _read(results, "metrics.json"), _read(results, "correct.json")
    if metrics is None:
        return {"refused": "evaluate.py wrote no metrics.json into results_dir"}
    verdict = verdict or {}
    return {"metrics": metrics, "correct": bool(verdict.get("correct")), "error": str(verdict.get("error") or "")}


def _run(path: str, results: str) -> None:
    """As `python evaluate.py --program_path ...`; a script that only defines `main` has it called."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "evaluate.py")
    names = runpy.run_path(here, run_name="__main__")
    if not os.path.exists(os.path.join(results, "metrics.json")) and callable(names.get("main")):
        names["main"](program_path=path, results_dir=results)


def _read(results: str, name: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(results, name), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
