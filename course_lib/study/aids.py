"""Memory aids of a lesson: rhymes, images, stories.

Aids("01")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course_lib.maths import to_html
from course_lib.study import content
from course_lib.study.content import ContentError


class Aids:
    """The memory aids of a lesson; words alone, so they show the same with and without a kernel.

    Args:
        lesson: its number or its folder's name: "01".
        folder: where the content files are.

    Raises:
        ContentError: the lesson has no memory aids, or its content breaks the schema.
    """

    def __init__(self, lesson: str, *, folder: Path = content.FOLDER) -> None:
        self._aids = content.load(lesson, folder).aids
        if not self._aids:
            name = content.full_name(lesson, folder)
            raise ContentError(f"content/{name}.toml: has no [[aids]] yet. {content.HELP}")

    def __repr__(self) -> str:
        return "\n\n".join(f"{aid.title}\n{aid.text.strip()}" for aid in self._aids)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        parts = [f"<p><b>{to_html(aid.title, inline=True)}</b></p>{to_html(aid.text)}" for aid in self._aids]
        return {"text/plain": repr(self), "text/html": f'<div style="max-width: 50em">{"".join(parts)}</div>'}
