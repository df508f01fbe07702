"""What running a program nobody trusts costs: jailed, with --trust, as a bare subprocess, and as a call in this process.

    python benchmarks/sandbox.py [--programs 400] [--workers 2] [--preload numpy] [--json]

Every way runs the same trivial program, once per process, and gets the same value back. `together` drives that many workers,
each with a warm server of its own. Processor time is that of all processes involved: the host's end, the server's, the
program's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from quiltwork.sandbox import Limits, open_jail
from quiltwork.workers import open_workers

SOURCE = "def act(x):\n    return 2 * x\n"
WARM_UP = 20
TICKS = os.sysconf("SC_CLK_TCK")


def work(payload: dict[str, Any]) -> dict[str, float]:
    """Run programs one after the other; in a worker, or here. Seconds of wall and processor time for all of them."""
    with open_jail(trust=payload["trust"], preload=tuple(payload["preload"])) as jail:
        _programs(jail, WARM_UP)
        server, own, started = _server_cpu(jail.server_pid), time.process_time(), time.perf_counter()
        sessions = _programs(jail, payload["programs"])
        wall = time.perf_counter() - started
        cpu = time.process_time() - own + _server_cpu(jail.server_pid) - server + sessions
    return {"wall_s": wall, "cpu_s": cpu}


def _programs(jail: Any, count: int) -> float:
    used = 0.0
    for _ in range(count):
        with jail.start({"program.py": SOURCE}, "program.py", Limits(), 0) as session:
            assert session.call("act", 21) == 42
        used += session.usage.cpu_s
    return used


def _server_cpu(pid: int) -> float:
    """Processor seconds of a server's own processes, without what it forked and waited for."""
    found, family = 0.0, [pid]
    for each in family:
        user, system = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        found += (int(user) + int(system)) / TICKS
        family += [
            int(child) for path in Path(f"/proc/{each}/task").glob("*/children") for child in path.read_text().split()
        ]
    return found


def together(count: int, payload: dict[str, Any]) -> dict[str, float]:
    """The same on several workers at once: wall time of the slowest, processor time of all."""

    async def run() -> list[dict[str, float]]:
        return await asyncio.gather(*(workers.run("sandbox:work", payload, timeout_s=3_600.0) for _ in range(count)))

    workers = open_workers(count, kind="local")
    try:
        found = asyncio.run(run())
    finally:
        workers.close()
    return {"wall_s": max(each["wall_s"] for each in found), "cpu_s": sum(each["cpu_s"] for each in found)}


def bare_subprocess(programs: int, preload: list[str]) -> dict[str, float]:
    """`python -c` per program, which imports what the jail has preloaded: no limits, no walls."""
    code = "".join(f"import {name}\n" for name in preload) + SOURCE + "print(act(21))"
    before, started = os.times(), time.perf_counter()
    for _ in range(programs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout == b"42\n"
    after = os.times()
    return {"wall_s": time.perf_counter() - started, "cpu_s": sum(after[:4]) - sum(before[:4])}


def in_process(programs: int) -> dict[str, float]:
    """Compile and call here: what evaluation costs if one trusts everybody."""
    own, started = time.process_time(), time.perf_counter()
    for _ in range(programs):
        names: dict[str, Any] = {}
        exec(compile(SOURCE, "program.py", "exec"), names)
        assert names["act"](21) == 42
    return {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - own}


def main() -> None:
    """Measure every way and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=400, help="programs per way and worker")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preload", nargs="*", default=["numpy"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count, workers = options.programs, options.workers
    rows = []
    for trust in (False, True):
        name = "--trust" if trust else "jailed"
        payload = {"trust": trust, "preload": options.preload, "programs": count}
        rows.append(_row(f"{name}, one server", count, work(payload)))
        rows.append(_row(f"{name}, {workers} together", count * workers, together(workers, payload)))
    few = max(5, count // 20)
    rows.append(_row("subprocess, python -c", few, bare_subprocess(few, options.preload)))
    rows.append(_row("call in this process", 50 * count, in_process(50 * count)))
    load = os.getloadavg()[0]
    if options.json:
        print(json.dumps({"preload": options.preload, "load": load, "cores": os.cpu_count(), "ways": rows}))
        return
    print(f"{'':24}{'programs/s':>12}{'ms each':>10}{'cpu ms each':>13}")
    for row in rows:
        print(f"{row['way']:24}{row['programs_per_s']:12.1f}{row['ms']:10.3f}{row['cpu_ms']:13.3f}")
    print(f"{os.cpu_count()} cores, load {load:.1f}, preloaded: {', '.join(options.preload) or 'nothing'}")


def _row(way: str, programs: int, measured: dict[str, float]) -> dict[str, Any]:
    return {
        "way": way,
        "programs_per_s": programs / measured["wall_s"],
        "ms": 1_000 * measured["wall_s"] / programs,
        "cpu_ms": 1_000 * measured["cpu_s"] / programs,
    }


if __name__ == "__main__":
    main()
