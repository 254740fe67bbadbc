"""The reference: a page for each public module of course_lib and autograder, from its docstrings."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import textwrap
from collections.abc import Sequence

from course_lib.exercises import LESSONS

PACKAGES = {
    "course_lib": "What the lessons build, whole, and what teaches it.",
    "autograder": "Submissions in, grades out: each step of grading by its place in the line.",
}
RUN_AS_SCRIPTS = frozenset({"autograder.sandbox.guest_supervisor"})
"""Modules that import what stands beside them where they run, so nobody can import them here."""
_CURRENT = ' aria-current="page"'
_SECTION = re.compile(
    r"(?:Args|Arguments|Attributes|Examples?|Notes?|Parameters|Raises|References|Returns|Yields|Warns):$"
)
_SEVERAL = re.compile(r"    (?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)+): (?P<said>.*)")
_ITEM = re.compile(r"(?:[-*]|\d+\.) ")


@functools.cache
def modules(answers: bool = False) -> tuple[str, ...]:
    """The names of all public modules, a package before what is in it; those of the exercises only with answers."""
    found = []
    for package in PACKAGES:
        home = importlib.import_module(package)
        found.append(package)
        found += [each.name for each in pkgutil.walk_packages(home.__path__, f"{package}.")]
    return tuple(name for name in found if not _private(name) and (answers or not _tells(name)))


def pages(*, answers: bool = False) -> dict[str, str]:
    """Name without suffix -> reStructuredText, for the folder of the reference.

    Args:
        answers: the modules of the exercises as well, whose docstrings say how each is solved.
    """
    names = modules(answers)
    made = {name: _page(name, [each for each in names if each.rpartition(".")[0] == name]) for name in names}
    made["index"] = _index(names)
    return made


def _private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split(".")) or name in RUN_AS_SCRIPTS


def _tells(name: str) -> bool:
    """Whether a module holds the exercises of a lesson, or wrong answers to them."""
    topics = {each.partition("_")[2] for each in LESSONS}
    package, _, rest = name.partition("course_lib.exercises.")
    return not package and rest.partition(".")[0] in {*topics, "variants"}


def _page(name: str, within: list[str]) -> str:
    # Three hundred modules in the contents of every page would be most of each page, so the reference has its own.
    lines = [":orphan:", "", *_heading(f"``{name}``", "="), f".. automodule:: {name}"]
    lines += ["   :members:", "   :ignore-module-all:"]
    if within:
        lines += ["", *_heading("Modules", "-"), *(f"- :doc:`{each} <{each}>`" for each in within)]
    return "\n".join([*lines, ""])


def _index(names: Sequence[str]) -> str:
    said = "Every public module with its classes and functions, in the order of its source."
    lines = [*_heading("Reference", "="), said]
    for package, what in PACKAGES.items():
        lines += ["", *_heading(f"``{package}``", "-"), what, ""]
        lines += [f"- :doc:`{each} <{each}>`" for each in names if each.partition(".")[0] == package]
    return "\n".join([*lines, ""])


def _heading(text: str, sign: str) -> list[str]:
    return [text, sign * len(text), ""]


def contents(page: str, *, answers: bool = False) -> str:
    """The contents of the reference as HTML for one of its pages: packages, what is beside it, and what is in it."""
    opened = {page, *(page.rsplit(".", count)[0] for count in range(1, page.count(".") + 1))}
    links = [
        f'<li class="course-depth-{each.count(".")}"><a href="{each}.html"'
        f"{_CURRENT if each == page else ''}>{each.rpartition('.')[2]}</a></li>"
        for each in modules(answers)
        if each in PACKAGES or each.rpartition(".")[0] in opened
    ]
    return f'<nav class="course-modules" aria-label="Modules"><ul>{"".join(links)}</ul></nav>'


def as_rst(lines: list[str]) -> list[str]:
    """A docstring of this project as reStructuredText that napoleon reads: examples become blocks of code.

    Docstrings show an example by indenting it below an empty line, and list with hyphens; reST wants a directive for
    the one and empty lines around the other. The sections of Google's style are left to napoleon.
    """
    made: list[str] = []
    place = 0
    while place < len(lines):
        line, before = lines[place], made[-1] if made else ""
        if _SECTION.match(line) or (line.startswith(" ") and before.strip()):
            end = _end_of_indented(lines, place + 1)
            made += _each_by_itself(lines[place:end]) if _SECTION.match(line) else lines[place:end]
        elif line.startswith(" ") and line.strip():
            end = _end_of_indented(lines, place)
            made += _example(lines[place:end])
        else:
            end = place + 1
            if _ITEM.match(line) and before.strip() and not _ITEM.match(before) and not before.startswith(" "):
                made.append("")
            made.append(_plain(line))
        place = end
    return made


def _end_of_indented(lines: list[str], place: int) -> int:
    while place < len(lines) and (not lines[place].strip() or lines[place].startswith(" ")):
        place += 1
    return place


def _each_by_itself(section: list[str]) -> list[str]:
    """A section in which "low, high: the two ends" stands as two entries: reST would take `low,` for a type."""
    made: list[str] = []
    place = 0
    while place < len(section):
        line, end = section[place], place + 1
        found = _SEVERAL.match(line)
        if found:
            while end < len(section) and (section[end].startswith("     ") or not section[end].strip()):
                end += 1
            for name in found["names"].split(", "):
                made += [f"    {name}: {found['said']}", *section[place + 1 : end]]
        else:
            made.append(line)
        place = end
    return made


def _plain(line: str) -> str:
    """A line of prose without what reST alone takes for markup; pieces of code are left alone."""
    pieces = re.split(r"(`[^`]*`)", line)
    return "".join(piece if piece.startswith("`") else piece.replace("|", "\\|") for piece in pieces)


def _example(lines: list[str]) -> list[str]:
    code = textwrap.dedent("\n".join(lines)).strip("\n")
    try:
        compile(code, "example", "exec")
        language = "python"
    except SyntaxError:
        language = "text"
    return [f".. code-block:: {language}", "", *(f"   {line}".rstrip() for line in code.split("\n")), ""]
