"""`SolanaLog` from end to end, over HTTP and the real memo program: rivals, strangers, bad weather, money."""

from __future__ import annotations

import random
import threading

import msgspec
import pytest

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import EMPTY, Broken, Conflict, Entry, Head, LogUnavailable, MemoryLog, Writer, verify
from quiltwork.log.solana import BatchTooLarge, Fees, Pace, Payer, Rule, SolanaLog, courier
from quiltwork.log.solana.parts import MAX_PARTS, PREFIX
from quiltwork.log.solana.wire import LAMPORTS_PER_SIGNATURE, PACKET_BYTES
from tests.log.solana.chain import BLOCKHASH_LIVES
from tests.log.solana.conftest import PAYER, RICH, Open, ask
from tests.log.solana.posting import STRANGER, draft_parts, post, post_anything, post_parts
from tests.log.solana.rpc import Cluster
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, say

RENT = 890_880
"""Lamports that an account must keep, or give away as a whole."""

HURRIED = Pace(slot_s=0.001, backoff_s=0.001, timeout_s=0.3)


def noted(number: int, length: int) -> Noted:
    return Noted(data=random.Random(number).randbytes(length))


# Rivals


def test_of_two_writers_on_one_head_one_wins_and_the_other_hears_it(own: Cluster, opened: Open) -> None:
    logs = [opened(own), opened(own)]
    outcomes: list[Head | Conflict] = []
    ready = threading.Barrier(2)

    def append(log: SolanaLog, entries: list[Entry]) -> None:
        log.head()
        ready.wait()
        try:
            outcomes.append(log.append(entries, EMPTY))
        except Conflict as conflict:
            outcomes.append(conflict)

    drafts = [[*say(MemoryLog(), name, "and more", identity=who)] for name, who in (("red", ALICE), ("blue", BOB))]
    threads = [threading.Thread(target=append, args=each) for each in zip(logs, drafts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Head)]
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert lost.expected == EMPTY
    assert lost.found == won
    assert [*logs[0].read()] == [*logs[1].read()] == next(draft for draft in drafts if draft[-1].hash == won.hash)


def test_a_rival_between_the_parts_of_a_batch_wins_alone(own: Cluster, opened: Open) -> None:
    log = opened(own)
    say(log, "base")
    slow, slow_parts = draft_parts(log, 4)
    fast, fast_parts = draft_parts(log, 3, identity=BOB)
    post(own, log, [slow_parts[2].memo, fast_parts[2].memo, slow_parts[0].memo, fast_parts[0].memo, slow_parts[3].memo])
    assert log.head().length == 1
    post(own, log, [fast_parts[1].memo, slow_parts[1].memo])
    assert [*log.read(1)] == [*opened(own).read(1)] == [*fast]
    say(log, "goes on")
    post(own, log, [part.memo for part in slow_parts])
    assert [entry.author for entry in opened(own).read()] == [ALICE.author, BOB.author, BOB.author, ALICE.author]
    assert slow[0] not in [*log.read()]


def test_a_writer_stops_paying_when_a_rival_has_won(
    own: Cluster, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "IN_FLIGHT", 4)
    monkeypatch.setattr("quiltwork.log.solana.log.IN_FLIGHT", 4)
    log, rival = opened(own), opened(own)
    deliver = log._courier.deliver  # type: ignore[union-attr]
    waves = []

    def interrupted(memos: list[str]) -> int:
        waves.append(len(memos))
        if len(waves) == 2:
            say(rival, "faster")
        return deliver(memos)

    monkeypatch.setattr(log._courier, "deliver", interrupted)
    with pytest.raises(Conflict, match="expected 0 entries, found 1"):
        Writer(log, ALICE).append(noted(1, 20_000))
    assert waves == [4, 4]
    assert log.head().length == 1


def test_all_entries_of_a_batch_are_there_at_once(own: Cluster, opened: Open) -> None:
    log, reader = opened(own), opened(own, payer=None)
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(reader.head().length)

    watcher = threading.Thread(target=watch)
    watcher.start()
    Writer(log, ALICE).append(*[noted(number, 2_000) for number in range(5)])
    done.set()
    watcher.join()
    assert {*seen, reader.head().length} == {0, 5}


# Strangers


def test_what_strangers_post_at_the_address_changes_nothing(own: Cluster, opened: Open) -> None:
    log = opened(own)
    entries, parts = draft_parts(log, 3)
    memo = parts[0].memo.encode()
    for instructions in (
        [],
        [(2, b"")],
        [(0, b"gm")],
        [(0, b"\xff\xfe")],
        [(0, memo[:400]), (0, parts[1].memo[:400].encode())],
        [(1, PREFIX.encode())],
        [(0, parts[0]._replace(number=MAX_PARTS, payload=b"x").memo.encode())],
        [(0, parts[0]._replace(index=1, payload=b"x").memo.encode())],
        [(0, parts[0]._replace(payload=b"x").memo.encode())],
        [(0, parts[2]._replace(payload=b"x" * 600).memo.encode())],
        [(0, parts[0]._replace(base=2**62, payload=b"x").memo.encode())],
    ):
        post_anything(own, log, instructions)
    assert len(own.chain.rows) >= 9, "what failed is on the chain as well"
    assert log.head() == EMPTY
    post(own, log, [part.memo for part in reversed(parts)], payer=PAYER)
    assert [*log.read()] == [*opened(own).read()] == [*entries]


def test_a_part_counts_whoever_pays_for_it(own: Cluster, opened: Open) -> None:
    log = opened(own)
    entries, parts = post_parts(own, log, 3, leave_out=[1])
    ask(own, "requestAirdrop", STRANGER.address, RICH)
    post(own, log, [parts[1].memo], payer=STRANGER)
    assert [*log.read()] == [*entries]


def test_an_entry_that_its_author_did_not_sign_is_refused_and_does_not_count(own: Cluster, opened: Open) -> None:
    log = opened(own)
    one, two = say(MemoryLog(), "one", "two")
    forged = msgspec.structs.replace(two, signature=MALLORY.sign(two.hash))
    with pytest.raises(Broken, match=r"entry 1.*signature"):
        log.append([one, forged], EMPTY)
    assert own.node().asked["sendTransaction"] == 0
    assert log.append([one, two], EMPTY).length == 2
    assert verify(log).count == 2


def test_only_named_authors_may_write_and_whoever_else_is_told_before_paying(own: Cluster, opened: Open) -> None:
    log = opened(own, Rule("closed", authors=(ALICE.author,)))
    with pytest.raises(Broken, match="not among the expected authors"):
        say(log, "let me in", identity=MALLORY)
    say(log, "mine")
    assert own.node().asked["sendTransaction"] == 1
    assert verify(log, authors={ALICE.author}).count == 1


# Bad weather


def test_transactions_that_are_lost_are_posted_again(own: Cluster, opened: Open) -> None:
    own.weather.loss = 0.5
    log = opened(own)
    entries = Writer(log, ALICE).append(noted(1, 20_000))
    own.weather.loss = 0.0
    assert [*opened(own).read()] == [*entries]
    assert own.node().asked["sendTransaction"] > len(own.chain.rows) == log.estimate(entries).transactions


def test_parts_arrive_late_and_in_any_order(own: Cluster, opened: Open) -> None:
    own.weather.delay, own.weather.shuffled = 20, True
    log = opened(own)
    entries = Writer(log, ALICE).append(noted(1, 50_000))
    assert [*opened(own).read()] == [*entries]


def test_a_transaction_that_grew_too_old_is_signed_anew(own: Cluster, opened: Open) -> None:
    own.weather.loss = 1.0
    log = opened(own)
    waited = own.node().asked

    def clear_up() -> None:
        while waited["getBlockHeight"] <= BLOCKHASH_LIVES:
            threading.Event().wait(0.001)
        own.weather.loss = 0.0

    sun = threading.Thread(target=clear_up)
    sun.start()
    say(log, "one")
    sun.join()
    assert waited["getLatestBlockhash"] >= 2
    assert log.head().length == 1


def test_what_landed_but_is_no_longer_remembered_is_not_paid_for_twice(own: Cluster, opened: Open) -> None:
    """Nodes remember the status of the last 150 slots; who could not ask in time must have them search."""
    own.node().forgetful = True
    log = opened(own)
    entries = Writer(log, ALICE).append(noted(1, 3_000))
    assert len(own.chain.rows) == log.estimate(entries).transactions
    assert own.node().asked["getLatestBlockhash"] == 1


def test_a_transaction_that_never_arrives_is_given_up_with_what_to_do(own: Cluster, opened: Open) -> None:
    own.weather.loss = 1.0
    log = opened(own, pace=HURRIED)
    with pytest.raises(
        LogUnavailable, match=r"1 transactions were not confirmed within 0.3 s.*look at the head before"
    ):
        say(log, "one")
    own.weather.loss = 0.0
    say(log, "two")
    assert log.head().length == 1


def test_an_append_that_was_cut_off_goes_on_where_it_was(own: Cluster, opened: Open) -> None:
    log = opened(own)
    entries, _ = post_parts(own, log, 5, leave_out=[1, 3])
    before = len(own.chain.rows)
    assert log.append(entries, EMPTY).length == 2
    assert len(own.chain.rows) - before == 2
    assert [*log.read()] == [*entries]


def test_a_transaction_that_is_known_already_is_a_success(own: Cluster, opened: Open) -> None:
    """The answer to the first try was lost, so the same bytes are sent again."""
    log = opened(own)
    ask_once = log._nodes.calls

    def twice(method: str, many: object) -> object:
        asked = list(many)  # type: ignore[call-overload]
        ask_once(method, asked)
        ask(own, "getBlockHeight", {})
        return ask_once(method, asked)

    log._nodes.calls = twice  # type: ignore[method-assign, assignment]
    say(log, "one")
    assert log.head().length == 1
    assert len(own.chain.rows) == 1
    assert own.node().asked["sendTransaction"] == 2


def test_an_rpc_that_fails_in_the_middle_of_an_append_loses_nothing(own: Cluster, opened: Open) -> None:
    log = opened(own, nodes="ab", pace=Pace(slot_s=0.001, backoff_s=0.01, timeout_s=60.0))
    stop = threading.Event()

    def shake() -> None:
        dice = random.Random(1)
        while not stop.wait(0.002):
            own.node("a").down = dice.random() < 0.5
            own.node("b").busy = dice.randrange(3)
        own.node("a").down = False

    trouble = threading.Thread(target=shake)
    own.node("b")
    trouble.start()
    try:
        written = [Writer(log, ALICE).append(noted(number, 5_000)) for number in range(5)]
    finally:
        stop.set()
        trouble.join()
    assert [*opened(own).read()] == [entry for entries in written for entry in entries]


@pytest.mark.parametrize(("writers", "appends"), [(3, 3), pytest.param(6, 12, marks=pytest.mark.slow)])
def test_machines_that_write_at_once_in_bad_weather_agree_on_what_was_said(
    own: Cluster, opened: Open, writers: int, appends: int
) -> None:
    """What `append` returned for is there, whole and once; what met a conflict is not."""
    own.weather.loss, own.weather.delay, own.weather.shuffled = 0.2, 3, True
    logs = [opened(own, nodes=nodes) for nodes in ["ab", "ba", "a", "b", "ab", "ba"][:writers]]
    said: list[Entry] = []
    lost: list[Entry] = []

    def insist(log: SolanaLog, number: int) -> None:
        identity = Identity.from_seed(bytes([number]) * 32)
        dice = random.Random(number)
        for _ in range(appends):
            size, done = dice.choice([10, 700, 3_000]), False
            while not done:
                head = log.head()
                draft = MemoryLog()
                draft._head = head
                entries = Writer(draft, identity).append(noted(dice.randrange(2**32), size), Said("and"))
                try:
                    log.append(entries, head)
                except Conflict:
                    lost.extend(entries)
                else:
                    said.extend(entries)
                    done = True

    threads = [threading.Thread(target=insist, args=(log, number)) for number, log in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list(opened(own, payer=None).read())
    assert sorted(entries, key=lambda entry: entry.seq) == sorted(said, key=lambda entry: entry.seq)
    assert len(entries) == writers * appends * 2
    assert not {entry.hash for entry in lost} & {entry.hash for entry in entries}
    assert all(list(log.read()) == entries for log in logs)
    assert verify(opened(own)).count == len(entries)


# Money


def test_the_estimate_is_what_an_append_takes(own: Cluster, opened: Open) -> None:
    for fees in (Fees(), Fees(price=2_000_000, units=20_000)):
        log = opened(own, fees=fees)
        for size in (0, 700, 10_000):
            head, posted, balance = log.head(), len(own.chain.rows), own.chain.balance(PAYER.address)
            draft = MemoryLog()
            draft._head = head
            entries = Writer(draft, ALICE).append(noted(1, size), Said("and"))
            estimate = log.estimate(entries)
            log.append(entries, head)
            assert len(own.chain.rows) - posted == estimate.transactions
            assert balance - own.chain.balance(PAYER.address) == estimate.lamports
    assert log.estimate([]) == (0, 0)
    transactions, lamports = opened(own, payer=None).estimate(entries)
    assert lamports == transactions * LAMPORTS_PER_SIGNATURE
    assert transactions < estimate.transactions, "what fees are said with takes room"
    assert max(len(row.wire) for row in own.chain.rows) <= PACKET_BYTES


def test_a_payer_without_money_is_told(own: Cluster, opened: Open) -> None:
    poor = Payer.from_seed(b"0" * 32)
    with pytest.raises(LogUnavailable, match=f"{poor.address} cannot pay for a transaction: give it some SOL"):
        say(opened(own, payer=poor), "one")
    ask(own, "requestAirdrop", poor.address, RENT + 3 * LAMPORTS_PER_SIGNATURE)
    assert say(opened(own, payer=poor), "one")
    with pytest.raises(LogUnavailable, match="cannot pay"):
        Writer(opened(own, payer=poor), ALICE).append(noted(1, 5_000))
    assert len(own.chain.rows) == 3


def test_a_memo_that_the_program_refuses_is_told(own: Cluster, opened: Open) -> None:
    log = opened(own, fees=Fees(units=300))
    with pytest.raises(
        LogUnavailable, match=r"refuses a transaction: .*simulation failed.*ProgramFailedToComplete|Computational"
    ):
        say(log, "x" * 200)


def test_a_log_without_a_payer_is_for_reading(own: Cluster, opened: Open) -> None:
    say(opened(own), "one")
    log = opened(own, payer=None)
    with pytest.raises(LogUnavailable, match="opened without a payer, for reading only"):
        say(log, "two")
    assert verify(log).count == 1


def test_an_append_that_is_too_large_is_refused_before_anything_is_paid(own: Cluster, opened: Open) -> None:
    writer = Writer(opened(own), ALICE)
    with pytest.raises(BatchTooLarge):
        writer.append(*[noted(number, 1_000_000) for number in range(17)])
    assert own.node().asked["sendTransaction"] == 0


def test_a_commitment_that_cannot_be_listed_is_refused(own: Cluster, opened: Open) -> None:
    with pytest.raises(UserError, match="confirmed or finalized, not 'processed'"):
        opened(own, commitment="processed")


# Size


def test_an_entry_of_noise_takes_as_many_transactions_as_it_must(own: Cluster, opened: Open) -> None:
    log = opened(own)
    entries = Writer(log, ALICE).append(noted(1, 110_000))
    assert len(own.chain.rows) == log.estimate(entries).transactions == 144
    assert [*opened(own).read()] == [*entries]


@pytest.mark.slow
def test_the_largest_entry_of_noise_survives(own: Cluster, opened: Open) -> None:
    log = opened(own)
    entries = Writer(log, ALICE).append(noted(1, 1_000_000))
    assert len(own.chain.rows) == log.estimate(entries).transactions == 1_303
    assert [*opened(own).read()] == [*entries]
