"""The page of results is that of the entries as they are now."""

from __future__ import annotations

import re
from pathlib import Path

from tests.redteam.test_redteam import EVERY


def test_the_page_shows_every_entry_and_what_it_deserves(root: Path) -> None:
    page = (root / "docs" / "red-team.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*?\| (\d+) \| (-|\d+)", page, flags=re.MULTILINE)
    assert {name: int(deserved) for name, deserved, _ in rows} == {entry.name: entry.deserves for entry in EVERY}
    assert [name for name, deserved, got in rows if got == "-" or int(got) > int(deserved)] == []


def test_the_page_names_no_folder_of_the_machine_that_wrote_it(root: Path) -> None:
    page = (root / "docs" / "red-team.md").read_text(encoding="utf-8")
    assert str(root) not in page
    assert re.findall(r"(?:/root|/home|/tmp)/\S*", page) == []
