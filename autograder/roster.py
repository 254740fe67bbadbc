"""Rosters: who is who, in the tables that Canvas, Moodle, nbgrader and a registrar's spreadsheet give.

Three forms are told apart by their headings:

- nbgrader's own, which `nbgrader db student import` reads: id, first_name, last_name, email, lms_user_id;
- Canvas's gradebook export (Grades, Export): Student, ID, SIS User ID, SIS Login ID, Section, then assignments; below
  the heading a row "Points Possible" (https://community.canvaslms.com, "How do I export grades in the Gradebook?");
- Moodle's downloads, in English: First name, Last name (Surname before Moodle 4), Username, ID number, Email address,
  from Participants and from Grades, Export (https://docs.moodle.org/en/Grade_export).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.files import read_plain
from autograder.intake import shown_name, unfit

MAX_BYTES = 10_000_000
MAX_ROWS = 50_000
MAX_LENGTH = 128
"""Characters of a name, an address or an id: what nbgrader's gradebook holds."""
_SEPARATORS = ",;\t"
_FORMS = {  # by the headings that each must have; Canvas has a column ID too, so nbgrader's comes last
    "canvas": ({"student", "id", "section"}, {"lastname", "firstname", "id", "section"}),
    "moodle": ({"first name", "last name"}, {"first name", "surname"}, {"full name", "email address"}),
    "nbgrader": ({"id"},),
}
_FORMULA_OF_CANVAS = re.compile(r'="(.*)"', re.DOTALL)

Row = Mapping[str, str]


class RosterError(ValueError):
    """A roster that cannot be used as a whole; the message says what to do."""


@dataclass(frozen=True)
class Person:
    """A line of a roster; what it does not say is "".

    Attributes:
        line: of the file, from 1; the heading is line 1.
        id: nbgrader's, which names the folder in submitted/; only where the file says it.
        first_name, last_name, email: as in the file.
        lms_user_id: Canvas's ID, Moodle's ID number.
        logins: what may name the folder all the same: user names and ids of other systems.
    """

    line: int
    id: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""
    logins: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name in both orders."""
        first, last = self.first_name, self.last_name
        return (f"{first} {last}", f"{last} {first}") if first or last else ()

    @property
    def shown(self) -> str:
        """Whom it is about, for a message."""
        return shown_name(", ".join(filter(None, (self.last_name, self.first_name))) or self.id or self.email)


def plain(key: str) -> str:
    """A name as it is compared: Canvas writes `O'Brien, Zoë` as `obrienzoe`."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", key) if not unicodedata.combining(c))
    return "".join(c for c in bare.casefold() if c.isalnum() or c == "@")


def people(path: Path) -> list[Person]:
    """Everybody in a roster.

    Raises:
        RosterError: when it cannot be read or is none of the forms that are known.
    """
    form, rows = _table(path)
    read = {"nbgrader": _from_nbgrader, "canvas": _from_canvas, "moodle": _from_moodle}[form]
    return [person for line, row in rows if (person := read(line, row)) is not None]


class Roster:
    """Who is who by nbgrader's id: the column `id` must be there; any other column of nbgrader's may be missing."""

    def __init__(self, path: Path) -> None:
        """Read the roster.

        Raises:
            RosterError: when it cannot be read or has a line without an id that can name a folder.
        """
        self._by_key: dict[str, set[str]] = {}
        form, rows = _table(path)
        for line, row in rows:
            person = _from_nbgrader(line, row) if form == "nbgrader" else Person(line)
            if problem := unfit(person.id):
                raise RosterError(
                    f"{path} has the id {shown_name(person.id)!r}, {problem}. The column `id` names students' folders."
                )
            for key in (person.id, person.email, person.lms_user_id, *person.names):
                if plain(key):
                    self._by_key.setdefault(plain(key), set()).add(person.id)

    def ids(self, *keys: str) -> set[str]:
        """The ids of whom one of the keys names; the first key that names anybody counts."""
        return next((found for key in keys if key and (found := self._by_key.get(plain(key)))), set())


def _table(path: Path) -> tuple[str, list[tuple[int, Row]]]:
    """The form of a roster, and its lines by heading (small letters), with their numbers."""
    try:
        data = read_plain(path, MAX_BYTES + 1)
    except OSError as error:
        raise RosterError(f"{path} cannot be read as a roster ({error}).") from None
    if len(data) > MAX_BYTES:
        raise RosterError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB, which no roster is.")
    text = _decoded(path, data)
    try:
        found = _split(path, text)
    except csv.Error as error:
        raise RosterError(f"{path} cannot be read as a roster ({error}); save it as CSV.") from None
    if found is None:
        heading = shown_name(text.strip().splitlines()[0]) if text.strip() else "nothing"
        raise RosterError(
            f"{path} is no roster that is known: its first line is {heading!r}. Known are nbgrader's columns (id, "
            "first_name, last_name, email, lms_user_id), Canvas's gradebook export (Student, ID, Section), and "
            "Moodle's downloads in English (First name, Last name, Email address)."
        )
    return found


def _decoded(path: Path, data: bytes) -> str:
    """The text, in whichever way a spreadsheet or an LMS has written it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:200]:  # UTF-16 without its mark: every other byte of a heading is 0
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RosterError(f"{path} cannot be read as a roster (its letters are in no known code); save it as CSV in UTF-8.")


def _split(path: Path, text: str) -> tuple[str, list[tuple[int, Row]]] | None:
    """Take the text apart at the separator that makes a known heading of its first line."""
    for separator in _SEPARATORS:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            headings = [heading.strip().lower() for heading in next(lines, [])]
        except csv.Error:
            continue
        form = next((form for form, asked in _FORMS.items() if any(each <= set(headings) for each in asked)), None)
        if form is None:
            continue
        rows: list[tuple[int, Row]] = []
        for cells in lines:
            if len(rows) >= MAX_ROWS:
                raise RosterError(f"{path} has more than {MAX_ROWS:,} lines, which no roster has.")
            if any(cell.strip() for cell in cells):
                # Of two columns with one heading the first counts.
                known = dict(reversed(list(zip(headings, (_clean(cell) for cell in cells), strict=False))))
                rows.append((lines.line_num, known))
        return form, rows
    return None


def _clean(cell: str) -> str:
    """A cell without control characters, its spaces made single ones, its accents one with their letters (NFC)."""
    whole = unicodedata.normalize("NFC", cell)
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in whole).split())


def _from_nbgrader(line: int, row: Row) -> Person:
    first, last, email = row.get("first_name", ""), row.get("last_name", ""), row.get("email", "")
    return Person(line, row.get("id", ""), first, last, email, row.get("lms_user_id", ""))


def _from_canvas(line: int, row: Row) -> Person | None:
    number = row.get("id", "")
    if not number:  # "Points Possible", and the row that says which marks are hidden
        return None
    last, first = row.get("lastname", ""), row.get("firstname", "")
    if "student" in row:
        last, _, first = _as_typed(row["student"]).partition(", ")
    logins = tuple(filter(None, (row.get("sis login id", ""), row.get("sis user id", ""), number)))
    return Person(line, "", _as_typed(first), _as_typed(last), "", number, logins)


def _as_typed(name: str) -> str:
    """Canvas writes a name that begins with = as a formula that shows it."""
    found = _FORMULA_OF_CANVAS.fullmatch(name)
    return found[1] if found else name


def _from_moodle(line: int, row: Row) -> Person:
    first, last = row.get("first name", ""), row.get("last name", "") or row.get("surname", "")
    if not (first or last):
        first, _, last = row.get("full name", "").rpartition(" ")
    email, number, user = row.get("email address", ""), row.get("id number", ""), row.get("username", "")
    return Person(line, "", first, last, email, number, tuple(filter(None, (user, number, email))))


def logins_of(person: Person) -> Iterator[str]:
    """What may name the person's folder besides the name: logins, and addresses without what stands after the @."""
    keys = (*person.logins, person.email)
    yield from filter(None, keys)
    yield from (key.partition("@")[0] for key in keys if "@" in key)
