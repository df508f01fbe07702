"""What docs/solana.md says is true."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

from quiltwork.keys import Identity
from quiltwork.log import EMPTY, MemoryLog, Writer
from quiltwork.log.solana import MAX_BATCH_BYTES, Rule, SolanaLog, fold, listing
from quiltwork.log.solana.courier import IN_FLIGHT
from quiltwork.log.solana.parts import MAX_PARTS
from quiltwork.log.solana.rpc import AT_ONCE, ROUNDS, TRIES, Pace
from tests.log.solana.conftest import PAYER, Open
from tests.log.solana.posting import draft_parts, post, post_anything
from tests.log.solana.rpc import Cluster
from tests.log.speech import BOB, Noted, Said, say

PAGE = (Path(__file__).parents[3] / "docs" / "solana.md").read_text()
(READER,) = re.findall(r"^```python\n(import base64.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def head_read_by_the_reader(where: Cluster, name: str) -> str:
    command = [sys.executable, "-c", READER, where.url_of(), name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_independent_reader_finds_the_same_head(own: Cluster, opened: Open) -> None:
    log = opened(own, Rule("our garden"))
    assert head_read_by_the_reader(own, "our garden") == str(EMPTY)
    say(log, "one", "two")
    slow, slow_parts = draft_parts(log, 4)
    _, fast_parts = draft_parts(log, 3, identity=BOB)
    post(own, log, [part.memo for part in (*slow_parts[:3], *fast_parts[1:])])
    post_anything(own, log, [(0, b"gm")])
    post_anything(own, log, [(0, fast_parts[0].memo[:300].encode())])
    post_anything(own, log, [(0, fast_parts[0]._replace(payload=b"x" * 500).memo.encode())])
    post(own, log, [fast_parts[0].memo, slow_parts[3].memo])
    post_anything(own, log, [(0, b"\xff")])
    assert log.head().length == 4
    assert slow[0] not in list(log.read())
    assert head_read_by_the_reader(own, "our garden") == str(log.head())


def test_the_independent_reader_uses_nothing_of_ours() -> None:
    assert "quiltwork" not in READER.replace('b"quiltwork.entry/1', "").replace('b"quiltwork.solana/1', "")


def test_the_costs_are_what_the_code_says() -> None:
    log = SolanaLog("http://127.0.0.1:9", Rule("x"))
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    told = {
        what: (int(transactions.replace(",", "")), int(lamports.replace(",", "")))
        for what, transactions, lamports in rows
    }

    def cost(*bodies: Said | Noted) -> tuple[int, int]:
        return log.estimate(Writer(MemoryLog(), Identity.from_seed(b"c" * 32), clock=lambda: 1).append(*bodies))

    assert told == {
        "one small entry": cost(Said("hello")),
        '100 entries that say "the same words again"': cost(*[Said("the same words again")] * 100),
        "one entry with 150,000 bytes of noise": cost(Noted(data=random.Random(1).randbytes(150_000))),
        "one entry with 1,000,000 bytes of noise": cost(Noted(data=random.Random(1).randbytes(1_000_000))),
    }
    log.close()


def test_the_limits_are_what_the_code_says() -> None:
    for said in (
        f"{MAX_BATCH_BYTES >> 20} MiB before deflation, {MAX_PARTS:,} parts",
        f"unfinished batches | {fold.MAX_PENDING_BYTES >> 20} MiB",
        f"its payload and {fold.PART_COSTS} bytes",
        f"{IN_FLIGHT} transactions, {AT_ONCE} requests at once",
        f"| {listing.KEPT_PAGES * listing.PAGE_ROWS:,} |",
        f"one per slot, {Pace().slot_s} s",
    ):
        assert said in PAGE, said
    assert (TRIES, ROUNDS, Pace().timeout_s) == (4, 3, 180)
    assert "asked again, four times" in PAGE
    assert "after three rounds" in PAGE
    assert "three minutes without" in PAGE


def test_the_example_runs(own: Cluster, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(from quiltwork\.keys.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert "http://127.0.0.1:8899" in example
    (tmp_path / "id.json").touch(mode=0o600)
    (tmp_path / "id.json").write_text(json.dumps(list(bytes(PAYER.keypair))))
    command = [sys.executable, "-c", example.replace("http://127.0.0.1:8899", own.url_of())]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "for 5000 lamports:" in found.stdout
    assert "1 garden.watered/1 Watered(bed='beans', litres=7.5)" in found.stdout
