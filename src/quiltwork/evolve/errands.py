"""An external agent sent out: its command, run in a jail on a copy of the program, and what it left behind.

The copy is a folder of the host, so that what an agent had done when its time was up is not lost. Everything in the jail is
dead before the folder is read, so nothing changes under the reader; links and devices in it are never followed.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from quiltwork.errors import UserError
from quiltwork.evolve.config import AgentConfig
from quiltwork.evolve.program import SIZE_LIMIT_MB
from quiltwork.evolve.proposers.base import AgentWork, Errand
from quiltwork.sandbox import JailUnavailable
from quiltwork.sandbox.guest import guest_command, guest_environment
from quiltwork.sandbox.machine import namespace_obstacles
from quiltwork.sandbox.view import bubblewraps

TASK: Final = "TASK.md"
CONTEXT: Final = "context"

OUTPUT_CHARS: Final = 16_000
"""How much of the end of an agent's output is kept."""

FLOOD_MB: Final = 64
"""An agent that prints more than this is stopped: reading it would keep the run from its work."""

COPY_MB: Final = 256
"""The copy may grow to this, with whatever an agent builds in it; then the agent is stopped."""

COPY_ENTRIES: Final = 20_000
"""The files and folders that a copy may hold."""

LOOK_EVERY_S: Final = 1.0
"""Between two looks at the size of the copy."""

ENDING_S: Final = 30.0
"""A killed jail is gone in milliseconds; longer than this, the kernel is in trouble."""

_THROUGH_A_SHELL: Final = ("/bin/sh", "-c", 'exec "$@"', "sh")
"""So that a command that is not there is the agent's failure, in the shell's words, and not the jail's."""

_CHUNK: Final = 2**16
_NAMED: Final = 10
_SECRET_CHARS: Final = 8


class _Stopped(Exception):
    """The agent went too far: the text says how."""


async def carry_out(errand: Errand, config: AgentConfig) -> AgentWork:
    """Send an agent out and return what it left behind, whether it ended well or not.

    Raises `UserError` for a path or a program that it cannot be given, `JailUnavailable` where no jail can be had.
    """
    read = [_readable(path, config) for path in config.read]
    _check_names(errand)
    folder = Path(tempfile.mkdtemp(prefix="quiltwork-errand-")).resolve()
    try:
        await asyncio.to_thread(_lay_out, folder, errand)
        failure, printed = await _in_first_jail(folder, errand, config, read)
        files, remarks = await asyncio.to_thread(_brought_back, folder, list(errand.files))
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, folder))
    said = _without_secrets(printed.decode("utf-8", "replace")[-OUTPUT_CHARS:], config)
    return AgentWork(files, "\n".join(filter(None, [said.rstrip("\n"), *remarks])), failure)


def _readable(path: str, config: AgentConfig) -> str:
    found = os.path.expanduser(path)
    if not os.path.isabs(found) or os.path.normpath(found) == "/":
        raise UserError(
            f"agent {config.name}: read = {path!r}: name an absolute path below /, or one that begins with ~"
        )
    if not os.path.exists(found):
        raise UserError(f"agent {config.name}: read = {path!r}: there is nothing of that name")
    return os.path.normpath(found)


def _check_names(errand: Errand) -> None:
    for path in errand.files:
        if path.split("/")[0] in (TASK, CONTEXT):
            raise UserError(
                f"the program has a file {path!r}, and an agent needs {TASK} and {CONTEXT}/ beside it; rename it"
            )


def _lay_out(folder: Path, errand: Errand) -> None:
    (folder / CONTEXT).mkdir()
    named = {f"{CONTEXT}/{path}": text for path, text in errand.context.items()}
    for path, text in {**errand.files, **named, TASK: errand.task}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8"))


async def _in_first_jail(folder: Path, errand: Errand, config: AgentConfig, read: Sequence[str]) -> tuple[str, bytes]:
    """Run the command in the first bubblewrap that can: how it ended ("" for well), and the end of what it printed."""
    reasons = []
    for bwrap in bubblewraps():
        failure, printed, was_set_up = await _run(bwrap, folder, errand, config, read)
        if was_set_up:
            return failure, printed
        reasons.append(f"  - {bwrap}: {printed.decode('utf-8', 'replace').strip()[-400:]}")
    if not reasons:
        reasons = ["  - bubblewrap is missing. On Debian and Ubuntu: apt install bubblewrap"]
    raise JailUnavailable("\n".join(["No jail for an agent on this machine:", *reasons, *namespace_obstacles()]))


async def _run(
    bwrap: str, folder: Path, errand: Errand, config: AgentConfig, read: Sequence[str]
) -> tuple[str, bytes, bool]:
    task = os.memfd_create("task")
    os.write(task, errand.task.encode("utf-8"))
    os.lseek(task, 0, os.SEEK_SET)
    status, their_status = os.pipe()
    words = guest_command(
        bwrap, folder, fixed=(TASK, CONTEXT), read=read, network=config.network, status_fd=their_status
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            *_THROUGH_A_SHELL,
            *config.command,
            stdin=task,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=guest_environment(config.environment),
            pass_fds=(their_status,),
            start_new_session=True,  # Ctrl-C is the driver's to handle
        )
    finally:
        os.close(task)
        os.close(their_status)
    with open(status, "rb", buffering=0) as said:
        jail = _Jail(process, said.fileno())
        failure = await jail.supervise(folder, config)
    return failure, bytes(jail.printed), jail.was_set_up


class _Jail:
    """One bubblewrap with a guest in it. `printed` is the end of what came out of it."""

    def __init__(self, process: asyncio.subprocess.Process, status: int) -> None:
        self._process = process
        self._status = status
        self._said = b""
        self.printed = bytearray()
        self._total = 0
        self.was_set_up = True

    async def supervise(self, folder: Path, config: AgentConfig) -> str:
        """Wait for the end, or bring it about. When this returns, nothing lives in the jail; how it ended is returned."""
        failure = ""
        try:
            try:
                async with asyncio.timeout(config.timeout_s), asyncio.TaskGroup() as group:
                    group.create_task(self._listen())
                    watch = group.create_task(_watch(folder))
                    await self._process.wait()
                    watch.cancel()
            except* _Stopped as stopped:
                failure = f"it was stopped: {stopped.exceptions[0]}"
        except TimeoutError:
            failure = f"it was stopped after {config.timeout_s:g} s"
        finally:
            self._end()
        if failure:
            return failure
        code = self._exit_code()
        self.was_set_up = code is not None
        return f"it ended with status {code}" if code else ""

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(_CHUNK):
            self._total += len(chunk)
            self.printed += chunk
            del self.printed[: -4 * OUTPUT_CHARS]
            if self._total > FLOOD_MB * 2**20:
                raise _Stopped(f"it printed more than {FLOOD_MB} MiB")

    def _end(self) -> None:
        """Kill what still lives, and return when the kernel has buried all of it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        for report in self._reports():
            if "child-pid" in report:
                _kill_namespace(report["child-pid"])

    def _exit_code(self) -> int | None:
        """The command's exit status; None where the jail could not be set up, for then bubblewrap reports none."""
        return next((report["exit-code"] for report in self._reports() if "exit-code" in report), None)

    def _reports(self) -> list[dict[str, int]]:
        """What bubblewrap has said so far: one JSON document per line."""
        os.set_blocking(self._status, False)
        with suppress(BlockingIOError):
            while chunk := os.read(self._status, _CHUNK):
                self._said += chunk
        return [json.loads(line) for line in self._said.splitlines() if line.endswith(b"}")]


def _kill_namespace(pid: int) -> None:
    """Kill the first process of a pid namespace; it ends when all others in there have ended, and then this returns."""
    with suppress(ProcessLookupError):
        first = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(first, signal.SIGKILL)
            select.select([first], [], [], ENDING_S)
        finally:
            os.close(first)


async def _watch(folder: Path) -> None:
    """Stop an agent whose copy grows beyond all bounds."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.to_thread(_check_size, folder)


def _check_size(folder: Path) -> None:
    size = 0
    for count, (_, info) in enumerate(_entries(folder)):
        size += info.st_blocks * 512
        if size > COPY_MB * 2**20:
            raise _Stopped(f"its folder grew beyond {COPY_MB} MiB")
        if count > COPY_ENTRIES:
            raise _Stopped(f"its folder holds more than {COPY_ENTRIES} files")


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder by relative path, links not followed. What vanishes meanwhile is left out."""
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        with suppress(OSError), os.scandir(os.path.join(folder, parent)) as found:
            for entry in found:
                with suppress(OSError):
                    info = entry.stat(follow_symlinks=False)
                    path = os.path.join(parent, entry.name)
                    if stat.S_ISDIR(info.st_mode):
                        waiting.append(path)
                    yield path, info


def _brought_back(folder: Path, paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The program's files as they are now, and remarks on what was not taken back."""
    program, regular = set(paths), dict[str, int]()
    others: list[str] = []
    for count, (path, info) in enumerate(_entries(folder)):
        if count > COPY_ENTRIES:
            break
        if stat.S_ISREG(info.st_mode) and path in program:
            regular[path] = info.st_size
        elif not stat.S_ISDIR(info.st_mode) and path.split("/")[0] not in (TASK, CONTEXT):
            others.append(path)
    files: dict[str, str] = {}
    remarks = []
    if sum(regular.values()) > SIZE_LIMIT_MB * 2**20:
        return {}, [f"[quiltwork: the program grew beyond {SIZE_LIMIT_MB} MiB and was not taken back]"]
    for path in sorted(regular):
        try:
            files[path] = (folder / path).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remarks.append(f"[quiltwork: {path} cannot be taken back: {error}]")
    return files, [*remarks, *_remark_on(others)]


def _remark_on(others: Sequence[str]) -> list[str]:
    if not others:
        return []
    named = ", ".join(path.encode("utf-8", "replace").decode()[:200] for path in sorted(others)[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return [f"[quiltwork: not files of the program, and ignored: {named}{more}]"]


def _without_secrets(text: str, config: AgentConfig) -> str:
    """What an agent prints is recorded; the values of the variables that it was given are not."""
    for name in config.environment:
        value = os.environ.get(name, "")
        if len(value) >= _SECRET_CHARS:
            text = text.replace(value, f"[{name}]")
    return text


def _remove(folder: Path) -> None:
    """Remove the copy, whatever an agent made of it: folders without rights, or nested beyond what Python can follow."""
    for words in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*words, "--", folder], check=False, capture_output=True)  # noqa: S603
    shutil.rmtree(folder, ignore_errors=True)
