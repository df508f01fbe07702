"""A run at one moment, as plain values: what the terminal draws, and what `status --json` prints.

Keys and hashes are hexadecimal digits, times seconds since 1970 by the run's own clock, sizes bytes, speeds units per second.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from quiltwork.audit import sanction
from quiltwork.pretrain.deadlines import SPEED_SCALE, median
from quiltwork.pretrain.entries import Checkpointed
from quiltwork.pretrain.facts import HERE, Health, Member, Phase, RunState
from quiltwork.pretrain.views import wording
from quiltwork.pretrain.views.about import About, about
from quiltwork.pretrain.views.notes import AuditNote, Life
from quiltwork.pretrain.views.story import Story
from quiltwork.text.strangers import one_line

CURVE_POINTS = 400
"""Of the loss: twice what a wide terminal can draw."""

MEMBERS_SHOWN = 200
"""Those who are here first, then those who were; a list of thousands is not read."""

AUDITS_SHOWN = 20
EVENTS_SHOWN = 30
ISSUES_SHOWN = 10
ADDRESSES_SHOWN = 4

PACE_ROUNDS = 20
"""The speed of a run is that of its last rounds."""

LATE = 1.5
"""Who takes so many times the median is late: long before the round stops waiting, and long after the usual delay."""

NANO = 1e9


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member. `label` is what it is called here; `doing` is what it does in this round, in a word."""

    key: str
    name: str
    label: str
    health: str
    sanction: str
    doing: str
    speed: float
    units: int
    forfeited: int
    lost_units: int
    lost_rounds: int
    payloads: int
    sent: int
    misses: int
    late: int
    diverged: int
    came: int
    dropped: int
    passed: int
    failed: int
    refused: int
    suspicion: int
    agreed: int
    dissented: int
    dtype: str
    device: str
    version: str
    addresses: tuple[str, ...]
    since: int


@dataclass(frozen=True, slots=True)
class RoundView:
    """The round that goes on. Of `units` so many are `done`; `seconds` since its phase began, which ends by `longest`."""

    number: int
    step: int
    phase: str
    seconds: float
    longest: float
    units: int
    done: int
    asked: int
    committed: int
    witnesses: int
    attested: int
    awaited: tuple[str, ...]
    late: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditView:
    """An audit that has ended; `verdicts` are (who, honest, score, why)."""

    at: float
    entry: int
    round: int
    member: str
    outcome: str
    verdicts: tuple[tuple[str, bool, float | None, str], ...]


@dataclass(frozen=True, slots=True)
class RunView:
    """One moment of a run. `curve` is (round, loss) in nats per token; `events` are (time, entry, kind, words), newest first."""

    run_id: str
    version: str
    owner: str
    about: About
    phase: str
    words: str
    epoch: int
    began: float
    now: float
    last: int
    step: int
    total_steps: int
    tokens: int
    loss: float | None
    first_loss: float | None
    curve: tuple[tuple[int, float], ...]
    round: RoundView | None
    seconds_per_round: float | None
    seconds_left: float | None
    here: int
    healthy: int
    members: tuple[MemberView, ...]
    left_out: int
    units: int
    lost_units: int
    waiting_units: int
    barren_rounds: int
    sent: int
    sent_last_round: int
    payload: float | None
    """The mean payload of the last rounds, in bytes."""
    open_audits: int
    outcomes: dict[str, int]
    audits: tuple[AuditView, ...]
    agreed_round: int | None
    agreed_model: str
    checkpoints: tuple[tuple[int, str, int], ...]
    """(round, who keeps it, bytes)"""
    events: tuple[tuple[float, int, str, str], ...]
    entries: int
    issue_count: int
    issues: tuple[tuple[int, str], ...]

    @property
    def saving(self) -> float | None:
        """How many times more a dense fp32 gradient takes than a payload; None where either is unknown."""
        return self.about.dense_bytes / self.payload if self.payload and self.about.dense_bytes else None

    @property
    def done(self) -> float:
        """The share of the steps that is made."""
        return min(1.0, self.step / self.total_steps)


def summary(state: RunState) -> dict[str, Any]:
    """Give a state as plain data for JSON.

    A state alone does not know what the fold has forgotten: no events are in it, and sums of bytes and losses are over the
    rounds that members still keep. With a `Watch` they are whole: `plain(snapshot(watch.state, watch.story))`.
    """
    story = Story()
    story.look(state, max(0, state.entries - 1))
    story.events.clear()
    return plain(snapshot(state, story))


def plain(view: RunView) -> dict[str, Any]:
    """Give a moment as plain data for JSON."""
    return {**asdict(view), "saving": view.saving, "model": view.about.words}


def snapshot(state: RunState, story: Story) -> RunView:
    """Take a moment of a run. Nothing in it changes afterwards."""
    created = state.created
    shown = shown_members(state)
    doing = _doing(state)
    recent = list(story.rounds)[-PACE_ROUNDS:]
    losses = [note.loss for note in reversed(story.rounds) if note.loss is not None]
    pace = (recent[-1].closed - recent[0].opened) / NANO / len(recent) if recent else None
    going = pace is not None and state.phase not in (Phase.FINISHED, Phase.PAUSED)
    sizes = [(note.size, note.committed) for note in recent]
    payloads = sum(count for _, count in sizes)
    agreed = max(state.agreed, default=None)
    return RunView(
        run_id="" if created is None else one_line(created.run_id, 64),
        version="" if created is None else one_line(created.version, 40),
        owner=state.owner.hex(),
        about=about(created),
        phase=str(state.phase),
        words=wording.phase_words(state),
        epoch=state.epoch,
        began=story.began / NANO,
        now=state.now / NANO,
        last=state.last,
        step=state.step,
        total_steps=state.config.total_steps,
        tokens=state.tokens,
        loss=losses[0] if losses else None,
        first_loss=story.first_loss,
        curve=tuple((span.last, span.loss) for span in story.series.thinned(CURVE_POINTS) if span.loss is not None),
        round=_round(state, story, doing),
        seconds_per_round=pace,
        seconds_left=pace * (state.config.total_steps - state.step) if going and pace is not None else None,
        here=len(state.here()),
        healthy=len(state.healthy()),
        members=tuple(_member(state, story, member, doing.get(member.author, "")) for member in shown),
        left_out=len(state.members) - len(shown),
        units=state.accepted_units,
        lost_units=story.lost_units,
        waiting_units=len(state.returned),
        barren_rounds=story.barren_rounds,
        sent=story.sent,
        sent_last_round=recent[-1].size if recent else 0,
        payload=sum(size for size, _ in sizes) / payloads if payloads else None,
        open_audits=len(state.cases),
        outcomes={str(outcome): count for outcome, count in state.outcomes.items()},
        audits=tuple(_audit(story, note) for note in list(story.audits)[: -AUDITS_SHOWN - 1 : -1]),
        agreed_round=agreed,
        agreed_model="" if agreed is None else state.agreed[agreed].hex(),
        checkpoints=tuple(_checkpoint(story, *each) for each in reversed(state.checkpoints)),
        events=tuple((event.at / NANO, event.seq, event.kind, event.words) for event in story.latest(EVENTS_SHOWN)),
        entries=state.entries,
        issue_count=state.issue_count,
        issues=tuple((seq, one_line(why, 200)) for seq, why in state.issues[: -ISSUES_SHOWN - 1 : -1]),
    )


def shown_members(state: RunState) -> list[Member]:
    """Members in the order of a list: who is here first, the hardest workers on top, then who was here."""

    def rank(member: Member) -> tuple[bool, int, bytes]:
        return member.health not in HERE, -member.accepted_units, member.author

    return sorted(state.members.values(), key=rank)[:MEMBERS_SHOWN]


def _member(state: RunState, story: Story, member: Member, doing: str) -> MemberView:
    life, said, standing = story.lives.get(member.author, Life()), member.said, member.standing
    return MemberView(
        key=member.author.hex(),
        name=story.names.name(member.author),
        label=story.names(member.author),
        health=str(member.health),
        sanction=str(sanction(standing, state.config.audit_rules)),
        doing=doing,
        speed=member.speed.estimate / SPEED_SCALE,
        units=member.accepted_units,
        forfeited=member.forfeited_units,
        lost_units=life.lost_units,
        lost_rounds=life.lost_rounds,
        payloads=life.payloads,
        sent=life.sent,
        misses=member.misses,
        late=member.late,
        diverged=member.diverged,
        came=life.came,
        dropped=life.dropped,
        passed=standing.passed,
        failed=standing.failed,
        refused=standing.refused,
        suspicion=standing.suspicion,
        agreed=standing.agreed,
        dissented=standing.dissented,
        dtype=one_line(said.dtype, 16),
        device=one_line(said.device, 40),
        version=one_line(said.version, 40),
        addresses=tuple(one_line(address, 80) for address in said.addresses[:ADDRESSES_SHOWN]),
        since=member.since,
    )


def _doing(state: RunState) -> dict[bytes, str]:
    """What members do in this round: "trains", "late", "committed", "witness", "attested"."""
    round = state.round
    if round is None:
        return {}
    witnessing = state.phase is Phase.ROUND_WITNESS
    offsets = state.witness_offsets if witnessing else state.train_offsets
    usual = median(offsets) if offsets else round.longest
    late = state.now - (state.entered if witnessing else round.opened) > LATE * usual
    waits = "late" if late else "witness" if witnessing else "trains"
    doing = dict.fromkeys(round.committed, "committed")
    doing |= dict.fromkeys(round.attested, "attested")
    doing |= {author: waits for author in round.awaited if state.members[author].health is Health.HEALTHY}
    return doing


def _round(state: RunState, story: Story, doing: dict[bytes, str]) -> RoundView | None:
    round = state.round
    if round is None:
        return None
    awaited = sorted(author for author, what in doing.items() if what in ("trains", "witness", "late"))
    return RoundView(
        number=round.number,
        step=round.step,
        phase=str(state.phase),
        seconds=(state.now - state.entered) / NANO,
        longest=round.longest / NANO,
        units=sum(map(len, round.assigned.values())),
        done=sum(len(commit.body.units) for commit in round.commits),
        asked=len(round.assigned),
        committed=len(round.commits),
        witnesses=len(round.witnesses),
        attested=len(round.attested),
        awaited=tuple(story.names(author) for author in awaited),
        late=tuple(story.names(author) for author in awaited if doing[author] == "late"),
    )


def _audit(story: Story, note: AuditNote) -> AuditView:
    return AuditView(
        at=note.at / NANO,
        entry=note.seq,
        round=note.round,
        member=story.names(note.member),
        outcome=str(note.outcome),
        verdicts=tuple((story.names(each.verifier), each.honest, each.score, each.why) for each in note.verdicts),
    )


def _checkpoint(story: Story, author: bytes, kept: Checkpointed) -> tuple[int, str, int]:
    return kept.round, story.names(author), kept.size
