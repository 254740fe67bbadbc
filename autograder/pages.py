"""Pages from the templates in autograder/templates: whatever is put into one is escaped."""

from __future__ import annotations

from pathlib import Path

import jinja2


def environment(*, lstrip_blocks: bool = True) -> jinja2.Environment:
    """A new environment, to which a page may add filters of its own.

    Args:
        lstrip_blocks: leave out the spaces before a block that stands alone in its line.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=lstrip_blocks,
    )
