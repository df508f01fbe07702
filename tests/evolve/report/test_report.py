import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.report import render, write_report
from quiltwork.evolve.report.data import Artifact
from quiltwork.evolve.report.page import MANY, MOST_ARTIFACT_BYTES, lineage, quilt
from quiltwork.text.strangers import plain
from tests.evolve.report.samples import EMPTY, run

VOID = {"meta", "img", "br", "input", "link", "hr", "base"}
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "\"><img src=https://evil.example/x.png onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</pre></details></style><base href=//evil.example>",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:alert(1)//",
    "a\x00b\x1b[31m\x08\u202e\ud800\x85",
    "<!-- <![CDATA[",
    "&lt;&amp;&#0;",
)


class Page(HTMLParser):
    """All tags and texts of a page; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        {"script": self.scripts, "style": self.styles}.get(self._open[-1] if self._open else "", self.texts).append(
            data
        )

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_harmless(html: str) -> Page:
    page = Page(html)
    assert len(page.scripts) == len(page.styles) == 1
    policy = next(meta["content"] or "" for meta in page.named("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for text in (page.scripts[0], page.styles[0]):
        assert "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    for tag, attributes in page.tags:
        assert tag not in {"base", "link", "iframe", "object", "embed", "form", "foreignobject", "use", "image"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "srcdoc", "srcset", "action", "formaction", "xlink:href"}, (tag, name)
            if name == "href":
                assert re.fullmatch(r"#p\d+", value or ""), value
            if name == "src":
                assert re.match(r"data:image/(svg\+xml|png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*$", value or "")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe\uffff]", html)
    return page


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_program_wrote_is_only_ever_text(text: str) -> None:
    page = assert_harmless(render(run(text=text, source=text + "\n")))
    tame = assert_harmless(render(run(text="tame", source="tame\n")))
    assert [name for name, _ in page.tags] == [name for name, _ in tame.tags]
    assert plain(text) in " ".join(page.texts)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(max_size=60))
def test_no_text_breaks_the_page(text: str, source: str) -> None:
    assert_harmless(render(run(8, text=text, source=source)))


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    page = Page(render(run()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"] for attributes in page.named("a")} <= {f"#{name}" for name in ids}


def test_a_run_that_has_just_begun_has_a_report() -> None:
    page = assert_harmless(render(EMPTY))
    assert "no valid program" in " ".join(page.texts)


def test_the_verdict_says_where_the_run_stands() -> None:
    data = run()
    text = " ".join(" ".join(Page(render(data)).texts).split())
    assert f"{data.snapshot.best.value:.11g}" in text
    assert "ahead by" in text
    assert "behind by" in text
    assert "Certified in exact arithmetic." in text


def test_what_models_were_asked_is_told_with_what_it_cost_and_how_much_applied() -> None:
    page = render(run(30))
    assert "What models were asked" in page
    assert "3,456" in page
    assert "0.0123" in page
    assert "7 of 10" in page


def test_every_program_is_listed_with_its_source_and_the_refused_with_their_reason() -> None:
    page = Page(render(run(40, text="the reason")))
    rows = [attributes for tag, attributes in page.tags if tag == "details" and attributes.get("class") == "p"]
    assert [row["id"] for row in rows] == [f"p{step}" for step in range(40)]
    text = "\n".join(page.texts)
    assert all(f"y = {step}\n" in text for step in range(40))
    assert text.count("Refused: duplicate") == 4


def test_the_lineage_goes_from_the_best_to_the_first() -> None:
    data = run()
    steps = list(lineage({p.step: p for p in data.programs}, data.snapshot.best.step))
    assert steps[0] == data.snapshot.best.step
    assert steps[-1] == 0
    html = render(data)
    story = html[html.index('class="story"') : html.index("</ol>")]
    assert [int(step) for step in re.findall(r'href="#p(\d+)"', story)] == steps
    assert '<span class="add">y = ' in story


def test_a_lineage_that_runs_in_a_circle_ends() -> None:
    programs = {0: replace(run(2).programs[1], step=0, parents=(1,)), 1: replace(run(2).programs[1], parents=(0,))}
    assert list(lineage(programs, 1)) == [1, 0]


def test_a_long_run_shows_the_source_of_what_matters_and_says_so() -> None:
    data = run(MANY + 500, source="filler = 1\n" * 20)
    html = render(data)
    assert "This is a long run" in html
    opened = {int(step) for step in re.findall(r'<details class="p" id="p(\d+)"', html)}
    elites = {elite.step for island in data.archive.islands for elite in island.elites}
    assert opened == {0} | set(data.improved) | elites
    assert html.count('class="p" id=') == MANY + 500
    assert len(html) < 12 * 2**20


def test_a_run_too_long_to_list_keeps_what_matters_and_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.evolve.report.page.MOST_ROWS", 60)
    data = run(200)
    data = replace(data, archive=None)
    html = render(data)
    listed = {int(step) for step in re.findall(r'class="p" id="p(\d+)"', html)}
    assert len(listed) == 60
    assert set(data.improved) <= listed
    assert {0, 1, 198, 199} <= listed
    assert "140 programs in the middle of the run are not listed." in html


def test_the_page_stays_small_whatever_programs_write() -> None:
    data = run(120, text="n" * 20_000, source="s = 1\n" * 20_000)
    html = render(data)
    assert len(html) < 20 * 2**20
    assert "sources and" in html
    assert len(render(run(300))) < 2 * 2**20


def test_a_picture_is_an_image_and_a_huge_one_is_left_out() -> None:
    data = run(3)
    picture = Artifact("plot.PNG", b"\x89PNG")
    huge = Artifact("huge.png", bytes(MOST_ARTIFACT_BYTES + 1))
    html = render(replace(data, programs=(replace(data.programs[0], artifacts=(picture, huge)), *data.programs[1:])))
    assert "data:image/png;base64,iVBORw==" in html
    assert "huge.png" not in html
    assert "1 artifacts are left out" in html


def test_equal_histories_have_equal_quilts() -> None:
    one, other = "ab" * 32, "ac" * 32
    assert quilt(one) == quilt(one)
    assert quilt(one) != quilt(other)
    assert quilt("") is None
    assert quilt("no digest") is None


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(EMPTY, path)
    before = path.read_text("utf-8")
    with pytest.raises(TypeError):
        write_report(replace(EMPTY, digest=None), path)  # type: ignore[arg-type]
    assert path.read_text("utf-8") == before
    assert list(tmp_path.iterdir()) == [path]
