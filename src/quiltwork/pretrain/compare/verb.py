"""`quiltwork pretrain compare`. Thin: reads words, calls the loop, prints."""

from __future__ import annotations

import json as json_module
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

OPTIMIZERS = "adamw,demo,distro,demo_exact,diloco,sparseloco,sparseloco_muon"
"""As `contestants.NAMES`, which a help text need not wait for."""


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command(epilog="Example: quiltwork pretrain compare --link 20Mbit/s --out runs/compared")(compare)


def compare(
    config: Annotated[
        str | None,
        typer.Argument(
            help="a run's TOML file or a preset, for model and data [default: a small GPT, Python's sources]"
        ),
    ] = None,
    optimizers: Annotated[str | None, typer.Option(help=f"some of {OPTIMIZERS} [default: all]")] = None,
    lr: Annotated[list[str] | None, typer.Option(help="another learning rate: NAME=RATE; as often as wanted")] = None,
    every: Annotated[
        int | None, typer.Option(help="steps between two exchanges of those that step alone [default: 5]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="of every optimizer [default: the file's total_steps]")] = None,
    members: Annotated[int | None, typer.Option(help="who train [default: the file's init_min_clients]")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="of parameters and data [default: the file's]")
    ] = None,
    link: Annotated[str | None, typer.Option(help="what each sends and receives over [default: 20Mbit/s]")] = None,
    delay_ms: Annotated[float | None, typer.Option(help="one way, on such a link [default: 0]")] = None,
    data: Annotated[Path | None, typer.Option(help="the folder at which relative paths of the data begin")] = None,
    out: Annotated[
        Path | None, typer.Option(help="the folder to make, or to go on with [default: runs/compare-TIME]")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="do not show how it goes")] = False,
    json: Annotated[bool, typer.Option("--json", help="print one JSON value for a script to read")] = False,
) -> None:
    """Train every optimizer on the same data; draw loss over bytes and over time. What is trained is not trained again."""
    from rich.console import Console

    from quiltwork.pretrain.compare.comparison import Asked, arranged
    from quiltwork.pretrain.compare.folder import Folder, settings_in
    from quiltwork.pretrain.compare.loop import PAGE, carry_out, ctrl_c
    from quiltwork.pretrain.compare.page import as_data
    from quiltwork.pretrain.compare.told import table, watching

    asked = Asked(
        config=config,
        optimizers=optimizers,
        rates=tuple(lr or ()),
        every=every,
        steps=steps,
        members=members,
        seed=seed,
        link=link,
        delay_ms=delay_ms,
    )
    path = out or Path("runs") / f"compare-{datetime.now():%Y%m%d-%H%M%S}"
    comparison = arranged(asked, settings_in(path))
    folder = Folder(path)
    try:
        folder.ask(comparison)
        with ctrl_c() as stop, watching(Console(stderr=True), comparison.steps, quiet=quiet) as watcher:
            found = carry_out(comparison, folder, watcher, root=data, stop=stop)
    except KeyboardInterrupt:
        where = f" --data {data}" if data else ""
        typer.echo(f"Interrupted. Go on with: quiltwork pretrain compare --out {path}{where}", err=True)
        raise
    finally:
        folder.close()
    typer.echo(json_module.dumps(as_data(found), indent=2) if json else f"{table(found)}\n\n{path / PAGE}")
