"""Draw the README's pictures from a real run.

    python docs/make_pictures.py RUN [--chromium /usr/bin/chromium]

Writes docs/images/panel.svg (the panel as it stood at the end) and docs/images/report.png (the top of report.html).
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console

from quiltwork.evolve.display.panel_parts import Pace, frame
from quiltwork.evolve.display.snapshot import snapshot
from quiltwork.evolve.session import opened

IMAGES = Path(__file__).parent / "images"
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


def main() -> None:
    """Read the run's folder from the command line and draw both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    draw_panel(args.run)
    draw_report(args.run, args.chromium)


if __name__ == "__main__":
    main()
