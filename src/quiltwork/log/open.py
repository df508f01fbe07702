"""A log by its address, wherever it lives.

    demo, runs/demo                  the log of a run: its folder, or its name in ./runs
    demo.db                          an SQLite file
    http://HOST:PORT/PATH#TOKEN      a server's (or https); without #TOKEN, the token is in $QUILTWORK_LOG_TOKEN
    postgres://USER@HOST/DB#NAME     one of the logs in a Postgres database
    solana+http://HOST:PORT#NAME     one on Solana, by way of that node (or solana+https); see below

After NAME, `?since=SLOT&author=KEY&author=KEY&unsigned=1` say the rest of a Solana log's rule, which all its readers must
agree on, and `payer=FILE` who pays for what is appended, `cache=FILE` where to keep what is final, and `commitment=finalized`
to wait until nothing can be taken back.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from quiltwork.errors import UserError
from quiltwork.log.protocol import Log, LogUnavailable
from quiltwork.log.sqlite import SqliteLog

TOKEN_VARIABLE = "QUILTWORK_LOG_TOKEN"  # noqa: S105  where it is, not what it is
RUNS = Path("runs")

_SOLANA_OPTIONS = {"since", "author", "unsigned", "payer", "cache", "commitment"}


def is_address(text: str) -> bool:
    """Tell whether a text says where a log lives, other than by the name or the folder of a run."""
    return "://" in text or text.endswith(".db")


def open_log(address: str, *, write: bool = False) -> Log:
    """Open the log at `address`, to read it, or to `write` to it: then an SQLite file and a log in Postgres are made if need be.

    Secrets in addresses are in no error. Raises LogUnavailable, LogCorrupt, and UserError for what is no address.
    """
    scheme, colon, _ = address.partition("://")
    if not colon:
        return SqliteLog(_file(address, write=write), readonly=not write)
    place, _, fragment = address.partition("#")
    match scheme:
        case "http" | "https":
            from quiltwork.log.http import HttpLog

            return HttpLog(place, fragment or _token())
        case "postgres" | "postgresql":
            from quiltwork.log.postgres import PostgresLog

            if not fragment:
                raise UserError("A database holds several logs: say which by its name at the end, postgres://...#NAME")
            return PostgresLog(place, fragment, readonly=not write)
        case "solana+http" | "solana+https":
            return _solana(place.removeprefix("solana+"), fragment, write=write)
    raise UserError(
        f"Logs are not kept at {scheme[:20]}:// addresses. It can be http, https, postgres, solana+http or solana+https."
    )


def _solana(node: str, fragment: str, *, write: bool) -> Log:
    from quiltwork.log.solana import Payer, Rule, SolanaLog

    name, _, said = fragment.partition("?")
    options: dict[str, list[str]] = {}
    for option, value in parse_qsl(said, keep_blank_values=True):
        options.setdefault(option, []).append(value)
    if strange := set(options) - _SOLANA_OPTIONS:
        raise UserError(
            f"A log on Solana has no {', '.join(sorted(strange))}: it can be {', '.join(sorted(_SOLANA_OPTIONS))}."
        )
    last = {option: values[-1] for option, values in options.items()}
    try:
        since = int(last.get("since", "0"))
        authors = tuple(bytes.fromhex(author) for author in options.get("author", ()))
    except ValueError:
        raise UserError(
            "In the address of a log on Solana, since is a slot's number, and author a public key."
        ) from None
    commitment = last.get("commitment", "confirmed")
    if commitment not in ("confirmed", "finalized"):
        raise UserError("The commitment of a log on Solana is confirmed or finalized.")
    if write and "payer" not in last:
        raise UserError(
            "Appending on Solana costs: name the keypair file of who pays, solana+http://...#NAME?payer=FILE"
        )
    return SolanaLog(
        node,
        Rule(unquote(name), since, signed=last.get("unsigned", "0") == "0", authors=authors),
        payer=Payer.load(last["payer"]) if "payer" in last else None,
        cache=last.get("cache"),
        commitment="finalized" if commitment == "finalized" else "confirmed",
    )


def _token() -> str:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise UserError(
            f"A server's log needs a token: put it at the end of the address, http://...#TOKEN, or into ${TOKEN_VARIABLE}."
        )
    return token


def _file(name: str, *, write: bool) -> Path:
    if name.endswith(".db"):
        return Path(name)
    for folder in (Path(name), RUNS / name):
        if (folder / "log.db").is_file():
            return folder / "log.db"
    hint = " To make a new log, name a file that ends in .db." if write else ""
    raise LogUnavailable(f"There is no log {name}, neither as a run's folder nor in {RUNS}.{hint}")
