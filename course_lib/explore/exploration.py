"""What every widget of the course needs: one move at a time, an end to endless loops, a form without a kernel.

Prints of a learner's function are left alone: redirecting them would take those of a cell that runs meanwhile as well.
"""

from __future__ import annotations

import base64
import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from types import FrameType
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from course_lib import figures

SECONDS = 3.0
"""How long a learner's function may take for one move of a widget."""


class Exploration(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A widget that is moved, runs the learner's functions, and shows a picture.

    Args:
        children: what it is made of, from top to bottom.
        namespace: where the learner's functions are looked up, at every move; in a notebook `globals()`.

    Attributes:
        one_at_a_time: held while a move is answered. JupyterLab may answer two controls in two threads; one after the
            other, the last picture shows the last values.
    """

    def __init__(self, children: Sequence[widgets.Widget], namespace: Mapping[str, Any] | None = None) -> None:
        self.one_at_a_time = RLock()
        self._namespace: Mapping[str, Any] = {} if namespace is None else namespace
        self._endless: dict[str, Any] = {}
        super().__init__(children)

    def own(self, name: str) -> Callable[..., Any] | None:
        """The learner's function of that name, if there is one."""
        found = self._namespace.get(name)
        return found if callable(found) else None

    @contextmanager
    def limited(self, name: str) -> Iterator[None]:
        """Within this block the learner's function `name` may run, for `SECONDS`; one that ran out is not run again.

        Raises:
            TimeoutError: the time is over, or was for this very function before.
        """
        function = self.own(name)
        if function is not None and self._endless.get(name) is function:
            raise TimeoutError(_too_long(SECONDS))
        try:
            with limited(SECONDS):
                yield
        except TimeoutError:
            self._endless[name] = function
            raise

    def resting(self) -> tuple[Figure, str, str]:
        """What stands there where no kernel runs: a picture, its alternative text, and the words before that."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Beside the live view a picture and a fixed text, for where no kernel runs."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        fig, alt, words = self.resting()
        png = io.BytesIO()
        fig.savefig(png, format="png", dpi=figures.SCREEN_DPI, metadata={"Software": None})
        return {
            **data,
            "text/plain": f"{words} {alt}",
            "text/html": figures.image_html(fig, alt),  # exported pages keep alternative text only in HTML
            "image/png": base64.b64encode(png.getvalue()).decode("ascii"),
        }, {"image/png": {"alt": alt}}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End Python code within this block that takes longer, by a look at the clock as it goes.

    A widget moves in a thread that JupyterLab's interrupt button does not reach, so a loop without an end would hold
    the kernel until it is restarted. Where a debugger watches already, there is no limit.

    Raises:
        TimeoutError: the time is over.
    """
    if sys.gettrace() is not None:
        yield
        return
    end = time.monotonic() + seconds

    def look(frame: FrameType, _event: str, _arg: Any) -> Any:
        frame.f_trace_opcodes = True  # Python 3.11 passes over the lines of `while True: pass`
        if time.monotonic() > end:
            raise TimeoutError(_too_long(seconds))
        return look

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(None)


def _too_long(seconds: float) -> str:
    return f"it had not ended after {seconds:g} seconds (is there a loop that never ends?)"
