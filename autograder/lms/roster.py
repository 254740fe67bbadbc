"""Bringing a roster in: who in it is which student here, and their names, addresses and ids into the gradebook.

A student here is a folder of submitted/ or a student of the gradebook. Whom a line of the roster means is decided by
the first of these that fits anybody: nbgrader's own id; an id or address that the gradebook holds already; a login or
address that names the folder; the name. Learners choose their names in many systems: so a name never wins against an
id, and whatever fits two is refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nbgrader.api import Gradebook, Student
from sqlalchemy import select

from autograder.intake import shown_name, unfit
from autograder.lms.marks import Learner
from autograder.roster import MAX_LENGTH, Person, logins_of, plain

_FIELDS = ("first_name", "last_name", "email", "lms_user_id")
_WAYS = ("its id", "what the gradebook knows", "a login or address", "the name")


@dataclass(frozen=True)
class Match:
    """A student and the person of the roster that it is.

    Attributes:
        student: nbgrader's id.
        person: whom the roster says it is.
        way: by what it was found, a place in a list from the surest on.
        state: "new", "changed" or "unchanged".
        changes: of the gradebook: what a field was and will be.
    """

    student: str
    person: Person
    way: int
    state: str = "unchanged"
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def found_by(self) -> str:
        """The way in words."""
        return _WAYS[self.way]


@dataclass(frozen=True)
class Matched:
    """What came of a roster: every person and every student here is in exactly one of these.

    Attributes:
        matches: by student.
        refused: persons of the roster, and why nothing is written of them.
        absent: persons of whom nothing is here.
        unnamed: students here of whom the roster says nothing, and why.
    """

    matches: Sequence[Match]
    refused: Sequence[tuple[Person, str]]
    absent: Sequence[Person]
    unnamed: Mapping[str, str]


def match(people: Sequence[Person], folders: Iterable[str], known: Mapping[str, Learner]) -> Matched:
    """Find whom each person of a roster is.

    Args:
        people: of the roster.
        folders: names in submitted/.
        known: the gradebook's students, by id.
    """
    here = sorted({*folders, *known})
    by_key = [_index(here, known, way) for way in range(len(_WAYS))]
    twice = _said_twice(people)
    claims: dict[str, list[tuple[int, Person]]] = defaultdict(list)
    refused: list[tuple[Person, str]] = []
    absent: list[Person] = []
    for person in people:
        if reason := twice.get(person.line) or _unusable(person):
            refused.append((person, reason))
            continue
        way, found = _whose(person, by_key)
        if len(found) == 1:
            claims[found.pop()].append((way, person))
        elif found:
            names = " and ".join(map(shown_name, sorted(found)))
            refused.append((person, f"fits {names} by {_WAYS[way]}; say which in a column `id`"))
        else:
            absent.append(person)
    matches = []
    for student, claimed in claims.items():
        surest = min(way for way, _ in claimed)
        winners = [person for way, person in claimed if way == surest]
        others = [person for way, person in claimed if way > surest or len(winners) > 1]
        if len(winners) == 1:
            matches.append(_compared(Match(student, winners[0], surest), known.get(student)))
            why = f"is called like {shown_name(student)}, who is line {winners[0].line} by {_WAYS[surest]}"
        else:
            lines = " and ".join(f"line {person.line}" for person in winners)
            why = f"{lines} fit {shown_name(student)} alike, by {_WAYS[surest]}; say which in a column `id`"
        refused += [(person, why) for person in others]
    matches, again = _of_one_account(matches, known)
    refused += again
    named = {each.student for each in matches}
    disputed = {student for student in claims if student not in named}
    unnamed = {
        student: "more than one line fits, or the one that fits is refused" if student in disputed else "is not in it"
        for student in here
        if student not in named
    }
    ordered = sorted(matches, key=lambda each: each.student)
    return Matched(ordered, sorted(refused, key=lambda each: each[0].line), absent, unnamed)


def _index(here: Sequence[str], known: Mapping[str, Learner], way: int) -> dict[str, set[str]]:
    """Students by what they may be found with, in one of the ways."""
    found: dict[str, set[str]] = defaultdict(set)
    for student in here:
        learner = known.get(student, Learner(student))
        keys = (
            (student,),
            (f"id {learner.lms_user_id}", f"at {learner.email.casefold()}"),
            (student.casefold(),),
            (plain(student),),
        )[way]
        for key in keys:
            if key not in ("id ", "at ", ""):
                found[key].add(student)
    return found


def _whose(person: Person, by_key: Sequence[Mapping[str, set[str]]]) -> tuple[int, set[str]]:
    """By which way a person is found, and who it is; an empty set where nobody is."""
    if person.id:  # it is the student's id, whether or not anything is here
        return 0, {person.id}
    asked: list[tuple[int, Iterable[str]]] = [
        (1, (f"id {person.lms_user_id}", f"at {person.email.casefold()}")),
        (2, (key.casefold() for key in logins_of(person))),
        (3, map(plain, person.names)),
    ]
    for way, keys in asked:
        found = set().union(*(by_key[way].get(key, set()) for key in keys if key not in ("id ", "at ", "")))
        if found:
            return way, found
    return len(_WAYS), set()


def _said_twice(people: Sequence[Person]) -> dict[int, str]:
    """Why lines are refused that share an id with another line: marks would go to the wrong one."""
    reasons: dict[int, str] = {}
    for name in ("id", "lms_user_id", "email"):
        count = Counter(getattr(person, name).casefold() for person in people)
        for person in people:
            value = getattr(person, name)
            if value and count[value.casefold()] > 1:
                reasons[person.line] = f"another line has the {name} {shown_name(value)} too"
    return reasons


def _unusable(person: Person) -> str:
    for name in ("id", *_FIELDS):
        value = getattr(person, name)
        if len(value) > MAX_LENGTH:
            return f"its {name} is longer than {MAX_LENGTH} characters"
        if name not in ("first_name", "last_name") and not value.isprintable():
            return f"its {name} holds characters that cannot be seen"
    if person.id and (problem := unfit(person.id)):
        return f"its id is one {problem}"
    return ""


def _compared(found: Match, learner: Learner | None) -> Match:
    """What writing it changes; what the roster does not say stays."""
    before = learner or Learner(found.student)
    said = {name: (getattr(before, name), getattr(found.person, name)) for name in _FIELDS}
    changes = {name: both for name, both in said.items() if both[1] and both[0] != both[1]}
    state = "new" if learner is None or not any(old for old, _ in said.values()) else "changed"
    return replace(found, state=state if changes or learner is None else "unchanged", changes=changes)


def _of_one_account(
    matches: Sequence[Match], known: Mapping[str, Learner]
) -> tuple[list[Match], list[tuple[Person, str]]]:
    """Refuse what would give two students one account."""
    left, refused = list(matches), []
    for name in ("lms_user_id", "email"):
        after = {student: getattr(learner, name) for student, learner in known.items()}
        after |= {each.student: getattr(each.person, name) or after.get(each.student, "") for each in left}
        holders = defaultdict(list)
        for student, value in after.items():
            holders[value.casefold()].append(student)
        for each in list(left):
            others = [o for o in holders[getattr(each.person, name).casefold()] if o != each.student]
            if getattr(each.person, name) and others:
                left.remove(each)
                refused.append((each.person, f"{shown_name(others[0])} has its {name} already"))
    return left, refused


def learners(book: Gradebook) -> dict[str, Learner]:
    """The gradebook's students by id."""
    columns = (Student.id, *(getattr(Student, name) for name in _FIELDS))
    rows = book.db.execute(select(*columns))
    return {row[0]: Learner(*(str(value or "") for value in row)) for row in rows}


def write(book: Gradebook, matches: Sequence[Match]) -> None:
    """Write what changes, all of it or nothing."""
    try:
        for each in matches:
            student = book.db.get(Student, each.student)
            if student is None:
                student = Student(id=each.student)
                book.db.add(student)
            for name, (_, value) in each.changes.items():
                setattr(student, name, value)
        book.db.commit()
    except BaseException:
        book.db.rollback()
        raise
