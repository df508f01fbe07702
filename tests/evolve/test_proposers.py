import subprocess
import sys

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve.proposers import CONVERSERS, NAMES, converser, proposer

ALONE = [name for name in NAMES if name not in CONVERSERS]


@pytest.mark.parametrize("name", ALONE)
def test_every_proposer_is_found_by_its_name(name: str) -> None:
    found = proposer(name)
    assert found.name == name
    assert found is proposer(name)
    assert found.heavy == (name == "polish")


@pytest.mark.parametrize("arm", ["llm:fast:diff", "agent:coder"])
def test_an_arm_says_what_its_proposer_is_made_with(arm: str) -> None:
    assert converser(arm).name == arm
    assert converser(arm) is converser(arm)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"'mutat'; there are mutate, cross"):
        proposer("mutat")


def test_the_libraries_of_tuning_load_when_they_are_used() -> None:
    code = (
        "import sys\n"
        "from quiltwork.evolve.proposers import CONVERSERS, NAMES, proposer\n"
        "[proposer(name) for name in NAMES if name not in CONVERSERS]\n"
        "sys.exit(any(name in sys.modules for name in ('cma', 'optuna', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
