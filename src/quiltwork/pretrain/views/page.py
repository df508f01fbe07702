"""What a browser shows of a run: a card in a list, what is new since it asked last, and more of one round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quiltwork.errors import UserError
from quiltwork.pretrain.facts import Phase
from quiltwork.pretrain.views.notes import AuditNote, Event, RoundNote
from quiltwork.pretrain.views.series import Span
from quiltwork.pretrain.views.snapshot import NANO, RunView, plain, shown_members, snapshot
from quiltwork.pretrain.views.watch import Watch
from quiltwork.text.numbers import amount, size
from quiltwork.text.strangers import plain as harmless

SPARKS = 48
"""Points of the small curve in a list."""

ROUNDS_SHOWN = 30
"""Rounds that come at a time."""

MEMBERS_SHOWN = 64
AUDITS_SHOWN = 60
EVENTS_SHOWN = 100

MARKED = frozenset({"joined", "restarted", "dropped", "left", "diverged", "ejected"})
"""Kinds of events that are marked beside the curves."""


class NotThere(UserError):
    """The run has no such round or view."""


def standing(watch: Watch) -> str:
    """How the log leaves the run, in the words of the list of runs: without whoever serves it, a run rests."""
    if watch.state.created is None:
        return "new"
    return "budget" if watch.state.phase is Phase.FINISHED else "interrupted"


def card(watch: Watch) -> dict[str, Any]:
    """The run in a line. `sparks` are heights from 0 to 1, evenly over the rounds."""
    state = watch.state
    if state.created is None:
        return {"standing": standing(watch)}
    view = snapshot(state, watch.story)
    return {
        "standing": standing(watch),
        "problem": view.run_id,
        "summary": ", ".join(part for part in (view.about.words, view.about.optimizer, _going(view)) if part),
        "metric": "loss",
        "maximize": False,
        "best": None if view.loss is None else float(f"{view.loss:.5g}"),
        "known": None,
        "label": "loss, nats per token",
        "budgets": [{"unit": "steps", "total": view.total_steps, "spent": view.step}],
        "sparks": sparks([loss for _, loss in view.curve]),
        "updated": view.now,
        "what": f"{view.healthy} of {amount(len(state.members))} members at work, {size(view.sent)} sent",
    }


def _going(view: RunView) -> str:
    """What it does; nothing once it is over, as the list says that beside it."""
    return "" if view.phase == Phase.FINISHED else view.words


def sparks(losses: list[float]) -> list[float]:
    """A curve as few heights."""
    if not losses:
        return []
    low, high = min(losses), max(losses)
    points = min(SPARKS, max(2, len(losses)))
    at = (losses[round(place * (len(losses) - 1) / (points - 1))] for place in range(points))
    return [round((loss - low) / (high - low), 4) if high > low else 0.5 for loss in at]


def delta(watch: Watch, entries: int) -> dict[str, Any]:
    """What is new since the log had so many entries: the small parts whole, curves, rounds and lives as far as they are new.

    Audits, events and marks are there only if some of them are new, and then those that were there before, too.
    """
    state, story = watch.state, watch.story
    if state.created is None:
        return {"entries": watch.entries, "from": 0, "standing": standing(watch)}
    if entries > watch.entries:
        entries = 0  # the reader knew another log
    view = plain(snapshot(state, story))
    members = {member["key"]: member for member in view.pop("members")}
    for large in ("curve", "audits", "events"):  # they come below, as far as they are new
        del view[large]
    shown = [member.author for member in shown_members(state)[:MEMBERS_SHOWN]]
    fresh = [note for note in story.rounds if max(note.seq, note.model_seq) >= entries]
    news: dict[str, Any] = {
        "from": entries,
        "entries": watch.entries,
        "standing": standing(watch),
        "summary": {**view, "head": watch.head.hex(), "everybody": len(state.members)},
        "members": [members[author.hex()] for author in shown],
        "lives": {
            author.hex(): [[at / NANO, str(health)] for at, health in story.lives[author].stretches]
            for author in shown
            if author in story.lives and story.lives[author].changed > entries
        },
        "stride": story.series.stride,
        "spans": [_span(span) for span in story.series.since(entries)],
        "rounds": [_round(note) for note in reversed(fresh[-ROUNDS_SHOWN:])],
        "new_rounds": len(fresh),
    }
    if entries == 0 or (story.audits and story.audits[-1].seq >= entries):
        news["audits"] = [_audit(watch, note) for note in list(story.audits)[: -AUDITS_SHOWN - 1 : -1]]
    if entries == 0 or (story.events and story.events[-1].seq >= entries):
        news["events"] = [_event(event) for event in story.latest(EVENTS_SHOWN)]
        news["marks"] = [[e.at / NANO, e.kind, harmless(e.words)] for e in story.events if e.kind in MARKED]
    return news


def round_list(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """Rounds before round `before` (none: the newest), the newest first; `next` is where older ones begin, or None."""
    before = _whole_number(words, "before", watch.state.last + 1)
    older = [note for note in watch.story.rounds if note.number < before]
    rows = [_round(note) for note in reversed(older[-ROUNDS_SHOWN:])]
    return {"rows": rows, "next": rows[-1]["number"] if len(older) > ROUNDS_SHOWN else None}


def round_panel(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """All that is remembered of round `round`: who committed what, which of it was accepted, and the entries that say so."""
    number = _whole_number(words, "round", watch.state.last)
    story = watch.story
    note = next((each for each in story.rounds if each.number == number), None)
    if note is None:
        raise NotThere(
            f"round {number} is not remembered one by one: it is to come, or long ago; `quiltwork log show` has it"
        )
    return {
        **_round(note),
        "hash": note.model.hex(),
        "commits": [
            {
                "key": commit.author.hex(),
                "label": story.names(commit.author),
                "units": commit.units,
                "size": commit.size,
                "loss": commit.loss,
                "accepted": commit.accepted,
                "entry": commit.seq,
            }
            for commit in note.commits[:MEMBERS_SHOWN]
        ],
        "left_out": max(0, note.committed - min(len(note.commits), MEMBERS_SHOWN)),
        "audits": [_audit(watch, audit) for audit in story.audits if audit.round == number],
    }


def _span(span: Span) -> list[Any]:
    """[first, last, ended, seconds of a round, units, returned, members, sent, tokens, loss]."""
    return [
        span.first,
        span.last,
        span.ended / NANO,
        span.nanoseconds / NANO / (span.last - span.first + 1),
        span.units,
        span.returned,
        span.members,
        span.sent,
        span.tokens,
        span.loss,
    ]


def _round(note: RoundNote) -> dict[str, Any]:
    return {
        "number": note.number,
        "step": note.step,
        "entry": note.seq,
        "closed": note.closed / NANO,
        "seconds": (note.closed - note.opened) / NANO,
        "members": note.members,
        "committed": note.committed,
        "accepted": note.accepted,
        "units": note.units,
        "returned": note.returned,
        "size": note.size,
        "loss": note.loss,
        "model": note.model.hex()[:16],
        "model_entry": note.model_seq if note.model else None,
    }


def _audit(watch: Watch, note: AuditNote) -> dict[str, Any]:
    names = watch.story.names
    return {
        "at": note.at / NANO,
        "entry": note.seq,
        "round": note.round,
        "key": note.member.hex(),
        "label": names(note.member),
        "outcome": str(note.outcome),
        "verdicts": [
            {
                "label": names(each.verifier),
                "honest": each.honest,
                "score": each.score,
                "why": harmless(each.why),
                "entry": each.seq,
            }
            for each in note.verdicts
        ],
    }


def _event(event: Event) -> dict[str, Any]:
    return {"at": event.at / NANO, "entry": event.seq, "kind": event.kind, "words": harmless(event.words)}


def _whole_number(words: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(words.get(name, default))
    except ValueError:
        raise NotThere(f"{name}={words[name]!r} is not a whole number") from None
