"""Links within the built site: every page, file and heading that one leads to is there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page can be linked at, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the names and the links of an element."""
        found = {name: value for name, value in attrs if value is not None}
        self.names |= {found[n] for n in ("id", "name") if n in found}
        self.links |= {found[n] for n in ("href", "src") if n in found}


def broken(site: Path) -> list[str]:
    """``page: link`` of every link of the site's pages into the site that leads nowhere."""
    written = [p for p in site.rglob("*.html") if "_static" not in p.parts]  # there are templates
    pages = {p.resolve(): Page(p.read_text(encoding="utf-8")) for p in written}
    out = []
    for path, page in sorted(pages.items()):
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if to.is_dir():
                to = to / "index.html"
            name = unquote(parts.fragment)
            lost = not to.exists() or (name and to in pages and name not in pages[to].names)
            if lost:
                out.append(f"{path.relative_to(site.resolve())}: {link}")
    return out
