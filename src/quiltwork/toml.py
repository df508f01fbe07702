"""Reading what people write: a TOML file checked against a pydantic model, with file, line and field of every mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from quiltwork.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


class TomlError(UserError):
    """A TOML file that cannot be used. The text names the file, the line and the field."""


def read_toml(path: Path, model: type[Model], *, guide: str) -> Model:
    """Read a file. `guide` is the page of the documentation that lists its fields. Raises `TomlError`."""
    try:
        text = path.read_text("utf-8")
        written = tomllib.loads(text)
        return model.model_validate(written)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TomlError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise TomlError("\n".join(_describe(path, text, written, dict(e), guide) for e in _causes(error))) from error
    except OSError as error:
        raise TomlError(f"{path}: cannot be read: {error.strerror}") from error


def _causes(error: ValidationError) -> list[Any]:
    """The mistakes without what only follows from them: a table with a wrong field in it also counts as missing."""
    found = error.errors()
    return [
        each
        for each in found
        if not any(len(o["loc"]) > len(each["loc"]) and _within(o["loc"], each["loc"]) for o in found)
    ]


def _within(inner: Sequence[str | int], outer: Sequence[str | int]) -> bool:
    return tuple(inner[: len(outer)]) == tuple(outer)


def _describe(path: Path, text: str, written: Any, error: Mapping[str, Any], guide: str) -> str:
    place, message = as_written(written, error), error["msg"].removeprefix("Value error, ")
    shown = error["input"]
    match error["type"]:
        case "extra_forbidden":
            message = f"unknown field; see {guide} for the fields there are"
        case "union_tag_not_found":
            message = f"Field required; see {guide} for the kinds there are"
        case "union_tag_invalid":
            message = f"Input should be one of {error['ctx']['expected_tags']}"
            shown = error["ctx"]["tag"]
    given = f" (given: {shown!r})" if not isinstance(shown, dict | list | tuple) else ""
    where = ".".join(map(str, place)) or path.stem
    return f"{path}:{line_of(text, place)}: field {where}: {message}{given}"


def as_written(written: Any, error: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The place of a mistake by the names that are in the file.

    Pydantic's own has the kind of a table between the table and the field, and names of types where several would do.
    """
    place: list[str | int] = []
    here = written
    for part in error["loc"]:
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int)):
            place.append(part)
            here = here[part]
    if error["type"] == "missing":
        place.append(error["loc"][-1])
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(place)


def line_of(text: str, location: Sequence[str | int]) -> int:
    """The line, from 1, of a TOML field, or of the nearest table above it that is written down.

    The standard library's parser keeps no positions, hence this look at the headers and keys.
    """
    wanted = [part for part in location if isinstance(part, str)]
    indexes = [part for part in location if isinstance(part, int)]
    best, best_depth = 1, 0
    table: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.]+)\s*\]", line):
            table = header[2].split(".")
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
            here = table
        elif key := re.match(r"\s*([\w.]+)\s*=", line):
            here = [*table, *key[1].split(".")]
        else:
            continue
        index = counts.get(".".join(table))
        right_element = index is None or not indexes or index == indexes[0]
        if right_element and here == wanted[: len(here)] and len(here) > best_depth:
            best, best_depth = number, len(here)
    return best
