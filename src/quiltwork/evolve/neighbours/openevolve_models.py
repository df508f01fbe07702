"""The `llm` part of an OpenEvolve configuration as models of ours: where they are, how they are asked, never their keys."""

from __future__ import annotations

import re
from typing import Any, Final

from quiltwork.evolve.neighbours.folder import model
from quiltwork.evolve.neighbours.table import Reader

DEFAULT_BASE: Final = "https://api.openai.com/v1"
DEFAULT_KEY: Final = "OPENAI_API_KEY"


def models(config: Reader) -> list[dict[str, Any]]:
    """`[[models]]` tables, in the order that the configuration has them."""
    shared = next(iter(config.inside("llm")), Reader({}, config.asked, "llm."))
    wanted = [(str(each.get("name", "")), each) for each in shared.inside("models")]
    none = Reader({}, config.asked, "llm.models.")
    if primary := shared.get("primary_model"):
        wanted.append((str(primary), none))
    secondary, weight = shared.get("secondary_model"), shared.number("secondary_model_weight", 0.2)
    if secondary and weight > 0:
        wanted.append((str(secondary), none))
    formats = ["diff"] if config.get("diff_based_evolution", default=True) else ["rewrite"]
    taken: set[str] = set()
    found = []
    for name, own in wanted:
        fields = _fields(own, shared)
        if name and fields is not None:
            found.append(model(name, taken, {**fields, "formats": formats}))
    return found


def _fields(own: Reader, shared: Reader) -> dict[str, Any] | None:
    """How one model is asked; None where it is not: of another provider, or of no weight."""

    def number(key: str, default: float) -> float:
        return own.number(key, shared.number(key, default))

    provider = own.get("provider", shared.get("provider", "openai"))
    if number_of_weight(own) <= 0 or provider != "openai":
        return None
    timeout_s = max(1.0, number("timeout", 60))
    url = str(own.get("api_base", shared.get("api_base", DEFAULT_BASE)))
    return {
        "url": url,
        "key_env": key_env(own.get("api_key", shared.get("api_key")), url),
        "temperature": min(2.0, max(0.0, number("temperature", 0.7))),
        "top_p": min(1.0, max(0.001, number("top_p", 1.0))),
        "max_tokens": min(1_000_000, max(16, int(number("max_tokens", 4_096)))),
        "timeout_s": timeout_s,
        "patience_s": number("retries", 3) * (timeout_s + number("retry_delay", 5)),
    }


def number_of_weight(own: Reader) -> float:
    """A model's weight: only whether it is more than nothing counts."""
    return own.number("weight", 1.0)


def key_env(written: Any, url: str) -> str:
    """The environment variable that holds the key: the one that is named, else the usual one, else none.

    A key itself is not taken over, and a server without TLS (one of yours, hence) is taken to need none.
    """
    if named := re.fullmatch(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", str(written or "")):
        return named[1]
    return "" if url.startswith("http://") else DEFAULT_KEY
