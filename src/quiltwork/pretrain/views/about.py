"""What a run trains, in words and in bytes: from its first entry, without torch and without code of its owner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from quiltwork.pretrain.architectures.config import OwnConfig
from quiltwork.pretrain.architectures.sizes import parameter_count
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.footprint import FLOAT_BYTES
from quiltwork.pretrain.recipe import Recipe
from quiltwork.text.strangers import one_line


@dataclass(frozen=True, slots=True)
class About:
    """What is trained. Empty, and 0, where it cannot be known without the owner's code."""

    model: str = ""
    optimizer: str = ""
    parameters: int = 0

    @property
    def words(self) -> str:
        """The model, in words."""
        for most, unit in ((10**9, "billion"), (10**6, "million")):
            if 10 * self.parameters >= most:
                return f"{self.model} of {self.parameters / most:.3g} {unit} parameters"
        return f"{self.model} of {self.parameters:,} parameters" if self.parameters else self.model

    @property
    def dense_bytes(self) -> int:
        """What the whole gradient takes in fp32: the payload of a round that compresses nothing."""
        return FLOAT_BYTES * self.parameters


def about(created: Created | None) -> About:
    """Read what a run trains from its first entry."""
    return About() if created is None else _read(created.work)


@lru_cache(maxsize=16)
def _read(work: str) -> About:
    try:
        recipe = Recipe.model_validate_json(work)
    except ValidationError:
        return About()  # of another version, or a simulation, whose model is a hash
    if isinstance(recipe.model, OwnConfig):
        return About(one_line(f"own: {recipe.model.model}", 60), recipe.optimizer.kind)
    return About(recipe.model.kind, recipe.optimizer.kind, parameter_count(recipe.model))
