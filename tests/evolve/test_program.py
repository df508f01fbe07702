import pickle
from itertools import pairwise
from pathlib import Path

import blake3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.program import (
    Block,
    MarkerError,
    Program,
    ProgramError,
    blocks,
    line_starts,
    within_blocks,
)

names = (
    st.lists(st.text("abcz_9", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join).map(lambda p: p + ".py")
)
texts = st.text(st.characters(codec="utf-8"), max_size=60)
programs = st.dictionaries(names, texts, min_size=1, max_size=4).map(Program)

FROZEN_ID = "e9aa305a5b27cd1e14aef0934196c98d9a88beb0af6394517f56c1a09a8d1c70"
FROZEN_ID = "e9aa305a5b27cd1e14aef0934196c98d9a88beb0af6394517f56c1a09a8d1c70"
MARKED = "import math\n# EVOLVE-BLOCK-START\nx = 1\ny = 2\n# EVOLVE-BLOCK-END\nz = 3\n"


@settings(deadline=None)
@given(programs)
def test_a_program_survives_its_encoding(program: Program) -> None:
    again = Program.decode(program.encode())
    assert again == program
    assert again.id == program.id == blake3.blake3(program.encode()).hexdigest()


@settings(deadline=None)
@given(programs)
def test_a_program_survives_a_folder_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, program: Program) -> None:
    folder = tmp_path_factory.mktemp("saved")
    program.save(folder)
    assert Program.load(folder) == program


def test_the_order_of_files_does_not_matter() -> None:
    one, other = Program({"b.py": "1", "a.py": "2"}), Program({"a.py": "2", "b.py": "1"})
    assert one == other
    assert one.id == other.id
    assert list(one.files) == ["a.py", "b.py"]
    assert len({one, other}) == 1


def test_the_id_of_a_program_is_frozen() -> None:
    assert Program({"program.py": "x = 1\n"}).id == FROZEN_ID


def test_a_program_can_be_pickled() -> None:
    program = Program({"a.py": "x"})
    assert pickle.loads(pickle.dumps(program)) == program


def test_a_program_does_not_change() -> None:
    given_files = {"a.py": "x"}
    program = Program(given_files)
    given_files["a.py"] = "y"
    assert program.files["a.py"] == "x"
    with pytest.raises(TypeError):
        program.files["a.py"] = "y"  # type: ignore[index]


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a.py", "a/../b.py", "./a.py", "a//b.py", "a\\b.py", "a\nb.py", "a/"]
)
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ProgramError, match="relative path"):
        Program({path: ""})


def test_a_file_that_is_also_a_folder_is_refused() -> None:
    with pytest.raises(ProgramError, match="cannot also be a folder"):
        Program({"a": "", "a/b/c.py": ""})


def test_text_that_is_no_utf_8_is_refused_with_the_file_named() -> None:
    with pytest.raises(ProgramError, match=r"b\.py"):
        Program({"a.py": "", "b.py": "\ud800"}).encode()


def test_a_binary_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "table.bin").write_bytes(b"\xff\x00")
    with pytest.raises(ProgramError, match=r"table\.bin: not UTF-8"):
        Program.load(tmp_path)


def test_hidden_files_and_caches_are_left_out(tmp_path: Path) -> None:
    for name in ("program.py", ".git/config", "__pycache__/program.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    assert list(Program.load(tmp_path).files) == ["program.py"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no file"):
        Program.load(tmp_path)


@pytest.mark.parametrize(
    "encoded", [b"", b"\xc0", b"\x81\xa1a\x01", b"\x81\xa4a.py\xa1\xff", Program({"a": "x"}).encode() + b"\x00"]
)
def test_bytes_that_are_no_program_are_refused(encoded: bytes) -> None:
    with pytest.raises(ProgramError, match="no program"):
        Program.decode(encoded)


def test_files_in_another_order_are_not_canonical() -> None:
    with pytest.raises(ProgramError, match="canonical"):
        Program.decode(b"\x82\xa1b\xa0\xa1a\xa0")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# ", ""),
        ("// ", ""),
        ("/* ", " */"),
        ("<!-- ", " -->"),
        ("-- ", ""),
        ("; ", ""),
        ("% ", ""),
        ("(* ", " *)"),
        ("REM ", ""),
    ],
)
def test_markers_are_found_in_any_comment_syntax(before: str, after: str) -> None:
    text = f"a\n  {before}EVOLVE-BLOCK-START{after}\nb\nc\n{before}EVOLVE-BLOCK-END: no more{after}\nd\n"
    assert blocks(Program({"p": text})) == (Block("p", 3, 4),)


def test_a_program_without_markers_is_one_block_per_file() -> None:
    assert blocks(Program({"a.py": "x\ny", "b.py": "x\n", "c.py": ""})) == (
        Block("a.py", 1, 2),
        Block("b.py", 1, 1),
        Block("c.py", 1, 1),
    )


def test_a_file_without_markers_beside_one_with_markers_does_not_change() -> None:
    program = Program({"a.py": MARKED, "b.py": "x = 1\n"})
    assert blocks(program) == (Block("a.py", 3, 4),)
    assert within_blocks(program, program.with_file("a.py", MARKED.replace("y = 2", "y = 5\nw = 6")))
    assert not within_blocks(program, program.with_file("b.py", "x = 2\n"))


def test_a_marker_that_prose_mentions_is_no_marker() -> None:
    text = '"""Only what is between EVOLVE-BLOCK-START and EVOLVE-BLOCK-END changes."""\nword = "EVOLVE-BLOCK-START"\n'
    assert blocks(Program({"a.py": text})) == (Block("a.py", 1, 2),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n# EVOLVE-BLOCK-END\n", 2),
        ("a\n\n# EVOLVE-BLOCK-START\n", 3),
        ("# EVOLVE-BLOCK-START\nx\n# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n# EVOLVE-BLOCK-END\n", 3),
        ("# EVOLVE-BLOCK-START\nx = 1  # EVOLVE-BLOCK-END\n", 2),
    ],
)
def test_markers_that_do_not_pair_up_are_named_by_file_and_line(text: str, line: int) -> None:
    with pytest.raises(MarkerError, match=rf"^lib/a\.py:{line}: "):
        blocks(Program({"lib/a.py": text}))


@pytest.mark.parametrize(
    "edited",
    [
        MARKED.replace("z = 3", "z = 4"),
        MARKED.replace("import math", "import os"),
        MARKED.replace("# EVOLVE-BLOCK-START\n", ""),
        MARKED.replace("y = 2", "# EVOLVE-BLOCK-END\n# EVOLVE-BLOCK-START"),
        MARKED.replace("# EVOLVE-BLOCK-END", "# EVOLVE-BLOCK-END "),
        MARKED.replace("\nz = 3\n", ""),
    ],
)
def test_an_edit_outside_the_blocks_is_seen(edited: str) -> None:
    old = Program({"a.py": MARKED})
    assert within_blocks(old, old)
    assert not within_blocks(old, Program({"a.py": edited}))


def test_files_cannot_come_or_go_by_an_edit() -> None:
    old = Program({"a.py": "x", "b.py": "y"})
    assert not within_blocks(old, Program({"a.py": "x"}))
    assert not within_blocks(old, old.with_file("c.py", ""))


def test_an_unmarked_program_may_change_everywhere_but_gain_no_markers() -> None:
    old = Program({"a.py": "x = 1\n"})
    assert within_blocks(old, Program({"a.py": "y = 2\n"}))
    assert not within_blocks(old, Program({"a.py": MARKED}))


@settings(deadline=None)
@given(st.text("ab\r\n\x0c\u2028", max_size=20))
def test_lines_are_those_of_the_tokeniser(text: str) -> None:
    starts = line_starts(text)
    lines = [text[a:b] for a, b in pairwise(starts)]
    assert "".join(lines) == text
    assert all("\n" not in line.rstrip("\r\n") and "\r" not in line.rstrip("\r\n") for line in lines)
