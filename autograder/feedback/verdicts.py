"""Feedback: the verdicts written into the graded notebook, and everything a submission displayed made harmless.

Two people read a graded notebook. The grader sees all that the submission displayed. The student's page, made by
autograder/feedback/page.py, shows verdicts alone: what submitted code writes, be it an output, an exception's text or
the name of a type, can be the hidden inputs that it was called with, and who hands in again would have them.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import nh3
from nbformat import NotebookNode

import course_lib
from autograder.assemble import KEY, PlannedCell
from autograder.feedback.places import headings_above
from autograder.lesson import is_answer, is_check
from autograder.sandbox import Run
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import ExerciseResult, GroupResult
from course_lib.exercises.rendering import to_html

TOLD = "course_feedback"
"""Where a graded notebook keeps what its student may read: in its metadata and in that of each check cell."""
MAX_TEXT = 100_000
MAX_WRITTEN = 30_000  # nbconvert's search for formulas takes the square of the length: 3 s for these, 30 s for 100,000
MAX_IMAGE = 1_000_000
MAX_OUTPUTS = 100
_IMAGES = ("image/png", "image/jpeg")
# A link or a remote image would let a page call home, or a grader click into something else: pictures come inline.
# MathJax reads the text on both sides of <wbr> as one, so that a command could hide in two halves.
_TAGS = nh3.ALLOWED_TAGS - {"a", "area", "map", "wbr"}
_ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, "img": {"src", "alt", "width", "height"}}
_INLINE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]+")
# MathJax commands that make links, carry attributes into the page, or put such a command together from pieces.
_TEX = re.compile(
    r"\\+(href|url|class|cssId|style|data|bbox|mmlToken|require|unicode|let|csname|[gex]?def"
    r"|(?:re)?new(?:command|environment))(?![A-Za-z])"
)
# Where Markdown, as nbconvert and JupyterLab read it, would begin a tag, an address in angle brackets, an entity that
# hides a backslash, a link's or picture's target, a definition of one, an address written out, or one of e-mail.
_BEGINS = re.compile(
    r"(?<=<)(?=\S)|(?<=&)(?=#|bsol;)|(?<=\])(?=[(:\[])|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[\w.+-])(?=@[\w-]+\.)",
    re.IGNORECASE,
)
_APART = "\u2060"  # WORD JOINER: seen by no reader, neither in prose nor in code, and part of no syntax

_ERRORS = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
} | {"LinAlgError", "AxisError"}
_KINDS = {
    *("array", "bool", "bytes", "complex", "dict", "float", "frozenset", "function", "generator", "int", "list", "map"),
    *("method", "module", "number", "range", "set", "str", "text", "tuple", "type", "zip", "DataFrame", "Series"),
    *("Tensor", "matrix", "ndarray"),
}
_STOPPED = re.compile(r"stopped with (?P<type>\w+)(?P<text>.*)", re.DOTALL)
_LINE = re.compile(r" \(line (\d{1,3}) of the cell\)")
_WITHHELD = re.compile(r"course_lib\.(\w+) is not there in grading")


def write_feedback(
    notebook: NotebookNode, plan: Sequence[PlannedCell], run: Run | None, results: Sequence[ExerciseResult]
) -> None:
    """Put outputs and verdicts into an assembled notebook, in place.

    Each check cell's result is, as plain text, the bare points that nbgrader reads (0 for a bonus), and as HTML the
    verdict with the place in the lesson to look at; it holds neither hidden inputs nor expected values, and no words
    of the submission's own. The same as data, for the student's page, is in the metadata under :data:`TOLD`.
    """
    known = notebook.metadata[KEY]
    sentence = known["sentence"]
    notebook.metadata[TOLD] = {"sentence": sentence, "notes": [note for note in known["notes"] if note != sentence]}
    count = 0
    for cell in plan:
        target = notebook.cells[cell.index]
        done = run.cells.get(cell.index) if run is not None else None
        if cell.role == "check" or done is None or done.state == "not run":
            continue
        count += 1
        target.execution_count = count
        target.outputs = [kept for output in done.outputs[:MAX_OUTPUTS] if (kept := sanitized(output)) is not None]
    by_check = {f"check_{result.exercise.name}": result for result in results}
    for index, target in enumerate(notebook.cells):
        if is_check(target):
            count += 1
            target.execution_count = count
            result = by_check[target.metadata.nbgrader.grade_id]
            told = _told(result)
            target.metadata[TOLD] = _as_data(told)
            heading = (headings_above(notebook, index) or ("",))[-1]
            target.outputs = [_verdict(told, count, heading)]
        elif target.cell_type == "markdown" and is_answer(target):
            target.source = sanitized_markdown(target.source)


def for_student(notebook: NotebookNode) -> NotebookNode:
    """The graded notebook, in place, without what submitted code displayed."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and not is_check(cell):
            cell.outputs = []
    return notebook


def sanitized(output: NotebookNode) -> NotebookNode | None:
    """A harmless copy of an output that submitted code produced; None where nothing is left of it."""
    kind = output.get("output_type")
    if kind == "stream":
        # Learners' cells may write to stderr (a warning is no mistake); nbgrader reads only the check cells.
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return _output("stream", name=name, text=_text(output.get("text")))
    if kind == "error":
        lines = output.get("traceback")
        shown = [_text(line) for line in lines[-50:]] if isinstance(lines, list) else []
        ename, evalue = _text(output.get("ename"))[:200], _text(output.get("evalue"))[:2_000]
        return _output("error", ename=ename, evalue=evalue, traceback=shown)
    if kind not in ("display_data", "execute_result") or not isinstance(output.get("data"), dict):
        return None
    data = {mime: kept for mime, content in output["data"].items() if (kept := _harmless(mime, content)) is not None}
    return _output("display_data", data=data) if data else None


def sanitized_markdown(text: str) -> str:
    """A written answer as Markdown that gives no HTML, link or picture, nor TeX commands that make links.

    They show as they were typed: an invisible character keeps the parts of their syntax apart. A cleaner that drops
    HTML would take `rate<best` for the beginning of a tag and swallow the rest of an honest sentence; and the pages
    are made by formgrader and JupyterLab too, each with a Markdown of its own, which link addresses written out.
    """
    kept = text if len(text) <= MAX_WRITTEN else f"{text[:MAX_WRITTEN]}\n\n(Cut after {MAX_WRITTEN:,} characters.)"
    return _BEGINS.sub(_APART, _TEX.sub(r"\1", kept))


def _clean(html: str) -> str:
    """HTML without scripts, styles, links, and pictures from elsewhere."""
    cleaned = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=_only_inline, url_schemes={"data"}, link_rel=None
    )
    return _TEX.sub(r"\1", cleaned)


def _only_inline(tag: str, attribute: str, value: str) -> str | None:
    if attribute in ("src", "href", "cite") and not (tag == "img" and _INLINE.fullmatch(value)):
        return None
    return value


def _harmless(mime: str, content: Any) -> str | None:
    if mime == "text/plain":
        return _text(content)
    if mime == "text/html":
        return _clean(_text(content, MAX_IMAGE))
    if mime in _IMAGES:
        written = "".join(_text(content, MAX_IMAGE + 1).split())
        try:
            base64.b64decode(written, validate=True)
        except (ValueError, binascii.Error):
            return None
        return written if len(written) <= MAX_IMAGE else None
    return None


def _text(value: Any, most: int = MAX_TEXT) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value[:most].encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _verdict(result: ExerciseResult, count: int, heading: str) -> NotebookNode:
    points = 0 if result.exercise.stretch else result.points
    html = to_html(result, reveal=False)
    if result.outcome != "right" and heading:
        html = html.removesuffix("</div>") + f"<p>Where to look in the lesson: {_link(heading)}.</p></div>"
    data = {"text/plain": str(points), "text/html": html}
    return _output("execute_result", data=data, execution_count=count)


def _as_data(told: ExerciseResult) -> dict[str, Any]:
    """What the page says of an exercise, JSON-ready: of the message only what :func:`_told` has made of it."""
    failed = next((group for group in told.groups if group.passed is False), None)
    data: dict[str, Any] = {
        "outcome": told.outcome,
        "groups": [[group.group.title, group.points, group.group.points, group.passed] for group in told.groups],
        "where": "",
        "sentence": "" if told.outcome == "right" else told.message,
        "mistake": told.misconception.name if told.misconception else "",
    }
    if failed is not None and failed.difference is not None:
        data["where"] = f"{failed.group.title}, {failed.case}" if failed.case else failed.group.title
        data["sentence"] = failed.difference.sentence
    elif "in the cell above" in data["sentence"]:  # the page has no such cell
        data["sentence"] = "Nothing is written in its answer cell yet."
    return data


def _told(result: ExerciseResult) -> ExerciseResult:
    """The result in the course's own words only."""
    message = result.message
    if message.startswith("There is no function"):
        message = f"There is no function {result.exercise.name}. Write it in its answer cell."
    elif result.outcome == "error":
        message = _without_text(result.exercise, message, f"The answer cell of {result.exercise.name}")
    return replace(result, message=message, groups=tuple(_told_group(result.exercise, each) for each in result.groups))


def _told_group(exercise: Exercise, group: GroupResult) -> GroupResult:
    found = group.difference
    if found is None:
        return group
    sentence = found.sentence
    if found.kind == "error":
        sentence = _without_text(exercise, sentence, exercise.name)
    elif found.kind == "keys":
        sentence = re.sub(r"(,? and )?[^,]*? not expected", " (some are not expected)", sentence)
        sentence = sentence if "missing" in sentence else f"{found.where} has keys that are not expected."
    elif found.kind in ("type", "value") and (kind := re.search(r"it is (?:an?|the) ([^.]*)\.", sentence)):
        if not set(re.findall(r"[A-Za-z_]\w*", kind[1])) <= _KINDS | {"of", "shape", *_DTYPES}:
            sentence = f"{sentence[: kind.start()]}it is an object of another kind."
    return replace(group, difference=replace(found, sentence=_known_inputs(exercise, sentence), received=""))


_DTYPES = {f"{kind}{bits}" for kind in ("float", "int", "uint", "complex") for bits in (8, 16, 32, 64, 128)}


def _without_text(exercise: Exercise, sentence: str, who: str) -> str:
    """Of an exception only its type and line; its text only where it is the course's own."""
    found = _STOPPED.search(sentence)
    if found is None:
        return sentence
    name = found["type"] if found["type"] in _ERRORS else "exception of its own"
    lines = [*_LINE.finditer(found["text"])]  # the last one is the check's own
    told = f"{who} stopped with {'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}{lines[-1][0] if lines else ''}."
    withheld = _WITHHELD.search(found["text"])
    if withheld and (Path(course_lib.__file__).parent / f"{withheld[1]}.py").is_file():
        return f"{told} course_lib.{withheld[1]} is not there in grading: it holds what this lesson asks."
    if name == "EOFError":
        return f"{told} In grading nobody is there to answer input()."
    return f'{told} `check("{exercise.name}")` in your own notebook shows what it says.'


def _known_inputs(exercise: Exercise, sentence: str) -> str:
    """The names of changed inputs come from the sandbox: only those that the exercise has are told."""
    has = set(inspect.signature(exercise.reference).parameters)

    def told(found: re.Match[str]) -> str:
        return found[0] if set(found[2].split(" and ")) <= has else f"{found[1]}{found[3]}"

    return re.sub(r"(changed its input|Its input) ?(.*?)( in place| was changed in place)", told, sentence)


def _output(kind: str, **content: Any) -> NotebookNode:
    """An output of the notebook format. Its text is the course's own or was rebuilt above, and needs no validation."""
    of_its_kind: dict[str, Any] = {"display_data": {"metadata": {}}, "execute_result": {"metadata": {}}}.get(kind, {})
    output: NotebookNode = nbformat.from_dict({"output_type": kind, **of_its_kind, **content})
    return output


def _link(heading: str) -> str:
    """A link to a heading, by the id that nbconvert and JupyterLab give it; plain text for one with other marks."""
    text = heading.replace("`", "")
    shown = escape(text.split(" (")[0])  # without its points and minutes
    if re.search(r"[*_$\[\]<>\\]", re.sub(r"`[^`]*`", "", heading)):
        return shown
    target = quote(text.replace(" ", "-"), safe="?/:@!$&'()*+,;=")
    return f'<a href="#{escape(target)}">{shown}</a>'
