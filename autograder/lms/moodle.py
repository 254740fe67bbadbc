"""Moodle's grade import: one column by which students are found, and one a grade item.

Facts from Moodle's manual (https://docs.moodle.org/en/Grade_import) and source (https://github.com/moodle/moodle,
grade/import/csv/classes/load_data.php and lib/csvlib.class.php):

- Which column is which is chosen on the page after the upload: "Map from" a column "to" the user's e-mail address, ID
  number or user name, compared letter by letter; and each other column to a grade item, or to a new one.
- One row whose student is not found stops the whole import. A row without an identifier is given to the student of the
  row before.
- "-" is no mark, as in Moodle's own export. An empty cell is none either for an item that exists, but 0 for a new one.
- A decimal point is read in every language. A mark above 100 stops the import, and one above the item's maximum is cut
  down to it, unless the site allows "unlimited grades".
- A backslash before a quotation mark is read as PHP does, so no cell may hold one.
"""

from __future__ import annotations

from collections.abc import Mapping

from autograder.lms.cells import Exported, as_text, number, table
from autograder.lms.identifiers import ExportError, Identifier, chosen, headings, told_apart
from autograder.lms.marks import MarkTable

NO_MARK = "-"
_MOST = 100.0
_NAMES = ("First name", "Last name")


def _backslash(value: str) -> str:
    return "Moodle would misread its backslash" if "\\" in value else ""


def _no_address(value: str) -> str:
    return _backslash(value) or ("" if "@" in value else "it is no e-mail address")


IDENTIFIERS = {
    "email": Identifier("Email address", "email", _no_address),
    "id-number": Identifier("ID number", "lms_user_id", _backslash),
    "username": Identifier("Username", "id", _backslash),
}
"""By what a student may be found; nbgrader's own id is often the user name."""


def export(marks: MarkTable, identifier: str = "", columns: Mapping[str, str] | None = None) -> Exported:
    """Write the marks as Moodle imports them.

    The names stand there for the reader alone. One that would run as a formula gets an apostrophe; an identifier that
    would is never changed: its student is left out, and named.

    Args:
        marks: of the class.
        identifier: one of :data:`IDENTIFIERS`; the first when empty.
        columns: headings of lessons whose grade item is called otherwise in Moodle.

    Raises:
        ExportError: for an identifier or a heading that Moodle would not read.
    """
    by = chosen(IDENTIFIERS, identifier)
    named = headings(marks, columns or {})
    taken = {*_NAMES, *(known.heading for known in IDENTIFIERS.values())}
    for heading in named.values():
        if heading in taken or "\\" in heading:
            raise ExportError(f"{heading!r} can be no grade item's column: it is one of Moodle's own, or misread.")
    rows, left, without = told_apart(marks, by)
    content = [[*_NAMES, by.heading, *named.values()]]
    for learner, value in rows:
        names = [as_text(name).replace("\\", "/") for name in (learner.first_name, learner.last_name)]
        found = [NO_MARK if mark is None else number(mark.total) for mark in marks.of(learner).values()]
        content.append([*names, value, *found])
    return Exported(table(content), len(rows), left, without, _notes(marks))


def _notes(marks: MarkTable) -> list[str]:
    notes = []
    for lesson, worth in marks.max_scores.items():
        most = max((mark.total for (_, name), mark in marks.marks.items() if name == lesson), default=0.0)
        if most > _MOST:
            notes.append(f"{lesson}: there are marks above 100, and Moodle refuses them as its sites are set up.")
        elif most > worth:
            notes.append(
                f"{lesson}: with the bonus there are marks above {number(worth)}, up to {number(most)}. Moodle cuts "
                "them down to the item's maximum grade: set that, or the site's unlimited grades, before you import."
            )
    return notes
