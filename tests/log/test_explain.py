from __future__ import annotations

import msgspec
import pytest

from quiltwork.log import EMPTY, Body, Broken, Links, MemoryLog, Writer, kind
from quiltwork.log.explain import EntryNotFound, Reason, explain
from quiltwork.log.statement import Refused
from tests.log.speech import ALICE, MALLORY, Said, begun, relay, say, speaker


@kind("speech.claimed", 1)
class Claimed(Body, frozen=True):
    claim: int
    grounds: tuple[int, ...] = ()
    proof: str = ""

    def links(self) -> Links:
        rests_on = {f"claim {ground}": "ground" for ground in self.grounds}
        return Links(f"claim {self.claim}", rests_on, {"proof": self.proof} if self.proof else {})


def log_of(*bodies: Body) -> MemoryLog:
    log = MemoryLog()
    for body in bodies:
        Writer(log, ALICE).append(body)
    return log


def seqs(reason: Reason) -> list[int]:
    return [told.entry.seq for told in reason.told]


def test_an_entry_rests_on_the_earlier_ones_about_its_subject_and_on_its_grounds() -> None:
    log = log_of(Claimed(1), Said("aside"), Claimed(2, (1,)), Claimed(2), Claimed(1), Claimed(2))
    found = explain(log, "3")
    assert found.entry.seq == 3
    assert found.head == log.head()
    assert (found.reason.about, seqs(found.reason)) == ("claim 2", [2, 3])
    (ground,) = found.reason.because
    assert (ground.about, ground.part, seqs(ground)) == ("claim 1", "ground", [0])


def test_what_came_after_an_entry_is_no_reason_for_it() -> None:
    log = log_of(Claimed(2, (1,)), Claimed(1), Claimed(2))
    (ground,) = explain(log, "2").reason.because
    assert ground.told == []
    assert ground.left_out == "no entry before 0 tells of it"


def test_an_entry_is_found_by_the_beginning_of_its_hash() -> None:
    log = log_of(Claimed(1), Claimed(2))
    for entry in log.read():
        assert explain(log, entry.hash.hex()[:12].upper()).entry == entry


@pytest.mark.parametrize("name", ["2", "-1", "", "abc", "zzzzzzzz", "99999999999999999999", "½", "1.0"])
def test_what_names_no_entry_is_said_clearly(name: str) -> None:
    with pytest.raises(EntryNotFound, match=r"it has 2 entries.*at least 6 digits"):
        explain(log_of(Claimed(1), Claimed(2)), name)


def test_the_walk_ends_at_the_depth_asked_for() -> None:
    log = log_of(*[Claimed(number, (number - 1,) if number else ()) for number in range(5)])
    reason, depths = explain(log, "4", depth=2).reason, 0
    while reason.because:
        (reason,) = reason.because
        depths += 1
    assert depths == 3
    assert reason.left_out == "not followed: ask for a greater depth"


def test_a_subject_is_told_once() -> None:
    log = log_of(Claimed(1), Claimed(2, (1,)), Claimed(3, (1, 2)))
    one, two = explain(log, "2").reason.because
    assert (one.left_out, two.left_out) == ("", "")
    assert two.because[0].left_out == "told elsewhere in this tree"


def test_claims_that_rest_on_each_other_end_the_walk() -> None:
    log = log_of(Claimed(1, (2,)), Claimed(2, (1,)), Claimed(1, (2, 1)))
    assert explain(log, "2", depth=100).reason.because[0].because[0].left_out == "told elsewhere in this tree"


def test_an_entry_about_nothing_stands_alone() -> None:
    reason = explain(log_of(Claimed(1), Said("aside")), "1").reason
    assert (reason.about, seqs(reason), reason.because) == ("", [1], [])


def test_a_broken_chain_explains_nothing() -> None:
    log = log_of(Claimed(1), Claimed(2, (1,)))
    log._entries[0] = msgspec.structs.replace(log._entries[0], time=0)
    with pytest.raises(Broken, match="entry 1"):
        explain(log, "1")


def test_a_forged_reason_explains_nothing() -> None:
    entries = list(log_of(Claimed(1), Claimed(2, (1,))).read())
    log = MemoryLog()
    log.append([msgspec.structs.replace(entries[0], signature=MALLORY.sign(entries[0].hash)), entries[1]], EMPTY)
    say(log, "unconcerned")
    with pytest.raises(Broken, match=r"entry 0: its signature"):
        explain(log, "1")
    assert explain(log, "2").entry.seq == 2


def test_a_relayed_claim_is_told_as_what_it_says_and_who_said_it() -> None:
    log = begun()
    relay(log, *speaker(log).say(Claimed(1), Claimed(2, (1,))))
    reason = explain(log, "2").reason
    (told,) = reason.told
    assert (reason.about, told.said.author, told.entry.author) == ("claim 2", MALLORY.author, ALICE.author)
    assert [each.about for each in reason.because] == ["claim 1"]


def test_a_claim_that_is_not_heard_is_no_reason_for_another() -> None:
    log = begun()
    one, two, three = speaker(log).say(Claimed(1), Claimed(2, (1,)), Claimed(1))
    relay(log, one, three, two, one)
    (told,) = explain(log, "3").reason.told
    assert isinstance(told.body, Refused)
    say(log, "aside")
    relay(log, *speaker(log, first_number=4).say(Claimed(4, (2,))))
    (ground,) = explain(log, "6").reason.because
    assert ground.left_out == "no entry before 6 tells of it"


def test_a_forged_statement_explains_nothing() -> None:
    log = begun()
    (one,) = speaker(log).say(Claimed(1))
    relay(log, msgspec.structs.replace(one, time=0))
    with pytest.raises(Broken, match=r"entry 1: .*its signature"):
        explain(log, "1")
