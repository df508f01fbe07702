"""A log that one machine keeps and others use, over HTTP.

    client.py    HttpLog: the Log protocol, and `submit` for statements
    channel.py   one server: retries, errors, what it may send
    errand.py    how long that may take
    events.py    server-sent events, bytes in, events out
    wire.py      what both sides say, and how much of it
    server.py    log_routes, log_app: the other side
    tide.py      who follows is woken
    tokens.py    who may do what
    rate.py      how much of it
    listen.py    a socket for a server

What serves is not imported here, so that who only uses a log does not wait for it.
"""

from quiltwork.log.http.channel import LogRefused
from quiltwork.log.http.client import HttpLog
from quiltwork.log.http.rate import Limits, Rate
from quiltwork.log.http.tokens import Right, Tokens, new_token

__all__ = ["HttpLog", "Limits", "LogRefused", "Rate", "Right", "Tokens", "new_token"]
