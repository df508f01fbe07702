"""What is said when a run is over, or laid down: what came of it, who did what, what was lost, what was sent, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from quiltwork.pretrain.display.parts import LOSS_DIGITS, columns, times
from quiltwork.pretrain.views import RunView, Watch, snapshot
from quiltwork.pretrain.views.snapshot import MemberView
from quiltwork.pretrain.views.wording import counted, rounds, units
from quiltwork.text.numbers import duration, number, size

MOST_MEMBERS = 24


class Accidents(Protocol):
    """What was done to workers on purpose, at which rounds; 0 for never."""

    killed: int
    returned: int
    ejected: int


def ending(run: Watch, *, accidents: Accidents | None = None, cpu_s: float | None = None) -> str:
    """Tell how a run went. `cpu_s` are seconds of processor time of all that took part, where somebody counted them."""
    view = snapshot(run.state, run.story)
    parts = [_head(view), "", *_fields(view, accidents, cpu_s)]
    members = _members(view)
    return "\n".join([*parts, "", *members] if members else parts)


def _head(view: RunView) -> str:
    over = "is over" if view.phase == "Finished" else f"is not over ({view.words})"
    went = f"{view.step:,} of {counted(view.total_steps, 'step')} in {rounds(view.last)}, {duration(view.now - view.began)}"
    return f"The run {view.run_id} {over}: {went}."


def _fields(view: RunView, accidents: Accidents | None, cpu_s: float | None) -> Iterator[str]:
    for name, told in (
        ("loss", _loss(view)),
        ("sent", _sent(view)),
        ("lost", _lost(view)),
        ("audits", _audits(view)),
        ("accidents", _accidents(accidents)),
        ("processor", "" if cpu_s is None else f"{duration(cpu_s)} of processor time"),
        ("model", f"{view.agreed_model} after round {view.agreed_round:,}" if view.agreed_model else ""),
    ):
        if told:
            yield f"{name:<10} {told}"


def _loss(view: RunView) -> str:
    if view.loss is None or view.first_loss is None:
        return "nothing was trained"
    went = f"{number(view.first_loss, LOSS_DIGITS)} -> {number(view.loss, LOSS_DIGITS)} nats per token"
    return f"{went}, over {view.tokens:,} tokens"


def _sent(view: RunView) -> str:
    payloads = sum(member.payloads for member in view.members)
    if not payloads:
        return ""
    mean = view.sent / payloads
    told = f"{size(view.sent)} in {counted(payloads, 'payload')} of {size(mean)}"
    dense = view.about.dense_bytes
    if dense:
        told += f"; a dense fp32 gradient takes {size(dense)}, {times(dense / mean)} as much"
    return told


def _lost(view: RunView) -> str:
    told = [f"{units(view.lost_units)} were lost and done again"] if view.lost_units else []
    if view.waiting_units:
        told.append(f"{units(view.waiting_units)} wait to be done again")
    if view.barren_rounds:
        told.append(f"{rounds(view.barren_rounds)} brought no update")
    return "; ".join(told) or "nothing"


def _audits(view: RunView) -> str:
    count = sum(view.outcomes.values())
    found = ", ".join(f"{number} {outcome}" for outcome, number in sorted(view.outcomes.items()))
    return f"{counted(count, 'audit')}: {found}" if count else "none"


def _accidents(done: Accidents | None) -> str:
    if done is None:
        return ""
    told = [f"a liar was ejected by round {done.ejected:,}"] if done.ejected else []
    if done.killed:
        told.append(f"a worker was killed after round {done.killed:,}")
    if done.returned:
        told.append(f"it came back after round {done.returned:,}")
    return "; ".join(told)


def _members(view: RunView) -> list[str]:
    rows: list[tuple[str, ...]] = [("member", "earned", "sent", "lost", "audits", "what became of it")]
    rows += [_member(member) for member in view.members[:MOST_MEMBERS]]
    lines = columns(rows, right=(1, 2, 3, 4)) if view.members else []
    hidden = len(view.members) + view.left_out - MOST_MEMBERS
    return [*lines, f"and {hidden:,} more"] if hidden > 0 else lines


def _member(member: MemberView) -> tuple[str, ...]:
    passed = f"{member.passed} of {member.passed + member.failed} passed" if member.passed + member.failed else ""
    lost = f"{units(member.lost_units)} in {rounds(member.lost_rounds)}" if member.lost_units else ""
    return member.label, units(member.units), size(member.sent), lost, passed, _fate(member)


def _fate(member: MemberView) -> str:
    told = {
        "healthy": "was there at the end",
        "joining": "was loading the model",
        "dropped": "was dropped",
        "withdrawn": "left",
        "ejected": "was ejected",
    }[member.health]
    if member.forfeited:
        told += f", forfeited {units(member.forfeited)}"
    if member.came > 1 and member.health in ("healthy", "joining"):
        told += f", {'came back' if member.came == 2 else f'came back {member.came - 1} times'}"
    if member.diverged:
        told += f", loaded the model again {counted(member.diverged, 'time')}"
    return told
