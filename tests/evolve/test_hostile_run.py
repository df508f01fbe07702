"""A run among enemies: hostile programs are refused by name, and the honest ones after them score what they always did."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from quiltwork.evolve import proposers
from quiltwork.evolve.budget import Budget
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.proposers.base import Brief, Proposal
from quiltwork.evolve.session import begin, drive, opened
from tests.evolve.helpers import sine

FORGERY = """import os
    for fd in range(3, 20):
        try:
            os.write(fd, b"forged" * 99)
        except OSError:
            pass
    return 0.0"""

HOSTILE = {
    "raises": ("raise ValueError('no')", {"raised"}),
    "exits": ("import sys; sys.exit(0)", {"exited"}),
    "leaves at once": ("import os; os._exit(0)", {"exited"}),
    "never ends": ("while True: pass", {"cpu", "wall"}),
    "bombs memory": ("x = bytearray(4 << 30); return x[0]", {"memory"}),
    "lies about infinity": ("return float('inf')", {"invalid"}),
    "lies about nan": ("return float('nan')", {"invalid"}),
    "returns code": ("return lambda: 0", {"reply"}),
    "kills its parent": (
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL); return 0.0",
        {"ok", "raised", "exited", "signal"},
    ),
    "patches numpy": ("import numpy; numpy.abs = None; numpy.sin = None; return 0.0", {"ok"}),
    "writes for the next": ("open('/tmp/left', 'w').write('x'); return 0.0", {"ok", "raised"}),
    "reads what another left": ("return float(len(open('/tmp/left').read()))", {"raised"}),
    "forges a reply": (FORGERY, {"forged", "reply", "signal", "exited"}),
}

HONEST = "return x * {factor!r}"


class Scripted:
    """Proposes hostile and honest programs in turn; every honest one is new."""

    name = "mutate"
    heavy = False
    made: ClassVar[int] = 0

    def applies_to(self, problem: Problem) -> bool:
        return True

    def propose(self, brief: Brief) -> Proposal:
        number, Scripted.made = Scripted.made, Scripted.made + 1
        names = list(HOSTILE)
        if number % 2:
            body, note = HONEST.format(factor=0.3 + number / 1_000), f"honest {0.3 + number / 1_000!r}"
        else:
            note = names[number // 2 % len(names)]
            body = f"{HOSTILE[note][0]}  # {number}\n    {number}"
        text = f"# EVOLVE-BLOCK-START\ndef approximate(x):\n    {body}\n\n\n# EVOLVE-BLOCK-END\n"
        tail = brief.problem.program.files["program.py"].split("# EVOLVE-BLOCK-END\n")[1]
        return Proposal(
            brief.parent.program.with_file("program.py", f'"""Attempt {number}."""\n\n\n{text}{tail}'), note
        )


@pytest.fixture
def _scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Scripted, "made", 0)
    monkeypatch.setitem(proposers.KINDS, "mutate", "tests.evolve.test_hostile_run:Scripted")
    proposers._made.cache_clear()
    yield
    proposers._made.cache_clear()


@pytest.mark.usefixtures("_scripted")
def test_every_hostile_program_is_named_in_the_log_and_harms_nobody(tmp_path: Path) -> None:
    problem = sine(tmp_path / "p")
    settings = {"arms": ["mutate"], "islands": 1, "kind": "best_of_n"}
    begin(
        Problem.load(problem), tmp_path / "run", seed=1, budget=Budget(2 * len(HOSTILE) + 1, "evals"), settings=settings
    )
    with opened(tmp_path / "run", drive=True) as session:
        assert drive(session, workers=2, trust=False) == "budget"
        members = list(session.state.members.values())
        assert session.state.best is not None
        best = session.state.members[session.state.best]
    for name, (_, allowed) in HOSTILE.items():
        verdicts = {member.verdict for member in members if member.note == name}
        assert verdicts, f"{name!r} was never tried"
        assert verdicts <= allowed, f"{name!r} ended as {verdicts}"
    for member in members:
        if member.note.startswith("honest"):
            factor = float(member.note.split()[1])
            assert member.verdict == "ok"
            assert member.metrics["error"] == max(abs(x * factor - sine_of(x)) for x in POINTS)
    assert best.note.startswith("honest") or best.arm == "seed"


POINTS = [3.0 * i / 40 for i in range(41)]


def sine_of(x: float) -> float:
    return math.sin(x)
