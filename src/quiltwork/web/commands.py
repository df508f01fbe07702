"""`quiltwork web`: where to listen, with which token, and what to say about it."""

from __future__ import annotations

import ipaddress
import secrets
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from quiltwork.errors import UserError

DEFAULT_PORT = 8377


def web(
    runs: Annotated[Path, typer.Argument(metavar="[RUNS]", help="the folder of the runs")] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="where to listen; 0 for any free port")] = DEFAULT_PORT,
    problems: Annotated[Path, typer.Option(help="the folder below which problems may be run")] = Path(),
    open_: Annotated[bool, typer.Option("--open", help="open a browser")] = False,
    host: Annotated[str, typer.Option(help="the address to listen at; others than this machine need --i-know")] = (
        "127.0.0.1"
    ),
    i_know: Annotated[
        bool, typer.Option("--i-know", help="let other machines in: whoever has the token can run programs here")
    ] = False,
) -> None:
    """Show runs in a browser while they go on; begin, pause and resume them.

    Example: quiltwork web runs --open
    """
    from quiltwork.web.assets import COMMAND, missing

    loopback = _is_loopback(host)
    if not loopback and not i_know:
        raise UserError(
            f"--host {host} lets other machines in, without encryption: whoever sees the token can run programs here. "
            "Better keep 127.0.0.1 and forward the port with ssh -L; if it must be, add --i-know."
        )
    if found := missing():
        raise UserError(
            f"The pages' drawing libraries are not here ({', '.join(found)}). Fetch them once with: {COMMAND}"
        )
    if not loopback:
        typer.echo(f"warning: other machines can reach {host}; what passes is not encrypted", err=True)
    _serve(runs.absolute(), problems.absolute(), host, port, loopback=loopback, show=open_)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serve(runs: Path, problems: Path, host: str, port: int, *, loopback: bool, show: bool) -> None:
    import uvicorn

    from quiltwork.log.http.listen import listen
    from quiltwork.web.app import Web, build
    from quiltwork.web.security import Door, loopback_names

    listener = listen(host, port)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    names = loopback_names() | {host.lower()}
    app = build(Web(runs, problems), Door(port, token, names, any_address=not loopback))
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3, ws="none"
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/?token={token}"
    typer.echo(f"runs in {runs}\n{address}\nCtrl-C ends this server and pauses the runs that were begun from it.")
    sys.stdout.flush()
    if show:
        webbrowser.open(address)
    with suppress(KeyboardInterrupt):  # the way to end it; uvicorn has closed everything by then
        uvicorn.Server(config).run(sockets=[listener])
    for path in getattr(app.state, "paused", []):
        typer.echo(f"paused {path.name}; go on with: quiltwork evolve resume {path}")
