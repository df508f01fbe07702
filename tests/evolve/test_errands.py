"""Real commands as agents: one that works well, and those that do not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve import errands
from quiltwork.evolve.config import AgentConfig
from quiltwork.evolve.errands import carry_out
from quiltwork.evolve.proposers.base import AgentWork, Errand
from quiltwork.sandbox import JailUnavailable

LONG = "d" * 200
FILES = {"p.py": "x = 1\n", "lib/b.py": "y = 1\n"}
ERRAND = Errand("a", FILES, {"README.md": "the problem\n", "artifacts/log.txt": "slow\n"}, "Make x larger.\n")


def send(script: str, errand: Errand = ERRAND, **settings: Any) -> AgentWork:
    """Send a shell script out as the agent."""
    config = AgentConfig(command=("sh", "-c", script), **{"timeout_s": 120.0, **settings})
    try:
        return asyncio.run(carry_out(errand, config))
    except JailUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No copy outlives its errand."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    assert list(tmp_path.glob("quiltwork-errand-*")) == []


def test_an_agent_reads_its_task_and_edits_the_copy() -> None:
    work = send(
        "cat; cat context/README.md context/artifacts/log.txt; sed -i s/1/2/ p.py; cmp - TASK.md < TASK.md && echo Done."
    )
    assert dict(work.files) == {"p.py": "x = 2\n", "lib/b.py": "y = 1\n"}
    assert work.output == "Make x larger.\nthe problem\nslow\nDone."
    assert work.failure == ""


def test_python_is_there_as_the_system_has_it() -> None:
    if not Path("/usr/bin/python3").exists():
        pytest.skip("this system has no Python of its own")
    work = send("python3 -c \"open('p.py', 'w').write('x = 3')\"")
    assert work.files["p.py"] == "x = 3"


def test_it_sees_neither_the_evaluator_nor_the_home_nor_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = tmp_path / "evaluate.py"
    evaluator.write_text("the secret")
    monkeypatch.setenv("HIDDEN", "hidden-value")
    here = Path(__file__).parent
    work = send(f"cat {evaluator}; ls -A ~ {here} {Path.home()}; cat /etc/shadow; env; ls /proc; echo ended")
    assert work.output.endswith("ended")
    for unseen in ("the secret", "hidden-value", "test_errands.py"):
        assert unseen not in work.output
    assert "/etc/shadow: No such file" in work.output
    assert str(os.getpid()) not in work.output.split()


def test_it_writes_nothing_but_its_copy_and_its_private_folders() -> None:
    work = send(
        "for f in /usr/x /etc/x /x TASK.md context/README.md; do echo no > $f; done; touch ~/y /tmp/y /dev/shm/y && echo yes"
    )
    assert work.output.count("Read-only file system") == 5
    assert work.output.endswith("yes")


def test_named_folders_and_variables_are_shown_and_secrets_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "key").write_text("a tool\n")
    monkeypatch.setenv("AGENT_KEY", "very-secret-key")
    work = send(
        f"cat {tools}/key; echo no > {tools}/key; echo $AGENT_KEY",
        read=(str(tools),),
        environment=("AGENT_KEY", "UNSET"),
    )
    assert work.output.startswith("a tool\n")
    assert "Read-only" in work.output
    assert work.output.endswith("[AGENT_KEY]")
    assert (tools / "key").read_text() == "a tool\n"


def test_the_network_is_there_only_where_it_was_allowed() -> None:
    interfaces = "grep -c : /proc/net/dev"
    assert send(interfaces).output.strip() == "1", "loopback alone"
    assert send("readlink /proc/self/ns/net", network=True).output.strip() == os.readlink("/proc/self/ns/net")


def test_one_that_hangs_is_stopped_with_all_its_children_and_its_work_is_kept() -> None:
    started = time.monotonic()
    work = send(
        "echo x = 5 > p.py; setsid sh -c 'while :; do echo y = 9 > lib/b.py; done' & sleep 10000", timeout_s=3.0
    )
    assert work.failure == "it was stopped after 3 s"
    assert work.files["p.py"] == "x = 5\n"
    assert time.monotonic() - started < 300


def test_one_that_floods_its_output_is_stopped_and_the_end_of_it_kept() -> None:
    work = send("yes")
    assert work.failure == "it was stopped: it printed more than 64 MiB"
    assert len(work.output) <= errands.OUTPUT_CHARS


def test_one_that_fills_its_folder_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "COPY_MB", 4)
    monkeypatch.setattr(errands, "LOOK_EVERY_S", 0.02)
    work = send("dd if=/dev/zero of=big bs=1M count=8 2> /dev/null; sleep 10000")
    assert work.failure == "it was stopped: its folder grew beyond 4 MiB"


def test_links_and_pipes_are_not_followed() -> None:
    work = send("ln -sf /etc/hostname p.py; rm -r lib; mkdir real; echo z > real/b.py; ln -s real lib; mkfifo pipe")
    assert dict(work.files) == {}
    assert "ignored: lib, p.py, pipe, real/b.py]" in work.output


def test_a_deleted_file_is_missing_and_a_new_one_is_listed() -> None:
    work = send("rm lib/b.py; echo note > notes.md; for i in $(seq 30); do touch new$i; done")
    assert dict(work.files) == {"p.py": "x = 1\n"}
    assert "and 21 more" in work.output


def test_what_is_no_text_or_too_large_does_not_come_back() -> None:
    work = send("printf '\\377' > p.py")
    assert "p.py cannot be taken back" in work.output
    assert "p.py" not in work.files
    assert dict(send("dd if=/dev/zero of=p.py bs=1M count=9 2> /dev/null").files) == {}


def test_folders_without_rights_and_far_down_are_removed() -> None:
    work = send(f"for i in $(seq 15); do mkdir {LONG} && cd {LONG} || exit; done; mkdir -p a/b; chmod 0 a; echo deep")
    assert work.output.startswith("deep")


def test_how_a_command_ended_is_told() -> None:
    assert send("exit 3").failure == "it ended with status 3"
    lost = asyncio.run(carry_out(ERRAND, AgentConfig(command=("no-such-agent",))))
    assert lost.failure == "it ended with status 127"
    assert "no-such-agent" in lost.output


def test_a_cancelled_errand_leaves_nothing_alive(tmp_path: Path) -> None:
    async def begin_and_cancel() -> None:
        task = asyncio.create_task(carry_out(ERRAND, AgentConfig(command=("sh", "-c", "echo > started; sleep 10000"))))
        while not any(tmp_path.glob("quiltwork-errand-*/started")):
            assert not task.done()
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(begin_and_cancel())


@pytest.mark.parametrize("path", ["/", "relative", "/no/such/path"])
def test_paths_that_cannot_be_shown_are_refused(path: str) -> None:
    with pytest.raises(UserError, match=f"read = '{path}'"):
        asyncio.run(carry_out(ERRAND, AgentConfig(command=("true",), read=(path,))))


def test_a_program_that_has_a_task_of_its_own_is_refused() -> None:
    with pytest.raises(UserError, match="rename it"):
        asyncio.run(carry_out(Errand("a", {"TASK.md": ""}, {}, ""), AgentConfig(command=("true",))))
