"""Take the picture of a comparison's page, from a real one, in a real browser.

    quiltwork pretrain compare --out runs/compared
    python docs/make_compare_picture.py runs/compared [--chromium /usr/bin/chromium]

Writes docs/images/pretrain-compare.png: the top of the page, down to its table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH = 1240
AIR = 4


def main() -> None:
    """Read the folder from the command line and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=1.25)
        page.goto((args.folder / "compare.html").resolve().as_uri())
        end = page.locator("table").bounding_box()
        assert end is not None
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": end["y"] + end["height"] + AIR}
        page.screenshot(path=IMAGES / "pretrain-compare.png", full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    main()
