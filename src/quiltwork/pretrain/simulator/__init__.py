"""The real node on a virtual clock: a run of days in seconds, every accident of it drawn from one seed.

    world.py      events in virtual time, links with bandwidth, delay, jitter, loss and partitions
    hub.py        the log's sequencer: orders what arrives, stamps the time, sends it on
    beginnings.py what each beginning of the log folds to, once for all machines that have heard so much
    toy.py        a trainer whose model is a hash, so that two models are equal if and only if the same was applied
    machine.py    a node with hands that only pretend: it takes time, crashes, restarts with or without its disk
    liars.py      machines that cheat, each in one way
    owner.py      who takes the run back when all copies of an update are lost
    referee.py    what must hold, checked at every step
    simulation.py a seed -> machines, links, faults -> a report

The node, its duties and the fold are those of a real process; a failing seed reproduces its failure.
"""

from quiltwork.pretrain.simulator.referee import Violation
from quiltwork.pretrain.simulator.simulation import Report, Scenario, simulate

__all__ = ["Report", "Scenario", "Violation", "simulate"]
