"""Nodes that are busy, down, behind, forgetful or strange: what is asked again, of whom, and what the user hears in the end."""

from __future__ import annotations

import pytest

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, LogUnavailable
from quiltwork.log.solana import Rule, SolanaLog, listing, rpc
from quiltwork.log.solana.rpc import TRIES, Node, NodeDown, Nodes, Refused
from tests.log.solana.conftest import PACE, Open, ask, settle
from tests.log.solana.rpc import Cluster
from tests.log.speech import say

# Patience


def test_a_node_that_asks_for_fewer_requests_is_asked_again(own: Cluster, opened: Open) -> None:
    log = opened(own)
    for _ in range(5):
        own.node().busy = 2
        say(log, "said")
    assert log.head().length == 5


def test_a_node_is_given_up_after_some_tries(own: Cluster) -> None:
    nodes = Nodes([own.url_of()], PACE)
    own.node().busy = TRIES - 1
    assert nodes.call("getBlockHeight", {}) > 0
    own.node().busy = 10**6
    before = own.node().asked["getBlockHeight"]
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:\d+ asks for fewer requests \(429\)\. Try again later"):
        nodes.call("getBlockHeight", {})
    assert own.node().asked["getBlockHeight"] - before == TRIES * rpc.ROUNDS
    nodes.close()


def test_the_wait_that_a_node_asks_for_is_kept_but_not_beyond_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("quiltwork.log.solana.rpc.time.sleep", waits.append)
    asked = iter(["7", "3600", "soon"])
    node = Node("http://node.example", client=None, pace=rpc.Pace())  # type: ignore[arg-type]

    def too_many(method: str, params: object) -> object:
        raise rpc._Later("429", rpc._seconds(next(asked, "")))

    monkeypatch.setattr(node, "_ask", too_many)
    with pytest.raises(NodeDown):
        node.call("getBlockHeight")
    assert waits == [7.0, rpc.LONGEST_WAIT_S, 2.0]


@pytest.mark.parametrize("trouble", ["down", "garbage"])
def test_when_one_node_fails_another_is_asked_and_stays_the_first(own: Cluster, opened: Open, trouble: str) -> None:
    log = opened(own, nodes="ab")
    say(log, "one")
    assert not own.node("b").asked
    setattr(own.node("a"), trouble, True)
    say(log, "two")
    before = own.node("a").asked.copy()
    say(log, "three")
    assert own.node("a").asked == before
    assert log.head().length == 3


def test_when_all_nodes_fail_the_user_hears_it_and_nothing_is_lost(own: Cluster, opened: Open) -> None:
    log = opened(own, nodes="ab")
    say(log, "one")
    own.node("a").down = own.node("b").down = True
    with pytest.raises(LogUnavailable, match=r"No node serves this log now, last: 127.0.0.1:.*status 503"):
        log.head()
    own.node("a").down = own.node("b").down = False
    say(log, "two")
    assert log.head().length == 2


def test_a_node_that_is_not_there_is_said_clearly(opened: Open) -> None:
    log = SolanaLog("http://127.0.0.1:9/secret-key", Rule("x"), pace=PACE)
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:9 cannot be reached \(ConnectError\)") as error:
        log.head()
    assert "secret-key" not in str(error.value)
    log.close()


@pytest.mark.parametrize("url", ["", "node.example", "ftp://node.example", "http://", "http://[::1"])
def test_a_url_that_is_none_is_refused_without_being_printed(url: str) -> None:
    with pytest.raises(UserError, match="begins with http:// or https://"):
        SolanaLog(url, Rule("x"))
    with pytest.raises(UserError, match="at least one"):
        SolanaLog([], Rule("x"))


def test_a_method_that_a_node_does_not_serve_is_asked_of_another(own: Cluster) -> None:
    nodes = Nodes([own.url_of()], PACE)
    with pytest.raises(LogUnavailable, match="does not serve getFaster"):
        nodes.call("getFaster")
    nodes.close()


def test_a_refusal_is_not_asked_again(own: Cluster) -> None:
    nodes = Nodes([own.url_of()], PACE)
    with pytest.raises(LogUnavailable, match=r"refuses what was asked: Invalid limit; max 1000 \(-32602\)"):
        nodes.call("getSignaturesForAddress", "x", {"limit": 1_001, "commitment": "confirmed"})
    assert own.node().asked["getSignaturesForAddress"] == 1
    asked = [["x", {"limit": limit, "commitment": "confirmed"}] for limit in (1, 0, 2)]
    first, second, third = nodes.calls("getSignaturesForAddress", asked)
    assert first == third == []
    assert isinstance(second, Refused)
    nodes.close()


def test_an_answer_without_end_is_cut_off(own: Cluster, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(own)
    say(log, "one")
    monkeypatch.setattr(rpc, "MAX_REPLY_BYTES", 100)
    with pytest.raises(LogUnavailable, match="answers getSignaturesForAddress without end"):
        log.head()


# Old rows


def test_a_log_of_many_pages_is_read_in_order(own: Cluster, opened: Open) -> None:
    own.node().page_rows = 3
    log = opened(own)
    for number in range(16):
        say(log, str(number))
    assert [entry.seq for entry in opened(own, payer=None).read()] == list(range(16))


def test_a_log_of_more_pages_than_are_kept_is_read_all_the_same(
    own: Cluster, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.node().page_rows = 2
    log = opened(own)
    for number in range(16):
        say(log, str(number))
    monkeypatch.setattr(listing, "KEPT_PAGES", 3)
    before = own.node().asked["getSignaturesForAddress"]
    assert [entry.seq for entry in opened(own, payer=None).read()] == list(range(16))
    pages = 8
    again = pages - 3  # all but the newest and the oldest two
    assert own.node().asked["getSignaturesForAddress"] - before == pages + 1 + again


def test_only_what_is_new_is_asked_for(own: Cluster, opened: Open) -> None:
    own.node().page_rows = 5
    log = opened(own)
    for number in range(12):
        say(log, str(number))
    settle(log)
    before = own.node().asked["getSignaturesForAddress"]
    log.head()
    assert own.node().asked["getSignaturesForAddress"] - before == 1


def test_a_node_without_memos_is_asked_for_transactions_once_each(own: Cluster, opened: Open) -> None:
    own.node().lists_memos = False
    log = opened(own)
    say(log, "one")
    say(log, "two")
    reader = opened(own, payer=None)
    before = own.node().asked["getTransaction"]
    for _ in range(3):
        assert [entry.seq for entry in reader.read()] == [0, 1]
    assert own.node().asked["getTransaction"] - before == 2


def test_a_node_that_dropped_the_beginning_is_not_believed(own: Cluster, opened: Open) -> None:
    say(opened(own), "one")
    own.node("b").first_block = 2
    with pytest.raises(LogUnavailable, match=r"dropped the blocks before slot 2, but is needed from slot 0 on.*cache"):
        opened(own, nodes="b").head()
    assert opened(own, nodes="ba").head().length == 1


def test_a_log_that_says_when_it_begins_can_be_read_from_a_node_that_goes_back_so_far(
    own: Cluster, opened: Open
) -> None:
    rule = Rule("late", since=int(str(ask(own, "getBlockHeight", {}))))
    say(opened(own, rule), "one")
    own.node("b").first_block = rule.since
    assert opened(own, rule, nodes="b").head().length == 1
    own.node("c").first_block = rule.since + 1
    with pytest.raises(LogUnavailable, match="needed from slot"):
        opened(own, rule, nodes="c").head()


def test_rows_before_a_log_begins_do_not_count(own: Cluster, opened: Open) -> None:
    rule = Rule("later", since=10**6)
    log = opened(own, rule, pace=rpc.Pace(slot_s=0.001, backoff_s=0.002, timeout_s=0.2))
    with pytest.raises(LogUnavailable, match="no node lists them"):
        say(log, "too early")
    assert log.head() == EMPTY


def test_a_node_that_is_behind_is_passed_over(own: Cluster, opened: Open) -> None:
    log = opened(own, nodes="ab")
    own.node("a").behind = 0
    for number in range(3):
        say(log, str(number))
    own.node("a").behind = 10**6
    assert log.head().length == 3
    own.node("a").behind, own.node("b").down = 10**6, True
    with pytest.raises(LogUnavailable, match="Minimum context slot has not been reached"):
        log.head()


def test_a_node_that_does_not_know_where_we_were_is_not_believed(own: Cluster, opened: Open) -> None:
    """It lists everything, as if all were new: another cluster's, or one that lost its index."""
    log = opened(own)
    say(log, "one")
    say(log, "two")
    settle(log)
    known = own.chain.rows[1].signature
    own.chain.rows[1].signature = "1" * 64
    with pytest.raises(LogUnavailable, match=f"does not know transaction {known}: is it of the same cluster"):
        log.head()
