"""Floods: who asks for too much is told to wait, and others are served; and who follows costs nothing when nobody does."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from quiltwork.keys import Identity
from quiltwork.log import (
    Head,
    LogUnavailable,
    MemoryLog,
    Sequencer,
    SqliteLog,
    verify,
)
from quiltwork.log.http import Limits, Rate
from tests.log.serving import READER, RIGHTS, raw, serving, trouble, wait_until
from tests.log.speech import ALICE, BOB, Noted, Said, begun, say, speaker

# Floods


def test_a_flooding_token_is_told_to_wait_and_others_are_served() -> None:
    log = begun()
    limits = Limits(token_requests=Rate(0.01, 20))
    with serving(log, RIGHTS, limits=limits) as served:
        answers = [raw(served, "GET", "head", READER) for _ in range(30)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 10
        assert float(answers[-1].headers["retry-after"]) >= 1
        assert trouble(answers[-1]).wait_s == pytest.approx(100, rel=0.5)
        assert served.client().head().length == 1
        with pytest.raises(LogUnavailable, match="has had enough for now: Too much is asked for"):
            served.client(READER, patience_s=0.5).head()


def test_bytes_are_counted_too() -> None:
    log = MemoryLog()
    say(log, "x" * 10_000)
    with serving(log, RIGHTS, limits=Limits(token_bytes=Rate(0.01, 25_000))) as served:
        assert [raw(served, "GET", "entries", READER).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert raw(served, "POST", "entries", content=b"x" * 25_000).status_code == 400
        assert raw(served, "POST", "entries", content=b"x" * 25_000).status_code == 429


def test_an_author_who_floods_is_told_to_wait_and_others_with_the_same_token_are_served() -> None:
    log = begun()
    limits = Limits(author_statements=Rate(0.01, 10), author_bytes=Rate(0.01, 1_000))
    with serving(log, sequencer=Sequencer(log, ALICE), limits=limits) as served:
        client, hasty = served.client(), served.client(patience_s=0.2)
        flood = speaker(log)
        assert hasty.submit(flood.say(*[Noted(n) for n in range(10)])).refused == ()
        with pytest.raises(LogUnavailable, match="One author says too much at once"):
            hasty.submit(flood.say(Noted(11)))
        assert client.submit(speaker(log, BOB).say(Said("me too"))).refused == ()
        wordy = speaker(log, Identity.generate())
        assert hasty.submit(wordy.say(Said("x" * 2_000))).refused == ()
        with pytest.raises(LogUnavailable, match="says too much"):
            hasty.submit(wordy.say(Said("more")))


def test_a_forger_cannot_use_up_what_another_author_may_say() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE), limits=Limits(author_statements=Rate(0.01, 5))) as served:
        client = served.client(patience_s=0.2)
        honest = speaker(log)
        forgeries = [
            msgspec.structs.replace(each, body=b"\x80") for each in speaker(log).say(*[Noted(n) for n in range(50)])
        ]
        assert len(client.submit(forgeries).refused) == 50
        assert client.submit(honest.say(Said("still here"))).refused == ()


def test_a_client_waits_as_long_as_it_is_told() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE), limits=Limits(author_statements=Rate(20, 5))) as served:
        voice = speaker(log)
        began = time.monotonic()
        for number in range(10):
            assert served.client().submit(voice.say(Noted(number))).refused == ()
        assert time.monotonic() - began >= 0.2
        assert verify(log).count == 11


def test_followers_are_bounded_and_one_that_goes_makes_room() -> None:
    with serving(begun(), RIGHTS, limits=Limits(followers_per_token=2)) as served:
        one, two = served.client(READER).follow(), served.client(READER).follow()
        next(one)
        next(two)
        with pytest.raises(LogUnavailable, match="2 followers already"):
            next(served.client(READER, patience_s=0.1).follow())
        assert next(served.client().follow()).seq == 0
        one.close()  # type: ignore[attr-defined]
        assert next(served.client(READER).follow()).seq == 0


def test_nobody_looks_at_the_log_while_nobody_follows() -> None:
    asked = []

    class Watched(MemoryLog):
        def head(self) -> Head:
            asked.append(1)
            return super().head()

    log = Watched()
    say(log, "one")
    with serving(log) as served:
        follower = served.client().follow()
        next(follower)
        wait_until(lambda: len(asked) > 5)
        follower.close()  # type: ignore[attr-defined]
        wait_until(lambda: bool(asked.clear()) or (time.sleep(0.3) is None and not asked))


def test_a_follower_hears_of_what_others_append_behind_the_servers_back(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log, closing(SqliteLog(tmp_path / "log.db")) as behind:
        say(log, "one")
        with serving(log) as served:
            follower = served.client().follow(1)
            later = threading.Timer(0.1, lambda: say(behind, "two"))
            later.start()
            assert next(follower).seq == 1
            later.join()
            follower.close()  # type: ignore[attr-defined]
