from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from blake3 import blake3

from quiltwork.pretrain.data.config import DataConfig, SourceConfig
from quiltwork.pretrain.data.http import Http
from quiltwork.pretrain.data.manifest import manifest_of, read_manifest
from quiltwork.pretrain.data.opening import open_dataset
from quiltwork.pretrain.data.remote import RemoteFile
from quiltwork.pretrain.data.tokens import HEADER, DataError, LocalFile, TokenWriter
from tests.pretrain.data.server import Server, serving


@pytest.fixture
def http() -> Http:
    return Http(httpx.Client(timeout=60), lambda _: None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    with TokenWriter(path, 50_000) as writer:
        writer.write(np.arange(1_000))
    return path


@pytest.fixture
def server(file: Path):
    with serving({"data/a.bin": file.read_bytes(), "raw.bin": file.read_bytes()[HEADER.size :]}) as running:
        yield running


def test_tokens_behind_a_url_are_those_of_the_file(server: Server, file: Path, http: Http) -> None:
    remote, local = RemoteFile(f"{server.url}/data/a.bin", http), LocalFile(file)
    assert remote.layout == local.layout
    for start, stop in ((0, 1), (0, 1_000), (17, 30), (999, 1_000)):
        assert remote.read(start, stop).tolist() == local.read(start, stop).tolist()
    raw = RemoteFile(f"{server.url}/raw.bin", http, dtype="uint16")
    assert raw.read(5, 9).tolist() == [5, 6, 7, 8]


def test_of_a_sequence_only_its_own_bytes_are_asked_for(server: Server, http: Http) -> None:
    remote = RemoteFile(f"{server.url}/data/a.bin", http)
    remote.read(10, 20)
    assert server.asked == [("/data/a.bin", "bytes=0-31"), ("/data/a.bin", "bytes=52-71")]


def test_what_was_fetched_once_is_kept_also_for_the_next_process(server: Server, http: Http, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for _ in range(3):
        assert RemoteFile(f"{server.url}/data/a.bin", http, cache=cache).read(10, 13).tolist() == [10, 11, 12]
    assert [wanted for _, wanted in server.asked].count("bytes=52-57") == 1
    kept = next(path for path in cache.rglob("*") if path.is_file())
    kept.write_bytes(b"half")
    assert RemoteFile(f"{server.url}/data/a.bin", http, cache=cache).read(10, 13).tolist() == [10, 11, 12]


def test_without_a_version_nothing_is_kept(server: Server, http: Http, tmp_path: Path) -> None:
    server.etags = False
    for _ in range(2):
        RemoteFile(f"{server.url}/data/a.bin", http, cache=tmp_path / "cache").read(10, 13)
    assert [wanted for _, wanted in server.asked].count("bytes=52-57") == 2


def test_a_file_that_changes_on_the_server_is_refused(server: Server, file: Path, http: Http) -> None:
    remote = RemoteFile(f"{server.url}/data/a.bin", http)
    server.files["data/a.bin"] = file.read_bytes()[:-2] + b"\0\0"
    with pytest.raises(DataError, match=r"data/a.bin changed on the server"):
        remote.read(0, 3)
    server.etags = False
    remote = RemoteFile(f"{server.url}/data/a.bin", http)
    server.files["data/a.bin"] += b"\0\0"
    with pytest.raises(DataError, match=r"changed on the server: 2,032 bytes  before, 2,034 bytes"):
        remote.read(0, 3)


def test_a_server_that_is_busy_for_a_while_costs_nothing_but_time(server: Server, http: Http) -> None:
    server.busy = 3
    assert RemoteFile(f"{server.url}/data/a.bin", http).read(0, 2).tolist() == [0, 1]


def test_with_a_manifest_bytes_from_a_mirror_are_checked_piece_by_piece(
    server: Server, file: Path, http: Http, tmp_path: Path
) -> None:
    listed = read_manifest(manifest_of([file], piece_bytes=100), "", "a").listed(f"{server.url}/data/a.bin?x=1", "a")
    remote = RemoteFile(f"{server.url}/data/a.bin", http, listed=listed, cache=tmp_path / "cache")
    assert server.asked == []  # the manifest tells size and layout
    assert remote.read(30, 90).tolist() == list(range(30, 90))
    assert [wanted for _, wanted in server.asked] == ["bytes=0-99", "bytes=100-199", "bytes=200-299"]
    assert remote.read(983, 1_000).tolist() == list(range(983, 1_000))
    changed = bytearray(file.read_bytes())
    changed[HEADER.size + 2 * 500] ^= 1
    server.files["data/a.bin"] = bytes(changed)
    assert remote.read(30, 90).tolist() == list(range(30, 90))
    with pytest.raises(DataError, match=r"bytes from 1,000 on do not have the hash that the manifest lists"):
        remote.read(495, 505)
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0" * path.stat().st_size)
    assert remote.read(30, 90).tolist() == list(range(30, 90))


def test_a_data_set_over_http_is_the_same_data_set(server: Server, file: Path, tmp_path: Path, http: Http) -> None:
    manifest = manifest_of([file])
    server.files["list.json"] = manifest

    def config(**source: object) -> DataConfig:
        return DataConfig(sequence_length=8, sources=(SourceConfig(name="a", **source),))  # type: ignore[arg-type]

    url = f"{server.url}/data/a.bin"
    local = open_dataset(config(files=("*.bin",)), root=tmp_path)
    plain = open_dataset(config(files=(url,)), http=http)
    checked = open_dataset(
        config(files=(url,), manifest=f"{server.url}/list.json", manifest_blake3=blake3(manifest).hexdigest()),
        http=http,
    )
    ids = [0, 5, 1_000, 124]
    assert torch.equal(local.batch(ids), plain.batch(ids))
    assert torch.equal(local.batch(ids), checked.batch(ids))
    assert local.fingerprint() == plain.fingerprint() == checked.fingerprint()


def test_manifests_that_cannot_be_used_are_told(file: Path) -> None:
    raw = manifest_of([file])
    with pytest.raises(
        DataError, match=r"data source web: its manifest has the hash [0-9a-f]{64}, and manifest_blake3"
    ):
        read_manifest(raw, "0" * 64, "web")
    with pytest.raises(DataError, match="web: its manifest cannot be read"):
        read_manifest(raw[:-2], "", "web")
    with pytest.raises(DataError, match=r"does not list b\.bin"):
        read_manifest(raw, "", "web").listed("http://data.test/b.bin", "web")
    for old, new in ((b'"size": 2032', b'"size": 200000'), (b'"head": "71', b'"head": "'), (b"65536", b"8")):
        assert old in raw
        with pytest.raises(DataError, match=r"its manifest contradicts itself about a\.bin"):
            read_manifest(raw.replace(old, new), "", "web")
