"""A run's replies out of its log, as a cassette wants them."""

from __future__ import annotations

from collections.abc import Iterator

from quiltwork.evolve.entries import Replied
from quiltwork.log import decode
from quiltwork.models import Reply, Request
from quiltwork.models.base import decode_reply, decode_request
from quiltwork.run import Run


def replies(run: Run) -> Iterator[tuple[Request, Reply]]:
    """What models were asked and answered, in the order of the log. The work of agents is no part of it."""
    for entry in run.log.read():
        body = decode(entry)
        if isinstance(body, Replied) and body.purpose != "agent":
            yield decode_request(run.blobs.get(body.request)), decode_reply(run.blobs.get(body.reply))
