"""Every attack, in families."""

from __future__ import annotations

from tests.redteam.attacks import (
    asserts,
    browser,
    files,
    forging,
    formats,
    network,
    persistence,
    reading,
    resources,
    timing,
)
from tests.redteam.entries import Entry

ATTACKS: tuple[Entry, ...] = (
    *asserts.ATTACKS,
    *forging.ATTACKS,
    *reading.ATTACKS,
    *files.ATTACKS,
    *persistence.ATTACKS,
    *resources.ATTACKS,
    *formats.ATTACKS,
    *browser.ATTACKS,
    *network.ATTACKS,
    *timing.ATTACKS,
)
