"""How much of a link a fetch gets: goodput between two real processes, over emulated links.

Each row is one link; each column one transport, with one connection and striped. Links are made in network namespaces
(`links/link.py`), so this needs root on Linux; without it, it says what is missing. A fetch that is not done by the deadline
counts with what it had by then.

Example: python benchmarks/pretrain_links.py --json --docs
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from links import Link, Side, missing

ROOT = Path(__file__).parents[1]
PEER = ROOT / "benchmarks" / "links" / "peer.py"
RESULTS = ROOT / "benchmarks" / "results" / "pretrain_links.json"
PAGE = ROOT / "docs" / "blobs.md"
BEGIN, END = "<!-- links -->", "<!-- /links -->"


class Course(NamedTuple):
    """A link, and what is fetched over it."""

    name: str
    options: dict[str, float]
    megabytes: float


FAR = {"rate_mbit": 20, "delay_ms": 100, "loss": 0.01}
COURSES = (
    Course("loopback", {}, 50.0),
    Course("50 Mbit/s", {"rate_mbit": 50}, 20.0),
    Course("20 Mbit/s, 50 ms each way, 1 % loss", FAR | {"delay_ms": 50}, 8.0),
    Course("20 Mbit/s, 100 ms each way, 1 % loss", FAR, 8.0),
    Course("20 Mbit/s, 100±20 ms each way, 1 % loss", FAR | {"jitter_ms": 20}, 8.0),
    Course("20 Mbit/s, 100 ms each way, 1 % loss, 1 MB", FAR, 1.0),
)
TRANSPORTS = ("tcp-cubic", "tcp-bbr", "iroh")
STRIPES = (1, 16)


@contextmanager
def ends(course: Course, seed: int) -> Iterator[tuple[Side | None, Side | None, Link | None]]:
    if not course.options:
        yield None, None, None
        return
    with Link(**course.options, seed=seed) as link:
        yield link.left, link.right, link


def command(side: Side | None, *arguments: object) -> list[str]:
    words = [sys.executable, str(PEER), *map(str, arguments), "--host", side.ip if side else "127.0.0.1"]
    return side.command(words) if side else words


def fetch(course: Course, transport: str, stripes: int, seed: int, deadline_s: float) -> dict[str, Any]:
    with ends(course, seed) as (left, right, link):
        common = ("--transport", transport, "--megabytes", course.megabytes)
        server = subprocess.Popen(
            command(left, "serve", *common), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            offer = json.loads(server.stdout.readline())
            asked = (
                "--address",
                offer["address"],
                "--ids",
                *offer["ids"],
                "--stripes",
                stripes,
                "--deadline-s",
                deadline_s,
            )
            done = subprocess.run(
                command(right, "fetch", *common, *asked), stdout=subprocess.PIPE, text=True, check=True
            )
        finally:
            server.communicate("", timeout=30)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if link is not None and link.router:
        passed = sum(each["passed"] for each in link.router)
        result["late_packets"] = sum(each["late"] for each in link.router) / max(1, passed)
    return result


def router_capacity() -> float:
    """What the router carries without a limit, in Mbit/s: far more than any link that it is asked to be."""
    sink = "import socket;c=socket.create_server(('0.0.0.0',9)).accept()[0]\nwhile c.recv(1<<20):pass"
    source = (
        "import socket,sys,time;c=socket.create_connection((sys.argv[1],9));t=time.time()\n"
        "while time.time()-t<3: c.sendall(bytes(65536))"
    )
    with Link(delay_ms=0.001) as link:
        receiver = link.left.start([sys.executable, "-c", sink])
        time.sleep(1.0)
        link.right.run([sys.executable, "-c", source, link.left.ip])
        receiver.wait(30)
    return 8e-6 * max(each["passed_bytes"] for each in link.router) / 3


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for course in COURSES:
        if args.only and args.only not in course.name:
            continue
        for transport in args.transports:
            for stripes in STRIPES:
                runs = [fetch(course, transport, stripes, seed, args.deadline_s) for seed in range(1, args.runs + 1)]
                speeds = [run["megabytes_per_s"] for run in runs]
                rows.append(
                    {
                        "link": course.name,
                        **course.options,
                        "transport": transport,
                        "stripes": stripes,
                        "megabytes": course.megabytes,
                        "megabytes_per_s": statistics.median(speeds),
                        "runs": runs,
                    }
                )
                print(
                    f"{course.name:42} {transport:10} {stripes:3}  {statistics.median(speeds):7.2f} MB/s  "
                    f"({min(speeds):.2f} to {max(speeds):.2f})",
                    file=sys.stderr,
                )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| link | transport | one connection, MB/s | striped, MB/s | striped : one | striped : line | sent twice |",
        "|---|---|---|---|---|---|---|",
    ]
    for one, many in zip(rows[::2], rows[1::2], strict=True):
        assert (one["link"], one["transport"]) == (many["link"], many["transport"])
        line = many.get("rate_mbit")
        of_line = f"{many['megabytes_per_s'] * 8 / line:.0%}" if line else ""
        wasted = statistics.median(run["wasted_bytes"] for run in many["runs"]) / (many["megabytes"] * 1e6)
        speeds = f"{one['megabytes_per_s']:.2f} | {many['megabytes_per_s']:.2f}"
        ratio = many["megabytes_per_s"] / one["megabytes_per_s"]
        lines.append(f"| {one['link']} | {one['transport']} | {speeds} | {ratio:.1f} | {of_line} | {wasted:.1%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="per row; the median is shown")
    parser.add_argument("--deadline-s", type=float, default=30.0)
    parser.add_argument("--only", default="", help="links whose name holds this")
    parser.add_argument("--transports", nargs="+", default=TRANSPORTS)
    parser.add_argument("--json", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    args = parser.parse_args()
    if (lack := missing()) is not None:
        sys.exit(f"Cannot emulate links: {lack}.")
    capacity = router_capacity()
    rows = measure(args)
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    notes = f"{date.today()}, {machine}, load {load}. The router alone carries {capacity:.0f} Mbit/s."
    print(f"{table(rows)}\n\n{notes}")
    if args.json:
        RESULTS.parent.mkdir(exist_ok=True)
        said = {"date": str(date.today()), "machine": machine, "load": load, "router_mbit": capacity, "rows": rows}
        RESULTS.write_text(json.dumps(said, indent=1) + "\n")
    if args.docs:
        page = PAGE.read_text()
        written = f"{BEGIN}\n\n{table(rows)}\n\n{notes}\n\n{END}"
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: written, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
