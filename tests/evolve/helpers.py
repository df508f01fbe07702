"""Small problems and runs that tests share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from quiltwork.evolve.scaffold import write_problem

QUILTWORK = [sys.executable, "-m", "quiltwork.cli.main"]


def sine(folder: Path) -> Path:
    """The scaffold's problem: evaluations of a few milliseconds, and several proposers can work on it."""
    write_problem(folder)
    return folder


def quiltwork(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line, as a user would."""
    done = subprocess.run([*QUILTWORK, *map(str, words)], capture_output=True, text=True, timeout=250)
    if check and done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def quiltwork_json(*words: object) -> Any:
    """Run a command with --json and read what it prints."""
    return json.loads(quiltwork(*words, "--json").stdout)


def start(*words: object) -> subprocess.Popen[str]:
    """Start the command line in a process group of its own."""
    return subprocess.Popen(
        [*QUILTWORK, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_nine(process: subprocess.Popen[str]) -> None:
    """End the driver as the machine would: at once, and only the driver; its children must see to themselves."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
