"""Take the picture of a run of pretrain in `quiltwork web`, from a real run, in a real browser.

    quiltwork pretrain demo --out runs/demo
    python docs/make_pretrain_picture.py runs demo [--chromium /usr/bin/chromium]

Writes docs/images/pretrain-web.png: the top of the run's page, down to its members.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from make_web_pictures import IMAGES, PATIENCE_MS, opened, served
from playwright.sync_api import expect, sync_playwright

WIDTH = 1200
AIR = 24


def main() -> None:
    """Read the folders from the command line and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("run")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    expect.set_options(timeout=PATIENCE_MS)
    with served(args.runs) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = opened(browser, url, f"/runs/{args.run}", width=WIDTH, height=1000)
        expect(page.locator("#loss canvas")).to_be_visible()
        expect(page.locator("#rounds tbody tr").first).to_be_attached()
        page.evaluate("document.fonts.ready")
        end = page.locator("#members").bounding_box()
        assert end is not None
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": end["y"] + end["height"] + AIR}
        page.screenshot(path=IMAGES / "pretrain-web.png", full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    main()
