"""A run in a terminal.

panel.py        the live panel of whoever serves a run; in a pipe a plain line for each round
parts.py        what it is made of: pure functions from a moment of a run to what rich draws; and `status`
lines.py        rounds, one a line, as a member sees them     ending.py       what is said when a run is over
simulation.py   a simulation, while it goes on and after
"""
