"""A simulated fleet: machines with processors and memory, and jobs that arrive one by one, stay a while, and leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MACHINES = ((32, 96, 0.4), (64, 64, 0.3), (48, 48, 0.3))
"""Kinds of machines: processors, memory, share of the fleet."""

JOBS = (
    (1, 1, 0.16),
    (1, 4, 0.12),
    (2, 2, 0.12),
    (4, 2, 0.10),
    (2, 8, 0.10),
    (4, 4, 0.08),
    (8, 4, 0.07),
    (4, 16, 0.07),
    (8, 8, 0.05),
    (16, 8, 0.04),
    (6, 24, 0.04),
    (24, 12, 0.02),
    (12, 40, 0.02),
    (32, 32, 0.01),
)
"""Kinds of jobs: processors, memory, share of the arrivals."""

MOST_CPU, MOST_MEMORY = 64, 96
SHAPE = (len(JOBS), MOST_CPU + 1, MOST_MEMORY + 1)
"""Of a table of scores: kind of job, free processors, free memory."""

FLEET, ARRIVALS, WARM_UP = 40, 3_000, 600
"""Machines and jobs of one instance; jobs of the warm-up, while the fleet fills, are not counted."""

LOAD = 1.1
"""Processors and memory that are asked for, at any time, over what the fleet has: whatever is packed, some jobs are lost."""


@dataclass(frozen=True)
class Instances:
    """Several fleets and their streams of jobs: at every step, one job arrives at each fleet."""

    cpu: NDArray[np.int64]
    """Processors of each machine: (count, FLEET)."""
    memory: NDArray[np.int64]
    kinds: NDArray[np.int64]
    """Kind of each job: (count, ARRIVALS)."""
    stays: NDArray[np.int64]
    """Steps that each job stays: (count, ARRIVALS)."""


@dataclass(frozen=True)
class Outcome:
    """What became of the jobs after the warm-up, per fleet: shares of the processor time and memory time that were lost."""

    cpu_lost: NDArray[np.float64]
    memory_lost: NDArray[np.float64]
    cpu_free: NDArray[np.float64]
    """Share of the fleet's processors that are free, on average over arrivals."""
    memory_free: NDArray[np.float64]


def fresh(count: int, seed: int) -> Instances:
    """Fleets and jobs drawn with numpy's PCG64; stays are exponential, with a mean that makes the load `LOAD`."""
    rng = np.random.default_rng(seed)
    machines, jobs = np.array(MACHINES), np.array(JOBS)
    which = rng.choice(len(machines), size=(count, FLEET), p=machines[:, 2])
    kinds = rng.choice(len(jobs), size=(count, ARRIVALS), p=jobs[:, 2])
    asked = (jobs[:, :2] * jobs[:, 2:]).sum(axis=0)
    there = FLEET * (machines[:, :2] * machines[:, 2:]).sum(axis=0)
    stays = 1 + rng.exponential(LOAD * (there / asked).mean(), size=(count, ARRIVALS)).astype(np.int64)
    return Instances(machines[which, 0].astype(np.int64), machines[which, 1].astype(np.int64), kinds, stays)


def simulate(table: NDArray[np.float64], instances: Instances) -> Outcome:
    """Let every job go to the machine of the highest finite score among those that it fits on, the first among equals.

    A job that fits on none is lost. The table is all that decides, so nobody can look ahead or count.
    """
    needs_cpu, needs_memory = (np.array([job[column] for job in JOBS], dtype=np.int64) for column in (0, 1))
    room_cpu = np.arange(SHAPE[1])[None, :, None] >= needs_cpu[:, None, None]
    room_memory = np.arange(SHAPE[2])[None, None, :] >= needs_memory[:, None, None]
    scores = np.where(room_cpu & room_memory, table, -np.inf).reshape(len(JOBS), -1)
    cpu, memory = instances.cpu.copy(), instances.memory.copy()
    every = np.arange(len(cpu))
    ends: dict[int, list[tuple[int, int, int, int]]] = {}
    lost = np.zeros(instances.kinds.shape, dtype=bool)
    free = np.zeros((2, len(cpu)))
    for step in range(ARRIVALS):
        for fleet, machine, processors, share in ends.pop(step, ()):
            cpu[fleet, machine] += processors
            memory[fleet, machine] += share
        if step >= WARM_UP:
            free += cpu.sum(axis=1), memory.sum(axis=1)
        kinds = instances.kinds[:, step]
        offered = scores[kinds[:, None], cpu * SHAPE[2] + memory]
        chosen = offered.argmax(axis=1)
        placed = offered[every, chosen] > -np.inf
        lost[:, step] = ~placed
        cpu[every, chosen] -= needs_cpu[kinds] * placed
        memory[every, chosen] -= needs_memory[kinds] * placed
        for fleet in np.flatnonzero(placed).tolist():
            kind = int(kinds[fleet])
            end = step + int(instances.stays[fleet, step])
            ends.setdefault(end, []).append((fleet, int(chosen[fleet]), JOBS[kind][0], JOBS[kind][1]))
    counted = slice(WARM_UP, None)
    shares = [
        (needs[instances.kinds] * instances.stays * lost)[:, counted].sum(axis=1)
        / (needs[instances.kinds] * instances.stays)[:, counted].sum(axis=1)
        for needs in (needs_cpu, needs_memory)
    ]
    free /= ARRIVALS - WARM_UP
    return Outcome(*shares, free[0] / instances.cpu.sum(axis=1), free[1] / instances.memory.sum(axis=1))
