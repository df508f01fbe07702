"""Look a built site over: it asks no other host for anything, and its links lead somewhere.

    python docs/check_site.py site

Links that a reader may follow elsewhere are allowed; what a page loads by itself (scripts, styles, fonts, pictures, frames) must
lie in the site.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data"), ("use", "href")}
"""What a browser fetches without being asked; of `link`, all but what only says where a page belongs."""

ONLY_NAMES = {"canonical", "next", "prev", "author", "license"}
ELSEWHERE = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)")


class Page(HTMLParser):
    """What a page loads, where its links lead, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element's addresses."""
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        self.loads += [found[name] for element, name in LOADING if element == tag and name in found]
        if tag == "link" and not set(found.get("rel", "").split()) & ONLY_NAMES:
            self.loads.append(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


def faults(site: Path) -> Iterator[str]:
    """Say what is wrong, one line each."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{name}: loads {address} from another host"
        for address in page.links if path.name != "404.html" else ():
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{name}: leads to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name}: leads to {address}, but {target.name} has no such place"
    for path in sorted([*site.rglob("*.css"), *site.rglob("*.svg")]):
        for match in ELSEWHERE.finditer(path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: loads {match[1] or match[2]} from another host"


def main() -> None:
    """Check the folder that the command line names; exits with 1 where something is wrong."""
    site = Path(sys.argv[1]).resolve()
    found = list(faults(site))
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if found or not (site / "index.html").is_file():
        sys.exit(f"{site}: {len(found)} faults" if found else f"{site}: not a site")


if __name__ == "__main__":
    main()
