"""What happens in a run, in words. Names of members are theirs: they are cleaned, cut, and never more than text."""

from __future__ import annotations

import re
from collections import Counter

from quiltwork.audit import Case, Outcome
from quiltwork.pretrain.facts import Health, Member, Phase, RunState
from quiltwork.text.strangers import one_line

NAME_LETTERS = 24
KEY_DIGITS = 8
WHY_LETTERS = 160

_PASSES_FOR_A_LABEL = re.compile(r"\(|^[0-9a-f]{8}$")
"""A name in which somebody could take another's key."""

OUTCOMES = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.UNANSWERED: "not answered",
    Outcome.REFUSED: "refused",
    Outcome.UNDECIDED: "undecided",
}


def short(author: bytes) -> str:
    """The first digits of a key."""
    return author.hex()[:KEY_DIGITS]


class Names:
    """What members are called: by their names, with the key where two call themselves the same; or by the key alone."""

    def __init__(self) -> None:
        self._clean: dict[bytes, str] = {}
        self._bearers: Counter[str] = Counter()

    def hear(self, author: bytes, name: str) -> None:
        """A member says how it is called."""
        clean = one_line(name, NAME_LETTERS)
        before = self._clean.get(author)
        if before != clean:
            self._bearers[clean] += 1
            if before is not None:
                self._bearers[before] -= 1
            self._clean[author] = clean

    def name(self, author: bytes) -> str:
        """The name alone, fit for one line; nothing if it has none."""
        return self._clean.get(author, "")

    def __call__(self, author: bytes) -> str:
        """What to call a member."""
        name = self._clean.get(author)
        if not name:
            return short(author)
        plain = self._bearers[name] < 2 and not _PASSES_FOR_A_LABEL.search(name)
        return name if plain else f"{name} ({short(author)})"


def units(count: int) -> str:
    """So many units."""
    return "1 unit" if count == 1 else f"{count:,} units"


def rounds(count: int) -> str:
    """So many rounds."""
    return "1 round" if count == 1 else f"{count:,} rounds"


def counted(count: int, one: str, many: str = "") -> str:
    """So many of something; without a plural it ends in s."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or f'{one}s'}"


def listed(names: list[str], most: int = 4) -> str:
    """Names in a row: "amber, blue and 3 more"."""
    if len(names) <= most:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def phase_words(state: RunState) -> str:
    """Say what the run does now, and what it waits for."""
    round = state.round
    match state.phase:
        case Phase.UNINITIALIZED:
            return "has not begun"
        case Phase.WAITING_FOR_MEMBERS:
            return _waiting(state)
        case Phase.WARMUP:
            loading = [_said_name(member) for member in state.here() if member.health is Health.JOINING]
            had = f"{len(state.healthy())} of {len(state.here())}"
            return f"members load the model: {had} have it" + (f", not {listed(loading)}" if loading else "")
        case Phase.ROUND_TRAIN if round is not None:
            return f"trains round {round.number:,}"
        case Phase.ROUND_WITNESS if round is not None:
            return f"witnesses look at round {round.number:,}"
        case Phase.COOLDOWN:
            return f"a checkpoint of round {state.last:,} is made"
        case Phase.PAUSED:
            return "paused by its owner"
        case Phase.FINISHED:
            return "finished"
        case _:
            return "between two rounds"


def _waiting(state: RunState) -> str:
    """Say how many have to come before a run begins or goes on, and which rule says so."""
    here = len(state.here())
    first = state.epoch == 0 or not state.healthy()
    name = "init_min_clients" if first else "min_clients"
    wanted = state.config.init_min_clients if first else state.config.min_clients
    if here >= wanted:
        enough = f"waits for members: {here} are here, {wanted} are enough"
        return f"{enough}; others have a moment to come as well (waiting_for_members_extra_time)"
    more = "another has" if wanted - here == 1 else f"{wanted - here} more have"
    goes_on = "goes on" if state.epoch else "begins"
    return f"waits for members: {here} of {wanted} are here; it {goes_on} when {more} joined ({name})"


def _said_name(member: Member) -> str:
    return one_line(member.said.name, NAME_LETTERS) or short(member.author)


def why(text: str) -> str:
    """What a verifier wrote, fit for a line."""
    return one_line(text, WHY_LETTERS)


def ruling(name: str, round: int, case: Case, reasons: list[str]) -> str:
    """Say how an audit ended that was not passed."""
    about = f"the audit of {name}, round {round:,},"
    match case.outcome:
        case Outcome.FAILED:
            found = [verdict.score for verdict in case.verdicts if not verdict.honest]
            scores = ", ".join(f"{score:.3f}" for score in found)
            told = f": {reasons[0]}" if reasons else ""
            return f"{about} failed: {counted(len(found), 'verifier')} found another update (likeness {scores}){told}"
        case Outcome.UNANSWERED:
            return f"{about} was not answered in time; the next one must be"
        case Outcome.REFUSED:
            return f"{about} was refused: its work does not count until it passes one"
        case Outcome.UNDECIDED:
            return f"{about} was laid down: there were too few verifiers, or too late"
        case _:
            return f"{about} was passed"
