"""A real server, and Debian's Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from quiltwork.web.assets import fetch
from tests.evolve.helpers import QUILTWORK, sine

PATIENCE_MS = 120_000
"""For whatever a page waits for: a machine that is ten times too busy must pass too."""


@dataclass
class Server:
    """`quiltwork web`, running."""

    url: str
    """With its token."""
    runs: Path
    home: Path

    @property
    def base(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.url.partition('token=')[2]}"}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    fetch()
    root = tmp_path_factory.mktemp("web")
    sine(root / "problems" / "sine")
    runs, home = root / "runs", root / "home"
    process = subprocess.Popen(
        [*QUILTWORK, "web", str(runs), "--port", "0", "--problems", str(root / "problems")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "QUILTWORK_HOME": str(home)},
    )
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(2))
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)
    assert found, said
    yield Server(found.group(), runs, home)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.fixture(scope="module")  # no longer: while it is open, its event loop runs in this thread
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "chromium is not installed; .ci/run installs it: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-quic"])
        yield browser
        browser.close()


@dataclass
class Trouble:
    """What must not happen while a page is open, unless a test says that it is what it asks for."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def surprises(self) -> list[str]:
        return [each for each in self.seen if not any(words in each for words in self.expected)]


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def page(browser: Browser, server: Server, trouble: Trouble) -> Iterator[Page]:
    """A page that is let in. Fails the test for dialogs, errors, refused content, and requests that leave the machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("dialog", lambda dialog: (trouble.seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: trouble.seen.append(f"error {error}"))
    page.on("console", lambda m: trouble.seen.append(f"console {m.text}") if m.type in ("error", "warning") else None)
    page.on(
        "request",
        lambda request: (
            trouble.seen.append(f"request {request.url}")
            if urlsplit(request.url).scheme in ("http", "https") and urlsplit(request.url).hostname != "127.0.0.1"
            else None
        ),
    )
    page.goto(server.url)
    yield page
    context.close()
    assert not trouble.surprises()
