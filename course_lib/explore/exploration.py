"""What every exploration of the course is: a prediction, controls, and a picture that Python computes at every move.

    class Tangent(Exploration):
        name = "A tangent to move"

        def __init__(self, namespace=None):
            self.at = Slider("x", 1.0, low=-2, high=2, step=0.1)
            super().__init__([[self.at]], namespace, Prediction("Where is the slope 0?", low=-2, high=2))

        def scene(self) -> Scene: ...          # looks at self.at.value

        def came_out(self) -> str | None: ...  # what the prediction was about, once it is to be seen

The page sends what was moved; Python takes the values, calls `scene` and sends arrays back; the page paints. While
Python is busy the page keeps the latest value of each control and sends it afterwards. Prints of a learner's function
are left alone: redirecting them would take those of a cell that runs meanwhile as well.
"""

from __future__ import annotations

import html
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import traitlets

from course_lib.budget import looking
from course_lib.explore.controls import Point, Rows, by_label
from course_lib.explore.marks import Points
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene
from course_lib.live import Live, Resting

SECONDS = 3.0
"""How long a learner's function may take for one move."""


class Exploration(Live):
    """A widget that is moved, runs the learner's functions, and shows a picture.

    Args:
        rows: its controls, row by row.
        namespace: where the learner's functions are looked up, at every move; in a notebook `globals()`.
        prediction: what is asked before the controls open; None opens them at once.

    Attributes:
        name: what it is called by screen readers and in the text that stands there without a kernel.
        one_at_a_time: held while a move is answered. JupyterLab may answer two in two threads; one after the other, the
            last picture shows the last values.
        predicted: the learner's prediction, once there is one.

    Raises:
        ValueError: two controls with one label.
    """

    name = "An exploration"
    predicted: str | None = None

    _esm = Path(__file__).with_name("scene.js")
    _css = Path(__file__).with_name("scene.css")
    title = traitlets.Unicode().tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    told = traitlets.List(traitlets.Unicode()).tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)

    def __init__(
        self, rows: Rows, namespace: Mapping[str, Any] | None = None, prediction: Prediction | None = None
    ) -> None:
        self.one_at_a_time = RLock()
        self._namespace: Mapping[str, Any] = {} if namespace is None else namespace
        self._endless: dict[str, Any] = {}
        self._depth = 0
        self._prediction = prediction
        self._state, self._problem, self._outcome = "open" if prediction else "none", "", ""
        super().__init__(title=self.name)
        with self.at_once():
            self.arrange(rows)
        self.on_msg(self._receive)

    # What a subclass writes.

    def scene(self) -> Scene:
        """What there is to be seen, from the values of the controls; called at every move.

        Whatever a learner's function raises must be caught in it and become a sentence of `Scene.told`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method scene(), which returns a Scene.")

    def came_out(self) -> str | None:
        """What the prediction was about, in words, once this move has shown it; None before."""
        return None

    def scene_at_rest(self) -> Scene:
        """What stands there where no kernel runs: of a fresh exploration made without arguments, so always the same.

        A subclass may first set its controls to a more telling moment.
        """
        return self.scene()

    def settle(self) -> None:
        """Called before `scene` at every move: for what must follow a control, such as other controls (`arrange`)."""

    # What a subclass calls.

    def arrange(self, rows: Rows) -> None:
        """Exchange the controls; those that stay keep their values.

        Raises:
            ValueError: two with one label.
        """
        with self.at_once():
            self._controls, self._rows = by_label(rows), rows
            for control in self._controls.values():
                control.at_once = self.at_once

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within this block controls may change; at the end of the outermost one the picture follows, once."""
        with self.one_at_a_time:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            if self._depth == 0:
                self.redraw()

    def redraw(self) -> None:
        """Show the scene as it is now, as a training loop does after some steps. A move does this by itself."""
        with self.one_at_a_time:
            self._depth += 1  # controls that settle moves do not call for another picture
            try:
                self.settle()
            finally:
                self._depth -= 1
            scene = self.scene()
            if self._state != "none" and not self._outcome:
                self._outcome = self.came_out() or ""
            with self.hold_sync():
                self.rows = [[control.wire() for control in row] for row in self._rows]
                self.picture = scene.wire()
                self.told = list(scene.told)
                self._ask()

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

    # The prediction, and what the page sends.

    def predict(self, given: object) -> None:
        """Commit to a prediction, which opens the controls.

        Raises:
            ValueError: what was given is no answer to the question.
        """
        if self._prediction is None:
            raise ValueError("nothing is asked here: this exploration has no prediction.")
        answer = self._prediction.read(given)
        with self.at_once():
            self.predicted, self._state, self._problem = answer, "committed", ""

    def skip(self) -> None:
        """Open the controls without a prediction."""
        with self.at_once():
            self._state, self._problem = "skipped", ""

    def _ask(self) -> None:
        if self._prediction is None:
            return
        self.asked = {
            **self._prediction.wire(),
            "state": self._state,
            "answer": self.predicted or "",
            "problem": self._problem,
            "outcome": self._outcome if self._state == "committed" else "",
        }

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Answer the page: moves in their order, then one picture."""
        try:
            if "predict" in content:
                try:
                    self.predict(content["predict"])
                except ValueError as error:
                    self._problem = str(error)
                    self._ask()
            elif "skip" in content:
                self.skip()
            else:
                with self.at_once():
                    for move in content.get("moves", []):
                        control = self._controls.get(move.get("label"))
                        if control is not None:  # it may have gone while the move was on its way
                            control.take(move.get("value"))
        except Exception as error:
            said = f"This exploration failed with {type(error).__name__}: {error}."
            self.told = [said, "That is a fault of the course, not yours. Run the cell again to start afresh."]
            raise
        finally:
            self.send({"answered": content.get("number")})

    # Where no kernel runs.

    def resting(self) -> Resting:
        """A picture with its words."""
        written = (kind for kind in type(self).__mro__ if "_anywidget_id" not in kind.__dict__)
        return _resting(next(written))  # anywidget makes a class of each object


@cache
def _resting(kind: Callable[[], Exploration]) -> Resting:
    from course_lib import figures
    from course_lib.explore.paint import paint

    fresh = kind()
    try:
        name, scene = fresh.name, fresh.scene_at_rest()
        points = [control for control in fresh._controls.values() if isinstance(control, Point)]
    finally:
        fresh.close()
    scene = replace(scene, panels=[_with_points(panel, i, points) for i, panel in enumerate(scene.panels)])
    figure = paint(scene)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=figures.SCREEN_DPI, metadata={"Software": None})
    note = f"<p><em>{html.escape(name)}: to move it, open this notebook in JupyterLab and run its cells.</em></p>"
    return Resting(figures.image_html(figure, scene.alt) + note, f"{name}. {scene.alt}", png.getvalue(), scene.alt)


def _with_points(panel: Panel, i: int, points: Sequence[Point]) -> Panel:
    """The i-th panel, with what can be dragged in it drawn as it stands."""
    drawn = [Points([at.value[0]], [at.value[1]], at.look, size=16, marker="o") for at in points if at.panel == i]
    return replace(panel, marks=[*panel.marks, *drawn], xlim=panel.ends[0], ylim=panel.ends[1])


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End Python code within this block that takes longer, by a look at the clock as it goes.

    A widget moves in a thread that JupyterLab's interrupt button does not reach, so a loop without an end would hold
    the kernel until it is restarted.

    Raises:
        TimeoutError: the time is over.
    """
    end = time.monotonic() + seconds
    with looking(lambda: time.monotonic() > end, lambda: TimeoutError(_too_long(seconds))):
        yield


def _too_long(seconds: float) -> str:
    return f"it had not ended after {seconds:g} seconds (is there a loop that never ends?)"
