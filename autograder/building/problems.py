"""What is wrong with a lesson, in words that an author can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that must be mended.

    Attributes:
        where: file, and cell or line: "solutions/01_backpropagation.md:120 (relu_backward)".
        what: what is wrong and what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class BuildError(Exception):
    """A lesson that cannot be built; `problems` names everything found, not only the first thing."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
