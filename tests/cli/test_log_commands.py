from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from quiltwork.cli.main import main
from quiltwork.cli.text import cut, data, moment, printable
from quiltwork.log import Head, decode
from quiltwork.log.http import HttpLog, LogRefused
from quiltwork.log.open import open_log
from quiltwork.run import Run, RunLocked
from quiltwork.text.numbers import size
from tests.log.speech import ALICE, MALLORY, Noted, Said, relay, speaker
from tests.log.test_explain import Claimed

Ended = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Ended:
    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(word) for word in words])
        code = exit_.value.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with four entries: a claim, its proof, an aside, and a claim that rests on the first."""
    with Run.create(tmp_path / "runs" / "demo", "speech", {}, ALICE) as run:
        proof = run.blobs.put(b"a proof")
        run.writer.append(Claimed(1, proof=proof), Said("aside \x1b[31mred\n"))
        run.writer.append(Noted(share=float("nan"), data=b"\xff", table={"x": float("inf")}), Claimed(2, (1,)))
    return tmp_path / "runs" / "demo"


def forge(run: Path, change: str) -> None:
    with closing(sqlite3.connect(run / "log.db")) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("DROP TRIGGER entries_never_go")
        connection.execute(change)
        connection.commit()


def test_runs_are_listed(ended: Ended, run: Path) -> None:
    code, output, _ = ended("runs", "--root", run.parent)
    assert code == 0
    assert re.search(r"demo\s+speech\s+4\s+[\d.]+ kB\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+at rest", output)


def test_runs_are_listed_for_scripts(ended: Ended, run: Path) -> None:
    (info,) = json.loads(ended("runs", "--root", run.parent, "--json")[1])
    assert info["name"] == "demo"
    assert info["path"] == str(run)
    assert info["entries"] == 4
    assert info["broken"] == ""


def test_a_broken_run_is_listed_beside_the_others(ended: Ended, run: Path) -> None:
    Run.create(run.parent / "other", "speech", {}, ALICE).close()
    (run / "log.db").write_bytes(b"?" * 100)
    code, output, _ = ended("runs", "--root", run.parent)
    assert code == 0
    assert re.search(r"demo .*broken: .*damaged", output)
    assert re.search(r"other .*at rest", output)


def test_no_runs_come_with_a_hint(ended: Ended, tmp_path: Path) -> None:
    assert "Begin one: quiltwork evolve run" in ended("runs", "--root", tmp_path / "none")[1]
    assert ended("runs", "--root", tmp_path / "none", "--json")[1] == "[]\n"


def test_entries_are_shown_one_a_line(ended: Ended, run: Path) -> None:
    code, output, _ = ended("log", "show", run)
    lines = output.splitlines()
    assert code == 0
    assert len(lines) == 4
    assert "speech.claimed/1" in lines[0]
    assert ALICE.author.hex()[:8] in lines[0]
    assert lines[3].endswith("claim=2  grounds=[1]")


def test_a_strangers_words_cannot_command_the_terminal(ended: Ended, run: Path) -> None:
    output = ended("log", "show", run)[1]
    assert "\x1b" not in output
    assert r"words=aside \x1b[31mred\n" in output


def test_entries_can_be_picked(ended: Ended, run: Path) -> None:
    def numbers(*words: str) -> list[int]:
        return [int(line.split()[0]) for line in ended("log", "show", run, *words)[1].splitlines()]

    assert numbers("--kind", "speech.claimed/1") == [0, 3]
    assert numbers("--kind", "speech.claimed") == [0, 3]
    assert numbers("--kind", "speech") == [0, 1, 2, 3]
    assert numbers("--kind", "speech.claim") == []
    assert numbers("--start", "1", "--limit", "2") == [1, 2]
    assert numbers("--kind", "speech.claimed", "--limit", "1") == [0]


def test_entries_are_shown_to_scripts_as_json_lines(ended: Ended, run: Path) -> None:
    entries = [json.loads(line) for line in ended("log", "show", run, "--json")[1].splitlines()]
    assert [entry["seq"] for entry in entries] == [0, 1, 2, 3]
    assert entries[1]["prev"] == entries[0]["hash"]
    assert entries[1]["body"] == {"words": "aside \x1b[31mred\n"}
    assert entries[2]["body"]["data"] == "ff"
    assert entries[2]["body"]["share"] == "nan"
    assert entries[2]["body"]["table"] == {"x": "inf"}


def test_a_whole_log_verifies_and_tells_its_head(ended: Ended, run: Path) -> None:
    code, output, _ = ended("log", "verify", run)
    assert code == 0
    assert "4 entries" in output
    assert f"4 signed by {ALICE.author.hex()}" in output
    found = json.loads(ended("log", "verify", run, "--json")[1])
    assert found["ok"] is True
    assert found["head"] in output
    assert Head.parse(found["head"]).length == 4


def test_a_changed_entry_is_named(ended: Ended, run: Path) -> None:
    forge(run, "UPDATE entries SET time = time + 1 WHERE seq = 2")
    code, output, error = ended("log", "verify", run)
    assert (code, output) == (2, "")
    assert "broken at entry 2: its signature is not that of" in error
    code, output, _ = ended("log", "verify", run, "--json")
    assert code == 2
    assert json.loads(output)["seq"] == 2
    assert json.loads(output)["ok"] is False


def test_entries_cut_off_are_found_by_the_head_kept(ended: Ended, run: Path) -> None:
    head = json.loads(ended("log", "verify", run, "--json")[1])["head"]
    forge(run, "DELETE FROM entries WHERE seq = 3")
    assert ended("log", "verify", run)[0] == 0
    code, _, error = ended("log", "verify", run, "--expect", head)
    assert code == 2
    assert "entry 3: the log ends before it, but 4 entries are expected" in error


def test_a_stranger_is_found_by_the_authors_named(ended: Ended, run: Path) -> None:
    assert ended("log", "verify", run, "--author", ALICE.author.hex(), "--author", MALLORY.author.hex())[0] == 0
    code, _, error = ended("log", "verify", run, "--author", MALLORY.author.hex())
    assert code == 2
    assert "not among the expected authors" in error


@pytest.mark.parametrize(
    ("option", "value"), [("--author", "xyz"), ("--author", "ab"), ("--expect", "12"), ("--expect", "")]
)
def test_a_mistyped_key_or_head_is_said_clearly(ended: Ended, run: Path, option: str, value: str) -> None:
    code, _, error = ended("log", "verify", run, option, value)
    assert code == 2
    assert "hexadecimal digits" in error or "LENGTH:HASH" in error


def test_the_tail_is_the_last_entries(ended: Ended, run: Path) -> None:
    assert [line.split()[0] for line in ended("log", "tail", run, "-n", "2")[1].splitlines()] == ["2", "3"]
    assert len(ended("log", "tail", run)[1].splitlines()) == 4
    assert ended("log", "tail", run, "-n", "0")[1] == ""


def test_the_tail_follows_until_it_is_interrupted(run: Path) -> None:
    command = [sys.executable, "-m", "quiltwork.cli.main", "log", "tail", str(run), "--follow", "-n", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["seq"] == 3
        with Run.open(run, drive=True, identity=ALICE) as driver:
            driver.writer.append(Said("news"))
            assert json.loads(process.stdout.readline())["body"] == {"words": "news"}
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == ""


def test_an_entry_is_explained_as_a_tree_with_its_proof(ended: Ended, run: Path) -> None:
    code, output, _ = ended("explain", run, "3")
    assert code == 0
    assert "4 entries chain from the first to the head" in output
    assert re.search(r"claim 2\n├─ #3 speech\.claimed/1 .*signature right", output)
    assert re.search(r"└─ ground: claim 1\n   └─ #0 speech\.claimed/1", output)
    assert re.search(r"proof: blob [0-9a-f]{16}…, 7 B, hash right", output)


def test_a_missing_or_changed_blob_shows_in_the_explanation(ended: Ended, run: Path) -> None:
    (blob,) = [path for path in (run / "blobs").rglob("*") if path.is_file()]
    blob.write_bytes(b"a fraud")
    assert "CORRUPT" in ended("explain", run, "0")[1]
    blob.unlink()
    assert "MISSING" in ended("explain", run, "0")[1]


def test_an_explanation_is_given_to_scripts_as_json(ended: Ended, run: Path) -> None:
    found = json.loads(ended("explain", run, "3", "--json")[1])
    assert found["entry"] == 3
    assert found["proof"]["chain"] is True
    assert [told["seq"] for told in found["reason"]["told"]] == [3]
    (ground,) = found["reason"]["because"]
    assert ground["part"] == "ground"
    assert ground["told"][0]["blobs"]["proof"]["state"] == "7 B, hash right"


def test_an_entry_of_evolve_is_explained_in_its_rooms_words(ended: Ended, tmp_path: Path) -> None:
    from quiltwork.evolve.entries import Evaluated, Planned, Proposed

    with Run.create(tmp_path / "runs" / "grown", "evolve", {}, ALICE) as run:
        program = run.blobs.put(b"print(1)")
        run.writer.append(Planned(0, "seed", 0), Proposed(0, program, "n"), Evaluated(0, "ok", metrics={"v": 1.0}))
        run.writer.append(Planned(1, "mutate", 0, parents=(0,)), Proposed(1, program, "m"))
        *_, last = run.writer.append(Evaluated(1, "ok", metrics={"v": 2.0}))
        assert decode(last) == Evaluated(1, "ok", metrics={"v": 2.0})
    output = ended("explain", tmp_path / "runs" / "grown", "5")[1]
    assert re.search(r"step 1\n├─ #3 evolve\.planned.*\n.*\n├─ #4 evolve\.proposed.*\n.*\n.*program: blob", output)
    assert "└─ parent: step 0" in output


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A run of Alice's with a statement of Mallory's that she relays."""
    with Run.create(tmp_path / "runs" / "spoken", "speech", {}, ALICE) as run:
        run.writer.append(Said("begin"))
        (one,) = speaker(run.log, MALLORY).say(Claimed(1))
        relay(run.log, one)
    return tmp_path / "runs" / "spoken"


def test_a_relayed_entry_is_shown_as_what_it_says_and_who_said_it(ended: Ended, spoken: Path) -> None:
    alice, mallory = ALICE.author.hex(), MALLORY.author.hex()
    line = ended("log", "show", spoken, "--kind", "speech.claimed")[1]
    assert re.search(
        rf"1  2020-09-13 12:26:40  {mallory[:8]}  .*  speech.claimed/1 .* claim=1  \(relayed by {alice[:8]}\)", line
    )
    assert ended("log", "show", spoken, "--kind", "log.relayed")[1] == line
    found = json.loads(ended("log", "show", spoken, "--start", "1", "--json")[1])
    assert (found["author"], found["kind"], found["body"]["claim"]) == (mallory, "speech.claimed/1", 1)
    assert (found["relayed"]["by"], found["relayed"]["number"], found["relayed"]["kind"]) == (alice, 1, "log.relayed/1")
    assert f"1 signed by {mallory}" in ended("log", "verify", spoken)[1]


def test_a_relayed_entry_is_explained_as_what_it_says_and_who_said_it(ended: Ended, spoken: Path) -> None:
    output = ended("explain", spoken, "1")[1]
    alice, mallory = ALICE.author.hex(), MALLORY.author.hex()
    assert "Entry 1: speech.claimed/1\n" in output
    assert f"  signed by {mallory}\n  relayed by {alice}\n" in output
    assert re.search(
        rf"claim 1\n└─ #1 speech.claimed/1  by {mallory[:8]} .* signature right  relayed by {alice[:8]}", output
    )


def test_a_statement_that_is_not_heard_is_explained_as_that(ended: Ended, spoken: Path) -> None:
    with Run.open(spoken, drive=True, identity=ALICE) as run:
        relay(run.log, *speaker(run.log, MALLORY).say(Claimed(2)))
    assert "not heard: its number is 1" in ended("explain", spoken, "2")[1]
    told = json.loads(ended("explain", spoken, "2", "--json")[1])["reason"]["told"]
    assert "its number is 1" in told[0]["unheard"]
    code, _, error = ended("log", "verify", spoken)
    assert code == 2
    assert "broken at entry 2: the statement is not heard" in error


# Copies


def test_a_log_is_copied_and_its_copy_verifies_with_the_same_head(ended: Ended, run: Path, tmp_path: Path) -> None:
    head = json.loads(ended("log", "verify", run, "--json")[1])["head"]
    copy = tmp_path / "copy.db"
    code, output, _ = ended("log", "copy", run, copy)
    assert code == 0
    assert "4 entries copied, 0 were there" in output
    assert output.endswith(f"head {head}\n")
    assert ended("log", "verify", copy, "--expect", head)[0] == 0
    assert ended("log", "show", copy)[1] == ended("log", "show", run)[1]
    assert ended("log", "tail", copy, "-n", "1")[1] == ended("log", "tail", run, "-n", "1")[1]
    assert json.loads(ended("log", "copy", run, copy, "--json")[1]) == {"copied": 0, "head": head}


def test_a_copy_into_another_log_is_refused_with_the_entry(
    ended: Ended, run: Path, spoken: Path, tmp_path: Path
) -> None:
    ended("log", "copy", spoken, tmp_path / "copy.db")
    code, _, error = ended("log", "copy", run, tmp_path / "copy.db")
    assert code == 2
    assert "its entry 0 is not that of the source" in error


def test_a_copy_into_a_run_waits_for_nobody_who_drives_it(ended: Ended, run: Path, spoken: Path) -> None:
    with Run.open(spoken, drive=True, identity=ALICE):
        code, _, error = ended("log", "copy", run, spoken)
    assert code == 2
    assert "is being driven by" in error
    code, _, error = ended("log", "copy", run, "no-such-run")
    assert code == 2
    assert "There is no run no-such-run" in error


# Servers


@contextmanager
def served(*words: object) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`quiltwork log serve`, and the addresses that it prints, without what they are for."""
    command = [sys.executable, "-m", "quiltwork.cli.main", "log", "serve", *map(str, words), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = []
        while "Ctrl-C ends it" not in (line := process.stdout.readline()):
            assert line, process.stderr and process.stderr.read()
            addresses.append(line.split()[1])
        try:
            yield process, addresses
        finally:
            process.kill()


@pytest.mark.slow
def test_a_served_log_is_read_spoken_to_and_copied(ended: Ended, run: Path, tmp_path: Path) -> None:
    with served(run, "--token", "read,speak", "--token", "read") as (process, (speaking, reading)):
        assert len(ended("log", "show", reading)[1].splitlines()) == 4
        with closing(open_log(speaking)) as log:
            assert isinstance(log, HttpLog)
            assert log.submit(speaker(log, MALLORY).say(Said("hello"))).refused == ()
            follower = log.follow(4)
            assert next(follower).seq == 4
            with closing(open_log(reading)) as other, pytest.raises(LogRefused, match="right to speak"):
                other.submit(speaker(log, MALLORY, 2).say(Said("hello")))  # type: ignore[attr-defined]
            assert ended("log", "copy", reading, tmp_path / "copy.db")[0] == 0
            with pytest.raises(RunLocked):
                Run.open(run, drive=True, identity=ALICE)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert f"1 signed by {MALLORY.author.hex()}" in ended("log", "verify", tmp_path / "copy.db")[1]
    code, _, error = ended("log", "show", reading)
    assert code == 2
    assert "cannot be reached" in error


def test_a_log_that_is_served_for_reading_may_be_driven_meanwhile(run: Path) -> None:
    with served(run) as (_, (address,)), closing(open_log(address)) as log:
        follower = log.follow(4)
        with Run.open(run, drive=True, identity=ALICE) as driver:
            driver.writer.append(Said("news"))
        assert decode(next(follower)) == Said("news")
        with pytest.raises(LogRefused, match="right to write"):
            log.append((), log.head())


def test_tokens_that_are_kept_outlive_the_server(run: Path, tmp_path: Path, ended: Ended) -> None:
    file = tmp_path / "tokens"
    with served(run, "--tokens", file, "--token", "read") as (_, (first,)):
        pass
    assert file.stat().st_mode & 0o777 == 0o600
    with served(run, "--tokens", file) as (_, (second,)):
        assert first.partition("#")[2] == second.partition("#")[2]
    code, _, error = ended("log", "serve", run, "--tokens", file, "--token", "speak")
    assert code == 2
    assert "has tokens already" in error
    file.write_text("read\n")
    assert "line 1: it must hold rights and a token" in ended("log", "serve", run, "--tokens", file)[2]
    file.chmod(0o644)
    assert "chmod 600" in ended("log", "serve", run, "--tokens", file)[2]


def test_what_cannot_be_served_is_said_clearly(ended: Ended, run: Path) -> None:
    assert "write some of read,speak,write" in ended("log", "serve", run, "--token", "all")[2]
    assert "Choose another address" in ended("log", "serve", run, "--host", "no.such.host.invalid")[2]
    assert "There is no run" in ended("log", "serve", "nothing")[2]


def test_a_run_that_is_not_there_is_said_clearly(ended: Ended, tmp_path: Path) -> None:
    for words in (("log", "show"), ("log", "verify"), ("log", "tail"), ("explain",)):
        code, _, error = ended(*words, tmp_path / "none", *(["0"] if words == ("explain",) else []))
        assert code == 2
        assert "There is no run" in error


@pytest.mark.parametrize(
    "words",
    [
        ("runs",),
        ("log", "show"),
        ("log", "verify"),
        ("log", "tail"),
        ("log", "copy"),
        ("log", "serve"),
        ("explain",),
        ("log",),
    ],
)
def test_every_command_has_help_with_an_example(ended: Ended, words: tuple[str, ...]) -> None:
    code, output, _ = ended(*words, "--help")
    assert code == 0
    assert "Example: quiltwork" in output


def test_sizes_and_times_are_written_for_people() -> None:
    assert [size(n) for n in (0, 999, 1_000, 1_500_000, 2 * 10**13)] == ["0 B", "999 B", "1.0 kB", "1.5 MB", "20.0 TB"]
    assert moment(0) == "1970-01-01 00:00:00"
    assert moment(2**63 - 1) == "2262-04-11 23:47:16"
    assert moment(10**25) == f"{10**25} ns"
    assert cut("a long line", 6) == "a lon…"
    assert printable("é\x00\u202e\U0001f9f5") == "é\\x00\\u202e\U0001f9f5"
    assert data({1: (b"\x01", None, True)}) == {"1": ["01", None, True]}
