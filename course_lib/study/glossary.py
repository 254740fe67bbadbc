"""The words of the course and what they mean, searchable.

Glossary()          # of all lessons
Glossary("01")      # of one
"""

from __future__ import annotations

from pathlib import Path

import traitlets

from course_lib.live import Live, Resting
from course_lib.maths import to_html
from course_lib.study import content
from course_lib.study.content import ContentError


class Glossary(Live):
    """The glossary in alphabetical order; a search looks into terms, their other names and their definitions.

    Args:
        lesson: its number or its folder's name; all lessons when it is left out.
        folder: where the content files are.

    Attributes:
        entries: term, other names, definition as HTML, and what a search looks into.
        search: what is searched for.

    Raises:
        ContentError: no such lesson, a lesson without terms, or content that breaks the schema.
    """

    _esm = Path(__file__).with_name("glossary.js")
    _css = Path(__file__).with_name("study.css")
    entries: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)

    def __init__(self, lesson: str | None = None, *, folder: Path = content.FOLDER) -> None:
        lessons = content.glossary(folder)
        chosen = list(lessons) if lesson is None else [content.full_name(lesson, folder)]
        terms = sorted((term for name in chosen for term in lessons[name]), key=lambda term: term.term.casefold())
        if not terms:
            raise ContentError(f"content/{', '.join(chosen)}.toml: has no [[glossary]] yet. {content.HELP}")
        self._text = "\n".join(f"{term.term}: {' '.join(term.definition.split())}" for term in terms)
        entries = [
            {
                "term": to_html(term.term, inline=True),
                "also": ", ".join(term.also),
                "html": to_html(term.definition),
                "words": " ".join((*term.names, term.definition)),
            }
            for term in terms
        ]
        super().__init__(entries=entries)

    def resting(self) -> Resting:
        """Every term with its definition."""
        wide = "float: none; width: auto"  # JupyterLab puts terms into a narrow column
        parts = [f'<dt style="{wide}"><b>{entry["term"]}</b></dt><dd>{entry["html"]}</dd>' for entry in self.entries]
        return Resting(f'<dl style="max-width: 50em">{"".join(parts)}</dl>', f"Glossary\n\n{self._text}")
