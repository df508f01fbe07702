"""What the panel is made of: pure functions from a moment of a run to rich renderables. Text is never read as markup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quiltwork.pretrain.views import RunView
from quiltwork.pretrain.views.snapshot import MemberView
from quiltwork.pretrain.views.wording import counted, listed, rounds, units
from quiltwork.text.braille import braille_steps
from quiltwork.text.numbers import amount, duration, number, rate, size
from quiltwork.text.strangers import one_line

NARROWEST = 40
WIDE = 100
"""Columns from which there is room for what is nice to know."""

WIDEST = 110
"""A curve and a bar of a status are no wider than this."""

FRAME_LINES = 2 + 3 + 1 + 1 + 2
"""The box; steps, round and loss; the curve's foot; the heads of the members; audits and agreement."""

MOST_CURVE_ROWS, FEWEST_CURVE_ROWS = 8, 3
MOST_MEMBER_ROWS = 16
MOST_EVENT_ROWS = 8
LOSS_DIGITS = 5

STYLES = {
    "healthy": "green",
    "joining": "cyan",
    "dropped": "yellow",
    "withdrawn": "dim",
    "ejected": "bold red",
    "late": "yellow",
    "trains": "green",
    "witness": "green",
    "committed": "blue",
    "attested": "blue",
    "watched": "yellow",
    "suspended": "yellow",
}
EVENT_STYLES = {
    "joined": "cyan",
    "restarted": "cyan",
    "ready": "green",
    "dropped": "yellow",
    "lost": "yellow",
    "diverged": "yellow",
    "waits": "yellow",
    "audit-failed": "red",
    "audit-refused": "yellow",
    "ejected": "bold red",
    "finished": "bold green",
}


def frame(view: RunView, *, width: int, height: int) -> RenderableType:
    """Lay a run out in a box of `width` columns and, as far as it goes, `height` lines."""
    inner = max(NARROWEST, width - 4)
    rest = max(0, height - 1 - FRAME_LINES)
    members = min(len(view.members), MOST_MEMBER_ROWS, max(4, rest // 3))
    hidden = len(view.members) + view.left_out > members or not view.members
    rest -= members + hidden
    curve = min(MOST_CURVE_ROWS, max(FEWEST_CURVE_ROWS, rest // 2))
    lines = min(MOST_EVENT_ROWS, max(1, rest - curve))
    parts: list[RenderableType] = [steps(view), doing(view), loss(view), *loss_curve(view, inner, curve)]
    parts += [member_table(view, members, wide=inner >= WIDE), audits(view), agreement(view), *events(view, lines)]
    return Box(
        Group(*parts),
        title=Text(f" {view.run_id or 'a run'} ", style="bold"),
        title_align="left",
        subtitle=Text(one_line(f" quiltwork pretrain{_what(view)}", inner - 4) + " ", style="dim"),
        subtitle_align="right",
        border_style="blue",
        box=box.ROUNDED,
        padding=(0, 1),
        width=inner + 4,
    )


def status(view: RunView, *, width: int) -> RenderableType:
    """Lay out all that is known of a run, as long as it takes."""
    inner = min(max(NARROWEST, width), WIDEST)
    head = Text(f"{view.run_id or 'a run'}{_what(view)}", style="bold")
    parts: list[RenderableType] = [head, Constrain(steps(view), inner), doing(view), loss(view)]
    if view.curve:
        parts += loss_curve(view, inner, FEWEST_CURVE_ROWS + 2)
    parts += [member_table(view, len(view.members), wide=inner >= WIDE), audits(view), agreement(view)]
    parts += events(view, len(view.events))
    if view.issue_count:
        parts.append(
            Text(f"{counted(view.issue_count, 'entry').replace('entrys', 'entries')} did not fit:", style="yellow")
        )
        parts += [Text(f"  #{seq} {why}", style="dim") for seq, why in view.issues]
    return Group(*parts)


def steps(view: RunView) -> RenderableType:
    """Draw how much of the run is done."""
    said = Text(f" {view.done:.0%}", style="bold")
    said.append(f"  step {view.step:,} of {view.total_steps:,}", style="not bold")
    if view.seconds_left is not None:
        said.append(f"  about {duration(view.seconds_left)} left", style="not bold dim")
    row = Table.grid(expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True, justify="right")
    row.add_row(ProgressBar(total=1.0, completed=view.done, complete_style="blue", finished_style="green"), said)
    return row


def doing(view: RunView) -> Text:
    """Say what the run does now, how far the round is, and for whom it waits."""
    text = _line().append(view.words, style="bold")
    now = view.round
    if now is not None:
        if now.phase == "RoundTrain":
            text.append(f"  {now.done} of {units(now.units)}, {now.committed} of {counted(now.asked, 'member')}")
        else:
            text.append(f"  {now.attested} of {now.witnesses} have attested")
        text.append(f"  {duration(now.seconds)}", style="dim")
        waits = [f"{name} (late)" if name in now.late else name for name in now.awaited]
        if waits:
            text.append(f"  waits for {listed(waits)}", style="yellow" if now.late else "dim")
    return text


def loss(view: RunView) -> Text:
    """Say where the loss is, and what was spent on it."""
    text = _line()
    if view.loss is None:
        text.append("no loss yet", style="dim")
    else:
        text.append(f"loss {number(view.loss, LOSS_DIGITS)}", style="bold green").append(" nats per token")
        if view.first_loss is not None:
            text.append(f", {number(view.first_loss, LOSS_DIGITS)} at first", style="dim")
    text.append(f"  {view.tokens:,} tokens")
    if view.seconds_per_round:
        text.append(f"  {duration(view.seconds_per_round)} a round", style="dim")
    if view.payload is not None:
        text.append(f"  {size(view.payload)} a payload")
    if view.saving is not None:
        text.append(f", {times(view.saving)} less than dense fp32", style="dim")
    return text


def loss_curve(view: RunView, inner: int, rows: int) -> list[RenderableType]:
    """Draw the loss over the rounds, with the highest and the lowest beside it."""
    values = [value for _, value in view.curve]
    high, low = max(values, default=0.0), min(values, default=0.0)
    labels = {0: number(high, LOSS_DIGITS), rows - 1: number(low, LOSS_DIGITS)} if values else {}
    room = max((len(label) for label in labels.values()), default=0) + 1
    width = max(10, inner - room)
    end = float(max(view.last, 1))
    spread = (high - low) or 1.0
    points = [(float(round), (value - low) / spread) for round, value in view.curve]
    lines: list[RenderableType] = []
    for row, letters in enumerate(braille_steps(points, end, width, rows)):
        lines.append(_line().append(letters, style="green").append(f" {labels.get(row, '')}", style="cyan"))
    lines.append(_line().append("0" + rounds(view.last).rjust(width - 1), style="dim"))
    return lines


def member_table(view: RunView, rows: int, *, wide: bool) -> RenderableType:
    """Draw who takes part, and what everybody did."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for name, right in (("member", 0), ("now", 0), ("units", 0), ("speed", 1), ("sent", 1), ("lost", 1), ("audits", 1)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for name in ("late", "key", "device") if wide else ():
        table.add_column(name, justify="right" if name == "late" else "left", no_wrap=True, overflow="ellipsis")
    most = max((member.units for member in view.members), default=0)
    for member in view.members[:rows]:
        table.add_row(*_member(member, most, wide=wide))
    hidden = len(view.members) - rows + view.left_out
    if not view.members:
        table.add_row(Text("nobody yet", style="dim"))
    elif hidden > 0:
        table.add_row(Text(f"and {hidden:,} more", style="dim"))
    return table


def _member(member: MemberView, most: int, *, wide: bool) -> list[RenderableType]:
    here = member.health == "healthy"
    now = (member.doing or "rests") if here else member.health
    style = STYLES.get(now, "default") if here else STYLES[member.health]
    if here and member.sanction != "none":
        now, style = f"{now}, {member.sanction}", STYLES.get(member.sanction, style)
    done = Text(_bar(member.units / most if most else 0.0, 16 if wide else 8), style="magenta")
    done.append(f" {member.units:,}", style="default")
    if member.forfeited:
        done.append(f" forfeited {member.forfeited:,}", style="red")
    audited = f"{member.passed}" + (f" of {member.passed + member.failed}" if member.failed else "")
    row: list[RenderableType] = [
        Text(member.label, style="default" if here else "dim"),
        Text(now, style=style),
        done,
        rate(member.speed) if member.speed else "",
        size(member.sent),
        f"{member.lost_units:,}" if member.lost_units else "",
        Text(audited if member.passed + member.failed else "", style="red" if member.failed else "default"),
    ]
    if wide:
        row += [f"{member.late:,}" if member.late else "", member.key[:8], Text(f"{member.device} {member.dtype}")]
    return row


def audits(view: RunView) -> Text:
    """Say how many audits ended how, and what was lost on the way."""
    text = _line().append("audits ", style="dim")
    if not view.outcomes and not view.open_audits:
        text.append("none yet", style="dim")
    text.append(", ".join(f"{count:,} {outcome}" for outcome, count in sorted(view.outcomes.items())))
    if view.open_audits:
        text.append(f"{', ' if view.outcomes else ''}{view.open_audits} open", style="cyan")
    if view.lost_units:
        text.append(f"  {units(view.lost_units)} went back to others", style="yellow")
    if view.barren_rounds:
        text.append(f"  {rounds(view.barren_rounds)} without an update", style="yellow")
    text.append(f"  {size(view.sent)} sent in all", style="dim")
    return text


def agreement(view: RunView) -> Text:
    """Say which model was agreed on last, and which is kept."""
    text = _line()
    if view.agreed_round is not None:
        text.append(f"model {view.agreed_round:,} ", style="dim").append(f"{view.agreed_model[:16]}\u2026")
    if view.checkpoints:
        kept, who, bytes_ = view.checkpoints[0]
        text.append(f"  checkpoint {kept:,} at {who}, {size(bytes_)}", style="dim")
    text.append(f"  {amount(view.entries)} entries", style="dim")
    if view.issue_count:
        text.append(f", {view.issue_count:,} did not fit", style="yellow")
    return text


def events(view: RunView, lines: int) -> list[RenderableType]:
    """Tell what happened lately, the newest first."""
    rows: list[RenderableType] = []
    for at, _, kind, words in view.events[:lines]:
        clock = f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"
        rows.append(_line().append(f"{clock}  ", style="dim").append(words, style=EVENT_STYLES.get(kind, "default")))
    return rows


def times(factor: float) -> str:
    """Write how many times as much."""
    return f"{factor:,.0f} times" if factor >= 9.95 else f"{factor:.1f} times"


def _what(view: RunView) -> str:
    return "".join(f" \u00b7 {part}" for part in (view.about.words, view.about.optimizer) if part)


def _bar(fraction: float, width: int) -> str:
    """Draw a bar of up to `width` letters in steps of half of one."""
    halves = round(min(1.0, max(0.0, fraction)) * width * 2)
    return ("\u2588" * (halves // 2) + "\u258c" * (halves % 2)).ljust(width)


def _line() -> Text:
    return Text(no_wrap=True, overflow="ellipsis")


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Align the cells of rows of text; those of the columns `right` at their right ends."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
