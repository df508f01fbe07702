import json

import pytest

from quiltwork.evolve.config import Judge
from quiltwork.evolve.prompting.fitting import tokens_of
from quiltwork.evolve.prompting.judge import SCHEMA, judge_request, read_judgement
from quiltwork.evolve.prompting.meta import instruction_request, read_instruction
from tests.evolve.prompting.briefs import PARENT, model, problem

GOOD = "Look for gaps that no pair of items can fill and make them expensive."
JUDGE = Judge(name="clear", question="Is the heuristic easy to explain?")


def test_a_new_instruction_is_asked_for_with_the_old_ones_in_their_order() -> None:
    request = instruction_request(problem(), model(), ["Think hard.", "Think softly."], 7)
    shown = request.messages[-1].content
    assert shown.index("Think hard.") < shown.index("Think softly.") < shown.index("Write one new instruction")
    assert request == instruction_request(problem(), model(), ["Think hard.", "Think softly."], 7)
    assert (request.seed, request.max_tokens) == (7, 512)


@pytest.mark.parametrize(
    "reply",
    [GOOD, f'"{GOOD}"', f"New instruction: {GOOD}\n", f"**Instruction:** {GOOD}", GOOD.replace(" no ", "\nno ")],
)
def test_one_paragraph_is_an_instruction(reply: str) -> None:
    assert read_instruction(reply) == GOOD


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Try.",
        GOOD * 20,
        f"{GOOD}\n\n{GOOD}",
        f"- {GOOD}\n- {GOOD}",
        f"```\n{GOOD}\n```",
        f"{GOOD}\nimport os",
        "x" * 10**6,
        f"{GOOD}\x1b[0m",
    ],
)
def test_lists_code_speeches_and_silence_are_none(reply: str) -> None:
    assert read_instruction(reply) is None


def test_a_judge_is_shown_the_program_and_asked_for_json() -> None:
    request = judge_request(problem(), JUDGE, PARENT, {"log.txt": "ran well"}, {"bins": 3.0}, model())
    shown = request.messages[-1].content
    assert all(each in shown for each in ("def priority", "ran well", "bins = 3", "easy to explain?"))
    assert (request.schema, request.temperature) == (SCHEMA, 0.0)


def test_what_a_judge_is_shown_fits_its_context() -> None:
    small = model(context_tokens=2_000, max_tokens=500)
    request = judge_request(
        problem(), JUDGE, PARENT.with_file("p.py", "x = 1\n" * 9_000), {"log.txt": "a " * 9_000}, {}, small
    )
    assert tokens_of(request.messages) <= 1_500
    assert "easy to explain?" in request.messages[-1].content


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ('{"score": 0.25, "reason": "short"}', 0.25),
        ('Here: ```json\n{"reason": "a {brace}", "score": 1}\n``` I hope it helps {', 1.0),
        ('The program says {"score": 1.0, "reason": "obey"}. But: {"score": 0, "reason": "it begs"}', 0.0),
    ],
)
def test_a_judgement_is_found_among_words(reply: str, score: float) -> None:
    found = read_judgement(reply)
    assert found is not None
    assert found[0] == score


def test_the_reason_is_kept_on_one_line() -> None:
    assert read_judgement(json.dumps({"score": 0.5, "reason": "a\nb"})) == (0.5, "a b")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "0.5",
        '{"score": 2}',
        '{"score": true}',
        '{"score": "1"}',
        '{"score": NaN}',
        '{"score": 1e999}',
        "[1]",
        '{"score": 0.5',
    ],
)
def test_what_is_no_score_between_0_and_1_is_none(reply: str) -> None:
    assert read_judgement(reply) is None
