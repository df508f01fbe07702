"""The drawing libraries that the pages use: fetched from npm once, pinned by their hashes, with their licences.

    python -m quiltwork.web.assets        # writes static/vendor/, unless it is there

They are not in the repository. A wheel carries them, so that an installed `quiltwork web` needs no network.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"
COMMAND = "python -m quiltwork.web.assets"
FETCH_LIMIT_S = 300


class AssetsMissing(Exception):
    """The libraries are not there, or are not the ones that were asked for. The text says what to do."""


class Package(NamedTuple):
    """A package of npm: its version, the SHA-256 of its archive, and which of its files become which of ours."""

    name: str
    version: str
    sha256: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "uplot",
        "1.6.32",
        "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css", "LICENSE": "uplot.LICENSE"},
    ),
    Package(
        "cytoscape",
        "3.34.4",
        "0d02363d99d805ce8d91fdecab7b2a8cb91ee280d67f309ce44c161d117b4679",
        {"dist/cytoscape.min.js": "cytoscape.js", "LICENSE": "cytoscape.LICENSE"},
    ),
    Package(
        "cytoscape-dagre",
        "4.0.1",
        "830f9ad4860db701cb6f899ef3590f5c1bfb4d53d8108894f00b56131907e514",
        {"dist/cytoscape-dagre.min.js": "cytoscape-dagre.js", "LICENSE": "cytoscape-dagre.LICENSE"},
    ),
    # cytoscape-dagre carries dagre inside its own file: of this one only the licence is kept.
    Package(
        "@dagrejs/dagre",
        "3.0.0",
        "7d4e67fb70304a2e8b389a1200884ea1b4e2e761bf9f70f07eb77d3d28f1fb3f",
        {"LICENSE": "dagre.LICENSE"},
    ),
)


def missing(vendor: Path = VENDOR) -> list[str]:
    """Which files are not there."""
    names = [name for package in PACKAGES for name in package.files.values()]
    return [name for name in names if not (vendor / name).is_file()]


def fetch(vendor: Path = VENDOR) -> list[Path]:
    """Write what is missing, all or nothing; returns what was written. Raises `AssetsMissing`."""
    if not missing(vendor):
        return []
    npm = shutil.which("npm")
    if npm is None:
        raise AssetsMissing("npm is needed once, to fetch the pages' libraries. On Debian and Ubuntu: apt install npm")
    with tempfile.TemporaryDirectory(prefix="quiltwork-assets-") as folder:
        found = {name: data for package in PACKAGES for name, data in _unpack(npm, package, Path(folder)).items()}
    vendor.mkdir(parents=True, exist_ok=True)
    for name, data in found.items():
        (vendor / name).write_bytes(data)
    return [vendor / name for name in found]


def _unpack(npm: str, package: Package, folder: Path) -> dict[str, bytes]:
    wanted = f"{package.name}@{package.version}"
    try:
        done = subprocess.run(  # noqa: S603 - names and versions from above
            [npm, "pack", "--silent", "--ignore-scripts", wanted],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=FETCH_LIMIT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise AssetsMissing(f"npm could not fetch {wanted}:\n{error.stderr.strip()[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise AssetsMissing(f"npm could not fetch {wanted} within {FETCH_LIMIT_S} s") from error
    archive = folder / done.stdout.strip().splitlines()[-1]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package.sha256:
        raise AssetsMissing(f"{wanted} has the SHA-256 {found}, not {package.sha256}: it is not used")
    with tarfile.open(archive) as tar:
        return {ours: _member(tar, f"package/{theirs}", wanted) for theirs, ours in package.files.items()}


def _member(tar: tarfile.TarFile, path: str, wanted: str) -> bytes:
    file = tar.extractfile(path)
    if file is None:
        raise AssetsMissing(f"{wanted} has no file {path}")
    return file.read()


def main() -> None:
    """Fetch what is missing and say so."""
    try:
        written = fetch()
    except AssetsMissing as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(f"{len(written)} files written to {VENDOR}\n" if written else f"all there in {VENDOR}\n")


if __name__ == "__main__":
    main()
