"""Draw the pictures of the README and of the site from real runs.

    python docs/make_pictures.py readme RUN [--chromium /usr/bin/chromium]
    python docs/make_pictures.py selection [RUN]

`readme` writes docs/images/panel.svg (the panel as it stood at the end) and docs/images/report.png (the top of report.html).
`selection` writes the pictures of docs/selection.md. With a run, of a problem with a grid of two descriptors and one metric to
minimise, it first takes the facts from its log into docs/images/selection.json; without one it draws from those facts again.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import tempfile
from pathlib import Path

import selection_pictures
import selection_run
from rich.console import Console

from quiltwork.evolve.display.panel_parts import Pace, frame
from quiltwork.evolve.display.snapshot import snapshot
from quiltwork.evolve.session import opened

IMAGES = Path(__file__).parent / "images"
FACTS = IMAGES / "selection.json"
WIDTH, HEIGHT = 110, 34


def draw_panel(run: Path) -> None:
    """Record the panel's last frame as an SVG."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO())
    with opened(run, drive=False) as session:
        view = snapshot(session.state, session.problem)
        pace = Pace(evaluations_per_s=view.evaluations / max(view.wall_s, 1e-9), left_s=0.0)
        console.print(frame(view, pace, width=WIDTH, height=HEIGHT))
    IMAGES.mkdir(exist_ok=True)
    svg = console.export_svg(title="quiltwork evolve run")
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)  # a picture that loads nothing
    (IMAGES / "panel.svg").write_text(svg, "utf-8")


def draw_report(run: Path, chromium: str) -> None:
    """Take a picture of the report in a real browser, with no network."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(  # noqa: S603
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                "--window-size=1000,1300",
                f"--screenshot={IMAGES / 'report.png'}",
                (run.resolve() / "report.html").as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=300,
        )


def draw_selection(run: Path | None) -> None:
    """Draw docs/selection.md's pictures, from a run's log or from the facts that were taken from one."""
    if run is not None:
        FACTS.write_text(json.dumps(selection_run.facts(run), indent=None, separators=(",", ":")) + "\n", "utf-8")
    for name, picture in selection_pictures.draw_all(json.loads(FACTS.read_text("utf-8"))).items():
        (IMAGES / name).write_text(picture, "utf-8")


def main() -> None:
    """Read from the command line what to draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="what", required=True)
    readme = kinds.add_parser("readme")
    readme.add_argument("run", type=Path)
    readme.add_argument("--chromium", default="/usr/bin/chromium")
    selection = kinds.add_parser("selection")
    selection.add_argument("run", type=Path, nargs="?")
    args = parser.parse_args()
    if args.what == "selection":
        draw_selection(args.run)
        return
    draw_panel(args.run)
    draw_report(args.run, args.chromium)


if __name__ == "__main__":
    main()
