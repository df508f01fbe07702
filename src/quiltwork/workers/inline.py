"""Workers that are this very process: for tests, for a debugger, and for machines where a process is too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quiltwork.workers import frames


class InlineWorkers:
    """Runs each call at once and in place. Timeouts do not hold here: nothing could end a call but the call itself."""

    def __init__(self, size: int) -> None:
        self.size = size

    async def run(self, function: str, payload: Any, *, timeout_s: float) -> Any:
        """Call the function here. Payload and result take the same way through msgpack as they would to a process."""
        answer = frames.carry_out(function, frames.unpack(frames.pack(payload)[frames.HEAD.size :]))
        return frames.outcome(frames.unpack(frames.pack(answer)[frames.HEAD.size :]))

    def share(self, folder: Path) -> str:
        """Its path: the workers are on this machine."""
        return str(folder)

    def close(self) -> None:
        """Nothing to end."""
