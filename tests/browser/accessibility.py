"""axe-core on a page: what somebody with a screen reader, a keyboard or weak eyes could not use."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page, within: str | None = None, *, but: tuple[str, ...] = ()) -> list[str]:
    """Every rule that something breaks, with the first things that break it; best practices count too.

    Args:
        page: as it stands now, in its present theme.
        within: a CSS selector of what to look at; the whole page without one.
        but: names of axe's rules that do not apply here; say why where you name one.
    """
    context: Any = {"include": [within]} if within else None
    if within:
        assert page.locator(within).count(), f"{within!r} is not on the page, so there is nothing to look at"
    options = {"resultTypes": ["violations"], "rules": {name: {"enabled": False} for name in but}}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        for node in each["nodes"][:4]
    ]
