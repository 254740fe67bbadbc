"""A look over finished pages: links that lead somewhere, pictures with words, and nothing asked of another machine."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from autograder.building.problems import Problem

SHORTEST_ALT = 8
_ASKED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "audio": ("src",),
    "video": ("src", "poster"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
"""What a browser fetches by itself."""
_STYLE_ASKS = re.compile(r"""(?:@import\s+|url\()\s*["']?(?!data:|#)(?P<to>[^"')\s;]+)""")
_HEADING = re.compile(r"h[1-6]")
_SCRIPTS_ASK = re.compile(r"""["'`](?:https?:)?//(?!www\.w3\.org/)[\w.-]+\.[a-z]{2,}[^"'`\s]*""")
_OUTSIDE = re.compile(r"https://[\w.-]+\.[a-z]{2,}(?:[/?#][^\s<>]*)?|mailto:[^\s@]+@[\w.-]+")


@dataclass
class Found:
    """What a look over the pages found.

    Attributes:
        pages, links: how many there are; of links those within the folder.
        outside: addresses elsewhere.
        texts: what can be read on each page, a block of code or data apart from what is around it.
        problems: what must not be.
    """

    pages: int = 0
    links: int = 0
    outside: set[str] = field(default_factory=set)
    texts: dict[Path, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass
class Page(HTMLParser):
    """One page's links, names and headings."""

    path: Path

    def __post_init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.headings: list[int] = []
        self.texts: list[str] = []
        self._within: list[str] = []
        self.styles: list[str] = []
        text = self.path.read_text("utf-8")
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if (name := given.get("id")) is not None:
            (self.twice if name in self.ids else self.ids).add(name)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        for each in _ASKED.get(tag, ()):
            if given.get(each):
                self.asked.append(given[each])
        if tag == "img" and len(given.get("alt", "").strip()) < SHORTEST_ALT and given.get("role") != "presentation":
            self.faults.append(f"a picture without words: {given.get('src', '')[:100]}")
        if tag == "svg" and given.get("role") == "img" and not given.get("aria-label"):
            self.faults.append("a drawing without words")
        if any(name.startswith("on") for name in given):
            self.faults.append(f"<{tag}> has a script in an attribute")
        if "style" in given:
            self.styles.append(given["style"])
        if _HEADING.fullmatch(tag):
            self.headings.append(int(tag[1]))
        if tag in ("script", "style", "pre"):
            self._within.append(tag)
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self._within and self._within[-1] == "style":
            self.styles.append(data)
        if not self.texts:
            self.texts.append("")
        self.texts[-1] += data


def look_over(folder: Path) -> Found:
    """Look over all pages, style sheets and scripts below a folder.

    Links within the folder must lead to a file and, with `#name`, to something of that name. What a browser fetches by
    itself must be there. Addresses elsewhere cannot be reached from here: they are collected, and only their form is
    looked at.
    """
    found = Found()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    found.texts.update((path, page.texts) for path, page in pages.items())
    found.pages = len(pages)
    for path, page in pages.items():
        where = path.relative_to(folder).as_posix()
        said = [*page.faults, *(f"two things are called {name!r}" for name in sorted(page.twice))]
        said += _headings(page.headings)
        said += [fault for to in page.links if (fault := _link(path, to, pages, folder, found))]
        said += [fault for to in page.asked if (fault := _fetched(path, to, folder))]
        said += [fault for style in page.styles for fault in _style(path, style, folder)]
        found.problems += [Problem(where, each) for each in dict.fromkeys(said)]
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text("utf-8")
        found.problems += [Problem(path.relative_to(folder).as_posix(), each) for each in _style(path, text, folder)]
    for path in sorted(folder.rglob("*.js")):
        for asked in _SCRIPTS_ASK.finditer(path.read_text("utf-8")):
            found.problems.append(Problem(path.relative_to(folder).as_posix(), f"names another machine: {asked[0]}"))
    return found


def readable(folder: Path) -> list[Path]:
    """The files below a folder whose words a reader can get at."""
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".html", ".js", ".json", ".txt", ".ipynb")]


def texts(path: Path, found: Found) -> list[str]:
    """What can be read in a file, piece by piece: of a page its words, blocks of code and strings in its data."""
    if path in found.texts:
        return [piece for text in found.texts[path] if text.strip() for piece in _pieces(text)]
    text = path.read_text("utf-8", errors="replace")
    data = _data(text) or _data(text.partition(" = ")[2].removesuffix(";\n"))
    return [text] if data is None else list(_strings({**data, "buffers": []}))


def _pieces(text: str) -> Iterator[str]:
    data = _data(text)
    if data is None:
        yield text
    else:
        yield from (re.sub(r"<[^>]*>", "", html.unescape(each)) for each in _strings(data))


def _data(text: str) -> Any:
    """An object of JSON, or None."""
    try:
        return json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None


def _strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from _strings(each)
    elif isinstance(data, dict):
        for each in data.values():
            yield from _strings(each)


def _link(path: Path, to: str, pages: dict[Path, Page], folder: Path, found: Found) -> str | None:
    parts = urlsplit(to)
    if parts.scheme or parts.netloc:
        found.outside.add(to)
        return None if _OUTSIDE.fullmatch(to) else f"a link that no browser would follow well: {to}"
    target = _target(path, parts.path)
    if not target.is_relative_to(folder):
        return None  # a place beside the book on the same site
    found.links += 1
    if target not in pages and not target.is_file():
        return f"a link to what is not there: {to}"
    name = unquote(parts.fragment)
    if name and target in pages and name not in pages[target].ids:
        return f"a link to a place that is not there: {to}"
    return None


def _fetched(path: Path, to: str, folder: Path) -> str | None:
    if to.startswith("data:"):
        return None
    parts = urlsplit(to)
    if parts.scheme or parts.netloc:
        return f"another machine would be asked: {to}"
    target = _target(path, parts.path)
    return None if target.is_file() and target.is_relative_to(folder) else f"a file that is not there: {to}"


def _style(path: Path, text: str, folder: Path) -> list[str]:
    return [fault for found in _STYLE_ASKS.finditer(text) if (fault := _fetched(path, found["to"], folder))]


def _headings(levels: list[int]) -> list[str]:
    said = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of the first level; one is right"]
    jumps = [(one, other) for one, other in pairwise(levels) if other > one + 1]
    return said + [f"a heading of level {other} right below one of level {one}" for one, other in jumps]


def _target(path: Path, to: str) -> Path:
    return _target_from(path.parent, to) if to else path


@functools.lru_cache(maxsize=100_000)
def _target_from(folder: Path, to: str) -> Path:
    target = (folder / unquote(to)).resolve()
    return target / "index.html" if target.is_dir() else target
