"""The pages, in a real browser, with real runs."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.evolve.scripted_model import scripted
from tests.web.conftest import Server, Trouble
from tests.web.made import HOSTILE, hostile_run, long_run

WIDTHS = (390, 820, 1440)


@pytest.fixture(scope="module", autouse=True)
def made(server: Server) -> None:
    problem = server.runs.parent / "problems" / "sine"
    long_run(problem, server.runs / "long", 700)
    hostile_run(problem, server.runs / "hostile")


def begin(page: Page, budget: str, name: str, model: str = "") -> None:
    page.get_by_role("button", name="New run").click()
    page.get_by_label("Problem").select_option("sine")
    page.get_by_label("Budget").fill(budget)
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Models").fill(model)
    page.get_by_role("button", name="Begin").click()


def state(page: Page, word: str) -> None:
    expect(page.locator(".eyebrow .state")).to_have_text(word)


def test_the_token_leaves_the_address_and_no_script_can_read_it(page: Page, server: Server) -> None:
    assert page.url == f"{server.base}/"
    assert page.evaluate("document.cookie") == ""


@pytest.mark.slow
def test_a_run_is_begun_from_the_page_and_watched_to_its_end(page: Page, server: Server) -> None:
    begin(page, "12evals", "begun")
    page.wait_for_url("**/runs/begun")
    state(page, "finished")
    expect(page.locator(".budgets")).to_contain_text("12 of 12 evaluations")
    expect(page.locator("#curve canvas")).to_have_count(1)
    expect(page.locator("#archive .patch").first).to_be_visible()
    expect(page.locator("#lineage .graph canvas").first).to_be_visible()
    expect(page.locator("#proposers table").first).to_contain_text("mutate")
    page.locator("#steps .steps a").last.click()
    panel = page.get_by_role("dialog")
    expect(panel).to_contain_text("def approximate(x):")
    expect(panel).to_contain_text("worst at x =")
    page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()
    told = json.loads(page.request.get(f"{server.base}/api/runs/begun").text())
    assert told["summary"]["seed"] == 7
    assert told["condition"] == "finished"


@pytest.mark.slow
def test_a_run_that_asks_a_model_shows_what_was_asked_and_answered(page: Page) -> None:
    with scripted() as script:
        begin(page, "30evals", "asking", model=f"{script.url}#scripted")
        page.wait_for_url("**/runs/asking")
        state(page, "finished")
    expect(page.locator("#proposers")).to_contain_text("llm:scripted:rewrite")
    page.locator("#steps .steps li", has_text="Other coefficients.").first.locator("a").first.click()
    panel = page.get_by_role("dialog")
    expect(panel).to_contain_text("What the model was asked")
    expect(panel).to_contain_text("You improve programs.")
    expect(panel).to_contain_text("Other coefficients.")


def test_a_model_that_means_nothing_is_said_where_it_was_typed(page: Page, trouble: Trouble) -> None:
    trouble.expected.append("status of 400")
    begin(page, "5evals", "", model="no-such-model")
    expect(page.get_by_role("alert")).to_contain_text("no-such-model")


@pytest.mark.slow
def test_a_run_is_paused_and_resumed(page: Page) -> None:
    begin(page, "100000evals", "long_going")
    page.wait_for_url("**/runs/long_going")
    state(page, "running")
    expect(page.locator("#steps .steps li").nth(3)).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    steps = page.locator(".tally b").first
    before = steps.inner_text()
    page.get_by_label("Budget to add").fill("5evals")
    page.get_by_role("button", name="Resume").click()
    state(page, "running")
    expect(page.locator(".budgets")).to_contain_text("of 100,005 evaluations")
    expect(steps).not_to_have_text(before)
    page.get_by_role("button", name="Stop").click()
    state(page, "paused")
    page.goto("/".join(page.url.split("/")[:3]))
    expect(page.locator(".card", has_text="long_going").locator(".state")).to_have_text("paused")


def test_a_budget_that_is_not_understood_is_said_where_it_was_typed(page: Page, trouble: Trouble) -> None:
    trouble.expected.append("status of 400")
    begin(page, "many", "")
    expect(page.get_by_role("alert")).to_contain_text("budget 'many' is not understood")
    expect(page.get_by_label("Budget")).to_have_value("many")


def test_a_hostile_candidate_is_only_ever_text(page: Page, server: Server) -> None:
    page.goto(f"{server.base}/runs/hostile")
    expect(page.locator("#steps .steps")).to_contain_text(HOSTILE)
    expect(page.locator("#proposers")).to_contain_text(HOSTILE)
    expect(page.locator("#lineage .story")).to_contain_text(HOSTILE)
    page.goto(f"{server.base}/runs/hostile#step-1")
    page.reload()
    panel = page.get_by_role("dialog")
    for words in ("printed", "noted", "asked", "answered"):
        expect(panel).to_contain_text(f"{words} {HOSTILE}")
    expect(panel.locator("pre.source, pre.diff").first).to_contain_text(HOSTILE)
    picture = panel.locator(".art img")
    expect(picture).to_have_count(1)
    expect(picture).to_have_js_property("complete", True)
    page.goto(f"{server.base}/runs/hostile#step-2")
    expect(panel).to_contain_text(f"raised {HOSTILE}")
    assert page.locator("main script, main iframe, main object, img[onerror], img[src=x]").count() == 0


def test_an_artifact_that_is_opened_by_itself_runs_nothing(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(server.url)
    kinds = set()
    for index in range(3):
        answer = page.goto(f"{server.base}/api/runs/hostile/files/artifact?step=1&index={index}")
        assert answer is not None
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        kinds.add(answer.headers["content-type"])
        with pytest.raises(PlaywrightError, match="sandboxed"):
            page.evaluate("document.cookie")  # it has no origin, hence no cookies and no way to ask for more
    page.close()
    assert sorted(kinds) == ["image/svg+xml", "text/plain; charset=utf-8"]
    assert not dialogs


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/runs/long", "/runs/hostile", "/runs/hostile#step-1"])
def test_no_width_needs_sideways_scrolling(page: Page, server: Server, path: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("about:blank")
        page.goto(server.base + path)
        expect(page.locator(".card a" if path == "/" else "#steps .steps li").first).to_be_attached()
        if "#" in path:
            expect(page.locator(".panelbody dl")).to_be_visible()
        wide = page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('dialog.panel')?.scrollWidth ?? 0]"
        )
        assert max(wide) <= width


def test_older_steps_come_by_the_page_and_filters_hold(page: Page, server: Server) -> None:
    page.goto(f"{server.base}/runs/long")
    rows = page.locator("#steps .steps li")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Older steps").click()
    expect(rows).to_have_count(100)
    page.get_by_label("show").select_option("refused")
    expect(rows.first).to_contain_text("699")
    expect(rows).to_have_count(50)
    expect(page.locator("#steps .steps li:not(.refused)")).to_have_count(0)


def test_a_page_can_be_used_with_the_keyboard_alone(page: Page, server: Server) -> None:
    page.goto(f"{server.base}/runs/long")
    expect(page.locator("#steps .steps li").first).to_be_visible()
    page.locator("#steps .steps a").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Step 699")
    page.keyboard.press("Escape")
    expect(page.locator("#steps .steps a").first).to_be_focused()
