"""Words of the glossary in a lesson's prose: a MyST role in the source, a definition at hand in the notebook.

JupyterLab and GitHub drop scripts, popovers and ids from Markdown, and a title alone reaches neither a finger nor a
keyboard; what they all keep is a native `<details>`. So each cell ends with one that defines the words marked in it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from html import escape

from course_lib.study import content
from course_lib.study.content import Term

_ROLE = re.compile(r"\{term\}`(?:(?P<shown>[^`<>]+?)\s*<(?P<term>[^`<>]+)>|(?P<plain>[^`<>]+))`")


def course_terms() -> dict[str, Term]:
    """Every term of the course's glossary by each of its names, in lower case.

    Raises:
        ContentError: a content file breaks the schema, or two define one term.
    """
    entries = (entry for lesson in content.glossary().values() for entry in lesson)
    return {name.casefold(): entry for entry in entries for name in entry.names}


def are_in(text: str) -> bool:
    """Whether the text has the role, well written or not."""
    return "{term}" in text


def expanded(text: str, terms: Mapping[str, Term]) -> str:
    """The text with its roles marked as words, and the definitions at its end.

    Raises:
        ValueError: a role that is not well written, whose term nobody defines, or whose definition is all formula.
    """
    here: dict[str, Term] = {}

    def mark(found: re.Match[str]) -> str:
        name = found["term"] or found["plain"]
        key = " ".join(name.split()).casefold()
        if key not in terms:
            close = difflib.get_close_matches(key, terms, n=1)
            meant = f"did you mean {close[0]!r}?" if close else "define it in the lesson's content file."
            raise ValueError(f"no glossary has the term {name!r}; {meant}")
        here.setdefault(terms[key].term, terms[key])
        return f'<abbr title="{escape(_title(terms[key]))}">{found["shown"] or found["plain"]}</abbr>'

    marked = _ROLE.sub(mark, text)
    if are_in(marked):
        raise ValueError("a {term} is not written as {term}`word` or {term}`other words <word>`")
    if not here:
        return marked
    lines = [f"- **{term.term}**: " + " ".join(term.definition.split()) for term in here.values()]
    words = ", ".join(here)
    return "\n".join([marked, "", "<details>", f"<summary>Words here: {words}</summary>", "", *lines, "", "</details>"])


def _title(term: Term) -> str:
    """The definition as plain text, for a title shows no formulas: `plain`, or the sentences that hold none."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[^\s])", " ".join((term.plain or term.definition).split()))
    plain = " ".join(sentence for sentence in sentences if not re.search(r"[$\\]", sentence))
    if not plain:
        raise ValueError(f"no sentence of the term {term.term!r} is without a formula: add `plain`, the same in words.")
    return re.sub(r"[*`]", "", plain)
