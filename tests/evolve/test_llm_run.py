"""Runs that ask a model, end to end: a real server on loopback, the command line, the jail."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quiltwork.evolve.entries import Replied
from quiltwork.log import decode
from quiltwork.run import Run
from tests.evolve.helpers import kill_nine, quiltwork, quiltwork_json, sine, start
from tests.evolve.scripted_model import Script, scripted

ONLY_REWRITES = ("--set", 'arms=["llm"]', "--set", "llm.meta_share=0")
KEY = "sk-this-is-a-secret"


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sine(tmp_path_factory.mktemp("problem") / "sine")


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as serving:
        yield serving


def models_file(home: Path, script: Script, **fields: object) -> None:
    """Write the user's models.toml: one model, asked for rewrites."""
    settings = {
        "name": "fast",
        "url": script.url,
        "id": "scripted",
        "formats": ["rewrite"],
        "max_tokens": 200,
        **fields,
    }
    lines = [
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for name, value in settings.items()
    ]
    (home / "models.toml").write_text("\n".join(["[[models]]", *lines]).replace("'", '"') + "\n")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRET_KEY", KEY)
    return Path(os.environ["QUILTWORK_HOME"])


def run(problem: Path, out: Path, *words: object, budget: str = "40evals") -> Any:
    return quiltwork_json(
        "evolve", "run", problem, "--budget", budget, "--out", out, "--model", "fast", *ONLY_REWRITES, *words
    )


def replies(path: Path) -> list[Replied]:
    with Run.open(path, drive=False) as opened:
        return [body for entry in opened.log.read() if isinstance(body := decode(entry), Replied)]


def test_a_model_improves_a_program_and_what_it_cost_is_told(
    problem: Path, script: Script, home: Path, tmp_path: Path
) -> None:
    models_file(home, script, key_env="SECRET_KEY", usd_per_mtok_in=1.0, usd_per_mtok_out=2.0)
    summary = run(problem, tmp_path / "run")
    asked = summary["asked"]["llm:fast:rewrite"]
    assert summary["best"]["metrics"]["error"] < 0.7
    assert asked["applied"] == asked["steps"] >= 39
    assert asked["replies"] == len(script.asked)
    assert summary["tokens"] == 150 * len(script.asked)
    assert summary["usd"] == pytest.approx(len(script.asked) * (100 * 1.0 + 50 * 2.0) / 1e6)
    told = quiltwork("evolve", "status", tmp_path / "run").stdout
    assert "made a program (100%)" in told


@pytest.mark.slow
def test_the_key_reaches_the_server_and_no_file_of_the_run(
    problem: Path, script: Script, home: Path, tmp_path: Path
) -> None:
    models_file(home, script, key_env="SECRET_KEY")
    run(problem, tmp_path / "run", budget="5evals")
    assert script.authorizations == {f"Bearer {KEY}"}
    kept = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_recorded_run_is_made_again_offline_with_the_same_history(problem: Path, home: Path, tmp_path: Path) -> None:
    with scripted() as script:
        models_file(home, script)
        first = run(problem, tmp_path / "run")
    quiltwork("evolve", "cassette", tmp_path / "run", "--out", tmp_path / "tape.jsonl")
    for workers in (1, 2):
        again = run(problem, tmp_path / f"again{workers}", "--cassette", tmp_path / "tape.jsonl", "--workers", workers)
        assert again["digest"] == first["digest"]
        assert again["tokens"] == first["tokens"]


@pytest.mark.slow
def test_a_cassette_that_lacks_a_reply_stops_the_run_and_says_so(problem: Path, home: Path, tmp_path: Path) -> None:
    with scripted() as script:
        models_file(home, script)
        run(problem, tmp_path / "run", budget="5evals")
    quiltwork("evolve", "cassette", tmp_path / "run", "--out", tmp_path / "tape.jsonl")
    words = ("--model", "fast", "--cassette", tmp_path / "tape.jsonl", *ONLY_REWRITES, "--seed", 9)
    done = quiltwork("evolve", "run", problem, "--out", tmp_path / "other", *words, check=False)
    assert done.returncode == 2
    assert "tape.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers-on", "mars"), "no workers of kind 'mars'"),
        (("--cassette", "/nowhere/tape.jsonl"), "/nowhere/tape.jsonl: cannot be read"),
        (("--cassette", "EMPTY"), "this run asks no model"),
        (("--budget", "1usd"), "is for runs that ask models"),
        (("--model", "nobody"), "there is no model 'nobody'"),
    ],
)
def test_what_cannot_work_is_said_before_there_is_a_run(
    problem: Path, tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    given = [str(tmp_path / "empty.jsonl") if word == "EMPTY" else word for word in words]
    done = quiltwork("evolve", "run", problem, "--out", tmp_path / "run", *given, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_no_paid_reply_is_lost_or_paid_again_after_kill_nine(problem: Path, home: Path, tmp_path: Path) -> None:
    with scripted(delay_s=0.05) as script:
        models_file(home, script, in_flight=4)
        whole = run(problem, tmp_path / "whole")
        script.asked.clear()
        words = ("--budget", "40evals", "--model", "fast", *ONLY_REWRITES)
        for _ in range(3):
            word = ("run", problem, *words, "--out") if not (tmp_path / "cut").exists() else ("resume",)
            process = start("evolve", *word, tmp_path / "cut", "--json")
            wanted = len(script.asked) + 8
            while len(script.asked) < wanted and process.poll() is None:
                time.sleep(0.01)
            kill_nine(process)
        summary = quiltwork_json("evolve", "resume", tmp_path / "cut")
        assert summary["digest"] == whole["digest"]
        kept = [reply.request for reply in replies(tmp_path / "cut")]
        assert len(kept) == len(set(kept))
        # What was open when the process was killed, at most four requests each time, is all that was asked again.
        assert len(kept) <= len(script.asked) <= len(kept) + 3 * 4


@pytest.mark.slow
def test_a_budget_in_tokens_is_never_exceeded(problem: Path, script: Script, home: Path, tmp_path: Path) -> None:
    models_file(home, script)
    summary = run(problem, tmp_path / "run", budget="60ktokens")
    assert 30_000 < summary["tokens"] <= 60_000
    assert summary["stopped"] == "budget"


def test_a_budget_in_dollars_needs_a_price(problem: Path, script: Script, home: Path, tmp_path: Path) -> None:
    models_file(home, script)
    words = ("--budget", "1usd", "--model", "fast", "--out", tmp_path / "run")
    done = quiltwork("evolve", "run", problem, *words, check=False)
    assert done.returncode == 2
    assert "usd_per_mtok_in" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_dead_server_lays_the_run_down_and_it_goes_on_as_if_nothing_had_been(
    problem: Path, home: Path, tmp_path: Path
) -> None:
    with scripted() as script:
        models_file(home, script, patience_s=0.5)
        whole = run(problem, tmp_path / "whole")
        script.down = True
        words = ("--budget", "40evals", "--model", "fast", *ONLY_REWRITES, "--out", tmp_path / "cut")
        done = quiltwork("evolve", "run", problem, *words, check=False)
        assert done.returncode == 2
        assert "quiltwork evolve resume" in done.stderr
        assert "Traceback" not in done.stderr
        script.down = False
        assert quiltwork_json("evolve", "resume", tmp_path / "cut")["digest"] == whole["digest"]


@pytest.mark.slow
def test_requests_are_open_at_once_but_never_more_than_allowed(problem: Path, home: Path, tmp_path: Path) -> None:
    with scripted() as script:
        script.wait_for = 12
        models_file(home, script, in_flight=12)
        run(problem, tmp_path / "run", budget="30evals")
        assert script.most_at_once == 12


def test_an_estimate_is_said_before_the_first_request(
    problem: Path, script: Script, home: Path, tmp_path: Path
) -> None:
    models_file(home, script, usd_per_mtok_in=1.0, usd_per_mtok_out=2.0)
    words = ("--budget", "10evals,1usd", "--model", "fast", *ONLY_REWRITES, "--out", tmp_path / "run", "--json")
    said = quiltwork("evolve", "run", problem, *words).stderr
    assert "estimate: a request is about" in said
    assert "with fast" in said
    assert "never more than 1usd" in said
