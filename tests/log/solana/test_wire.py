from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction

from quiltwork.errors import UserError
from quiltwork.keys import Identity, KeyFileError
from quiltwork.log import EMPTY
from quiltwork.log.solana import Fees, Payer, Rule
from quiltwork.log.solana.parts import payload_bytes, split
from quiltwork.log.solana.wire import (
    MAX_UNITS,
    MEMO_PROGRAMS,
    PACKET_BYTES,
    Envelope,
    base58,
    only_listed_memo,
    only_memo,
    room,
)
from tests.log.solana.chain import Chain, Weather, listed_memo

PAYER = Payer.from_seed(b"p" * 32)
RULE = Rule("test")
BLOCKHASH = str(Hash(bytes(range(32))))
FEES = pytest.mark.parametrize("fees", [Fees(), Fees(units=20_000), Fees(price=7, units=20_000)], ids=str)


# What fits


@FEES
def test_a_memo_that_fills_the_room_fills_the_packet_to_the_last_byte(fees: Fees) -> None:
    envelope = Envelope(RULE.id, PAYER, fees)
    assert len(envelope.seal("x" * envelope.room, BLOCKHASH).wire) == PACKET_BYTES
    with pytest.raises(AssertionError, match="1233 bytes are more than a node takes"):
        envelope.seal("x" * (envelope.room + 1), BLOCKHASH)


def test_the_room_is_what_the_docs_say() -> None:
    assert [room(Fees()), room(Fees(units=1)), room(Fees(price=1, units=1))] == [1_030, 990, 978]
    assert [payload_bytes(room(Fees())), payload_bytes(room(Fees(price=1, units=1)))] == [768, 727]


@FEES
def test_parts_of_the_largest_payload_fit_and_larger_ones_do_not(fees: Fees) -> None:
    envelope = Envelope(RULE.id, PAYER, fees)
    payload = payload_bytes(envelope.room)
    part, too_much = (split(bytes(size), RULE.id, EMPTY, size)[0] for size in (payload, payload + 1))
    assert PACKET_BYTES - 5 < len(envelope.seal(part.memo, BLOCKHASH).wire) <= PACKET_BYTES
    with pytest.raises(AssertionError):
        envelope.seal(too_much.memo, BLOCKHASH)


# Transactions


@FEES
def test_a_sealed_memo_is_one_signature_one_memo_and_the_address(fees: Fees) -> None:
    sealed = Envelope(RULE.id, PAYER, fees).seal("hello", BLOCKHASH)
    transaction = VersionedTransaction.from_bytes(sealed.wire)
    assert transaction.verify_with_results() == [True]
    assert str(transaction.signatures[0]) == sealed.signature
    assert base58(RULE.id) in map(str, transaction.message.account_keys)
    assert only_memo(sealed.wire) == "hello"


def test_the_memo_program_takes_a_full_memo_and_the_fee_is_what_is_said() -> None:
    for fees in (Fees(), Fees(price=1_234_567, units=10_000)):
        chain = Chain(Weather())
        chain.fund(PAYER.address, 10**9)
        envelope = Envelope(RULE.id, PAYER, fees)
        sealed = envelope.seal("x" * envelope.room, chain.blockhash[0])
        chain.submit(VersionedTransaction.from_bytes(sealed.wire))
        chain.next_block()
        (row,) = chain.rows
        assert row.err is None
        assert base58(RULE.id) in row.keys
        assert chain.balance(PAYER.address) == 10**9 - fees.lamports
    assert Fees().lamports == 5_000
    assert Fees(price=1_234_567, units=10_000).lamports == 5_000 + 12_346


def transaction(*memos: bytes) -> VersionedTransaction:
    programs = [Pubkey.from_string(name) for name in (*MEMO_PROGRAMS, "11111111111111111111111111111111")]
    dice = random.Random(len(memos))
    instructions = [CompiledInstruction(dice.choice([1, 2]), memo, b"") for memo in memos]
    message = Message.new_with_compiled_instructions(
        1, 0, 3, [PAYER.keypair.pubkey(), *programs], Hash(bytes(32)), instructions
    )
    return VersionedTransaction.from_bytes(bytes(Transaction([PAYER.keypair], message, Hash(bytes(32)))))


TEXT = st.text(max_size=40) | st.text("[]0123456789; x", max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT.map(str.encode), max_size=3))
def test_a_memo_is_the_same_from_a_list_and_from_the_transaction(memos: list[bytes]) -> None:
    """Nodes list the memos of a transaction as one text, which strangers may try to make ambiguous."""
    made = transaction(*memos)
    listed = listed_memo(made)
    assert (None if listed is None else only_listed_memo(listed)) == only_memo(bytes(made))
    assert only_memo(bytes(made)) == (memos[0].decode() if len(memos) == 1 else None)


@pytest.mark.parametrize("listed", ["", "hello", "[5]hello", "[4] hello", "[x] hello", "5] hello", "[1] a; [1] b"])
def test_what_is_not_one_listed_memo_is_none(listed: str) -> None:
    assert only_listed_memo(listed) is None


def test_bytes_that_are_no_transaction_are_an_error() -> None:
    with pytest.raises(ValueError):
        only_memo(b"\1\2\3")


# Payers


def write(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def test_a_keypair_file_of_solanas_tools_is_read(tmp_path: Path) -> None:
    keypair = Keypair.from_seed(b"k" * 32)
    path = write(tmp_path / "id.json", list(bytes(keypair)))
    assert Payer.load(path).address == str(keypair.pubkey()) == Payer.from_seed(b"k" * 32).address


def test_a_seed_gives_the_account_that_ed25519_gives() -> None:
    assert Payer.from_seed(b"s" * 32).address == base58(Identity.from_seed(b"s" * 32).author)


@pytest.mark.parametrize(
    "content",
    ["", "not json", 5, 10**12, {}, [1, 2, 3], ["a"] * 64, [256] * 64, [-1] * 64, [1] * 64, [0.5] * 64],
    ids=range(11),
)
def test_a_file_that_is_no_keypair_is_said_clearly_without_its_content(tmp_path: Path, content: object) -> None:
    path = write(tmp_path / "id.json", content)
    with pytest.raises(KeyFileError, match=r"id\.json is not a Solana keypair: it must hold a JSON list") as error:
        Payer.load(path)
    assert error.value.__cause__ is None


def test_a_keypair_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "id.json", list(bytes(Keypair())), mode=0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Payer.load(path)


def test_a_missing_keypair_file_is_said_clearly(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"Cannot read the keypair .*gone\.json: No such file"):
        Payer.load(tmp_path / "gone.json")


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(KeyFileError, match="32 bytes, not 31"):
        Payer.from_seed(bytes(31))


def test_a_payer_prints_its_address_alone() -> None:
    assert repr(PAYER) == f"Payer({PAYER.address})"


# Fees and rules


@pytest.mark.parametrize(
    ("price", "units", "why"), [(1, 0, "needs `units`"), (0, MAX_UNITS + 1, "1,400,000"), (-1, 5, "not negative")]
)
def test_fees_that_cannot_be_are_refused(price: int, units: int, why: str) -> None:
    with pytest.raises(UserError, match=why):
        Fees(price=price, units=units)


def test_a_known_rule_keeps_its_address_for_ever() -> None:
    """If this fails, no log that exists is found any more."""
    assert base58(Rule("garden").id) == "9R5vr3wstjRKYM5NtQBx1fVKhGcNPPWgZy1LMyTmMsY1"
    assert (
        base58(Rule("garden", since=7, authors=(b"b" * 32, b"a" * 32)).id)
        == "9BGpekEzfzx7Lr4Ki4WhHXQYik52nTrbkYtAsLM9ZgHW"
    )


def test_another_rule_is_another_address() -> None:
    rules = [
        Rule("garden"),
        Rule("Garden"),
        Rule("garden", since=1),
        Rule("garden", signed=False),
        Rule("garden", authors=(b"a" * 32,)),
    ]
    assert len({rule.id for rule in rules}) == len(rules)
    assert Rule("x", authors=(b"a" * 32, b"b" * 32)).id == Rule("x", authors=(b"b" * 32, b"a" * 32, b"a" * 32)).id


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": ""}, "1 to 64"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"name": " x"}, "1 to 64"),
        ({"name": "é"}, "1 to 64"),
        ({"since": -1}, "slot -1"),
        ({"authors": (b"short",)}, "32 bytes"),
        ({"authors": (b"a" * 32,), "signed": False}, "must be signed"),
    ],
)
def test_what_is_no_rule_is_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(UserError, match=why):
        Rule(**({"name": "x"} | wrong))  # type: ignore[arg-type]


def test_without_the_extra_the_package_can_be_imported_and_says_what_to_install() -> None:
    source = """
        import importlib.util, sys
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "solders" else find(name, *rest)
        from quiltwork.errors import UserError
        from quiltwork.log.solana import Payer, Rule, SolanaLog
        for use in (lambda: Payer.from_seed(bytes(32)), lambda: SolanaLog("http://localhost", Rule("x"))):
            try:
                use()
            except UserError as error:
                print(error)
        assert "solders" not in sys.modules
    """
    found = subprocess.run([sys.executable, "-c", dedent(source)], capture_output=True, text=True, check=True)
    assert found.stdout.count("pip install 'quiltwork[solana]'") == 2
