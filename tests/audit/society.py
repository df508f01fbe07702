"""A small world in which everything of the room is used together: members work, cheat, lie, crash, and are audited."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from quiltwork.audit import (
    AuditConfig,
    Case,
    Outcome,
    Standing,
    Verdict,
    advance,
    answer,
    audit_rate,
    contributed,
    draw_panel,
    eligible,
    is_drawn,
    judge,
    open_case,
    settle,
)


@dataclass
class Society:
    """Members by name. `cheats` cheat in a share of rounds, `liars` lie about everybody, all others are honest."""

    members: list[bytes]
    config: AuditConfig = field(default_factory=AuditConfig)
    cheats: dict[bytes, float] = field(default_factory=dict)
    liars: frozenset[bytes] = frozenset()
    crashing: float = 0.0
    """The chance that a member is down in a round; with it goes the state from which it could have answered."""
    noise: float = 0.0
    """The chance that an honest contribution looks wrong to everybody who computes it again."""
    seed: int = 0

    def __post_init__(self) -> None:
        self.standings = {member: Standing() for member in self.members}
        self.cases: list[tuple[Case, bool]] = []  # with whether the contribution was honest
        self.closed: list[tuple[Case, bool]] = []
        self.ejected_in: dict[bytes, int] = {}
        self.round = 0
        self._chance = random.Random(self.seed)

    def run(self, rounds: int) -> Society:
        for _ in range(rounds):
            self.step()
        return self

    def step(self) -> None:
        self.round += 1
        up = {member for member in self.members if self._chance.random() >= self.crashing}
        self._audit_what_is_open(up)
        seed = self._chance.randbytes(32)
        for author in self.members:
            if author in up and not self.standings[author].ejected:
                self._contribute(author, seed)

    def _contribute(self, author: bytes, seed: bytes) -> None:
        looks_right = self._chance.random() >= self.cheats.get(author, self.noise)
        standing = self.standings[author]
        name = author + self.round.to_bytes(8, "little")
        if is_drawn(seed, name, audit_rate(standing, self.config)):
            panel = draw_panel(seed, name, eligible(self.standings, self.config), never=(author,))
            case = open_case(
                author,
                panel,
                round=self.round,
                config=self.config,
                suspect=standing.suspicion > 0,
                last_chance=standing.debt > 0,
            )
            self.cases.append((case, looks_right))
        if not standing.has_refused:
            self.standings[author] = contributed(standing)

    def _audit_what_is_open(self, up: set[bytes]) -> None:
        still = []
        for case, right in self.cases:
            after = self._progress(advance(case, round=self.round, config=self.config), right, up)
            if after.outcome is None:
                still.append((after, right))
                continue
            self.closed.append((after, right))
            for member, standing in settle(after, self.standings, self.config).items():
                if standing.ejected and not self.standings[member].ejected:
                    self.ejected_in[member] = self.round
                self.standings[member] = standing
        self.cases = still

    def _progress(self, case: Case, right: bool, up: set[bytes]) -> Case:
        if case.waits_for_author and case.author in up:
            case, _ = answer(case, round=self.round, config=self.config)
        for verifier in case.waiting_for:
            if verifier in up and case.outcome is None:
                honest = right if verifier not in self.liars else not right
                case, _ = judge(case, Verdict(verifier, honest), round=self.round, config=self.config)
        return case

    def wrong(self) -> int:
        """Cases that ended otherwise than they should."""
        return sum(case.outcome is (Outcome.FAILED if right else Outcome.PASSED) for case, right in self.closed)
