from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from quiltwork.toml import TomlError, line_of, read_toml


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = Field(default=1, ge=1)


class Table(BaseModel):
    rows: tuple[Row, ...] = ()


class Circle(Row):
    kind: Literal["circle"]
    rim: int | Literal["none"] = "none"

    @model_validator(mode="after")
    def _has_room(self) -> "Circle":
        if self.rim != "none" and self.rim >= self.size:
            raise ValueError("the rim leaves no room")
        return self


class Square(Row):
    kind: Literal["square"]
    corners: int


Shape = Annotated[Circle | Square, Field(discriminator="kind")]


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shape: Shape
    more: tuple[Shape, ...] = ()


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


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            '[shape]\nkind = "circle"\nsize = 0',
            3,
            "field shape.size: Input should be greater than or equal to 1 (given: 0)",
        ),
        (
            'shape = { kind = "circle", size = 0 }',
            1,
            "field shape.size: Input should be greater than or equal to 1 (given: 0)",
        ),
        (
            '[shape]\nkind = "circle"\nsice = 1',
            3,
            "field shape.sice: unknown field; see docs/table.md for the fields there are",
        ),
        ('[shape]\nsize = 1\nkind = "circle"\ncircle = 1', 4, "field shape.circle: unknown field; see docs/table.md"),
        ('\n[shape]\nkind = "square"', 2, "field shape.corners: Field required"),
        (
            '[shape]\nsize = 2\nkind = "circel"',
            3,
            "field shape.kind: Input should be one of 'circle', 'square' (given: 'circel')",
        ),
        ("\n[shape]\nsize = 2", 2, "field shape.kind: Field required; see docs/table.md for the kinds there are"),
        ('[shape]\nkind = "circle"\nrim = 2', 1, "field shape: the rim leaves no room"),
        ('[shape]\nkind = "circle"\nrim = "thin"', 3, "field shape.rim: Input should be a valid integer"),
        ("shape = 3", 1, "field shape: Input should be a valid dictionary"),
        (
            '[shape]\nkind = "circle"\n[[more]]\nkind = "circle"\n[[more]]\nkind = "square"\ncorners = "four"',
            7,
            "field more.1.corners: Input should be a valid integer",
        ),
    ],
)
def test_a_mistake_in_a_table_of_several_kinds_is_named_as_it_is_written(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TomlError) as caught:
        read_toml(path, Drawing, guide="docs/table.md")
    assert str(caught.value).startswith(f"{path}:{line}: {said}")


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
