"""What makes a member the same when it comes back."""

import secrets
import stat
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.pretrain.home import Home


@pytest.fixture(autouse=True)
def _short_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.pretrain.home.REVEALS", 64)


def test_the_chain_of_secrets_is_the_same_after_a_restart_and_another_when_asked_for(tmp_path: Path) -> None:
    first = Home(tmp_path / "me").onion()
    assert Home(tmp_path / "me").onion().anchor == first.anchor
    renewed = Home(tmp_path / "me").onion(new=True)
    assert renewed.anchor != first.anchor
    assert Home(tmp_path / "me").onion().anchor == renewed.anchor
    assert [path.name for path in (tmp_path / "me").iterdir()] == ["beacon.key"]
    assert stat.S_IMODE((tmp_path / "me" / "beacon.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("moment", ["write", "sync", "replace"])
def test_who_dies_while_the_secret_is_written_has_the_one_before_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    places = {"write": "os.fdopen", "sync": "os.fsync", "replace": "pathlib.Path.replace"}
    new, known = Home(tmp_path / "new"), Home(tmp_path / "known")
    before = known.onion()
    with monkeypatch.context() as patch:
        patch.setattr(places[moment], die)
        for home in (new, known):
            with pytest.raises(Died):
                home.onion(new=True)
    assert not (tmp_path / "new" / "beacon.key").exists()
    assert known.onion().anchor == before.anchor
    assert new.onion().anchor == new.onion().anchor


def test_a_damaged_secret_is_named_and_not_replaced(tmp_path: Path) -> None:
    place = tmp_path / "beacon.key"
    place.write_bytes(secrets.token_bytes(31))
    with pytest.raises(UserError, match=r"beacon\.key holds 31 bytes"):
        Home(tmp_path).onion()
    assert len(place.read_bytes()) == 31
