"""The way in for those who come from OpenEvolve or ShinkaEvolve: their folders as problems of ours.

    openevolve.py   initial_program.*, evaluator.py, config.yaml     openevolve_keys.py, openevolve_models.py  its settings
    shinka.py       initial.*, evaluate.py, run_evo.py or a YAML     shinka_keys.py, shinka_config.py          its settings
    folder.py       writing the folder      table.py   what became of every key      scoring.py   reading the evaluator's reply
    inside/         what is laid beside the program into its jail: adapters, and stand-ins for what evaluators import

`find(folder)` recognises a layout and converts it. The evaluator runs in the program's jail and process, as those evaluators
expect to, so a program could forge its own score there; nothing of it reaches the host or the next program.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quiltwork.evolve.neighbours.folder import Imported


def find(folder: Path, *, stages: bool = False) -> Imported | None:
    """The folder converted, or None where it has no neighbour's layout. Raises `NeighbourError` where it cannot be."""
    if not folder.is_dir():
        return None
    from quiltwork.evolve.neighbours import openevolve, shinka

    for neighbour in (openevolve, shinka):
        if neighbour.recognise(folder):
            found: Imported = neighbour.convert(folder, stages=stages)
            return found
    return None
