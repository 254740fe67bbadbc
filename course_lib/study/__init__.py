"""To read, hear and remember: overviews, dialogues, cards, quizzes, memory aids, the glossary, and your progress.

    from course_lib.study import Cards

    Cards("01")

Each name loads its module when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.study.aids import Aids
    from course_lib.study.cards import Cards
    from course_lib.study.dialogue import Dialogue, Explanations
    from course_lib.study.glossary import Glossary
    from course_lib.study.overview import Overview
    from course_lib.study.progress import Progress
    from course_lib.study.quiz import Quiz

_HOMES = {
    "Aids": "aids",
    "Cards": "cards",
    "Dialogue": "dialogue",
    "Explanations": "dialogue",
    "Glossary": "glossary",
    "Overview": "overview",
    "Progress": "progress",
    "Quiz": "quiz",
}

__all__ = ["Aids", "Cards", "Dialogue", "Explanations", "Glossary", "Overview", "Progress", "Quiz"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"course_lib.study has no {name!r}; it has {', '.join(__all__)}")
    found = getattr(importlib.import_module(f"course_lib.study.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
