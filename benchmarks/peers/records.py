"""What was measured, kept in one JSON file that an interrupted call goes on with."""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class OutOfTime(Exception):
    """The time given for the whole is spent."""


class Results:
    """Rows by key, such as "overhead/openevolve/1000". Every row says when it was measured and how busy the machine was."""

    def __init__(self, path: Path, *, deadline: float, again: bool = False) -> None:
        self.path = path
        self._deadline = deadline
        self._again = again
        self._done: set[str] = set()
        self.rows: dict[str, Row] = {}
        if path.exists():
            self.rows = json.loads(path.read_text())["rows"]

    def limit_s(self, wanted_s: float) -> float:
        """As much of a time limit as is left. Raises OutOfTime when hardly any is."""
        left = self._deadline - time.monotonic()
        if left < 5.0:
            raise OutOfTime
        return min(wanted_s, left)

    def measure(self, key: str, how: Callable[[], Row]) -> Row:
        """The row of a key: as it is known, or measured now. A row that could not be measured is tried again."""
        known = self.rows.get(key)
        if known is not None and "missing" not in known and (not self._again or key in self._done):
            return known
        load = os.getloadavg()[0]
        try:
            self.limit_s(60.0)
            row = how()
            self.limit_s(1.0)  # what was cut short by the end of the time given says nothing
        except OutOfTime:
            row = {"missing": "the time given ran out"}
        except (OSError, RuntimeError, ValueError, LookupError) as error:
            row = {"missing": f"{type(error).__name__}: {error}"[:300]}
        if "missing" in row and known is not None and "missing" not in known:
            return known
        self._done.add(key)
        now = datetime.datetime.now(tz=datetime.UTC).strftime("%Y-%m-%d %H:%M")
        self.rows[key] = {**row, "measured": now, "load": round(load, 1)}
        self._save()
        said = ", ".join(f"{name} {_short(value)}" for name, value in row.items())
        print(f"[{now}] {key}: {said}", flush=True)
        return self.rows[key]

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"machine": machine(), "rows": self.rows}, indent=1) + "\n")
        os.replace(part, self.path)


def machine() -> str:
    """The machine in a few words."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(
        (int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0.0
    )
    processor = names[0] if names else platform.machine()
    return (
        f"{os.cpu_count()} cores ({processor}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:160]
