"""From a run's data to the page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from quiltwork.evolve.display.snapshot import Snapshot
from quiltwork.evolve.display.wording import reason, say_standing, standing
from quiltwork.evolve.report.data import Artifact, ProgramView, ReportData
from quiltwork.evolve.report.diffs import DiffLine, changed, diff
from quiltwork.evolve.report.maps import archive_maps
from quiltwork.evolve.report.svg import Dot, best_curve, shares_over_time
from quiltwork.text.markup import tag
from quiltwork.text.numbers import aligned, amount, duration, number, small
from quiltwork.text.strangers import plain

if TYPE_CHECKING:
    from jinja2 import Environment

MANY = 2_000
"""Programs up to which each can be opened; of more, only elites, bests and ancestors of the best can."""

MOST_ROWS = 20_000
"""Programs listed at all: a browser is slow with more. The refused and worse ones of the middle are left out first."""

MOST_GENERATIONS = 300
FINE_PATCHES, MOST_PATCHES = 1_000, 4_000
"""Steps up to which the quilt has patches of full size, and up to which it is drawn at all."""

SOURCE_BUDGET = 8 * 2**20
"""Letters of source in the whole page; what is left out says so."""

ARTIFACT_BUDGET = 8 * 2**20
MOST_ARTIFACT_BYTES = 512 * 2**10
PICTURES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """An artifact as the page shows it: a picture's address with its bytes in it, or a text."""

    name: str
    picture: str = ""
    text: str = ""


@dataclass(slots=True)
class Row:
    """A program in the table, with what opens under it."""

    view: ProgramView
    value: str
    colour: int
    kinds: list[str]
    changes: list[DiffLine] = field(default_factory=list)
    source: dict[str, str] = field(default_factory=dict)
    artifacts: list[ArtifactRow] = field(default_factory=list)
    rank: int = 0
    opens: bool = False

    @property
    def changed(self) -> tuple[int, int]:
        """Lines added and taken away."""
        return changed(self.changes)


@dataclass(frozen=True, slots=True)
class Generation:
    """An ancestor of the best program (or itself), with what it changed in its parent. `gain` is empty for no gain."""

    row: Row
    gain: str
    better: bool


@dataclass(slots=True)
class Allowance:
    """What may still go into the page."""

    left: int
    refused: int = 0

    def take(self, size: int) -> bool:
        """Say whether there is room, and use it up."""
        if size > self.left:
            self.refused += 1
            return False
        self.left -= size
        return True


def write_report(data: ReportData, path: Path) -> None:
    """Write the page whole or not at all."""
    text = render(data)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def render(data: ReportData) -> str:
    """Make the page: one HTML file, which loads nothing."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("report.html.j2")
    ours = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - these two files are part of the package
    return page.render(data=data, view=data.snapshot, policy=policy, **ours, **_context(data))


def _context(data: ReportData) -> dict[str, Any]:
    view = data.snapshot
    colours = {name: index % 8 for index, name in enumerate(sorted({p.arm for p in data.programs} - {"seed"}), start=1)}
    colours["seed"] = 0
    by_step = {program.step: program for program in data.programs}
    line = list(lineage(by_step, view.best.step if view.best is not None else None))
    sources, pictures = Allowance(SOURCE_BUDGET), Allowance(ARTIFACT_BUDGET)
    rows = _rows(data, by_step, line, colours, sources, pictures)
    return {
        "standings": _standings(view),
        "charts": _charts(data, colours),
        "credit": _credit(data, colours),
        "colours": colours,
        "maps": archive_maps(data.archive, maximize=view.maximize, best=view.best.step if view.best else None)
        if data.archive is not None
        else [],
        "generations": _generations(view, rows, by_step, line),
        "generations_left_out": max(0, len(line) - MOST_GENERATIONS),
        "rows": list(rows.values()),
        "rows_left_out": len(data.programs) - len(rows),
        "many": len(data.programs) > MANY,
        "sources_left_out": sources.refused,
        "artifacts_left_out": pictures.refused + data.artifacts_left_out,
        "patches": list(rows.values()) if len(rows) <= MOST_PATCHES else [],
        "fine": len(rows) > FINE_PATCHES,
        "refusals": [
            (reason(verdict), count)
            for verdict, count in sorted(view.refusals.items(), key=lambda item: (-item[1], item[0]))
        ],
        "hero": _hero(view, rows),
        "quilt": quilt(data.digest),
        "digest_short": data.digest[:8],
    }


def _hero(view: Snapshot, rows: dict[int, Row]) -> ArtifactRow | None:
    """Choose the picture of the best program that stands at the top, if it has one."""
    row = rows.get(view.best.step) if view.best is not None else None
    return next((each for each in row.artifacts if each.picture), None) if row is not None else None


def lineage(by_step: dict[int, ProgramView], step: int | None) -> Iterator[int]:
    """Walk from a step to its first parent, and so on to the program that the run started from."""
    seen: set[int] = set()
    while step is not None and step in by_step and step not in seen:
        seen.add(step)
        yield step
        parents = by_step[step].parents
        step = parents[0] if parents else None


def _standings(view: Snapshot) -> list[tuple[str, str, str, str, str]]:
    """Compare the run with each known value: (who, value, source, word, in words)."""
    texts = aligned([known.value for known in view.known] + ([view.best.value] if view.best is not None else []))
    found = []
    for known, text in zip(view.known, texts, strict=False):
        if view.best is None:
            found.append((known.who, text, known.source, "none", "no value yet"))
            continue
        stands = standing(view.best.value, known.value, maximize=view.maximize)
        found.append((known.who, text, known.source, stands.word, say_standing(stands)))
    return found


def _charts(data: ReportData, colours: dict[str, int]) -> list[tuple[str, Markup]]:
    view = data.snapshot
    scored = [(program, program.metrics[view.metric]) for program in data.programs if view.metric in program.metrics]

    def dots(across: Sequence[float]) -> list[Dot]:
        return [
            Dot(x, value, p.step, colours[p.arm], f"step {p.step}, {p.arm}: {number(value)}")
            for x, (p, value) in zip(across, scored, strict=True)
        ]

    by_count = best_curve(
        [(float(p.evaluations), p) for p in view.curve],
        float(view.evaluations),
        view.known,
        dots([float(p.evaluations) for p, _ in scored]),
        maximize=view.maximize,
        unit="evaluations",
    )
    by_time = best_curve(
        [(p.cpu_s, p) for p in view.curve],
        view.cpu_s,
        view.known,
        dots([p.spent_cpu_s for p, _ in scored]),
        maximize=view.maximize,
        unit="CPU s",
    )
    return [("over evaluations", by_count), ("over processor time", by_time)]


def _credit(data: ReportData, colours: dict[str, int]) -> Markup | None:
    names = sorted({name for point in data.credits for name in point.credit})
    points = [(float(p.steps), [p.credit.get(name, 0.0) for name in names]) for p in data.credits]
    if len(points) < 2 or not names:
        return None
    return shares_over_time(points, [colours.get(name, 0) for name in names], unit="steps")


def _rows(
    data: ReportData,
    by_step: dict[int, ProgramView],
    line: Sequence[int],
    colours: dict[str, int],
    sources: Allowance,
    pictures: Allowance,
) -> dict[int, Row]:
    """Make the table's rows; what opens is filled in for those that matter first, as long as there is room."""
    view = data.snapshot
    islands = data.archive.islands if data.archive is not None else ()
    elites = {elite.step for island in islands for elite in island.elites} & set(by_step)
    bests = set(data.improved) & set(by_step)
    kinds = {
        "best": {line[0]} if line else set(),
        "ancestor": set(line),
        "improvement": bests,
        "elite": elites,
    }
    matter = {0} | elites | bests | set(line)
    listed = _listed(data.programs, matter)
    rows: dict[int, Row] = {}
    for program in listed:
        value = number(program.metrics[view.metric]) if view.metric in program.metrics else ""
        marks = [kind for kind, steps in kinds.items() if program.step in steps]
        marks.append("valid" if program.verdict == "ok" else "refused")
        rows[program.step] = Row(program, value, colours[program.arm], marks)
    for rank, row in enumerate(sorted(rows.values(), key=lambda row: _worse(row, view)), start=1):
        row.rank = rank
    order = [*line, *sorted(bests - set(line)), *sorted(elites - bests - set(line))]
    order += [step for step in rows if step not in matter] if len(data.programs) <= MANY else []
    for step in dict.fromkeys([*order, 0]):
        if step in rows:
            _fill(rows[step], by_step, sources, pictures)
    return rows


def _worse(row: Row, view: Snapshot) -> tuple[bool, float, int]:
    """Sort the best first, the refused last."""
    value = row.view.metrics.get(view.metric)
    if value is None:
        return True, 0.0, row.view.step
    return False, -value if view.maximize else value, row.view.step


def _listed(programs: Sequence[ProgramView], matter: set[int]) -> list[ProgramView]:
    if len(programs) <= MOST_ROWS:
        return list(programs)
    room = max(0, MOST_ROWS - sum(program.step in matter for program in programs))
    others = [program.step for program in programs if program.step not in matter]
    kept = matter | {*others[: room // 2], *others[len(others) - (room - room // 2) :]}
    return [program for program in programs if program.step in kept]


def _fill(row: Row, by_step: dict[int, ProgramView], sources: Allowance, pictures: Allowance) -> None:
    program = row.view
    row.opens = True
    parent = by_step.get(program.parents[0]) if program.parents else None
    if program.files is not None:
        if parent is not None and parent.files is not None:
            changes = diff(parent.files, program.files)
            row.changes = changes if sources.take(sum(len(each.text) for each in changes)) else []
        files = {path: plain(text) for path, text in program.files.items()}
        if sources.take(sum(map(len, files.values()))):
            row.source = files
    row.artifacts = [shown for artifact in program.artifacts if (shown := _artifact(artifact, pictures)) is not None]


def _artifact(artifact: Artifact, allowance: Allowance) -> ArtifactRow | None:
    if len(artifact.data) > MOST_ARTIFACT_BYTES or not allowance.take(len(artifact.data)):
        allowance.refused += len(artifact.data) > MOST_ARTIFACT_BYTES
        return None
    media = PICTURES.get(Path(artifact.name).suffix.lower())
    if media is None:
        return ArtifactRow(artifact.name, text=artifact.data.decode("utf-8", "replace"))
    return ArtifactRow(artifact.name, picture=f"data:{media};base64,{base64.b64encode(artifact.data).decode()}")


def _generations(
    view: Snapshot, rows: dict[int, Row], by_step: dict[int, ProgramView], line: Sequence[int]
) -> list[Generation]:
    """Tell the story of the best program, newest first."""
    found = []
    for step in line[:MOST_GENERATIONS]:
        parents = by_step[step].parents
        here = by_step[step].metrics.get(view.metric)
        there = by_step[parents[0]].metrics.get(view.metric) if parents and parents[0] in by_step else None
        if here is None or there is None:
            found.append(Generation(rows[step], "", better=False))
            continue
        stands = standing(here, there, maximize=view.maximize)
        sign = "+" if stands.difference > 0 else "\u2212"
        gain = "" if here == there else f"{sign}{small(abs(stands.difference))}"
        found.append(Generation(rows[step], gain, better=stands.difference > 0))
    return found


def quilt(digest: str) -> Markup | None:
    """Draw a run's own quilt, 4 x 4 patches out of its digest: equal histories have equal quilts."""
    try:
        seed = bytes.fromhex(digest)
    except ValueError:
        return None
    if len(seed) < 16:
        return None
    patches = []
    for place, byte in enumerate(seed[:16]):
        x, y = 10 * (place % 4), 10 * (place // 4)
        corners = [(x, y), (x + 10, y), (x + 10, y + 10), (x, y + 10)]
        turn = (byte >> 6) % 4
        half = " ".join(f"{a},{b}" for a, b in [corners[(turn + i) % 4] for i in range(3)])
        patches.append(tag("rect", x=x, y=y, width=10, height=10, class_=f"c{byte % 8}"))
        patches.append(tag("polygon", points=half, class_=f"c{(byte >> 3) % 8}"))
    label = "the run's quilt: equal histories have equal quilts"
    return tag("svg", tag("title", label), *patches, viewBox="0 0 40 40", class_="quilt", role="img")


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(number=number, amount=amount, duration=duration)
    return environment
