"""A run's programs and constructions, out of its blobs, as proposers and evaluators want them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import blake3

from quiltwork.blobs import BlobStore
from quiltwork.evolve.campaign import Campaign
from quiltwork.evolve.draws import draw
from quiltwork.evolve.entries import Planned, Proposed
from quiltwork.evolve.member import Member
from quiltwork.evolve.novelty import measure, normal_hash
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, Failure, Proposal, Specimen, Turn
from quiltwork.evolve.proposers.tune import constants
from quiltwork.evolve.score import Data
from quiltwork.evolve.state import State
from quiltwork.sandbox import wire

CACHED = 1_024
"""Programs kept decoded: parents are drawn from the elites again and again."""


class Library:
    """Reads and writes the blobs of one run."""

    def __init__(self, blobs: BlobStore, problem: Problem, shared: str = "") -> None:
        self.blobs = blobs
        self.problem = problem
        self.shared = shared or str(problem.path)
        """What workers know the problem's folder by."""
        self.program = lru_cache(CACHED)(self._program)
        """The program with a blob id."""
        self.text = lru_cache(CACHED)(self._text)
        """A text artifact with a blob id."""
        self.raw = lru_cache(CACHED)(self._raw)
        """A blob's bytes as they cross to a worker; None for None."""
        self.dimensions = lru_cache(CACHED)(self._dimensions)
        """How many constants of a program can be tuned."""

    def _program(self, blob: str) -> Program:
        return Program.decode(self.blobs.get(blob))

    def _dimensions(self, blob: str) -> int:
        return len(constants(self.program(blob)))

    def construction(self, blob: str | None) -> Data:
        """The construction with a blob id."""
        raw = self.raw(blob)
        return None if raw is None else wire.decode(raw)

    def _text(self, blob: str) -> str:
        return self.blobs.get(blob).decode("utf-8", "replace")

    def _raw(self, blob: str | None) -> bytes | None:
        return None if blob is None else self.blobs.get(blob)

    def specimen(self, member: Member) -> Specimen:
        """A committed member as proposers see it. Artifacts that are pictures are left out."""
        assert member.program is not None
        texts = {name: blob for name, blob in member.artifacts.items() if name.endswith((".txt", ".md", ".json"))}
        return Specimen(
            program=self.program(member.program),
            fitness=self._fitness(member),
            metrics=member.shown,
            artifacts={name: self.text(blob) for name, blob in texts.items()},
            construction=self.construction(member.construction),
        )

    def _fitness(self, member: Member) -> tuple[float, ...]:
        """As it was when the program was first measured, like the metrics that are shown."""
        if member.fitness is None or member.first is None:
            return member.fitness or ()
        metrics = self.problem.config.metrics
        return tuple(member.first[m.name] * (1.0 if m.direction == "maximize" else -1.0) for m in metrics)

    def brief(self, state: State, planned: Planned) -> Brief:
        """What a light proposer is told of a planned step."""
        assert state.started is not None
        campaign: Campaign | None = None if planned.campaign is None else state.campaigns.get(planned.campaign)
        return Brief(
            problem=self.problem,
            parent=self.specimen(state.members[planned.parents[0]]),
            inspirations=[self.specimen(state.members[step]) for step in planned.inspirations],
            rng=draw(state.started.seed, planned.step, "propose"),
            start=self.construction(planned.start),
            history=[Turn(point, fitness) for point, fitness in campaign.turns] if campaign else (),
            turn=planned.turn,
            campaign_seed=_campaign_seed(state.started.seed, planned.campaign),
            instruction="" if planned.instruction is None else state.instructions[planned.instruction].text,
            failures=[self.failure(state.members[step]) for step in planned.failures],
        )

    def failure(self, member: Member) -> Failure:
        """A refused member as models see it."""
        assert member.program is not None
        return Failure(self.program(member.program), member.verdict, member.detail, member.note)

    def heavy_brief(self, state: State, planned: Planned) -> dict[str, Any]:
        """The same for a heavy proposer, as data for `evaluation.propose`."""
        assert state.started is not None
        return {
            "problem": self.shared,
            "arm": planned.arm,
            "seed": state.started.seed,
            "step": planned.step,
            "start": self.raw(planned.start),
            "parent": self._specimen_payload(state.members[planned.parents[0]]),
            "inspirations": [self._specimen_payload(state.members[step]) for step in planned.inspirations],
        }

    def _specimen_payload(self, member: Member) -> dict[str, Any]:
        specimen = self.specimen(member)
        return {
            "files": dict(specimen.program.files),
            "fitness": list(specimen.fitness),
            "metrics": dict(specimen.metrics),
            "artifacts": dict(specimen.artifacts),
            "construction": self.raw(member.construction),
        }

    def proposed(self, planned: Planned, proposal: Proposal, construction: bytes | None) -> Proposed:
        """Store a proposal; the entry that records it. `construction` is encoded already."""
        encoded = proposal.program.encode()
        stored = None if construction is None else self.blobs.put(construction)
        nodes, lines = measure(proposal.program)
        return Proposed(
            step=planned.step,
            program=self.blobs.put(encoded),
            normal=self.novelty_key(proposal.program, stored, planned.start),
            note=proposal.note.removeprefix(f"{planned.arm}: "),
            construction=stored,
            point=tuple(float(value) for value in proposal.point),
            nodes=nodes,
            lines=lines,
        )

    def novelty_key(self, program: Program, construction: str | None, start: str | None) -> str:
        """What a step tries: a program's normal form with the construction that it has or starts from."""
        normal = normal_hash(program)
        carried = construction or start
        return normal if carried is None else blake3.blake3(f"{normal} {carried}".encode()).hexdigest(16)

    def store_artifacts(self, artifacts: dict[str, str | bytes]) -> dict[str, str]:
        """Artifacts by name -> blob id."""
        return {
            name: self.blobs.put(value.encode("utf-8", "replace") if isinstance(value, str) else value)
            for name, value in artifacts.items()
        }


def _campaign_seed(seed: int, campaign: int | None) -> int:
    return 0 if campaign is None else int(draw(seed, campaign, "campaign").integers(2**31 - 1))


def payload_for_evaluation(
    library: Library, state: State, planned: Planned, proposed: Proposed, *, trust: bool
) -> dict[str, Any]:
    """What `evaluation.evaluate` wants to know of a step."""
    assert state.started is not None
    assert state.config is not None
    seed = state.started.seed % 2**31
    if state.config.noisy:
        seed = int(draw(state.started.seed, planned.step, "evaluate").integers(2**31 - 1))
    return {
        "problem": library.shared,
        "files": dict(library.program(proposed.program).files),
        "construction": library.raw(proposed.construction),
        "start": library.raw(planned.start),
        "seed": seed,
        "incumbent": planned.incumbent,
        "trust": trust,
    }
