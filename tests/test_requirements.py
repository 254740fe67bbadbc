"""What learners install is exact, explained, and says nothing about where it came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NAMES = ("requirements", "requirements-dev")


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


def test_the_two_files_agree(root: Path) -> None:
    core, dev = ({line.partition("==")[0]: line for line in lines(root / f"{name}.txt")} for name in NAMES)
    assert {name: dev[name] for name in core.keys() & dev.keys()} == {
        name: core[name] for name in core.keys() & dev.keys()
    }


def test_the_course_itself_is_installed_last(root: Path) -> None:
    assert lines(root / "requirements.txt")[-1] == "--editable ."
