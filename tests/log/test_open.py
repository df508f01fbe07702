from __future__ import annotations

import json
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from solders.keypair import Keypair

from quiltwork.errors import UserError
from quiltwork.log import LogUnavailable, SqliteLog
from quiltwork.log.http import HttpLog
from quiltwork.log.open import is_address, open_log
from quiltwork.log.postgres import PostgresLog
from quiltwork.log.solana import Rule, SolanaLog
from tests.log.postgres_server import PostgresServer
from tests.log.serving import TOKEN, serving
from tests.log.speech import ALICE, begun, say

SECRET = "a-word-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUILTWORK_LOG_TOKEN", raising=False)


def test_the_log_of_a_run_is_found_by_folder_and_by_name() -> None:
    Path("runs/demo").mkdir(parents=True)
    with closing(SqliteLog("runs/demo/log.db")) as log:
        say(log, "one")
    for address in ("demo", "runs/demo", "runs/demo/log.db", str(Path("runs/demo").absolute())):
        with closing(open_log(address)) as log:
            assert log.head().length == 1
            with pytest.raises(LogUnavailable, match="for reading only"):
                say(log, "two")
    with closing(open_log("demo", write=True)) as log:
        say(log, "two")


def test_a_file_is_made_by_writing_and_not_by_reading() -> None:
    with pytest.raises(LogUnavailable, match="no log at"):
        open_log("new.db")
    with closing(open_log("new.db", write=True)) as log:
        say(log, "one")
    with pytest.raises(
        LogUnavailable, match=r"There is no log new, neither .*To make a new log, name a file that ends in .db"
    ):
        open_log("new", write=True)
    assert not Path("new").exists()


def test_a_servers_log_is_opened_with_the_token_at_its_end_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(begun()) as served:
        with closing(open_log(f"{served.url}/#{TOKEN}")) as log:
            assert isinstance(log, HttpLog)
            assert log.head().length == 1
        with pytest.raises(UserError, match=r"needs a token.*\$QUILTWORK_LOG_TOKEN"):
            open_log(served.url)
        monkeypatch.setenv("QUILTWORK_LOG_TOKEN", TOKEN)
        with closing(open_log(served.url)) as log:
            assert log.head().length == 1


def test_a_log_in_postgres_is_opened_by_its_name(postgres: PostgresServer) -> None:
    with closing(open_log(f"{postgres.url}#by address", write=True)) as log:
        assert isinstance(log, PostgresLog)
        say(log, "one")
    with closing(open_log(f"{postgres.url.replace('postgres:', 'postgresql:')}#by address")) as log:
        assert log.head().length == 1
    with pytest.raises(UserError, match="say which by its name"):
        open_log(postgres.url)


def test_a_log_on_solana_is_opened_by_its_rule(tmp_path: Path) -> None:
    keypair = tmp_path / "payer.json"
    keypair.write_text(json.dumps(list(bytes(Keypair.from_seed(b"p" * 32)))))
    keypair.chmod(0o600)
    key = ALICE.author.hex()
    address = f"solana+http://127.0.0.1:1#my%20log?since=7&author={key}&commitment=finalized"
    for more, write in (("", False), (f"&payer={keypair}&cache={tmp_path / 'final.db'}", True)):
        with closing(open_log(address + more, write=write)) as log:
            assert isinstance(log, SolanaLog)
            assert log.rule == Rule("my log", 7, authors=(ALICE.author,))
    with closing(open_log("solana+https://127.0.0.1:1#all?unsigned=1")) as log:
        assert isinstance(log, SolanaLog)
        assert log.rule == Rule("all", signed=False)
    with pytest.raises(UserError, match="name the keypair file of who pays"):
        open_log(address, write=True)
    with pytest.raises(UserError, match="has no sincce: it can be author, cache, commitment, payer, since, unsigned"):
        open_log("solana+http://127.0.0.1:1#x?sincce=4")
    for wrong in ("since=x", "author=xyz"):
        with pytest.raises(UserError, match="since is a slot's number, and author a public key"):
            open_log(f"solana+http://127.0.0.1:1#x?{wrong}")
    with pytest.raises(UserError, match="commitment"):
        open_log("solana+http://127.0.0.1:1#x?commitment=hoped")
    with pytest.raises(UserError, match="cannot name a log on Solana"):
        open_log("solana+http://127.0.0.1:1")


@pytest.mark.parametrize(
    "address",
    [
        f"ftp://u:{SECRET}@host/#{SECRET}",
        f"http://u:{SECRET}@host/#{SECRET}",
        f"http://host:x/#{SECRET}",
        f"http://host/#two {SECRET}",
        f"postgres://u:{SECRET}@host:x/db#name",
        f"postgres://u:{SECRET}@[/db#name",
        f"postgres://u:{SECRET}@127.0.0.1:1/db#name",
        f"http://127.0.0.1:1/?token={SECRET}#x",
    ],
)
def test_what_is_no_address_is_said_without_its_secrets(address: str) -> None:
    with pytest.raises(UserError) as refused:
        open_log(address)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_addresses_are_told_from_the_names_of_runs() -> None:
    assert all(is_address(text) for text in ("a.db", "/x/y.db", "http://x", "postgres://x#y"))
    assert not any(is_address(text) for text in ("demo", "runs/demo", "a.db/x", "http"))
