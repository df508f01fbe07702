"""The owner's side of a run: a folder with the log, a sequencer that says the time, and one address for log and blobs.

The server folds the log like everybody, but decides nothing: it could leave statements out, not change them. What members
publish it keeps, so that those behind a NAT reach each other.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Router

import quiltwork
from quiltwork.blobs.server import BlobRights, blob_routes
from quiltwork.errors import UserError
from quiltwork.keys import default_identity, short
from quiltwork.log import Body, Sequencer
from quiltwork.log.http import Right, Tokens, new_token
from quiltwork.log.http.listen import listen
from quiltwork.log.http.server import log_routes
from quiltwork.pretrain.bounds import Reserved, blob_limits, log_limits
from quiltwork.pretrain.config import Coordinator as CoordinatorConfig
from quiltwork.pretrain.entries import Ticked
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.invitation import parse_invitation as parse_invitation
from quiltwork.pretrain.meeting import created_in
from quiltwork.pretrain.recipe import RunConfig, load
from quiltwork.pretrain.secret import write_secret
from quiltwork.pretrain.views import Watch
from quiltwork.run import Run
from quiltwork.run.listing import DEFAULT_ROOT

ROOM = "pretrain"
TICK_S = 0.5
"""As Psyche's server."""

FRESH_NS = 20_000_000
"""Before a batch the time is said again if it is older: arrivals are measured this exactly."""

TOKEN_FILE = "token"  # noqa: S105 (a file's name)

INVITATION_FILE = "invitation"
"""Where the server listens now: for the owner's orders. Readable by its owner alone."""


def create(path: Path, config: RunConfig, *, model: bytes = b"") -> None:
    """Make a run's folder and say `Created` in its log. Raises RunExists and what writing raises."""
    with Run.create(path, ROOM, config.model_dump(mode="json")) as run:
        created = config.created(seed=secrets.token_bytes(32), version=quiltwork.__version__, model=model)
        run.writer.append(created, *([Ticked(time.time_ns())] if config.config.clock == "owner" else []))
    token_of(path)


def open_or_create(config: str, out: Path | None) -> Path:
    """Find the run to serve: the folder of one that is there, or a new one from a TOML file or a preset."""
    there = Path(config)
    if (there / "run.toml").is_file():
        if out is not None:
            raise UserError(f"{config} is a run already; --out is for a new one.")
        return there
    wanted = load(config)
    path = out or DEFAULT_ROOT / f"{wanted.run_id}-{datetime.now():%Y%m%d-%H%M%S}"
    create(path, wanted)
    return path


def token_of(path: Path) -> str:
    """The secret with which members join a run, made at the first call; readable by its owner alone."""
    place = path / TOKEN_FILE
    if not place.exists():
        write_secret(place, f"{new_token()}\n".encode())
    return place.read_text().strip()


def _opened(path: Path) -> Run:
    run = Run.open(path, drive=True)
    if run.room != ROOM:
        run.close()
        raise UserError(f"{path} is a run of {run.room}, not of pretrain.")
    first = next(iter(run.log.read(0, 1)), None)
    mine = default_identity().author
    if first is not None and first.author != mine:
        run.close()
        raise UserError(
            f"{path} belongs to {short(first.author)}, and you are {short(mine)}: the run would not believe your clock. Serve it "
            "as its owner: QUILTWORK_HOME names the folder that holds the owner's identity.key."
        )
    return run


class Coordinator:
    """Serves a run's folder at an address until `stop` is called: also when the run is over, for those who want the model.

    `followed` is the run as all see it; `watch` is called with its state about four times a second, and may be set anew by
    whoever shows the run.
    """

    def __init__(
        self,
        path: Path,
        *,
        host: str,
        port: int,
        watch: Callable[[RunState], None] = lambda state: None,
    ) -> None:
        self.run = _opened(path)
        try:
            created = created_in(self.run.log, str(path))
            rules = CoordinatorConfig.model_validate_json(created.coordinator)
            self._limits, self._blob_limits = log_limits(rules), blob_limits(created, rules)
            self._tells_time = rules.clock == "owner"  # else members do
            self.token = token_of(path)
            self.followed = Watch()
            self.state = self.followed.state
            self.watch = watch
            self._last_tick = 0
            self.sequencer = Sequencer(self.run.log, default_identity(), before=self._time)
            self._socket = listen(host, port)
        except BaseException:
            self.run.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._host = host
        write_secret(path / INVITATION_FILE, f"{self.invitation}\n".encode())
        self._server: uvicorn.Server | None = None
        self._stopping = threading.Event()

    @property
    def invitation(self) -> str:
        """What members join with: `URL#token`."""
        host = "127.0.0.1" if self._host in ("", "0.0.0.0", "::") else self._host  # noqa: S104 (compared, not bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}#{self.token}"

    def _time(self) -> Sequence[Body]:
        now = time.time_ns()
        if not self._tells_time or now - self._last_tick < FRESH_NS:
            return ()
        self._last_tick = now
        return (Ticked(now),)

    def _fold(self) -> None:
        for entry in self.run.log.read(self.followed.entries):
            self.followed.feed(entry)
        self.watch(self.state)

    def stop(self) -> None:
        """End serving. May be called from any thread, and from a signal handler."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True

    async def serve(self) -> None:
        """Serve. Raises what the log raises when it cannot be written."""
        tokens = Tokens({self.token: {Right.READ, Right.SPEAK}})
        failure: list[UserError] = []

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            ticking = asyncio.create_task(self._tick(failure))
            yield
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

        blobs = blob_routes(self.run.blobs, {self.token: BlobRights.BOTH}, limits=self._blob_limits)
        app = Starlette(
            routes=[
                Mount("/log", routes=log_routes(self.run.log, tokens, sequencer=self.sequencer, limits=self._limits)),
                Mount("/blobs", Reserved(Router(blobs), self.run.path)),
            ],
            lifespan=lifespan,
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        if self._stopping.is_set():
            return
        await self._server.serve(sockets=[self._socket])
        if failure:
            raise failure[0]

    async def _tick(self, failure: list[UserError]) -> None:
        loop = asyncio.get_running_loop()
        last = 0.0
        try:
            while not self._stopping.is_set():
                due = self._tells_time and time.monotonic() - last >= TICK_S
                if due and self.state.phase is not Phase.FINISHED:
                    last = time.monotonic()
                    await loop.run_in_executor(None, lambda: self.sequencer.say(Ticked(time.time_ns())))
                await loop.run_in_executor(None, self._fold)
                await asyncio.sleep(TICK_S / 2)
        except UserError as error:
            failure.append(error)
            self.stop()

    def close(self) -> None:
        """Let others serve the run."""
        self._socket.close()
        self.run.close()
