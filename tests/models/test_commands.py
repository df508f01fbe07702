"""The command line of `models`, as a person types it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

QUILTWORK = [sys.executable, "-m", "quiltwork.cli.main", "models"]


def quiltwork(*words: str, typed: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*QUILTWORK, *words], input=typed, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def small(home: Path, smollm2: Path) -> str:
    """A model of the user's own that starts fast."""
    (home / "models.toml").write_text(
        '[[models]]\nname = "small"\nlocal = "smollm2-135m"\ncontext_tokens = 1024\nin_flight = 1\nthreads = 1\n'
        '[[models]]\nname = "far"\nurl = "https://example.org/v1"\nid = "gpt-5"\n'
    )
    return "small"


def test_list_shows_what_there_is_and_what_was_fetched(small: str) -> None:
    rows = {row["name"]: row for row in json.loads(quiltwork("list", "--json").stdout)}
    assert rows["smollm2-135m"]["fetched"]
    assert rows["smollm2-135m"]["licence"] == "Apache-2.0"
    assert rows["small"]["bytes"] == 98_362_432
    assert rows["far"]["price"] == "$1.25 in, $10 out per million tokens"
    text = quiltwork("list").stdout
    for name in rows:
        assert name in text


def test_fetch_says_where_the_file_is_and_what_to_do_next(small: str) -> None:
    said = quiltwork("fetch", "smollm2-135m").stdout
    assert Path(said.splitlines()[0]).is_file()
    assert "quiltwork models chat smollm2-135m" in said
    assert "there are: qwen2.5-coder-1.5b" in quiltwork("fetch", "nope", code=2).stderr


@pytest.mark.slow
def test_chat_answers_a_question(small: str) -> None:
    words = ("chat", small, "Count: one, two,", "--max-tokens", "12", "--temperature", "0")
    first = quiltwork(*words)
    assert first.stdout.strip()
    assert first.stdout == quiltwork(*words).stdout


@pytest.mark.slow
def test_chat_is_a_conversation_until_ctrl_d(small: str) -> None:
    said = quiltwork("chat", small, "--max-tokens", "8", typed="Hello.\n\nAnd now?\n").stdout
    assert len(said.rstrip("\n").splitlines()) >= 2


def test_chat_with_an_unknown_model_lists_what_there_is(small: str) -> None:
    assert "small, far" in quiltwork("chat", "nope", "Hello", code=2).stderr


@pytest.mark.slow
def test_serve_prints_an_address_that_answers_until_ctrl_c(small: str) -> None:
    server = subprocess.Popen(
        [*QUILTWORK, "serve", small], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        assert server.stdout.readline().startswith("model small")
        said = {"model": "small", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 4}
        answer = httpx.post(f"{url}/chat/completions", json=said, trust_env=False, timeout=120).json()
        assert answer["choices"][0]["message"]["content"]
        port = url.rpartition(":")[2].removesuffix("/v1")
        assert "port may be taken" in quiltwork("serve", small, "--port", port, code=2).stderr
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=120) == 0
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_serve_refuses_what_is_served_already(small: str) -> None:
    assert "behind a server already" in quiltwork("serve", "far", code=2).stderr


@pytest.mark.parametrize("command", ["list", "fetch", "chat", "serve"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert "Example: quiltwork models" in quiltwork(command, "--help").stdout
