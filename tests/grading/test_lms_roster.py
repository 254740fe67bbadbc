"""A roster says who is who: what Canvas, Moodle and registrars write is read, and marks find no wrong owner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograder.cli import app
from autograder.gradebook import Course
from autograder.lms.marks import Learner
from autograder.lms.roster import Matched, match
from autograder.roster import Person, Roster, RosterError, people
from tests.grading.conftest import HandIn
from tests.grading.helpers import RIGHT, submission

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Slopes (71),Final Score\r\n"
    ",,,,,Manual Posting,\r\n"
    "    Points Possible,,,,,9.00,(read only)\r\n"
    '"O\'Brien, Zoë",101,S-1,zoe@example.org,A,7.00,77\r\n'
    '"=""=1+1, Mal""",102,,mal,A,,\r\n'
    '"Student, Test",999,,,A,,\r\n'
)
MOODLE = (
    "First name,Last name,ID number,Email address,Assignment: 01 (Real),Last downloaded from this course\n"
    "Zoë,O'Brien,S-1,zoe@example.org,-,1700000000\nMal,=1+1,S-2,mal@example.org,7.00,1700000000\n"
)
NBGRADER = "id,first_name,last_name,email,lms_user_id\nzoe,Zoë,O'Brien,zoe@example.org,101\nnew,New,Comer,,\n"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return path


def ids(done: Matched) -> dict[str, int]:
    return {each.student: each.person.line for each in done.matches}


def refused(done: Matched) -> dict[int, str]:
    return {person.line: why for person, why in done.refused}


def test_canvas_s_export_is_read(tmp_path: Path) -> None:
    zoe, mal, test = people(write(tmp_path, CANVAS))
    assert (zoe.last_name, zoe.first_name, zoe.lms_user_id) == ("O'Brien", "Zoë", "101")
    assert zoe.logins == ("zoe@example.org", "S-1", "101")
    assert (mal.last_name, mal.first_name, mal.line) == ("=1+1", "Mal", 5)
    assert test.shown == "Student, Test"
    (split,) = people(write(tmp_path, "LastName,FirstName,ID,SIS Login ID,Section\nO'Brien,Zoë,101,zoe,A\n"))
    assert (split.last_name, split.first_name, split.lms_user_id) == ("O'Brien", "Zoë", "101")


def test_moodle_s_downloads_are_read(tmp_path: Path) -> None:
    zoe, mal = people(write(tmp_path, MOODLE))
    assert (zoe.first_name, zoe.last_name, zoe.email, zoe.lms_user_id) == ("Zoë", "O'Brien", "zoe@example.org", "S-1")
    assert mal.last_name == "=1+1"
    (old,) = people(write(tmp_path, '"First name",Surname,Username,"Email address"\nZoë,O\'Brien,zo,z@x.org\n'))
    assert (old.last_name, old.logins) == ("O'Brien", ("zo", "z@x.org"))
    (sheet,) = people(
        write(tmp_path, "Identifier,Full name,Email address,Status\nParticipant 7,Zoë O'Brien,z@x.org,-\n")
    )
    assert (sheet.first_name, sheet.last_name) == ("Zoë", "O'Brien")


@pytest.mark.parametrize("text", [CANVAS, MOODLE, NBGRADER], ids=["canvas", "moodle", "nbgrader"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_whatever_code_and_separator_a_spreadsheet_saves(tmp_path: Path, text: str, encoding: str) -> None:
    import csv
    import io

    plain = [(p.first_name, p.last_name, p.email, p.lms_user_id, p.logins) for p in people(write(tmp_path, text))]
    assert plain[0][:2] == ("Zoë", "O'Brien")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    for separator in ",;\t":
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=separator).writerows(rows)
        found = people(write(tmp_path, out.getvalue(), encoding))
        assert [(p.first_name, p.last_name, p.email, p.lms_user_id, p.logins) for p in found] == plain


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no roster that is known"),
        (b"Vorname,Nachname\nZoe,B\n", "its first line is 'Vorname,Nachname'"),
        (b"id,email\n\x81\x8d,x\n", "in no known code"),
        (b'id,email\n"a,b\n', "cannot be read"),
        (b"id\n" + b"x\n" * 50_001, "more than 50,000 lines"),
        (b"x" * 10_000_001, "larger than 10 MB"),
    ],
)
def test_what_is_no_roster_says_what_to_do(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(data)
    with pytest.raises(RosterError, match=sentence):
        people(path)
    with pytest.raises(RosterError, match="cannot be read"):
        people(tmp_path / "nowhere.csv")


def test_collect_s_roster_reads_them_too_where_they_have_ids(tmp_path: Path) -> None:
    path = write(tmp_path, NBGRADER.replace(",", ";"), "cp1252")
    assert Roster(path).ids("O'Brien Zoë") == {"zoe"}
    with pytest.raises(RosterError, match="column `id` names students' folders"):
        Roster(write(tmp_path, MOODLE))


def test_people_are_found_by_the_surest_thing_that_is_known() -> None:
    crowd = [
        Person(2, "", "Ada", "Lovelace", "ada@x.org", "1", ("alove",)),
        Person(3, "", "Bob", "Ray", "bob@x.org", "2", ("BRAY",)),
        Person(4, "", "Cy", "Young", "cy@x.org", "3"),
        Person(5, "", "Zoë", "O'Brien", "", "4"),
        Person(6, "", "Dee", "Dee", "dee@x.org", "5"),
        Person(7, "eve", "Eve", "Eden"),
        Person(8, "", "No", "Body", "no@x.org", "9"),
    ]
    known = {"d77": Learner("d77", email="DEE@x.org"), "old": Learner("old")}
    done = match(crowd, ["ada-lovelace", "bray", "cy", "obrienzoe"], known)
    assert ids(done) == {"ada-lovelace": 2, "bray": 3, "cy": 4, "obrienzoe": 5, "d77": 6, "eve": 7}
    assert {each.student: each.state for each in done.matches}["d77"] == "changed"
    assert [person.line for person in done.absent] == [8]
    assert done.unnamed == {"old": "is not in it"}


def test_whoever_takes_another_one_s_name_gets_nothing_of_theirs() -> None:
    bob = Person(2, "", "Bob", "Ray", "bob@x.org", "1", ("bob",))
    thief = Person(3, "", "Bob", "", "thief@x.org", "2", ("thief",))
    done = match([bob, thief], ["bob"], {})
    assert ids(done) == {"bob": 2}
    assert "called like bob" in refused(done)[3]
    two = match([Person(2, "", "Ada", "L", "a@x.org", "1"), Person(3, "", "Ada", "L", "b@x.org", "2")], ["ada-l"], {})
    assert ids(two) == {}
    assert set(refused(two)) == {2, 3}
    assert "more than one" in two.unnamed["ada-l"]
    several = match([Person(2, "", "Jo", "Do", "", "1")], ["jo-do", "dojo"], {})
    assert "fits dojo and jo-do" in refused(several)[2]
    same = match([Person(2, "a", lms_user_id="7"), Person(3, "b", lms_user_id="7")], [], {})
    assert (ids(same), set(refused(same))) == ({}, {2, 3})
    absent = match([Person(2, "a", lms_user_id="7"), Person(3, last_name="Else", lms_user_id="7")], [], {})
    assert (ids(absent), set(refused(absent))) == ({}, {2, 3})
    taken = match([Person(2, "a", lms_user_id="7")], [], {"b": Learner("b", lms_user_id="7")})
    assert (ids(taken), refused(taken)) == ({}, {2: "b has its lms_user_id already"})


def test_two_students_may_change_their_ids_with_each_other() -> None:
    known = {"a": Learner("a", lms_user_id="1"), "b": Learner("b", lms_user_id="2")}
    done = match([Person(2, "a", lms_user_id="2"), Person(3, "b", lms_user_id="1")], [], known)
    assert ids(done) == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        (Person(2, "../x"), "holds one of"),
        (Person(2, "ok", "n" * 129), "longer than 128"),
        (Person(2, "ok", email="a\u202e@x"), "cannot be seen"),
    ],
)
def test_what_the_gradebook_cannot_hold_is_refused(person: Person, sentence: str) -> None:
    done = match([person], [], {})
    assert sentence in refused(done)[2]


WORDS = st.text(st.sampled_from("ab-'É "), max_size=3)


@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS), max_size=6),
    st.lists(WORDS.filter(str.strip), max_size=4),
    st.dictionaries(WORDS.filter(str.strip), st.tuples(WORDS, WORDS), max_size=4),
)
def test_everybody_has_one_outcome_and_no_account_two_owners(
    crowd: list[Any], folders: list[str], known: dict[str, tuple[str, str]]
) -> None:
    everybody = [Person(place, *words, logins=(words[2],)) for place, words in enumerate(crowd, start=2)]
    before = {student: Learner(student, email=email, lms_user_id=number) for student, (email, number) in known.items()}
    done = match(everybody, folders, before)
    lines = (
        [each.person.line for each in done.matches] + [p.line for p, _ in done.refused] + [p.line for p in done.absent]
    )
    assert sorted(lines) == [person.line for person in everybody]
    named = [each.student for each in done.matches]
    assert len(named) == len(set(named))
    assert {*named, *done.unnamed} >= {*folders, *known}
    after = {student: learner.lms_user_id for student, learner in before.items()}
    after |= {each.student: each.person.lms_user_id for each in done.matches if each.person.lms_user_id}
    for each in done.matches:
        if each.person.lms_user_id:
            assert list(after.values()).count(each.person.lms_user_id) == 1


def test_the_command_writes_them_into_the_gradebook(course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    for student in ("zoe", "mal-1", "nobody-knows"):
        hand_in(student, submission(RIGHT))
    path = write(tmp_path, CANVAS.replace("102,,mal,", "102,,mal-1,"), "utf-16")

    def run(*more: str) -> Any:
        words = ["roster", str(path), *more, "--course", str(course.root)]
        return CliRunner().invoke(app, words, env={"COLUMNS": "300"})

    dry = run("--dry-run")
    assert dry.exit_code == 1, dry.output
    assert (
        "Nothing is written. Of 3 lines 2 are students here (2 new), 1 are not here, 0 are refused; 1 stud"
        in dry.output
    )
    with Gradebook(course.db_url) as book:
        assert book.students == []
    done = run()
    assert "zoe: new, line 4 by a login or address: first_name Zoë, last_name O'Brien, lms_user_id 101" in done.output
    assert "not here: line 6, Student, Test" in done.output
    assert "not found: nobody-knows is not in it" in done.output
    with Gradebook(course.db_url) as book:
        assert {s.id: (s.first_name, s.last_name, s.lms_user_id) for s in book.students} == {
            "zoe": ("Zoë", "O'Brien", "101"), "mal-1": ("Mal", "=1+1", "102"),
        }  # fmt: skip
    assert "(2 unchanged)" in run().output
    write(tmp_path, "id,email\nzoe,zoe@example.org\nmal-1,\nnobody-knows,n@x.org\n")
    done = run()
    assert done.exit_code == 0, done.output
    assert "zoe: changed, line 2 by its id: email zoe@example.org" in done.output
    with Gradebook(course.db_url) as book:
        assert book.find_student("zoe").lms_user_id == "101"  # what is empty or missing stays
    path.write_text("x")
    assert run().exit_code == 2
