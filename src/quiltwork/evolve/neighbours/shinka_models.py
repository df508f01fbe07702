"""ShinkaEvolve's `llm_models` as models of ours: each behind its maker's OpenAI-compatible server, never with its key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from quiltwork.evolve.neighbours.folder import model
from quiltwork.evolve.neighbours.table import Reader

if TYPE_CHECKING:
    from quiltwork.evolve.neighbours.folder import Imported

MAKERS: Final = (
    (r"openrouter/(?P<id>.+)", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    (r"(?P<id>(?:gpt-|o\d|chatgpt-).*)", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    (r"(?P<id>gemini-.*)", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    (r"(?P<id>deepseek-.*)", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    (r"(?P<id>claude-.*)", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
)
"""How a model is named there, its maker's OpenAI-compatible base, and the variable that holds the key."""

FORMATS: Final = {"diff": "diff", "full": "rewrite", "cross": "cross"}


def models(config: Reader, imported: Imported) -> list[dict[str, Any]]:
    """`[[models]]` tables; a model that has no such server is named in the remarks."""
    wanted = config.get("evo_config.llm_models", [])
    patches = config.get("evo_config.patch_types", list(FORMATS))
    temperatures = _list(config.get("evo_config.llm_kwargs.temperatures", 0.8))
    lengths = _list(config.get("evo_config.llm_kwargs.max_tokens", 16_384))
    fields = {
        "formats": [FORMATS[each] for each in patches if each in FORMATS] or ["diff"],
        "temperature": min(2.0, max(0.0, sum(temperatures) / len(temperatures))),
        "max_tokens": min(1_000_000, max(16, int(max(lengths)))),
    }
    taken: set[str] = set()
    found = []
    for name in [wanted] if isinstance(wanted, str) else list(wanted):
        place = _place(str(name))
        if place is None:
            imported.remarks.append(
                f"model {name}: no OpenAI-compatible server is known for it; add it to problem.toml"
            )
            continue
        identity, url, key_env = place
        free = {"usd_per_mtok_in": 0.0, "usd_per_mtok_out": 0.0} if str(name).startswith("local") else {}
        found.append(model(identity, taken, {"url": url, "key_env": key_env, **fields, **free}))
    return found


def _place(name: str) -> tuple[str, str, str] | None:
    """What the server calls the model, the server's base, and the key's variable."""
    if own := re.fullmatch(r"local[/-](?P<id>.+?)[@-](?P<url>https?://[^?]+)\??(?P<query>.*)", name):
        return own["id"], own["url"], parse_qs(own["query"]).get("api_key_env", [""])[0]
    for pattern, url, key_env in MAKERS:
        if match := re.fullmatch(pattern, name):
            return match["id"], url, key_env
    return None


def _list(said: Any) -> list[float]:
    return [float(each) for each in said] if isinstance(said, list) and said else [float(said or 0.0)]
