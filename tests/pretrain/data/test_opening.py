from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from quiltwork.pretrain.data import DataConfig, DataError, SourceConfig, TokenWriter
from quiltwork.pretrain.data.opening import open_dataset, open_held_out


def write(path: Path, *tokens: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with TokenWriter(path, 256) as writer:
        writer.write(tokens)


def config(*files: str, **fields: object) -> DataConfig:
    source = SourceConfig(name="a", files=files) if files else SourceConfig(name="a", corpus="python")
    return DataConfig.model_validate({"sequence_length": 2, "sources": [source], **fields})


def test_patterns_give_files_in_order_of_their_paths_from_the_root(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        write(tmp_path / "web" / f"{number}.bin", number, number, number)
    write(tmp_path / "odd [1].bin", 9, 9, 9)
    data = open_dataset(config("odd [1].bin", "web/*.bin", str(tmp_path / "web/1.bin")), root=tmp_path)
    files = [file.read(0, 1)[0] for source in data._sources for file in source.files]
    assert files == [9, 1, 2, 3, 1]
    assert data.vocabulary == 256


def test_a_corpus_is_trained_on_but_for_what_is_held_out() -> None:
    train, held_out = open_dataset(config(sequence_length=64)), open_held_out(config(sequence_length=64))
    assert len(train) > 15 * len(held_out) > 0
    assert train.places([0])[0].file == "corpus python (train)"
    assert held_out.places([0])[0].file == "corpus python (held_out)"


def test_held_out_files_are_those_that_are_named(tmp_path: Path) -> None:
    write(tmp_path / "train.bin", 1, 2, 3)
    write(tmp_path / "test.bin", 7, 8, 9)
    named = config("train.bin", held_out=[{"name": "t", "files": ["test.bin"]}])
    assert open_held_out(named, root=tmp_path).batch([0]).tolist() == [[7, 8, 9]]
    with pytest.raises(DataError, match=r"data\.held_out names nothing"):
        open_held_out(config("train.bin"), root=tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data source a: no file web/\*\.bin in /"):
        open_dataset(config("web/*.bin"), root=tmp_path)
    listed = config(sources=[{"name": "a", "files": ["http://data.test/a.bin"], "manifest": "none.json"}])
    with pytest.raises(DataError, match=r"data source a: manifest none\.json cannot be read: No such file"):
        open_dataset(listed, root=tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "either files or a corpus"),
        ({"files": ["x"], "corpus": "python"}, "either files or a corpus"),
        ({"corpus": "python", "dtype": "uint8"}, "a corpus is bytes"),
        ({"files": ["x"], "part": "held_out"}, "part is for a corpus"),
        ({"files": ["x"], "manifest": "y"}, "files at URLs, and there are none"),
        ({"files": ["http://x"], "manifest_blake3": "0" * 64}, "none is named"),
        ({"files": ["x"], "vocabulary": 9}, "need a dtype"),
        ({"files": ["x"], "weight": 0}, "greater than 0"),
        ({"files": ["x"], "wieght": 1}, "Extra inputs"),
    ],
)
def test_sources_that_contradict_themselves_are_refused(source: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({"sources": [{"name": "a", **source}]})


def test_two_sources_may_not_have_one_name() -> None:
    with pytest.raises(ValidationError, match="two of sources are called a"):
        DataConfig.model_validate({"sources": [{"name": "a", "files": ["x"]}, {"name": "a", "files": ["y"]}]})


def test_a_config_is_read_without_torch() -> None:
    code = "import sys; from quiltwork.pretrain.data import *; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
