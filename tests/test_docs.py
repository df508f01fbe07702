"""What the documentation says can be done, can be done: pages, links, commands and settings exist."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from pydantic import BaseModel
from typer.exceptions import TyperException

from quiltwork.cli.main import DOORS, build
from quiltwork.evolve import config
from quiltwork.evolve.archives import Elite, GridArchive
from quiltwork.evolve.islands import Island
from quiltwork.models.config import ModelConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
READ_IN_THE_REPOSITORY = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "gallery" / "README.md"]
ALL = [*PAGES, *READ_IN_THE_REPOSITORY]
NAMES = [str(page.relative_to(ROOT)) for page in ALL]
EVERY_PAGE = pytest.mark.parametrize("page", ALL, ids=NAMES)

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


# Pages and links


def pages_of(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from pages_of(target)


def test_the_navigation_holds_every_page_once() -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    assert sorted(pages_of(project["nav"])) == [page.name for page in PAGES]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The places that Markdown's own table of contents makes of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?)\s*$", prose(page), re.MULTILINE):
        plain = (
            unicodedata.normalize("NFKD", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading))
            .encode("ascii", "ignore")
            .decode()
        )
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}_{count}"
        found.add(name)
    return found


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, place = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target}: there is no such file"
        assert page.parent != DOCS or file.is_relative_to(DOCS), f"{target}: the site holds docs/ only"
        assert not place or place in anchors(file), f"{target}: there is no such place"


def test_messages_and_comments_of_the_code_name_pages_that_exist() -> None:
    named = {
        (path.relative_to(ROOT), name)
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"docs/[\w-]+\.md", path.read_text())
    }
    assert named
    assert not [(str(path), name) for path, name in named if not (ROOT / name).is_file()]


# Commands


def command_lines(page: Path) -> Iterator[tuple[str, bool]]:
    """Every command line of ours in a page, and whether it is whole: in a sentence, arguments may be left out."""
    text = page.read_text()
    for language, block in FENCE.findall(text):
        if language in ("", "bash", "sh", "console", "text"):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                for part in re.split(r"&&|\|", line):
                    if words := re.match(r"\s*(?:\$ |\.venv/bin/)?(quiltwork .*)", part):
                        yield re.split(r"\s{3,}", words[1])[0], True  # what it does may stand beside it
    for span in re.findall(r"`(quiltwork [^`\n]*)`", FENCE.sub("", text)):
        yield span.replace("[", "").replace("]", "").replace("…", ""), False


def parse(line: str, *, whole: bool) -> None:
    """Let the command line's own parser read it. Raises what it raises; what is not whole may lack values."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(build(words))
    try:
        context = command.make_context("quiltwork", list(words))
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)
    except typer.Exit:  # --help and --version end here
        return
    except TyperException as error:
        if whole or type(error).__name__ not in ("MissingParameter", "BadOptionUsage", "NoArgsIsHelpError"):
            raise


@EVERY_PAGE
def test_command_lines_are_understood(page: Path) -> None:
    for line, whole in command_lines(page):
        try:
            parse(line, whole=whole)
        except TyperException as error:
            pytest.fail(f"{line}: {error}")


@pytest.mark.parametrize(
    "line",
    [
        "quiltwork evolve walk DIR",
        "quiltwork evolve run DIR --bugdet 3evals",
        "quiltwork evolve run DIR --seed x",
        "quiltwork evolve run",
    ],
)
def test_a_command_line_that_is_not_understood_is_found(line: str) -> None:
    with pytest.raises(TyperException):
        parse(line, whole=True)


def test_every_command_of_evolve_is_in_its_reference() -> None:
    shown = {tuple(shlex.split(line)[1:3]) for line, _ in command_lines(DOCS / "evolve.md")}
    command: Any = typer.main.get_command(build(["evolve"]))
    assert {words[1] for words in shown if words[0] == "evolve"} == set(command.commands["evolve"].commands)
    assert {words[0] for words in shown} <= set(DOORS)


@EVERY_PAGE
def test_scripts_that_are_shown_exist(page: Path) -> None:
    for script in re.findall(r"\bpython ((?:benchmarks|docs|gallery)/[\w/.-]+\.py)", page.read_text()):
        assert (ROOT / script).is_file(), script


# Settings

TABLES: dict[str, type[BaseModel]] = {
    "": config.ProblemConfig,
    "metrics": config.Metric,
    "descriptors": config.Descriptor,
    "stages": config.Stage,
    "program": config.ProgramConfig,
    "limits": config.CandidateLimits,
    "construction": config.Construction,
    "archive": config.ArchiveConfig,
    "search": config.SearchConfig,
    "novelty": config.NoveltyConfig,
    "llm": config.LlmConfig,
    "llm.judges": config.Judge,
    "agents": config.AgentConfig,
    "models": ModelConfig,
    "known": config.KnownValue,
}
"""The tables of TOML that users write. `search` and its like are told by the tables that describe them."""


def settings() -> Iterator[tuple[str, str, str, str]]:
    """(page, table of TOML, field, default as it is written) of every row of a table of settings.

    Such a table's head begins with `field` and `default`, and the last `[name]` before it says what it describes; one that
    begins with `top level` is about what stands in no table.
    """
    for page in PAGES:
        table, described = "", None
        for line in page.read_text().splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if named := re.findall(r"(?:^|`)\[{1,2}([a-z.]+)\]{1,2}(?:$|`| *#)", line):
                table = named[-1] if not cells else table
            if cells[:2] in (["field", "default"], ["top level", "default"]):
                described = "" if cells[0] == "top level" else table
            elif not cells:
                described = None
            elif described is not None and not set(cells[0]) <= set("-: "):
                for field in re.findall(r"`([a-z_]+)`", cells[0]):
                    yield page.name, described, field, cells[1]


def test_every_setting_is_described_and_none_that_does_not_exist() -> None:
    told: dict[str, set[str]] = {name: set() for name in TABLES}
    for page, table, field, _ in settings():
        assert table in TABLES, f"{page}: [{table}]"
        assert field in TABLES[table].model_fields, f"{page}: [{table}] {field}"
        told[table].add(field)
    assert {
        name: sorted(set(model.model_fields) - told[name])
        for name, model in TABLES.items()
        if set(model.model_fields) - told[name]
    } == {}


def test_defaults_are_as_they_are_described() -> None:
    compared = 0
    for page, table, field, cell in settings():
        literal = re.fullmatch(r"`(.+)`", cell)
        if literal is None:
            continue
        said = tomllib.loads(f"value = {literal[1]}")["value"]
        default = json.loads(json.dumps(TABLES[table].model_fields[field].default))
        assert said == default, f"{page}: [{table}] {field} is {default!r}, not {cell}"
        compared += 1
    assert compared > 30


# Pictures


def module_of_the_docs(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_pictures_are_what_the_facts_and_the_code_give() -> None:
    facts = json.loads((DOCS / "images" / "selection.json").read_text())
    for name, picture in module_of_the_docs("selection_pictures").draw_all(facts).items():
        assert (DOCS / "images" / name).read_text() == picture, f"{name}: python docs/make_pictures.py selection"


@pytest.mark.parametrize("greed", [0.0, 1.0, 2.0, 4.0])
def test_the_picture_of_parents_agrees_with_how_they_are_drawn(greed: float) -> None:
    island = Island(GridArchive([(0.0, 100.0, 100)]))
    for place in range(100):
        island.offer(Elite(place, (-float(place),), (place + 0.5,)), now=0)
    drawn = island.draw(np.random.default_rng(1), 20_000, greed=greed)
    counts = np.bincount([elite.step // 10 for elite in drawn], minlength=10) / len(drawn)
    share = module_of_the_docs("selection_pictures").share_of_tenth
    assert counts == pytest.approx([share(tenth, greed) for tenth in range(10)], abs=0.015)


# The built site


def test_a_page_that_asks_another_host_or_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text('<h1 id="here">x</h1>')
    (tmp_path / "style.css").write_text("@font-face { src: url('//fonts.example/x.woff2') }")
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="https://cdn.example/x.css"><script src="//cdn.example/x.js"></script>'
        '<a href="https://example.com">fine</a><a href="other.html#here">fine</a>'
        '<a href="other.html#there">no such place</a><a href="gone.html">gone</a>'
    )
    found = "\n".join(module_of_the_docs("check_site").faults(tmp_path))
    assert found.count("from another host") == 3
    assert "other.html#there" in found
    assert "gone.html" in found
    assert len(found.splitlines()) == 5
