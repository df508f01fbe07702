"""Quiltwork: an open lab in which people improve AI and code together.

Everything that happens is a signed entry in a log; everything known is a fold over that log.

Floors, from the ground up (imports only go down):
`log`, `blobs`, `keys`, `run` hold facts, bytes, names and a run's folder;
`sandbox` and `workers` run code, trusted and not;
`evolve` improves programs by proposals and evaluators;
`cli` is the door.
"""

__version__ = "0.1.0"
