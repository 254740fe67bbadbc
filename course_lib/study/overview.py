"""A lesson in three depths, one control for all: a breath, a paragraph, a page.

Overview("01")
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import traitlets

from course_lib.live import Live, Resting
from course_lib.maths import to_html
from course_lib.study import content

DEPTHS = {"quick": "Quick: one breath", "standard": "Standard: a paragraph", "detailed": "Detailed: a page"}


class Overview(Live):
    """The overview of a lesson.

    Args:
        lesson: its number or its folder's name: "01".
        depth: the one shown first: "quick", "standard" or "detailed".
        folder: where the content files are.

    Raises:
        ContentError: there is no content for the lesson, or it breaks the schema.
        ValueError: an unknown depth.
    """

    _esm = Path(__file__).with_name("overview.js")
    _css = Path(__file__).with_name("study.css")
    depths: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    depth = traitlets.Unicode().tag(sync=True)

    def __init__(self, lesson: str, depth: str = "quick", *, folder: Path = content.FOLDER) -> None:
        if depth not in DEPTHS:
            raise ValueError(f"depth = {depth!r}; it is one of {', '.join(map(repr, DEPTHS))}")
        self._lesson = content.load(lesson, folder)
        texts = {key: getattr(self._lesson.overview, key) for key in DEPTHS}
        shown = [{"key": key, "label": DEPTHS[key], "html": to_html(text)} for key, text in texts.items()]
        super().__init__(depths=shown, depth=depth)
        self._text = "\n\n".join(f"{DEPTHS[key]}\n{text.strip()}" for key, text in texts.items())
        self._first = depth

    def resting(self) -> Resting:
        """The three depths one below the other, to be opened."""
        parts = [
            f"<details{' open' if each['key'] == self._first else ''}>"
            f"<summary><b>{escape(each['label'])}</b></summary>{each['html']}</details>"
            for each in self.depths
        ]
        return Resting("".join(parts), f"Overview: {self._lesson.title}\n\n{self._text}")
