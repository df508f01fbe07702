"""A server of its own for one log, until it is interrupted."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn

from quiltwork.log.http.rate import DEFAULT_LIMITS, Limits
from quiltwork.log.http.server import log_app
from quiltwork.log.http.tokens import Tokens
from quiltwork.log.protocol import Log
from quiltwork.log.sequencer import Sequencer

MAX_CONNECTIONS = 2_048
"""Beyond these, clients are told to come back."""

END_PATIENCE_S = 3
"""For requests that are going on when the server ends; followers are sent away at once."""


def serve(
    log: Log,
    tokens: Tokens,
    listener: socket.socket,
    *,
    sequencer: Sequencer | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Answer at `listener` until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        log_app(log, tokens, sequencer=sequencer, limits=limits),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=END_PATIENCE_S,
    )
    with suppress(KeyboardInterrupt):  # the way to end it; uvicorn has closed everything by then
        uvicorn.Server(config).run(sockets=[listener])
