"""The pages of pretrain, in a real browser, with runs that were simulated and signed."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from quiltwork.log import Body
from quiltwork.pretrain.entries import Joined, Judged
from quiltwork.pretrain.simulator import Scenario
from tests.evolve.helpers import quiltwork, quiltwork_json
from tests.pretrain.simulated import Simulated, eventful
from tests.web.conftest import Server, Trouble
from tests.web.made import HOSTILE

WIDTHS = (390, 820, 1440)
ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script>"
"""As long as a name may be."""

NAMES = ("amber", "blue", "coral", "delta", "emerald", "fern")


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return eventful()


@pytest.fixture(scope="module", autouse=True)
def made(server: Server, simulated: Simulated) -> None:
    simulated.write(server.runs / "together", names=NAMES)
    long = Simulated(1, Scenario(nodes=3, rounds=70, liars=False, accidents=False))
    long.write(server.runs / "many", names=NAMES)
    simulated.write(server.runs / "attacked", names=[f"{place}{ATTACK}" for place in range(6)], change=attack)


def attack(body: Body) -> Body:
    """What members can write freely."""
    if isinstance(body, Joined):
        return msgspec.structs.replace(body, device=ATTACK, version=ATTACK, addresses=(ATTACK,))
    return msgspec.structs.replace(body, why=HOSTILE) if isinstance(body, Judged) else body


def shown(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.base}/runs/{name}")
    expect(page.locator("#loss canvas")).to_have_count(1)
    expect(page.locator("#rounds tbody tr").first).to_be_visible()


def test_the_list_shows_the_run_with_its_loss(page: Page, server: Server) -> None:
    card = page.locator(".card", has=page.get_by_role("link", name="together", exact=True))
    expect(card.locator(".state")).to_have_text("finished")
    expect(card).to_contain_text("loss, nats per token")
    expect(card).to_contain_text("24 of 24 steps")
    expect(card.locator("svg.spark polyline")).to_have_count(1)
    card.get_by_role("link").click()
    page.wait_for_url("**/runs/together")


def test_everything_about_a_run_is_on_its_page(page: Page, server: Server, simulated: Simulated) -> None:
    shown(page, server, "together")
    told = quiltwork_json("pretrain", "status", server.runs / "together")
    expect(page.locator("h1")).to_have_text("simulated")
    expect(page.locator(".verdict .big")).to_have_text("1")
    expect(page.locator(".verdict")).to_contain_text("step 24 of 24")
    expect(page.locator(".tally")).to_contain_text(f"{told['tokens']:,}")
    expect(page.locator("#members .lives li")).to_have_count(6)
    for member in told["members"]:
        row = page.locator("#members tbody tr", has_text=member["key"][:8])
        expect(row).to_contain_text(member["label"])
        expect(row).to_contain_text(f"{member['units']}")
    expect(page.locator("#members rect.ejected").first).to_be_attached()
    expect(page.locator("#members tbody tr.ejected")).to_have_count(1)
    expect(page.locator("#rounds .chart canvas")).to_have_count(1)
    expect(page.locator("#audits table.refusals")).to_contain_text("failed")
    page.locator("#audits").get_by_role("button", name="All that are remembered").click()
    expect(page.locator("#audits tr.failed").first).to_contain_text("another update")
    page.locator("#lately").get_by_role("button", name="All that is remembered").click()
    expect(page.locator("#lately .event.ejected")).to_contain_text("was ejected: it failed")
    expect(page.locator("#proofs")).to_contain_text(told["agreed_model"])


def test_the_proofs_that_are_shown_hold(page: Page, server: Server) -> None:
    shown(page, server, "together")
    verify, explain = page.locator("#proofs pre").all_inner_texts()
    assert "every signature right" in quiltwork(*verify.split()[1:]).stdout
    assert "chain from the first to the head" in quiltwork(*explain.split()[1:]).stdout
    page.locator("#rounds tbody a").first.click()
    panel = page.get_by_role("dialog")
    command = panel.locator("pre").inner_text()
    assert "explain" in command
    assert "pretrain.committed/1" in quiltwork(*command.split()[1:]).stdout


def test_the_loss_is_drawn_along_rounds_bytes_and_time(page: Page, server: Server) -> None:
    shown(page, server, "together")
    for name in ("bytes sent", "time", "rounds"):
        button = page.locator("#loss").get_by_role("button", name=name)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#loss [aria-pressed=true]")).to_have_count(1)
        expect(page.locator("#loss canvas")).to_have_count(1)
    page.locator("#loss .u-over").hover(position={"x": 5, "y": 50})
    expect(page.locator("#loss .readout")).to_contain_text("loss")
    expect(page.locator("#loss .chart")).to_have_attribute("aria-label", re.compile("^Loss: 1 at first, 1 after"))


def test_a_round_opens_with_who_committed_what(page: Page, server: Server, simulated: Simulated) -> None:
    shown(page, server, "together")
    page.goto(f"{server.base}/runs/together#round-2")
    panel = page.get_by_role("dialog")
    expect(panel.get_by_role("heading", name="Round 2")).to_be_visible()
    expect(panel.locator("tbody tr").first).to_contain_text("accepted")
    page.get_by_role("button", name="The round after").click()
    expect(panel.get_by_role("heading", name="Round 3")).to_be_visible()
    panel.locator("a.member").first.click()
    expect(panel.locator("dl")).to_contain_text("fp32 on cpu")
    expect(panel.locator("dl")).to_contain_text("its verdicts")
    page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()
    assert "#" not in page.url


def test_a_page_can_be_used_with_the_keyboard_alone(page: Page, server: Server) -> None:
    shown(page, server, "together")
    link = page.locator("#rounds tbody a").first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    page.locator("#members .lives a").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("dl")).to_contain_text("key")
    page.keyboard.press("Escape")
    for scrolled in page.locator(".scroll").all():
        expect(scrolled).to_have_attribute("tabindex", "0")


def test_older_rounds_come_by_the_page(page: Page, server: Server) -> None:
    shown(page, server, "many")
    rows = page.locator("#rounds tbody tr")
    expect(rows).to_have_count(30)
    newest = int(rows.first.get_attribute("data-round") or 0)
    page.get_by_role("button", name="Older rounds").click()
    expect(rows).to_have_count(60)
    page.get_by_role("button", name="Older rounds").click()
    expect(rows).to_have_count(newest)
    expect(page.get_by_role("button", name="Older rounds")).to_be_hidden()
    expect(rows.last).to_have_attribute("data-round", "1")


def test_what_a_member_writes_is_only_ever_text(page: Page, server: Server) -> None:
    shown(page, server, "attacked")
    name = ATTACK[:20]
    expect(page.locator("#members .lives")).to_contain_text(name)
    expect(page.locator("#members tbody")).to_contain_text(name)
    page.locator("#lately").get_by_role("button", name="All that is remembered").click()
    expect(page.locator("#lately .events")).to_contain_text(name)
    page.locator("#audits").get_by_role("button", name="All that are remembered").click()
    expect(page.locator("#audits tr.failed").first).to_contain_text(HOSTILE[:100])
    page.locator("#members .lives a").first.click()
    expect(page.get_by_role("dialog").locator("dl")).to_contain_text("<script>")
    assert page.locator("main script, main iframe, main img, main svg[onload], dialog script, dialog img").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/runs/together", "/runs/attacked", "/runs/together#round-2"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_needs_sideways_scrolling(page: Page, server: Server, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("about:blank")
        page.goto(server.base + path)
        expect(page.locator(".card a" if path == "/" else "#rounds tbody tr").first).to_be_attached()
        if "#" in path:
            expect(page.locator(".panelbody dl")).to_be_visible()
        wide = page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('dialog.panel')?.scrollWidth ?? 0]"
        )
        assert max(wide) <= width


@dataclass
class Going:
    """A run that goes on while a page is open."""

    folder: Path
    run: Simulated
    paused: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._write)
        self.thread.start()
        assert self.paused.wait(120)

    def _write(self) -> None:
        def pause() -> None:
            self.paused.set()
            self.go_on.wait(240)

        self.run.write(self.folder, names=NAMES, pause_at=len(self.run.said) // 2, pause=pause)

    def end(self) -> None:
        self.go_on.set()
        self.thread.join()


@pytest.mark.slow
def test_a_run_is_watched_to_its_end(page: Page, server: Server, simulated: Simulated) -> None:
    going = Going(server.runs / "going", simulated)
    try:
        shown(page, server, "going")
        state = page.locator(".eyebrow .state")
        expect(state).to_have_text("running")
        expect(page.locator(".serving")).to_contain_text("Ctrl-C there lays the run down")
        expect(page.locator(".verdict")).not_to_contain_text("step 24 of 24")
        before = page.locator("#rounds tbody tr").count()
    finally:
        going.end()
    expect(page.locator(".verdict")).to_contain_text("step 24 of 24")
    expect(state).to_have_text("finished")
    expect(page.locator(f"#rounds tr[data-round='{simulated.state.last}']")).to_be_visible()
    assert page.locator("#rounds tbody tr").count() > before
    told = json.loads(page.request.get(f"{server.base}/api/runs/going").text())
    assert told["summary"]["phase"] == "Finished"


def test_a_run_that_nobody_serves_says_how_to_take_it_up(
    page: Page, server: Server, simulated: Simulated, trouble: Trouble
) -> None:
    folder = simulated.write(server.runs / "untended", names=NAMES, entries=len(simulated.said) // 2)
    shown(page, server, "untended")
    expect(page.locator(".eyebrow .state")).to_have_text("paused")
    expect(page.locator(".serving code")).to_have_text(f"quiltwork pretrain serve {folder}")
    answer = page.request.post(
        f"{server.base}/api/runs/untended/resume",
        data="{}",
        headers={"content-type": "application/json", **server.headers},
    )
    assert answer.status == 400
    assert f"quiltwork pretrain serve {folder}" in answer.json()["error"]
