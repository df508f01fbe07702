"""The list of runs, kept fresh by one thread: those that go on are followed, the others folded once, one after another."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from quiltwork.errors import UserError
from quiltwork.run.about import read_about
from quiltwork.web.drivers import Drivers, condition
from quiltwork.web.live import MOST_LIVE, LiveRun, LiveRuns
from quiltwork.web.registry import Watch
from quiltwork.web.stream import News

LOOK_EVERY_S = 0.5
NOBODY_LOOKS_S = 5.0
"""After so long without a reader the thread rests."""

MOST_RUNS = 500
"""Runs listed, the newest."""

MOST_FOLLOWED = MOST_LIVE - 2
"""Runs that the list keeps folded because they go on; two places are left for pages."""


class _Trace(NamedTuple):
    """What changes when a run does."""

    log: int
    wal: int
    driver: str
    starting: bool
    exit: int | None


class Overview:
    """Cards of all runs in a folder. Any thread may ask `since`."""

    def __init__(self, root: Path, lives: LiveRuns, drivers: Drivers) -> None:
        self._root, self._lives, self._drivers = root, lives, drivers
        self._boot = secrets.token_hex(4)
        self._revision = 0
        self._order: list[str] = []
        self._cards: dict[str, tuple[int, dict[str, Any]]] = {}
        self._traces: dict[str, _Trace] = {}
        self._lock = threading.Lock()
        self._asked_at = -NOBODY_LOOKS_S
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="overview", daemon=True)
        self._thread.start()

    def since(self, mark: str) -> News | None:
        """The cards that changed since a mark, and the order of all; None when nothing did."""
        self._asked_at = time.monotonic()
        self._wake.set()
        boot, _, number = mark.partition("-")
        known = int(number) if boot == self._boot and number.isdecimal() else 0
        with self._lock:
            if known == self._revision:
                return None
            cards = [card for revision, card in self._cards.values() if revision > known]
            return News(f"{self._boot}-{self._revision}", {"names": list(self._order), "cards": cards})

    def close(self) -> None:
        """Rest for ever."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            if time.monotonic() - self._asked_at > NOBODY_LOOKS_S:
                self._wake.wait()
                self._wake.clear()
                continue
            for folder in self._list():
                if self._stopping.is_set():
                    return
                self._refresh(folder)
            self._lives.tidy()
            self._stopping.wait(LOOK_EVERY_S)

    def _list(self) -> list[Path]:
        """The runs, the newest first; new ones get a card at once, which is filled in when they are folded."""
        made: list[tuple[str, Path]] = []
        for folder in _folders(self._root):
            try:
                made.append((read_about(folder).created, folder))
            except UserError:
                made.append(("", folder))
        made.sort(key=lambda pair: (pair[0], pair[1].name), reverse=True)
        names = [folder.name for _, folder in made[:MOST_RUNS]]
        with self._lock:
            if names != self._order or self._revision == 0:
                self._revision += 1
                self._order = names
                for name in self._cards.keys() - set(names):
                    del self._cards[name]
                for created, folder in made[:MOST_RUNS]:
                    self._cards.setdefault(
                        folder.name, (self._revision, {"name": folder.name, "created": created, "condition": "unread"})
                    )
        self._traces = {name: trace for name, trace in self._traces.items() if name in names}
        return [folder for _, folder in made[:MOST_RUNS]]

    def _refresh(self, folder: Path) -> None:
        facts = self._drivers.facts(folder)
        trace = _Trace(
            _changed(folder / "log.db"),
            _changed(folder / "log.db-wal"),
            facts["driver"],
            facts["starting"],
            facts["exit"],
        )
        if self._traces.get(folder.name) == trace:
            return
        card: dict[str, Any]
        try:
            about = read_about(folder)
            card = {"name": folder.name, "created": about.created, "room": about.room, **self._look(folder, facts)}
        except (UserError, OSError) as error:
            card = {"name": folder.name, "condition": "broken", "broken": str(error)}
        self._traces[folder.name] = trace
        with self._lock:
            if self._cards.get(folder.name, (0, {}))[1] != card:
                self._revision += 1
                self._cards[folder.name] = (self._revision, card)

    def _look(self, folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
        live = self._lives.get(folder)
        followed = sum(bool(trace.driver) for trace in self._traces.values())
        if live is None and facts["driver"] and followed <= MOST_FOLLOWED:
            live = self._lives.open(folder)
        if live is not None:
            return self._ask(live, facts)
        with closing(LiveRun(folder)) as glance:
            return self._ask(glance, facts)

    def _ask(self, live: LiveRun, facts: dict[str, Any]) -> dict[str, Any]:
        while not live.caught_up(LOOK_EVERY_S):
            if self._stopping.is_set():
                return {}

        def card(watch: Watch) -> dict[str, Any]:
            return {"condition": condition(watch.standing, facts), **watch.card()}

        return live.ask(card) if not live.error else {"condition": "broken", "broken": live.error}


def _folders(root: Path) -> list[Path]:
    try:
        return [
            path
            for path in root.iterdir()
            if not path.name.startswith(".") and ((path / "run.toml").is_file() or (path / "log.db").is_file())
        ]
    except OSError:
        return []  # no run has been made here yet


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
