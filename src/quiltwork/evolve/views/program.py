"""One step opened: its program, what changed, what evaluators said, what models were asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from quiltwork.evolve.entries import Replied
from quiltwork.evolve.member import Member
from quiltwork.evolve.program import Program
from quiltwork.evolve.report.diffs import changed, diff
from quiltwork.evolve.report.page import PICTURES
from quiltwork.evolve.views.steps import row
from quiltwork.evolve.views.watch import NotThere, Watch, whole_number
from quiltwork.models.base import decode_reply, decode_request
from quiltwork.text.strangers import plain

DETAIL_LETTERS = 8_000
MOST_METRICS = 60
MOST_ARTIFACTS = 40
MOST_REPLIES = 12


def panel(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """All that is known of step `step`; `changes` compares it with its first parent."""
    member = member_of(watch, words)
    state = watch.state
    files = source(watch, member)
    parent = state.members.get(member.parents[0]) if member.parents else None
    changes = diff(source(watch, parent), files) if parent is not None and member.program and parent.program else []
    added, gone = changed(changes)
    certified = state.certified.get(member.step)
    return {
        **row(watch, member, {improvement.step for improvement in state.improvements}),
        "note": plain(member.note, DETAIL_LETTERS),
        "detail": plain(member.detail, DETAIL_LETTERS),
        "metrics": [[plain(name, 80), value] for name, value in list(member.metrics.items())[:MOST_METRICS]],
        "held_out": [[plain(name, 80), value] for name, value in state.held_out.get(member.step, {}).items()],
        "descriptors": _descriptors(watch, member),
        "certified": None if certified is None else {"claim": plain(certified.claim), "value": certified.value[:200]},
        "samples": member.samples,
        "instruction": member.instruction,
        "files": [[plain(path, 300), plain(text)] for path, text in sorted(files.items())],
        "changes": [[line.kind, plain(line.text)] for line in changes],
        "added": added,
        "gone": gone,
        "artifacts": [_artifact_row(watch, index, name, blob) for index, (name, blob) in enumerate(_artifacts(member))],
        "replies": [_reply(watch, reply) for reply in watch.replies.get(member.step, [])[:MOST_REPLIES]],
        "committed": state.committed,
    }


def member_of(watch: Watch, words: Mapping[str, str]) -> Member:
    """The member that a query names. Raises `NotThere`."""
    step = whole_number(words, "step", -1)
    member = watch.state.members.get(step)
    if member is None:
        raise NotThere(f"{watch.run.name}: there is no step {step}; {watch.state.committed} steps are committed")
    return member


def source(watch: Watch, member: Member) -> dict[str, str]:
    """A member's files; none where it has no program."""
    if member.program is None:
        return {}
    return dict(Program.decode(watch.run.blobs.get(member.program)).files)


def artifact(watch: Watch, words: Mapping[str, str]) -> tuple[bytes, str]:
    """Artifact number `index` of step `step`, and its media type: a picture's, or plain text for all else."""
    artifacts = _artifacts(member_of(watch, words))
    index = whole_number(words, "index", -1)
    if not 0 <= index < len(artifacts):
        raise NotThere(f"{watch.run.name}: this step has {len(artifacts)} artifacts; there is no number {index}")
    name, blob = artifacts[index]
    return watch.run.blobs.get(blob), PICTURES.get(PurePath(name).suffix.lower(), "text/plain; charset=utf-8")


def _artifacts(member: Member) -> list[tuple[str, str]]:
    return sorted(member.artifacts.items())[:MOST_ARTIFACTS]


def _artifact_row(watch: Watch, index: int, name: str, blob: str) -> dict[str, Any]:
    if PurePath(name).suffix.lower() in PICTURES:
        return {"index": index, "name": plain(name, 200), "picture": True}
    text = watch.run.blobs.get(blob).decode("utf-8", "replace")
    return {"index": index, "name": plain(name, 200), "picture": False, "text": plain(text)}


def _descriptors(watch: Watch, member: Member) -> list[list[Any]]:
    assert watch.state.config is not None
    names = [plain(descriptor.name, 80) for descriptor in watch.state.config.descriptors]
    return [[name, value] for name, value in zip(names, member.descriptors, strict=False)]


def _reply(watch: Watch, reply: Replied) -> dict[str, Any]:
    return {
        "purpose": plain(reply.purpose, 80),
        "model": plain(reply.model, 120),
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "usd": reply.usd,
        "wall_s": reply.wall_s,
        "attempts": reply.attempts,
        "asked": _asked(watch.run.blobs.get(reply.request)),
        "answers": _answers(watch.run.blobs.get(reply.reply)),
    }


def _asked(encoded: bytes) -> list[list[str]]:
    """A request as (role, text) pairs. An agent's is whatever it is."""
    try:
        request = decode_request(encoded)
    except msgspec.DecodeError:
        return [["request", plain(encoded.decode("utf-8", "replace"))]]
    if request.prompt:
        return [["prompt", plain(request.prompt)]]
    return [[message.role, plain(message.content)] for message in request.messages]


def _answers(encoded: bytes) -> list[list[str]]:
    """A reply as (why it ended, text) pairs."""
    try:
        reply = decode_reply(encoded)
    except msgspec.DecodeError:
        return [["", plain(encoded.decode("utf-8", "replace"))]]
    finish = [*reply.finish, *[""] * (len(reply.texts) - len(reply.finish))]
    return [[plain(why, 40), plain(text)] for why, text in zip(finish, reply.texts, strict=False)]
