"""An exercise's result as HTML, for the notebook and for the feedback page; colours follow the page's theme."""

from __future__ import annotations

import re
from html import escape

from course_lib.exercises.grading import ExerciseResult, GroupResult

_CELL = "text-align:left;padding-right:1em"
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+)(?<=\S)\*(?![\w*])")
_MARKS = {True: ("\u2713", "passed"), False: ("\u2717", "not yet"), None: ("\u2013", "not judged")}


def to_html(result: ExerciseResult, *, reveal: bool, open_hint: bool = False, printed: str = "") -> str:
    """Return a fragment of HTML without scripts, styles kept to attributes.

    Args:
        result: what to show.
        reveal: whether expected numbers and hints are shown (at home), or not (after grading).
        open_hint: whether the hint that fits a recognised mistake is open from the start.
        printed: what the learner's code printed while it was checked.
    """
    exercise = result.exercise
    unit = f"{'bonus ' if exercise.stretch else ''}points"
    if exercise.practice:
        unit = "groups passed (practice, no points)"
    parts = [f"<p><strong>{escape(exercise.name)}: {result.marks} of {exercise.full_marks} {unit}</strong></p>"]
    failed = next((group for group in result.groups if group.passed is False), None)
    if all(group.passed is None for group in result.groups):
        parts.append(f"<p>{inline(result.message)}</p>")
    else:
        parts.append(_table(result))
    if failed is not None:
        parts.append(_failure(failed, reveal))
    if reveal and result.outcome not in ("right", "unanswered"):
        parts += _hints(result, open_hint)
    if printed:
        parts.append(f"<details><summary>Your code printed</summary><pre>{escape(printed)}</pre></details>")
    return f'<div role="status">{"".join(parts)}</div>'


def _table(result: ExerciseResult) -> str:
    counts = not result.exercise.practice
    rows = "".join(
        f'<tr><td style="{_CELL}">{_MARKS[group.passed][0]} {_MARKS[group.passed][1]}</td>'
        f'<td style="{_CELL}">{escape(group.group.title)}</td>'
        f"{f'<td>{group.points} of {group.group.points}</td>' if counts else ''}</tr>"
        for group in result.groups
    )
    points = "<th>points</th>" if counts else ""
    head = f'<tr><th style="{_CELL}">result</th><th style="{_CELL}">cases</th>{points}</tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _failure(group: GroupResult, reveal: bool) -> str:
    difference = group.difference
    assert difference is not None
    where = f"{group.group.title}, {group.case}" if group.case else group.group.title
    lines = [f"<strong>{escape(where)}.</strong> {inline(difference.sentence)}"]
    if difference.received:
        numbers = f"received <code>{escape(difference.received)}</code>"
        if reveal and difference.expected:
            numbers += f", expected <code>{escape(difference.expected)}</code>"
        lines.append(f"At <code>{escape(difference.where)}</code>: {numbers}.")
    parts = [f"<p>{'<br>'.join(lines)}</p>"]
    if group.misconception is not None:
        parts.append(f"<p><strong>Recognised:</strong> {inline(group.misconception.sentence)}</p>")
    return "".join(parts)


def _hints(result: ExerciseResult, open_hint: bool) -> list[str]:
    hints = [(f"Hint {number}", text) for number, text in enumerate(result.exercise.hints, start=1)]
    mistake = result.misconception
    parts = []
    if mistake is not None and mistake.hint:
        opened = " open" if open_hint else ""
        parts.append(f"<details{opened}><summary>A hint for this mistake</summary>{block(mistake.hint)}</details>")
    opened = " open" if open_hint and not parts else ""
    for number, (title, text) in enumerate(hints):
        parts.append(f"<details{opened if number == 0 else ''}><summary>{title}</summary>{block(text)}</details>")
    return parts


def block(text: str) -> str:
    """Paragraphs and, between lines of three backticks, code."""
    parts = []
    for index, piece in enumerate(text.strip().split("```")):
        if index % 2:
            parts.append(f"<pre><code>{escape(piece.removeprefix('python').strip(chr(10)))}</code></pre>")
        elif piece.strip():
            parts += [f"<p>{inline(paragraph)}</p>" for paragraph in piece.strip().split("\n\n")]
    return "".join(parts)


def inline(text: str) -> str:
    """Escaped text: what stands between backticks as code, elsewhere `*one or more words*` emphasised."""
    pieces = escape(text).split("`")
    return "".join(
        f"<code>{piece}</code>" if index % 2 else _EMPHASIS.sub(r"<em>\1</em>", piece)
        for index, piece in enumerate(pieces)
    )
