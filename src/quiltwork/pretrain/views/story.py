"""How a run went: what the fold forgets and people want to know, kept small however long the run is.

A story looks at the state after every entry and notes what has changed. It decides nothing, and nothing depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from quiltwork.audit import Outcome
from quiltwork.pretrain.entries import Challenged, Joined, Judged
from quiltwork.pretrain.facts import HERE, Closed, Health, Member, Phase, Round, Ruling, RunState
from quiltwork.pretrain.views import wording
from quiltwork.pretrain.views.notes import AuditNote, CommitNote, Event, Life, RoundNote, VerdictNote
from quiltwork.pretrain.views.series import Series, Span, finite, weighted_median
from quiltwork.pretrain.views.wording import Names, counted, listed, rounds, units

ROUNDS_KEPT = 500
"""Rounds that are remembered one by one; of all, only the curve."""

COMMITS_KEPT = 64
"""Rounds of which every commitment is remembered, too: a large run has hundreds in each."""

EVENTS_KEPT = 400
AUDITS_KEPT = 300
UNHASHED_ROUNDS = 8
"""Rounds whose model nobody has agreed on yet; older ones will not be."""


class Story:
    """The story of one run. `look` after every entry, or every few: then what lay between is told as far as it shows."""

    def __init__(self) -> None:
        self.names = Names()
        self.lives: dict[bytes, Life] = {}
        self.series = Series()
        self.rounds: deque[RoundNote] = deque(maxlen=ROUNDS_KEPT)
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.audits: deque[AuditNote] = deque(maxlen=AUDITS_KEPT)
        self.began = 0
        """The first time that the run knew."""
        self.first_loss: float | None = None
        self.sent = 0
        """Bytes of all payloads."""
        self.lost_units = 0
        self.barren_rounds = 0
        self.told = 0
        """Events, those that are forgotten included."""
        self._last = 0
        self._phase = Phase.UNINITIALIZED
        self._round: Round | None = None
        self._commit_seqs: list[int] = []
        self._unhashed: deque[RoundNote] = deque(maxlen=UNHASHED_ROUNDS)
        self._agreed = 0
        self._ruled = 0
        self._open: dict[tuple[int, bytes], dict[bytes, VerdictNote]] = {}
        self._checkpoint = 0
        self._liars: set[bytes] = set()
        self._losses: dict[tuple[str, tuple[bytes, ...]], tuple[int, int, Event | None]] = {}
        """Of the round before: why and whose -> since which round, how many units, and what was told of it."""

    def look(self, state: RunState, seq: int, author: bytes = b"", body: object = None) -> None:
        """Note what has changed by entry `seq`, in which `author` said `body`."""
        self.began = self.began or state.now
        self._hear(state, seq, author, body)
        self._note_commitments(state, seq)
        closed = state.last != self._last
        if closed:
            for number in sorted(number for number in state.closed if number > self._last):
                self._note_round(state, state.closed[number], seq)
            self._last = state.last
        settled = len(state.agreed) != self._agreed
        if settled:
            self._agreed = len(state.agreed)
        self._note_models(state, seq)
        ruled = self._note_audits(state, seq)
        if closed or settled or ruled or state.phase is not self._phase or len(state.members) != len(self.lives):
            self._note_health(state, seq, list(state.members.values()))
        elif author in state.members:
            self._note_health(state, seq, [state.members[author]])
        self._note_phase(state, seq)
        self._note_checkpoint(state, seq)
        self._round = state.round

    # --- what is said -------------------------------------------------------------------------------------------------

    def _hear(self, state: RunState, seq: int, author: bytes, body: object) -> None:
        match body:
            case Joined() if author in state.members:
                self.names.hear(author, state.members[author].said.name)
            case Challenged() if state.challengers.get((body.round, body.member)) == author:
                words = f"{self.names(author)} asks that round {body.round:,} of {self.names(body.member)} is computed again"
                self._tell(state, seq, "challenged", words, body.member)
            case Judged():
                key = (body.round, body.member)
                known = self._open.setdefault(key, {}) if self._has_spoken(state, key, author) else {}
                known.setdefault(
                    author, VerdictNote(author, body.honest, finite(body.score), wording.why(body.why), seq)
                )

    def _has_spoken(self, state: RunState, key: tuple[int, bytes], author: bytes) -> bool:
        """Whether a verdict on this commitment counted: it is in the open case, or in the one that it closed."""
        case = state.cases.get(key)
        if case is None and state.rulings and (state.rulings[-1].round, state.rulings[-1].case.author) == key:
            case = state.rulings[-1].case
        return case is not None and any(verdict.verifier == author for verdict in case.verdicts)

    def _tell(self, state: RunState, seq: int, kind: str, words: str, member: bytes = b"") -> None:
        self.told += 1
        self.events.append(Event(state.now, seq, kind, words, member))

    # --- rounds -------------------------------------------------------------------------------------------------------

    def _note_commitments(self, state: RunState, seq: int) -> None:
        if state.round is not self._round:
            if self._round is None or state.last == self._last:
                self._commit_seqs = []
            else:
                return  # the round closed with this entry, and is noted below
        round = state.round
        while round is not None and len(self._commit_seqs) < len(round.commits):
            self._commit_seqs.append(seq)

    def _note_round(self, state: RunState, closed: Closed, seq: int) -> None:
        kept = self._commit_seqs if self._round is not None and self._round.number == closed.number else []
        seqs = [*kept, *[seq] * (len(closed.commits) - len(kept))]
        self._commit_seqs = []
        accepted = set(closed.accepted)
        commits = tuple(
            CommitNote(
                commit.author,
                len(commit.body.units),
                commit.body.size,
                finite(commit.body.loss),
                number in accepted,
                seqs[number],
            )
            for number, commit in enumerate(closed.commits)
        )
        for commit in commits:
            life = self._life(commit.author)
            life.payloads += 1
            life.sent += commit.size
            self.sent += commit.size
        done = [commit for commit in commits if commit.accepted]
        loss, weight = _loss(done, self._liars)
        note = RoundNote(
            number=closed.number,
            step=closed.step,
            seq=seq,
            opened=closed.opened,
            closed=closed.closed,
            members=len(closed.roster),
            committed=len(commits),
            accepted=len(done),
            units=sum(commit.units for commit in done),
            returned=len(closed.returned),
            size=sum(commit.size for commit in commits),
            loss=loss,
            commits=commits,
        )
        self.rounds.append(note)
        self._unhashed.append(note)
        if len(self.rounds) > COMMITS_KEPT:
            self.rounds[-1 - COMMITS_KEPT].commits = ()
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.barren_rounds += not done
        self.lost_units += len(closed.returned)
        self._note_losses(state, closed, seq)
        self.series.add(
            Span(
                first=note.number,
                last=note.number,
                ended=note.closed,
                nanoseconds=note.closed - note.opened,
                units=note.units,
                returned=note.returned,
                members=note.members,
                sent=self.sent,
                tokens=state.tokens,
                weighted_loss=0.0 if loss is None else loss * weight,
                weight=0 if loss is None else weight,
                seen=seq + 1,
            )
        )

    def _leave_out(self, author: bytes, seq: int) -> None:
        """What an ejected member said of its loss counts no longer, as far as it is remembered."""
        self._liars.add(author)
        for note in self.rounds:
            if any(commit.author == author and commit.accepted for commit in note.commits):
                done = [commit for commit in note.commits if commit.accepted]
                before = _loss(done, self._liars - {author})
                note.loss, weight = _loss(done, self._liars)
                change = (note.loss or 0.0) * weight - (before[0] or 0.0) * before[1]
                self.series.correct(note.number, change, weight - before[1], seq + 1)
        self.first_loss = next((span.loss for span in self.series.spans if span.loss is not None), None)

    def _note_losses(self, state: RunState, closed: Closed, seq: int) -> None:
        """Tell whose units were lost, and why: others do them again."""
        lost = set(closed.returned)
        by_reason: dict[str, list[tuple[bytes, int]]] = {}
        for author, given in closed.assigned.items():
            count = len(lost.intersection(given))
            if count:
                life = self._life(author)
                life.lost_units += count
                life.lost_rounds += 1
                by_reason.setdefault(_why_lost(state, closed, author), []).append((author, count))
        before, self._losses = self._losses, {}
        for why, who in by_reason.items():
            members = tuple(author for author, _ in who)
            first, count, event = before.get((why, members), (closed.number, 0, None))
            if event is not None and event in self.events:
                self.events.remove(event)  # told anew, with this round
            count += sum(lost for _, lost in who)
            when = f"round {first:,}" if first == closed.number else f"rounds {first:,} to {closed.number:,}"
            words = f"{when}: {units(count)} of {listed([self.names(each) for each in members])} went back: {why}"
            self._tell(state, seq, "lost", words, members[0] if len(members) == 1 else b"")
            self._losses[why, members] = (first, count, self.events[-1])

    def _note_models(self, state: RunState, seq: int) -> None:
        for note in tuple(self._unhashed):
            if (model := state.agreed.get(note.number)) is not None:
                note.model, note.model_seq = model, seq
                self._unhashed.remove(note)

    # --- audits -------------------------------------------------------------------------------------------------------

    def _note_audits(self, state: RunState, seq: int) -> bool:
        ruled = sum(state.outcomes.values())
        new = min(ruled - self._ruled, len(state.rulings))
        self._ruled = ruled
        for place in range(len(state.rulings) - new, len(state.rulings)):
            self._note_ruling(state, state.rulings[place], seq)
        return new > 0

    def _note_ruling(self, state: RunState, ruling: Ruling, seq: int) -> None:
        case = ruling.case
        assert case.outcome is not None
        known = self._open.pop((ruling.round, case.author), {})
        verdicts = tuple(
            known.get(each.verifier, VerdictNote(each.verifier, each.honest, finite(each.score), "", -1))
            for each in case.verdicts
        )
        self.audits.append(AuditNote(state.now, seq, ruling.round, case.author, case.outcome, verdicts))
        if case.outcome is not Outcome.PASSED:
            words = wording.ruling(self.names(case.author), ruling.round, case, [v.why for v in verdicts if v.why])
            self._tell(state, seq, f"audit-{case.outcome}", words, case.author)

    # --- members ------------------------------------------------------------------------------------------------------

    def _life(self, author: bytes) -> Life:
        return self.lives.setdefault(author, Life())

    def _note_health(self, state: RunState, seq: int, members: list[Member]) -> None:
        for member in members:
            life = self._life(member.author)
            before = life.stretches[-1][1] if life.stretches else None
            if before is None:
                self.names.hear(member.author, member.said.name)
            if member.health is before:
                continue
            life.stretches.append((state.now, member.health))
            life.changed = seq + 1
            life.came += before not in HERE and member.health in HERE
            life.dropped += member.health is Health.DROPPED
            if member.health is Health.EJECTED:
                self._leave_out(member.author, seq)
            kind, words = self._change(state, member, life, before)
            life.diverged = member.diverged
            self._tell(state, seq, kind, f"{self.names(member.author)} {words}", member.author)

    def _change(self, state: RunState, member: Member, life: Life, before: Health | None) -> tuple[str, str]:
        match member.health:
            case Health.JOINING if member.diverged > life.diverged:
                return "diverged", "holds another model than the others, and loads it again"
            case Health.JOINING if before is Health.HEALTHY:
                return "restarted", "has started again"
            case Health.JOINING:
                return "joined", "joined" if before is None else "came back"
            case Health.HEALTHY:
                return "ready", f"holds model {member.synced:,} and is given work"
            case Health.DROPPED if before is Health.JOINING:
                return "dropped", "was dropped: it did not load the model in time"
            case Health.DROPPED:
                return "dropped", f"was dropped: it missed {rounds(member.misses)} in a row"
            case Health.WITHDRAWN:
                return "left", "left in good order"
            case Health.EJECTED:
                forfeits = f", and forfeits {units(member.forfeited_units)}" if member.forfeited_units else ""
                return "ejected", f"was ejected: it failed {counted(member.standing.failed, 'audit')}{forfeits}"

    # --- the run ------------------------------------------------------------------------------------------------------

    def _note_phase(self, state: RunState, seq: int) -> None:
        before, self._phase = self._phase, state.phase
        if before is state.phase:
            return
        match state.phase:
            case Phase.WAITING_FOR_MEMBERS if before is Phase.UNINITIALIZED:
                self._tell(state, seq, "began", "the run began")
            case Phase.WAITING_FOR_MEMBERS if before is Phase.PAUSED:
                self._tell(state, seq, "resumed", "the owner took the run up again")
            case Phase.WAITING_FOR_MEMBERS if before is not Phase.COOLDOWN or len(state.healthy()) < _needed(state):
                self._tell(state, seq, "waits", f"the run {wording.phase_words(state)}")
            case Phase.PAUSED:
                self._tell(state, seq, "paused", f"the owner laid the run down after round {state.last:,}")
            case Phase.FINISHED:
                self._tell(state, seq, "finished", f"the run is over: {state.step:,} steps in {rounds(state.last)}")

    def _note_checkpoint(self, state: RunState, seq: int) -> None:
        if not state.checkpoints:
            return
        author, kept = state.checkpoints[-1]
        if kept.round > self._checkpoint + state.config.checkpoint_rounds // 2:  # several are asked for the same
            self._checkpoint = kept.round
            self._tell(
                state, seq, "checkpoint", f"{self.names(author)} keeps model {kept.round:,} for newcomers", author
            )

    def latest(self, most: int) -> Iterator[Event]:
        """The last events, the newest first."""
        for place in range(1, min(most, len(self.events)) + 1):
            yield self.events[-place]


def _loss(done: list[CommitNote], liars: set[bytes]) -> tuple[float | None, int]:
    """The loss of a round's accepted commitments, and how many units it stands for."""
    said = [(each.loss, each.units) for each in done if each.loss is not None and each.author not in liars]
    return weighted_median(said), sum(units for _, units in said)


def _why_lost(state: RunState, closed: Closed, author: bytes) -> str:
    commit = next((each for each in closed.commits if each.author == author), None)
    if commit is None:
        return "no word in time"
    member = state.members[author]
    if member.health is Health.EJECTED:
        return "ejected"
    if member.standing.has_refused:
        return "it refuses to be audited"
    agreed = state.agreed.get(closed.base)
    if commit.body.model != agreed:
        return "trained from another model" if agreed else f"nobody agrees on model {closed.base:,}"
    return "too few witnesses hold the update"


def _needed(state: RunState) -> int:
    return state.config.min_clients
