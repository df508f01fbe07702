import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.novelty import measure, normal_hash
from quiltwork.evolve.program import Program
from quiltwork.evolve.source import normal_form, piece, split

BASE = '''"""What it does."""
import math


@decorated
def f(x, n=3):
    """Doc."""
    if x > 1:
        y = 2.0 * x  # twice
    else:
        y = -x
    return y


try:
    K = [1, 2]
except ValueError:
    K = []
finally:
    done = True
'''


def python(text: str) -> str:
    return normal_hash(Program({"p.py": text}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # twice", ""),
        ('"""Doc."""', '"""Another."""'),
        ('    """Doc."""\n', ""),
        ('"""What it does."""\n', ""),
        ("2.0 * x", "( 2.00*x )"),
        ("K = [1, 2]", "K = [\n1,\n\n    2,\n]"),
        ("import math\n\n\n", "import math; "),
        ("y = -x", "y = -x\n        pass"),
        ("\n", "\r\n"),
    ],
)
def test_writing_it_differently_makes_the_same_program(old: str, new: str) -> None:
    text = BASE.replace(old, new) if old != "import math\n\n\n" else BASE.replace(old, "import math; import os\n")
    other = BASE.replace(old, "import math\nimport os\n") if old == "import math\n\n\n" else BASE
    assert text != other
    assert python(text) == python(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0 * x", "2 * x"),
        ("2.0 * x", "x * 2.0"),
        ("n=3", "n=True"),
        ("(x, n=3)", "(x, m=3)"),
        ("-x", "+x"),
        ("x > 1", "x >= 1"),
        ("[1, 2]", "[1], 2"),
        ("finally:\n    done", "done"),
        ("@decorated\n", ""),
        ("import math", "import math as math"),
    ],
)
def test_doing_something_else_makes_another_program(old: str, new: str) -> None:
    assert old in BASE
    assert python(BASE) != python(BASE.replace(old, new))


def test_names_of_files_count() -> None:
    assert normal_hash(Program({"a.py": BASE})) != normal_hash(Program({"b.py": BASE}))
    assert normal_hash(Program({"a.py": "x = 1", "b.py": ""})) != normal_hash(Program({"a.py": "", "b.py": "x = 1"}))


def test_other_languages_count_by_their_words() -> None:
    one = normal_hash(Program({"a.c": "int main() {\n\treturn 0; }"}))
    assert one == normal_hash(Program({"a.c": "int  main() { return 0; }\n"}))
    assert one != normal_hash(Program({"a.c": "int main() { return 1; }"}))


def test_python_that_does_not_parse_still_has_a_hash_and_a_size() -> None:
    assert python("def f(:\n") == python("def  f(:")
    assert python("def f(:") != python("def g(:")
    assert measure(Program({"p.py": "def f(:"})) == (4, 1)


def test_size_is_nodes_for_python_and_words_for_others() -> None:
    nodes, lines = measure(Program({"p.py": "# note\n\nx = 1 + y\n", "q.c": "int x;\n"}))
    assert nodes == len(["Assign", "Name", "BinOp", "Constant", "Add", "Name"]) + len(["int", "x", ";"])
    assert lines == 3


SNIPPETS = [
    "x = 1\n",
    "def f(a):\n    return a\n\n",
    "if x:\n    y\nelif z:\n    w\nelse:\n    v\n",
    "try:\n    y\nexcept E:\n    w\nelse:\n    u\nfinally:\n    v\n",
    '@a\n@b(1,\nc)\nclass C:\n    """s\nx\n"""\n',
    's = """\nif a:\n\n"""\n',
    "# comment\n",
    "t = (\n1,\nname,\n)\n",
    "y = a + \\\nb\n",
    "while q:\n  pass\nelse:\n  pass\n",
    "a = 1; b = 2\n",
    "é = 'ü'\n",
    "'''bare\nstring'''\n",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(SNIPPETS), max_size=6).map("".join))
def test_a_file_is_cut_into_pieces_that_parse_as_the_whole_does(text: str) -> None:
    pieces = split(text)
    assert pieces is not None
    assert "".join(pieces) == text
    apart = [ast.dump(statement) for each in pieces for statement in piece(each).tree.body]  # type: ignore[union-attr]
    assert apart == [ast.dump(statement) for statement in ast.parse(text).body]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*SNIPPETS, "(\n", "else:\n", "'''", "x =\n", "\\\n", "  x\n"]), max_size=6).map("".join)
)
def test_a_file_is_cut_exactly_when_it_parses(text: str) -> None:
    try:
        ast.parse(text)
    except SyntaxError:
        assert split(text) is None
    else:
        assert split(text) is not None


def test_a_null_byte_or_deep_nesting_is_no_python() -> None:
    assert normal_form("x = '\0'") is None
    assert normal_form("(" * 5_000) is None
