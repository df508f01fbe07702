"""A run on a log that nobody serves: an SQLite file, a database in Postgres, an address on Solana.

Its owner opens it and may go. The members append to the log by themselves (`WriterVoice`), tell the time, each its own, and
fetch from each other without a relay.
"""

from __future__ import annotations

import secrets
import time
from contextlib import closing

from pydantic import ValidationError

import quiltwork
from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import EMPTY, Conflict, Log, decode, encode
from quiltwork.log.open import is_address, open_log
from quiltwork.log.writer import sign_on
from quiltwork.pretrain import entries
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.recipe import RunConfig
from quiltwork.pretrain.voice import TICK_S

KINDS = "a .db file, postgres://USER@HOST/DB#NAME, or solana+https://HOST#NAME?payer=FILE"

CHAIN_TICK_S = 10.0
"""On a chain every tick is paid for, and takes a second or two until it stands."""

STALLED_NS = 30_000_000_000
"""So far behind a member's own clock the run's time is not late but stands still."""


def is_log(place: str) -> bool:
    """Tell whether a text is the address of a log that members write to, rather than that of a run's server."""
    return is_address(place) and not place.startswith(("http://", "https://"))


def create(config: RunConfig, address: str, owner: Identity) -> None:
    """Begin a run in the log at `address`, which is made if need be. Raises UserError, and what appending raises."""
    if not is_log(address):
        raise UserError(
            f"{shareable(address)} is not a log that members can write to by themselves: name {KINDS}. "
            "To keep a run yourself: quiltwork pretrain serve"
        )
    with closing(open_log(address, write=True)) as log:
        begin(config, log, owner)


def begin(config: RunConfig, log: Log, owner: Identity) -> None:
    """Say `Created` in an empty log. Raises UserError if the log is not empty, or the rules cannot work there."""
    rules = config.config
    if rules.clock == "owner" and "clock" in rules.model_fields_set:
        raise UserError(
            'config.clock is "owner", but on a log without a server nobody would tell the owner\'s time: say "members", or leave '
            "it out."
        )
    told = config.model_copy(update={"config": rules.model_copy(update={"clock": "members"})})
    created = told.created(seed=secrets.token_bytes(32), version=quiltwork.__version__)
    try:
        log.append(sign_on(owner, EMPTY, time.time_ns(), [encode(created)]), EMPTY)
    except Conflict as error:
        raise UserError(
            f"The log is not empty: it has {error.found.length} entries. A run begins its log; give it another name."
        ) from error


def created_in(log: Log, place: str) -> Created:
    """A run's first entry. Raises UserError for what is no run of `pretrain`, or one of another protocol."""
    first = next(iter(log.read(0, 1)), None)
    body = None if first is None else decode(first)
    if not isinstance(body, Created):
        what = "is an empty log" if first is None else f"keeps {first.kind}"
        raise UserError(f"{place} {what}, not a run of pretrain.")
    if body.protocol != entries.PROTOCOL:
        raise UserError(
            f"The run {body.run_id!r} follows protocol {body.protocol} (made by version {body.version or 'unknown'}); this is "
            f"version {quiltwork.__version__}, which follows {entries.PROTOCOL}. Install the version that the run was made with."
        )
    return body


def rules_of(created: Created) -> Coordinator:
    """The rules that a run began with. Raises UserError: its owner has another version, or means harm."""
    try:
        return Coordinator.model_validate_json(created.coordinator)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"The run {created.run_id!r} was made by version {created.version or 'unknown'}, and this one cannot read its rules: "
            f"field {'.'.join(map(str, first['loc'])) or '(all)'}: {first['msg']}. Use the version that the run was made with."
        ) from error


def enter(address: str) -> Log:
    """Open the log of a run to take part in it. Raises UserError for a log without one, or whose time its owner tells."""
    if _is_chain(address):
        open_log(address, write=True).close()  # asks nobody, and says at once if nobody pays
    # What is only joined must not be made: a name that is spelled wrong would be a new log.
    with closing(open_log(address)) as log:
        created = created_in(log, shareable(address))
    if rules_of(created).clock != "members":
        raise UserError(
            f"The run {created.run_id!r} goes by its owner's clock, so it needs its owner's server: join it with the invitation "
            "that `quiltwork pretrain serve` prints, http://host:port#token."
        )
    return open_log(address, write=True)


def tick_s(address: str) -> float:
    """How often a member of the run in this log tells the time, in seconds."""
    return CHAIN_TICK_S if _is_chain(address) else TICK_S


def _is_chain(address: str) -> bool:
    return address.startswith("solana+")


def shareable(address: str) -> str:
    """Give an address as others need it: without a password, and without what is one's own (who pays, where a copy is)."""
    place, hash, fragment = address.partition("#")
    scheme, colon, rest = place.partition("://")
    where, question, options = rest.partition("?")
    authority, slash, path = where.partition("/")
    user, at, host = authority.rpartition("@")
    where = user.partition(":")[0] + at + host + slash + path
    place = scheme + colon + where + _without(question, options, "password", "sslpassword", "passfile")
    if scheme in ("http", "https"):
        return place  # what follows is a token
    name, question, options = fragment.partition("?")
    return place + hash + name + _without(question, options, "payer", "cache")


def _without(question: str, options: str, *private: str) -> str:
    kept = "&".join(option for option in options.split("&") if option and option.partition("=")[0] not in private)
    return question + kept if kept else ""


def invitation(address: str) -> str:
    """What others put after `join`."""
    public = shareable(address)
    if not _is_chain(address):
        return public
    return f"{public}{'&' if '?' in public else '?'}payer=FILE"


def standstill(state: RunState, me: bytes) -> str:
    """Say that the run's time stands still, and who keeps it from going on; nothing if it does not."""
    mine = state.members.get(me)
    if state.config.clock != "members" or mine is None or mine.ticked - state.now < STALLED_NS:
        return ""
    silent = [
        member.said.name or member.author[:4].hex()
        for member in state.here()
        if mine.ticked - member.ticked >= STALLED_NS
    ]
    return (
        f"The run's time stands still: {len(silent)} of the {len(state.here())} members that are in it do not tell theirs "
        f"({', '.join(silent)}). It goes on when more than half do: when they come back, or others join."
    )
