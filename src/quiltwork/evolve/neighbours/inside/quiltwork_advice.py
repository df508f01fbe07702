"""What to do about failures that come from the jail or from what is installed, not from the program."""

from __future__ import annotations

import traceback


def advice(error: BaseException) -> str:
    """A sentence to add to a traceback; nothing where there is nothing to say."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f" The package {error.name.partition('.')[0]!r} is not installed where quiltwork runs: install it there"
            f" (pip install), or lay the module beside the evaluator."
        )
    text = "".join(traceback.format_exception(error))
    if "SemLock" in text:
        return (
            "\n(multiprocessing's locks, queues and pools need /dev/shm, which the jail does not have: use threads, "
            "subprocess, or Process with Pipe; or --trust)"
        )
    if isinstance(error, FileNotFoundError) and "_execute_child" in text:
        return f"\n(the jail holds Python and no other commands, such as {error.filename}; --trust has them)"
    return ""
