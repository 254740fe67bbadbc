"""The red team against the grading line: nobody scores above what they deserve, nothing is left, nobody is stopped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redteam.attacks import ATTACKS
from tests.redteam.broken import BROKEN
from tests.redteam.entries import FIXTURE, LESSON_04, WON, Entry
from tests.redteam.honest import HONEST
from tests.redteam.ordinary_user import ordinary_user
from tests.redteam.trial import As, Trial, active_parts

EVERY = (*ATTACKS, *BROKEN, *HONEST)
SAMPLE = [entry for entry in EVERY if entry.quick]
FAMILIES = (
    "tests and asserts",
    "result forging",
    "reading and borrowing",
    "gradebook and files",
    "persistence between submissions",
    "resources",
    "format and metadata",
    "output and browser",
    "network",
    "timing and threads",
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the walls that are tried here are Linux's")


@pytest.fixture
def user_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="rv-") as folder:
        yield Path(folder)


def wrong(trial: Trial) -> list[str]:
    """All that went wrong in a trial, a sentence each."""
    found = [f"{student}: {problem}" for student, row in trial.rows().items() for problem in row.problems]
    return found + trial.problems()


def of(lesson: str) -> list[Entry]:
    return [entry for entry in EVERY if entry.lesson == lesson]


def test_the_red_team_is_complete() -> None:
    assert {entry.family for entry in ATTACKS} == set(FAMILIES)
    assert min(Counter(entry.family for entry in ATTACKS).values()) >= 7
    assert len(ATTACKS) >= 60
    assert len(BROKEN) >= 25
    assert len(HONEST) >= 60
    names = [entry.name for entry in EVERY]
    assert len(set(names)) == len(names)
    for entry in EVERY:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", entry.name), entry.name
        assert entry.tries.endswith("."), entry.name
        assert WON not in entry.cell + entry.last + "".join(str(answer) for answer in entry.answers.values())


def test_the_sample_has_every_family() -> None:
    assert {entry.family for entry in SAMPLE} == {*FAMILIES, "honest", "broken"}


OF_THE_PAGE = ("it displays <style>", "it displays <meta>")
"""What the page itself brings along."""


def what_pages_do(trial: Trial, students: list[str]) -> list[str]:
    """What is wrong with the feedback pages of some students, a sentence each."""
    found = []
    for student, page in trial.feedback(students).items():
        found += [f"{student}: {part}" for part in active_parts(page) if part not in OF_THE_PAGE]
        if (page.count("<style"), page.count("<meta")) != (1, 4) or not page.endswith("</html>"):
            found.append(f"{student}: its page is not whole, or has parts of somebody else's")
    return found


@linux
def test_a_sample_of_the_red_team_gets_what_it_deserves_and_leaves_nothing() -> None:
    with Trial(SAMPLE) as trial:
        trial.grade()
        assert wrong(trial) == []
        assert trial.exit_code == 0
        family = [name for name, entry in trial.students.items() if entry.family == "output and browser"]
        assert what_pages_do(trial, family) == []


USERS = ("root or whoever runs the tests", "an ordinary user")


def who_grades(user: str, folder: Path) -> As:
    """One of :data:`USERS`; skips the test where this machine has none."""
    if user == USERS[0]:
        return As()
    if os.geteuid() != 0:
        pytest.skip("whoever runs the tests is an ordinary user")
    found, why = ordinary_user(folder)
    if found is None:
        pytest.skip(why)
    return found


@pytest.mark.slow
@linux
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("walls", ["bubblewrap", "landlock"])
def test_a_sample_gets_what_it_deserves_behind_each_of_the_walls(walls: str, user: str, user_folder: Path) -> None:
    with Trial(SAMPLE, who=who_grades(user, user_folder)) as trial:
        trial.grade(None, "--sandbox", walls)
        assert wrong(trial) == []
        assert trial.exit_code == 0


@linux
def test_without_walls_the_trial_notices() -> None:
    names = ("seed", "pth-file", "tcp", "keys-at-home", "rewritten-seed", "leftovers-in-tmp")
    with Trial([entry for entry in ATTACKS if entry.name in names]) as trial:
        trial.grade(None, "--unsafe", "--workers", "1")  # one after the other: the canary comes after what was left
        mark = trial.places.mark("sleeper")
        with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(600)  # {mark}"]) as sleeper:
            said = "\n".join(wrong(trial))
            sleeper.kill()
        assert f"a process was left: {sleeper.pid}" in said
    for noticed in (
        "it got through: 'the seed",
        "pth-file.pth was left",
        "somebody reached the listeners",
        "what it shows differs",
        "a secret is in its graded notebook",
        "90_fixture.secret was changed",
    ):
        assert noticed in said


def test_active_parts_of_a_page_are_noticed() -> None:
    harmless = '<p>a <b>word</b> <img src="data:image/png;base64,AAAA" alt="x"> <a href="#there">there</a></p>'
    assert active_parts(harmless) == []
    for html, found in (
        ("<script>1</script>", "<script>"),
        ('<img src="x" onerror="1">', "onerror="),
        ('<a href="javascript:1">x</a>', "a link to"),
        ('<img src="http://there/x.png">', "a link to"),
        ("<b style='x'>", "style="),
        ("<iframe srcdoc='x'>", "srcdoc="),
    ):
        assert any(found in each for each in active_parts(html)), html


@pytest.mark.slow
@linux
@pytest.mark.parametrize("lesson", [FIXTURE, LESSON_04])
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("route", ["python -m autograder grade", "nbgrader autograde", "formgrader's button"])
def test_the_whole_red_team_gets_what_it_deserves_and_leaves_nothing(
    lesson: str, user: str, route: str, user_folder: Path
) -> None:
    with Trial(of(lesson), lesson, who_grades(user, user_folder)) as trial:
        if route == "python -m autograder grade":
            trial.grade()
        elif route == "nbgrader autograde":
            trial.autograde()
        else:
            trial.press_buttons()
        assert wrong(trial) == []
        if lesson == FIXTURE:
            family = [name for name, entry in trial.students.items() if entry.family == "output and browser"]
            assert what_pages_do(trial, family) == []
