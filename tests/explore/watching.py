"""For tests of loops that never end: what ends them needs the trace function, of which there is one."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest


def unwatched(test: Callable[..., None]) -> Callable[..., None]:
    """A test that needs the trace function for itself: coverage pauses for it, and under a debugger it is left out."""

    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        watching = sys.gettrace()
        if watching is not None and not type(watching).__module__.startswith("coverage"):
            pytest.skip("a debugger watches the lines")
        sys.settrace(None)
        try:
            test(*given, **named)
        finally:
            sys.settrace(watching)

    return run
