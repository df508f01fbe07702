"""The command line of `pretrain`. Thin: it reads words, calls the room, and prints."""

from __future__ import annotations

import asyncio
import json as json_module
import signal
from pathlib import Path
from typing import Annotated

import typer

from quiltwork.errors import UserError
from quiltwork.pretrain.compare import verb as comparing
from quiltwork.pretrain.inspection import add_to

app = typer.Typer(
    help="Train one model on machines that join and leave. Begin with: quiltwork pretrain demo",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a run, as `quiltwork runs` lists them")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON value for a script to read")]


@app.command(epilog="Example: quiltwork pretrain sim --seed 7 --nodes 64 --rounds 500")
def sim(
    seed: Annotated[int, typer.Option(min=0, help="equal seeds give equal runs")] = 0,
    nodes: Annotated[int, typer.Option(min=1, max=1_000, help="machines")] = 6,
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="rounds in which something is accepted")] = 24,
    honest: Annotated[bool, typer.Option("--honest", help="no machine lies")] = False,
    calm: Annotated[bool, typer.Option("--calm", help="no machine crashes, no link breaks")] = False,
    json: AsJson = False,
) -> None:
    """Simulate a run on a virtual clock, among crashes, broken links and liars, and check what must hold."""
    from quiltwork.pretrain.display.simulation import show_simulation
    from quiltwork.pretrain.simulator import Scenario

    report = show_simulation(
        seed, Scenario(nodes=nodes, rounds=rounds, liars=not honest, accidents=not calm), quiet=json
    )
    if json:
        typer.echo(json_module.dumps(report, indent=2))
    elif report["violation"]:
        raise typer.Exit(1)


@app.command(epilog="Example: quiltwork pretrain demo --out runs/first")
def demo(
    out: Annotated[Path | None, typer.Option(help="the run's folder [default: runs/demo-TIME]")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="no live panel; say how it ended")] = False,
) -> None:
    """Train a model of a million parameters with four workers on this machine; one of them lies, another is killed."""
    from quiltwork.pretrain.demo import Demo
    from quiltwork.pretrain.display.ending import ending
    from quiltwork.pretrain.display.panel import live
    from quiltwork.pretrain.serve import open_or_create

    demo = Demo(open_or_create("demo", out))
    try:
        with live(demo.coordinator, quiet=quiet):
            demo.run()
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. The run is in {demo.path}; go on with: quiltwork pretrain serve {demo.path}")
        raise
    typer.echo(ending(demo.coordinator.followed, accidents=demo.accidents, cpu_s=demo.cpu_s()))
    typer.echo(f"Look at it: quiltwork web runs; quiltwork log verify {demo.path}")


@app.command(epilog="Example: quiltwork pretrain serve my_run.toml --host 0.0.0.0 --port 8378")
def serve(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|RUN", help="a run's TOML file, a preset (demo), or the folder of a run to go on"
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="the new run's folder [default: runs/RUN_ID-TIME]")] = None,
    host: Annotated[str, typer.Option(help="where to listen; 0.0.0.0 for all networks")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one")] = 8378,
    quiet: Annotated[bool, typer.Option("--quiet", help="no live panel")] = False,
) -> None:
    """Open a run, or take one up again: print the invitation, keep its log, and show how it goes. Ctrl-C lays it down."""
    from quiltwork.pretrain.serve import Coordinator, open_or_create

    path = open_or_create(config, out)
    coordinator = Coordinator(path, host=host, port=port)
    typer.echo(f"{path}\nJoin it: quiltwork pretrain join '{coordinator.invitation}'", err=quiet)
    _serve(coordinator, quiet=quiet)


def _serve(coordinator: object, *, quiet: bool) -> None:
    from quiltwork.pretrain.display.ending import ending
    from quiltwork.pretrain.display.panel import live
    from quiltwork.pretrain.serve import Coordinator

    assert isinstance(coordinator, Coordinator)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: coordinator.stop())
    try:
        with live(coordinator, quiet=quiet):
            asyncio.run(coordinator.serve())
    finally:
        coordinator.close()
    if not quiet:
        typer.echo(ending(coordinator.followed))


@app.command(name="open", epilog="Example: quiltwork pretrain open my_run.toml --log 'postgres://me@host/db#my_run'")
def open_(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="a run's TOML file, or a preset (demo)")],
    log: Annotated[
        str,
        typer.Option(
            metavar="LOG",
            help="an empty or a new one: FILE.db, postgres://USER@HOST/DB#NAME, solana+https://HOST#NAME?payer=FILE",
        ),
    ],
) -> None:
    """Open a run on a log that needs no server: its members write to it by themselves, and its owner may go."""
    from quiltwork.keys import default_identity
    from quiltwork.pretrain import meeting
    from quiltwork.pretrain.recipe import load

    meeting.create(load(config), log, default_identity())
    typer.echo(f"The run is open. Join it: quiltwork pretrain join '{meeting.invitation(log)}'")


@app.command(epilog="Example: quiltwork pretrain join 'http://host:8378#TOKEN' --name attic")
def join(
    run: Annotated[
        str, typer.Argument(metavar="URL#TOKEN|LOG", help="what `pretrain serve` or `pretrain open` printed; quote it")
    ],
    name: Annotated[str, typer.Option(help="what others call this machine")] = "",
    folder: Annotated[
        Path | None,
        typer.Option(help="this member's home; with it a member comes back as the same [default: members/NAME]"),
    ] = None,
    host: Annotated[str, typer.Option(help="an address at which others reach this machine directly")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="likewise; 0 for any free one")] = 0,
    listen: Annotated[
        str, typer.Option(help="where to listen if --host is forwarded to this machine, and is not its own address")
    ] = "",
    transport: Annotated[
        str, typer.Option(help="how others reach this machine: tcp, iroh (QUIC, encrypted; the extra p2p) or both")
    ] = "tcp",
    precision: Annotated[str, typer.Option(help="fp32 or bf16")] = "fp32",
    threads: Annotated[int, typer.Option(min=0, max=1_024, help="of torch; 0: as it likes")] = 0,
    data: Annotated[Path | None, typer.Option(help="the folder at which relative paths of the data begin")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="say only how it ended")] = False,
    cheat: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Join a run and train until it is over. Ctrl-C leaves in good order; the same command comes back."""
    from quiltwork.pretrain.join import join as take_part

    make = None
    if cheat:
        from quiltwork.pretrain.cheats import CHEATS

        make = CHEATS[cheat]
    watch = None
    if not quiet:
        from quiltwork.pretrain.display.lines import rounds_on

        watch = rounds_on(typer.echo)
    home = folder or Path("members") / (name or "me")
    why = asyncio.run(
        take_part(
            run,
            home,
            name=name,
            host=host,
            port=port,
            listen=listen,
            transport=transport,
            precision=precision,
            threads=threads,
            data=data,
            make=make,
            watch=watch,
            tell=lambda trouble: typer.echo(f"trouble: {trouble}", err=True),
        )
    )
    if why == "ejected":
        raise UserError("The run has ejected this member: audits found that its updates were not what they should be.")
    typer.echo({"finished": "The run is over.", "left": "Left the run; the same command comes back."}[why])


@app.command(epilog="Example: quiltwork pretrain status runs/demo --json")
def status(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|URL#TOKEN|LOG", help="the folder of a run, its name in ./runs, its invitation, or its log"
        ),
    ],
    json: AsJson = False,
) -> None:
    """Say where a run is: its loss and its round, who takes part and what they did, what audits found, what happened."""
    from quiltwork.pretrain.display.status import look, show_status
    from quiltwork.pretrain.views.snapshot import plain

    view = look(run)
    if json:
        typer.echo(json_module.dumps(plain(view), indent=2))
    else:
        show_status(view)


add_to(app)
comparing.add_to(app)
