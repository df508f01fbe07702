import pytest

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.functions import continued, targets
from quiltwork.evolve.program import Program
from tests.evolve.corpus import ANNEALING, FORMULA, PACKING, SCRIPT

FORMULAS = Program({"p.py": FORMULA})
MODEL = targets(FORMULAS)[0]


def model(reply: str, **how: bool) -> str:
    return continued(FORMULAS, MODEL, reply, 2, **how).files["p.py"]


def wanted(body: str) -> str:
    return FORMULA.replace("    return x\n", body)


def test_functions_at_the_margin_of_a_block_are_found() -> None:
    assert [(each.name, each.first, each.last) for each in targets(FORMULAS)] == [("model", 2, 3)]
    assert [each.name for each in targets(Program({"p.py": PACKING}))] == ["priority", "choose"]
    assert targets(Program({"p.py": ANNEALING, "c.c": "int x;\n"})) == ()
    assert targets(Program({"p.py": "def broken(:\n"})) == ()


def test_a_target_is_the_text_it_was_taken_from() -> None:
    for text in (FORMULA, PACKING, SCRIPT):
        for target in targets(Program({"p.py": text})):
            assert target.text.rstrip("\n") in text


def test_the_body_of_the_answer_takes_the_place_of_the_functions() -> None:
    assert model("    z = x * y\n    return z\n") == wanted("    z = x * y\n    return z\n")


def test_all_but_the_function_is_cut_off() -> None:
    for rest in (
        "\ndef model_v3(x, y):\n    return 1\n",
        "\nprint(model_v2(1, 2))\n",
        "```\nThis is better.",
        "\nThis is it (",
        "\n# End\n",
    ):
        assert model(f"    return x * y\n{rest}") in {
            wanted("    return x * y\n"),
            wanted("    return x * y\n\n# End\n"),
        }


def test_brackets_and_strings_at_the_margin_do_not_end_the_function() -> None:
    body = '    table = [\n1,\n2,\n]\n    text = """\nat the margin\n"""\n    return table[0] * x\n'
    assert model(body + "\nmore(\n") == wanted(body)


def test_the_new_name_becomes_the_old_one_again() -> None:
    assert model("    return model_v2(x - 1, y) if x > 0 else f'{model_v2(0, y)}'\n") == wanted(
        "    return model(x - 1, y) if x > 0 else f'{model(0, y)}'\n"
    )


def test_calls_to_earlier_versions_are_refused() -> None:
    with pytest.raises(EditRefused, match="model_v0"):
        model("    return model_v0(x, y) + 1\n")


def test_a_whole_function_in_the_answer_is_taken() -> None:
    for reply in (
        "def model_v2(x, y):\n  return x * y\n",
        "Here it is:\n```python\ndef model(x, y):\n    return x * y\n```\nGood.",
    ):
        assert "return x * y" in model(reply)
        assert model(reply).count("def model") == 1


def test_other_parameters_are_refused() -> None:
    with pytest.raises(EditRefused, match="parameters"):
        model("def model_v2(x, y, z):\n    return z\n")


def test_a_lost_first_indentation_is_put_back() -> None:
    assert model("z = x * y\n    return z\n") == wanted("    z = x * y\n    return z\n")


def test_the_docstring_stays_unless_the_answer_has_its_own() -> None:
    program = Program({"p.py": PACKING})
    priority = targets(program)[0]
    kept = continued(program, priority, "    return np.zeros(len(bins))\n", 1).files["p.py"]
    assert '    """Higher is better."""\n    return np.zeros(len(bins))\n' in kept
    own = continued(program, priority, '    """Zeros."""\n    return np.zeros(len(bins))\n', 1).files["p.py"]
    assert '    """Zeros."""\n    return np.zeros(len(bins))\n' in own
    assert "Higher is better" not in own
    improved = continued(program, priority, '    """Improved version of `priority_v0`."""\n    return 1\n', 1).files[
        "p.py"
    ]
    assert '    """Higher is better."""\n    return 1\n' in improved


def test_tabs_of_the_parent_are_kept() -> None:
    program = Program({"p.py": "def f(x):\n\t'Doc.'\n\treturn x\n"})
    assert (
        continued(program, targets(program)[0], "    y = x\n    return y\n", 1).files["p.py"]
        == "def f(x):\n\t'Doc.'\n\ty = x\n\treturn y\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "def f(x): return x\n",
        "def f(x): 'Doc.'; return x\n",
        "def f(\n    x,\n):  # why\n    return x\n",
        "@cache\ndef f(x) -> int:\n    return x\n",
    ],
)
def test_headers_of_any_shape_stay(text: str) -> None:
    program = Program({"p.py": text})
    child = continued(program, targets(program)[0], "    return 2 * x\n", 1).files["p.py"]
    assert "    return 2 * x\n" in child
    assert child.count("def f(") == text.count("def f(") == 1
    assert child.count("Doc.") == text.count("Doc.")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("    return x +\n", "no valid Python"),
        ("Sure! Here is the code", "no valid Python"),
        ("    return x\n", "changes nothing"),
        ('    """Nothing but words."""\n', "without a body"),
        ("    return '\0'\n", "no valid Python"),
    ],
)
def test_what_is_no_function_is_refused_with_the_reason(reply: str, reason: str) -> None:
    with pytest.raises(EditRefused, match=reason):
        model(reply)


def test_an_answer_that_was_cut_off_counts_only_if_the_function_had_ended() -> None:
    assert model("    return x * y\n\nprint(", cut_off=True) == wanted("    return x * y\n")
    with pytest.raises(EditRefused, match="cut off"):
        model("    z = x * y\n", cut_off=True)
