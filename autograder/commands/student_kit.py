"""`python -m autograder student-kit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, console, errors


def student_kit(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where it goes; dist/student-kit-VERSION.zip if not said."),
    ] = None,
    root: Annotated[
        Path, typer.Option("--root", "--course", metavar="FOLDER", help="The project's folder.", show_default="here")
    ] = Path(),
) -> None:
    """Pack what students get into one zip: lessons, course_lib, requirements and guide; nothing else.

    Packs the lessons that course.toml uses, all without one. Refuses while a student notebook is not what its source
    gives, so that no half of an edit reaches students. The same course gives the same file.
    """
    from autograder.building import BuildError
    from autograder.files import write_atomically
    from autograder.settings.model import SettingsError
    from autograder.student_kit import kit, version

    try:
        with console.status("looking the lessons over"):
            packed = kit(root)
            path = output or root / "dist" / f"student-kit-{version(root)}.zip"
            write_atomically(path, packed)
    except BuildError as error:
        complain(error)
        raise typer.Exit(1) from None
    except (SettingsError, OSError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"{escape(str(path))} ({len(packed) / 1e6:.1f} MB)", highlight=False, soft_wrap=True)
