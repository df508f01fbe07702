"""What is wrong with a log is said before anybody waits for a run in it."""

import sqlite3
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import MemoryLog, SqliteLog, Writer, decode
from quiltwork.pretrain import meeting
from quiltwork.pretrain.doctor import examine
from quiltwork.pretrain.entries import Created, Ready, Ticked
from quiltwork.pretrain.facts import Health, Phase
from quiltwork.pretrain.join import find
from tests.pretrain import tiny
from tests.pretrain.telling import SECOND, START, A, B, C, Told, joined, model

OWNER = Identity.generate()


def test_a_run_is_opened_with_its_members_clock(tmp_path: Path) -> None:
    place = tmp_path / "run.db"
    meeting.create(tiny.config(), str(place), OWNER)
    log = SqliteLog(place, readonly=True)
    (entry,) = log.read()
    log.close()
    created = decode(entry)
    assert isinstance(created, Created)
    assert entry.author == OWNER.author
    assert '"clock":"members"' in created.coordinator
    assert len(created.seed) == 32
    find(str(place)).log.close()


def test_a_run_begins_an_empty_log_only(tmp_path: Path) -> None:
    place = str(tmp_path / "run.db")
    meeting.create(tiny.config(), place, OWNER)
    with pytest.raises(UserError, match=r"not empty: it has 1 entries.*another name"):
        meeting.create(tiny.config(), place, OWNER)


def test_an_owners_clock_is_refused_where_nobody_would_tell_it() -> None:
    log = MemoryLog()
    with pytest.raises(UserError, match=r'config\.clock is "owner"'):
        meeting.begin(tiny.config(clock="owner"), log, OWNER)
    assert log.head().length == 0


@pytest.mark.parametrize("place", ["http://127.0.0.1:8378#token", "runs/demo"])
def test_a_run_is_opened_on_a_log_that_members_write_to_by_themselves(place: str) -> None:
    with pytest.raises(UserError, match=r"not a log that members can write to.*pretrain serve") as error:
        meeting.create(tiny.config(), place, OWNER)
    assert "#token" not in str(error.value)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """Logs that nobody can join."""
    SqliteLog(tmp_path / "empty.db").close()
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE prices (price INTEGER)")
    shop.close()
    served = tiny.config().created(seed=bytes(32), version="7")
    newer = replace(served, coordinator='{"clock": "members", "moon": "full"}')
    for name, body in (("other.db", Ticked(1)), ("served.db", served), ("newer.db", newer)):
        log = SqliteLog(tmp_path / name)
        Writer(log, OWNER).append(body)
        log.close()
    return tmp_path


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere", "no way into a run.*invitation.*address of its log"),
        ("{}/missing.db", "There is no log at"),
        ("{}/shop.db", "not a log of Quiltwork"),
        ("{}/empty.db", "is an empty log, not a run of pretrain"),
        ("{}/other.db", "keeps pretrain.ticked/1, not a run of pretrain"),
        ("{}/served.db", "goes by its owner's clock.*pretrain serve"),
        ("{}/newer.db", "made by version 7, and this one cannot read its rules: field moon: Extra inputs"),
        ("ftp://host/log", "Logs are not kept at ftp"),
        ("postgres://me:secret@127.0.0.1:1/db", "which by its name at the end"),
        ("postgres://me:secret@127.0.0.1:1/db#run", "Check that the server runs"),
        ("solana+http://127.0.0.1:1#run", "name the keypair file of who pays"),
        ("solana+http://127.0.0.1:1#run?payer={}/none.json", "Cannot read the keypair"),
        ("http://127.0.0.1:8378", "has no token"),
    ],
)
def test_what_cannot_be_joined_is_told_and_nothing_is_made(wrong: Path, place: str, why: str) -> None:
    before = sorted(wrong.glob("*.db"))
    with pytest.raises(UserError, match=why) as error:
        find(place.format(wrong))
    assert "secret" not in str(error.value)
    assert sorted(wrong.glob("*.db")) == before


@pytest.mark.parametrize(
    ("address", "invitation"),
    [
        ("runs/my run.db", "runs/my run.db"),
        ("postgres://me:secret@host:5432/db#run", "postgres://me@host:5432/db#run"),
        ("postgres:///db?host=/tmp&password=secret&user=me#run", "postgres:///db?host=/tmp&user=me#run"),
        ("solana+https://h#run?payer=secret.json&cache=x", "solana+https://h#run?payer=FILE"),
        (
            "solana+https://h#run?since=7&payer=secret.json&author=ab",
            "solana+https://h#run?since=7&author=ab&payer=FILE",
        ),
    ],
)
def test_an_invitation_tells_where_the_log_is_and_no_secret(address: str, invitation: str) -> None:
    assert meeting.invitation(address) == invitation


def test_the_doctor_tells_what_does_not_work_in_a_log_and_which_member_does_not_answer(tmp_path: Path) -> None:
    place = tmp_path / "run.db"
    (missing,) = examine(str(place))
    assert missing.ok is False
    assert "There is no log" in missing.said
    meeting.create(tiny.config(), str(place), OWNER)
    assert [(check.name, check.ok) for check in examine(str(place))] == [("log", True), ("phase", True)]
    log = SqliteLog(place)
    gone = joined(A, name="attic", addresses=("tcp://127.0.0.1:1", "iroh://nobody@127.0.0.1:1"))
    Writer(log, Identity.generate()).append(gone, Ticked(time.time_ns()))
    log.close()
    found = [(check.name, check.ok, check.said) for check in examine(str(place))]
    assert [(name, ok) for name, ok, _ in found[2:]] == [("clock", True), *[("member attic", None)] * 4]
    assert "tcp://127.0.0.1:1" in found[3][2]
    assert "must come from others" in found[4][2]
    assert "iroh://" in found[5][2]


def test_a_run_waits_for_its_clock_and_nothing_has_lasted_before_that() -> None:
    run = Told(clock="members", init_min_clients=2, waiting_for_members_extra_time=3, warmup_time=60)
    run.join(A, B)
    assert run.state.phase is Phase.WAITING_FOR_MEMBERS
    run.fits(A, Ticked(START))
    assert run.state.now == 0
    run.fits(B, Ticked(START))
    assert run.state.phase is Phase.WAITING_FOR_MEMBERS, "the extra time begins with the clock"
    for author in (A, B):
        run.fits(author, Ticked(START + 3 * SECOND))
    assert run.state.phase is Phase.WARMUP
    assert all(member.health is Health.JOINING for member in run.state.members.values()), "nobody has loaded for years"
    run.fits(A, Ready(0, model(0)))
    run.fits(B, Ready(0, model(0)))
    assert run.state.round is not None


def test_a_time_that_stands_still_is_told_with_who_is_silent() -> None:
    run = Told(clock="members", init_min_clients=3)
    run.fits(A, joined(A))
    run.fits(B, joined(B, name="attic"))
    run.fits(C, joined(C))
    for author in (A, B, C):
        run.fits(author, Ticked(START))
    assert not meeting.standstill(run.state, A)
    run.fits(A, Ticked(START + 100 * SECOND))
    run.fits(C, Ticked(START + 10 * SECOND))
    words = meeting.standstill(run.state, A)
    assert "2 of the 3 members" in words
    assert "attic" in words
    run.fits(B, Ticked(START + 100 * SECOND))
    assert not meeting.standstill(run.state, A)
    assert not meeting.standstill(run.state, bytes(32)), "a stranger has no time to compare"
