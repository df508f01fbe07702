"""Part (h): the best score after the same number of replies of the same local model, with the same evaluators.

Our gallery's evaluators run unchanged in every system: for the peers, two small files stand in for what they import of
Quiltwork. `random`, `(1+1)` and `best of N` are our own engine without its selection.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import scripted
from records import OutOfTime, Results, Row
from systems import Order, System

GALLERY = Path(__file__).resolve().parent.parent.parent / "gallery"
PROBLEMS = ("sorting_network_8", "online_bin_packing", "symbolic_regression")
SEEDS = (0, 1, 2)
REPLIES = 24
KINDS = ("quilt", "random", "one_plus_one", "best_of_n")
LOCAL = ("qwen2.5-coder-1.5b", "smollm2-135m")
RUN_LIMIT_S = 3_600.0
SERVE_LIMIT_S = 600.0
ANSWER_TOKENS = 600

SHIM = '''
class InvalidScore(Exception):
    pass


class Score:
    def __init__(self, metrics, descriptors=None, artifacts=None, construction=None):
        self.metrics, self.artifacts = metrics, artifacts or {}


class Certificate:
    def __init__(self, *_, **__):
        pass


class Candidate:
    """What an evaluator is given: the program, called in this process, as the peers do."""

    seed, stage, start = 0, "full", None

    def __init__(self, program_path):
        import importlib.util

        spec = importlib.util.spec_from_file_location("program", program_path)
        self.program = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.program)

    def call(self, name, *args, **kwargs):
        return getattr(self.program, name)(*args, **kwargs)


def score_of(program_path):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from gallery_problem.evaluate import evaluate

    return evaluate(Candidate(program_path))
'''

OPENEVOLVE = """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "stand_in"))
from quiltwork.evolve import score_of


def evaluate(program_path):
    try:
        score = score_of(program_path)
    except Exception as error:
        return {"combined_score": WORST, "error": str(error)}
    return {"combined_score": SIGN * score.metrics["METRIC"]}
"""

SHINKA = """
import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "stand_in"))
from quiltwork.evolve import score_of

parser = argparse.ArgumentParser()
parser.add_argument("--program_path")
parser.add_argument("--results_dir")
args = parser.parse_args()
correct, error, value = True, "", WORST
try:
    value = SIGN * score_of(args.program_path).metrics["METRIC"]
except Exception as failure:
    correct, error = False, str(failure)
os.makedirs(args.results_dir, exist_ok=True)
with open(os.path.join(args.results_dir, "metrics.json"), "w") as file:
    json.dump({"combined_score": value, "public": {}, "private": {}}, file)
with open(os.path.join(args.results_dir, "correct.json"), "w") as file:
    json.dump({"correct": correct, "error": error}, file)
"""

WORST = -1e9
"""The score of a program that fails, where a number must be given."""


def quality(systems: list[System], results: Results, model_url: str, count: int) -> None:
    """All problems, seeds and systems over one model."""
    wanted = [(p, s, k) for p in PROBLEMS for s in SEEDS for k in _contestants(systems)]
    keys = [f"quality/{problem}/{kind}/{seed}" for problem, seed, (kind, _) in wanted]
    try:
        results.limit_s(60.0)
        with _server(model_url, results) as (url, name):
            for (problem, seed, (kind, system)), key in zip(wanted, keys, strict=True):

                def measure(problem: str = problem, seed: int = seed, kind: str = kind, system: System = system) -> Row:
                    return _run(
                        system, results, kind=kind, problem=problem, seed=seed, url=url, model=name, count=count
                    )

                results.measure(key, measure)
    except (OSError, RuntimeError) as error:
        reason = f"no model could be served: {error}"[:300]
        results.measure("quality/model", lambda: {"missing": reason})
    except OutOfTime:
        results.measure("quality/model", lambda: {"missing": "the time given ran out"})


def _contestants(systems: list[System]) -> list[tuple[str, System]]:
    ours = [(kind, systems[0]) for kind in KINDS]
    return [ours[0], *((system.name, system) for system in systems[1:]), *ours[1:]]


def _run(
    system: System, results: Results, *, kind: str, problem: str, seed: int, url: str, model: str, count: int
) -> Row:
    with tempfile.TemporaryDirectory(prefix="quiltwork-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        metric, sign = _write(folder, problem)
        options = {"mark": name, "upstream": url, **({"most": count} if system.name == "quiltwork" else {})}
        with scripted(sys.executable, folder, options) as proxy:
            _add_model(folder, proxy.url, model)
            order = Order(name, proxy.url, count, model=model, seed=seed, reply_s=1_800, max_tokens=ANSWER_TOKENS)
            text = (GALLERY / problem / "README.md").read_text()[:1_500]
            settings = {"kind": kind} if kind in KINDS else {}
            many = 100 * count if system.name == "quiltwork" else count  # ours is stopped at the last reply
            job = system.start(replace(order, text=text, settings=settings, replies=many, limit_s=10))
            try:
                ended = job.wait(results.limit_s(RUN_LIMIT_S), until=lambda: proxy.stats()["answered"] >= count)
                if not ended:
                    if system.name == "quiltwork":
                        time.sleep(3.0)  # the last reply's program is being evaluated
                        job.process.send_signal(signal.SIGINT)
                    job.wait(results.limit_s(120.0))
            finally:
                outcome = job.end()
            stats = proxy.stats()
        scores = [each.score for each in system.history(folder) if each.score is not None and each.score != WORST]
        if not scores:
            said = (folder / "job.log").read_text(errors="replace").splitlines()
            raise RuntimeError(f"nothing was scored (exit status {outcome.code}): {' '.join(said[-2:])}")
        values = scores if system.name == "quiltwork" else [sign * score for score in scores]
        return {
            "best": (max if sign > 0 else min)(values),
            "start": values[0],
            "replies": stats["answered"],
            "scored": len(scores) - 1,
            "tokens": stats["tokens"],
            "metric": metric,
            "direction": "maximize" if sign > 0 else "minimize",
            "model": model,
        }


def _write(folder: Path, name: str) -> tuple[str, float]:
    """A problem in every system's format; its first metric's name, and 1 or -1 for its direction."""
    source = GALLERY / name
    config = tomllib.loads((source / "problem.toml").read_text())
    metric = config["metrics"][0]["name"]
    sign = 1.0 if config["metrics"][0].get("direction", "maximize") == "maximize" else -1.0
    shutil.copytree(source, folder / "problem", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(source, folder / "gallery_problem", ignore=shutil.ignore_patterns("__pycache__", "program"))
    stand_in = folder / "stand_in" / "quiltwork"
    (stand_in / "evolve").mkdir(parents=True)
    (stand_in / "__init__.py").write_text("")
    (stand_in / "evolve" / "__init__.py").write_text(SHIM)
    program = next(iter((source / "program").glob("*.py"))).read_text()
    (folder / "initial.py").write_text(program)
    for path, text in (("evaluator.py", OPENEVOLVE), ("evaluate.py", SHINKA)):
        text = text.replace("METRIC", metric).replace("SIGN", repr(sign)).replace("WORST", repr(WORST))
        (folder / path).write_text(text)
    return metric, sign


def _add_model(folder: Path, url: str, model: str) -> None:
    """Ours: only the model proposes, in the formats that small models can follow."""
    path = folder / "problem" / "problem.toml"
    text = path.read_text()
    extra = (
        f'\n[[models]]\nname = "local"\nid = "{model}"\nurl = "{url}"\nformats = ["complete", "prefill"]\n'
        f"in_flight = 2\nmax_tokens = {ANSWER_TOKENS}\ncontext_tokens = 4096\ntimeout_s = 1800\n"
    )
    section = "[search]\n"
    arms = 'arms = ["llm"]\n'
    text = text.replace(section, section + arms) if section in text else f"{text}\n{section}{arms}"
    path.write_text(text + extra)


@contextlib.contextmanager
def _server(model_url: str, results: Results) -> Iterator[tuple[str, str]]:
    """The URL of a model and its name: the one that was named, else one that is served now."""
    if model_url:
        url, _, name = model_url.partition("#")
        yield url, name
        return
    said = ""
    for name in LOCAL:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "quiltwork.cli.main", "models", "serve", name, "--port", str(port)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}/v1"
            if _answers(url, process, results.limit_s(SERVE_LIMIT_S)):
                yield url, name
                return
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate(timeout=30)
            said = output.decode("utf-8", "replace")[-200:]
    raise RuntimeError(f"`quiltwork models serve` said: {' '.join(said.split())}")


def _answers(url: str, process: subprocess.Popen[bytes], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError):
            with urllib.request.urlopen(f"{url}/models", timeout=10) as response:
                json.load(response)
            return True
        time.sleep(0.5)
    return False
