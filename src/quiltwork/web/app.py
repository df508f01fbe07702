"""The addresses of the server. Thin: each asks the run's room, a driver or the list of runs, and answers with JSON."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import quiltwork
from quiltwork.errors import UserError
from quiltwork.run import RunMissing
from quiltwork.web.assets import STATIC
from quiltwork.web.drivers import Drivers, condition
from quiltwork.web.live import LiveRun, LiveRuns
from quiltwork.web.overview import Overview
from quiltwork.web.registry import ROOMS, pages_of
from quiltwork.web.security import FILE_POLICY, Door, Guard
from quiltwork.web.stream import News, stream

MOST_ORDER_BYTES = 64 * 2**10
CATCH_UP_S = 0.3
"""A run that is read within this time opens without showing how far the reading is."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Web:
    """The server's state: the folder of runs, the folder of problems, and what is going on."""

    def __init__(self, runs: Path, problems: Path) -> None:
        self.runs, self.problems = runs, problems
        self.lives = LiveRuns()
        self.drivers = Drivers(problems)
        self.overview = Overview(runs, self.lives, self.drivers)
        self.shell = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
        ).get_template("shell.html")

    def close(self) -> list[Path]:
        """Pause what was started from here, let go of the rest; returns the runs that were paused."""
        paused = self.drivers.pause_all()
        self.overview.close()
        self.lives.close()
        return paused

    # --- pages --------------------------------------------------------------------------------------------------

    async def list_page(self, request: Request) -> Response:
        """The list of runs."""
        return self._page("Runs", page="runs", run="", room="")

    async def run_page(self, request: Request) -> Response:
        """A run."""
        path = self._path(request)
        room = await run_in_threadpool(self._room, path)
        return self._page(path.name, page="run", run=path.name, room=room)

    def _page(self, title: str, **words: str) -> Response:
        return HTMLResponse(self.shell.render(title=title, version=quiltwork.__version__, **words))

    def _room(self, path: Path) -> str:
        """The run's room; of one that is being made, the room that can be begun from here."""
        if self.drivers.child(path) is not None and not (path / "run.toml").exists():
            return next(iter(ROOMS))
        return self.lives.open(path).room

    # --- what is read -------------------------------------------------------------------------------------------

    async def runs_events(self, request: Request) -> Response:
        """The list of runs, as it changes."""
        return stream(request, self.overview.since)

    async def problem_list(self, request: Request) -> Response:
        """What a run can be begun with."""
        pages = pages_of("evolve")
        found = await run_in_threadpool(pages.problems, self.problems)
        return _json({"root": str(self.problems), "problems": found, "models": await run_in_threadpool(pages.models)})

    async def run_events(self, request: Request) -> Response:
        """A run, as it goes on."""
        return stream(request, partial(self._news, self._path(request)))

    async def run_now(self, request: Request) -> Response:
        """A run as it is now: what the first event would say."""
        news = await run_in_threadpool(self._news, self._path(request), "")
        return _json(news.data if news is not None else {})

    async def run_view(self, request: Request) -> Response:
        """A part of a run's page."""
        live = await run_in_threadpool(self._read, self._path(request))
        view, words = request.path_params["view"], dict(request.query_params)
        return _json(await run_in_threadpool(live.ask, lambda watch: watch.view(view, words)))

    async def run_file(self, request: Request) -> Response:
        """What strangers made, as a picture or as text, in a box of its own."""
        live = await run_in_threadpool(self._read, self._path(request))
        name, words = request.path_params["file"], dict(request.query_params)
        data, media = await run_in_threadpool(live.ask, lambda watch: watch.file(name, words))
        return Response(data, media_type=media, headers={"Content-Security-Policy": FILE_POLICY})

    # --- what is done -------------------------------------------------------------------------------------------

    async def begin(self, request: Request) -> Response:
        """Begin a run: `{problem, budget?, seed?, name?, model?}`."""
        order = await _order(request)
        pages = pages_of("evolve")
        out = self._new_path(str(order.get("name") or ""), pages.name_for(order))
        words = await run_in_threadpool(pages.begin_words, self.problems, order, out)
        await run_in_threadpool(self.drivers.start, out, words)
        return _json({"run": out.name}, HTTPStatus.ACCEPTED)

    async def act(self, request: Request) -> Response:
        """Pause, stop or resume (`{budget?}`) a run."""
        path, action = self._path(request), request.path_params["action"]
        order = await _order(request)
        match action:
            case "pause":
                await run_in_threadpool(self.drivers.pause, path)
            case "stop":
                await run_in_threadpool(self.drivers.stop, path)
            case "resume":
                pages = pages_of(await run_in_threadpool(self._room, path))
                await run_in_threadpool(self.drivers.start, path, pages.resume_words(path, order))
            case _:
                raise HTTPException(HTTPStatus.NOT_FOUND)
        return _json({"run": path.name}, HTTPStatus.ACCEPTED)

    # ------------------------------------------------------------------------------------------------------------

    def _news(self, path: Path, mark: str) -> News | None:
        facts = self.drivers.facts(path)
        if not (path / "run.toml").exists() and self.drivers.child(path) is not None:
            data = {"from": 0, "entries": 0, "condition": condition("new", facts), **facts}
            return _unless_known(mark, 0, data, {})
        live = self.lives.open(path)
        if not live.caught_up(CATCH_UP_S):
            return News(None, live.reading())
        if live.error:
            raise UserError(live.error)
        known = int(mark.partition(".")[0]) if re.fullmatch(r"\d{1,15}\.\d{1,12}", mark) else 0
        facts["condition"] = live.ask(lambda watch: condition(watch.standing, facts))
        if mark == _mark(live.entries, facts):
            return None
        data = live.ask(lambda watch: watch.since(known))
        return News(_mark(data["entries"], facts), {**data, **facts})

    def _read(self, path: Path) -> LiveRun:
        """A run that is folded, or can be asked for what is folded of it by now."""
        live = self.lives.open(path)
        live.caught_up(CATCH_UP_S)
        return live

    def _path(self, request: Request) -> Path:
        """The folder of the run that an address names. Raises `RunMissing`."""
        name: str = request.path_params["run"]
        path = self.runs / name
        known = (path / "run.toml").is_file() or self.drivers.child(path) is not None
        if not known or name.startswith(".") or "/" in name or "\\" in name:
            raise RunMissing(f"There is no run {name!r} in {self.runs}.")
        return path

    def _new_path(self, name: str, stem: str) -> Path:
        if name and not _NAME.fullmatch(name):
            raise UserError(f"name: {name!r} must be letters, digits, dots, dashes and underscores")
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:60] or "run"
        path = self.runs / (name or f"{stem}-{datetime.now():%Y%m%d-%H%M%S}")
        if name and path.exists():
            raise UserError(f"name: there is a run {name} already; choose another name, or resume that one")
        count = 1
        while path.exists() or self.drivers.child(path) is not None:
            count += 1
            path = path.with_name(f"{path.name.split('--')[0]}--{count}")
        return path


def build(web: Web, door: Door) -> Starlette:
    """Put the addresses together, behind the guard."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        app.state.paused = await run_in_threadpool(web.close)

    return Starlette(
        routes=[
            Route("/", web.list_page),
            Route("/runs/{run}", web.run_page),
            Route("/api/problems", web.problem_list),
            Route("/api/runs", web.begin, methods=["POST"]),
            Route("/api/runs/events", web.runs_events),
            Route("/api/runs/{run}", web.run_now),
            Route("/api/runs/{run}/events", web.run_events),
            Route("/api/runs/{run}/views/{view}", web.run_view),
            Route("/api/runs/{run}/files/{file}", web.run_file),
            Route("/api/runs/{run}/{action}", web.act, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, door=door)],
        exception_handlers={UserError: _user_error},
        lifespan=lifespan,
    )


def _user_error(request: Request, error: Exception) -> Response:
    status = HTTPStatus.NOT_FOUND if request.method == "GET" else HTTPStatus.BAD_REQUEST
    return _json({"error": str(error)}, status)


def _unless_known(mark: str, entries: int, data: dict[str, Any], more: dict[str, Any]) -> News | None:
    here = _mark(entries, data)
    return None if mark == here else News(here, {**data, **more})


def _mark(entries: int, facts: dict[str, Any]) -> str:
    """Where a reader stands who knows so much of the log and these facts."""
    return f"{entries}.{zlib.crc32(msgspec.json.encode(facts))}"


async def _order(request: Request) -> dict[str, Any]:
    """What a page asks for. Only JSON is read: a form of another site cannot send it."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_ORDER_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UserError(f"what was asked is not a JSON object: {error}") from error


def _json(data: Any, status: int = HTTPStatus.OK) -> Response:
    # msgspec writes null for what JSON has no number for.
    return Response(msgspec.json.encode(data), status, media_type="application/json")
