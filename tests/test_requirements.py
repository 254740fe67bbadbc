"""What learners install is exact, explained, and says nothing about where it came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

EXTRAS = ("dev", "cluster", "postgresql", "similarity", "audio", "site", "book")
NAMES = ("requirements", *(f"requirements-{extra}" for extra in EXTRAS))


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_is_exact_and_names_no_host(root: Path, name: str) -> None:
    for line in lines(root / f"{name}.txt"):
        if line != "--editable .":
            assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^:]+)?", line), line


@pytest.mark.parametrize("name", NAMES)
def test_everything_asked_for_has_a_reason_and_a_pin(root: Path, name: str) -> None:
    pinned = {line.partition("==")[0] for line in lines(root / f"{name}.txt")}
    for line in lines(root / f"{name}.in"):
        asked, _, reason = line.partition("#")
        assert len(reason.split()) >= 3, f"{asked.strip()} needs its reason"
        assert re.split(r"[<>=~! ]", asked)[0] in pinned, f"{asked.strip()} is not pinned; run make pins"


@pytest.mark.parametrize("name", NAMES[1:])
def test_no_two_files_disagree(root: Path, name: str) -> None:
    core, more = ({line.partition("==")[0]: line for line in lines(root / f"{file}.txt")} for file in (NAMES[0], name))
    both = core.keys() & more.keys()
    assert {package: more[package].partition(" ;")[0] for package in both} == {
        package: core[package].partition(" ;")[0] for package in both
    }


def test_the_course_itself_is_installed_last(root: Path) -> None:
    assert lines(root / "requirements.txt")[-1] == "--editable ."
