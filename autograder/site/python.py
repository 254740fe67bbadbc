"""The Python of the site: Pyodide's core from npm, pure packages from PyPI, and the lock that says where the rest is.

Pyodide's lock lists every package of its distribution. Here those that the site brings itself point into the site, and
all others to Pyodide's usual address, from which a browser takes one when it is first imported. What is fetched to
build the site is kept in the user's cache folder, so that building again needs no network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from autograder.files import write_atomically
from autograder.site import SiteError
from autograder.site.extensions import KERNEL as KERNEL_EXTENSION
from autograder.site.extensions import folders

PYODIDE_SHA256 = {"314.0.6": "d78ac549b28a2a58600cd06f44e017024151775f8c6b2d73fab1475400d38ea2"}
"""Of the archive on npm, by version; the kernel's release says which version it is."""
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
LOCK = "pyodide-lock.json"
KERNEL = ("micropip", "piplite", "ipykernel", "comm", "pyodide-kernel", "jedi", "ipython")
"""What the kernel loads as it starts."""
FROM_PYPI = (
    *("anywidget", "asttokens", "comm", "decorator", "executing", "filelock", "ipython", "ipython-pygments-lexers"),
    *("ipywidgets", "jedi", "matplotlib-inline", "micropip", "mistune", "msgspec", "packaging", "parso"),
    *("prompt-toolkit", "psygnal", "pure-eval", "pygments", "six", "stack-data", "tqdm", "traitlets"),
    *("typing-extensions", "wcwidth"),
)
"""What the site brings itself: all that the kernel and the course's widgets need, NumPy and Matplotlib apart."""
FROM_PYODIDE = ("contourpy", "matplotlib", "numpy")
"""What course_lib imports and no wheel on PyPI has for browsers."""
_NOT_IN_A_BROWSER = {"jupyterlab-widgets", "widgetsnbextension"}
"""Parts of ipywidgets that belong to the page, not to Python; the site has them there."""

Package = dict[str, Any]


def put(folder: Path, root: Path, own: Iterable[tuple[str, bytes]], distribution: Path | None = None) -> str:
    """Write Pyodide, the wheels and the lock into an empty folder, from which the site serves them.

    Args:
        folder: made where it is not there.
        root: the course's folder; its requirements.txt gives the versions.
        own: wheels of the course.
        distribution: a whole Pyodide distribution, unpacked; what course_lib needs of it goes into the site as well.

    Returns:
        The version of Pyodide.

    Raises:
        SiteError: something cannot be fetched, is not what it was, or is missing.
    """
    from jupyterlite_pyodide_kernel.constants import PYODIDE_CDN_URL, PYODIDE_VERSION

    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(_pyodide(PYODIDE_VERSION)) as archive:
        for name in (*CORE, LOCK):
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
    lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
    wheels = _from_pypi(lock, root)
    for path in (*wheels, *_of_the_kernel()):
        shutil.copyfile(path, folder / path.name)
    for name, data in own:
        (folder / name).write_bytes(data)
    packages = merged(lock, folder, PYODIDE_CDN_URL)
    if distribution is not None:
        _host(packages, distribution, folder, PYODIDE_VERSION)
    (folder / LOCK).write_text(json.dumps(lock | {"packages": packages}, sort_keys=True), encoding="utf-8")
    return str(PYODIDE_VERSION)


def merged(lock: dict[str, Any], folder: Path, usual: str) -> dict[str, Package]:
    """The packages of a lock, with those whose wheels are in `folder` from there and all others from `usual`.

    Raises:
        SiteError: a wheel needs what neither has, or the kernel would start with something from elsewhere.
    """
    found = {name: one | {"file_name": f"{usual}/{one['file_name']}"} for name, one in lock["packages"].items()}
    described = (_described(path, lock["info"]["python"]) for path in sorted(folder.glob("*.whl")))
    own = {package["name"]: package for package in described}
    found |= own
    for name, package in own.items():
        if missing := [other for other in package["depends"] if other not in found]:
            raise SiteError(f"{name} needs {', '.join(missing)}: add it to FROM_PYPI in autograder/site/python.py.")
    for name in closure(found, (*KERNEL, "ipywidgets", "anywidget", "msgspec", "mistune", "math-core")):
        if name not in own:
            raise SiteError(f"{name} is not in the site: add it to FROM_PYPI in autograder/site/python.py.")
    return found


def closure(packages: dict[str, Package], names: Sequence[str]) -> set[str]:
    """These packages and all that they need."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = str(canonicalize_name(waiting.pop()))
        if name not in reached:
            reached.add(name)
            waiting += packages[name]["depends"]
    return reached


def _described(path: Path, python: str) -> Package:
    """What a lock says of a wheel (https://pyodide.org/en/stable/usage/loading-packages.html)."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(metadata).decode("utf-8"))
    name, version, _, _ = parse_wheel_filename(path.name)
    needed = map(Requirement, headers.get_all("Requires-Dist", []))
    tops = {top.partition("/")[0] for top in names if ".dist-info/" not in top and ".data/" not in top}
    return {
        "name": str(name),
        "version": str(version),
        "file_name": path.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": sorted(top.removesuffix(".py") for top in tops if top.endswith(".py") or "." not in top),
        "depends": sorted(
            {str(canonicalize_name(one.name)) for one in needed if _applies(one, python)} - _NOT_IN_A_BROWSER
        ),
        "unvendored_tests": False,
    }


def _applies(requirement: Requirement, python: str) -> bool:
    browser = {
        "sys_platform": "emscripten",
        "platform_system": "Emscripten",
        "platform_machine": "wasm32",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "extra": "",
    }
    return requirement.marker is None or requirement.marker.evaluate(browser)


def _host(packages: dict[str, Package], distribution: Path, folder: Path, version: str) -> None:
    """Copy what course_lib needs of a whole distribution into the site, and let the lock point there."""
    for name in sorted(closure(packages, ["course-lib"])):
        package = packages[name]
        if (folder / package["file_name"]).is_file():
            continue
        source = distribution / package["file_name"].rpartition("/")[2]
        if not source.is_file():
            raise SiteError(
                f"{source} is missing: --pyodide wants the unpacked full distribution of Pyodide {version}."
            )
        if hashlib.sha256(source.read_bytes()).hexdigest() != package["sha256"]:
            raise SiteError(f"{source} is not of Pyodide {version}: its SHA-256 is not the one in the lock.")
        shutil.copyfile(source, folder / source.name)
        package["file_name"] = source.name


def _pyodide(version: str) -> Path:
    """The archive of Pyodide's npm package, by npm itself and so from the registry that the author has set up."""
    path = _cache() / f"pyodide-{version}.tgz"
    if version not in PYODIDE_SHA256:
        raise SiteError(
            f"The kernel wants Pyodide {version}. Add the SHA-256 of `npm pack pyodide@{version}` to PYODIDE_SHA256 "
            "in autograder/site/python.py."
        )
    if not path.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise SiteError(
                f"npm is not installed; it fetches Pyodide {version} once. On Debian and Ubuntu: apt-get install npm"
            )
        with tempfile.TemporaryDirectory() as folder:
            _run([npm, "pack", f"pyodide@{version}", "--silent", "--pack-destination", folder], "npm")
            write_atomically(path, next(Path(folder).glob("*.tgz")).read_bytes())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PYODIDE_SHA256[version]:
        raise SiteError(f"{path} is not what it was: its SHA-256 is {found}. Delete it and try again.")
    return path


def _from_pypi(lock: dict[str, Any], root: Path) -> list[Path]:
    """Wheels of FROM_PYPI, in the versions of requirements.txt and, where it has none, of the lock."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.partition(" ;")[0].split("==") for line in lines if "==" in line)
    wanted = [f"{name}=={pins.get(name) or lock['packages'][name]['version']}" for name in FROM_PYPI]
    target = f"pyemscripten_{lock['info']['abi_version']}_{lock['info']['arch']}"
    python = ".".join(lock["info"]["python"].split(".")[:2])
    key = hashlib.sha256("\n".join([target, python, *wanted]).encode()).hexdigest()[:16]
    kept = _cache() / f"site-wheels-{key}"
    if not kept.is_dir():
        abis = (f"cp{python.replace('.', '')}", "abi3", "none")
        with tempfile.TemporaryDirectory(dir=_cache()) as folder:
            _run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
                    *("--python-version", python, "--implementation", "cp", "--platform", target),
                    *(part for abi in abis for part in ("--abi", abi)),
                    *("--dest", str(Path(folder) / "whole"), *wanted),
                ],
                "pip",
            )
            (Path(folder) / "whole").replace(kept)
    return sorted(kept.glob("*.whl"))


def _of_the_kernel() -> Iterator[Path]:
    """The wheels that the kernel's own package brings."""
    kernel = folders()[KERNEL_EXTENSION] / "static" / "pypi"
    for name in ("ipykernel", "piplite", "pyodide_kernel"):
        yield next(kernel.glob(f"{name}-*.whl"))


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603, a fixed command
    if done.returncode:
        raise SiteError(f"{what} could not fetch what the site needs; is there a network?\n{done.stderr.strip()}")


def _cache() -> Path:
    """A folder of the user's for what was fetched and can be fetched again."""
    from platformdirs import user_cache_path

    return user_cache_path("training-techniques-course", appauthor=False, ensure_exists=True)
