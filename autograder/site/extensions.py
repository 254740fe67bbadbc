"""The parts of the page beside JupyterLab itself: the kernel, and what draws widgets."""

from __future__ import annotations

from pathlib import Path

from autograder.site import SiteError

KERNEL = "@jupyterlite/pyodide-kernel-extension"
EXTENSIONS = (KERNEL, "@jupyter-widgets/jupyterlab-manager", "anywidget")


def folders() -> dict[str, Path]:
    """The folder of each of `EXTENSIONS`, where pip has put it.

    Raises:
        SiteError: one is not installed.
    """
    from jupyter_core.paths import jupyter_path

    found = {}
    for name in EXTENSIONS:
        places = [Path(base) / name for base in jupyter_path("labextensions")]
        place = next((place for place in places if (place / "package.json").is_file()), None)
        if place is None:
            raise SiteError(f"{name} is not installed: pip install -r requirements-site.txt")
        found[name] = place
    return found
