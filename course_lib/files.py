"""Files: a new one takes the place of an old one as a whole, and an old one is kept under a name of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

_TRIES = 20
_BETWEEN = 0.05


def replace(part: Path, path: Path) -> None:
    """Put `part` in the place of `path`; for a second, on Windows, also while another program has that one open.

    Raises:
        OSError: it cannot be put there; `path` is as it was.
    """
    for _ in range(_TRIES):
        try:
            part.replace(path)
            return
        except PermissionError:
            time.sleep(_BETWEEN)
    part.replace(path)


def stamps(moment: datetime) -> Iterator[str]:
    """Names for what is kept of a moment, a thousand for one second: "2026-11-29_140300", "2026-11-29_140300_2", ..."""
    yield (stamp := f"{moment:%Y-%m-%d_%H%M%S}")
    for number in range(2, 1000):
        yield f"{stamp}_{number}"
