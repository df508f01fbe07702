"""The verbs of the log: runs, log show, log verify, log tail, log copy, log serve, explain."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quiltwork import keys
from quiltwork.cli.text import cut, entry_data, entry_line, moment, table, width
from quiltwork.errors import UserError
from quiltwork.log import Broken, Entry, Head, Log, Verified
from quiltwork.log import verify as verify_log
from quiltwork.log.open import is_address, open_log
from quiltwork.log.statement import said_in
from quiltwork.run import Run, RunInfo, find_run, list_runs
from quiltwork.text.numbers import size

if TYPE_CHECKING:
    from quiltwork.log.http import Right, Tokens

FOLLOW_POLL_S = 0.2
"""How late `tail --follow` may be: five looks a second cost nothing and feel immediate."""

DEFAULT_PORT = 8378

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run, or its name in ./runs.")]
LogArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run, its name in ./runs, a .db file, or an address.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")]

log_app = typer.Typer(
    help="Show, verify, follow, copy and serve the log of a run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Example: quiltwork log show runs/demo --limit 20",
)


def runs(
    root: Annotated[Path, typer.Option(help="The folder to look in.")] = Path("runs"), json: AsJson = False
) -> None:
    """List the runs in a folder.

    Example: quiltwork runs --root ~/experiments/runs
    """
    found = list_runs(root)
    if json:
        typer.echo(json_module.dumps([_run_data(info) for info in found], indent=2))
    elif not found:
        typer.echo(f"No runs in {root}. Begin one: quiltwork evolve run gallery/circle_packing_26")
    else:
        rows = [_run_row(info) for info in found]
        typer.echo(table(("NAME", "ROOM", "ENTRIES", "LOG", "LAST ENTRY (UTC)", "STATE"), rows))


@log_app.command()
def show(
    run: LogArgument,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind, such as evolve.evaluated/1, evolve.evaluated or evolve.")
    ] = None,
    start: Annotated[int, typer.Option(min=0, help="The number of the first entry.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="How many entries at most.")] = None,
    json: AsJson = False,
) -> None:
    """Print the entries of a log, one a line.

    Example: quiltwork log show runs/demo --kind evolve.evaluated --limit 20
    """
    with _log(run) as log:
        shown = 0
        for entry in log.read(start):
            if kind is None or _is_of_kind(entry, kind):
                _print(entry, json=json)
                shown += 1
            if shown == limit:
                return


@log_app.command()
def verify(
    run: LogArgument,
    author: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A public key that may sign; all others may not.")
    ] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="HEAD", help="A head printed earlier: finds entries cut off since.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check every hash and every signature of a log. Exits 2 if the log is broken.

    Example: quiltwork log verify runs/demo --expect 1200:5fa648...
    """
    authors = None if not author else {_author(text) for text in author}
    head = None if expect is None else _head(expect)
    with _log(run) as log:
        try:
            found = verify_log(log, authors=authors, expect=head)
        except Broken as broken:
            if json:
                typer.echo(json_module.dumps({"ok": False, "seq": broken.seq, "why": broken.why}, indent=2))
            raise
    _print_verified(found, json=json)


@log_app.command()
def tail(
    run: LogArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as entries come, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last entries.")] = 10,
    json: AsJson = False,
) -> None:
    """Print the last entries of a log, and those to come.

    Example: quiltwork log tail runs/demo --follow
    """
    with _log(run) as log:
        start = max(0, log.head().length - lines)
        entries = log.follow(start, poll_s=FOLLOW_POLL_S) if follow else log.read(start)
        for entry in entries:
            _print(entry, json=json)


@log_app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The log to copy: a run, a .db file, or an address.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: a .db file or an address; made if need be.")],
    json: AsJson = False,
) -> None:
    """Copy a log to where another backend keeps it, and verify the copy. Begun again, it goes on where it was cut off.

    Addresses are http://HOST:PORT/#TOKEN, postgres://USER@HOST/DATABASE#NAME and solana+https://NODE#NAME?payer=FILE.

    Example: quiltwork log copy runs/demo postgres://me@localhost/logs#demo
    """
    from quiltwork.log.copy import copy as copy_log

    with _log(source) as ours, _log(target, write=True) as theirs:
        copied = copy_log(ours, theirs, tell=lambda done, of: _progress(done, of, quiet=json))
    if json:
        typer.echo(json_module.dumps({"copied": copied.copied, "head": str(copied.head)}, indent=2))
        return
    typer.echo(
        f"{copied.copied} entries copied, {copied.head.length - copied.copied} were there. Every hash and every signature of "
        f"the copy is right,\nand it has the source's head {copied.head}"
    )


@log_app.command()
def serve(
    run: LogArgument,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any free port.")] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RIGHTS", help="Make a token with these rights: read, speak, write, or several with commas."
        ),
    ] = None,
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep tokens in this file, so that they outlive the server.")
    ] = None,
) -> None:
    """Serve a log to other machines: to read and follow, to submit statements (speak), to append entries (write).

    Without --token, one is made to read with. Statements are put in order under your own identity.

    Example: quiltwork log serve runs/demo --token read,speak --token read
    """
    from quiltwork.log.http.tokens import Right, Tokens, kept_tokens, new_token, parse_rights

    wanted = [parse_rights(text) for text in token or []]
    if tokens is not None and tokens.exists() and wanted:
        raise UserError(f"{tokens} has tokens already. Leave --token out to use them, or name another file.")
    wanted = wanted or [frozenset({Right.READ})]
    known = {new_token(): rights for rights in wanted} if tokens is None else kept_tokens(tokens, wanted)
    _serve(run, Tokens(known), known, host, port, {right for rights in known.values() for right in rights})


def explain(
    run: RunArgument,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The number of an entry, or how its hash begins.")],
    depth: Annotated[int, typer.Option(min=0, max=100, help="How many generations to walk back.")] = 2,
    json: AsJson = False,
) -> None:
    """Walk back from an entry to all that it rests on: who signed what, when, with the proof.

    Example: quiltwork explain runs/demo 37 --depth 5
    """
    from quiltwork.cli.explain import explanation_data, explanation_text, read_with_rooms
    from quiltwork.log.explain import explain as explain_entry

    with _reading(run) as opened:
        found = explain_entry(opened.log, entry, depth=depth, read=read_with_rooms)
        if json:
            typer.echo(json_module.dumps(explanation_data(found, opened.blobs), indent=2))
        else:
            typer.echo(explanation_text(found, opened.blobs))


@contextmanager
def _reading(name: str) -> Iterator[Run]:
    with Run.open(find_run(name), drive=False) as run:
        yield run


@contextmanager
def _log(name: str, *, write: bool = False) -> Iterator[Log]:
    """Open the log of a run, which nobody else may drive while it is written to, or the one at an address."""
    if is_address(name):
        with closing(open_log(name, write=write)) as log:
            yield log
    else:
        with Run.open(find_run(name), drive=write) as run:
            yield run.log


def _progress(done: int, of: int, *, quiet: bool) -> None:
    if not quiet and done < of and sys.stderr.isatty():
        typer.echo(f"{done} of {of} entries\r", err=True, nl=False)


def _serve(
    name: str, tokens: Tokens, known: Mapping[str, frozenset[Right]], host: str, port: int, rights: Collection[Right]
) -> None:
    from quiltwork.log import Sequencer
    from quiltwork.log.http.channel import is_loopback
    from quiltwork.log.http.listen import listen
    from quiltwork.log.http.serve import serve
    from quiltwork.log.http.tokens import Right

    writes = bool({Right.SPEAK, Right.WRITE} & set(rights))
    with ExitStack() as stack:
        log = stack.enter_context(_log(name, write=writes))
        sequencer = Sequencer(log, keys.default_identity()) if Right.SPEAK in rights else None
        listener = stack.enter_context(listen(host, port))
        at = f"[{host}]" if ":" in host else host
        if not is_loopback(host):
            typer.echo(
                f"warning: other machines can reach {host}; what passes is not encrypted, tokens neither", err=True
            )
        for token, each in known.items():
            typer.echo(f"{','.join(sorted(each)):<16}http://{at}:{listener.getsockname()[1]}/#{token}")
        typer.echo(f"Serving {name}, {log.head().length} entries so far. Ctrl-C ends it.")
        sys.stdout.flush()
        serve(log, tokens, listener, sequencer=sequencer)


def _print(entry: Entry, *, json: bool) -> None:
    typer.echo(json_module.dumps(entry_data(entry)) if json else cut(entry_line(entry), width()))


def _is_of_kind(entry: Entry, kind: str) -> bool:
    names = {entry.kind, said_in(entry).kind}
    return any(name == kind or name.startswith((f"{kind}/", f"{kind}.")) for name in names)


def _run_row(info: RunInfo) -> tuple[str, ...]:
    if info.broken:
        return info.name, "?", "", "", "", f"broken: {info.broken}"
    updated = "" if info.updated is None else moment(info.updated)
    state = f"driven by {info.driver}" if info.driver else "at rest"
    return info.name, info.room, str(info.entries), size(info.log_bytes), updated, state


def _run_data(info: RunInfo) -> dict[str, object]:
    return {"name": info.name, **info._asdict(), "path": str(info.path)}


def _print_verified(found: Verified, *, json: bool) -> None:
    if json:
        authors = {author.hex(): count for author, count in found.authors.items()}
        said = {"ok": True, "entries": found.count, "head": str(found.head), "authors": authors}
        typer.echo(json_module.dumps(said, indent=2))
        return
    typer.echo(f"{found.count} entries: every one in its place, every hash and every signature right.")
    for author, count in found.authors.items():
        typer.echo(f"  {count:>8} signed by {author.hex()}")
    typer.echo(
        f"The head is {found.head}\nKeep it: `quiltwork log verify RUN --expect HEAD` will tell if entries were cut off."
    )


def _author(text: str) -> bytes:
    try:
        author = bytes.fromhex(text)
    except ValueError:
        author = b""
    if len(author) != keys.AUTHOR_BYTES:
        raise UserError(f"{text!r} is not a public key: that is {2 * keys.AUTHOR_BYTES} hexadecimal digits.")
    return author


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError:
        raise UserError(f"{text!r} is not a head: `quiltwork log verify RUN` prints one as LENGTH:HASH.") from None
