import ast
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.draws import draw
from quiltwork.evolve.novelty import normal_hash
from quiltwork.evolve.program import Program, within_blocks
from quiltwork.evolve.proposers import proposer
from quiltwork.evolve.proposers.base import NothingToPropose
from quiltwork.evolve.proposers.mutate import EDITS, mutant
from tests.evolve.corpus import CORPUS, FORMULA, PACKING, make_brief, make_problem, parses, programs

FROZEN = ["e8625a7c", "8d851847", "6e6f8df7", "5b421e96"]
MUTATE = proposer("mutate")
seeds = st.integers(0, 2**32)


STATEMENT_EDITS = frozenset({"delete", "duplicate", "exchange", "guard", "update"})


def mutants(text: str, count: int, without: frozenset[str] = frozenset()) -> list[str]:
    """Single edits of one file, as texts."""
    found = []
    for seed in range(count):
        result = mutant(Program({"p.py": text}), draw(seed, 0, "mutants"))
        if result is not None and not without & set(result[1].split(", ")):
            found.append(result[0].files["p.py"])
    return found


@settings(max_examples=300, deadline=None)
@given(programs, seeds)
def test_a_child_parses_stays_in_the_blocks_and_is_new(parent: Program, seed: int) -> None:
    before = parent.encode()
    child = MUTATE.propose(make_brief(parent, seed)).program
    assert parses(child)
    assert within_blocks(parent, child)
    assert normal_hash(child) != normal_hash(parent)
    assert parent.encode() == before


@settings(deadline=None)
@given(programs, seeds)
def test_the_same_brief_has_the_same_child(parent: Program, seed: int) -> None:
    first, second = (MUTATE.propose(make_brief(parent, seed)) for _ in range(2))
    assert first == second


@settings(max_examples=25, deadline=None)
@given(programs, seeds)
def test_a_long_line_of_descent_stays_sound(program: Program, seed: int) -> None:
    first = program
    for generation in range(12):
        program = MUTATE.propose(make_brief(program, seed + generation)).program
    assert parses(program)
    assert within_blocks(first, program)


def test_comments_and_formatting_survive() -> None:
    for text in mutants(PACKING, 200):
        assert "# a note between functions" in text
        assert '"""Higher is better."""' in text
        changed = set(text.splitlines()) - set(PACKING.splitlines())
        assert len(changed) <= 6


def test_every_edit_finds_something_to_do() -> None:
    done = Counter[str]()
    for seed in range(2000):
        result = mutant(CORPUS[seed % len(CORPUS)], draw(seed, 0, "edits"))
        done.update(result[1].split(", ") if result else ())
    assert set(done) == {name for _, name, _ in EDITS}


def test_numbers_keep_their_kind_and_whole_numbers_their_sign() -> None:
    found = set()
    for text in mutants("k = f(3, 0.5)\n", 300):
        call = ast.parse(text).body[0].value  # type: ignore[attr-defined]
        if isinstance(call, ast.Call) and all(isinstance(each, ast.Constant) for each in call.args):
            found.add((type(call.args[0].value), type(call.args[1].value), call.args[0].value >= 0))  # type: ignore[attr-defined]
    assert {kind for kind, _, _ in found} >= {int}
    assert all(positive for _, _, positive in found)


def test_an_index_stays_a_whole_number() -> None:
    for text in mutants("def f(v, i):\n    return v[i + 1]\n", 400):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Subscript):
                floats = [n for n in ast.walk(node.slice) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
                divisions = [n for n in ast.walk(node.slice) if isinstance(n, ast.Div)]
                assert not floats + divisions, text


def test_names_are_read_only_where_they_have_a_value() -> None:
    """An edit of an expression never reads a name too early: what fails when it runs is arithmetic itself."""
    text = "import math\ndef f(x, y):\n    a = x + 1.0\n    b = a * y\n    c = [v * b for v in (x, y)]\n    return sum(c) - a\n"
    for text_of_child in mutants(text, 400, without=STATEMENT_EDITS):
        names: dict[str, object] = {}
        exec(text_of_child, names)
        with suppress(ArithmeticError, ValueError, TypeError):
            names["f"](2.0, 3.0)  # type: ignore[operator]


def has_double_brackets(text: str) -> bool:
    """Whether a bracket holds nothing but another bracket."""
    open_at: list[int] = []
    pairs = set()
    for index, sign in enumerate(text):
        if sign == "(":
            open_at.append(index)
        elif sign == ")":
            pairs.add((open_at.pop(), index))
    return any((start + 1, end - 1) in pairs for start, end in pairs)


def test_brackets_do_not_pile_up() -> None:
    program = Program({"p.py": "def f(x):\n    return x\n"})
    for seed in range(300):
        result = mutant(program, draw(seed, 0, "brackets"))
        if result is not None and len(result[0].files["p.py"]) < 400:
            program = result[0]
        assert not has_double_brackets(program.files["p.py"]), program.files["p.py"]


def test_an_expression_can_grow_and_shrink() -> None:
    grown = mutants(FORMULA, 300)
    for wanted in ("return x * y", "return x + y", "return y", "return abs(x)"):
        assert any(wanted in text for text in grown), wanted
    shrunk = mutants(FORMULA.replace("return x", "return x * y + 2.0"), 300)
    for wanted in ("return x * y\n", "return x + 2.0\n", "return 2.0\n"):
        assert any(wanted in text for text in shrunk), wanted


@pytest.mark.parametrize(
    "files",
    [
        {"a.c": "int x = 1;"},
        {"a.py": "def f(:\n"},
        {"a.py": ""},
        {"a.py": "# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\nx = 1\n"},
        {"a.py": "# EVOLVE-BLOCK-START\nimport os\n# EVOLVE-BLOCK-END\n"},
        {"a.py": "s = 'text'\n"},
    ],
)
def test_where_nothing_can_change_nothing_is_proposed(files: dict[str, str]) -> None:
    with pytest.raises(NothingToPropose):
        MUTATE.propose(make_brief(Program(files)))


def test_it_applies_where_python_may_change() -> None:
    assert MUTATE.applies_to(make_problem(CORPUS[0]))
    assert not MUTATE.applies_to(make_problem(Program({"a.c": "int x;"})))


def test_children_are_the_same_on_every_machine() -> None:
    notes = [MUTATE.propose(make_brief(CORPUS[1], seed)).program.id[:8] for seed in range(4)]
    assert notes == FROZEN
