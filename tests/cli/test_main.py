from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable

import pytest
import typer

import quiltwork
from quiltwork.cli import main as door_keeper
from quiltwork.cli.main import DOORS, Door, main
from quiltwork.errors import UserError

Ended = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Ended:
    """Run the command line in this process; give its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(words)
        code = exit_.value.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A room with a group of commands and a single one."""
    module = types.ModuleType("a_room")
    module.app = typer.Typer(rich_markup_mode=None)
    monkeypatch.setitem(sys.modules, "a_room", module)
    monkeypatch.setitem(DOORS, "group", Door("a_room:app", "A group."))
    monkeypatch.setitem(DOORS, "single", Door("a_room:single", "A single command."))
    return module


def test_help_names_every_door_and_gives_an_example(ended: Ended) -> None:
    code, output, _ = ended("--help")
    assert code == 0
    assert "Example: quiltwork evolve run gallery/circle_packing_26" in output
    for name, door in DOORS.items():
        assert name in output
        assert door.help[:30] in output


def test_no_words_at_all_get_help(ended: Ended) -> None:
    code, output, error = ended()
    assert code == 2
    assert "Usage: quiltwork" in output + error


def test_the_version_is_told(ended: Ended) -> None:
    assert ended("--version") == (0, f"quiltwork {quiltwork.__version__}\n", "")


def test_an_unknown_word_is_refused_without_a_traceback(ended: Ended) -> None:
    code, _, error = ended("evlove")
    assert code == 2
    assert "No such command 'evlove'" in error


def test_what_the_user_can_mend_is_said_without_a_traceback(ended: Ended, room: types.ModuleType) -> None:
    def single() -> None:
        raise UserError("problem.toml, line 3: no such field. Remove it.")

    room.single = single
    assert ended("single") == (2, "", "problem.toml, line 3: no such field. Remove it.\n")


def test_ctrl_c_ends_with_130(ended: Ended, room: types.ModuleType) -> None:
    def single() -> None:
        raise KeyboardInterrupt

    room.single = single
    code, output, error = ended("single")
    assert code == 130
    assert "Traceback" not in output + error


def test_a_rooms_commands_are_reached_with_their_options(ended: Ended, room: types.ModuleType) -> None:
    @room.app.command()
    def greet(name: str, loud: bool = False) -> None:
        typer.echo(f"hello {name}".upper() if loud else f"hello {name}")

    @room.app.command()
    def fail() -> None:
        raise typer.Exit(3)

    assert ended("group", "greet", "room", "--loud")[:2] == (0, "HELLO ROOM\n")
    assert ended("group", "fail")[0] == 3
    assert "greet" in ended("group", "--help")[1]


def test_a_single_commands_options_and_help_are_its_own(ended: Ended, room: types.ModuleType) -> None:
    def single(json: bool = False) -> None:
        """Look at the machine."""
        typer.echo(f"json {json}")

    room.single = single
    assert ended("single", "--json")[1] == "json True\n"
    assert "Look at the machine." in ended("single", "--help")[1]


def test_only_the_door_that_is_used_is_loaded(monkeypatch: pytest.MonkeyPatch, ended: Ended) -> None:
    loaded: list[str] = []
    load = door_keeper._load
    monkeypatch.setattr(door_keeper, "_load", lambda target: (loaded.append(target), load(target))[1])
    ended("--help")
    assert loaded == []
    ended("runs", "--help")
    assert loaded == ["quiltwork.cli.log_commands:runs"]


def test_looking_at_runs_waits_for_no_heavy_library() -> None:
    source = (
        "import sys\nfrom quiltwork.cli.main import main\n"
        "try: main(['runs', '--root', '/nowhere'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules.keys() & {'numpy', 'scipy', 'optuna', 'cma', 'jinja2', 'rich', 'asyncio'}))"
    )
    output = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [("--help",), ("runs",), ("log", "--help")])
def test_small_commands_start_fast(words: tuple[str, ...]) -> None:
    before = os.times()
    subprocess.run([sys.executable, "-m", "quiltwork.cli.main", *words], check=True, capture_output=True)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    assert cpu_s < 2.0  # 0.1 to 0.25 on a usual machine; an imported numpy, scipy or optuna is found by name above


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "quiltwork.cli.main", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process:
        error = process.stderr.read()
    assert b"Traceback" not in error
    assert process.returncode != -signal.SIGABRT
