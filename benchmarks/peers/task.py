"""The task of the scripted parts, in every system's format: a program of two kilobytes whose score is a constant in it.

The evaluators are ordinary ones, in the style of each project's own examples; ShinkaEvolve's imports nothing of
ShinkaEvolve, which spares it more than two seconds of processor time per evaluation.
"""

from __future__ import annotations

from pathlib import Path

KEY = "sk-this-key-is-the-users-own"
FORGED = 1e6
LEFT_BEHIND = 5.0

_TABLE = "".join(f"#   {i:3d}: weight {(i * 37 % 101) / 101:.6f}, offset {(i * 53 % 89) / 89:.6f}\n" for i in range(30))


def program(knob: str, lines: str = "", words: str = "") -> str:
    """The program with an expression for the knob, and with further lines before it."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return (
        f'"""A knob and what it is for. {words}"""\n\n'
        f"# EVOLVE-BLOCK-START\n# What has been tried before:\n{_TABLE}def value():\n{body}    knob = {knob}\n    return knob\n"
        f"\n\n# EVOLVE-BLOCK-END\n"
    )


def knob_of(number: int) -> float:
    """The score of the honest program with a number: between 0 and 1, all different up to a million."""
    return ((number + 1) * 617_411 % 1_000_003) / 1_000_003


def honest(number: int) -> str:
    """An honest program; its number is in its text."""
    return program(repr(knob_of(number)), f"# honest {number}")


ATTACKS = {
    "exit": "import os\nos._exit(0)",
    "loop": "while True:\n    pass",
    "memory": "hoard = bytearray(3 << 30)\nhoard[::4096] = b'x' * len(hoard[::4096])\nimport time\ntime.sleep(1.5)",
    "system exit": "raise SystemExit",
    "inf": "return float('inf')",
    "nan": "return float('nan')",
    "orphan": "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)",
    "key": (
        "import os\nfound = os.environ.get('OPENAI_API_KEY', '')\n"
        "found += open(f'/proc/{os.getppid()}/environ').read()\nopen('MARK/stolen', 'w').write(found)"
    ),
    "evaluator": (
        "import sys\nframe = sys._getframe()\nwhile frame is not None:\n"
        "    for name in ('score_of', 'float'):\n"
        "        if 'score_of' in frame.f_globals:\n            frame.f_globals[name] = lambda *_: 1e6\n"
        "    frame = frame.f_back"
    ),
    "fork bomb": (
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        time.sleep(30)\n        os._exit(0)"
    ),
    "output flood": "import sys\nfor _ in range(1000):\n    sys.stdout.write('flood ' * 16000)",
    "file for the next": "import os\nif os.path.exists('MARK/note'):\n    return 5.0\nopen('MARK/note', 'w').write('x')",
    "symlink": (
        "import os\nlink = f'MARK/link-{os.getpid()}'\nos.symlink('MARK/victim', link)\nopen(link, 'w').write('overwritten')"
    ),
    "kills its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
}
"""What a hostile program does before it returns 0.25. MARK is a folder that the user can write to, like any of the user's."""


def hostile(case: str, number: int, mark: str) -> str:
    """A hostile program; its case is in its text. The fork bomb and the flood are bounded: peers have no jail."""
    return program("0.25", f"# hostile {case} {number}\n" + ATTACKS[case].replace("MARK", mark))


OPENEVOLVE_EVALUATOR = """
import importlib.util


def score_of(value):
    return float(value)


def evaluate(program_path):
    try:
        spec = importlib.util.spec_from_file_location("program", program_path)
        program = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(program)
        return {"combined_score": score_of(program.value())}
    except Exception as error:
        return {"combined_score": 0.0, "error": str(error)}
"""

SHINKA_EVALUATOR = """
import argparse
import importlib.util
import json
import os


def score_of(value):
    return float(value)


def main(program_path, results_dir):
    os.makedirs(results_dir, exist_ok=True)
    correct, error, score = True, "", 0.0
    try:
        spec = importlib.util.spec_from_file_location("program", program_path)
        program = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(program)
        score = score_of(program.value())
    except Exception as failure:
        correct, error = False, str(failure)
    with open(os.path.join(results_dir, "metrics.json"), "w") as file:
        json.dump({"combined_score": score, "public": {}, "private": {}}, file)
    with open(os.path.join(results_dir, "correct.json"), "w") as file:
        json.dump({"correct": correct, "error": error}, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program_path")
    parser.add_argument("--results_dir")
    args = parser.parse_args()
    main(args.program_path, args.results_dir)
"""

QUILTWORK_EVALUATOR = """
from quiltwork.evolve import Score


def score_of(value):
    return float(value)


def evaluate(candidate):
    return Score(metrics={"score": score_of(candidate.call("value"))})
"""

QUILTWORK_TOML = """
name = "knob"
[[metrics]]
name = "score"
[limits]
wall_s = {limit_s}
cpu_s = {limit_s}
memory_mb = 512
[llm]
meta_share = 0.0
repair = false
[search]
arms = ["llm"]
[[models]]
name = "scripted"
url = "{url}"
key_env = "OPENAI_API_KEY"
formats = ["rewrite"]
in_flight = {in_flight}
"""


def write(folder: Path, *, url: str, limit_s: float, in_flight: int) -> None:
    """Write the task into a job's folder: one file of each kind per system."""
    (folder / "initial.py").write_text(program("0.5", "# the beginning"))
    (folder / "evaluator.py").write_text(OPENEVOLVE_EVALUATOR)
    (folder / "evaluate.py").write_text(SHINKA_EVALUATOR)
    problem = folder / "problem"
    (problem / "program").mkdir(parents=True)
    (problem / "program" / "program.py").write_text(program("0.5", "# the beginning"))
    (problem / "evaluate.py").write_text(QUILTWORK_EVALUATOR)
    (problem / "problem.toml").write_text(QUILTWORK_TOML.format(url=url, limit_s=limit_s, in_flight=in_flight))
