"""Recorded replies, by request: a run that can be replayed offline, bit for bit.

A cassette is a text file of one JSON value per line, `{"request": ..., "reply": ...}`, in the order of recording. A reply
belongs to its request for ever: the same request with another reply makes a file that is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from quiltwork.errors import UserError
from quiltwork.models import prices
from quiltwork.models.base import Bound, ModelError, Models, ModelUnavailable, Reply, Request
from quiltwork.models.config import ModelConfig


class CassetteError(UserError):
    """A cassette that cannot be read or written. The text names the file and the line."""


class _Pair(msgspec.Struct):
    request: Request
    reply: Reply


class Cassette:
    """Replies by the id of their request. `note` says what was dropped from the file, if anything was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""
        self._pairs: dict[str, _Pair] = {}

    @classmethod
    def load(cls, path: Path) -> Cassette:
        """Read a file. Raises `CassetteError`, except for a last line that a killed process left torn: see `note`."""
        cassette, _ = _load(path)
        return cassette

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[Request, Reply]]:
        return ((pair.request, pair.reply) for pair in self._pairs.values())

    def get(self, request: Request) -> Reply | None:
        """The reply to a request, if there is one."""
        pair = self._pairs.get(request.id)
        return pair.reply if pair else None

    def missing(self, request: Request) -> str:
        """Say why there is no reply: what the nearest recorded request to the same model has otherwise."""
        asked = msgspec.to_builtins(request)
        differences = [
            sorted(_differences(asked, msgspec.to_builtins(pair.request)))
            for pair in self._pairs.values()
            if pair.request.model == request.model
        ]
        if not differences:
            heard_of = sorted({pair.request.model for pair in self._pairs.values()})
            return f"{self.path}: no recorded reply of the model {request.model!r}, only of: {', '.join(heard_of) or 'none'}"
        nearest = min(differences, key=len)
        return (
            f"{self.path}: no recorded reply to this request to the model {request.model!r}; "
            f"the nearest recorded one differs in {', '.join(nearest)}"
        )

    def _add(self, pair: _Pair) -> bool:
        """Keep a pair; false where its request already has another reply."""
        return self._pairs.setdefault(pair.request.id, pair).reply == pair.reply


def save(path: Path, pairs: Iterable[tuple[Request, Reply]]) -> int:
    """Write a cassette, replacing the file at once; gives the number of replies."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            for count, (request, reply) in enumerate(pairs, start=1):  # noqa: B007  (counted for the caller)
                file.write(_line(request, reply))
        unfinished.replace(path)
    except OSError as error:
        raise CassetteError(f"{path}: cannot be written: {error.strerror}") from error
    return count


class CassetteModels:
    """The models of a recorded run: they answer from a cassette, and what is not in it is an error."""

    def __init__(self, cassette: Cassette, configs: Iterable[ModelConfig]) -> None:
        self._cassette = cassette
        self._configs = {config.name: config for config in configs}

    async def ask(self, request: Request) -> Reply:
        """Give the recorded reply. Raises `ModelUnavailable` where there is none."""
        reply = self._cassette.get(request)
        if reply is None:
            raise ModelUnavailable(self._cassette.missing(request))
        return reply

    def bound(self, request: Request) -> Bound:
        """What to reserve, as when the cassette was recorded."""
        if request.model not in self._configs:
            raise ModelError(
                f"there is no model {request.model!r} here; there are: {', '.join(self._configs) or 'none'}"
            )
        return prices.bound(self._configs[request.model], request)

    async def close(self) -> None:
        """Nothing was opened."""


class Recorder:
    """Models whose replies are written through to a file, each as soon as it comes. What the file has is not asked again."""

    def __init__(self, models: Models, path: Path) -> None:
        self._models = models
        self._path = path
        self._cassette, whole = _load(path) if path.exists() else (Cassette(path), 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._file.truncate(whole)
        except OSError as error:
            raise CassetteError(f"{path}: cannot be written: {error.strerror}") from error

    async def ask(self, request: Request) -> Reply:
        """Answer, and record the answer before it is given."""
        if known := self._cassette.get(request):
            return known
        reply = await self._models.ask(request)
        if known := self._cassette.get(request):
            return known  # the same was asked twice at once: the first reply is the one
        self._cassette._add(_Pair(request, reply))
        self._file.write(_line(request, reply))
        self._file.flush()
        return reply

    def bound(self, request: Request) -> Bound:
        """What to reserve."""
        return self._models.bound(request)

    async def close(self) -> None:
        """Close the file and the models behind."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()
        await self._models.close()


def _line(request: Request, reply: Reply) -> bytes:
    return b'{"request":' + request.encode() + b',"reply":' + reply.encode() + b"}\n"


def _load(path: Path) -> tuple[Cassette, int]:
    """Read a file; gives also how many of its bytes are whole lines."""
    cassette = Cassette(path)
    whole = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    cassette.note = f"{path}:{number}: the last line is torn and was dropped"
                    break
                _read_line(cassette, path, number, line)
                whole += len(line)
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror}") from error
    return cassette, whole


def _read_line(cassette: Cassette, path: Path, number: int, line: bytes) -> None:
    if not line.strip():
        return
    try:
        pair = msgspec.json.decode(line, type=_Pair)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CassetteError(f"{path}:{number}: not a recorded reply: {error}") from error
    if not cassette._add(pair):
        raise CassetteError(f"{path}:{number}: this request has another reply further up; delete one of the two lines")


def _differences(asked: Any, recorded: Any, where: str = "") -> Iterator[str]:
    """The places in which two plain values differ, such as `seed` or `messages.1.content`."""
    if isinstance(asked, dict) and isinstance(recorded, dict):
        for key in asked.keys() | recorded.keys():
            yield from _differences(asked.get(key), recorded.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(asked, list | tuple) and isinstance(recorded, list | tuple) and len(asked) == len(recorded):
        for index, (one, other) in enumerate(zip(asked, recorded, strict=True)):
            yield from _differences(one, other, f"{where}.{index}")
    elif asked != recorded:
        yield where
