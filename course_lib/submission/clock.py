"""When a file was saved, in words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def ago(path: Path, now: datetime | None = None) -> str:
    """When a file was last written: "at 14:03 (2 minutes ago)", "on 2026-11-29 at 14:03"."""
    saved = datetime.fromtimestamp(path.stat().st_mtime)
    minutes = int(((now or datetime.now()) - saved).total_seconds() // 60)
    if not 0 <= minutes < 12 * 60:
        return f"on {saved:%Y-%m-%d} at {saved:%H:%M}"
    if minutes >= 120:
        return f"at {saved:%H:%M} ({minutes // 60} hours ago)"
    words = {0: "less than a minute", 1: "a minute"}.get(minutes, f"{minutes} minutes")
    return f"at {saved:%H:%M} ({words} ago)"
