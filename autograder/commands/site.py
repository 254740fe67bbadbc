"""`python -m autograder site`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, console, errors


def site(
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where it goes; build/site if not said.")
    ] = None,
    pyodide: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A full Pyodide distribution, unpacked: NumPy and Matplotlib then come from the site as well.",
        ),
    ] = None,
    root: Annotated[
        Path, typer.Option("--root", "--course", metavar="FOLDER", help="The course's folder.", show_default="here")
    ] = Path(),
) -> None:
    """Build the course as a site that runs in the browser: no installation, no server of its own.

    JupyterLab, Python and course_lib are plain files in one folder, which any web server or GitHub Pages can serve.
    Learners need a network for NumPy and Matplotlib, which their browser takes from Pyodide's usual address; with
    --pyodide they come from the site. docs/browser.md says how to publish it and what runs in a browser and what not.

    Needs requirements-site.txt (`make site` installs it) and, the first time, npm and a network. Shows the lessons
    that course.toml uses, all without one.
    """
    from autograder.building import BuildError
    from autograder.settings.model import SettingsError
    from autograder.site import SiteError
    from autograder.site.build import build

    path = output or root / "build" / "site"
    try:
        with console.status("") as status:
            pyodide_version = build(root, path, pyodide, say=status.update)
    except BuildError as error:
        complain(error)
        raise typer.Exit(1) from None
    except (SiteError, SettingsError, OSError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
    folder = escape(str(path))
    console.print(
        f"{folder} ({size:.0f} MB, with Pyodide {pyodide_version})\n"
        f"To look at it: python -m http.server --bind 127.0.0.1 --directory {folder} 8000\n"
        "and open http://127.0.0.1:8000. To publish it, put the folder on any web server; docs/browser.md says how.",
        highlight=False,
        soft_wrap=True,
    )
