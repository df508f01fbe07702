from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from quiltwork.toml import TomlError, line_of, read_toml


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = Field(default=1, ge=1)


class Table(BaseModel):
    rows: tuple[Row, ...] = ()


def written(folder: Path, text: str) -> Path:
    (folder / "table.toml").write_text(text)
    return folder / "table.toml"


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "[[rows]]\nsize = 2\n[[rows]]\nsize = 0\n[[rows]]\nsice = 3\n")
    with pytest.raises(TomlError) as caught:
        read_toml(path, Table, guide="docs/table.md")
    first, second = str(caught.value).splitlines()
    assert f"{path}:4: field rows.1.size" in first
    assert f"{path}:6: field rows.2.sice: unknown field; see docs/table.md" in second


@pytest.mark.parametrize(("text", "said"), [("size = = 1", "not valid TOML"), ("\udcff", "not valid TOML")])
def test_what_is_no_toml_is_refused_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TomlError, match=rf"table\.toml: {said}"):
        read_toml(path, Table, guide="docs/table.md")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match=r"nowhere\.toml: cannot be read"):
        read_toml(tmp_path / "nowhere.toml", Table, guide="docs/table.md")


def test_the_line_of_a_field_in_a_table_of_tables_is_found() -> None:
    text = 'name = "x"\n[[metrics]]\nname = "a"\n[[metrics]]\nname = "b"\n[limits]\nwall_s = 1\n'
    assert line_of(text, ("metrics", 1, "name")) == 5
    assert line_of(text, ("limits", "wall_s")) == 7
    assert line_of(text, ("limits", "nowhere")) == 6
    assert line_of(text, ("absent",)) == 1
