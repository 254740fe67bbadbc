"""Wheels of what the course adds to the site: course_lib without its recordings, and its formulas.

The same course gives the same bytes, so browsers keep what they have until it changes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autograder.files import as_zip
from autograder.site import formulas
from autograder.student_kit import ENDINGS, version

RECORDINGS = ".mp3"


def course(root: Path) -> tuple[str, bytes]:
    """The wheel of course_lib: its name and its bytes."""
    return wheel("course-lib", version(root), dict(_course_files(root)), requirements(root))


def drawn_formulas() -> tuple[str, bytes]:
    """The wheel that stands for math-core in a browser: its name and its bytes."""
    module = Path(__file__).with_name("drawn_formulas.py").read_bytes()
    table = json.dumps(formulas.drawn(), ensure_ascii=False, sort_keys=True).encode()
    return wheel("math-core", "0", {"math_core.py": module, "math_core_formulas.json": table})


def requirements(root: Path) -> tuple[str, ...]:
    """The packages that course_lib imports, by name, as pyproject.toml lists them."""
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return tuple(re.split(r"[<>=~!; \[]", line)[0] for line in listed)


def _course_files(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((root / "course_lib").rglob("*")):
        if path.is_file() and (path.suffix in ENDINGS - {RECORDINGS} or path.name == "py.typed"):
            yield path.relative_to(root).as_posix(), path.read_bytes()


def wheel(name: str, number: str, files: Mapping[str, bytes], needed: Sequence[str] = ()) -> tuple[str, bytes]:
    """A pure-Python wheel (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).

    Args:
        name: of the distribution, such as "course-lib".
        number: its version.
        files: path inside the wheel -> content.
        needed: what it requires.

    Returns:
        The name of the file and its bytes.
    """
    stem = f"{name.replace('-', '_')}-{number}"
    info = f"{stem}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n", *(f"Requires-Dist: {n}\n" for n in needed)]
    whole = {
        **files,
        f"{info}/METADATA": "".join(metadata).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: course\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in whole.items()]
    whole[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    return f"{stem}-py3-none-any.whl", as_zip(whole)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
