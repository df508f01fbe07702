import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.evolve.building_blocks import check_building_block
from quiltwork.evolve.novelty import normal_hash
from quiltwork.evolve.program import Program, within_blocks
from quiltwork.evolve.proposers import proposer
from quiltwork.evolve.proposers.base import NothingToPropose
from quiltwork.evolve.proposers.splices import find_slot, splice
from tests.evolve.corpus import make_brief, make_problem, parses

COMPOSE = proposer("compose")

PROGRAM = """\
import math

SIZE = 8

# EVOLVE-BLOCK-START
# How a solution begins.
def start(n):
    return [0.0] * n


def improve(x):
    return x
# EVOLVE-BLOCK-END


def solve():
    return improve(start(SIZE))
"""

LIBRARY = {
    "start": {
        "ones": '"""All ones."""\n\nfrom __future__ import annotations\n\n\ndef start(n):\n    return [1.0] * n\n',
        "ramp": "import math\n\nSTEP = 0.5\n\n\ndef _scale(i):\n    return STEP * math.sqrt(i)\n\n\n"
        "def start(n):\n    return [_scale(i) for i in range(n)]\n",
    },
    "improve": {
        "add": "STEP = 2.0\n\n\ndef _scale(v):\n    return v + STEP\n\n\ndef improve(x):\n    return [_scale(v) for v in x]\n",
        "sort": "def improve(x):\n    return sorted(x, reverse=True)\n",
    },
}

SEED = Program({"main.py": PROGRAM, "notes.md": "for people\n"})


def run(program: Program) -> object:
    names: dict[str, object] = {}
    exec(program.files["main.py"], names)
    return names["solve"]()  # type: ignore[operator]


def spliced(program: Program, *choices: tuple[str, str]) -> Program:
    for slot, name in choices:
        found = splice(program, slot, name, LIBRARY[slot][name])
        assert found is not None
        program = found
    return program


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_a_line_of_compositions_stays_sound(seed: int) -> None:
    program = SEED
    for generation in range(6):
        proposal = COMPOSE.propose(make_brief(program, seed + generation, building_blocks=LIBRARY))
        assert proposal == COMPOSE.propose(make_brief(program, seed + generation, building_blocks=LIBRARY))
        assert normal_hash(proposal.program) != normal_hash(program)
        assert within_blocks(SEED, proposal.program)
        program = proposal.program
        assert parses(program)
        run(program)
    assert program.files["main.py"].count("def _scale") <= 2
    assert "# How a solution begins." in program.files["main.py"]


def test_the_note_says_what_was_chosen() -> None:
    notes = {COMPOSE.propose(make_brief(SEED, seed, building_blocks=LIBRARY)).note for seed in range(40)}
    assert "compose: start = ones" in notes
    assert "compose: improve = add, start = ramp" in notes


def test_every_choice_can_be_reached() -> None:
    notes = " ".join(COMPOSE.propose(make_brief(SEED, seed, building_blocks=LIBRARY)).note for seed in range(40))
    assert all(f"{slot} = {name}" in notes for slot, names in LIBRARY.items() for name in names)


def test_helpers_leave_with_their_block() -> None:
    once = spliced(SEED, ("start", "ramp"))
    assert "_scale" in once.files["main.py"]
    again = spliced(once, ("start", "ones"))
    assert "_scale" not in again.files["main.py"]
    assert "STEP" not in again.files["main.py"]
    assert again == spliced(SEED, ("start", "ones"))


def test_helpers_of_the_same_name_do_not_meet() -> None:
    both = spliced(SEED, ("start", "ramp"), ("improve", "add"))
    assert run(both) == [0.5 * i**0.5 + 2.0 for i in range(8)]
    assert "_scale_improve" in both.files["main.py"]
    back = spliced(both, ("start", "ones"))
    assert run(back) == [3.0] * 8


def test_a_helper_that_stands_in_the_program_is_not_overwritten() -> None:
    program = SEED.with_file("main.py", PROGRAM.replace("SIZE", "STEP"))
    assert len(run(spliced(program, ("start", "ramp")))) == 8  # type: ignore[arg-type]


def test_a_block_whose_helper_is_used_elsewhere_stays() -> None:
    once = spliced(SEED, ("start", "ramp"))
    text = once.files["main.py"].replace("    return x\n", "    return [_scale(v) for v in x]\n")
    assert splice(once.with_file("main.py", text), "start", "ones", LIBRARY["start"]["ones"]) is None


def test_a_block_is_recognised_after_it_was_changed() -> None:
    once = spliced(SEED, ("start", "ramp"))
    changed = once.with_file("main.py", once.files["main.py"].replace("STEP * ", "2 * STEP * "))
    assert spliced(changed, ("start", "ones")) == spliced(SEED, ("start", "ones"))


def test_without_its_marks_the_function_is_replaced_alone() -> None:
    once = spliced(SEED, ("improve", "sort"))
    bare = once.with_file(
        "main.py", "".join(line for line in once.files["main.py"].splitlines(True) if "building" not in line)
    )
    assert run(spliced(bare, ("improve", "add"))) == [2.0] * 8


def test_line_endings_stay_what_they_are() -> None:
    windows = SEED.with_file("main.py", PROGRAM.replace("\n", "\r\n"))
    text = spliced(windows, ("start", "ramp"), ("start", "ones")).files["main.py"]
    assert text.replace("\r\n", "\n") == spliced(SEED, ("start", "ones")).files["main.py"]
    assert text.count("\n") == text.count("\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "def start(n):\n    return n\n# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n",
        "# EVOLVE-BLOCK-START\nclass C:\n    def start(self):\n        return 1\n# EVOLVE-BLOCK-END\n",
        "def start(n):\n    # EVOLVE-BLOCK-START\n    return n\n    # EVOLVE-BLOCK-END\n",
        "x = 1\n",
    ],
)
def test_only_top_level_functions_inside_blocks_are_slots(text: str) -> None:
    program = Program({"p.py": text})
    assert find_slot(program, "start") is None
    assert not COMPOSE.applies_to(make_problem(program, LIBRARY))
    with pytest.raises(NothingToPropose):
        COMPOSE.propose(make_brief(program, building_blocks=LIBRARY))


def test_it_applies_where_a_block_fits() -> None:
    assert COMPOSE.applies_to(make_problem(SEED, LIBRARY))
    assert not COMPOSE.applies_to(make_problem(SEED, {}))
    assert not COMPOSE.applies_to(make_problem(SEED, {"other": {"a": "def other():\n    pass\n"}}))


def test_the_only_block_in_place_already_is_nothing_new() -> None:
    library = {"start": {"ones": LIBRARY["start"]["ones"]}}
    with pytest.raises(NothingToPropose):
        COMPOSE.propose(make_brief(spliced(SEED, ("start", "ones")), building_blocks=library))


@pytest.mark.parametrize("slot", sorted(LIBRARY))
def test_sound_building_blocks_pass(slot: str) -> None:
    for source in LIBRARY[slot].values():
        check_building_block(slot, "x.py", source)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("def start(n:\n", 1, "."),
        ("x = 1\n", 1, "nowhere"),
        ("def start(n):\n    pass\n\ndef start(m):\n    pass\n", 4, "twice"),
        ("def start(n):\n    pass\n\nprint(start(1))\n", 4, "only"),
        ("def start(n):\n    # EVOLVE-BLOCK-END\n    pass\n", 2, "mark"),
        ("# building block start: x\ndef start(n):\n    pass\n", 1, "mark"),
        ("def start(n):\n    x = '\0'\n", 1, "null"),
    ],
)
def test_a_bad_building_block_is_named_by_file_and_line(source: str, line: int, message: str) -> None:
    with pytest.raises(UserError, match=rf"^blocks/start/x\.py:{line}: (?s:.)*{message}"):
        check_building_block("start", "blocks/start/x.py", source)
