"""A local model, served by llama.cpp inside this process (extra `local`) to the same client as any other server."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quiltwork.errors import UserError
from quiltwork.models.catalogue import CATALOGUE, path_of
from quiltwork.models.config import MOST_SLOTS, ModelConfig

if TYPE_CHECKING:
    import xllamacpp

PROMPT_CACHE_MIB = 1_024
"""Memory for prompts that may come again, beside those in the slots; llama.cpp would take eight times as much."""


class LocalModelError(UserError):
    """A local model that cannot be started. The text says what to do."""


class LocalServer:
    """A model, loaded (1 to 3 s). `config` is its own, as a model behind a server on a loopback address."""

    def __init__(self, config: ModelConfig, *, port: int = 0) -> None:
        """Start. `port` 0 takes any free one. Raises `LocalModelError`."""
        path = weights(config)
        if importlib.util.find_spec("xllamacpp") is None:
            raise LocalModelError(
                f"model {config.name!r} runs in this process by way of xllamacpp, which is not installed: "
                "pip install 'quiltwork[local]'"
            )
        import xllamacpp

        self._server: Any = None
        try:
            self._server = xllamacpp.Server(parameters(config, path, port))
        except RuntimeError as error:
            reason = str(error).rstrip(".")
            raise LocalModelError(
                f"model {config.name!r}: llama.cpp cannot serve {path}: {reason}. It may be no GGUF file, there may be too "
                "little memory for in_flight times context_tokens, or the port may be taken"
            ) from error
        address = self._server.listening_address
        self.config = config.model_copy(
            update={"local": "", "url": f"{address}/v1", "id": config.name, "key_env": "", "usd_per_mtok_in": 0.0}
            | {"usd_per_mtok_out": 0.0, "in_flight": slots(config)}
        )

    def close(self) -> None:
        """End the server and give its memory back."""
        self._server = None


def weights(config: ModelConfig) -> Path:
    """The file of a local model: one of the catalogue's, or any GGUF. Raises `LocalModelError` where it is missing."""
    if config.local in CATALOGUE:
        path = path_of(config.local)
        if path is None:
            raise LocalModelError(
                f"model {config.local!r} was not fetched yet ({CATALOGUE[config.local].size / 1e6:,.0f} MB); "
                f"fetch it with: quiltwork models fetch {config.local}"
            )
        return path
    path = Path(config.local).expanduser()
    if not path.is_file():
        raise LocalModelError(
            f"model {config.name!r}: {config.local!r} is neither a file nor a model that can be fetched; "
            f"those are: {', '.join(CATALOGUE)}"
        )
    return path


def slots(config: ModelConfig) -> int:
    """Sequences that are worked on at once, each with memory for a whole context."""
    return min(config.in_flight, MOST_SLOTS)


def threads(config: ModelConfig) -> int:
    """As the user says, else one less than the cores: barriers spin, and evaluators want a core too."""
    return config.threads or max(1, len(os.sched_getaffinity(0)) - 1)


def parameters(config: ModelConfig, path: Path, port: int) -> xllamacpp.CommonParams:
    """What llama.cpp is told."""
    import xllamacpp

    told = xllamacpp.CommonParams()
    told.model.path = str(path)
    told.model_alias = {config.name}
    told.port = port
    told.n_parallel = slots(config)
    told.n_ctx = config.context_tokens * slots(config)
    told.cache_prompt = True
    told.cache_ram_mib = PROMPT_CACHE_MIB
    told.cpuparams.n_threads = told.cpuparams_batch.n_threads = threads(config)
    told.warmup = False
    told.verbosity = 0  # errors come back as answers and exceptions
    told.ui = False
    told.cors_origins = ""  # no web page has business with it
    return told
