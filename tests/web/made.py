"""Runs written by hand, entry by entry, for what would take a real search too long, or what no honest one would do."""

from __future__ import annotations

from pathlib import Path

from quiltwork.evolve.entries import Cost, Evaluated, Planned, Proposed, Refused, Replied
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.session import begin
from quiltwork.log import Body
from quiltwork.models.base import Message, Reply, Request
from quiltwork.run import Run

HOSTILE = (
    "<script>alert('owned')</script>\"><img src=x onerror=alert('owned')>"
    "<svg onload=alert('owned')>{{7*7}}javascript:alert(1)"
)


def long_run(problem: Path, path: Path, steps: int) -> None:
    """A run of so many committed steps; every tenth is refused, every hundredth is a new best."""
    begin(Problem.load(problem), path, seed=0, settings={"pipeline": 1})
    with Run.open(path, drive=True) as run:
        program = run.blobs.put(Problem.load(problem).program.encode())
        for first in range(0, steps, 500):
            bodies: list[Body] = []
            for step in range(first, min(first + 500, steps)):
                bodies += _step(step, program)
            run.writer.append(*bodies)


def _step(step: int, program: str) -> list[Body]:
    planned = Planned(step=step, arm="seed" if step == 0 else "mutate", island=0, parents=(step // 2,) if step else ())
    proposed = Proposed(step=step, program=program, normal=f"{step}", note=f"change {step}", nodes=step % 200)
    if step % 10 == 9:
        return [planned, proposed, Refused(step=step, reason="duplicate", detail="seen before")]
    error = 1.0 / (1 + step // 100)
    return [planned, proposed, Evaluated(step=step, verdict="ok", metrics={"error": error}, cost=Cost(cpu_s=0.01))]


def hostile_run(problem: Path, path: Path) -> None:
    """A run in which everything that a stranger can write is an attack on the page."""
    begin(Problem.load(problem), path, seed=0, settings={"pipeline": 1})
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script><text>{"x"}</text></svg>'
    with Run.open(path, drive=True) as run:
        bad = run.blobs.put(
            Program({"program.py": f"# EVOLVE-BLOCK-START\n# {HOSTILE}\n# EVOLVE-BLOCK-END\n"}).encode()
        )
        seed = run.blobs.put(Problem.load(problem).program.encode())
        request = Request(model="m", messages=(Message(role="user", content=f"asked {HOSTILE}"),))
        reply = Reply(texts=(f"answered {HOSTILE}",), finish=(HOSTILE,))
        artifacts = {
            f"{HOSTILE}.txt": run.blobs.put(f"printed {HOSTILE}".encode()),
            "page.html": run.blobs.put(HOSTILE.encode()),
            "picture.svg": run.blobs.put(svg.encode()),
        }
        run.writer.append(
            Planned(step=0, arm="seed", island=0),
            Proposed(step=0, program=seed, normal="seed"),
            Evaluated(step=0, verdict="ok", metrics={"error": 1.0}),
            Planned(step=1, arm=f"llm:{HOSTILE}", island=0, parents=(0,)),
            Replied(
                step=1,
                purpose=HOSTILE,
                model=HOSTILE,
                request=run.blobs.put(request.encode()),
                reply=run.blobs.put(reply.encode()),
                prompt_tokens=10,
                completion_tokens=5,
                usd=0.01,
            ),
            Proposed(step=1, program=bad, normal="bad", note=f"noted {HOSTILE}"),
            Evaluated(step=1, verdict="ok", metrics={"error": 0.5}, artifacts=artifacts),
            Planned(step=2, arm="mutate", island=0, parents=(1,)),
            Proposed(step=2, program=bad, normal="worse", note=HOSTILE),
            Evaluated(step=2, verdict=f"v {HOSTILE}", detail=f"raised {HOSTILE}"),
        )
