"""The command `quiltwork`: which words there are, and how it ends.

The commands of rooms load when they are called, so that looking at the log of a run does not wait for scipy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

import quiltwork
from quiltwork.errors import UserError

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


class Door(NamedTuple):
    """A command that loads late. `target` is "module:name" of a `typer.Typer`, or of a function to become a command."""

    target: str
    help: str


DOORS = {
    "evolve": Door("quiltwork.evolve.commands:app", "Improve programs by proposals and evaluators."),
    "pretrain": Door("quiltwork.pretrain.commands:app", "Train one model on machines that join and leave."),
    "models": Door("quiltwork.models.commands:app", "List, fetch, try and serve language models."),
    "doctor": Door("quiltwork.sandbox.commands:doctor", "Say what this machine can do, and what it lacks."),
    "runs": Door("quiltwork.cli.log_commands:runs", "List the runs in a folder."),
    "log": Door("quiltwork.cli.log_commands:log_app", "Show, verify and follow the log of a run."),
    "web": Door("quiltwork.web.commands:web", "Show runs in a browser; begin, pause and resume them."),
    "explain": Door("quiltwork.cli.log_commands:explain", "Walk back from an entry to all that it rests on."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, `sys.argv` by default, and exit: 0 well, 2 for what the user can mend, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build(words)(args=words, prog_name="quiltwork")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def build(words: Sequence[str]) -> typer.Typer:
    """Make the command line that serves these words: of the doors, only the one that they go through is loaded."""
    app = typer.Typer(
        help="Quiltwork: an open lab in which people improve AI and code together. Every event is a signed log entry.",
        epilog="Example: quiltwork evolve run gallery/circle_packing_26",
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help starts five times as fast
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_options)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, door in DOORS.items():
        target = _load(door.target) if name == called else _unopened
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name)
        else:
            app.command(name, help=door.help if target is _unopened else None)(target)
    return app


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _unopened() -> None:
    """Stand in for a door in the list of commands."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quiltwork {quiltwork.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    main()
