"""Canvas's gradebook import: the columns of its own export, and below them a row with the points that are possible.

Facts from Canvas's source (https://github.com/instructure/canvas-lms, lib/gradebook_importer.rb and
gradebook_exporter.rb) and its guides (https://community.canvaslms.com, "How do I import grades in the Gradebook?"):

- The columns Student, ID, SIS User ID, SIS Login ID and Section come first, in this order, then one an assignment.
- A student is found by ID, Canvas's own number; else by SIS User ID, by SIS Login ID, and only then by the name.
- A column `Title (1234)` is the assignment of that number; one without a number is the assignment of that title, and
  where there is none Canvas offers to make it.
- A row whose first cell contains "Points Possible" is no student's but says what each assignment is worth.
- An empty cell is no mark. Commas and semicolons are told apart by the first three lines, so no cell may hold a line
  break. A cell of digits, points and commas is read as a number, ids included.
- Canvas shows what will change before it changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from autograder.lms.cells import Exported, as_text, number, table
from autograder.lms.identifiers import ExportError, Identifier, chosen, headings, told_apart
from autograder.lms.marks import MarkTable

_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_POINTS = "Points Possible"
_COMPUTED = re.compile("(Current|Final|Override) (Score|Points|Grade|Status)")


def _no_number(value: str) -> str:
    return "" if value.isascii() and value.isdigit() and len(value) < 20 else "Canvas's ID is a number"


def _read_as_number(value: str) -> str:
    like_one = re.fullmatch(r"-?[0-9.,]+%?", value) and not value.isdigit()
    return "Canvas reads it as a decimal number and changes it" if like_one else ""


IDENTIFIERS = {
    "id": Identifier("ID", "lms_user_id", _no_number),
    "sis-user-id": Identifier("SIS User ID", "lms_user_id", _read_as_number),
    "sis-login-id": Identifier("SIS Login ID", "id", _read_as_number),
}
"""By what a student may be found; nbgrader's own id is often the login."""


def export(marks: MarkTable, identifier: str = "", columns: Mapping[str, str] | None = None) -> Exported:
    """Write the marks as Canvas imports them.

    The name stands there for the reader alone. One that would run as a formula gets an apostrophe; an identifier that
    would is never changed: its student is left out, and named.

    Args:
        marks: of the class.
        identifier: one of :data:`IDENTIFIERS`; the first when empty.
        columns: headings of lessons whose assignment is called otherwise in Canvas: "Adam and friends (1234)".

    Raises:
        ExportError: for an identifier or a heading that Canvas would not read.
    """
    by = chosen(IDENTIFIERS, identifier)
    named = headings(marks, columns or {})
    for heading in named.values():
        if heading in _COLUMNS or _COMPUTED.search(heading):
            raise ExportError(f"{heading!r} is a column of Canvas's own; it would not be read as an assignment.")
    rows, left, without = told_apart(marks, by)
    content = [[*_COLUMNS, *named.values()]]
    content.append([f"    {_POINTS}", *[""] * (len(_COLUMNS) - 1), *map(number, marks.max_scores.values())])
    for learner, value in rows:
        name = as_text(learner.name).replace(_POINTS, _POINTS.replace(" ", "-"))
        found = ["" if mark is None else number(mark.total) for mark in marks.of(learner).values()]
        content.append([name, *(value if column == by.heading else "" for column in _COLUMNS[1:]), *found])
    return Exported(table(content), len(rows), left, without)
