"""Many clients at once, and a server that dies between append and answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from textwrap import dedent
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from quiltwork.keys import Identity
from quiltwork.log import (
    Entry,
    Outcome,
    Receipt,
    Sequencer,
    Speaker,
    SqliteLog,
    Writer,
    decode,
    log_id,
    verify,
)
from quiltwork.log.http import HttpLog, Right, Tokens
from quiltwork.log.http.server import log_routes
from quiltwork.log.statement import said_in
from tests.log.serving import TOKEN, running, serving, wait_until
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, say, speaker

# Many at once


def test_many_clients_that_submit_at_once_lose_and_fork_nothing(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "begin")
        with serving(log, sequencer=Sequencer(log, ALICE)) as served:
            voices = [Speaker(Identity.generate(), log_id(log)) for _ in range(8)]
            places: dict[bytes, list[int | None]] = {}

            def speak(voice: Speaker) -> None:
                client = served.client()
                outcomes = [client.submit(voice.say(Noted(n))).outcomes[0] for n in range(10)]
                places[voice.author] = [outcome.seq for outcome in outcomes]

            threads = [threading.Thread(target=speak, args=(voice,)) for voice in voices]
            for thread in threads:
                thread.start()
            followed = []
            for entry in served.client().follow():
                followed.append(entry)
                if len(followed) == 81:
                    break
            for thread in threads:
                thread.join()
            assert followed == list(log.read())
        assert verify(log).authors == {ALICE.author: 1, **{voice.author: 10 for voice in voices}}
        assert sorted(seq for each in places.values() for seq in each if seq is not None) == list(range(1, 81))


# A server that dies

SERVER = """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from quiltwork.log import Sequencer, SqliteLog
    from tests.log.serving import TOKEN, serving
    from tests.log.speech import ALICE
    import threading

    class Deadly(SqliteLog):
        def append(self, entries, expect):
            head = super().append(entries, expect)
            if {deadly}:
                os.kill(os.getpid(), signal.SIGKILL)
            return head

    log = Deadly({path!r})
    from quiltwork.log.http import Right, Tokens
    from quiltwork.log.http.server import log_app
    from tests.log.serving import running
    app = log_app(log, Tokens({{TOKEN: set(Right)}}), sequencer=Sequencer(log, ALICE))
    with running(app, {port}) as served:
        print(served.url, flush=True)
        sys.stdin.read()
"""


def started(path: Path, port: int, *, deadly: bool) -> tuple[subprocess.Popen[str], str]:
    root = str(Path(__file__).parents[2])
    source = dedent(SERVER).format(root=root, path=str(path), port=port, deadly=deadly)
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def survives_kill_nine(path: Path, act: Callable[[HttpLog], object]) -> object:
    """Let a server die between append and answer while a client waits; start another, and give what the client got."""
    with closing(SqliteLog(path)) as log:
        say(log, "begin")
    deadly, url = started(path, 0, deadly=True)
    client = HttpLog(url, TOKEN)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(act(client)))
    thread.start()
    assert deadly.wait() == -signal.SIGKILL
    healthy, again = started(path, urlsplit(url).port or 0, deadly=False)
    assert again == url
    thread.join()
    client.close()
    healthy.communicate("")
    return got[0]


def test_a_submit_survives_kill_nine_between_append_and_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def act(client: HttpLog) -> Receipt:
        return client.submit(speaker(client).say(Said("one"), Said("two")))

    assert survives_kill_nine(path, act) == Receipt((Outcome(1), Outcome(2)))
    with closing(SqliteLog(path)) as log:
        assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2}


def test_an_append_survives_kill_nine_between_append_and_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def act(client: HttpLog) -> Sequence[Entry]:
        return Writer(client, BOB).append(Said("one"), Said("two"))

    entries = survives_kill_nine(path, act)
    with closing(SqliteLog(path)) as log:
        assert list(log.read(1)) == list(entries)  # type: ignore[call-overload]


def test_a_follower_goes_on_where_it_was_when_the_server_comes_back(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "one", "two")
        with serving(log) as served:
            port = urlsplit(served.url).port or 0
            client = HttpLog(served.url, TOKEN)
            follower = client.follow()
            assert [next(follower).seq, next(follower).seq] == [0, 1]
        say(log, "three", "four")
        with running(Starlette(routes=log_routes(log, Tokens({TOKEN: set(Right)}))), port):
            assert [next(follower).seq, next(follower).seq] == [2, 3]
            client.close()


@pytest.mark.slow
def test_nothing_is_lost_or_said_twice_over_many_kills_at_random_moments(tmp_path: Path) -> None:
    path, random, over = tmp_path / "log.db", Random(7), threading.Event()
    with closing(SqliteLog(path)) as log:
        say(log, "begin")
        begun_by = log_id(log)
    process, url = started(path, 0, deadly=False)
    voices = [Speaker(Identity.generate(), begun_by) for _ in range(4)]
    places: dict[bytes, list[int | None]] = {voice.author: [] for voice in voices}

    def speak(voice: Speaker) -> None:
        client, number = HttpLog(url, TOKEN, patience_s=600), 0
        while not over.is_set():
            receipt = client.submit(voice.say(Noted(number), Noted(number + 1)))
            places[voice.author] += [outcome.seq for outcome in receipt.outcomes]
            number += 2
        client.close()

    followed: list[Entry] = []
    follower = HttpLog(url, TOKEN, patience_s=600)
    threads = [threading.Thread(target=speak, args=(voice,)) for voice in voices]
    threads.append(threading.Thread(target=lambda: followed.extend(follower.follow(stop=over.is_set))))
    for thread in threads:
        thread.start()
    for _ in range(15):
        time.sleep(random.uniform(0, 1.0))
        process.kill()
        process.wait()
        process, _ = started(path, urlsplit(url).port or 0, deadly=False)
    wait_until(lambda: all(len(each) > 10 for each in places.values()))
    over.set()
    for thread in threads:
        thread.join()
    follower.close()
    process.communicate("")
    with closing(SqliteLog(path)) as log:
        assert verify(log).authors == {ALICE.author: 1, **{voice.author: len(places[voice.author]) for voice in voices}}
        assert followed == list(log.read())[: len(followed)]
        said = [said_in(entry) for entry in log.read()]
    for voice in voices:
        assert places[voice.author] == [seq for seq, each in enumerate(said) if each.author == voice.author]
        assert [decode(said[seq]) for seq in places[voice.author] if seq is not None] == [
            Noted(number) for number in range(len(places[voice.author]))
        ]
