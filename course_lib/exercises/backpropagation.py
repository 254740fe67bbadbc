"""Lesson 01: slopes by differences, then each backward pass by hand, then a whole network.

The equations are those of Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors,
in the shapes of this course: batch first, `W (D_in, D_out)`, the mean over the batch in the loss gradient alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import cleandoc

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.exercises.comparison import Tolerance
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Function, call

LESSON = "01_backpropagation"
WITHHELD = ("layers", "dropout", "batchnorm", "losses", "network", "graph", "gradcheck", "training", "sweep", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks."""

Params = dict[str, Array]
Forward = Callable[[Array], Array]
Backward = Callable[[Array, Array], Array]


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...], least: float = 0.1) -> Array:
    """Numbers of both signs, none nearer to zero than `least`: no tie at the corner of a ReLU."""
    size = rng.uniform(least, 2.0, size=shape)
    flat = size.reshape(-1)
    flat[::2] *= -1.0
    rng.shuffle(flat)
    return size


# numerical_gradient ---------------------------------------------------------------------------------------------------


def numerical_gradient(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    """The slope of `f` along every entry of `theta`, by central differences.

    grad[i] = (f(theta + h e_i) - f(theta - h e_i)) / (2 h), where e_i is 1 at entry i and 0 elsewhere. The error is of
    the order h**2 (Nocedal and Wright, Numerical Optimization, section 8.1).

    Args:
        f: takes an array of theta's shape, returns a number.
        theta: any shape.
        h: the step to either side, positive, used as it is.

    Returns:
        The gradient, of theta's shape.
    """
    grad = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[index] += h
        down[index] -= h
        grad[index] = (f(up) - f(down)) / (2 * h)
    return grad


def _slopes(formula: Callable[[Callable[[float], float], float], float]) -> Callable[..., Array]:
    """A gradient from `formula(f along one entry, h)`, where along(0.0) is f at theta."""

    def gradient(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
        grad = np.zeros_like(theta)
        for index in np.ndindex(theta.shape):

            def along(step: float, index: tuple[int, ...] = index) -> float:
                moved = theta.copy()
                moved[index] += step
                return f(moved)

            grad[index] = formula(along, h)
        return grad

    return gradient


def _scaled_h(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    grad = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        grad[index] = numerical_gradient(f, theta, h * max(1.0, abs(float(theta[index]))))[index]
    return grad


def _all_at_once(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    return np.full_like(theta, (f(theta + h) - f(theta - h)) / (2 * h))


def _one_number(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> float:
    return (f(theta + h) - f(theta - h)) / (2 * h)


def _rows_at_once(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    grad = np.zeros_like(theta)
    for row in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[row] += h
        down[row] -= h
        grad[row] = (f(up) - f(down)) / (2 * h)
    return grad


def _never_restored(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    grad, moved = np.zeros_like(theta), theta.copy()
    for index in np.ndindex(theta.shape):
        moved[index] += h
        up = f(moved)
        moved[index] -= 2 * h
        grad[index] = (up - f(moved)) / (2 * h)
    return grad


def _theta_left_changed(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    grad = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        theta[index] += h
        up = f(theta)
        theta[index] -= 2 * h
        grad[index] = (up - f(theta)) / (2 * h)
    return grad


def _flattened(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    return numerical_gradient(f, theta, h).reshape(-1)


def _cubic(rng: np.random.Generator, theta: Array, scale: float = 1.0) -> Function:
    """Curved differently along every entry: its central difference is off by exactly a h**2."""
    a = rng.uniform(0.5, 1.5, theta.shape) / scale**2
    return Function("cubic", {"a": a.astype(theta.dtype), "b": rng.normal(size=theta.shape).astype(theta.dtype)})


def _quadratic(rng: np.random.Generator, size: int) -> Function:
    root = rng.normal(size=(size, size))
    return Function("quadratic", {"A": root @ root.T + np.eye(size), "b": rng.normal(size=size)})


def _differences_ordinary(rng: np.random.Generator) -> list[Case]:
    cases = []
    for shape, h in (((4,), 0.1), ((2, 3), 0.2)):
        theta = _away_from_zero(rng, shape) * 1.5
        cases.append(
            Case((call("numerical_gradient", f=_cubic(rng, theta), theta=theta, h=h),), label=f"shape {shape}")
        )
    theta = rng.normal(size=5)
    step = call("numerical_gradient", f=_quadratic(rng, 5), theta=theta, h=1e-3)
    cases.append(Case((step,), label="h = 0.001"))
    theta = _away_from_zero(rng, (3,))
    step = call("numerical_gradient", f=_cubic(rng, theta), theta=theta)
    return [*cases, Case((step,), label="h left out")]


def _differences_edge(rng: np.random.Generator) -> list[Case]:
    cases = []
    for shape in ((1,), (1, 1), (2, 3, 2)):
        theta = _away_from_zero(rng, shape)
        step = call("numerical_gradient", f=_cubic(rng, theta), theta=theta, h=0.05)
        cases.append(Case((step,), label=f"shape {shape}"))
    flat = Function("cubic", {"a": np.zeros(3), "b": np.zeros(3)})
    return [*cases, Case((call("numerical_gradient", f=flat, theta=rng.normal(size=3), h=0.1),), label="f is constant")]


def _differences_nasty(rng: np.random.Generator) -> list[Case]:
    cases = []
    for scale, h in ((1e6, 1e3), (1e-6, 1e-8)):
        theta = _away_from_zero(rng, (3,), 0.5) * scale
        step = call("numerical_gradient", f=_cubic(rng, theta, scale), theta=theta, h=h)
        cases.append(Case((step,), label=f"theta near {scale:.0e}"))
    theta = _away_from_zero(rng, (2, 2), 0.5).astype(np.float32)
    step = call("numerical_gradient", f=_cubic(rng, theta), theta=theta, h=0.125)
    return [*cases, Case((step,), label="float32")]


NUMERICAL_GRADIENT = Exercise(
    name="numerical_gradient",
    lesson=LESSON,
    question="Find the slope of f along every entry of theta by a step of h to either side.",
    outputs=("grad",),
    reference=numerical_gradient,
    groups=(
        Group("ordinary", "Ordinary functions", 3, _differences_ordinary),
        Group("edge", "One entry, three axes, a flat function", 1, _differences_edge),
        Group("nasty", "Huge, tiny, float32", 1, _differences_nasty),
    ),
    misconceptions=(
        Misconception(
            "same_array_twice",
            "Every slope came out 0. That happens when both sides are one array: `up = theta` copies nothing, so the "
            "step down takes back the step up. Write `up = theta.copy()`.",
            _slopes(lambda _along, _h: 0.0),
        ),
        Misconception(
            "stepped_back_to_the_middle",
            "The lower point is theta itself, but the difference is divided by 2h. An entry that was raised by h must "
            "fall by 2h to stand at theta - h; or work on two copies.",
            _slopes(lambda along, h: (along(h) - along(0.0)) / (2 * h)),
        ),
        Misconception(
            "one_sided",
            "This is the one-sided difference, from theta to theta + h. Its error shrinks only like h; step to "
            "both sides.",
            _slopes(lambda along, h: (along(h) - along(0.0)) / h),
            "Three points are enough to see it. For f(x) = x**2 at x = 3 with h = 0.1: (9.61 - 9) / 0.1 = 6.1, "
            "but (9.61 - 8.41) / 0.2 = 6.0, the true slope. Evaluate f at theta + h and at theta - h.",
        ),
        Misconception(
            "backward_sided",
            "This is the one-sided difference, from theta - h to theta. Its error shrinks only like h; step to "
            "both sides.",
            _slopes(lambda along, h: (along(0.0) - along(-h)) / h),
        ),
        Misconception(
            "not_halved",
            "Every slope is twice too large: from theta - h to theta + h is a distance of 2h, not h.",
            _slopes(lambda along, h: (along(h) - along(-h)) / h),
        ),
        Misconception(
            "precedence",
            "The result is multiplied by h instead of divided: `a / 2 * h` means `(a / 2) * h`. Write `a / (2 * h)`.",
            _slopes(lambda along, h: (along(h) - along(-h)) / 2 * h),
        ),
        Misconception(
            "h_ignored",
            "The step is 1e-5 whatever h says: your result does not change with h. The check uses a large h on "
            "purpose.",
            _slopes(lambda along, _h: (along(1e-5) - along(-1e-5)) / 2e-5),
        ),
        Misconception(
            "half_h",
            "The steps go h/2 to either side. That is a fine estimate, but here h is the step to each side, 2h in all.",
            _slopes(lambda along, h: (along(h / 2) - along(-h / 2)) / h),
        ),
        Misconception(
            "h_scaled",
            "h is scaled by the size of theta. The library's gradient check does that; here h is used as it is.",
            _scaled_h,
        ),
        Misconception(
            "sign_flipped",
            "Every slope has the wrong sign: it is f(theta + h) minus f(theta - h), in this order.",
            _slopes(lambda along, h: (along(-h) - along(h)) / (2 * h)),
        ),
        Misconception(
            "all_at_once",
            "All entries are nudged together, so every place holds the sum of all slopes. Nudge one entry at a time.",
            _all_at_once,
            "`theta + h` adds h to every entry. Take a copy, and add h to the copy's entry i alone.",
        ),
        Misconception(
            "one_number",
            "All entries are nudged together, which gives one number. Nudge one entry at a time: a slope for each.",
            _one_number,
        ),
        Misconception(
            "rows_at_once",
            "Whole rows are nudged together: `theta[i]` is a row when theta has two axes. Loop over all "
            "entries, for instance with `np.ndindex(theta.shape)`.",
            _rows_at_once,
        ),
        Misconception(
            "never_restored",
            "Each nudge is left in place, so later entries are measured at a shifted point. Undo it, or copy afresh.",
            _never_restored,
        ),
        Misconception(
            "theta_left_changed",
            "theta itself is nudged and never put back: later slopes are taken at a shifted point. Nudge a copy.",
            _theta_left_changed,
        ),
        Misconception(
            "flattened",
            "The gradient comes back as one long row. Give it theta's shape: one slope for each entry, in its place.",
            _flattened,
        ),
    ),
    hints=(
        cleandoc("""
            Take f(theta) = theta[0]**2 + 3 * theta[1] at theta = [2, 5], shape (2,), with h = 0.1.

            Entry 0: f([2.1, 5]) = 19.41 and f([1.9, 5]) = 18.61, so grad[0] = 0.80 / 0.2 = 4.

            Entry 1: f([2, 5.1]) = 19.3 and f([2, 4.9]) = 18.7, so grad[1] = 0.6 / 0.2 = 3. The result has shape
            (2,).
            """),
        cleandoc("""
            For each entry on its own: make a copy with that entry raised by h, and a copy with it lowered by h.
            The slope is the difference of f at the two, divided by the distance between them.
            `np.ndindex(theta.shape)` gives the index of every entry, whatever the number of axes.
            """),
        cleandoc("""
            ```python
            grad = np.zeros_like(theta)
            for index in np.ndindex(theta.shape):
                up, down = theta.copy(), theta.copy()
                up[index] += h
                down[index] ____
                grad[index] = (f(up) - f(down)) / ____
            return grad
            ```

            Why is a fresh copy taken for each entry, and what would go wrong with one copy for all?
            """),
    ),
    minutes=5,
    difficulty=1,
    tolerance=Tolerance(float64=(1e-6, 1e-7), float32=(1e-3, 1e-3)),
)


# relu_backward --------------------------------------------------------------------------------------------------------


def relu_backward(dout: Array, x: Array) -> Array:
    """The gradient at the input of y = max(x, 0), from that at its output.

    dx = dout * (x > 0): the local slope is 1 where x is positive and 0 elsewhere, at 0 itself 0 as in PyTorch.

    Args:
        dout: gradient of the loss with respect to y, of x's shape.
        x: the input of the forward pass, any shape.

    Returns:
        The gradient of the loss with respect to x, of its shape.
    """
    return dout * (x > 0)


def _relu_in_place(dout: Array, x: Array) -> Array:
    dout[x <= 0] = 0
    return dout


def _relu_case(dout: Array, x: Array, label: str) -> Case:
    return Case((call("relu_backward", dout=dout, x=x),), label=label)


def _relu_ordinary(rng: np.random.Generator) -> list[Case]:
    shapes = ((4, 5), (3, 3), (6, 2), (2, 3, 4))
    return [_relu_case(_away_from_zero(rng, s), _away_from_zero(rng, s), f"shape {s}") for s in shapes]


def _relu_edge(rng: np.random.Generator) -> list[Case]:
    zeros = rng.permutation(np.array([0.0, -0.0, 0.0, 1.5, -2.0, 0.5]))
    return [
        _relu_case(_away_from_zero(rng, (6,)), zeros, "some x are 0"),
        _relu_case(_away_from_zero(rng, (1, 4)), -np.abs(_away_from_zero(rng, (1, 4))), "N = 1, no x is positive"),
        _relu_case(np.zeros((2, 3)), _away_from_zero(rng, (2, 3)), "dout is zero"),
    ]


def _relu_nasty(rng: np.random.Generator) -> list[Case]:
    shape = (3, 4)
    dout, x = (_away_from_zero(rng, shape).astype(np.float32) for _ in range(2))
    return [
        _relu_case(_away_from_zero(rng, shape), _away_from_zero(rng, shape) * 1e-200, "x near 1e-200"),
        _relu_case(_away_from_zero(rng, shape) * 1e200, _away_from_zero(rng, shape) * 1e200, "both near 1e200"),
        _relu_case(dout, x, "float32"),
    ]


RELU_BACKWARD = Exercise(
    name="relu_backward",
    lesson=LESSON,
    question="Pass the gradient back through y = max(x, 0).",
    outputs=("dx",),
    reference=relu_backward,
    groups=(
        Group("ordinary", "Ordinary batches", 2, _relu_ordinary),
        Group("edge", "Zeros, and nothing positive", 1, _relu_edge),
        Group("nasty", "Huge, tiny, float32", 1, _relu_nasty),
    ),
    misconceptions=(
        Misconception(
            "mask_from_dout",
            "The mask is taken from dout. Whether a unit was open was decided by its input x in the forward pass.",
            lambda dout, _x: dout * (dout > 0),
            "dout may be negative where x is positive: that gradient must pass. With x = 2 and dout = -3, dx is -3.",
        ),
        Misconception(
            "both_masks",
            "Negative gradients are cut off as well. Only the sign of x decides; where x > 0, dout passes as it is.",
            lambda dout, x: np.maximum(dout, 0) * (x > 0),
        ),
        Misconception(
            "no_mask",
            "dout comes back unchanged: a unit that was off (x negative) must pass nothing back.",
            lambda dout, _x: dout.copy(),
        ),
        Misconception(
            "mask_inverted",
            "The mask is the wrong way round: the gradient passes where x > 0, and is 0 where x < 0.",
            lambda dout, x: dout * (x < 0),
        ),
        Misconception(
            "slope_without_dout",
            "This is the local slope alone. The chain rule multiplies it by dout, what arrives from above.",
            lambda _dout, x: (x > 0).astype(x.dtype),
        ),
        Misconception(
            "forward_again",
            "This is the forward pass, max(x, 0). Going backward, dout is passed on where x was positive.",
            lambda _dout, x: np.maximum(x, 0),
        ),
        Misconception(
            "times_activation",
            "dout is multiplied by max(x, 0). The slope of a line y = x is 1, not x: multiply by 1 or 0.",
            lambda dout, x: dout * np.maximum(x, 0),
        ),
        Misconception(
            "sign_slope",
            "The slope is taken as -1 where x is negative. That is the slope of abs(x); ReLU is flat there, slope 0.",
            lambda dout, x: dout * np.sign(x),
        ),
        Misconception(
            "open_at_zero",
            "The gradient passes where x is exactly 0. There the course (like PyTorch) takes the slope 0: `x > 0`.",
            lambda dout, x: dout * (x >= 0),
        ),
        Misconception(
            "half_at_zero",
            "Half the gradient passes where x is exactly 0. There the course (like PyTorch) takes the slope 0.",
            lambda dout, x: dout * np.heaviside(x, 0.5),
        ),
        Misconception(
            "in_place",
            "The numbers are right, but dout was overwritten. Others may still need it: make a new array.",
            _relu_in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take x = [2, -1, 3] and dout = [-5, 4, 0.5], both of shape (3,). In the forward pass y = [2, 0, 3].

            Raise x[0] a little: y[0] rises as much, so dx[0] = -5. Raise x[1] a little: y[1] stays 0, so dx[1]
            = 0. And dx[2] = 0.5. So dx = [-5, 0, 0.5].
            """),
        cleandoc("""
            The slope of max(x, 0) is 1 where x is positive and 0 elsewhere. The chain rule multiplies that
            slope, entry by entry, with what arrives from above.
            """),
        cleandoc("""
            ```python
            open_units = ____ > 0      # True where the slope is 1
            return ____ * open_units
            ```

            Why can the mask not be read off dout?
            """),
    ),
    minutes=3,
    difficulty=1,
)


# linear_backward ------------------------------------------------------------------------------------------------------


def linear_backward(dout: Array, x: Array, W: Array) -> tuple[Array, Array, Array]:
    """The gradients of y = x @ W + b with respect to x, W and b, from that with respect to y.

    dx = dout @ W.T, dW = x.T @ dout, db = dout summed over the batch. Nothing is divided by N here: the mean over the
    batch is already in dout, where the loss put it.

    Args:
        dout: gradient of the loss with respect to y, shape (N, D_out).
        x: input of the forward pass, shape (N, D_in).
        W: weights, shape (D_in, D_out); PyTorch stores the transpose.

    Returns:
        dx (N, D_in), dW (D_in, D_out), db (D_out,).
    """
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def _linear_case(rng: np.random.Generator, n: int, d_in: int, d_out: int, label: str = "", scale: float = 1.0) -> Case:
    dout, x, W = rng.normal(size=(n, d_out)), rng.normal(size=(n, d_in)), rng.normal(size=(d_in, d_out))
    step = call("linear_backward", dout=dout * scale, x=x * scale, W=W * scale)
    return Case((step,), label=label or f"N = {n}, D_in = {d_in}, D_out = {d_out}")


def _linear_ordinary(rng: np.random.Generator) -> list[Case]:
    return [_linear_case(rng, *sizes) for sizes in ((5, 3, 4), (2, 4, 3), (3, 3, 3), (4, 2, 4))]


def _linear_edge(rng: np.random.Generator) -> list[Case]:
    still = call("linear_backward", dout=np.zeros((3, 2)), x=rng.normal(size=(3, 4)), W=rng.normal(size=(4, 2)))
    return [
        _linear_case(rng, 1, 3, 2, "N = 1"),
        _linear_case(rng, 4, 1, 1, "one input, one output"),
        Case((still,), label="dout is zero"),
    ]


def _linear_nasty(rng: np.random.Generator) -> list[Case]:
    single = [rng.normal(size=shape).astype(np.float32) for shape in ((6, 4), (6, 3), (3, 4))]
    return [
        _linear_case(rng, 3, 2, 4, "all near 1e100", 1e100),
        _linear_case(rng, 3, 2, 4, "all near 1e-100", 1e-100),
        Case((call("linear_backward", dout=single[0], x=single[1], W=single[2]),), label="float32"),
    ]


LINEAR_BACKWARD = Exercise(
    name="linear_backward",
    lesson=LESSON,
    question="Find the gradients of y = x @ W + b with respect to x, W and b.",
    outputs=("dx", "dW", "db"),
    reference=linear_backward,
    groups=(
        Group("ordinary", "Ordinary batches", 4, _linear_ordinary),
        Group("edge", "One example, one input, no gradient", 1, _linear_edge),
        Group("nasty", "Huge, tiny, float32", 1, _linear_nasty),
    ),
    misconceptions=(
        Misconception(
            "bias_averaged",
            "db is averaged over the batch. The mean is already in dout, where the loss put it: add the rows up.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout, dout.mean(axis=0)),
            "Each example's row of dout pulls at the same b, and the pulls add up: dout = [[1, 2], [3, 4]] "
            "gives db = [4, 6]. Dividing by N again would count the mean twice.",
        ),
        Misconception(
            "divided_by_n_again",
            "dW and db are divided by N. The mean over the batch is already in dout: it must be counted once, "
            "not twice.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout / len(x), dout.sum(axis=0) / len(x)),
        ),
        Misconception(
            "weights_divided_by_n",
            "dW is divided by N. The mean over the batch is already in dout: it must be counted once, not twice.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout / len(x), dout.sum(axis=0)),
        ),
        Misconception(
            "bias_wrong_axis",
            "db is summed over the outputs (axis 1). Every example shares b, so sum over the examples: axis 0.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout, dout.sum(axis=1)),
        ),
        Misconception(
            "bias_one_number",
            "db is one number for all outputs. Each output has its own entry of b: sum over axis 0 only.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout, dout.sum()),
        ),
        Misconception(
            "bias_not_summed",
            "db has a row for each example. There is one b for all of them: add the rows up.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout, dout.copy()),
        ),
        Misconception(
            "bias_keeps_axis",
            "db has the shape (1, D_out). b has the shape (D_out,): leave `keepdims` out.",
            lambda dout, x, W: (dout @ W.T, x.T @ dout, dout.sum(axis=0, keepdims=True)),
        ),
        Misconception(
            "square_only",
            "Two transposes are missing: `dout @ W` and `x @ dout` fit only where all sizes are equal, and are "
            "wrong there too. Write the shapes under each product.",
            lambda dout, x, W: (dout @ W, x @ dout, dout.sum(axis=0)),
            "dx has x's shape: (N, D_in) = (N, D_out) @ (D_out, D_in), so the second factor is W turned over. "
            "dW has W's shape: (D_in, D_out) = (D_in, N) @ (N, D_out), so the first factor is x turned over.",
        ),
        Misconception(
            "w_not_transposed",
            "In dx, W is not transposed: `dout @ W` fits only a square W, and is wrong there too. (N, D_out) @ "
            "(D_out, D_in).",
            lambda dout, x, W: (dout @ W, x.T @ dout, dout.sum(axis=0)),
        ),
        Misconception(
            "x_not_transposed",
            "In dW, x is not transposed: (D_in, D_out) comes from (D_in, N) @ (N, D_out).",
            lambda dout, x, W: (dout @ W.T, x @ dout, dout.sum(axis=0)),
        ),
        Misconception(
            "dw_transposed",
            "dW is transposed: `dout.T @ x` has the shape (D_out, D_in), as PyTorch stores W. Here W is (D_in, D_out).",
            lambda dout, x, W: (dout @ W.T, dout.T @ x, dout.sum(axis=0)),
        ),
        Misconception(
            "dx_with_x",
            "dx is computed from x. The slope of y along x is W: what arrives, dout, goes back through W.",
            lambda dout, x, W: (x @ W @ W.T, x.T @ dout, dout.sum(axis=0)),
        ),
        Misconception(
            "other_order",
            "The three gradients come in another order: return dx, dW, db.",
            lambda dout, x, W: (x.T @ dout, dout.sum(axis=0), dout @ W.T),
        ),
        Misconception(
            "dw_first",
            "dW and dx have changed places: return dx, dW, db.",
            lambda dout, x, W: (x.T @ dout, dout @ W.T, dout.sum(axis=0)),
        ),
    ),
    hints=(
        cleandoc("""
            Take x = [[1, 2]], shape (1, 2), W = [[3], [4]], shape (2, 1), and dout = [[10]], shape (1, 1).

            Raise x[0, 0] by a little: y rises 3 times as much, the loss 10 times that: dx[0, 0] = 10 * 3 = 30,
            and dx = [[30, 40]], shape (1, 2). Raise W[0, 0]: y rises x[0, 0] = 1 times as much: dW = [[10],
            [20]], shape (2, 1). Raise b: y rises as much: db = [10], shape (1,).
            """),
        cleandoc("""
            Each gradient has the shape of what it belongs to, and each is dout combined with the *other*
            factor: dx from dout and W, dW from x and dout. Only one way of transposing fits the shapes. b is
            shared by all examples, so its gradients add up over the batch.
            """),
        cleandoc("""
            ```python
            dx = dout @ ____          # (N, D_out) @ (D_out, D_in)
            dW = ____ @ dout          # (D_in, N) @ (N, D_out)
            db = dout.sum(axis=0)
            return dx, dW, db
            ```

            Why is db a sum here, although the loss is a mean?
            """),
    ),
    minutes=7,
    difficulty=2,
)


# softmax_cross_entropy ------------------------------------------------------------------------------------------------


def softmax_cross_entropy(logits: Array, labels: IntArray) -> tuple[float, Array]:
    """Mean cross-entropy of softmax(logits) at the labels, and its gradient with respect to the logits.

    loss = mean(-log p[n, labels[n]]) with p = softmax(logits), and dlogits = (p - onehot(labels)) / N
    (Bishop, Pattern Recognition and Machine Learning, equations 4.107 to 4.109).

    Args:
        logits: scores, shape (N, C).
        labels: right classes, whole numbers from 0 to C - 1, shape (N,).

    Returns:
        The loss, and dlogits (N, C).
    """
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1
    return float(loss), dlogits / len(labels)


def _softmax(logits: Array) -> Array:
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exps / exps.sum(axis=1, keepdims=True)
    return probabilities


def _one_hot(logits: Array, labels: IntArray) -> Array:
    found = np.zeros_like(logits)
    found[np.arange(len(labels)), labels] = 1
    return found


def _with_gradient(gradient: Callable[[Array, IntArray], Array]) -> Callable[..., tuple[float, Array]]:
    """The given loss, with another gradient."""
    return lambda logits, labels: (softmax_cross_entropy(logits, labels)[0], gradient(logits, labels))


def _summed(logits: Array, labels: IntArray) -> tuple[float, Array]:
    loss, dlogits = softmax_cross_entropy(logits, labels)
    return loss * len(labels), dlogits * len(labels)


def _naive_softmax(logits: Array) -> Array:
    exps = np.exp(logits)
    probabilities: Array = exps / exps.sum(axis=1, keepdims=True)
    return probabilities


def _naive_both(logits: Array, labels: IntArray) -> tuple[float, Array]:
    p = _naive_softmax(logits)
    loss = -np.log(p[np.arange(len(labels)), labels]).mean()
    return float(loss), (p - _one_hot(logits, labels)) / len(labels)


def _one_maximum(logits: Array, labels: IntArray) -> Array:
    return (_naive_softmax(logits - logits.max()) - _one_hot(logits, labels)) / len(labels)


def _wrong_axis(logits: Array, labels: IntArray) -> Array:
    exps = np.exp(logits - logits.max(axis=0))
    return np.asarray((exps / exps.sum(axis=0) - _one_hot(logits, labels)) / len(labels))


def _entropy_case(logits: Array, labels: IntArray, label: str) -> Case:
    return Case((call("softmax_cross_entropy", logits=logits, labels=labels),), label=label)


def _labels(rng: np.random.Generator, n: int, classes: int) -> IntArray:
    """Labels that differ from row to row as far as there are classes."""
    return rng.permutation((np.arange(n) + rng.integers(classes)) % classes).astype(np.int64)


def _entropy_ordinary(rng: np.random.Generator) -> list[Case]:
    sizes = ((4, 3), (3, 3), (5, 10))
    return [_entropy_case(2 * rng.normal(size=s), _labels(rng, *s), f"N = {s[0]}, C = {s[1]}") for s in sizes]


def _entropy_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _entropy_case(rng.normal(size=(1, 4)), _labels(rng, 1, 4), "N = 1"),
        _entropy_case(np.full((3, 2), 0.7), np.array([0, 1, 1]), "all logits equal"),
        _entropy_case(rng.normal(size=(4, 3)), np.full(4, 2), "one class only"),
    ]


def _entropy_nasty(rng: np.random.Generator) -> list[Case]:
    huge = rng.permuted(np.array([[1000.0, -1000.0, 0.0], [3.0, 2.0, 1.0], [-2000.0, -2001.0, -2003.0]]), axis=1)
    single = (3 * rng.normal(size=(4, 5))).astype(np.float32)
    return [
        _entropy_case(huge, _labels(rng, 3, 3), "logits of 1000 and -2000"),
        _entropy_case(rng.normal(size=(4, 3)) * 1e-8, _labels(rng, 4, 3), "logits near 1e-8"),
        _entropy_case(single, _labels(rng, 4, 5), "float32"),
    ]


SOFTMAX_CROSS_ENTROPY = Exercise(
    name="softmax_cross_entropy",
    lesson=LESSON,
    question="The loss is given; find its gradient with respect to the logits.",
    outputs=("loss", "dlogits"),
    reference=softmax_cross_entropy,
    groups=(
        Group("ordinary", "Ordinary batches", 4, _entropy_ordinary),
        Group("edge", "One example, equal logits, one class", 1, _entropy_edge),
        Group("nasty", "Huge, tiny, float32", 1, _entropy_nasty),
    ),
    misconceptions=(
        Misconception(
            "no_one_hot",
            "dlogits holds the probabilities alone. At the right class 1 is subtracted: it should have been certain.",
            _with_gradient(lambda z, y: _softmax(z) / len(y)),
            "With probabilities [0.2, 0.5, 0.3] and label 1, one example pulls by [0.2, -0.5, 0.3]: the wrong "
            "classes down, the right one up. Each row sums to 0.",
        ),
        Misconception(
            "sum_not_mean",
            "dlogits belongs to the sum of the losses. The loss is their mean, so each example counts 1/N.",
            _with_gradient(lambda z, y: _softmax(z) - _one_hot(z, y)),
        ),
        Misconception(
            "loss_and_gradient_summed",
            "Loss and gradient are summed over the batch. Both are means: divide by N, once, here.",
            _summed,
        ),
        Misconception(
            "divided_by_n_twice",
            "dlogits is divided by N twice. The mean over the batch is counted once.",
            _with_gradient(lambda z, y: (_softmax(z) - _one_hot(z, y)) / len(y) ** 2),
        ),
        Misconception(
            "divided_by_entries",
            "dlogits is divided by the number of all its entries, N times C. The mean is over the N examples.",
            _with_gradient(lambda z, y: (_softmax(z) - _one_hot(z, y)) / z.size),
        ),
        Misconception(
            "divided_by_classes",
            "dlogits is divided by the number of classes. The mean is over the N examples: the first axis.",
            _with_gradient(lambda z, y: (_softmax(z) - _one_hot(z, y)) / z.shape[1]),
        ),
        Misconception(
            "sign_flipped",
            "The sign is flipped: a gradient points uphill, so it is positive at the wrong classes, negative "
            "at the right.",
            _with_gradient(lambda z, y: (_one_hot(z, y) - _softmax(z)) / len(y)),
        ),
        Misconception(
            "label_number_subtracted",
            "The label's number is subtracted from every class. A label is a place: subtract 1 there and 0 elsewhere.",
            _with_gradient(lambda z, y: (_softmax(z) - y[:, None]) / len(y)),
        ),
        Misconception(
            "logits_not_probabilities",
            "The one-hot labels are subtracted from the logits themselves. Take the softmax first.",
            _with_gradient(lambda z, y: (z - _one_hot(z, y)) / len(y)),
        ),
        Misconception(
            "logarithms_not_probabilities",
            "The one-hot labels are subtracted from `log_p`, the logarithms. The probabilities are `np.exp(log_p)`.",
            _with_gradient(lambda z, y: (np.log(_softmax(z)) - _one_hot(z, y)) / len(y)),
            "A row of probabilities sums to 1, and none is negative. What does a row of `log_p` sum to?",
        ),
        Misconception(
            "not_divided_by_the_sum",
            "`exp(shifted)` is not yet a probability: divide each row by its sum, or take `np.exp(log_p)`, where that "
            "is done already.",
            _with_gradient(lambda z, y: (np.exp(z - z.max(axis=1, keepdims=True)) - _one_hot(z, y)) / len(y)),
            "A row of probabilities sums to 1. What does a row of `np.exp(shifted)` sum to?",
        ),
        Misconception(
            "right_class_only",
            "Only the right class gets a gradient. Raising a wrong class's logit takes probability away: it "
            "counts too.",
            _with_gradient(lambda z, y: _one_hot(z, y) * (_softmax(z) - 1) / len(y)),
        ),
        Misconception(
            "slope_at_probabilities",
            "This is the gradient with respect to the probabilities, -1/p at the right class. One step is "
            "left: through the softmax, down to the logits.",
            _with_gradient(lambda z, y: -_one_hot(z, y) / _softmax(z) / len(y)),
        ),
        Misconception(
            "slice_instead_of_pairs",
            "`dlogits[:, labels] -= 1` touches whole columns. One entry a row is meant: `dlogits[np.arange(N), "
            "labels]`.",
            _with_gradient(lambda z, y: (_softmax(z) - np.isin(np.arange(z.shape[1]), y)) / len(y)),
        ),
        Misconception(
            "wrong_axis",
            "The softmax runs down the columns, across examples. Each row is one example: its entries sum to 1 "
            "(axis 1).",
            _with_gradient(_wrong_axis),
        ),
        Misconception(
            "no_maximum_subtracted",
            "exp overflows for large logits. Subtract each row's maximum first: the probabilities stay the same.",
            _with_gradient(lambda z, y: (_naive_softmax(z) - _one_hot(z, y)) / len(y)),
            "exp(1000) is too large for a float, and inf / inf is NaN. The given lines already hold `shifted` "
            "and `log_p`: the probabilities are `np.exp(log_p)`.",
        ),
        Misconception(
            "no_maximum_in_loss",
            "exp overflows for large logits, in the loss and in the gradient. Subtract each row's maximum first.",
            _naive_both,
        ),
        Misconception(
            "one_maximum_for_all",
            "One maximum is subtracted from all rows, so a row far below it becomes 0/0. Take each row's own (axis 1).",
            _with_gradient(_one_maximum),
        ),
    ),
    hints=(
        cleandoc("""
            Take one example with logits [0, 0], shape (1, 2), and label 1, shape (1,). Probabilities: [0.5,
            0.5].

            The loss is -log(0.5) = 0.693. Raise the logit of class 1 by 0.01: its probability rises to 0.5025
            and the loss falls to 0.688, a slope of -0.5. Raise class 0 instead: the slope is +0.5. So dlogits =
            [[0.5, -0.5]], shape (1, 2).
            """),
        cleandoc("""
            The gradient of one example is its probabilities, with 1 taken off at the right class. The loss is
            the mean over the batch, so each example's row counts 1/N. `log_p` is already there.
            """),
        cleandoc("""
            ```python
            dlogits = np.exp(____)           # the probabilities, (N, C)
            dlogits[rows, labels] -= 1
            dlogits = dlogits / ____
            ```

            Why does every row of dlogits sum to 0?
            """),
    ),
    minutes=5,
    difficulty=2,
)


# mlp_gradients --------------------------------------------------------------------------------------------------------


def mlp_gradients(params: Params, X: Array, labels: IntArray) -> Params:
    """The gradient of a network's mean cross-entropy with respect to all its weights and biases.

    Forward: z_k = h_(k-1) @ W_k + b_k, h_k = max(z_k, 0), with h_0 = X and no ReLU after the last layer. Backward, from
    the last layer to the first: dW_k = h_(k-1).T @ dz_k, db_k = sum of dz_k over the batch,
    dz_(k-1) = (dz_k @ W_k.T) * (z_(k-1) > 0) (Rumelhart, Hinton and Williams 1986, equations 4 to 7).

    Args:
        params: "W1" (D, H1), "b1" (H1,), "W2" (H1, H2), ..., for one layer or more.
        X: examples, shape (N, D).
        labels: right classes, whole numbers, shape (N,).

    Returns:
        A gradient for each entry of `params`, under its name and of its shape.
    """
    depth = len(params) // 2
    inputs = [X]
    for k in range(1, depth):
        z = inputs[-1] @ params[f"W{k}"] + params[f"b{k}"]
        inputs.append(np.maximum(z, 0))
    logits = inputs[-1] @ params[f"W{depth}"] + params[f"b{depth}"]
    _, dz = softmax_cross_entropy(logits, labels)
    grads = {}
    for k in range(depth, 0, -1):
        dh, grads[f"W{k}"], grads[f"b{k}"] = linear_backward(dz, inputs[k - 1], params[f"W{k}"])
        if k > 1:
            dz = relu_backward(dh, inputs[k - 1])  # h is positive exactly where z is
    return {name: grads[name] for name in params}


def _network(
    *,
    activation: Callable[[Array], Array] = lambda z: np.maximum(z, 0),
    at_the_end: Callable[[Array], Array] = lambda z: z,
    loss: Callable[[Array, IntArray], Array] = lambda z, y: softmax_cross_entropy(z, y)[1],
    mask: Callable[[Array, Array], Array] = relu_backward,
    mask_last: bool = False,
    seen: Callable[[Array, Array], Array] = lambda h, _z: h,
    weights: Callable[[Array, Array], Array] = lambda h, dz: h.T @ dz,
    bias: Callable[[Array], Array] = lambda dz: dz.sum(axis=0),
    down: Callable[[Array, Array, Array], Array] = lambda dz, W, _dW: dz @ W.T,
    after: Callable[[Params], Params] = lambda grads: grads,
) -> Callable[[Params, Array, IntArray], Params]:
    """`mlp_gradients` with one of its parts replaced. `seen(h, z)`: what a layer is taken to have had as its input."""

    def gradients(params: Params, X: Array, labels: IntArray) -> Params:
        depth = len(params) // 2
        hidden, sums = [X], [X]
        for k in range(1, depth + 1):
            sums.append(hidden[-1] @ params[f"W{k}"] + params[f"b{k}"])
            hidden.append(activation(sums[-1]))
        dz = loss(at_the_end(sums[-1]), labels)
        if mask_last:
            dz = mask(dz, sums[-1])
        grads: Params = {}
        for k in range(depth, 0, -1):
            grads[f"W{k}"] = weights(seen(hidden[k - 1], sums[k - 1]), dz)
            grads[f"b{k}"] = bias(dz)
            if k > 1:
                dz = mask(down(dz, params[f"W{k}"], grads[f"W{k}"]), sums[k - 1])
        return after({name: grads[name] for name in params})

    return gradients


def _step_first(lr: float) -> Callable[[Array, Array, Array], Array]:
    return lambda dz, W, dW: dz @ (W - lr * dW).T


def _step_in_place(lr: float) -> Callable[[Array, Array, Array], Array]:
    def down(dz: Array, W: Array, dW: Array) -> Array:
        W -= lr * dW
        return np.asarray(dz @ W.T)

    return down


def _two_layers_only(params: Params, X: Array, labels: IntArray) -> Params:
    z = X @ params["W1"] + params["b1"]
    h = np.maximum(z, 0)
    _, dz2 = softmax_cross_entropy(h @ params["W2"] + params["b2"], labels)
    dz1 = (dz2 @ params["W2"].T) * (z > 0)
    return {"W1": X.T @ dz1, "b1": dz1.sum(axis=0), "W2": h.T @ dz2, "b2": dz2.sum(axis=0)}


def _last_layer_repeated(params: Params, X: Array, labels: IntArray) -> Params:
    """dz of the last layer is used for all of them, as if it were never passed down."""
    h = np.maximum(X @ params["W1"] + params["b1"], 0)
    _, dz = softmax_cross_entropy(h @ params["W2"] + params["b2"], labels)
    return {"W1": X.T @ dz, "b1": dz.sum(axis=0), "W2": h.T @ dz, "b2": dz.sum(axis=0)}


def _draw_network(rng: np.random.Generator, n: int, sizes: Sequence[int]) -> tuple[Params, Array]:
    """Weights and inputs whose hidden sums keep away from 0, so that rounding cannot switch a unit."""
    while True:
        X = rng.normal(size=(n, sizes[0]))
        params: Params = {}
        h, nearest = X, 1.0
        for k in range(1, len(sizes)):
            params[f"W{k}"] = rng.normal(size=(sizes[k - 1], sizes[k])) * np.sqrt(2 / sizes[k - 1])
            params[f"b{k}"] = 0.3 * rng.normal(size=sizes[k])
            z = h @ params[f"W{k}"] + params[f"b{k}"]
            if k < len(sizes) - 1:
                nearest = min(nearest, float(np.abs(z).min()))
                # Some units on and some off in every layer and for every example: each mistake then shows.
                if (z > 0).all() or not (z > 0).any(axis=1).all():
                    nearest = 0.0
            h = np.maximum(z, 0)
        if nearest > 0.02:
            return params, X


def _network_case(params: Params, X: Array, labels: IntArray, label: str) -> Case:
    return Case((call("mlp_gradients", params=params, X=X, labels=labels),), label=label)


def _drawn_case(rng: np.random.Generator, n: int, sizes: Sequence[int], label: str = "") -> Case:
    params, X = _draw_network(rng, n, sizes)
    return _network_case(params, X, _labels(rng, n, sizes[-1]), label or f"N = {n}, sizes {list(sizes)}")


def _network_ordinary(rng: np.random.Generator) -> list[Case]:
    return [_drawn_case(rng, n, sizes) for n, sizes in ((5, (3, 4, 2)), (4, (4, 4, 4)), (3, (2, 5, 3)))]


def _network_edge(rng: np.random.Generator) -> list[Case]:
    params, X = _draw_network(rng, 4, (3, 4, 2))
    params["b1"] = params["b1"] - 100.0
    return [
        _drawn_case(rng, 4, (3, 2), "one layer"),
        _drawn_case(rng, 4, (3, 4, 3, 2), "three layers"),
        _drawn_case(rng, 3, (3, 4, 5, 3, 2), "four layers"),
        _drawn_case(rng, 1, (3, 4, 2), "N = 1"),
        _network_case(params, X, _labels(rng, 4, 2), "every hidden unit is off"),
    ]


def _network_nasty(rng: np.random.Generator) -> list[Case]:
    params, X = _draw_network(rng, 4, (3, 4, 3))
    loud = {name: value * 1000.0 for name, value in params.items()}
    single, X32 = _draw_network(rng, 5, (3, 4, 3))
    small = {name: value.astype(np.float32) for name, value in single.items()}
    return [
        _network_case(loud, X, _labels(rng, 4, 3), "logits near 1e6"),
        _network_case(small, X32.astype(np.float32), _labels(rng, 5, 3), "float32"),
    ]


def _no_biases(grads: Params) -> Params:
    return {name: grad for name, grad in grads.items() if name.startswith("W")}


def _renamed(grads: Params) -> Params:
    return {f"d{name}": grad for name, grad in grads.items()}


MLP_GRADIENTS = Exercise(
    name="mlp_gradients",
    lesson=LESSON,
    question="Run a network forward, then backward, and return the gradient of every weight and bias.",
    outputs=("grads",),
    reference=mlp_gradients,
    groups=(
        Group("ordinary", "Two layers", 4, _network_ordinary),
        Group("edge", "Other depths, one example, dead units", 1, _network_edge),
        Group("nasty", "Huge logits, float32", 1, _network_nasty),
    ),
    misconceptions=(
        Misconception(
            "no_relu_mask",
            "The ReLU is left out on the way back. Where a hidden unit was off, nothing may pass down.",
            _network(mask=lambda dh, _z: dh),
            "On the way forward h = max(z, 0). So on the way back dz = relu_backward(dh, z), before the layer below.",
        ),
        Misconception(
            "no_relu_at_all",
            "There is no ReLU between the layers, neither forward nor backward: two linear layers make one "
            "linear layer.",
            _network(activation=lambda z: z, mask=lambda dh, _z: dh),
        ),
        Misconception(
            "no_relu_forward",
            "Going forward, z itself goes into the next layer: the ReLU is missing there. The input of the next layer "
            "is `np.maximum(z, 0)`.",
            _network(activation=lambda z: z),
        ),
        Misconception(
            "mask_from_dh",
            "The ReLU's mask is taken from the gradient that arrives. The unit's input z in the forward pass decides.",
            _network(mask=lambda dh, _z: dh * (dh > 0)),
        ),
        Misconception(
            "mask_inverted",
            "The ReLU's mask is the wrong way round: the gradient passes where z was positive.",
            _network(mask=lambda dh, z: dh * (z < 0)),
        ),
        Misconception(
            "times_activation",
            "Going back through the ReLU, dh is multiplied by h. The slope of the ReLU is 1 or 0.",
            _network(mask=lambda dh, z: dh * np.maximum(z, 0)),
        ),
        Misconception(
            "relu_on_logits",
            "The ReLU is applied to the last layer too. Logits may be negative: no ReLU after the last layer.",
            _network(at_the_end=lambda z: np.maximum(z, 0)),
        ),
        Misconception(
            "relu_on_logits_and_back",
            "The ReLU is applied after the last layer too, forward and backward. It stands between layers only.",
            _network(at_the_end=lambda z: np.maximum(z, 0), mask_last=True),
        ),
        Misconception(
            "input_before_relu",
            "dW uses what the layer below computed before its ReLU. A layer's input is h = max(z, 0), not z.",
            _network(seen=lambda _h, z: z),
        ),
        Misconception(
            "bias_averaged",
            "The biases' gradients are averaged over the batch. The mean is already in dlogits: add the rows up.",
            _network(bias=lambda dz: dz.mean(axis=0)),
        ),
        Misconception(
            "divided_by_n_again",
            "Every gradient is divided by N once more. The mean over the batch is already in dlogits.",
            _network(weights=lambda h, dz: h.T @ dz / len(h), bias=lambda dz: dz.mean(axis=0)),
            "softmax_cross_entropy divides by N. From there on nothing is divided: dW = h.T @ dz, db = dz.sum(axis=0).",
        ),
        Misconception(
            "sum_not_mean",
            "The gradients belong to the sum of the losses. The loss is the mean: 1/N, once, in dlogits.",
            _network(loss=lambda z, y: _softmax(z) - _one_hot(z, y)),
        ),
        Misconception(
            "no_one_hot",
            "dlogits holds the probabilities alone: at the right class 1 is missing.",
            _network(loss=lambda z, y: _softmax(z) / len(y)),
        ),
        Misconception(
            "sign_flipped",
            "Every sign is flipped. A gradient points uphill; the minus sign belongs to the optimizer's step.",
            _network(loss=lambda z, y: (_one_hot(z, y) - _softmax(z)) / len(y)),
        ),
        Misconception(
            "weights_not_transposed",
            "On the way down W is not transposed: dz @ W fits only square layers, and is wrong there too.",
            _network(down=lambda dz, W, _dW: dz @ W),
        ),
        Misconception(
            "updated_before_dh",
            "W changes before dh is computed from it, and stays changed. The backward pass must see the "
            "weights of the forward pass; and updating is the optimizer's work, not ours here.",
            _network(down=_step_in_place(0.1)),
            "Compute dh = dz @ W.T with the W that the forward pass used. Return gradients only; change no weight.",
        ),
        Misconception(
            "updated_copy_before_dh",
            "dh is computed from a W that has already taken a step. Use the W of the forward pass.",
            _network(down=_step_first(0.1)),
        ),
        Misconception(
            "full_step_before_dh",
            "dh is computed from W - dW. Use the W of the forward pass.",
            _network(down=_step_first(1.0)),
        ),
        Misconception(
            "not_passed_down",
            "The last layer's gradient is used for the first layer as it is. Pass it down: through W2, then the ReLU.",
            _last_layer_repeated,
        ),
        Misconception(
            "biases_left_out",
            "The biases have no gradients. Every entry of params gets one, under its own name.",
            _network(after=_no_biases),
        ),
        Misconception(
            "other_names",
            'The gradients are named dW1, db1, ... Use the names of params: the gradient of params["W1"] is '
            'grads["W1"].',
            _network(after=_renamed),
        ),
        Misconception(
            "two_layers_only",
            "This works for exactly two layers. Loop over the layers: there are `len(params) // 2` of them.",
            _two_layers_only,
            "Go forward through k = 1, 2, ..., depth and keep each layer's input and its z. Then go back "
            "through k = depth, ..., 2, 1 with one and the same three lines.",
        ),
        Misconception(
            "no_maximum_subtracted",
            "exp overflows for large logits. Subtract each row's maximum, or call your softmax_cross_entropy.",
            _network(loss=lambda z, y: (_naive_softmax(z) - _one_hot(z, y)) / len(y)),
        ),
    ),
    hints=(
        cleandoc("""
            Take one example X = [[1, 2]], shape (1, 2), one hidden unit, W1 = [[1], [1]], shape (2, 1), b1 =
            [0], and two classes, W2 = [[1, -1]], shape (1, 2), b2 = [0, 0], label 0.

            Forward: z1 = [[3]], h1 = [[3]], logits = [[3, -3]], p = [[0.99753, 0.00247]]. Backward: dlogits =
            [[-0.00247, 0.00247]], dW2 = h1.T @ dlogits = [[-0.0074, 0.0074]], dh1 = dlogits @ W2.T = [[-0.0049]],
            z1 > 0 so dz1 = dh1, and dW1 = X.T @ dz1 = [[-0.0049], [-0.0099]], shape (2, 1).
            """),
        cleandoc("""
            Forward, keep the input of every layer and its z. Backward, start with dlogits. For each layer from
            the last to the first: linear_backward with that layer's input gives dW, db and the gradient at its
            input; if a layer lies below, relu_backward with that layer's z turns it into the next dz. You have
            written all three pieces already.
            """),
        cleandoc("""
            ```python
            depth = len(params) // 2
            inputs, zs = [X], []
            for k in range(1, depth + 1):
                zs.append(inputs[-1] @ params[f"W{k}"] + params[f"b{k}"])
                inputs.append(np.maximum(zs[-1], 0))
            loss, dz = softmax_cross_entropy(zs[-1], labels)
            grads = {}
            for k in range(depth, 0, -1):
                dh, grads[f"W{k}"], grads[f"b{k}"] = linear_backward(dz, ____, params[f"W{k}"])
                if k > 1:
                    dz = relu_backward(dh, ____)
            return grads
            ```

            Why does the last z go into the loss without a ReLU?
            """),
    ),
    minutes=10,
    difficulty=3,
)


# find_wrong_backward --------------------------------------------------------------------------------------------------


def find_wrong_backward(passes: Sequence[tuple[Forward, Backward]], x: Array) -> int:
    """The index of the pass whose backward does not agree with its forward.

    For each pass a random `dout` turns the output into one number, f(x) = sum(dout * forward(x)), whose gradient
    backward(dout, x) should be. The pass furthest, relatively, from central differences is the wrong one.

    Args:
        passes: pairs of forward(x) -> y and backward(dout, x) -> dx; in exactly one the two disagree.
        x: where to look, any shape.

    Returns:
        The index, from 0.
    """
    rng = np.random.default_rng(0)
    errors = []
    for forward, backward in passes:
        dout = rng.normal(size=forward(x).shape)
        by_hand = backward(dout, x)
        by_differences = _slopes_of(forward, dout, x)
        errors.append(np.abs(by_hand - by_differences).max() / np.abs(by_differences).max())
    return int(np.argmax(errors))


def _slopes_of(forward: Forward, dout: Array, x: Array) -> Array:
    return numerical_gradient(lambda moved: float(np.sum(dout * forward(moved))), x)


def _find(
    wrong: Callable[[Array, Array], bool],
    *,
    dout_like: Callable[[Array], Array] = lambda y: np.random.default_rng(0).normal(size=y.shape),
    last: bool = False,
    otherwise: int | None = 0,
) -> Callable[..., int | None]:
    """The first (or last) pass for which `wrong(by hand, by differences)` holds; `otherwise` where none does."""

    def find(passes: Sequence[tuple[Forward, Backward]], x: Array) -> int | None:
        found = []
        for index, (forward, backward) in enumerate(passes):
            dout = dout_like(forward(x))
            if wrong(backward(dout, x), _slopes_of(forward, dout, x)):
                found.append(index)
        return found[-1 if last else 0] if found else otherwise

    return find


def _apart(by_hand: Array, by_differences: Array) -> bool:
    scale = max(float(np.abs(by_differences).max()), float(np.abs(by_hand).max()), 1e-6)
    return bool(np.abs(by_hand - by_differences).max() > 1e-3 * scale)


def _absolute(passes: Sequence[tuple[Forward, Backward]], x: Array) -> int:
    rng = np.random.default_rng(0)
    errors = []
    for forward, backward in passes:
        dout = rng.normal(size=forward(x).shape)
        errors.append(np.abs(backward(dout, x) - _slopes_of(forward, dout, x)).max())
    return int(np.argmax(errors))


def _counted_from_one(passes: Sequence[tuple[Forward, Backward]], x: Array) -> int:
    return find_wrong_backward(passes, x) + 1


Pass = tuple[Function, Function]


def _polynomial(c: Array, *, mistake: str = "", scale: float = 1.0) -> Pass:
    """c has four entries; the mistakes: "cube" leaves the cube's slope out, "powers" forgets the factors 2 and 3."""
    slopes = {"": c[1:] * [1, 2, 3], "powers": c[1:], "cube": c[1:3] * [1, 2]}[mistake]
    return (
        Function("polynomial", {"coefficients": c * scale}),
        Function("polynomial_backward", {"coefficients": np.asarray(slopes) * scale}),
    )


def _coefficients(rng: np.random.Generator) -> Array:
    return rng.uniform(0.5, 1.5, 4)


def _wave(rng: np.random.Generator, *, mistake: bool = False, scale: float = 1.0) -> Pass:
    """The mistake: the inner slope, the frequency, is left out."""
    amplitude, frequency = scale * float(rng.uniform(0.8, 1.5)), float(rng.uniform(0.4, 0.7))
    inner = 1.0 if mistake else frequency
    # The backward pass's cosine runs at the same frequency; its amplitude carries the inner slope.
    return (
        Function("wave", {"amplitude": amplitude, "frequency": frequency}),
        Function("wave_backward", {"amplitude": amplitude * inner, "frequency": frequency}),
    )


def _product(rng: np.random.Generator, d_in: int, d_out: int, *, mistake: bool = False) -> Pass:
    """The mistake, for a square matrix: it is not transposed."""
    W = rng.normal(size=(d_in, d_out))
    back = W if mistake else W.T.copy()
    return Function("matrix_product", {"W": W}), Function("matrix_product_backward", {"W": back})


def _centred(axis: int, *, back_axis: int | None = None, share: float = 1.0) -> Pass:
    """The mistakes: share 0 forgets the branch through the mean; another axis in the backward pass."""
    back = axis if back_axis is None else back_axis
    return Function("centre", {"axis": axis}), Function("centre_backward", {"axis": back, "share": share})


def _shuffled(rng: np.random.Generator, passes: Sequence[Pass]) -> list[Pass]:
    return [passes[i] for i in rng.permutation(len(passes))]


def _round(right: Sequence[Pass], wrong: Pass, place: int, x: Array, label: str = "") -> Case:
    passes = [*right[:place], wrong, *right[place:]]
    return Case((call("find_wrong_backward", passes=passes, x=x),), label=label or f"{len(passes)} passes")


def _find_ordinary(rng: np.random.Generator) -> list[Case]:
    """Four rounds with the wrong one in a different place each time: no constant answer fits two of them."""
    wrong = [
        _polynomial(_coefficients(rng), mistake="powers"),
        _wave(rng, mistake=True),
        _product(rng, 3, 3, mistake=True),
        _centred(0, share=0.0),
    ]
    cases = []
    for place, count, mistaken in zip(rng.permutation(4), (4, 5, 4, 5), _shuffled(rng, wrong), strict=True):
        right = [_polynomial(_coefficients(rng)), _wave(rng), _product(rng, 3, 2), _centred(int(rng.integers(2)))]
        x = _away_from_zero(rng, (4, 3), 0.4) * 0.7
        cases.append(_round(_shuffled(rng, right)[: count - 1], mistaken, int(place), x))
    return cases


def _find_edge(rng: np.random.Generator) -> list[Case]:
    """Mistakes that hide: from a gradient of ones, and at the entry where x is 0."""
    hidden = _away_from_zero(rng, (3, 3), 0.4) * 0.7
    at_zero = hidden.copy()
    at_zero[0, 0] = 0.0
    right = _shuffled(rng, [_polynomial(_coefficients(rng)), _wave(rng), _product(rng, 3, 4)])
    first, second = (1, 3) if rng.random() < 0.5 else (3, 1)
    return [
        _round(right, _centred(0, back_axis=1), first, hidden),
        _round(right, _polynomial(_coefficients(rng), mistake="cube"), second, at_zero),
        _round([_polynomial(_coefficients(rng))], _wave(rng, mistake=True), 0, np.array([[0.8]]), "one number"),
    ]


def _find_nasty(rng: np.random.Generator) -> list[Case]:
    """Sizes far apart, where only relative differences tell; the wrong pass is in a different place each time.

    The huge pass is neither the first nor the last right one, so that naming it is told apart from other mistakes.
    """
    places = rng.permutation(3) + 1  # never the first: what a fixed threshold names where it finds nothing
    cases = []
    for place, scale, label in zip(
        places, (1e7, 1e7, 1.0), ("1e-6 and 1e7", "1e-6 and 1e7", "1e-6 and 1"), strict=True
    ):
        right = [_wave(rng), _polynomial(_coefficients(rng), scale=scale), _wave(rng)]
        x = _away_from_zero(rng, (2, 3), 0.4) * 0.7
        cases.append(_round(right, _wave(rng, mistake=True, scale=1e-6), int(place), x, label))
    return cases


FIND_WRONG_BACKWARD = Exercise(
    name="find_wrong_backward",
    lesson=LESSON,
    question="One of these backward passes is wrong. Find it from numbers alone.",
    outputs=("index",),
    reference=find_wrong_backward,
    groups=(
        Group("ordinary", "Several rounds", 3, _find_ordinary),
        Group("edge", "Mistakes that hide", 1, _find_edge),
        Group("nasty", "Huge beside tiny", 1, _find_nasty),
    ),
    misconceptions=(
        Misconception(
            "always_first",
            "The first pass is named every time. Either the two gradients are asked to be equal to the last "
            "digit (they never are: compare with a tolerance), or your differences are off for every pass, say "
            "by a factor of 2.",
            lambda _passes, _x: 0,
            "Print the largest difference of each pass. Right ones are near 1e-9, the wrong one is much "
            "larger. If all are large, look at the step: (f(x + h) - f(x - h)) / (2 * h).",
        ),
        Misconception(
            "always_last",
            "The last pass is named every time: does every pass count as wrong, or does a loop overwrite what "
            "it found? Compare with a tolerance, and stop at the one you find.",
            lambda passes, _x: len(passes) - 1,
        ),
        Misconception(
            "first_right_one",
            "A pass that is right is named: the condition is the wrong way round.",
            _find(lambda a, b: not _apart(a, b)),
        ),
        Misconception(
            "counted_from_one",
            "The answer is one too large: indices start at 0.",
            _counted_from_one,
        ),
        Misconception(
            "dout_of_ones",
            "With dout all ones some mistakes cannot be seen: a gradient that takes the mean away gives 0 "
            "along any axis. Try a random dout.",
            _find(_apart, dout_like=np.ones_like),
            "Draw dout = rng.normal(size=y.shape), where y = forward(x). The number to differentiate is "
            "np.sum(dout * forward(x)).",
        ),
        Misconception(
            "nothing_found_with_ones",
            "None came back: your test found no pass wrong. With dout all ones some mistakes cannot be seen: a "
            "gradient that takes the mean away gives 0 along any axis. Try a random dout.",
            _find(_apart, dout_like=np.ones_like, otherwise=None),
            "Draw dout = rng.normal(size=y.shape), where y = forward(x). The number to differentiate is "
            "np.sum(dout * forward(x)).",
        ),
        Misconception(
            "one_entry_only",
            "Only the first entry is looked at. A mistake may vanish at one place, for instance where x is 0: "
            "compare all.",
            _find(lambda a, b: _apart(a.reshape(-1)[:1], b.reshape(-1)[:1])),
        ),
        Misconception(
            "absolute_difference",
            "The largest absolute difference is taken. Where numbers are huge, rounding alone is large: divide "
            "by the size of the gradient.",
            _absolute,
        ),
        Misconception(
            "fixed_threshold",
            "Differences are compared with a fixed number such as 1e-4. A small gradient can be wholly wrong "
            "and stay below it: divide by the size of the gradient first.",
            _find(lambda a, b: bool(np.abs(a - b).max() > 1e-4)),
        ),
        Misconception(
            "nothing_found_above_a_threshold",
            "None came back: no difference was above a fixed number such as 1e-4. A small gradient can be wholly wrong "
            "and stay below it: divide by the size of the gradient first.",
            _find(lambda a, b: bool(np.abs(a - b).max() > 1e-4), otherwise=None),
        ),
    ),
    hints=(
        cleandoc("""
            Take forward(x) = x**2 and backward(dout, x) = dout * x at x = [[3.0]], shape (1, 1), with dout =
            [[2.0]].

            f(x) = sum(dout * x**2) = 18 there. By differences: (f(3.1) - f(2.9)) / 0.2 = (19.22 - 16.82) / 0.2
            = 12. By hand: 2 * 3 = 6. They disagree, so this pass is the wrong one.
            """),
        cleandoc("""
            A backward pass multiplies dout with the slopes of the forward pass. So f(x) = sum(dout *
            forward(x)), one number, has the gradient backward(dout, x), whatever dout is. Draw a random dout
            for each pass, take f's gradient with your numerical_gradient, and compare, relative to its size.
            """),
        cleandoc("""
            ```python
            rng = np.random.default_rng(0)
            errors = []
            for forward, backward in passes:
                dout = rng.normal(size=____)
                f = lambda moved: np.sum(dout * forward(moved))
                slopes = numerical_gradient(f, x)
                errors.append(np.abs(____ - slopes).max() / np.abs(slopes).max())
            return int(np.argmax(errors))
            ```

            Why is dout random, and not all ones?
            """),
    ),
    minutes=12,
    difficulty=3,
    stretch=True,
)

EXERCISES: tuple[Exercise, ...] = (
    NUMERICAL_GRADIENT,
    RELU_BACKWARD,
    LINEAR_BACKWARD,
    SOFTMAX_CROSS_ENTROPY,
    MLP_GRADIENTS,
    FIND_WRONG_BACKWARD,
)
"""In the order of the notebook."""
