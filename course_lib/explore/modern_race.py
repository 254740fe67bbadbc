"""The race goes on: Lion and schedule-free SGD beside SGD and Adam, on the surfaces of lesson 04.

    ModernRace(globals())

Lion and schedule-free SGD run on the learner's own steps. Muon is not here: two numbers are no matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_lib._typing import Array
from course_lib.exercises.adaptive_optimizers import adam_step
from course_lib.explore.optimizer_race import OptimizerRace, Racer

BETA = 0.9
"""How much of the point where schedule-free SGD takes its gradient is the mean."""


def _schedule_free(
    step: Callable[..., Any], theta: Array, grad: Array, memory: Sequence[Array], t: int, lr: float
) -> Any:
    """The point y of the next gradient, then the mean x and the point z; all three begin at the start."""
    x, z = (theta, theta) if t == 1 else memory
    x, z = step(x, z, grad, t, lr)
    return (1 - BETA) * z + BETA * x, x, z


class ModernRace(OptimizerRace):
    """Choose a surface, give each racer its rate, and see who comes to rest.

    Schedule-free SGD is drawn where its mean x is. Arguments and attributes are those of `OptimizerRace`.
    """

    name = "The race goes on"
    question = "All run at the rate 0.01. Give each its own best rate instead: whose loss falls the most?"
    racers = (
        Racer("SGD", 0, lambda _function, theta, grad, _memory, _t, lr: (theta - lr * grad,)),
        Racer(
            "Adam",
            2,
            lambda _function, theta, grad, old, t, lr: adam_step(theta, grad, old[0], old[1], t, lr, 0.9, 0.999, 1e-8),
        ),
        Racer(
            "Lion", 1, lambda step, theta, grad, old, _t, lr: step(theta, grad, *old, lr, 0.9, 0.99, 0.0), "lion_step"
        ),
        Racer("schedule-free SGD", 2, _schedule_free, "schedule_free_step", shown=1),
    )
