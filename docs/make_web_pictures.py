"""Take the pictures of `quiltwork web` from real runs, in a real browser.

    python docs/make_web_pictures.py RUNS RUN [--chromium /usr/bin/chromium]

RUNS is a folder of runs, RUN the name of one of them. Writes docs/images/web-runs.png (the list), web-run.png (the top of a
run's page), web-archive.png (its quilts) and web-phone.png (a step on a phone, in the dark).
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
PATIENCE_MS = 120_000


@contextmanager
def served(runs: Path) -> Iterator[str]:
    """`quiltwork web`; gives its address with the token."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "quiltwork.cli.main", "web", str(runs), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        yield found.group()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def opened(browser: Browser, url: str, path: str, *, width: int, height: int, dark: bool = False) -> Page:
    """A page of the server, let in and drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", device_scale_factor=1.5
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.goto(url.partition("/?")[0] + path)
    return page


def main() -> None:
    """Read the folders from the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("run")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    expect.set_options(timeout=PATIENCE_MS)
    with served(args.runs) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = opened(browser, url, "/", width=1200, height=560)
        expect(page.locator(".card .value b").first).to_be_visible()
        page.screenshot(path=IMAGES / "web-runs.png")
        page = opened(browser, url, f"/runs/{args.run}", width=1200, height=1180)
        expect(page.locator("#curve canvas")).to_be_visible()
        expect(page.locator("#archive .patch").first).to_be_attached()
        page.screenshot(path=IMAGES / "web-run.png")
        page.locator("#archive .quilts").screenshot(path=IMAGES / "web-archive.png")
        best = page.locator(".verdict a.num").inner_text()
        page = opened(browser, url, f"/runs/{args.run}#step-{best}", width=390, height=780, dark=True)
        expect(page.locator(".panelbody dl")).to_be_visible()
        page.screenshot(path=IMAGES / "web-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
