"""Lesson 02: a loss with its gradient, the walk downhill, and the rate beyond which the walk runs away.

The loss is least squares, the one loss whose valley is a bowl everywhere, so that all of gradient descent can be worked
out: Nocedal and Wright, Numerical Optimization, sections 2.2 and 3.3; Boyd and Vandenberghe, Convex Optimization, 9.3.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Function, call

LESSON = "02_gradient_descent"
WITHHELD = (
    "layers",
    "dropout",
    "batchnorm",
    "losses",
    "network",
    "graph",
    "gradcheck",
    "optimizers",
    "modern_optimizers",
    "range_test",
    "training",
    "sweep",
    "explore",
)
"""Modules of course_lib that hold an equivalent of what this lesson asks, or part of one."""

Gradient = Callable[[Array], Array]


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Numbers of either sign, at least `low` from zero: no entry hides a mistake by being nearly 0."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(low, high, shape) * signs


def _bowl(rng: np.random.Generator, eigenvalues: Array) -> Array:
    """A symmetric matrix with these eigenvalues, its axes turned at random."""
    axes, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))
    H = (axes * eigenvalues) @ axes.T
    return np.asarray((H + H.T) / 2)


# loss_and_gradient ----------------------------------------------------------------------------------------------------


def loss_and_gradient(theta: Array, X: Array, y: Array) -> tuple[float, Array]:
    """Half the mean squared error of the line X @ theta, and its gradient.

    loss = sum((X @ theta - y)**2) / (2 N);  grad = X.T @ (X @ theta - y) / N.
    Source: Boyd and Vandenberghe (2004), Convex Optimization, section 1.2.1, with the mean instead of the sum.

    Args:
        theta: weights, shape (D,).
        X: examples, shape (N, D), N at least 1.
        y: targets, shape (N,).

    Returns:
        The loss, a number at least 0, and its gradient with respect to theta, shape (D,).
    """
    residual = X @ theta - y
    grad: Array = X.T @ residual / len(y)
    return float(residual @ residual) / (2 * len(y)), grad


_LossAndGradient = Callable[[Array, Array, Array], Any]


def _with(
    loss: Callable[[Array, Array], Any] = lambda r, _X: r @ r / (2 * len(r)),
    grad: Callable[[Array, Array], Any] = lambda r, X: X.T @ r / len(r),
    residual: Callable[[Array, Array, Array], Array] = lambda theta, X, y: X @ theta - y,
) -> _LossAndGradient:
    """The answer with one of its three lines done differently; `loss` and `grad` take the residual and X."""

    def wrong(theta: Array, X: Array, y: Array) -> tuple[Any, Any]:
        r = residual(theta, X, y)
        return loss(r, X), grad(r, X)

    return wrong


def _exchanged(theta: Array, X: Array, y: Array) -> tuple[Array, float]:
    loss, grad = loss_and_gradient(theta, X, y)
    return grad, loss


def _multiplied_out(theta: Array, X: Array, y: Array) -> tuple[float, Array]:
    n = len(y)
    square = theta @ X.T @ X @ theta - 2 * (y @ X @ theta) + y @ y
    grad: Array = (X.T @ X @ theta - X.T @ y) / n
    return float(square) / (2 * n), grad


def _residuals_weighted(theta: Array, X: Array, y: Array) -> tuple[float, Array]:
    loss, _ = loss_and_gradient(theta, X, y)
    return loss, X.sum(axis=0) * loss


def _loss_case(theta: Array, X: Array, y: Array, label: str) -> Case:
    return Case((call("loss_and_gradient", theta=theta, X=X, y=y),), label=label)


def _loss_drawn(rng: np.random.Generator, n: int, d: int, label: str = "") -> Case:
    theta, X = _away_from_zero(rng, (d,)), _away_from_zero(rng, (n, d))
    y = X @ theta + _away_from_zero(rng, (n,))
    return _loss_case(theta, X, y, label or f"N = {n}, D = {d}")


def _loss_ordinary(rng: np.random.Generator) -> list[Case]:
    return [_loss_drawn(rng, n, d) for n, d in ((5, 3), (4, 4), (3, 6), (8, 2))]


def _loss_edge(rng: np.random.Generator) -> list[Case]:
    theta, X = _away_from_zero(rng, (3,)), _away_from_zero(rng, (4, 3))
    whole = rng.integers(1, 5, (4, 3)).astype(float)  # whole numbers leave no rounding behind
    at_zero = _loss_case(np.zeros(3), X, _away_from_zero(rng, (4,)), "theta is zero")
    exact = _loss_case(np.arange(1.0, 4.0), whole, whole @ np.arange(1.0, 4.0), "an exact fit")
    return [
        _loss_drawn(rng, 1, 3),
        _loss_drawn(rng, 6, 1),
        at_zero,
        exact,
        _loss_case(theta, X, np.zeros(4), "y is zero"),
    ]


def _loss_nasty(rng: np.random.Generator) -> list[Case]:
    theta, X = _away_from_zero(rng, (3,)), _away_from_zero(rng, (5, 3))
    scales = np.array([1e3, 1.0, 1e-3])
    far, counts = np.rint(1e6 * _away_from_zero(rng, (3,))), 1.0 + rng.integers(0, 4, (6, 3))
    near = _loss_case(far, counts, counts @ far + _away_from_zero(rng, (6,)), "y near a million")
    single = [array.astype(np.float32) for array in (theta, X, _away_from_zero(rng, (5,), 4.0, 6.0))]
    return [
        _loss_case(theta / scales, X * scales, _away_from_zero(rng, (5,)), "columns a million apart in scale"),
        near,
        _loss_case(theta * 1e-120, X, _away_from_zero(rng, (5,)) * 1e-120, "y near 1e-120"),
        _loss_case(theta * 1e120, X, _away_from_zero(rng, (5,)) * 1e120, "y near 1e120"),
        _loss_case(single[0], single[1], single[2], "float32"),
    ]


LOSS_AND_GRADIENT = Exercise(
    name="loss_and_gradient",
    lesson=LESSON,
    question="Compute the loss sum((X @ theta - y)**2) / (2N) and its gradient with respect to theta.",
    outputs=("loss", "grad"),
    reference=loss_and_gradient,
    groups=(
        Group("ordinary", "Ordinary data", 3, _loss_ordinary),
        Group("edge", "One example, one weight, an exact fit", 1, _loss_edge),
        Group("nasty", "Huge, tiny, float32", 1, _loss_nasty),
    ),
    misconceptions=(
        Misconception(
            "twice_the_loss",
            "The loss is right but for a factor of 2: the 2 of `2N` is missing. The gradient has none, because the "
            "slope of a square brings its own 2.",
            _with(loss=lambda r, _X: r @ r / len(r)),
            "One example, residual 3: the loss is 9 / 2 = 4.5, not 9. Divide by `2 * N`, with the brackets.",
        ),
        Misconception(
            "twice_the_gradient",
            "The gradient is twice too large. The slope of a square brings a factor 2, and the 2 of `2N` takes it "
            "away again.",
            _with(grad=lambda r, X: 2 * X.T @ r / len(r)),
            "Nudge by hand: with X = [[1]], y = [0], theta = [3] the loss is theta**2 / 2, and its slope is theta = 3.",
        ),
        Misconception(
            "mean_squared_error",
            "Loss and gradient are both twice too large: this is the plain mean of squares. Here the loss is half of "
            "that: divide by 2N.",
            _with(loss=lambda r, _X: r @ r / len(r), grad=lambda r, X: 2 * X.T @ r / len(r)),
            "Both conventions are in use, and a rate that is right for one is off by 2 for the other. Read the "
            "formula again: the sum is divided by `2 * N`.",
        ),
        Misconception(
            "precedence",
            "The loss is multiplied by N instead of divided: `a / 2 * N` means `(a / 2) * N`. Write `a / (2 * N)`.",
            _with(loss=lambda r, _X: r @ r / 2 * len(r)),
        ),
        Misconception(
            "summed_not_averaged",
            "Loss and gradient are sums over the examples: N times too large. Divide both by N, the number of rows.",
            _with(loss=lambda r, _X: r @ r / 2, grad=lambda r, X: X.T @ r),
            "Twice the data should not mean twice the loss. Where does N come in?",
        ),
        Misconception(
            "gradient_not_averaged",
            "The loss is an average, but the gradient is a sum: N times too large. It needs the same 1/N.",
            _with(grad=lambda r, X: X.T @ r),
            "Differentiate the loss as it stands: the 1/N is a constant factor, so it stays.",
        ),
        Misconception(
            "averaged_twice",
            "The gradient is divided by N twice. The mean enters once.",
            _with(grad=lambda r, X: X.T @ r / len(r) ** 2),
            "`np.mean` divides by N already. Is there a second division in your line?",
        ),
        Misconception(
            "divided_by_d",
            "You divide by the number of weights D. The mean is over examples: divide by N, the number of rows of X.",
            _with(loss=lambda r, X: r @ r / (2 * X.shape[1]), grad=lambda r, X: X.T @ r / X.shape[1]),
            "X has the shape (N, D). `X.shape[0]` and `len(y)` are N; `len(theta)` is D.",
        ),
        Misconception(
            "sign_flipped",
            "The gradient points downhill. A gradient points up: it is X.T @ (X @ theta - y), prediction minus target.",
            _with(grad=lambda r, X: -X.T @ r / len(r)),
            "`(y - X @ theta)**2` is the same loss, but its inner slope brings a minus. Which order did you use?",
        ),
        Misconception(
            "not_transposed",
            "X multiplies the residual without being turned over, which fits only when N equals D. One slope for each "
            "weight means one for each *column*: use `X.T`.",
            _with(grad=lambda r, X: X @ r / len(r)),
            "Write the shapes: X.T (D, N) times residual (N,) gives (D,). X (N, D) times (N,) fits only if N = D.",
        ),
        Misconception(
            "inputs_forgotten",
            "The gradient is the mean residual, the same for every weight. Each weight's slope is the residual "
            "weighted by *its* column of X.",
            _with(grad=lambda r, X: np.full(X.shape[1], r.mean())),
            "If a column of X is all zeros, its weight changes nothing: its slope must be 0. Is yours?",
        ),
        Misconception(
            "mean_times_mean",
            "The gradient is the mean residual times the mean input. The mean of products is not the product of the "
            "means: multiply each residual by its own input first, then take the mean.",
            _with(grad=lambda r, X: r.mean() * X.mean(axis=0)),
            "Residuals [1, -1] and inputs [2, -2]: both means are 0, yet the products are 2 and 2, with the mean 2.",
        ),
        Misconception(
            "predictions_added_up",
            "The prediction is one number for all examples: `np.sum` without an axis adds up the rows as well. Each "
            "example has its own: `X @ theta`, shape (N,).",
            _with(residual=lambda theta, X, y: np.sum(X * theta) - y),
            "Print the shape of your predictions. It should be (N,), one for each row of X.",
        ),
        Misconception(
            "loss_in_the_gradient",
            "The gradient is built from the loss itself. It needs the residual of each example with its sign: X.T @ "
            "residual.",
            _residuals_weighted,
            "A loss is never negative, so a gradient built from it cannot say on which side of the target you are.",
        ),
        Misconception(
            "not_squared",
            "The residuals are added without being squared, so errors of either sign cancel.",
            _with(loss=lambda r, _X: r.sum() / (2 * len(r))),
            "Residuals of +3 and -3 are two errors, not none. What does the square do to their signs?",
        ),
        Misconception(
            "absolute_error",
            "This is the mean of absolute errors. The loss here takes squares.",
            _with(loss=lambda r, _X: np.abs(r).sum() / (2 * len(r))),
        ),
        Misconception(
            "root_taken",
            "A root is taken: `np.linalg.norm` is the root of the sum of squares. The loss is the sum of squares "
            "itself, over 2N.",
            _with(loss=lambda r, _X: np.linalg.norm(r) / (2 * len(r))),
        ),
        Misconception(
            "root_mean_square",
            "This is the root of the mean square. The loss here has no root: sum of squares over 2N.",
            _with(loss=lambda r, _X: np.sqrt(np.mean(r**2))),
        ),
        Misconception(
            "loss_of_each_example",
            "One loss for each example came back. Add them up: the loss is one number.",
            _with(loss=lambda r, _X: r**2 / (2 * len(r))),
        ),
        Misconception(
            "column_minus_row",
            "A column of shape (N, 1) minus a row of shape (N,) gives a table of N by N differences, and nothing "
            "warns you. Keep predictions and targets both in the shape (N,).",
            _with(
                loss=lambda r, X: (r**2).sum() / (2 * len(X)),
                grad=lambda r, X: X.T @ r / len(X),
                residual=lambda theta, X, y: (X @ theta)[:, None] - y,
            ),
            "Print `(X @ theta - y).shape`. It should be (N,). Did a `reshape(-1, 1)` slip in?",
        ),
        Misconception(
            "gradient_as_column",
            "The gradient has the shape (D, 1). It belongs to theta, so it has theta's shape, (D,).",
            _with(grad=lambda r, X: X.T @ r[:, None] / len(r)),
        ),
        Misconception(
            "exchanged",
            "Loss and gradient come back in the wrong order. Return the loss first.",
            _exchanged,
        ),
        Misconception(
            "multiplied_out",
            "The square is multiplied out, and large numbers that nearly cancel eat the digits. Subtract first, then "
            "square: `residual = X @ theta - y`.",
            _multiplied_out,
            "1000001**2 - 2 * 1000001 * 1000000 + 1000000**2 is 1, but its terms have 13 digits. `(1000001 - "
            "1000000)**2` needs one.",
        ),
    ),
    hints=(
        cleandoc("""
            Take N = 2 examples and D = 1 weight: X = [[1], [2]], shape (2, 1); y = [1, 1], shape (2,); theta = [3],
            shape (1,).

            Predictions: [3, 6]. Residuals: [2, 5]. Loss: (4 + 25) / (2 * 2) = 7.25.

            Gradient: each residual times its own input, averaged: (2 * 1 + 5 * 2) / 2 = 6. So `(7.25, [6.0])`.
            """),
        cleandoc("""
            First the residual of every example: prediction minus target, shape (N,). The loss is the sum of their
            squares, divided by twice the number of examples. For the gradient, every weight collects each
            residual times the input that this weight saw, and takes the mean over the examples. One matrix product does
            that for all weights at once: which of X and X.T has a row for each weight?
            """),
        cleandoc("""
            ```python
            residual = X @ theta - y
            loss = np.sum(residual**2) / ____
            grad = ____ @ residual / len(y)
            return loss, grad
            ```

            Why does the 2 of the loss not appear in the gradient?
            """),
    ),
    minutes=7,
    difficulty=2,
)


# gradient_descent -----------------------------------------------------------------------------------------------------


def gradient_descent(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    """The path of gradient descent: the start, then the place after each step.

    theta = theta - lr * grad(theta).
    Source: Cauchy (1847), Méthode générale pour la résolution des systèmes d'équations simultanées, with a fixed rate.

    Args:
        grad: takes weights of shape (D,), returns the gradient there, shape (D,).
        theta0: the start, shape (D,).
        lr: the learning rate, at least 0.
        steps: how many steps, at least 0.

    Returns:
        The path, shape (steps + 1, D); its first row is theta0.
    """
    path = [theta0]
    for _ in range(steps):
        path.append(path[-1] - lr * grad(path[-1]))
    return np.array(path)


_Descent = Callable[[Gradient, Array, float, int], Any]


def _walk(move: Callable[[Gradient, Array, Array, float, int], Array]) -> _Descent:
    """A path whose next place is `move(grad, theta, theta0, lr, t)`, with t = 0 at the first step."""

    def wrong(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
        path = [theta0]
        for t in range(steps):
            path.append(move(grad, path[-1], theta0, lr, t))
        return np.array(path)

    return wrong


def _entry_by_entry(grad: Gradient, theta: Array, _theta0: Array, lr: float, _t: int) -> Array:
    moved = theta.copy()
    for i in range(len(theta)):
        moved[i] -= lr * grad(moved)[i]
    return moved


def _one_array(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    theta = theta0.copy()
    path = [theta]
    for _ in range(steps):
        theta -= lr * grad(theta)
        path.append(theta)
    return np.array(path)


def _theta0_walks(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    theta = theta0
    path = [theta.copy()]
    for _ in range(steps):
        theta -= lr * grad(theta)
        path.append(theta.copy())
    return np.array(path)


def _one_array_theta0(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    theta = theta0
    path = [theta]
    for _ in range(steps):
        theta -= lr * grad(theta)
        path.append(theta)
    return np.array(path)


def _gradients_added_up(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    path, total = [theta0], np.zeros_like(theta0)
    for _ in range(steps):
        total = total + grad(path[-1])
        path.append(path[-1] - lr * total)
    return np.array(path)


def _stops_on_flat_ground(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    path = [theta0]
    for _ in range(steps):
        slope = grad(path[-1])
        if np.linalg.norm(slope) < 1e-6:
            break
        path.append(path[-1] - lr * slope)
    return np.array(path)


def _gives_up(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    path = [theta0]
    for _ in range(steps):
        if np.abs(path[-1]).max() > 1e6:
            break
        path.append(path[-1] - lr * grad(path[-1]))
    return np.array(path)


def _with_momentum(grad: Gradient, theta0: Array, lr: float, steps: int) -> Array:
    path, velocity = [theta0], np.zeros_like(theta0)
    for _ in range(steps):
        velocity = 0.9 * velocity + grad(path[-1])
        path.append(path[-1] - lr * velocity)
    return np.array(path)


def _rows_missing(which: slice, more: int = 0) -> _Descent:
    return lambda grad, theta0, lr, steps: gradient_descent(grad, theta0, lr, steps + more)[which].copy()


def _descent_case(function: Function, theta0: Array, lr: float, steps: int, label: str) -> Case:
    return Case((call("gradient_descent", grad=function, theta0=theta0, lr=lr, steps=steps),), label=label)


def _coupled(rng: np.random.Generator, d: int, low: float = 0.5, high: float = 2.0) -> Function:
    """The gradient of a bowl whose axes are not the weights': slopes that depend on one another."""
    eigenvalues = np.linspace(low, high, d) if d > 1 else np.array([high])
    return Function("matrix_product", {"W": _bowl(rng, eigenvalues)})


def _descent_ordinary(rng: np.random.Generator) -> list[Case]:
    rates = rng.uniform(0.1, 0.3, 3)
    floor_elsewhere = Function("polynomial", {"coefficients": _away_from_zero(rng, (2,), 1.0, 2.0) ** [1, 2]})
    no_bowl = Function("polynomial", {"coefficients": np.array([rng.uniform(0.5, 1), rng.uniform(0.5, 1), 0.0, 0.5])})
    return [
        _descent_case(_coupled(rng, 3), _away_from_zero(rng, (3,)), float(rates[0]), 5, "a bowl, D = 3, 5 steps"),
        _descent_case(
            floor_elsewhere, _away_from_zero(rng, (4,)), float(rates[1]), 6, "a bowl with its floor elsewhere, D = 4"
        ),
        _descent_case(no_bowl, _away_from_zero(rng, (2,)), float(rates[2]) / 2, 7, "no bowl, D = 2, 7 steps"),
        _descent_case(_coupled(rng, 4), _away_from_zero(rng, (4,)), 0.8, 4, "a rate that overshoots, D = 4, 4 steps"),
    ]


def _descent_edge(rng: np.random.Generator) -> list[Case]:
    bowl = _coupled(rng, 3)
    return [
        _descent_case(bowl, _away_from_zero(rng, (3,)), 0.2, 0, "steps = 0"),
        _descent_case(bowl, _away_from_zero(rng, (3,)), 0.2, 1, "one step"),
        _descent_case(_coupled(rng, 1), _away_from_zero(rng, (1,)), 0.3, 4, "D = 1"),
        _descent_case(bowl, _away_from_zero(rng, (3,)), 0.0, 3, "lr = 0"),
        _descent_case(bowl, np.zeros(3), 0.2, 3, "the start is the floor"),
    ]


def _descent_nasty(rng: np.random.Generator) -> list[Case]:
    start = _away_from_zero(rng, (3,))
    single = Function("matrix_product", {"W": _bowl(rng, np.linspace(0.5, 2.0, 3)).astype(np.float32)})
    return [
        _descent_case(_coupled(rng, 3), start, 2.0, 40, "a rate at which it runs away"),
        _descent_case(_coupled(rng, 3, 1e-4, 1.0), start, 1.5, 150, "a long narrow valley, 150 steps"),
        _descent_case(_coupled(rng, 3), start * 1e-150, 0.2, 6, "places near 1e-150"),
        _descent_case(_coupled(rng, 3), start * 1e150, 0.2, 6, "places near 1e150"),
        _descent_case(single, start.astype(np.float32), 0.25, 5, "float32"),
    ]


GRADIENT_DESCENT = Exercise(
    name="gradient_descent",
    lesson=LESSON,
    question="Walk `steps` steps downhill from theta0, and return every place on the way, the start included.",
    outputs=("path",),
    reference=gradient_descent,
    groups=(
        Group("ordinary", "Ordinary walks", 3, _descent_ordinary),
        Group("edge", "No step, one weight, flat ground", 1, _descent_edge),
        Group("nasty", "Running away, a narrow valley, float32", 1, _descent_nasty),
    ),
    misconceptions=(
        Misconception(
            "uphill",
            "The walk goes uphill. The gradient points up, so the step is subtracted: look at the sign before `lr`.",
            _walk(lambda grad, theta, _start, lr, _t: theta + lr * grad(theta)),
            "With a slope of +1 the loss grows when theta grows. In which direction must theta go?",
        ),
        Misconception(
            "gradient_of_the_start",
            "Every step uses the slope at the start. Ask for the gradient afresh, at the place where you stand now.",
            _walk(lambda grad, theta, start, lr, _t: theta - lr * grad(start)),
            "From 4 with slope theta and lr = 0.5: 4, 2, 1, 0.5. With the slope of the start: 4, 2, 0, -2. Which "
            "place do you hand to `grad`?",
        ),
        Misconception(
            "back_to_the_start",
            "Each step is taken from theta0 instead of from where the last step ended.",
            _walk(lambda grad, theta, start, lr, _t: start - lr * grad(theta)),
            "The hiker does not go back to the car park after every step. What stands to the left of the minus?",
        ),
        Misconception(
            "entry_by_entry",
            "The weights are moved one after the other, and the later ones already see the moved ones. Take the whole "
            "gradient at one place, then move all weights together.",
            _walk(_entry_by_entry),
            "Compute `slope = grad(theta)` once, before anything moves. Then `theta - lr * slope` moves all at once.",
        ),
        Misconception(
            "same_array_every_row",
            "All rows of the path are the last place. `theta -= ...` changes the one array that the list holds again "
            "and again. Write `theta = theta - ...`, which makes a new one.",
            _one_array,
            "`path.append(theta)` stores the array, not a picture of it. Change it later, and all entries change.",
        ),
        Misconception(
            "theta0_in_every_row",
            "All rows of the path are the last place, and theta0 is it too: `theta = theta0` copies nothing, and "
            "`theta -= ...` changes the one array there is. Write `theta = theta - ...`, which makes a new one.",
            _one_array_theta0,
            "`path.append(theta)` stores the array, not a picture of it. Change it later, and all entries change.",
        ),
        Misconception(
            "theta0_changed",
            "The path is right, but the caller's theta0 was walked away with: `theta = theta0` copies nothing. Write "
            "`theta = theta - ...`, or start from `theta0.copy()`.",
            _theta0_walks,
            "After `theta = theta0`, both names mean one array. `-=` changes that array; `theta = theta - ...` makes "
            "a new one.",
        ),
        Misconception(
            "lr_forgotten",
            "The learning rate has no effect: each step subtracts the whole gradient. Multiply it by `lr`.",
            _walk(lambda grad, theta, _start, _lr, _t: theta - grad(theta)),
        ),
        Misconception(
            "unit_steps",
            "Every step has the length lr. Here the gradient is not shortened to length 1: steps get shorter by "
            "themselves as the ground gets flatter.",
            _walk(
                lambda grad, theta, _start, lr, _t: (
                    theta - lr * grad(theta) / max(float(np.linalg.norm(grad(theta))), 1e-300)
                )
            ),
            "Near the floor the slope is nearly 0. How long should a step be there? Take out the division by the norm.",
        ),
        Misconception(
            "sign_only",
            "Only the sign of the slope is used. Its size matters as well: steep weights move further.",
            _walk(lambda grad, theta, _start, lr, _t: theta - lr * np.sign(grad(theta))),
        ),
        Misconception(
            "rate_divided",
            "The gradient is divided by lr. The rate is a factor: a larger one makes longer steps.",
            _walk(lambda grad, theta, _start, lr, _t: theta - grad(theta) / lr),
        ),
        Misconception(
            "rate_decays",
            "The rate shrinks from step to step. That is a schedule (lesson 09); here lr stays as it is.",
            _walk(lambda grad, theta, _start, lr, t: theta - lr / (t + 1) * grad(theta)),
        ),
        Misconception(
            "gradients_added_up",
            "The gradients of all earlier steps are added to this one. Each step uses the gradient of its own place.",
            _gradients_added_up,
            "Is there a `+=` on the gradient, or a total that is never set back to 0?",
        ),
        Misconception(
            "momentum",
            "This is momentum: part of the last step is taken again. That is lesson 03; here each step is lr times "
            "the gradient, and nothing else.",
            _with_momentum,
        ),
        Misconception(
            "start_missing",
            "The path begins after the first step. Its first row is theta0: steps + 1 rows in all.",
            _rows_missing(slice(1, None)),
            "Three steps pass four places, counting the one you come from. Put theta0 into the path before the loop.",
        ),
        Misconception(
            "end_missing",
            "The last step is missing from the path: each place is stored before the step, and none after the last. "
            "steps + 1 rows.",
            _rows_missing(slice(None, -1)),
            "Store theta after each step, and theta0 once before the loop.",
        ),
        Misconception(
            "one_step_too_many",
            "The path has one row too many: theta0 and `steps` steps make steps + 1 rows.",
            _rows_missing(slice(None), 1),
            "`range(steps + 1)` runs steps + 1 times. With theta0 before the loop that is one too many.",
        ),
        Misconception(
            "last_place_only",
            "Only the last place came back. Return the whole path, a row for each place: shape (steps + 1, D).",
            lambda grad, theta0, lr, steps: gradient_descent(grad, theta0, lr, steps)[-1],
        ),
        Misconception(
            "list_returned",
            "The path is a list of arrays. Make one array of it: `np.array(path)`, shape (steps + 1, D).",
            lambda grad, theta0, lr, steps: list(gradient_descent(grad, theta0, lr, steps)),
        ),
        Misconception(
            "transposed",
            "The path lies on its side: places are rows, so its shape is (steps + 1, D).",
            lambda grad, theta0, lr, steps: gradient_descent(grad, theta0, lr, steps).T.copy(),
        ),
        Misconception(
            "stops_on_flat_ground",
            "The walk ends early where the gradient is small. Take exactly `steps` steps: the path always has "
            "steps + 1 rows.",
            _stops_on_flat_ground,
            "On flat ground a step of lr times 0 stays where it is, and that is right. No `break` is needed.",
        ),
        Misconception(
            "gives_up",
            "The walk ends when theta has become large. Running away is something to look at in this lesson: take "
            "exactly `steps` steps.",
            _gives_up,
        ),
    ),
    hints=(
        cleandoc("""
            Take the loss theta**2 / 2, whose gradient is theta itself, with D = 1: `theta0 = [4]`, shape (1,),
            lr = 0.5, steps = 3.

            From 4 the slope is 4: go to 4 - 0.5 * 4 = 2. From 2: 2 - 0.5 * 2 = 1. From 1: 0.5.

            The path is [[4], [2], [1], [0.5]], shape (4, 1): the start and three steps.
            """),
        cleandoc("""
            Begin the path with theta0. Then, `steps` times: ask `grad` for the gradient at the place where you
            stand, and go from there to a *new* place, lr times the gradient lower. Add that place to the path. At the
            end make one array of all places.
            """),
        cleandoc("""
            ```python
            theta = theta0
            path = [theta]
            for _ in range(steps):
                theta = theta - lr * ____
                path.append(____)
            return np.array(path)
            ```

            Why does `theta = theta - ...` work here, and `theta -= ...` not?
            """),
    ),
    minutes=8,
    difficulty=2,
)


# max_stable_lr --------------------------------------------------------------------------------------------------------


def max_stable_lr(H: Array) -> float:
    """The learning rate beyond which gradient descent on a bowl with this Hessian runs away: 2 / lambda_max.

    Along an eigenvector with eigenvalue lam, a step multiplies the distance to the floor by 1 - lr * lam. That stays
    within -1 and 1 for every eigenvalue exactly while lr <= 2 / lambda_max.
    Source: Nesterov (2018), Lectures on convex optimization, section 1.2.3, on a quadratic.

    Args:
        H: the matrix of second derivatives, symmetric, shape (D, D), no eigenvalue below 0, the largest above 0.

    Returns:
        The rate, above 0.
    """
    return float(2 / np.linalg.eigvalsh(H)[-1])


def _from_eigenvalues(rate: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """A rate from the eigenvalues in rising order."""
    return lambda H: rate(np.linalg.eigvalsh(H))


def _power_iteration_from_ones(H: Array) -> float:
    v = np.ones(len(H))
    for _ in range(100):
        v = H @ v
        v = v / np.linalg.norm(v)
    return float(2 / (v @ H @ v))


def _stable_case(H: Array, label: str) -> Case:
    return Case((call("max_stable_lr", H=H),), label=label)


def _stable_ordinary(rng: np.random.Generator) -> list[Case]:
    unsorted = rng.uniform([2.5, 5.0, 0.5, 1.5], [4.0, 6.0, 1.0, 2.0])  # neither end holds the largest or smallest
    X = _away_from_zero(rng, (7, 4))
    return [
        _stable_case(np.diag(unsorted), "a diagonal matrix"),
        _stable_case(_bowl(rng, np.array([rng.uniform(0.5, 1), rng.uniform(2, 4)])), "D = 2"),
        _stable_case(_bowl(rng, rng.uniform(0.3, 3.0, 5)), "D = 5"),
        _stable_case(X.T @ X / 7, "H = X.T @ X / N"),
    ]


def _stable_edge(rng: np.random.Generator) -> list[Case]:
    x = _away_from_zero(rng, (4,))
    return [
        _stable_case(rng.uniform(2, 5, (1, 1)), "D = 1"),
        _stable_case(float(rng.uniform(2, 5)) * np.eye(3), "the same curvature everywhere"),
        _stable_case(np.outer(x, x), "flat in all directions but one"),
        _stable_case(np.diag([0.0, float(rng.uniform(2, 5)), 0.0]), "two weights that do nothing"),
    ]


def _stable_nasty(rng: np.random.Generator) -> list[Case]:
    steep = float(rng.uniform(3, 5))
    against_ones = np.array([[steep + 1, 1 - steep], [1 - steep, steep + 1]]) / 2  # steepest along (1, -1)
    return [
        _stable_case(_bowl(rng, np.array([1e-6, 1.0, 1e6])), "condition number 1e12"),
        _stable_case(against_ones, "steepest where the weights move against each other"),
        _stable_case(_bowl(rng, rng.uniform(1, 3, 3)) * 1e-200, "curvatures near 1e-200"),
        _stable_case(_bowl(rng, rng.uniform(1, 3, 3)) * 1e200, "curvatures near 1e200"),
        _stable_case(_bowl(rng, rng.uniform(1, 3, 4)).astype(np.float32), "float32"),
    ]


MAX_STABLE_LR = Exercise(
    name="max_stable_lr",
    lesson=LESSON,
    question="Find the learning rate beyond which gradient descent on a bowl with the Hessian H runs away.",
    outputs=("lr",),
    reference=max_stable_lr,
    groups=(
        Group("ordinary", "Ordinary bowls", 2, _stable_ordinary),
        Group("edge", "One weight, round, flat", 1, _stable_edge),
        Group("nasty", "Long valleys, huge, tiny, float32", 1, _stable_nasty),
    ),
    misconceptions=(
        Misconception(
            "half_the_limit",
            "This is 1 / lambda_max: the rate that lands on the floor of the steepest direction in one step. The walk "
            "overshoots beyond it, but it runs away only beyond twice that.",
            _from_eigenvalues(lambda e: 1 / e[-1]),
            "With curvature 1 and lr = 1.5, a start at 4 goes to -2, 1, -0.5: it overshoots, and still arrives. At "
            "which rate does it stop getting closer?",
        ),
        Misconception(
            "fastest_rate",
            "This is 2 / (lambda_min + lambda_max), the rate that arrives *soonest*. Asked is the largest that does "
            "not run away, and the flattest direction plays no part in that.",
            _from_eigenvalues(lambda e: 2 / (e[0] + e[-1])),
        ),
        Misconception(
            "smallest_eigenvalue",
            "The smallest eigenvalue is used. `eigvalsh` sorts upwards, so the largest stands last: the steepest "
            "direction is the first to run away.",
            _from_eigenvalues(lambda e: 2 / e[0]),
            "For H = diag(1, 10), shape (2, 2): the limit is 0.2, not 2. Which direction runs away at lr = 1?",
        ),
        Misconception(
            "eigenvalue_returned",
            "The largest eigenvalue itself came back. The steeper the bowl, the *smaller* the rate must be: 2 over it.",
            _from_eigenvalues(lambda e: e[-1]),
        ),
        Misconception(
            "upside_down",
            "The fraction is upside down: 2 / lambda_max, not lambda_max / 2.",
            _from_eigenvalues(lambda e: e[-1] / 2),
        ),
        Misconception(
            "trace",
            "The trace is the sum of all eigenvalues. The limit comes from the largest alone.",
            lambda H: 2 / np.trace(H),
            "For H = diag(1, 10) the trace is 11. But at lr = 0.19 neither direction runs away yet: 1 - 0.19 * 10 is "
            "-0.9.",
        ),
        Misconception(
            "mean_eigenvalue",
            "The mean of the eigenvalues is used. A walk runs away when it does so along one direction: take the "
            "largest.",
            _from_eigenvalues(lambda e: 2 / e.mean()),
        ),
        Misconception(
            "frobenius_norm",
            "`np.linalg.norm(H)` is the root of the sum of all squares. The largest eigenvalue is `np.linalg.norm(H, "
            "2)`, or the last of `eigvalsh`.",
            lambda H: 2 / np.linalg.norm(H),
        ),
        Misconception(
            "largest_entry",
            "The largest number in the matrix is used. Only for a diagonal matrix is that the largest eigenvalue; in a "
            "turned bowl the steepest direction mixes the weights.",
            lambda H: 2 / H.max(),
            "H = [[1, 0.9], [0.9, 1]]: along (1, 1) the curvature is 1.9, more than any entry.",
        ),
        Misconception(
            "row_sums",
            "The largest row sum of |H| is a bound on the eigenvalue, not the eigenvalue: the rate is too small.",
            lambda H: 2 / np.abs(H).sum(axis=1).max(),
        ),
        Misconception(
            "first_unsorted",
            "`np.linalg.eig` and `eigvals` do not sort: their first value is any of the eigenvalues. Take the maximum, "
            "or use `eigvalsh`, which sorts.",
            lambda H: float(2 / np.linalg.eigvals(H)[0].real),
        ),
        Misconception(
            "last_unsorted",
            "`np.linalg.eig` and `eigvals` do not sort: their last value is any of the eigenvalues. Take the maximum, "
            "or use `eigvalsh`, which sorts.",
            lambda H: float(2 / np.linalg.eigvals(H)[-1].real),
        ),
        Misconception(
            "squared",
            "The eigenvalue is squared: 2 / lambda_max**2. H is already the matrix of curvatures; do not form H.T @ H.",
            _from_eigenvalues(lambda e: 2 / e[-1] ** 2),
        ),
        Misconception(
            "root_taken",
            "A root is taken: 2 / sqrt(lambda_max). H is X.T @ X / N already, not X.",
            _from_eigenvalues(lambda e: 2 / np.sqrt(e[-1])),
        ),
        Misconception(
            "determinant",
            "The determinant is the product of all eigenvalues. The limit comes from the largest alone.",
            lambda H: 2 / np.linalg.det(H),
        ),
        Misconception(
            "condition_number",
            "This uses the condition number, lambda_max / lambda_min. It says how *slow* the walk will be, not when "
            "it runs away.",
            _from_eigenvalues(lambda e: 2 / (e[-1] / e[0])),
        ),
        Misconception(
            "eigenvector_used",
            "`np.linalg.eigh` returns two things, the eigenvalues first, then the eigenvectors. Index 1 holds the "
            "vectors.",
            lambda H: 2 / np.linalg.eigh(H)[1].max(),
        ),
        Misconception(
            "rate_for_each_direction",
            "One rate for each direction came back. There is one rate for all: the steepest direction sets it.",
            _from_eigenvalues(lambda e: 2 / e),
            "Gradient descent multiplies the whole gradient by one number. Which of yours is safe for all directions?",
        ),
        Misconception(
            "power_iteration_from_ones",
            "The search for the steepest direction starts at (1, 1, ...). If that is one of the flatter directions, it "
            "never leaves it. Use `np.linalg.eigvalsh`.",
            _power_iteration_from_ones,
            "Try H = [[2, -1], [-1, 2]]: H @ [1, 1] is [1, 1], but the curvature along [1, -1] is 3.",
        ),
    ),
    hints=(
        cleandoc("""
            Take H = [[2, 0], [0, 5]], shape (2, 2): a bowl with the curvatures 2 and 5. A step multiplies the distance
            to the floor by 1 - 2 * lr in the first direction and by 1 - 5 * lr in the second.

            With lr = 0.3: 0.4 and -0.5, both shrink. With lr = 0.4: 0.2 and -1, the second swings without end. With lr
            = 0.5: 0 and -1.5, it runs away. The limit is 0.4 = 2 / 5.
            """),
        cleandoc("""
            Find the curvature of the steepest direction. In a bowl that is turned, no entry of H shows it: it is the
            largest eigenvalue. The limit is 2 divided by it. `np.linalg.eigvalsh` gives the eigenvalues of a
            symmetric matrix in rising order, whatever their size.
            """),
        cleandoc("""
            ```python
            curvatures = np.linalg.eigvalsh(H)
            return ____ / ____
            ```

            Why is it the largest that counts, although most directions would bear a larger rate?
            """),
    ),
    minutes=5,
    difficulty=1,
)


EXERCISES: tuple[Exercise, ...] = (LOSS_AND_GRADIENT, GRADIENT_DESCENT, MAX_STABLE_LR)
