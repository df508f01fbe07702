import pytest

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.fences import said
from quiltwork.evolve.editing.rewrite import rewritten
from quiltwork.evolve.program import Program
from tests.evolve.corpus import ANNEALING, FORMULA

NEW = "def model(x, y):\n    return x * y"


def test_the_fenced_code_takes_the_place_of_the_block() -> None:
    child = rewritten(Program({"p.py": FORMULA}), f"I multiply.\n```python\n{NEW}\n```\nDone.")
    assert child.files["p.py"] == FORMULA.replace("def model(x, y):\n    return x", NEW)


def test_code_that_brings_the_markers_or_the_whole_file_counts_between_the_markers() -> None:
    whole = FORMULA.replace("    return x\n", "    return x * y\n")
    for code in (whole, f"# EVOLVE-BLOCK-START\n{NEW}\n# EVOLVE-BLOCK-END"):
        assert rewritten(Program({"p.py": FORMULA}), f"```\n{code}\n```").files["p.py"] == whole


def test_the_longest_of_several_fences_counts() -> None:
    child = rewritten(Program({"p.py": FORMULA}), f"```sh\nls\n```\n~~~python\n{NEW}\n~~~\n```\nmodel(1, 2)\n```")
    assert NEW in child.files["p.py"]


def test_a_fence_without_an_end_counts_unless_the_answer_was_cut_off() -> None:
    program = Program({"p.py": FORMULA})
    assert NEW in rewritten(program, f"```python\n{NEW}").files["p.py"]
    with pytest.raises(EditRefused, match="cut off"):
        rewritten(program, f"```python\n{NEW}", cut_off=True)


def test_a_file_without_markers_is_one_block() -> None:
    assert rewritten(Program({"s.lua": "return 1\n"}), "```lua\nreturn 2\n```").files == {"s.lua": "return 2\n"}


def test_code_is_moved_to_the_indentation_of_its_block() -> None:
    step = "BLOCK 2\n```python\ndef step(self, t, rng):\n    return 0.0\n```"
    child = rewritten(Program({"m.py": ANNEALING}), step)
    assert (
        "    # EVOLVE-BLOCK-START\n    def step(self, t, rng):\n        return 0.0\n    # EVOLVE-BLOCK-END"
        in child.files["m.py"]
    )


@pytest.mark.parametrize("name", ["BLOCK 1", "**Block 1:**", "### block #1 (m.py)"])
def test_one_of_several_blocks_is_named_on_the_line_before(name: str) -> None:
    child = rewritten(
        Program({"m.py": ANNEALING}),
        f"Hotter.\n{name}\n\n```python\nSTART, RATE = 99.0, 0.9\nWEIGHTS = [1]\nSTEPS = 5\n```",
    )
    assert "START, RATE = 99.0, 0.9" in child.files["m.py"]


def test_one_of_several_blocks_must_be_named() -> None:
    with pytest.raises(EditRefused, match=r"BLOCK 1 \(m\.py\), BLOCK 2 \(m\.py\)"):
        rewritten(Program({"m.py": ANNEALING}), "```python\nSTEPS = 1\n```")
    with pytest.raises(EditRefused, match="has 2 blocks"):
        rewritten(Program({"m.py": ANNEALING}), "m.py\n```python\nSTEPS = 1\n```")


def test_a_file_with_one_block_may_be_named_by_its_path() -> None:
    program = Program({"a.py": FORMULA, "b.py": FORMULA})
    assert rewritten(program, f"`b.py`\n```python\n{NEW}\n```").files == {
        "a.py": FORMULA,
        "b.py": FORMULA.replace("def model(x, y):\n    return x", NEW),
    }


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("words", "no fenced code"),
        ("```python\n\n```", "no fenced code"),
        ("```python\ndef model(:\n```", r"p\.py:2: no valid Python"),
        ("```python\ndef model(x, y):\n    return x\n```", "changes nothing"),
        ("```python\nx = '\0'\n```", "no valid Python"),
        ("```python\nx = '\ud800'\n```", "UTF-8"),
        ("```python\n# EVOLVE-BLOCK-END\nx = 1\n# EVOLVE-BLOCK-START\n```", "do not pair up"),
        (f"```python\n{'(' * 100_000}\n```", "no valid Python"),
        ("x" * 2**21, "at most"),
    ],
)
def test_what_makes_no_program_is_refused_with_the_reason(reply: str, reason: str) -> None:
    with pytest.raises(EditRefused, match=reason):
        rewritten(Program({"p.py": FORMULA}), reply)


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        ("I square it. Then more.\n```\nx\n```", "I square it."),
        ("```\nx\n```\n## **Faster** by 1.5 times", "Faster** by 1.5 times"),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n\nIt was slow", "It was slow"),
        ("```\nonly code\n```", "rewrite"),
        ("a\x1b[31m\u202eb", "a?[31m?b"),
        ("word " * 100, ("word " * 100)[:117].rstrip() + "..."),
    ],
)
def test_the_note_is_the_first_sentence_outside_code(reply: str, note: str) -> None:
    assert said(reply, "rewrite") == note
