"""The page that holds this line's and stock nbgrader's results beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from tests.redteam.entries import Entry

_SECRET = re.compile(r"""b?['"]*canary-[0-9a-f]{16}['"]*""")
Rows = Mapping[str, Mapping[str, Any]]
HEAD = """\
# The red team

Every submission that the red team hands in, with what it deserves, what it gets from this course's grading line, and
what it gets from stock nbgrader. Written by a command; do not edit:

```
python scripts/red_team.py
```

`--only NAME` runs one entry, Ctrl-C loses nothing, and the same command goes on. The entries are in
`tests/redteam/`. `make test` runs a sample of them, `make test-all` all of them: by `python -m autograder grade`,
`nbgrader autograde` and formgrader's button, as root and as an ordinary user.

"""
NOTES = """\
## How to read the tables

- *Deserves*: the points that the answers are worth. Most attacks hold worthless answers and deserve 0; those that
  try to stop or spoil something have right answers beside it, which must keep their points.
- *This line*: points and outcome. Nothing more means that no wall was found open: no file, process, socket or secret
  was reached, and the next submission got its usual grade and outputs.
- *Stock nbgrader*: points and what else happened, with nbgrader's defaults and tests that are asserts, some hidden,
  for the same lesson. Stock nbgrader runs submitted code unprotected. Here each run was shut into a container
  of its own, with a read-only system, a private `/tmp` and no network but its own loopback, so that the machine
  survives; what only that container held back is in stock's favour.

"""


def page(entries: Sequence[Entry], rows: Rows, versions: str) -> str:
    """The page in Markdown.

    Args:
        entries: in the order of the page; those of a family stand together.
        rows: by the entry's name: {"line": {"score", "outcome", "problems"}, "stock": {"score", "happened"}}.
        versions: of what was compared.
    """
    parts = [HEAD, _summary(entries, rows), f"\nCompared: {versions}.\n\n", NOTES]
    for family, some in groupby(entries, key=lambda entry: entry.family):
        parts.append(f"## {_title(family)}\n\n")
        parts.append("| Entry | What it does | Deserves | This line | Stock nbgrader |\n|---|---|---:|---|---|\n")
        parts += [_row(entry, rows[entry.name]) for entry in some]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _summary(entries: Sequence[Entry], rows: Rows) -> str:
    attacks = [entry for entry in entries if entry.family not in ("honest", "broken")]
    broken = [entry for entry in entries if entry.family == "broken"]
    honest = [entry for entry in entries if entry.family == "honest"]
    lines = ["| | This line | Stock nbgrader |", "|---|---:|---:|"]
    for said, some, counts in (
        (f"{len(attacks)} attacks: scored above what they deserve", attacks, _above),
        ("reached something that they must not reach", attacks, _reached),
        ("left the submission without a grade", attacks, _no_grade),
        ("cost right answers their points", attacks, _below),
        (f"{len(broken)} broken inputs: scored above what they deserve", broken, _above),
        ("left without an outcome", broken, _no_grade),
        (f"{len(honest)} honest submissions: lost points", honest, _below),
    ):
        here, there = (sum(counts(entry, rows[entry.name], which) for entry in some) for which in ("line", "stock"))
        lines.append(f"| {said} | {here} | {there} |")
    return "\n".join(lines) + "\n"


def _above(entry: Entry, row: Mapping[str, Any], which: str) -> bool:
    return (row[which]["score"] or 0) > entry.deserves


def _below(entry: Entry, row: Mapping[str, Any], which: str) -> bool:
    return (row[which]["score"] or 0) < entry.deserves and entry.exact


def _no_grade(entry: Entry, row: Mapping[str, Any], which: str) -> bool:
    return row[which]["score"] is None


def _reached(entry: Entry, row: Mapping[str, Any], which: str) -> bool:
    if which == "line":
        of_points = ("it got ", "it lost points", "its outcome")
        return any(not each.startswith(of_points) or "got through" in each for each in row[which]["problems"])
    said = ("got through", "secret", "changed", "left", "reached", "scripts are")
    return any(word in row[which]["happened"] for word in said)


def _row(entry: Entry, row: Mapping[str, Any]) -> str:
    here, there = row["line"], row["stock"]
    mine = _joined([_points(here["score"]), here["outcome"]], here["problems"])
    theirs = _joined(
        [_points(there["score"])], [_SECRET.sub("a secret", there["happened"])] if there["happened"] else []
    )
    return f"| `{entry.name}` | {_cell(entry.tries)} | {entry.deserves} | {_cell(mine)} | {_cell(theirs)} |\n"


def _points(score: float | None) -> str:
    return "-" if score is None else f"{score:g}"


def _joined(first: Iterable[str], more: Iterable[str]) -> str:
    return "; ".join([", ".join(each for each in first if each), *more])


def _cell(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    for mark in "|<>*_[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _title(family: str) -> str:
    return {"honest": "Honest submissions", "broken": "Broken inputs"}.get(family, f"Attacks: {family}")
