"""What a user writes, whole: the rules of the run (`[config]`) and what is trained, how and on what (`Recipe`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quiltwork.audit import Thresholds
from quiltwork.errors import UserError
from quiltwork.pretrain.architectures.config import Architecture, OwnConfig
from quiltwork.pretrain.config import Coordinator, Name
from quiltwork.pretrain.data.config import DataConfig
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.optimizers.config import OptimizerConfig
from quiltwork.pretrain.schedules import Schedule
from quiltwork.toml import read_toml

GUIDE = "docs/pretrain.md"
PRESETS = Path(__file__).parent / "presets"


class Recipe(BaseModel):
    """What all members compute with, beside the rules: equal at all of them, since it is in the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="from which the first parameters are drawn")
    micro_batch: int = Field(
        default=0, ge=0, le=10**6, description="sequences that are computed at a time, to bound memory; 0: a unit's"
    )
    model: Architecture
    optimizer: OptimizerConfig
    lr_schedule: Schedule
    data: DataConfig
    thresholds: Thresholds = Field(
        default_factory=Thresholds,
        description="how alike two computations of the same update must be, by dtype and device",
    )


class RunConfig(Recipe):
    """The TOML file of a run."""

    run_id: Name = Field(description="the run's name: letters, digits, dots, dashes")
    config: Coordinator = Field(default_factory=Coordinator)

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        if (
            "sequence_length" in self.config.model_fields_set
            and self.config.sequence_length != self.data.sequence_length
        ):
            raise ValueError(
                f"config.sequence_length ({self.config.sequence_length}) is not data.sequence_length "
                f"({self.data.sequence_length}); leave the first out"
            )
        if not isinstance(self.model, OwnConfig) and self.model.context < self.data.sequence_length:
            raise ValueError(
                f"model.context ({self.model.context}) is less than data.sequence_length ({self.data.sequence_length})"
            )
        if self.optimizer.kind == "distro" and not self.config.overlap:
            raise ValueError(
                'optimizer.kind = "distro" is made for updates that are applied a round later; set config.overlap = 1, or '
                'take "demo"'
            )
        return self

    @property
    def rules(self) -> Coordinator:
        """`[config]`, with what `[data]` says of it."""
        return self.config.model_copy(update={"sequence_length": self.data.sequence_length})

    def created(self, *, seed: bytes, version: str, model: bytes = b"") -> Created:
        """Give the first entry of the run's log."""
        recipe = Recipe.model_validate({name: getattr(self, name) for name in Recipe.model_fields})
        return Created(
            run_id=self.run_id,
            coordinator=self.rules.model_dump_json(),
            work=recipe.model_dump_json(),
            seed=seed,
            model=model,
            version=version,
        )


def recipe_of(created: Created) -> Recipe:
    """Read the recipe of a run. Raises UserError: its owner has another version, or means harm."""
    try:
        return Recipe.model_validate_json(created.work)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(
            f"The run {created.run_id!r} was made by version {created.version or 'unknown'}, and this one cannot read its "
            f"recipe: field {field}: {first['msg']}. Use the version that the run was made with."
        ) from error


def load(path: Path | str) -> RunConfig:
    """Read a run's TOML file, or the preset of this name. Raises UserError with file, line and field."""
    preset = PRESETS / f"{path}.toml"
    if not Path(path).is_file() and preset.is_file():
        path = preset
    if not Path(path).exists():
        names = ", ".join(sorted(each.stem for each in PRESETS.glob("*.toml")))
        raise UserError(f"There is no file {path}, nor a preset of that name; presets are: {names}.")
    return read_toml(Path(path), RunConfig, guide=GUIDE)
