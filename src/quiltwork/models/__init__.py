"""Chat and completion models behind one protocol: any OpenAI-compatible server, or a local GGUF in this process.

    config.py     what a user writes of a model: where it is, what it costs, how fast it may be asked
    base.py       Request -> Reply, and the ways in which asking fails; no input or output
    wire.py       what goes over the wire, and how answers and errors are read; no input or output
    pace.py       how fast a model may be asked: token buckets
    server.py     a model behind an OpenAI-compatible server: retries, timeouts, streaming
    prices.py     what tokens cost, and the upper bound of what a request can cost
    cassette.py   recorded replies, by request; replays offline, bit for bit
    gateway.py    a run's models together: `async ask(request) -> Reply`
    catalogue.py  the local models that can be fetched, with their hashes; fetching them
    local.py      a local model served inside this process by llama.cpp (extra `local`)
    embed.py      a small local embedder (extra `embed`)
    settings.py   what `--model` means: a user's own model, one of the catalogue, a file, a server's address
    places.py     the folders in which a user's settings and fetched models lie
    commands.py   the CLI verbs: list, fetch, chat, serve

A request is a value with an id, the hash of what it holds. A reply belongs to a request for ever: that is what makes a
recording and a resumed run possible. No key is ever part of a request, a reply or an error.
"""

from quiltwork.models.base import Message, ModelError, ModelUnavailable, Reply, Request, RequestRefused
from quiltwork.models.config import ModelConfig

__all__ = ["Message", "ModelConfig", "ModelError", "ModelUnavailable", "Reply", "Request", "RequestRefused"]
