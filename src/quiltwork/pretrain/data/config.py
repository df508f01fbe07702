"""What a user writes under `[data]`: which token files, in which shares, cut into sequences of which length.

It is part of what a run agrees on, so it says nothing of one machine: where relative paths begin and where what was fetched
is kept is for `open_dataset`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

MOST_SOURCES = 256
"""A mixture's order is computed when it is opened, at a cost that grows with them."""


class Config(BaseModel):
    """The base of all that users write: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(Config):
    """`[[data.sources]]`: token files that belong together, or a text that is there without a download."""

    name: Name = Field(description="part of what the order of its sequences is drawn from, and of messages")
    weight: float = Field(
        default=1.0,
        gt=0,
        le=1e18,
        description="tokens to take from it, or any numbers in that proportion; more than it has means several times",
    )
    files: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="paths, patterns such as 'web/*.bin' (sorted by path), or http(s) URLs, in their order"
    )
    corpus: Literal["", "python", "bible"] = Field(
        default="",
        description="instead of files: the sources of this Python's standard library, or Debian's bible-kjv; as bytes",
    )
    part: Literal["train", "held_out"] = Field(
        default="train", description="of a corpus: all its blocks of 64 KiB but every 20th, or every 20th"
    )
    dtype: Literal["", "uint8", "uint16", "uint32"] = Field(
        default="", description="of files without our header, as nanoGPT and Psyche write them: little-endian numbers"
    )
    vocabulary: int = Field(
        default=0,
        ge=0,
        le=1 << 32,
        description="of files without our header: how many tokens there are; 0: all of dtype",
    )
    manifest: str = Field(
        default="", description="path or URL of a list of hashes of the files at URLs; then these may lie on any mirror"
    )
    manifest_blake3: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="the manifest's own hash, if it is not to be believed either",
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> SourceConfig:
        if bool(self.files) == bool(self.corpus):
            raise ValueError("a source has either files or a corpus")
        if self.corpus and (self.dtype or self.vocabulary or self.manifest):
            raise ValueError("dtype, vocabulary and manifest are for files; a corpus is bytes")
        if self.files and self.part != "train":
            raise ValueError("part is for a corpus; name the files that are held out under data.held_out")
        if self.manifest and not any(file.startswith(("http://", "https://")) for file in self.files):
            raise ValueError("manifest is for files at URLs, and there are none")
        if self.manifest_blake3 and not self.manifest:
            raise ValueError("manifest_blake3 is the hash of a manifest, and none is named")
        if self.vocabulary and not self.dtype:
            raise ValueError("vocabulary is for files without a header, which need a dtype, too")
        return self


class DataConfig(Config):
    """`[data]`: the mixture. Sequence ids count from 0 and never end; equal configs and files give equal sequences."""

    sequence_length: int = Field(
        default=128, ge=1, le=10**6, description="tokens that are predicted in a sequence; one more is read"
    )
    seed: int = Field(
        default=0, ge=0, le=2**63 - 1, description="from which every epoch's order of every source is drawn"
    )
    sources: tuple[SourceConfig, ...] = Field(min_length=1, max_length=MOST_SOURCES)
    held_out: tuple[SourceConfig, ...] = Field(
        default=(),
        max_length=MOST_SOURCES,
        description="what is never trained on, for evaluation; none given: the held-out parts of the corpora above",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> DataConfig:
        for field, sources in (("sources", self.sources), ("held_out", self.held_out)):
            names = [source.name for source in sources]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two of {field} are called {twice[0]}")
        return self

    def evaluation(self) -> tuple[SourceConfig, ...]:
        """Give what is held out; nothing, if nothing is named and no source is a corpus."""
        corpora = (source for source in self.sources if source.corpus and source.part == "train")
        return self.held_out or tuple(source.model_copy(update={"part": "held_out"}) for source in corpora)
