"""The build's own step: a wheel carries the libraries that the pages draw with, so that an installed one needs no network."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebAssets(BuildHookInterface):  # type: ignore[type-arg]
    """Fetches what is missing before the files are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling. An editable installation fetches later, with `make web-assets`: it may be made without npm."""
        if version == "editable":
            return
        assets = runpy.run_path(str(Path(self.root) / "src/quiltwork/web/assets.py"))
        try:
            assets["fetch"]()
        except assets["AssetsMissing"] as error:
            self.app.display_warning(f"this wheel has no libraries for `quiltwork web`: {error}")
