"""All pages of the book in one folder, laid out as the repository is, so that links between them need no change.

Files are written only where they changed, so that Sphinx reads again only what did. Guide pages come from docs/ as they
are; a link to what is no page of the book keeps its words and loses its address.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from html import escape
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

import nbformat

from autograder import links
from autograder.book import course_map, moments, notebooks, reference, widgets
from autograder.building import BuildError, Problem
from autograder.building.course import source_paths
from autograder.building.course_map import entry
from autograder.building.source import read
from autograder.building.start import address
from autograder.files import write_atomically
from autograder.pages import environment
from course_lib.study import speech

SHEETS = "docs/teaching"
"""Lesson sheets for teachers: their rubrics answer the written questions, so they are in the instructors' edition."""
FOR_ALL = ("README.md", "ai-assistants.md")
_EXPLORATION = re.compile(r"<!-- exploration: (\w+) -->")
_MERMAID = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)")
_CODE = re.compile(r"^(```+|~~~+).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


class Folder:
    """A folder that holds what was put into it in this run and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._put: set[Path] = set()

    def put(self, name: str, content: str | bytes) -> None:
        """Write a file, unless it holds just that."""
        path, data = self.path / name, content.encode("utf-8") if isinstance(content, str) else content
        self._put.add(path)
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)

    def copy(self, name: str, source: Path) -> None:
        """Copy a file, unless it is there with that size and date."""
        path, there = self.path / name, source.stat()
        self._put.add(path)
        if not path.is_file() or (path.stat().st_size, path.stat().st_mtime) != (there.st_size, there.st_mtime):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, path)

    def keep(self, name: str) -> Path:
        """Say that a file belongs here, whoever writes it."""
        self._put.add(self.path / name)
        return self.path / name

    def end(self) -> None:
        """Remove what this run did not put here."""
        for path in self.path.rglob("*"):
            if path.is_file() and path not in self._put:
                path.unlink()


def put(
    root: Path,
    folder: Path,
    *,
    answers: bool = False,
    site: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Put the sources of the book into a folder.

    Args:
        root: the project's folder.
        folder: where they go; what is there from an earlier run and belongs no more is removed.
        answers: the instructors' edition: solutions with their outputs, and the lesson sheets with their rubrics.
        site: the address of a JupyterLite site; "" for none.
        tell: is told what is done.

    Raises:
        BuildError: a notebook is missing, or an address cannot be used.
    """
    into = Folder(folder)
    names = [path.stem for path in source_paths(root)]
    tell("lessons")
    pictures: set[str] = set()
    alive: dict[str, str] = {}
    for name in names:
        opens = open_links(root, name, site)
        alive |= _lesson(root, name, into, pictures, opens, answers=answers)
    for picture in pictures:
        into.keep(f"_static/pictures/{picture}")
    tell("guide")
    _guide(root, into, names, alive, answers=answers)
    tell("reference")
    for name, page in reference.pages(answers=answers).items():
        into.put(f"api/{name}.rst", page)
    tell("explorations")
    _scripts(into)
    into.end()


def open_links(root: Path, name: str, site: str = "") -> list[links.Link]:
    """Where a lesson can be opened: in the repository that pyproject.toml names, and in the site.

    Raises:
        BuildError: one of the two is no address.
    """
    repository = address(root)
    try:
        if repository:
            return links.links(links.Repository.parse(repository), "main", [name], site=site)[0]
        return [links.lite(site, name)] if site else []
    except links.LinksError as error:
        raise BuildError([Problem("pyproject.toml, or --site", str(error))]) from None


def _lesson(
    root: Path, name: str, into: Folder, pictures: set[str], opens: Sequence[links.Link], *, answers: bool
) -> dict[str, str]:
    """Put a lesson's page and its recordings; gives the explorations in it that live, as HTML, by class."""
    keep = notebooks.pictures_in(into.path / "_static/pictures", "../../_static/pictures")

    def picture(png: bytes) -> str:
        address = keep(png)
        pictures.add(address.rpartition("/")[2])
        return address

    notebook = notebooks.read(root, name, picture, answers=answers)
    first = notebook.cells[0]
    title, _, rest = first.source.partition("\n")
    first.source = f"{title}\n\n{_invitation(name, opens, answers=answers)}\n{rest}"
    into.put(f"lessons/{name}/{name}.ipynb", nbformat.writes(notebook) + "\n")
    for said in (*speech.dialogue(name), *speech.explanations(name)):
        recording = speech.recording(name, said)
        if recording is not None:
            into.copy(f"_static/audio/{name}/{recording.name}", recording)
    shown = [output.data["text/html"] for cell in notebook.cells for output in cell.get("outputs", ())]
    return {found[1]: html for html in shown if (found := re.search(r'data-script="moments/(\w+)\.js"', html))}


def _invitation(name: str, opens: Sequence[links.Link], *, answers: bool) -> str:
    """What stands below a lesson's title: what this page is, and where the lesson itself can be opened."""
    if answers:
        said = "The instructors' edition: every answer is here, with what its check says."
    else:
        said = (
            "This page is for reading. In the notebook you write the code, each answer is checked at once, and "
            f"everything moves: <code>jupyter lab lessons</code>, then <code>{name}</code>."
        )
    there = "".join(f'<a href="{escape(each.url)}">Open it in {each.service}</a>' for each in opens)
    more = f'<p class="course-open">{there}</p>' if there else ""
    return f'<div class="course-invitation">\n<p>{said}</p>\n{more}\n</div>\n'


def _guide(root: Path, into: Folder, names: list[str], alive: Mapping[str, str], *, answers: bool) -> None:
    pages: dict[str, str] = {}
    for path in sorted((root / "book").glob("*.md")):
        pages[path.name] = _EXPLORATION.sub(
            lambda found: alive[found[1]].replace("../../_static/", "_static/"), path.read_text("utf-8")
        )
    for path in sorted((root / "docs").rglob("*.md")):
        name = path.relative_to(root).as_posix()
        if answers or path.parent.name != "teaching" or path.name in FOR_ALL:
            pages[name] = path.read_text("utf-8")
    entries = [entry(read(path)) for path in source_paths(root)]
    lessons = _MERMAID.sub(
        lambda _: course_map.svg(entries, "{name}/{name}.html") + "\n",
        (root / "lessons/README.md").read_text("utf-8"),
    )
    tree = "\n".join(f"{each.number} · {_short(each.title)} <{each.name}/{each.name}>" for each in entries)
    pages["lessons/README.md"] = f"{lessons}\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    if answers:
        sheets = "\n".join(path.stem for path in sorted((root / SHEETS).glob("[0-9]*.md")))
        pages[f"{SHEETS}/README.md"] += f"\n```{{toctree}}\n:hidden:\n\n{sheets}\n```\n"
    for path in sorted((root / "docs/images").glob("*")):
        into.copy(f"docs/images/{path.name}", path)
    pages_beside = {"api/index.rst"}
    known = {*pages, *pages_beside, *(f"lessons/{name}/{name}.ipynb" for name in names)}
    folders = {name.removesuffix("README.md").rstrip("/"): name for name in pages if name.endswith("/README.md")}
    for name, text in pages.items():
        into.put(name, _without_dead_links(name, text, known, folders))


def _short(title: str) -> str:
    return title.partition(":")[0]


def _without_dead_links(page: str, text: str, known: Iterable[str], folders: Mapping[str, str]) -> str:
    """The page with each link to what is no page as words alone, and each to a folder leading to its README.md."""
    known = set(known)
    pieces, last = [], 0
    for code in _CODE.finditer(text):
        pieces += [(False, text[last : code.start()]), (True, code[0])]
        last = code.end()
    pieces.append((False, text[last:]))

    def link(found: re.Match[str]) -> str:
        to, hash_, anchor = found["to"].partition("#")
        if not to or re.match(r"[a-z]+:", to):
            return found[0]
        target = _normal(PurePosixPath(page).parent / to)
        if target in known:
            return found[0]
        if target in folders:
            return f"[{found['words']}]({to.rstrip('/')}/README.md{hash_}{anchor})"
        return found["words"]

    # A link's words may hold code, so whole links are looked for first and code only shields what is in it.
    shielded = [piece if is_code and piece.startswith(("```", "~~~")) else None for is_code, piece in pieces]
    plain = "".join(f"\0{place}\0" if kept is not None else pieces[place][1] for place, kept in enumerate(shielded))
    return re.sub(r"\0(\d+)\0", lambda found: str(shielded[int(found[1])]), _LINK.sub(link, plain))


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _scripts(into: Folder) -> None:
    into.put("_static/course.js", widgets.script())
    into.put("_static/widgets.css", widgets.style())
    into.put("_static/icon.svg", environment().get_template("site_icon.svg.j2").render())
    into.put("_static/book.css", (widgets.STATIC / "book.css").read_text("utf-8"))
    stale = {}
    for name in moments.MOVES:
        path, mark = into.keep(f"_static/moments/{name}.js"), f"// {moments.fingerprint(name)}\n"
        if not path.is_file() or not path.read_text("utf-8").startswith(mark):
            stale[name] = path, mark
    if not stale:
        return
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for (path, mark), script in zip(stale.values(), pool.map(moments.script, stale), strict=True):
            write_atomically(path, mark + script)
