"""What a cell of a guest shows, rebuilt from the few fields that the notebook format has, and kept up to a limit."""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.sandbox import Limits
from autograder.sandbox.frames import LONG, decode

MAX_DEPTH = 30
_ERROR = 10_000
"""The most characters of each part of an exception; a traceback has at most 100 parts."""


class Outputs:
    """What a cell shows, kept up to a limit and counted beyond it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.size = 0
        self._found: list[NotebookNode] = []
        self._cut = False
        self._failed = False

    @property
    def flooded(self) -> bool:
        """Whether more came than a cell may show."""
        return self.size > self.limits.output

    def add(self, kind: bytes, line: bytes) -> None:
        """Take a frame; one that shows nothing is counted and passed over."""
        self.size += len(line) + 1
        if kind == LONG:
            self.size += int(line)
            self._cut = True
            return
        content = decode(line) if kind == b"O" else None
        if not isinstance(content, dict):
            return
        shown = content.get("output_type")
        if shown == "clear_output":
            self._found.clear()
        elif shown == "too large":
            self._cut = True
            size = content.get("size")
            self.size += size if type(size) is int and 0 < size < self.limits.output else 0
        else:
            self._keep(as_output(content))

    def _keep(self, output: NotebookNode | None) -> None:
        if output is None:
            return
        kind = output.output_type
        last_word = kind == "error" and not self._failed  # why a cell stopped is told, however much it showed before
        self._failed |= kind == "error"
        if self.size > self.limits.kept_output and not last_word:
            self._cut = True
            if kind != "stream":
                return
            output.text = output.text[: max(0, self.limits.kept_output - (self.size - len(output.text)))]
        last = self._found[-1] if self._found else None
        if kind == "stream" and last is not None and last.output_type == "stream" and last.name == output.name:
            last.text += output.text
        elif kind != "stream" or output.text:
            self._found.append(output)

    def kept(self) -> tuple[NotebookNode, ...]:
        """The outputs, with a line where something was left out."""
        if self._cut:
            text = f"\n[more than {self.limits.kept_output:,} bytes were shown; the rest is left out]\n"
            self._found.append(nbformat.v4.new_output("stream", name="stdout", text=text))
            self._cut = False
        return tuple(self._found)


def as_output(content: dict[str, Any]) -> NotebookNode | None:
    """An output of the notebook format, rebuilt field by field; None for what is not quite one."""
    shown = content.get("output_type")
    output: NotebookNode | None = None
    try:
        if shown == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            output = nbformat.v4.new_output("stream", name=name, text=_text(content.get("text")))
        if shown == "error":
            lines = content.get("traceback")
            traceback = [_text(line)[:_ERROR] for line in lines[-100:]] if isinstance(lines, list) else []
            given = {key: _text(content.get(key))[:_ERROR] for key in ("ename", "evalue")}
            output = nbformat.v4.new_output("error", traceback=traceback, **given)
        elif shown in ("display_data", "execute_result"):
            data = {_mime(mime): _plain(value) for mime, value in dict(content.get("data") or {}).items()}
            metadata = _plain(content.get("metadata") if isinstance(content.get("metadata"), dict) else {})
            more = {"execution_count": None} if shown == "execute_result" else {}
            output = nbformat.v4.new_output(shown, data=data, metadata=metadata, **more)
    except (TypeError, ValueError):
        return None
    return output


def _mime(value: Any) -> str:
    if not 3 <= len(value) <= 100 or "/" not in value:
        raise ValueError("no type of media")
    return _text(value)


def _text(value: Any) -> str:
    """A string that can be written as UTF-8."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.encode("utf-8", "replace").decode("utf-8")


def _plain(value: Any, depth: int = 0) -> Any:
    """JSON that every reader can read: text as UTF-8, numbers of 64 bits, not too deep."""
    if isinstance(value, str):
        return _text(value)
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise ValueError("a number of more than 64 bits")
    if isinstance(value, list | dict) and depth > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
    return value
