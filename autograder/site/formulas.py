"""Every formula that a widget of the course may show, drawn beforehand."""

from __future__ import annotations

from course_lib import maths
from course_lib.study import content


def drawn() -> dict[str, dict[str, str]]:
    """The formulas of all lessons' content: "inline" or "display" -> its TeX -> its MathML.

    Raises:
        MarkupError: a formula that cannot be drawn.
        ContentError: a content file that breaks the schema.
    """
    table: dict[str, dict[str, str]] = {"inline": {}, "display": {}}
    for lesson in content.names():
        for _, text in content.texts(content.load(lesson)):
            for tex, display in maths.formulas(text):
                table["display" if display else "inline"][tex] = maths.to_mathml(tex, display=display)
    return table
