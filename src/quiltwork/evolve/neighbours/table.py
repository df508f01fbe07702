"""What became of every key of a neighbour's configuration: honoured as what, or not honoured because of what."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Known(NamedTuple):
    """A key that the neighbour knows: whether we honour it, and as what; or why not."""

    honoured: bool
    how: str


Keys = Mapping[str, Known]


@dataclass(frozen=True, slots=True)
class Row:
    """One key that a user wrote, with its value as short text, and what became of it."""

    key: str
    value: str
    honoured: bool
    how: str

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {"key": self.key, "value": self.value, "honoured": self.honoured, "how": self.how}


SECRET = ("api_key",)
"""Last parts of keys whose values are never shown or kept, unless they only name an environment variable."""


def rows(config: Mapping[str, Any], keys: Keys) -> list[Row]:
    """A row for every key in `config`, nested tables and lists of tables as dotted keys, in the order that it has them."""
    found: dict[str, Row] = {}
    for key, value in _leaves(config, keys, ""):
        known = keys.get(key) or Known(False, _unknown(key, keys))
        earlier = found.get(key)
        shown = _shown(key, value)
        text = shown if earlier is None or earlier.value == shown else f"{earlier.value}, {shown}"
        found[key] = Row(key, text, known.honoured, known.how)
    return list(found.values())


def _leaves(value: Any, keys: Keys, path: str) -> Iterator[tuple[str, Any]]:
    inner = path == "" or any(key.startswith(f"{path}.") for key in keys)
    if isinstance(value, Mapping) and inner:
        for name, each in value.items():
            yield from _leaves(each, keys, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and inner and path not in keys and any(isinstance(each, Mapping) for each in value):
        for each in value:
            yield from _leaves(each, keys, path)
    else:
        yield path, value


def _unknown(key: str, keys: Keys) -> str:
    """Say that nobody knows the key, and which one may have been meant: of the same table, or of another."""
    by_last = {name.rpartition(".")[2]: name for name in keys}
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.75)
    near = near or [by_last[last] for last in difflib.get_close_matches(key.rpartition(".")[2], by_last, n=1)]
    return f"unknown key; is it {near[0]}?" if near else "unknown key"


def _shown(key: str, value: Any) -> str:
    if key.rpartition(".")[2] in SECRET and not re.fullmatch(r"\$\{\w+\}", str(value)):
        return "(a key)"
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:37] + "..."


def as_text(found: list[Row], *, width: int = 34) -> str:
    """The table for people: key, value, and what became of it."""
    lines = []
    for row in found:
        said = row.how if row.honoured else f"NOT HONOURED: {row.how}"
        lines.append(f"  {row.key:{width}} {row.value:22} {said}")
    return "\n".join(lines)


class Reader:
    """A configuration that is read by dotted keys, and that remembers which ones were asked for."""

    def __init__(self, config: Mapping[str, Any], asked: set[str] | None = None, prefix: str = "") -> None:
        self._config = config
        self._prefix = prefix
        self.asked = asked if asked is not None else set()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default where it is absent or null."""
        self.asked.add(self._prefix + key)
        value: Any = self._config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return default if value is None else value

    def number(self, key: str, default: float) -> float:
        """The value as a number. Raises ValueError that names the key."""
        value = self.get(key, default)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self._prefix}{key} must be a number, not {value!r}") from None

    def inside(self, key: str) -> list[Reader]:
        """A reader for each table of a list of tables, or for the one table."""
        found = self.get(key, [])
        self.asked.discard(self._prefix + key)
        tables = found if isinstance(found, list) else [found]
        return [Reader(each, self.asked, f"{self._prefix}{key}.") for each in tables if isinstance(each, Mapping)]
