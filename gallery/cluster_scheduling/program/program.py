"""A scheduling heuristic: which machine the job that has just arrived goes to."""

import numpy as np


# EVOLVE-BLOCK-START
def score(cpu, memory, free_cpu, free_memory):
    """One number per machine that the job fits on: the highest takes it, the first in the fleet among equals.

    `cpu` and `memory` are what the job needs, `free_cpu` and `free_memory` (arrays) what machines have free before it comes.
    Equal numbers for all, as here, are first fit.
    """
    return np.zeros(len(free_cpu))


# EVOLVE-BLOCK-END


def table(jobs, most_cpu, most_memory):
    """All scores that there are, by kind of job, free processors and free memory: what the evaluator schedules with."""
    scores = np.zeros((len(jobs), most_cpu + 1, most_memory + 1))
    for kind, (cpu, memory) in enumerate(jobs):
        free_cpu, free_memory = np.meshgrid(np.arange(cpu, most_cpu + 1), np.arange(memory, most_memory + 1), indexing="ij")
        of_job = score(cpu, memory, free_cpu.ravel().astype(float), free_memory.ravel().astype(float))
        scores[kind, cpu:, memory:] = np.reshape(of_job, free_cpu.shape)
    return scores
