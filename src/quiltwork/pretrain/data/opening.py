"""From what a user wrote under `[data]` to datasets: files found, servers asked, manifests read."""

from __future__ import annotations

import glob
from pathlib import Path

from quiltwork.pretrain.data.config import DataConfig, SourceConfig
from quiltwork.pretrain.data.corpus import corpus
from quiltwork.pretrain.data.dataset import READERS, Mixture, Source
from quiltwork.pretrain.data.http import Http
from quiltwork.pretrain.data.manifest import LARGEST_BYTES, Manifest, read_manifest
from quiltwork.pretrain.data.remote import RemoteFile
from quiltwork.pretrain.data.tokens import DataError, LocalFile, TokenFile


def open_dataset(
    config: DataConfig, *, root: Path | None = None, cache: Path | None = None, http: Http | None = None
) -> Mixture:
    """Open what is trained on. Relative paths begin at `root`, or the working folder. Raises DataError.

    What comes over HTTP is kept in `cache`, if that is given.
    """
    return _Opening(root or Path(), cache, http).mixture(config, config.sources)


def open_held_out(
    config: DataConfig, *, root: Path | None = None, cache: Path | None = None, http: Http | None = None
) -> Mixture:
    """Open what is never trained on. Raises DataError, also if the config names nothing."""
    if not config.evaluation():
        raise DataError(
            "data.held_out names nothing to evaluate on, and there is no corpus of which a part is held out"
        )
    return _Opening(root or Path(), cache, http).mixture(config, config.evaluation())


class _Opening:
    """What is shared while sources are opened: one client, made when the first URL comes."""

    def __init__(self, root: Path, cache: Path | None, http: Http | None) -> None:
        self._root, self._cache, self._http = root, cache, http

    def mixture(self, config: DataConfig, sources: tuple[SourceConfig, ...]) -> Mixture:
        opened = [Source(source.name, self._files(source), config.sequence_length) for source in sources]
        remote = any(isinstance(file, RemoteFile) for source in opened for file in source.files)
        weights = [source.weight for source in sources]
        return Mixture(opened, weights, config.seed, readers=READERS if remote else 1)

    def _files(self, source: SourceConfig) -> list[TokenFile]:
        if source.corpus:
            return [corpus(source.corpus, source.part)]
        manifest = self._manifest(source)
        files: list[TokenFile] = []
        for given in source.files:
            if _is_url(given):
                files.append(self._remote(given, source, manifest))
            else:
                files += [LocalFile(path, source.dtype, source.vocabulary) for path in self._paths(given, source)]
        return files

    def _paths(self, pattern: str, source: SourceConfig) -> list[Path]:
        if (self._root / pattern).is_file():
            return [self._root / pattern]
        found = sorted(glob.glob(pattern, root_dir=self._root, recursive=True))
        if not found:
            raise DataError(f"data source {source.name}: no file {pattern} in {self._root.resolve()}")
        return [self._root / path for path in found]

    def _remote(self, url: str, source: SourceConfig, manifest: Manifest | None) -> RemoteFile:
        return RemoteFile(
            url,
            self._client(),
            dtype=source.dtype,
            vocabulary=source.vocabulary,
            listed=manifest.listed(url, source.name) if manifest else None,
            cache=self._cache,
        )

    def _manifest(self, source: SourceConfig) -> Manifest | None:
        if not source.manifest:
            return None
        if _is_url(source.manifest):
            raw = self._client().whole(source.manifest, LARGEST_BYTES)
        else:
            try:
                raw = (self._root / source.manifest).read_bytes()
            except OSError as error:
                raise DataError(
                    f"data source {source.name}: manifest {source.manifest} cannot be read: {error.strerror}"
                ) from error
        return read_manifest(raw, source.manifest_blake3, source.name)

    def _client(self) -> Http:
        self._http = self._http or Http()
        return self._http


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))
