"""What a user writes under `[model]`: which architecture, and its sizes. `kind` says which of the three it is.

No torch here: a planner and a page read these without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Width = Annotated[int, Field(ge=1, le=1 << 20)]
"""Of a vector in the model. The limit is beyond what anybody trained: a slip of the pen ends here and not in an allocation."""


class Config(BaseModel):
    """The base of all that users write: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DecoderConfig(Config):
    """What our two architectures share: a stack of pre-normalised blocks of attention and gated MLP between embeddings."""

    vocabulary: int = Field(
        default=256,
        ge=2,
        le=1 << 22,
        description="how many different tokens there are; 256: bytes, no tokenizer needed",
    )
    context: int = Field(
        default=256, ge=1, le=1 << 20, description="the longest sequence, in tokens; data may have shorter ones"
    )
    hidden: Width = Field(default=128, description="width of the residual stream")
    layers: int = Field(default=4, ge=1, le=1_024, description="blocks; the deepest models published have some hundred")
    heads: int = Field(default=4, ge=1, le=1_024, description="attention heads of a block")
    mlp_hidden: Width = Field(
        default=512, description="width inside the MLP; 8/3 of `hidden` costs as much as an ungated 4"
    )
    activation: Literal["silu", "gelu"] = Field(
        default="silu", description="of the MLP's gate (Shazeer, arXiv 2002.05202): silu is SwiGLU, gelu is GEGLU"
    )
    tied_embeddings: bool = Field(
        default=True,
        description="one matrix reads tokens and predicts them: fewer bytes to send where models are small",
    )
    rope_base: float = Field(
        default=10_000.0, gt=1, le=1e9, description="rotary wavelengths go up to 2 pi times this many tokens"
    )
    norm_epsilon: float = Field(default=1e-5, gt=0, le=0.1, description="keeps RMSNorm from dividing by nothing")
    initial_std: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="of initial weights; what writes into the residual stream starts at 1/sqrt(2 layers) of it, as in GPT-2",
    )


class GptConfig(DecoderConfig):
    """`kind = "gpt"`: the decoder of the Llama models, by its tensor names too. The default is one million parameters."""

    kind: Literal["gpt"] = "gpt"
    key_value_heads: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="heads of keys and values, each shared by equally many queries (arXiv 2305.13245); none given: `heads`",
    )

    @property
    def head(self) -> int:
        """Width of an attention head."""
        return self.hidden // self.heads

    @property
    def groups(self) -> int:
        """How many key and value heads there are."""
        return self.key_value_heads or self.heads

    @model_validator(mode="after")
    def _heads_divide(self) -> GptConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) is not a multiple of heads ({self.heads})")
        if self.head % 2:
            raise ValueError(f"a head is {self.head} wide; rotary positions turn pairs, so that must be even")
        if self.heads % self.groups:
            raise ValueError(f"heads ({self.heads}) is not a multiple of key_value_heads ({self.groups})")
        return self


class MlaConfig(DecoderConfig):
    """`kind = "mla"`: multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1), all layers dense.

    Keys and values of all heads are read from one small latent vector per token. The tensors are named as in DeepSeek-V3,
    whose names for these sizes stand in the descriptions. The default is a million parameters.
    """

    kind: Literal["mla"] = "mla"
    query_rank: Width | None = Field(
        default=None,
        description="q_lora_rank: width of the queries' latent; none given: queries at full rank, as V2-Lite",
    )
    key_value_rank: Width = Field(default=64, description="kv_lora_rank: width of the latent of keys and values")
    nope_head: Width = Field(
        default=32, description="qk_nope_head_dim: the part of a head's key that knows no position"
    )
    rope_head: Width = Field(default=16, description="qk_rope_head_dim: the rotary part, its key shared by all heads")
    value_head: Width = Field(default=32, description="v_head_dim: width of a head's values")
    norm_epsilon: float = Field(
        default=1e-6, gt=0, le=0.1, description="as in DeepSeek-V3; that of latents is always 1e-6"
    )

    @model_validator(mode="after")
    def _rotary_part_is_even(self) -> MlaConfig:
        if self.rope_head % 2:
            raise ValueError(f"rope_head ({self.rope_head}) must be even: rotary positions turn pairs")
        return self


class OwnConfig(Config):
    """`kind = "own"`: a model of the user's, from a function that returns a `torch.nn.Module`.

    The module takes tokens, int64 [n, t], and gives logits [n, t, vocabulary], or an object that has them as `.logits`.
    """

    kind: Literal["own"] = "own"
    model: str = Field(
        pattern=r"^[^:]+(:[A-Za-z_][A-Za-z0-9_]*)?$",
        description="'package.module:function' or 'folder/file.py:function'; without a function, `build_model`",
    )
    options: dict[str, bool | int | float | str] = Field(
        default={}, description="keyword arguments of the function; it is given `seed`, too, if it takes one"
    )
    blake3: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="the file's hash, so that no member trains another model by mistake; empty: any file will do",
    )

    @model_validator(mode="after")
    def _only_files_have_a_hash(self) -> OwnConfig:
        if self.blake3 and not self.path:
            raise ValueError("blake3 is the hash of a file, and model names a package's module")
        return self

    @property
    def path(self) -> str:
        """The file that is named, if it is one."""
        place = self.model.partition(":")[0]
        return place if place.endswith(".py") else ""

    @property
    def function(self) -> str:
        """The function in it."""
        return self.model.partition(":")[2] or "build_model"


Architecture = Annotated[GptConfig | MlaConfig | OwnConfig, Field(discriminator="kind")]
