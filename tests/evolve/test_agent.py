import pytest

from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers import arms_for, converser
from quiltwork.evolve.proposers.base import AgentWork, Errand, Failure, NotApplicable, Proposal
from tests.evolve.corpus import FORMULA, PACKING
from tests.evolve.prompting.briefs import PARENT, brief, problem, specimen

BETTER = PACKING.replace("left ** 2", "left ** 4")


def errand_and(work: AgentWork, **fields: object) -> tuple[Errand, Proposal]:
    conversation = converser("agent:helper").converse(brief(**fields))
    errand = next(conversation)
    assert isinstance(errand, Errand)
    with pytest.raises(StopIteration) as ended:
        conversation.send(work)
    return errand, ended.value.value


def test_an_agents_change_becomes_a_child_with_its_last_words_as_note() -> None:
    work = AgentWork({"p.py": BETTER}, "reading\n\x1b[1mMade it steeper.\n[quiltwork: ignored: x]\n")
    errand, proposal = errand_and(work)
    assert proposal.program.files["p.py"] == BETTER
    assert proposal.note == "?[1mMade it steeper."
    assert (errand.agent, dict(errand.files)) == ("helper", {"p.py": PACKING})


def test_the_agent_is_told_the_rules_and_given_what_there_is_to_read() -> None:
    parent = specimen(PARENT, 213.5, **{"../feedback.txt": "too many gaps", "..": "dots"})
    failures = (Failure(PARENT, "raised", "ZeroDivisionError", "divided"),)
    errand, _ = errand_and(AgentWork({"p.py": BETTER}, ""), parent=parent, failures=failures)
    for said in ("Waste less.", "bins = 213.5", "bins (smaller is better)", "p.py: lines 8 to"):
        assert said in errand.task
    assert errand.context["README.md"] == "Gaps of 20 are good.\n"
    assert errand.context["artifacts/_feedback.txt"] == "too many gaps\n"
    assert errand.context["artifacts/artifact"] == "dots\n"
    assert "abs(left)" in errand.context["others/1.txt"]
    assert "ZeroDivisionError" in errand.context["refused/1.txt"]
    assert not any(part in ("", ".", "..") for path in errand.context for part in path.split("/"))


def test_what_was_finished_before_an_agent_was_stopped_counts() -> None:
    _, proposal = errand_and(AgentWork({"p.py": BETTER}, "at work", "it was stopped after 9 s"))
    assert proposal.note == "it was stopped after 9 s"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"p.py": PACKING}, "changed nothing"),
        ({}, "p.py is gone"),
        ({"p.py": BETTER, "q.py": ""}, "q.py is new"),
        ({"p.py": PACKING.replace("CAPACITY = 100", "CAPACITY = 1000")}, "outside the EVOLVE blocks: p.py"),
        ({"p.py": PACKING.replace("# EVOLVE-BLOCK-END\n", "")}, "outside the EVOLVE blocks: p.py"),
        ({"p.py": PACKING.replace("scores = []", "scores = [")}, "no valid Python"),
        ({"p.py": BETTER + "\ud800"}, "UTF-8"),
    ],
)
def test_anything_else_is_not_applicable_and_named(files: dict[str, str], reason: str) -> None:
    conversation = converser("agent:helper").converse(brief())
    next(conversation)
    with pytest.raises(NotApplicable, match=reason):
        conversation.send(AgentWork(files, "", ""))


def test_a_file_without_a_block_may_not_change_beside_one_that_has() -> None:
    parent = Program({"p.py": FORMULA, "table.txt": "1\n"})
    conversation = converser("agent:helper").converse(brief(parent))
    next(conversation)
    with pytest.raises(NotApplicable, match=r"outside the EVOLVE blocks: table\.txt \(it was stopped\)"):
        conversation.send(AgentWork({"p.py": FORMULA, "table.txt": "2\n"}, "", "it was stopped"))


def test_agents_are_arms() -> None:
    assert arms_for(problem(), ["agent"]) == ("agent:helper",)
    assert not converser("agent:nobody").applies_to(problem())
