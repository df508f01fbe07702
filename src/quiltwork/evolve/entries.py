"""The kinds of entry that `evolve` appends.

A step is planned, then proposed (or refused), then evaluated (or refused). Its entries may reach the log in any order
among other steps' entries; the fold commits steps in their own order.

Every entry's `links` name its subject, a step or the run, and what it rests on; `quiltwork explain` walks along them.
"""

from __future__ import annotations

from quiltwork.log import Body, Links, kind

THE_RUN = "the run"


def about_step(step: int, **blobs: str | None) -> Links:
    """Links of an entry that tells of a step, with the blobs that it names."""
    return Links(f"step {step}", blobs={part: blob for part, blob in blobs.items() if blob is not None})


class Cost(Body, frozen=True):
    """What an effect used, in seconds of processor time and of the clock on the wall."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@kind("evolve.started", 1)
class Started(Body, frozen=True):
    """A run begins. `problem` is the blob of the problem's files, `config` its settings, frozen, as JSON."""

    problem: str
    config: str
    seed: int
    budget: str
    program: str
    version: str

    def links(self) -> Links:
        """See Body."""
        return Links(THE_RUN, blobs={"problem": self.problem, "program": self.program})


@kind("evolve.planned", 1)
class Planned(Body, frozen=True):
    """Who proposes at this step, and from what.

    `campaign` is the step that opened the tuning of `dimensions` constants that this step is turn `turn` of. `start` is the
    blob of the construction to start from, `instruction` the number of what a model is told to do (of `ranking`, the best
    first, where it is to write a new one), `failures` are refused steps that it is shown, `incumbent` is the fitness that a
    noisy candidate races against, and `host_cpu_s` what the driver itself used since it last said so.
    """

    step: int
    arm: str
    island: int
    parents: tuple[int, ...] = ()
    inspirations: tuple[int, ...] = ()
    campaign: int | None = None
    turn: int = 0
    dimensions: int = 0
    instruction: int | None = None
    ranking: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    start: str | None = None
    incumbent: float | None = None
    host_cpu_s: float = 0.0

    def links(self) -> Links:
        """See Body."""
        rests_on = {f"step {step}": "inspiration" for step in self.inspirations}
        rests_on |= {f"step {step}": "failure that is shown" for step in self.failures}
        if self.campaign is not None and self.campaign != self.step:
            rests_on[f"step {self.campaign}"] = "opened the campaign"
        rests_on |= {f"step {step}": "parent" for step in self.parents}
        blobs = {} if self.start is None else {"start": self.start}
        return Links(f"step {self.step}", rests_on or {THE_RUN: "beginning"}, blobs)


@kind("evolve.replied", 1)
class Replied(Body, frozen=True):
    """A model or an agent answered on behalf of a step. What was paid for is kept, whatever becomes of the step.

    `request` and `reply` are blobs; `purpose` is "propose", "repair", "meta", "judge NAME" or "agent".
    """

    step: int
    purpose: str
    model: str
    request: str
    reply: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    wall_s: float = 0.0
    attempts: int = 1

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step, request=self.request, reply=self.reply)


@kind("evolve.instructed", 1)
class Instructed(Body, frozen=True):
    """A step ends with a new instruction for models in place of a program. `parent` is the number of the one it came from."""

    step: int
    text: str
    parent: int

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step)


@kind("evolve.proposed", 1)
class Proposed(Body, frozen=True):
    """A child program. `construction` stands in for the program's own output.

    `normal` says what is new about it: the hash of its normal form and of the construction that it has or starts from.
    `embedding` is the blob of its place by meaning, `point` its place in a tuning campaign's search space, `nodes` and
    `lines` are the built-in descriptors.
    """

    step: int
    program: str
    normal: str
    note: str = ""
    construction: str | None = None
    embedding: str | None = None
    point: tuple[float, ...] = ()
    nodes: int = 0
    lines: int = 0
    cost: Cost = Cost()

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step, program=self.program, construction=self.construction, embedding=self.embedding)


@kind("evolve.evaluated", 1)
class Evaluated(Body, frozen=True):
    """The verdict on a step's program. `metrics` is empty unless `verdict` is "ok"."""

    step: int
    verdict: str
    detail: str = ""
    metrics: dict[str, float] = {}
    descriptors: dict[str, float] = {}
    artifacts: dict[str, str] = {}
    construction: str | None = None
    stage: str = ""
    repeats: int = 1
    cost: Cost = Cost()

    def links(self) -> Links:
        """See Body."""
        artifacts = {f"artifact {name}": blob for name, blob in self.artifacts.items()}
        return about_step(self.step, construction=self.construction, **artifacts)


@kind("evolve.refused", 1)
class Refused(Body, frozen=True):
    """A step ends without an evaluation: nothing to propose, or a program that has been seen before, an answer without one."""

    step: int
    reason: str
    detail: str = ""
    cost: Cost = Cost()

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step)


@kind("evolve.resumed", 1)
class Resumed(Body, frozen=True):
    """A driver takes the run up again, with more budget if it says so."""

    version: str
    budget: str


@kind("evolve.stopped", 1)
class Stopped(Body, frozen=True):
    """A driver lays the run down.

    `host_cpu_s` is what the driver itself used since it last said so, `ended_cpu_s` an upper bound of what was used by work
    that it ended in flight, which is done again on resume.
    """

    reason: str
    host_cpu_s: float = 0.0
    ended_cpu_s: float = 0.0


@kind("evolve.held_out", 1)
class HeldOut(Body, frozen=True):
    """How a step's program does on what selection never saw."""

    step: int
    metrics: dict[str, float]

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step)


@kind("evolve.certified", 1)
class Certified(Body, frozen=True):
    """A step's construction was certified: `value` is an exact rational, `certificate` the blob that proves it."""

    step: int
    value: str
    claim: str
    certificate: str

    def links(self) -> Links:
        """See Body."""
        return about_step(self.step, certificate=self.certificate)
