"""An explanation on paper: a tree of who signed what, and when, with the proof."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from quiltwork import keys
from quiltwork.blobs import BlobCorrupt, BlobMissing, BlobStore
from quiltwork.cli.text import content, cut, entry_data, moment, printable, width
from quiltwork.log import Body, Malformed, Unknown, decode
from quiltwork.log.explain import Explanation, Reason, Told
from quiltwork.log.kinds import Encoded
from quiltwork.log.statement import Refused, said_in
from quiltwork.text.numbers import size

KINDS = {"evolve": "quiltwork.evolve.entries", "pretrain": "quiltwork.pretrain.entries"}
"""Where a room's kinds are registered. A log may come from a stranger, so nothing else is imported for a kind's sake."""


def read_with_rooms(said: Encoded) -> Body | Unknown | Malformed:
    """Decode an entry or a statement; at the first of a room's kinds, load the entries of that room."""
    body = decode(said)
    if isinstance(body, Unknown) and (module := KINDS.get(said.kind.partition(".")[0])) is not None:
        import_module(module)
        return decode(said)
    return body


def explanation_text(found: Explanation, blobs: BlobStore) -> str:
    """Draw an explanation as a tree."""
    columns = width()
    said = said_in(found.entry)
    lines = [
        f"Entry {found.entry.seq}: {said.kind}",
        f"  hash      {found.entry.hash.hex()}",
        f"  signed by {said.author.hex()}",
        *([] if said is found.entry else [f"  relayed by {found.entry.author.hex()}"]),
        f"  proof     {found.head.length} entries chain from the first to the head {found.head.hash.hex()[:16]}…; "
        "every signature below is right.",
        "",
        *_tree(found.reason, blobs),
    ]
    return "\n".join(cut(line, columns) for line in lines)


def explanation_data(found: Explanation, blobs: BlobStore) -> dict[str, object]:
    """Give an explanation as plain data for JSON."""
    return {
        "entry": found.entry.seq,
        "hash": found.entry.hash.hex(),
        "proof": {"head": str(found.head), "chain": True, "signatures": True},
        "reason": _reason_data(found.reason, blobs),
    }


def _tree(reason: Reason, blobs: BlobStore) -> Iterator[str]:
    title = ": ".join(part for part in (reason.part, reason.about or "this entry") if part)
    yield printable(f"{title} ({reason.left_out})" if reason.left_out else title)
    branches = [*(_told_lines(told, blobs) for told in reason.told), *(_tree(each, blobs) for each in reason.because)]
    for number, branch in enumerate(branches, 1):
        first, rest = ("└─ ", "   ") if number == len(branches) else ("├─ ", "│  ")
        for row, line in enumerate(branch):
            yield (rest if row else first) + line


def _told_lines(told: Told, blobs: BlobStore) -> Iterator[str]:
    entry, said = told.entry, told.said
    relayed = "" if said is entry else f"  relayed by {keys.short(entry.author)}"
    yield (
        f"#{entry.seq} {said.kind}  by {keys.short(said.author)}  {moment(said.time)}  "
        f"hash {entry.hash.hex()[:12]}  signature right{relayed}"
    )
    yield f"     {content(said)}"
    if isinstance(told.body, Refused):
        yield f"     not heard: {printable(told.body.why)}"
    elif not isinstance(told.body, Body):
        yield f"     not understood: {printable(str(told.body))}"
    for part, id in told.links.blobs.items():
        yield printable(f"     {part}: blob {id[:16]}…, {_blob_state(blobs, id)}")


def _blob_state(blobs: BlobStore, id: str) -> str:
    try:
        return f"{size(len(blobs.get(id)))}, hash right"
    except BlobMissing:
        return "MISSING"
    except BlobCorrupt:
        return "CORRUPT: its bytes do not match its hash"


def _reason_data(reason: Reason, blobs: BlobStore) -> dict[str, object]:
    return {
        "about": reason.about,
        "part": reason.part,
        "left_out": reason.left_out,
        "told": [
            {**entry_data(told.entry), **_unheard(told), "blobs": _blobs_data(told, blobs)} for told in reason.told
        ],
        "because": [_reason_data(each, blobs) for each in reason.because],
    }


def _unheard(told: Told) -> dict[str, str]:
    return {"unheard": told.body.why} if isinstance(told.body, Refused) else {}


def _blobs_data(told: Told, blobs: BlobStore) -> dict[str, object]:
    return {part: {"id": id, "state": _blob_state(blobs, id)} for part, id in told.links.blobs.items()}
