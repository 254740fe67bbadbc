"""Let a piece of work end where it can be taken up again when someone presses Ctrl-C."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """Within a `with` block, the first interrupt (SIGINT) is only noted; the second acts as it would have outside.

        with Interrupts() as interrupts:
            for step in work:
                step()
                if interrupts.noted:
                    break

    The handler that was there before is back after the block, whatever happened in it. Python handles signals in the
    main thread alone: elsewhere, and where interrupts are ignored or handled outside Python, this changes nothing.

    Attributes:
        noted: whether there was an interrupt.
        insisted: whether there was a second.
    """

    def __init__(self) -> None:
        self.noted = False
        self.insisted = False
        self._previous: Any = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):  # not SIG_IGN, SIG_DFL, or one from outside Python
                self._previous = handler
                signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            self.insisted = True
            self._previous(number, frame)
        self.noted = True

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
