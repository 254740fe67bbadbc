"""No walls: a process with the grader's own rights. For a teacher's own code, and only when asked for by name.

The limits on time, output, memory and processes hold as far as the system has them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from autograder.sandbox import Limits
from autograder.sandbox.isolation import Launch, Place, resource_limits


class NoIsolation:
    """Runs the guest as it is."""

    name = "none"

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def own_user(self) -> int | None:
        """The grader's own."""
        return None

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""
        settings = {"limits": resource_limits(limits, alone=False)}
        return Launch([sys.executable, "-s", str(place.guest / "guest_kernel.py")], settings, {})

    def enforces(self) -> Sequence[str]:
        """What it enforces, a sentence each."""
        return ("nothing but limits on time and output, and on memory where the system has them",)
