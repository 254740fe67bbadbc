"""Canvas's and Moodle's grade imports as their sources say they read a file (the addresses are in autograder/lms/)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Course:
    """What a system knows: its users, by number, with the fields by which it finds them, and its assignments."""

    users: Mapping[int, Mapping[str, str]]
    assignments: Mapping[int, str] = field(default_factory=dict)


@dataclass
class Imported:
    """What a system took from a file.

    Attributes:
        marks: by user and column; None is no mark.
        points: what a column is worth.
        strangers: names of whom the system does not know.
    """

    marks: dict[int, dict[str, float | None]]
    points: dict[str, float] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


class ImportRefusedError(ValueError):
    """The system takes nothing of the file."""


def canvas(text: str, course: Course) -> Imported:
    """Read a file as GradebookImporter does."""
    separator = _separator_of_canvas(text)
    lines = [line for line in text.splitlines(keepends=True) if not re.fullmatch(r"[;, ]+\r?\n?", line)]
    rows = [
        [_as_number(cell) for cell in row]
        for row in csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator, strict=True)
    ]
    heading = rows[0]
    if not (len(heading) > 3 and "Student" in heading[0] and "ID" in heading[1]):
        raise ImportRefusedError("Invalid header row")
    known = 3
    sis, login = None, None
    if re.search(r"SIS\s+Login\s+ID", heading[2]):
        login, known = 2, 4
    elif re.search(r"SIS\s+User\s+ID", heading[2]) and re.search(r"SIS\s+Login\s+ID", heading[3]):
        sis, login, known = 2, 3, 5
    if "Section" not in heading[known - 1]:
        raise ImportRefusedError("Invalid header row")
    columns = {place: _assignment(title, course) for place, title in enumerate(heading) if place >= known}
    found = Imported({})
    for row in rows[1:]:
        if "Points Possible" in row[0]:
            found.points = {title: float(row[place]) for place, title in columns.items() if row[place]}
            continue
        if all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.IGNORECASE) for cell in row if cell):
            continue
        user = _user_of_canvas(row, sis, login, course)
        if user is None:
            found.strangers.append(row[0])
            continue
        marks = {title: row[place].strip() for place, title in columns.items()}
        found.marks[user] = {title: float(mark) if mark else None for title, mark in marks.items()}
    return found


def _separator_of_canvas(text: str) -> str:
    first = text.split("\n")[:3]
    counts = {}
    for separator in ";,":
        try:
            fields = {
                len(next(csv.reader([line.rstrip("\r")], delimiter=separator, strict=True), [])) for line in first
            }
        except csv.Error:
            fields = set()
        counts[separator] = fields.pop() if len(fields) == 1 else 0
    return ";" if counts[";"] > counts[","] else ","


def _as_number(cell: str) -> str:
    if not re.fullmatch(r"-?[0-9.,]+%?", cell):
        return cell
    *whole, last = re.split(r"[,.]", cell)
    return f"{''.join(whole)}.{last}" if whole else last


def _assignment(title: str, course: Course) -> str:
    numbered = re.fullmatch(r"(.*)\s\((\d+)\)", title)
    if numbered and int(numbered[2]) in course.assignments:
        return course.assignments[int(numbered[2])]
    return title


def _user_of_canvas(row: list[str], sis: int | None, login: int | None, course: Course) -> int | None:
    number = re.match(r"\s*(\d+)", row[1])
    if number and int(number[1]) in course.users:
        return int(number[1])
    for place, key in ((sis, "sis user id"), (login, "sis login id")):
        for user, fields in course.users.items():
            if place is not None and row[place] and fields.get(key) == row[place]:
                return user
    return next((user for user, fields in course.users.items() if row[0] and fields.get("name") == row[0]), None)


def moodle(text: str, course: Course, map_from: str, map_to: str, *, new_items: bool) -> Imported:
    """Read a file as gradeimport_csv does, with a column mapped to a field of the users."""
    rows = list(_fgetcsv(text.lstrip("\ufeff").replace("\r\n", "\n").strip()))
    heading = [cell.strip() for cell in rows[0]]
    if any(len(row) != len(heading) for row in rows):
        raise ImportRefusedError("csvweirdcolumns")
    ignored = {"First name", "Last name", map_from}
    found = Imported({})
    user: int | None = None  # it outlives the row
    for row in rows[1:]:
        cells = dict(zip(heading, (cell.strip() for cell in row), strict=True))
        if cells[map_from]:
            fitting = [number for number, fields in course.users.items() if fields.get(map_to) == cells[map_from]]
            if len(fitting) != 1:
                raise ImportRefusedError(f"usermappingerror: {cells[map_from]}")
            user = fitting[0]
        if user is None:
            raise ImportRefusedError("usermappingerrorusernotfound")
        marks = {title: _mark_of_moodle(cell, new_items) for title, cell in cells.items() if title not in ignored}
        if any(mark is not None and mark > 100 for mark in marks.values()):
            raise ImportRefusedError("gradevaluetoobig")
        found.marks[user] = {**found.marks.get(user, {}), **marks}
    return found


def _mark_of_moodle(cell: str, new_item: bool) -> float | None:
    if cell == "-":
        return None
    if cell == "":
        return 0.0 if new_item else None  # its database layer makes a number of what is empty
    return float(cell)


def _fgetcsv(text: str) -> Iterator[list[str]]:
    """PHP's fgetcsv: within quotes a backslash keeps the next quotation mark from ending the cell."""
    row, cell, place, quoted = [], "", 0, False
    while place < len(text):
        c = text[place]
        if quoted and c == "\\" and text[place + 1 : place + 2] == '"':
            cell += '\\"'
            place += 1
        elif quoted and c == '"' and text[place + 1 : place + 2] == '"':
            cell += '"'
            place += 1
        elif c == '"' and (quoted or not cell):
            quoted = not quoted
        elif not quoted and c in ",\n":
            row.append(cell)
            cell = ""
            if c == "\n":
                yield row
                row = []
        else:
            cell += c
        place += 1
    yield [*row, cell]
