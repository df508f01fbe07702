"""A socket for a server."""

from __future__ import annotations

import socket

from quiltwork.errors import UserError

WAITING_CONNECTIONS = 2_048
"""What the system keeps until the server takes them: uvicorn's own number."""


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address, port 0 for any free one. Raises UserError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        # The protocol is named, since asyncio sends small answers at once (TCP_NODELAY) only on sockets that say what they
        # are; otherwise every answer would wait 40 ms for the client to acknowledge its head.
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    except OSError as error:
        raise UserError(f"Cannot listen at {host}: {error.strerror}. Choose another address.") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise UserError(f"Cannot listen at {host}, port {port}: {error.strerror}. Choose another: --port 0") from error
    return listener
