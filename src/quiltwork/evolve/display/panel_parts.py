"""What the panel is made of: pure functions from a snapshot to rich renderables. Text is never read as markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quiltwork.evolve.display.gap import GapScale
from quiltwork.evolve.display.snapshot import AskedView, Snapshot
from quiltwork.evolve.display.wording import reason, say_standing, standing
from quiltwork.text.braille import braille_steps
from quiltwork.text.numbers import aligned, amount, duration, number, rate
from quiltwork.text.strangers import one_line

WIDE = 100
"""Columns from which there is room for two things side by side."""

ROOMY = 14
"""Lines left for the curve and the last improvements from which some may stay blank."""

MOST_ARMS = MOST_ISLANDS = 8
MOST_KNOWN = 4
STANDING_STYLE = {"ahead": "bold green", "level": "cyan", "behind": "yellow"}
EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"


class Pace(NamedTuple):
    """How fast a run goes. `left_s` is None while nobody can tell."""

    evaluations_per_s: float = 0.0
    left_s: float | None = None


def frame(view: Snapshot, pace: Pace, *, width: int, height: int) -> RenderableType:
    """Lay a snapshot out in a box of `width` columns and, as far as it goes, `height` lines."""
    inner = max(40, width - 4)
    known = _shown_known(view)
    tables = 2 + max(min(len(view.arms), MOST_ARMS), min(len(view.islands), MOST_ISLANDS), 1)
    rest = max(0, height - 1 - (7 + len(known) + tables))
    air = [Text()] if rest >= ROOMY else []
    curve_rows = min(9, max(3, rest - 3 - 2 * len(air)))
    lines = min(6, max(1, rest - curve_rows - 1 - 2 * len(air)))
    parts: list[RenderableType] = [_budget(view, pace), Text(), _best(view, known), Text()]
    parts += [*_curve(view, inner, curve_rows), *air, _side_by_side(view, inner), *air]
    parts += [_counts(view, pace), *_events(view, lines)]
    running = "" if not view.stop_reason else f" \u00b7 stopped: {one_line(view.stop_reason, 30)}"
    return Box(
        Group(*parts),
        title=Text(f" {one_line(view.problem, max(20, inner - 30))} ", style="bold"),
        title_align="left",
        subtitle=Text(
            one_line(f" quiltwork evolve \u00b7 seed {view.seed}{running}{_heard(view)}", inner - 4) + " ", style="dim"
        ),
        subtitle_align="right",
        border_style="blue",
        box=box.ROUNDED,
        padding=(0, 1),
        width=inner + 4,
    )


def _heard(view: Snapshot) -> str:
    return f" \u00b7 {view.heard}" if view.heard and not view.stop_reason else ""


def progress_line(view: Snapshot, pace: Pace) -> str:
    """Say in one plain line where a run is, for a log file."""
    total, spent = view.budget.total, view.budget.spent
    parts = [f"[{_fraction(view):4.0%}] {amount(spent)} of {amount(total)} {view.budget.unit}"]
    if view.best is None:
        parts.append("no valid program yet")
    else:
        parts.append(f"{view.metric} {number(view.best.value)} at step {view.best.step}")
        if view.known:
            found = standing(view.best.value, view.known[-1].value, maximize=view.maximize)
            parts.append(say_standing(found, view.known[-1].who))
        if view.best.note:
            parts.append(f"{view.best.arm}: {view.best.note}")
    parts.append(
        f"{view.steps} steps, {view.valid} valid, {view.duplicates} duplicates, {rate(pace.evaluations_per_s)}"
    )
    if view.heard and not view.stop_reason:
        parts.append(view.heard)
    return one_line(" | ".join(parts))


def closing_table(view: Snapshot) -> RenderableType:
    """Make the table that a run ends with, and under it what was spent."""
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, show_edge=False, header_style="bold")
    table.add_column(Text(one_line(view.problem, 36)), no_wrap=True)
    table.add_column(Text(f"{one_line(view.metric, 24)} {_arrow(view)}"), justify="right", no_wrap=True)
    table.add_column("this run is")
    values = [known.value for known in view.known] + ([view.best.value] if view.best else [])
    texts = aligned(values)
    for known, text in zip(view.known, texts, strict=False):
        said = Text("no value yet", style="dim")
        if view.best is not None:
            found = standing(view.best.value, known.value, maximize=view.maximize)
            said = Text(say_standing(found), style=STANDING_STYLE[found.word])
        table.add_row(Text(one_line(known.who, 40)), text, said)
    if view.best is not None:
        proof = " \u00b7 certified" if view.best.certified is not None else ""
        where = Text(f"step {view.best.step}, {one_line(view.best.arm, 16)}{proof}")
        table.add_row(Text("this run", style="bold"), Text(texts[-1], style="bold"), where)
        for name, value in (view.best.held_out or {}).items():
            table.add_row(
                Text(f"  held out: {one_line(name, 30)}"), number(value), Text("never seen by selection", style="dim")
            )
    else:
        table.add_row(Text("this run", style="bold"), "\u2013", Text("no valid program", style="red"))
    return Group(Text(), table, Text(), _spent(view))


def _spent(view: Snapshot) -> Text:
    text = Text(style="dim", overflow="fold")
    text.append(f"spent   {duration(view.cpu_s)} of processor, {duration(view.wall_s)} on the clock\n")
    text.append(f"steps   {view.steps:,}: {view.evaluations:,} evaluated, {view.valid:,} valid")
    for verdict, count in _by_count(view):
        text.append(f", {count:,} {one_line(reason(verdict), 20)}")
    if view.asked:
        text.append(f"\nmodels  {_money(view)}")
        for asked in view.asked:
            if asked.steps and not asked.name.startswith(("judge:", "meta:")):
                text.append(f"\n        {one_line(asked.name, 40)}: {_applied(asked)}")
    text.append(f"\nseed    {view.seed}")
    return text


def _money(view: Snapshot) -> str:
    replies = sum(asked.replies for asked in view.asked)
    dollars = f", ${view.usd:,.4f}" if view.usd else ""
    return f"{replies:,} replies, {view.tokens:,} tokens{dollars}"


def _applied(asked: AskedView) -> str:
    repaired = f", {asked.repaired:,} after a repair" if asked.repaired else ""
    return f"{asked.applied:,} of {asked.steps:,} replies made a program ({asked.applied / asked.steps:.0%}{repaired})"


def _arrow(view: Snapshot) -> str:
    return "\u2191" if view.maximize else "\u2193"


def _fraction(view: Snapshot) -> float:
    total, spent = view.budget.total, view.budget.spent
    return min(1.0, max(0.0, spent / total)) if total > 0 and math.isfinite(spent / total) else 0.0


def _budget(view: Snapshot, pace: Pace) -> RenderableType:
    said = Text(f" {_fraction(view):.0%}", style="bold")
    said.append(
        f"  {amount(view.budget.spent)} of {amount(view.budget.total)} {one_line(view.budget.unit, 8)}",
        style="not bold",
    )
    if not view.stop_reason and pace.left_s is not None:
        said.append(f"  about {duration(pace.left_s)} left", style="not bold dim")
    row = Table.grid(expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True, justify="right")
    row.add_row(ProgressBar(total=1.0, completed=_fraction(view), complete_style="blue", finished_style="green"), said)
    return row


def _shown_known(view: Snapshot) -> Sequence[int]:
    """Choose which known values there is room for: the reference and the last ones."""
    count = len(view.known)
    return range(count) if count <= MOST_KNOWN else [0, *range(count - MOST_KNOWN + 1, count)]


def _best(view: Snapshot, known: Sequence[int]) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, max_width=24)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    shown = [view.known[i] for i in known]
    texts = aligned([each.value for each in shown] + ([view.best.value] if view.best is not None else []))
    name = Text(f"{one_line(view.metric, 20)} {_arrow(view)}", style="bold")
    if view.best is None:
        table.add_row(name, Text("\u2013", style="dim"), Text("no valid program yet", style="dim"))
    else:
        what = Text(f"step {view.best.step}", style="default")
        what.append(f"  {one_line(view.best.arm, 12)}  {one_line(view.best.note, 90)}", style="dim")
        table.add_row(name, Text(texts[-1], style="bold green"), what)
    for each, text in zip(shown, texts, strict=False):
        said = Text()
        if view.best is not None:
            found = standing(view.best.value, each.value, maximize=view.maximize)
            said = Text(say_standing(found), style=STANDING_STYLE[found.word])
        table.add_row(Text(one_line(each.who, 24), style="dim"), Text(text), said)
    return table


def _curve(view: Snapshot, inner: int, rows: int) -> list[RenderableType]:
    """Draw best over evaluations on the log-gap scale, with a dotted line and a label where the known values lie."""
    shown = [view.known[i] for i in _shown_known(view)]
    scale = GapScale.over([p.value for p in view.curve] + [k.value for k in shown], maximize=view.maximize)
    labels: dict[int, str] = {}
    for each in shown:
        row = min(rows - 1, max(0, round((1.0 - scale(each.value)) * (rows - 1))))
        labels[row] = f"{labels[row]}, {each.who}" if row in labels else each.who
    room = min(26, max((len(one_line(label, 24)) for label in labels.values()), default=0) + 1)
    width = inner - room
    end = float(max(view.evaluations, 1))
    points = [(float(p.evaluations), scale(p.value)) for p in view.curve]
    lines: list[RenderableType] = []
    for row, letters in enumerate(braille_steps(points, end, width, rows)):
        line = Text(no_wrap=True, overflow="crop")
        for letter in letters:
            empty = letter == "\u2800"
            line.append("\u2508" if empty and row in labels else letter, style="dim cyan" if empty else "green")
        line.append(f" {one_line(labels.get(row, ''), 24)}", style="cyan")
        lines.append(line)
    foot = "0" + f"{view.evaluations:,} evaluations".rjust(width - 1)
    lines.append(Text(foot, style="dim", no_wrap=True, overflow="crop"))
    return lines


def _side_by_side(view: Snapshot, inner: int) -> RenderableType:
    row = Table.grid(expand=True, padding=(0, 2, 0, 0))
    row.add_column(ratio=5)
    row.add_column(ratio=4)
    row.add_row(_arms(view, wide=inner >= WIDE), _islands(view, wide=inner >= WIDE))
    return row


def _bar(fraction: float, width: int) -> str:
    """Draw a bar of up to `width` letters in steps of an eighth of one."""
    eighths = round(min(1.0, max(0.0, fraction if math.isfinite(fraction) else 0.0)) * width * 8)
    full, part = divmod(eighths, 8)
    return ("\u2588" * full + (EIGHTHS[part] if part else "")).ljust(width)


def _heading(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True, overflow="ellipsis")
    return table


def _arms(view: Snapshot, *, wide: bool) -> RenderableType:
    table = _heading(("proposer", ""), ("credit", ""), ("steps", "right"), ("bests", "right"), ("cpu", "right"))
    for arm in view.arms[:MOST_ARMS]:
        credit = Text(_bar(arm.credit, 18 if wide else 6), style="magenta").append(
            f"{arm.credit:4.0%}", style="default"
        )
        steps = f"{arm.steps:,}" + (f" {arm.share:4.0%}" if wide else "")
        cpu = duration(arm.cpu_s) if wide else f"{amount(arm.cpu_s)} s"
        table.add_row(Text(one_line(arm.name, 32 if wide else 20)), credit, steps, f"{arm.gains:,}", cpu)
    if not view.arms:
        table.add_row(Text("none yet", style="dim"))
    return table


def _islands(view: Snapshot, *, wide: bool) -> RenderableType:
    table = _heading(("island", ""), ("elites", "right"), ("best", "right"), ("still", "right"))
    bests = [island.best for island in view.islands if island.best is not None]
    top = (max(bests) if view.maximize else min(bests)) if bests else None
    for island in view.islands[:MOST_ISLANDS]:
        size = f"{island.size}/{island.cells}" if wide and island.cells else f"{island.size}"
        name = f"{island.index + 1}" + (f" \u21ba{island.restarts}" if island.restarts else "")
        best = "\u2013" if island.best is None else number(island.best)
        leads = island.best is not None and island.best == top
        table.add_row(name, size, Text(best, style="green" if leads else "default"), f"{island.stagnant_for:,}")
    if len(view.islands) > MOST_ISLANDS:
        table.add_row(Text(f"and {len(view.islands) - MOST_ISLANDS} more", style="dim"))
    return table


def _by_count(view: Snapshot) -> list[tuple[str, int]]:
    return sorted(view.refusals.items(), key=lambda item: (-item[1], item[0]))


def _counts(view: Snapshot, pace: Pace) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{view.steps:,} steps", style="bold")
    if view.asked or view.waiting:
        text.append(f"  {view.waiting} asked now, {_money(view)}", style="magenta")
    if not view.stop_reason:
        text.append(f"  {rate(pace.evaluations_per_s)}")
    text.append(f"  {view.valid:,} valid", style="green")
    if view.refusals:
        text.append("  refused:", style="dim")
        for verdict, count in _by_count(view):
            text.append(f" {count:,}", style="yellow").append(f" {one_line(reason(verdict), 14)}", style="dim")
    return text


def _events(view: Snapshot, lines: int) -> list[RenderableType]:
    shown = view.events[-lines:][::-1]
    texts = aligned([event.value for event in shown])
    rows: list[RenderableType] = []
    for event, text in zip(shown, texts, strict=True):
        row = Text(no_wrap=True, overflow="ellipsis")
        row.append(f"{event.step:>6} ", style="dim").append(f" {text} ", style="green")
        row.append(f" {one_line(event.arm, 24):8} ", style="magenta").append(one_line(event.note, 120), style="dim")
        rows.append(row)
    return rows
