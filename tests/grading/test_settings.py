"""course.toml: what it may say, what is said of one that breaks its form, and what comes of it in a real gradebook."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.commands.settings import template
from autograder.gradebook import Course
from autograder.settings import apply as settings_apply
from autograder.settings.file import parse, read, used_lessons
from autograder.settings.model import LateRule, SettingsError
from course_lib import exercises
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, cell, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries
ADAM = "04_adaptive_optimizers"
BERLIN = '[course]\ntimezone = "Europe/Berlin"\n'
DUE = f'{BERLIN}[lessons.{ADAM}]\ndue = "2026-12-01 23:59"\n'


def write(course: Course, text: str) -> None:
    (course.root / "course.toml").write_text(text, encoding="utf-8")


def grade(course: Course, *students: str) -> list[str]:
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    return [note for student in students for note in grade_one(run, student)[1]]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["settings", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


# What the file says.


def test_a_file_is_read_into_settings() -> None:
    found = parse(
        f"""{BERLIN}
        written_questions = true
        written_points = 3

        [late]
        grace = "2 hours"
        per_day = "10%"
        at_most = "50%"
        closed_after = "1 week"

        [lessons.{ADAM}]
        due = 2026-12-01T23:59:00
        worth = 20
        [lessons.05_weight_penalties]
        due = 2026-12-08T23:59:00-05:00
        written_points = 6
        [lessons.11_modern_optimizers]
        use = false
        written_questions = false

        [extensions."ada@example.org"]
        {ADAM} = "2026-12-03 12:00"
        """
    )
    assert found.zone == ZoneInfo("Europe/Berlin")
    assert found.lesson(ADAM).due == datetime(2026, 12, 1, 22, 59, tzinfo=UTC)
    assert found.lesson("05_weight_penalties").due == datetime(2026, 12, 9, 4, 59, tzinfo=UTC)
    assert [found.lesson(name).written_points for name in (ADAM, "05_weight_penalties", "11_modern_optimizers")] == [
        3,
        6,
        None,
    ]
    assert found.late == LateRule(timedelta(hours=2), 0.1, 0.5, timedelta(weeks=1))
    assert found.extension(ADAM, "ada@example.org") == timedelta(days=1, hours=12, minutes=1)
    assert found.extension(ADAM, "bob") is None
    assert found.extension("05_weight_penalties", "ada@example.org") is None
    assert found.scale(ADAM, 11) * 5.5 == pytest.approx(10)
    assert (found.scale(ADAM, 0), found.scale("05_weight_penalties", 26)) == (1, 1)
    assert [name for name in exercises.LESSONS if not found.lesson(name).used] == ["11_modern_optimizers"]
    assert found.local(found.lesson(ADAM).due or datetime.now(UTC)) == "2026-12-01 23:59 CET"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[lesson.x]\n", 1, "lesson is unknown; did you mean lessons?"),
        ('[course]\ntimezoone = "Europe/Berlin"\n', 2, "course.timezoone is unknown; did you mean timezone?"),
        ('[course]\ntimezone = "Berlin"\n', 2, "did you mean Europe/Berlin?"),
        ('[course]\ntimezone = "../../etc/passwd"\n', 2, "is no time zone that this machine knows"),
        ("[course]\ntimezone = 3\n", 2, "course.timezone = 3: write text in quotes."),
        ("[course]\nwritten_questions = 1\n", 2, "course.written_questions = 1: write true or false."),
        ("[course]\nwritten_points = 4\n", 2, "has no effect: written questions are off."),
        ("[course]\nwritten_questions = true\nwritten_points = -1\n", 3, "write a number over 0 and up to 1000"),
        ("course = 3\n", 1, "course is no table"),
        (f"[lessons]\n{ADAM} = 3\n", 2, f"begin one with [lessons.{ADAM}]"),
        ("\n[lessons.04_adaptive]\n", 2, f"did you mean {ADAM}?"),
        ("[lessons.4]\n", 1, f"did you mean {ADAM}?"),
        (f'{BERLIN}[lessons.{ADAM}]\nworth = "a"\n', 4, 'worth = "a": write a number.'),
        (f"{BERLIN}[lessons.{ADAM}]\nworth = nan\n", 4, "write a number over 0"),
        ("[lessons.11_modern_optimizers]\nworth = 5\n", 2, "nothing in this lesson but a bonus earns points"),
        (f"[lessons.{ADAM}]\ndue = 2026-12-01T23:59:00\n", 2, 'write timezone = "Europe/Berlin" under [course]'),
        (f"{BERLIN}[lessons.{ADAM}]\ndue = 2026-12-01\n", 4, "which time of that day?"),
        (f'{BERLIN}[lessons.{ADAM}]\ndue = "2026-12-01"\n', 4, "which time of that day?"),
        (f"{BERLIN}[lessons.{ADAM}]\ndue = 2026-12-01T23:59\n", 4, 'or "2026-12-01 23:59"'),
        (f'{BERLIN}[lessons.{ADAM}]\ndue = "next week"\n', 4, 'due = "next week": write the day and the time'),
        (f"{BERLIN}[lessons.{ADAM}]\ndue = 0026-12-01T23:59:00\n", 4, "is the year 26 meant?"),
        (f'{BERLIN}[lessons.{ADAM}]\ndue = "2026-03-29 02:30"\n', 4, "no clock in Europe/Berlin shows this time"),
        ("[course]\ntimezone = Europe/Berlin\n", 2, "text stands in quotes"),
        ("[late]\nper_day = 10%\n", 2, "a number with a unit stands in quotes"),
        ("[late]\nper_day = 10\n", 2, 'late.per_day = 10: write a share of the score in quotes, "10%"'),
        ('[late]\nper_day = "101%"\n', 2, 'from over 0 to "100%"'),
        ('[late]\nper_day = "10%"\ngrace = "2 fortnights"\n', 3, 'write a time in quotes: "30 minutes"'),
        ('[late]\ngrace = "2h"\n', 1, "late takes nothing off"),
        ('[late]\nclosed_after = "1h"\ngrace = "2h"\n', 2, "ends before grace does"),
        ('[late]\nclosed_after = "1h"\nat_most = "50%"\n', 3, "has no effect without per_day"),
        (
            f'{DUE}[extensions.goran]\n{ADAM} = "2026-11-30 23:59"\n',
            6,
            "no later than the due date of the lesson, 2026",
        ),
        (f'{BERLIN}[extensions.goran]\n{ADAM} = "2026-11-30 23:59"\n', 4, f"write lessons.{ADAM}.due."),
        (f'{DUE}[extensions.goran]\n05 = "2026-11-30 23:59"\n', 6, "did you mean 05_weight_penalties?"),
        ('[extensions."<b>"]\n', 1, "so no student has it"),
        ("[extensions]\ngoran = 3\n", 2, "begin one with [extensions.goran]"),
        ("a = [\n", None, "is not TOML"),
        ("[course]\n[course]\n", 2, "is not TOML"),
    ],
)
def test_each_fault_is_told_with_its_line_and_what_to_write(text: str, line: int | None, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    told = str(caught.value)
    assert said in told
    assert told.startswith(f"course.toml, line {line}: " if line else "course.toml")
    assert "\n" not in told


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(f"{BERLIN}wirtten = 1\n[late]\nperday = 3\n[lessons.{ADAM}]\nuse = 0\n")
    assert re.findall(r"line (\d+): (\S+)", str(caught.value)) == [
        ("3", "course.wirtten"),
        ("5", "late.perday"),
        ("7", f"lessons.{ADAM}.use"),
    ]


def test_a_time_that_a_clock_shows_twice_is_the_later_one() -> None:
    found = parse(f'{BERLIN}[lessons.{ADAM}]\ndue = "2026-10-25 02:30"\n')
    assert found.lesson(ADAM).due == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_what_is_no_text_or_no_file_is_said(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    path = tmp_path / "course.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf[course]\r\nwritten_questions = true\r\n")  # as Notepad saves it
    assert read(tmp_path) is not None
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path)


@given(st.text(alphabet=st.sampled_from("[].=\" \n#ax1:-{}'\\\x00é"), max_size=60))
def test_any_text_is_settings_or_an_error_that_names_the_file(text: str) -> None:
    told = ""
    try:
        parse(text)
    except SettingsError as error:
        told = str(error)
    assert all(line.startswith("course.toml") for line in told.split("\n") if told)


def test_the_beginning_settles_nothing_and_with_its_hashes_off_is_in_order() -> None:
    assert parse(template()) == parse("")
    lines = template().split("\n")
    settled = "\n".join(re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines)
    found = parse(settled)
    assert found.late is not None
    assert found.extensions.keys() == {"goran"}
    assert not any(found.lesson(name).used for name in exercises.LESSONS)
    assert list(tomllib.loads(template())["lessons"]) == list(exercises.LESSONS)


def test_the_reference_shows_a_file_that_is_in_order_and_every_key(root: Path) -> None:
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 1
    for example in examples:
        parse(example)
    for key in re.findall(r"^(?:# )?(\w+) = ", template(), re.MULTILINE):
        assert key == ADAM or f"`{key}`" in page, key


# The late rule.


@pytest.mark.parametrize(
    ("hours", "penalty"),
    [(0, 0), (2, 0), (2.01, 2), (24, 2), (24.01, 4), (72, 6), (24 * 6, 10), (24 * 7, 10), (24 * 7.1, 20)],
)
def test_the_late_rule(hours: float, penalty: float) -> None:
    rule = LateRule(timedelta(hours=2), 0.1, 0.5, timedelta(days=7))
    assert rule.penalty(20, hours * 3600) == pytest.approx(penalty)


@given(
    st.floats(0, 100),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.floats(0, 1),
    st.none() | st.integers(0, 10**6),
)
def test_a_penalty_is_never_negative_nor_more_than_the_score_and_grows_with_time(
    score: float, seconds: float, more: float, per_day: float, at_most: float, closed: int | None
) -> None:
    rule = LateRule(timedelta(hours=1), per_day, at_most, None if closed is None else timedelta(seconds=closed))
    first, then = rule.penalty(score, seconds), rule.penalty(score, seconds + more)
    assert 0 <= first <= then <= score


def test_the_rule_in_words() -> None:
    rule = LateRule(timedelta(minutes=90), 0.125, 0.5, timedelta(days=1))
    assert rule.sentence() == (
        "12.5% of the score for each day begun, 50% at most; nothing counts later than 1 day after the due date; "
        "90 minutes late cost nothing"
    )


# In the gradebook.

RULE = """
[course]
timezone = "Europe/Berlin"
[late]
per_day = "25%"
[lessons.90_fixture]
due = "2026-01-01 00:00"
[extensions.goran]
90_fixture = "2026-01-05 00:00"
"""


def hand_in_late(hand_in: HandIn, student: str, when: str, written: str = "It shrinks.") -> None:
    def answer(notebook: object) -> None:
        cell(notebook, "written").source = written  # type: ignore[arg-type]

    path = hand_in(student, submission(RIGHT, edit=answer))
    (path.parent / "timestamp.txt").write_text(when)


def penalties(course: Course) -> dict[str, float | None]:
    with Gradebook(course.db_url) as book:
        return {
            each.student.id: each.notebooks[0].late_submission_penalty
            for each in book.find_assignment(NAME).submissions
        }


def test_grading_goes_by_the_file_and_applying_it_later_comes_to_the_same(course: Course, hand_in: HandIn) -> None:
    for student in ("ada", "goran", "luca"):
        hand_in_late(hand_in, student, "2026-01-02 22:00:00 UTC")  # 1 day and 23 hours late, in Berlin
    hand_in_late(hand_in, "mia", "2025-12-31 22:59:00 UTC")
    grade(course, "ada", "goran", "luca", "mia")
    assert set(penalties(course).values()) == {None}  # without the file nothing is due
    write(course, RULE)
    assert len(settings_apply.apply(course, dry_run=True).changes) == 4
    assert set(penalties(course).values()) == {None}
    applied = settings_apply.apply(course)
    expected = {"ada": 4.0, "goran": None, "luca": 4.0, "mia": None}  # half of 8, the bonus included
    assert penalties(course) == expected
    assert [(change.what, change.before, change.after) for change in applied.changes] == [
        ("due", "none", "2026-01-01 00:00 CET"),
        ("late penalty of ada", "0", "4"),
        ("extension of goran", "none", "4 days"),
        ("late penalty of luca", "0", "4"),
    ]
    assert settings_apply.apply(course) == settings_apply.Applied(absent=applied.absent)
    assert NAME not in applied.absent
    grade(course, "ada", "goran", "luca", "mia")
    assert penalties(course) == expected


def test_an_extension_taken_back_is_gone_and_a_mark_by_hand_counts_in_the_penalty(
    course: Course, hand_in: HandIn
) -> None:
    write(course, RULE)
    hand_in_late(hand_in, "goran", "2026-01-02 22:00:00 UTC")
    grade(course, "goran")
    assert penalties(course) == {"goran": None}
    before = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    write(course, RULE.split("[extensions")[0])
    (note,) = grade_one(before, "goran")[1]
    assert note == "The extension of goran was 4 days in the gradebook and is now none, as course.toml says."
    assert penalties(course) == {"goran": 4}
    with Gradebook(course.db_url) as book:
        book.find_grade("check_scale", NAME, NAME, "goran").manual_score = 0
        book.db.commit()
    settings_apply.apply(course)
    assert penalties(course) == {"goran": 2}


def test_nbgrader_autograde_goes_by_the_file_too(course: Course, hand_in: HandIn) -> None:
    write(course, RULE)
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    assert course.api().generate_assignment(NAME)["success"]
    done = Course(course.root).api().autograde(NAME, "ada")
    assert done["success"], done
    assert penalties(course) == {"ada": 4}
    write(course, "[late]\nperday = 3\n")
    again = Course(course.root).api().autograde(NAME, "ada")
    assert not again["success"]
    assert "late.perday is unknown; did you mean per_day?" in str(again["log"])
    assert "Converting notebook" not in str(again["log"])  # nothing was run


def test_grade_says_what_the_file_changed(course: Course, hand_in: HandIn) -> None:
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    grade(course, "ada")
    write(course, RULE)
    arguments = ["grade", NAME, "--course", str(course.root), "--workers", "1"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert f"By course.toml: {NAME}, late penalty of ada: 0 -> 4." in result.output
    assert result.exit_code == 0


def test_without_a_rule_in_the_file_nbgrader_s_own_holds(course: Course, hand_in: HandIn) -> None:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    write(course, RULE.replace('[late]\nper_day = "25%"\n', ""))
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    grade(Course(course.root), "ada")
    assert penalties(course) == {"ada": 8}


def worth(course: Course) -> tuple[float, float]:
    """The maximum of the written question, and of the lesson."""
    with Gradebook(course.db_url) as book:
        return (
            float(book.find_grade_cell("written", NAME, NAME).max_score),
            float(book.find_notebook(NAME, NAME).max_score),
        )


def test_written_questions_count_what_the_file_says_and_marks_by_hand_survive(course: Course, hand_in: HandIn) -> None:
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    hand_in("bob", submission(RIGHT))  # has not written anything
    grade(course, "ada", "bob")
    assert worth(course) == (2, 8)  # as the source says
    before = (course.root / "solutions" / NAME / f"{NAME}.ipynb").read_bytes()
    write(course, "[course]\nwritten_questions = true\nwritten_points = 5\n")
    assert [change.what for change in settings_apply.apply(course).changes] == ["points of written"]
    assert worth(course) == (5, 11)
    with Gradebook(course.db_url) as book:
        grade_of = book.find_grade("written", NAME, NAME, "ada")
        assert (grade_of.max_score, grade_of.needs_manual_grade) == (5, True)
        assert not book.find_grade("written", NAME, NAME, "bob").needs_manual_grade  # nothing to read: 0
        grade_of.manual_score, grade_of.needs_manual_grade = 4.5, False
        book.db.commit()
    assert course.api().generate_assignment(NAME, force=True)["success"]  # formgrader's button: back to the source's
    assert worth(course) == (2, 8)
    grade(course, "ada", "bob")
    assert worth(course) == (5, 11)
    with Gradebook(course.db_url) as book:
        assert book.find_grade("written", NAME, NAME, "ada").manual_score == 4.5
        assert book.find_submission(NAME, "ada").score == 8 + 4.5
        assert book.find_submission(NAME, "bob").score == 8
    write(course, "[course]\nwritten_questions = true\nwritten_points = 3\n")
    (note,) = settings_apply.apply(course).notes
    assert "ada has 4.5 points for written, which is worth 3." in note
    write(course, "")
    settings_apply.apply(course)
    assert worth(course) == (2, 8)
    assert (course.root / "solutions" / NAME / f"{NAME}.ipynb").read_bytes() == before


def test_what_the_file_does_not_speak_of_stays(course: Course, hand_in: HandIn) -> None:
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    grade(course, "ada")
    with Gradebook(course.db_url) as book:
        book.update_or_create_assignment(NAME, duedate="2026-01-01 00:00:00 UTC")
        book.grant_extension(NAME, "ada", days=1)
    write(course, BERLIN)
    assert settings_apply.apply(course).changes == ()
    grade(course, "ada")
    with Gradebook(course.db_url) as book:
        assert book.find_submission(NAME, "ada").extension == timedelta(days=1)
        assert book.find_assignment(NAME).duedate == datetime(2026, 1, 1)  # nbgrader's times say no zone


def test_a_lesson_is_exported_as_what_it_is_worth(course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    write(course, RULE.replace("due = ", "worth = 20\ndue = "))
    hand_in_late(hand_in, "ada", "2026-01-01 22:00:00 UTC")
    grade(course, "ada")
    path = tmp_path / "marks.json"
    arguments = ["export", "--to", "json", "--output", str(path), "--course", str(course.root)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    content = json.loads(path.read_text())
    assert content["lessons"] == [{"name": NAME, "max_score": 20}]
    mark = content["students"][0]["marks"][NAME]
    # 6 of 8 and 2 as a bonus, a quarter off; 8 points are worth 20
    assert [mark[key] for key in ("automatic", "bonus", "late_penalty", "total")] == [15, 5, 5, 15]


# The command.


def test_the_command_shows_checks_and_applies(course: Course, hand_in: HandIn) -> None:
    place = ("--course", str(course.root))
    code, said = run(*place)
    assert (code, "There is no course.toml here" in said) == (0, True)
    hand_in_late(hand_in, "ada", "2026-01-02 22:00:00 UTC")
    grade(course, "ada")
    write(course, RULE)
    code, said = run(*place)
    assert code == 0
    assert re.search(rf"{NAME}\s+yes\s+2026-01-01 00:00 CET", said)
    assert "25% of the score for each day begun" in said
    assert "Nobody called goran has handed anything in yet" in said
    assert "2 things would change in the gradebook." in said
    code, said = run("--apply", "--dry-run", *place)
    assert (code, "2 things would change" in said) == (0, True)
    assert penalties(course) == {"ada": None}
    code, said = run("--apply", *place)
    assert (code, "2 things changed in the gradebook." in said) == (0, True)
    assert penalties(course) == {"ada": 4}
    code, said = run("--apply", *place)
    assert (code, "The gradebook says the same." in said) == (0, True)
    assert run("--check", *place) == (0, "course.toml is in order.\n")
    write(course, "[late]\nperday = 3\n")
    for arguments in ((), ("--check",), ("--apply",)):
        code, said = run(*arguments, *place)
        assert code == 2
        assert "course.toml, line 2: late.perday is unknown; did you mean per_day?" in said


def test_a_beginning_is_written_once(course: Course) -> None:
    place = ("--course", str(course.root))
    assert run("--init", *place)[0] == 0
    path = course.root / "course.toml"
    assert path.read_text(encoding="utf-8") == template()
    path.write_text(BERLIN)
    code, said = run("--init", *place)
    assert (code, "stays as it is" in said) == (2, True)
    assert path.read_text() == BERLIN
    assert run("--check", "--apply", *place)[0] == 2
    assert run("--dry-run", *place)[0] == 2


def test_grading_stops_before_it_begins_where_the_file_breaks_its_form(course: Course, hand_in: HandIn) -> None:
    hand_in("ada", submission(RIGHT))
    write(course, "[late]\nperday = 3\n")
    result = CliRunner().invoke(app, ["grade", NAME, "--course", str(course.root)], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "late.perday is unknown" in result.output
    assert not (course.root / "autograded").exists()


def test_lessons_in_use(tmp_path: Path) -> None:
    assert used_lessons(tmp_path) == list(exercises.LESSONS)
    (tmp_path / "course.toml").write_text(f"[lessons.{ADAM}]\nuse = false\n")
    assert used_lessons(tmp_path) == [name for name in exercises.LESSONS if name != ADAM]
