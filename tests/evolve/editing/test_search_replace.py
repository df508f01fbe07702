import pytest

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.search_replace import edited
from quiltwork.evolve.program import Program
from tests.evolve.corpus import ANNEALING, PACKING

HELD = """\
LIMIT = 3
# EVOLVE-BLOCK-START
def area(x):
    if x > LIMIT:
        return x * x
    return x
# EVOLVE-BLOCK-END
def again(x):
    return area(x)
"""


def edit(search: str, replacement: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replacement}\n>>>>>>> REPLACE\n"


def held(reply: str) -> str:
    return edited(Program({"p.py": HELD}), reply).files["p.py"]


def test_lines_that_stand_there_once_are_replaced() -> None:
    assert held("I double it.\n" + edit("        return x * x", "        return 2 * x")) == HELD.replace(
        "x * x", "2 * x"
    )


def test_trailing_white_space_does_not_matter() -> None:
    assert held(edit("        return x * x   \n\n", "        return 2 * x")) == HELD.replace("x * x", "2 * x")


@pytest.mark.parametrize("margin", ["", "  ", "            "])
def test_an_edit_at_another_indentation_is_moved_as_a_whole(margin: str) -> None:
    new = held(
        edit(f"{margin}if x > LIMIT:\n{margin}    return x * x", f"{margin}if x > 9:\n{margin}    x = 9\n{margin}# ok")
    )
    assert new == HELD.replace("    if x > LIMIT:\n        return x * x\n", "    if x > 9:\n        x = 9\n    # ok\n")


def test_lines_that_are_indented_unlike_each_other_do_not_match() -> None:
    with pytest.raises(EditRefused, match="do not stand in the program"):
        held(edit("if x > LIMIT:\nreturn x * x", "return 1"))


def test_an_exact_match_is_taken_before_one_at_another_indentation() -> None:
    assert held(edit("    return x", "    return -x")) == HELD.replace("    return x\n#", "    return -x\n#")


def test_what_stands_outside_the_blocks_is_refused_by_its_line() -> None:
    for search in ("LIMIT = 3", "    return area(x)", "# EVOLVE-BLOCK-END"):
        with pytest.raises(EditRefused, match=r"p\.py:\d+ lies outside the EVOLVE blocks"):
            held(edit(search, "pass"))


def test_markers_may_be_quoted_if_they_are_repeated() -> None:
    quoted = edit("# EVOLVE-BLOCK-START\ndef area(x):", "# EVOLVE-BLOCK-START\nK = 1\ndef area(x):")
    assert held(quoted) == HELD.replace("START\n", "START\nK = 1\n")


def test_a_replacement_with_a_marker_of_its_own_is_refused() -> None:
    with pytest.raises(EditRefused):
        held(edit("    return x", "    return x\n# EVOLVE-BLOCK-END\nimport os\n# EVOLVE-BLOCK-START"))


def test_lines_that_stand_in_two_places_are_refused_with_both() -> None:
    twice = Program({"p.py": "a = 1\nb = 2\na = 1\n"})
    with pytest.raises(EditRefused, match=r"more than one place \(p\.py:1, p\.py:3\)"):
        edited(twice, edit("a = 1", "a = 2"))


def test_the_same_line_outside_the_blocks_does_not_make_it_ambiguous() -> None:
    program = Program({"p.py": "a = 1\n# EVOLVE-BLOCK-START\na = 1\n# EVOLVE-BLOCK-END\n"})
    assert edited(program, edit("a = 1", "a = 2")).files["p.py"].count("a = 2") == 1


def test_several_edits_are_made_at_once_or_not_at_all() -> None:
    both = edit("    if x > LIMIT:", "    if x > 7:") + edit("    return x", "    return 0")
    assert held(both) == HELD.replace("> LIMIT", "> 7").replace("    return x\n#", "    return 0\n#")
    with pytest.raises(EditRefused, match="do not stand"):
        held(both + edit("nothing like it", "pass"))


def test_edits_of_the_same_lines_are_refused_and_repeated_ones_count_once() -> None:
    one = edit("    return x", "    return 0")
    assert held(one + one) == held(one)
    with pytest.raises(EditRefused, match="same lines"):
        held(one + edit("    return x", "    return 1"))


def test_an_edit_that_changes_nothing_is_refused() -> None:
    with pytest.raises(EditRefused, match="changes nothing"):
        held(edit("    return x", "    return x"))


def test_python_that_is_none_is_refused_with_its_line_shown() -> None:
    with pytest.raises(EditRefused, match=r"p\.py:6: no valid Python") as refused:
        held(edit("    return x", "    return x +"))
    assert ">    6 |     return x +" in refused.value.shown


def test_a_failed_search_is_answered_with_the_nearest_lines_and_their_numbers() -> None:
    with pytest.raises(EditRefused) as refused:
        held(edit("    if x > LIMITS:\n        return x * x", "pass"))
    assert "5 |         return x * x" in refused.value.shown
    with pytest.raises(EditRefused) as refused:
        held(edit("    if x >= LIMIT:", "pass"))
    assert "4 |     if x > LIMIT:" in refused.value.shown


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Just words.", "no SEARCH/REPLACE edit"),
        ("<<<<<<< SEARCH\na\n=======\nb\n", "no >>>>>>> REPLACE line"),
        ("<<<<<<< SEARCH\na\n", "no ======= line"),
        ("<<<<<<< SEARCH\na\n<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE", "no ======= line"),
        (edit("", "x = 1"), "SEARCH part is empty"),
    ],
)
def test_what_is_no_edit_is_refused_with_the_reason(reply: str, reason: str) -> None:
    with pytest.raises(EditRefused, match=reason):
        held(reply)


def test_fences_around_and_inside_an_edit_do_not_matter() -> None:
    inside = edit("```python\n    return x\n```", "```python\n    return 0\n```")
    assert held(f"```diff\n{inside}```\n") == HELD.replace("    return x\n#", "    return 0\n#")


def test_an_empty_block_takes_an_edit_without_a_search() -> None:
    program = Program({"p.py": "# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n"})
    assert edited(program, "<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE").files["p.py"].split("\n")[1] == "x = 1"


def test_the_line_ends_of_the_file_stay() -> None:
    program = Program({"p.py": HELD.replace("\n", "\r\n")})
    new = edited(program, edit("    return x", "    y = x\n    return y")).files["p.py"]
    assert new == HELD.replace("    return x\n#", "    y = x\n    return y\n#").replace("\n", "\r\n")


def test_an_edit_may_name_its_file() -> None:
    program = Program({"a.py": PACKING, "lib/b.py": PACKING})
    change = edit("        left = free - item  # what stays free", "        left = free - 2 * item")
    with pytest.raises(EditRefused, match="more than one place"):
        edited(program, change)
    for named in ("lib/b.py", "**lib/b.py**:", "File: `lib/b.py`\n```python"):
        child = edited(program, f"I change it.\n{named}\n{change}")
        assert child.files["a.py"] == PACKING
        assert "2 * item" in child.files["lib/b.py"]


def test_any_language_is_edited() -> None:
    text = "// EVOLVE-BLOCK-START\nint f(int x) { return x; }\n// EVOLVE-BLOCK-END\n"
    child = edited(Program({"f.c": text}), edit("int f(int x) { return x; }", "int f(int x) { return x +"))
    assert "return x +" in child.files["f.c"]


def test_a_method_in_a_block_is_edited() -> None:
    child = edited(Program({"m.py": ANNEALING}), edit("i = rng.randrange(len(self.p))", "i = 0"))
    assert child.files["m.py"] == ANNEALING.replace("i = rng.randrange(len(self.p))", "i = 0")
