"""An environment of its own for each peer, made once, and a bare one of ours to weigh beside them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = {"openevolve": "openevolve==0.4.0", "shinka": "shinka-evolve==0.0.7"}
INSTALL_LIMIT_S = 1_800


def make(folder: Path) -> dict[str, Path]:
    """Name -> environment, for all that could be made. torch is no dependency of either peer, and none may come in."""
    found = {}
    for name, requirement in PEERS.items():
        constraints = HERE / f"constraints-{name}.txt"
        if make_one(folder / name, [requirement, "-c", str(constraints)]):
            found[name] = folder / name
    if make_one(folder / "quiltwork", [str(ROOT), "-c", str(ROOT / "constraints.txt")]):
        found["quiltwork"] = folder / "quiltwork"
    return found


def make_one(environment: Path, requirement: list[str]) -> bool:
    """Make an environment, unless it is there. Tells whether it is."""
    stamp = environment / ".complete"
    wanted = " ".join(requirement)
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    print(f"making {environment}: {requirement[0]}", flush=True)
    environment.parent.mkdir(parents=True, exist_ok=True)
    log = environment.with_suffix(".log")
    try:
        with log.open("w") as file:
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(environment)],
                [str(environment / "bin" / "pip"), "install", "--no-compile", *requirement],
            ):
                subprocess.run(command, check=True, stdout=file, stderr=file, timeout=INSTALL_LIMIT_S)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"  it could not be made ({error}); see {log}", flush=True)
        return False
    stamp.write_text(wanted)
    return True


def size_mb(environment: Path) -> float:
    """MiB of what was installed: without pip, setuptools and compiled Python."""
    total = 0
    for path in next((environment / "lib").glob("python*")).joinpath("site-packages").iterdir():
        if path.name.split("-")[0] in ("pip", "setuptools", "_distutils_hack", "pkg_resources", "__pycache__"):
            continue
        files = [path] if path.is_file() else path.rglob("*")
        total += sum(file.stat().st_blocks * 512 for file in files if file.is_file() and file.suffix != ".pyc")
    return total / 2**20


def import_s(python: Path, statement: str) -> tuple[float, float]:
    """Wall and processor seconds of an import beyond those of starting Python, the least of five."""
    with_it = min(_timed(python, statement) for _ in range(5))
    without = min(_timed(python, "pass") for _ in range(5))
    cpu = min(_cpu(python, statement) for _ in range(3)) - min(_cpu(python, "pass") for _ in range(3))
    return with_it - without, cpu


def _timed(python: Path, statement: str) -> float:
    started = time.monotonic()
    subprocess.run([str(python), "-c", statement], check=True, capture_output=True, timeout=120)
    return time.monotonic() - started


def _cpu(python: Path, statement: str) -> float:
    program = f"{statement}\nimport time\nprint(time.process_time())"
    done = subprocess.run([str(python), "-c", program], check=True, capture_output=True, text=True, timeout=120)
    return float(done.stdout.split()[-1])
