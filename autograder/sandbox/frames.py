"""What a guest writes, line by line: bounded in memory, and checked before it is used."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import Any

from autograder.sandbox.cold import Process
from autograder.sandbox.guest_kernel import MAX_FRAME

MAX_LINE = MAX_FRAME + 100_000
"""The longest line that is read; of a longer one only the length is."""
_WAITING = 32
_CHUNK = 65_536
_ERRORS = 4_000
LONG = b"?"
"""The kind of a frame that stands for a line which was too long: its content is the length."""


class Frames:
    """The grader's ends of a guest's pipes, read and written by threads, so that a guest that hangs blocks nobody."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._frames: queue.Queue[tuple[bytes, bytes]] = queue.Queue(_WAITING)
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._errors = b""
        self._closed = threading.Event()
        self._at_end = threading.Event()
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._read, self._read_errors, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, content: dict[str, Any]) -> None:
        """Write a line of JSON, as soon as the guest takes it."""
        self._requests.put(json.dumps(content).encode() + b"\n")

    def get(self, seconds: float) -> tuple[bytes, bytes]:
        """The next frame's kind and content.

        Raises:
            queue.Empty: when none came in time.
        """
        return self._frames.get(timeout=seconds)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, or nobody is left to say it."""
        return self._frames.empty() and (self._at_end.wait(1.0) or True)

    def errors(self) -> str:
        """The end of what was written to standard error, which is a back end's own until the guest is ready."""
        self._threads[1].join(1.0)
        return self._errors.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Stop; the guest has ended."""
        self._closed.set()
        self._requests.put(None)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        waiting = b""
        left_out = 0
        with contextlib.suppress(OSError, ValueError):
            while chunk := self._process.stdout.read(_CHUNK):
                *lines, rest = (waiting + chunk).split(b"\n")
                for line in lines:
                    if left_out:
                        self._put(LONG, b"%d" % (left_out + len(line)))
                        left_out = 0
                    elif line:
                        self._put(line[:1], line[1:])
                if left_out:
                    left_out += len(rest)
                    waiting = b""
                elif len(rest) > MAX_LINE:
                    left_out, waiting = len(rest), b""
                    self._put(LONG, b"%d" % left_out)
                else:
                    waiting = rest
        self._at_end.set()

    def _put(self, kind: bytes, content: bytes) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._frames.put((kind, content), timeout=0.2)
                return

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while chunk := self._process.stderr.read(_CHUNK):
                self._errors = (self._errors + chunk)[-_ERRORS:]

    def _write(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while (line := self._requests.get()) is not None:
                view = memoryview(line)
                while view:
                    view = view[self._process.stdin.write(view) or 0 :]


def decode(line: bytes) -> Any:
    """The JSON in a line; None where it is none, is too deep, or holds what JSON has no words for."""
    try:
        return _decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode
