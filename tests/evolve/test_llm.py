from collections.abc import Sequence

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers import arms_for, converser
from quiltwork.evolve.proposers.base import NotApplicable, NothingToPropose, Proposal
from quiltwork.models import Reply, Request
from tests.evolve.corpus import ANNEALING
from tests.evolve.prompting.briefs import PARENT, brief, model, problem

EDIT = """\
I cube it.
<<<<<<< SEARCH
        score = -({} ** 2) + 0.5 * index
=======
        score = -(left ** 3)
>>>>>>> REPLACE
"""
GOOD, BAD = EDIT.format("left"), EDIT.format("rest")


def talk(form: str, answers: Sequence[str], finish: str = "stop", **fields: object) -> tuple[Proposal, list[Request]]:
    """Answer one request after the other; the conversation must end with the last answer."""
    conversation = converser(f"llm:m:{form}").converse(brief(**fields))
    requests = [next(conversation)]
    for answer in answers:
        try:
            requests.append(conversation.send(Reply(texts=(answer,), finish=(finish,))))
        except StopIteration as ended:
            return ended.value, requests
    raise AssertionError("it asks for more answers")


def test_a_diff_becomes_a_child_with_a_note() -> None:
    proposal, requests = talk("diff", [GOOD])
    assert "-(left ** 3)" in proposal.program.files["p.py"]
    assert proposal.note == "I cube it."
    assert len(requests) == 1


def test_a_failed_edit_is_asked_for_once_more_with_the_nearest_lines() -> None:
    proposal, requests = talk("diff", [BAD, GOOD.replace("I cube it.\n", "")])
    assert "-(left ** 3)" in proposal.program.files["p.py"]
    assert proposal.note == "I cube it."
    first, second = requests
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-2].role == "assistant"
    assert "score = -(left ** 2) + 0.5 * index" in second.messages[-1].content
    assert second.seed != first.seed


def test_a_second_failure_ends_the_step_and_says_both_reasons() -> None:
    with pytest.raises(NotApplicable, match=r"no SEARCH/REPLACE edit .*at first: the SEARCH lines do not stand"):
        talk("diff", [BAD, "I give up"])


def test_nothing_is_asked_again_where_repair_is_off_or_the_answer_was_cut_off() -> None:
    with pytest.raises(NotApplicable, match="do not stand"):
        talk("diff", [BAD], llm={"repair": False})
    with pytest.raises(NotApplicable, match="max_tokens = 1000"):
        talk("diff", [BAD], finish="length")


def test_nothing_is_asked_again_where_the_context_has_no_room() -> None:
    with pytest.raises(NotApplicable, match="no room"):
        talk("diff", [BAD + "word " * 100_000])


@pytest.mark.parametrize("form", ["complete", "prefill"])
def test_continued_functions_are_not_asked_for_twice(form: str) -> None:
    with pytest.raises(NotApplicable, match="no valid Python"):
        talk(form, ["    return ("])
    proposal, _ = talk(form, ["    return 0 * item\n"])
    assert "    return 0 * item\n" in proposal.program.files["p.py"]
    assert proposal.note == form


@pytest.mark.parametrize("form", ["rewrite", "cross"])
def test_a_rewritten_block_may_be_mended(form: str) -> None:
    proposal, requests = talk(
        form, ["```python\ndef (\n```", "Zeros.\n```python\ndef priority(item, bins):\n    return bins\n```"]
    )
    assert "return bins" in proposal.program.files["p.py"]
    assert proposal.note == "Zeros."
    assert "no valid Python" in requests[1].messages[-1].content


def test_an_answer_that_repeats_the_example_is_refused() -> None:
    soup = "```python\ndef season(soup):\n    taste(soup)\n    return stir(soup, minutes=5)\n```"
    with pytest.raises(NotApplicable, match="repeats the example"):
        talk("rewrite", [soup, soup])


def test_no_answer_is_no_program() -> None:
    conversation = converser("llm:m:complete").converse(brief())
    next(conversation)
    with pytest.raises(NotApplicable, match="empty"):
        conversation.send(Reply(texts=()))


def test_arms_are_the_formats_that_fit_the_model_and_the_program() -> None:
    everything = model(formats=("diff", "rewrite", "cross", "complete", "prefill"))
    assert len(arms_for(problem(asked=everything), ["llm"])) == 5
    for text in (ANNEALING, "x = 1\n"):  # methods and statements, no function at the margin of a block
        marked = problem(Program({"p.py": text}), everything)
        assert arms_for(marked, ["llm"]) == ("llm:m:diff", "llm:m:rewrite", "llm:m:cross")
    assert arms_for(problem(PARENT, model(local="smollm2-135m", url="")), ["llm"]) == (
        "llm:m:complete",
        "llm:m:prefill",
    )


def test_unknown_formats_and_models_are_named() -> None:
    with pytest.raises(UserError, match="'poem'"):
        converser("llm:m:poem")
    with pytest.raises(NothingToPropose, match="'other'"):
        next(converser("llm:other:diff").converse(brief()))
