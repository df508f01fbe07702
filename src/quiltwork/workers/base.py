"""What workers are, whichever kind they are of, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Workers(Protocol):
    """A number of workers, each of which runs one call at a time and keeps its module globals between calls.

    Payloads and results are what msgpack can say: None, booleans, numbers, strings, bytes, lists, dicts.
    """

    @property
    def size(self) -> int:
        """How many calls can run at once."""

    async def run(self, function: str, payload: Any, *, timeout_s: float) -> Any:
        """Call `function` ("package.module:name") with the payload on a free worker, and return what it returns.

        Waits for a free worker first; `timeout_s` (seconds) counts from when one was found. Raises WorkerTimeout and
        WorkerDied (the worker is replaced), WorkerError if the function raised, or the UserError that it raised.
        """

    def share(self, folder: Path) -> str:
        """Make a folder known to all workers; payloads name it by what is returned, `folders.find` finds it there.

        Its files must not change afterwards: workers on other machines have a copy.
        """

    def close(self) -> None:
        """End all workers, at work or not."""


class WorkerError(Exception):
    """The function raised: `traceback` is the worker's traceback as text."""

    def __init__(self, traceback: str) -> None:
        self.traceback = traceback
        super().__init__(traceback)


class WorkerDied(Exception):
    """The worker process ended during the call: the text says how. Another one is in its place."""


class WorkerTimeout(Exception):
    """The call took too long. The worker was ended, with its whole process group, and another one is in its place."""
