"""The rule of reading, without a chain: whatever arrives in whatever order, readers agree, and never on a wrong entry."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.keys import Identity
from quiltwork.log import EMPTY, Entry, Head
from quiltwork.log.kinds import encode
from quiltwork.log.solana import Rule
from quiltwork.log.solana import fold as fold_module
from quiltwork.log.solana.batch import pack
from quiltwork.log.solana.fold import PART_COSTS, Fold
from quiltwork.log.solana.parts import Part, split
from quiltwork.log.writer import sign_on
from tests.log.speech import ALICE, BOB, MALLORY, Noted

RULE = Rule("test")


def noise(number: int, length: int = 300) -> bytes:
    return random.Random(number).randbytes(length)


def batch(
    base: Head = EMPTY, *numbers: int, identity: Identity = ALICE, rule: Rule = RULE, payload: int = 100
) -> tuple[tuple[Entry, ...], Sequence[Part]]:
    """Entries built on a head, and their parts, several for each."""
    encoded = [encode(Noted(number=number, data=noise(number))) for number in numbers]
    entries = sign_on(identity, base, 1, encoded)
    return entries, split(pack(entries), rule.id, base, payload)


def head_of(entries: Sequence[Entry]) -> Head:
    return Head(entries[-1].seq + 1, entries[-1].hash)


def folded(fold: Fold, parts: Iterable[Part]) -> list[Entry]:
    return [entry for part in parts for entry in fold.apply(part)]


# Every history of a small world: four batches of two writers on two heads, their parts, and what strangers make of them.

ONE, ONE_PARTS = batch(EMPTY, 1, 2)
RIVAL, RIVAL_PARTS = batch(EMPTY, 3, identity=BOB)
TWO, TWO_PARTS = batch(head_of(ONE), 4, 5)
AFTER_RIVAL, AFTER_RIVAL_PARTS = batch(head_of(RIVAL), 6, identity=BOB)
HONEST = [*ONE_PARTS, *RIVAL_PARTS, *TWO_PARTS, *AFTER_RIVAL_PARTS]
ALLOWED = [list(chain) for chain in ([], ONE, RIVAL, (*ONE, *TWO), (*RIVAL, *AFTER_RIVAL))]


@st.composite
def twisted(draw: st.DrawFn) -> Part:
    """An honest part with something else in one of its fields."""
    part = draw(st.sampled_from(HONEST))
    field = draw(st.sampled_from(["tag", "base", "batch", "index", "number", "next", "payload"]))
    other = getattr(draw(st.sampled_from(HONEST)), field)
    made = {
        "tag": st.binary(min_size=8, max_size=8),
        "batch": st.binary(min_size=16, max_size=16),
        "next": st.binary(min_size=16, max_size=16),
        "payload": st.binary(min_size=1, max_size=120),
    }.get(field, st.integers(1, 40))
    part = part._replace(**{field: draw(st.just(other) | made)})
    return part if part.index < part.number else part._replace(index=part.number - 1)


BATCHES = st.sampled_from([ONE_PARTS, RIVAL_PARTS, TWO_PARTS, AFTER_RIVAL_PARTS]).flatmap(st.permutations)
SINGLE = st.sampled_from(HONEST) | twisted()
HISTORIES = st.lists(BATCHES | SINGLE.map(lambda part: [part]), max_size=20).map(
    lambda runs: [p for r in runs for p in r]
)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_no_order_loss_duplicate_or_forgery_gives_an_entry_that_nobody_wrote(history: list[Part]) -> None:
    assert folded(Fold(RULE), history) in ALLOWED


@settings(max_examples=50, deadline=None)
@given(st.permutations(ONE_PARTS), st.lists(twisted(), max_size=20), st.randoms())
def test_what_strangers_post_between_the_parts_of_a_batch_does_not_stop_it(
    parts: list[Part], strange: list[Part], dice: random.Random
) -> None:
    strange = [part for part in strange if part not in HONEST]
    history = [*parts, *parts[:3], *strange]
    dice.shuffle(history)
    assert folded(Fold(RULE), history) == list(ONE)


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.data())
def test_readers_that_begin_at_different_times_agree(history: list[Part], data: st.DataObject) -> None:
    whole = Fold(RULE)
    entries: list[Entry] = []
    begun: list[tuple[Fold, list[Entry]]] = []
    for part in history:
        if data.draw(st.integers(0, 9)) == 0:
            begun.append((whole.copy(), list(entries)))  # one who goes on from all that is known
            if whole.idle:
                begun.append((Fold(RULE, whole.head), list(entries)))  # one who kept the head alone, as a cache does
        for fold, seen in begun:
            seen.extend(fold.apply(part))
        entries.extend(whole.apply(part))
    assert all(seen == entries and fold.head == whole.head for fold, seen in begun)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_batch_counts_whole_or_not_at_all_whoever_comes_between(seed: int) -> None:
    """Two writers' parts interleaved, each in any order: whoever is complete first wins, with all of its entries."""
    dice = random.Random(seed)
    history = [*ONE_PARTS, *RIVAL_PARTS]
    dice.shuffle(history)
    ends = {part.batch: place for place, part in enumerate(history)}  # the place of a batch's last part
    first = min((ONE, ONE_PARTS), (RIVAL, RIVAL_PARTS), key=lambda each: ends[each[1][0].batch])[0]
    assert folded(Fold(RULE), history) == list(first)


def test_a_batch_that_is_completed_after_another_has_won_never_counts() -> None:
    fold = Fold(RULE)
    assert folded(fold, ONE_PARTS[:-1]) == []
    assert folded(fold, RIVAL_PARTS) == list(RIVAL)
    assert fold.idle, "what was built on the head before is forgotten at once"
    assert folded(fold, ONE_PARTS) == []
    assert fold.idle
    assert fold.head == head_of(RIVAL)


def test_a_batch_posted_before_its_base_is_there_never_counts() -> None:
    """Nobody honest can: the base was on the chain before the batch could be signed. So nothing is kept for later."""
    fold = Fold(RULE)
    assert folded(fold, TWO_PARTS) == []
    assert fold.idle
    assert folded(fold, ONE_PARTS) == list(ONE)
    assert folded(fold, [*TWO_PARTS[:-1]]) == []
    assert folded(fold, TWO_PARTS[-1:]) == list(TWO)


def test_a_batch_for_another_head_of_the_same_length_does_not_count() -> None:
    fold = Fold(RULE)
    assert folded(fold, RIVAL_PARTS) == list(RIVAL)
    _, parts = batch(head_of(ONE)._replace(length=1), 7)
    assert folded(fold, parts) == []


def test_a_batch_of_another_log_does_not_count() -> None:
    _, parts = batch(EMPTY, 1, rule=Rule("other"))
    same_tag = [part._replace(tag=RULE.id[:8]) for part in parts]
    assert folded(Fold(RULE), [*parts, *same_tag]) == []


# Who may write


def test_in_a_signed_log_an_entry_without_its_authors_signature_does_not_count() -> None:
    (one, two), _ = batch(EMPTY, 1, 2)
    forged = Entry(two.seq, two.prev, two.time, two.author, two.kind, two.body, MALLORY.sign(two.hash))
    unsigned = Rule("test", signed=False)
    for rule, counted in ((RULE, []), (unsigned, [one, forged])):
        parts = split(pack([one, forged]), rule.id, EMPTY, 100)
        assert folded(Fold(rule), parts) == counted


def test_in_a_log_that_names_its_authors_nobody_else_counts() -> None:
    rule = Rule("test", authors=(ALICE.author, BOB.author))
    fold = Fold(rule)
    _, parts = batch(EMPTY, 1, identity=MALLORY, rule=rule)
    assert folded(fold, parts) == []
    entries, parts = batch(EMPTY, 1, identity=BOB, rule=rule)
    assert folded(fold, parts) == list(entries)


# What strangers can fill


def held(fold: Fold) -> int:
    """What the parts in its memory hold, counted anew."""
    return sum(
        sum(map(len, pending.linked)) + sum(len(part.payload) for part in pending._loose.values())
        for pending in fold._pending.values()
    )


def flood(count: int, number: int = 9) -> Iterable[Part]:
    """Parts in the middle of batches that nobody will complete."""
    for each in range(count):
        yield Part(RULE.id[:8], 0, each.to_bytes(16, "big"), 1, number, bytes(16), noise(each, 700))


def test_unfinished_batches_take_bounded_memory_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MAX_PENDING_BYTES", 100 * (700 + PART_COSTS))
    fold = Fold(RULE)
    assert folded(fold, ONE_PARTS[:-1]) == []
    assert folded(fold, flood(1_000)) == []
    assert len(fold._pending) == 100
    assert held(fold) <= fold_module.MAX_PENDING_BYTES
    assert fold._bytes == 100 * (700 + PART_COSTS)
    assert folded(fold, ONE_PARTS[-1:]) == [], "its first parts were forgotten"
    assert folded(fold, ONE_PARTS) == list(ONE), "but it may be posted again"
    assert fold._bytes == 0


def test_a_flood_into_one_batch_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MAX_PENDING_BYTES", 100 * (700 + PART_COSTS))
    fold = Fold(RULE)
    contradictions = [part._replace(batch=ONE_PARTS[0].batch, number=len(ONE_PARTS)) for part in flood(1_000)]
    for part in contradictions:
        fold.apply(part)
        assert held(fold) <= fold_module.MAX_PENDING_BYTES
    assert folded(fold, ONE_PARTS) == list(ONE)


def test_a_flood_of_one_part_batches_leaves_nothing_behind() -> None:
    fold = Fold(RULE)
    for number in range(200):
        (spam,) = split(noise(number, 700), RULE.id, EMPTY, 700)
        assert fold.apply(spam) == ()
    assert fold.idle
    assert fold._bytes == 0


def test_what_contradicts_a_proven_part_is_dropped_at_sight() -> None:
    fold = Fold(RULE)
    folded(fold, ONE_PARTS[:2])
    before = fold._bytes
    for index in range(3):
        assert fold.apply(ONE_PARTS[index]._replace(payload=b"something else")) == ()
    assert fold._bytes == before


def test_a_part_is_held_until_it_is_of_no_use() -> None:
    fold = Fold(RULE)
    folded(fold, [ONE_PARTS[0], ONE_PARTS[2]])
    assert [fold.holds(part) for part in ONE_PARTS[:4]] == [True, False, True, False]
    folded(fold, RIVAL_PARTS)
    assert not fold.holds(ONE_PARTS[0])


def test_a_copy_goes_its_own_way() -> None:
    fold = Fold(RULE)
    folded(fold, ONE_PARTS[:-1])
    copy = fold.copy()
    assert folded(copy, RIVAL_PARTS) == list(RIVAL)
    assert folded(fold, ONE_PARTS[-1:]) == list(ONE)
