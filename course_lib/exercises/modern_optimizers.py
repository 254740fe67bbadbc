"""Lesson 11: a step of Lion, the orthogonalisation inside Muon, and a step of schedule-free SGD, as pure functions.

A step takes the parameters, their gradient and the state that the method remembers, and returns them anew; its arrays
share one shape and its arithmetic is elementwise. The orthogonalisation takes one matrix and returns one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.exercises.comparison import Tolerance
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Result, Step, call

Array = NDArray[np.floating[Any]]

LESSON = "11_modern_optimizers"
WITHHELD = ("modern_optimizers", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks: the sandbox leaves them out."""


# The references


def lion_step(
    theta: Array, grad: Array, m: Array, lr: float, beta1: float, beta2: float, weight_decay: float
) -> tuple[Array, Array]:
    """One step of Lion: every weight moves by lr, in the direction of the sign of a mixture of memory and gradient.

    update = sign(beta1 * m + (1 - beta1) * grad) with the old m;  theta = theta - lr * (update + weight_decay * theta);
    m = beta2 * m + (1 - beta2) * grad.  sign(0) is 0; m is zero before the first step.
    Source: Chen et al. (2023), Symbolic discovery of optimization algorithms, algorithm 2.
    """
    update = np.sign(beta1 * m + (1 - beta1) * grad)
    theta = theta - lr * (update + weight_decay * theta)
    m = beta2 * m + (1 - beta2) * grad
    return theta, m


def muon_orthogonalize(G: Array, steps: int = 5) -> Array:
    """The singular vectors of G, shape (n, m), with all singular values near 1, by a Newton-Schulz iteration.

    X = G / max(Frobenius norm, 1e-7); then, `steps` times, X = a*X + (b*A + c*A@A) @ X with A = X @ X.T. A tall matrix
    is turned first and turned back at the end: the same result from smaller products.
    Source: Jordan et al. (2024), Muon: An optimizer for hidden layers in neural networks. Its code adds 1e-7 to the
    norm; PyTorch takes the larger of the two, as here. Only for matrices of about that size does it make a difference.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = G.shape[0] > G.shape[1]
    size: Any = np.linalg.norm(G)
    X: Array = (G.T if tall else G) / max(size, 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if tall else X


def schedule_free_step(x: Array, z: Array, grad: Array, t: int, lr: float) -> tuple[Array, Array]:
    """One step of schedule-free SGD: z takes a plain step, x becomes the mean of all z so far.

    z = z - lr * grad;  x = (1 - 1/t) * x + z / t, with the new z.  t is 1 at the first step. The gradient was taken at
    y = (1 - beta) * z + beta * x, which is the caller's business.
    Source: Defazio et al. (2024), The road less scheduled, equations 1 to 3, with weights 1/t.
    """
    z = z - lr * grad
    x = (1 - 1 / t) * x + z / t
    return x, z


# Mistakes with names. Each builder takes what a mistake does differently and returns a whole function.

_Wrong = Callable[..., Any]


def _average(old: Array, new: Array, beta: float) -> Array:
    return beta * old + (1 - beta) * new


def _lion_with(
    direction: Callable[[Array, Array, float, float], Array] = lambda m, g, b1, _b2: np.sign(_average(m, g, b1)),
    memory: Callable[[Array, Array, float, float], Array] = lambda m, g, _b1, b2: _average(m, g, b2),
    move: Callable[[Array, Array, float, float], Array] = lambda theta, u, lr, wd: theta - lr * (u + wd * theta),
) -> _Wrong:
    """Lion with another direction or memory (from old m, grad, beta1, beta2) or another move of theta."""

    def wrong(
        theta: Array, grad: Array, m: Array, lr: float, beta1: float, beta2: float, weight_decay: float
    ) -> tuple[Array, Array]:
        update = direction(m, grad, beta1, beta2)
        return move(theta, update, lr, weight_decay), memory(m, grad, beta1, beta2)

    return wrong


def _decay_in_gradient(
    theta: Array, grad: Array, m: Array, lr: float, beta1: float, beta2: float, weight_decay: float
) -> tuple[Array, Array]:
    return lion_step(theta, grad + weight_decay * theta, m, lr, beta1, beta2, 0.0)


def _decay_in_the_sign(
    theta: Array, grad: Array, m: Array, lr: float, beta1: float, beta2: float, weight_decay: float
) -> tuple[Array, Array]:
    update = np.sign(_average(m, grad, beta1) + weight_decay * theta)
    return theta - lr * update, _average(m, grad, beta2)


def _decay_after_step(theta: Array, update: Array, lr: float, weight_decay: float) -> Array:
    moved = theta - lr * update
    return moved - lr * weight_decay * moved


_LION_MISTAKES = (
    Misconception(
        "new_memory_in_the_sign",
        "`m` is updated before the sign is taken, so the direction mixes in the *new* memory and counts the gradient "
        "twice. Take the sign first, with the `m` you were given; update `m` last.",
        _lion_with(direction=lambda m, g, b1, b2: np.sign(_average(_average(m, g, b2), g, b1))),
        "Which line stands first? With `m = 1`, `grad = -8.5`, betas 0.9 and 0.99, the old memory gives "
        "0.9 - 0.85 = 0.05, sign +1. The new one is 0.905, and 0.8145 - 0.85 is negative.",
    ),
    Misconception(
        "sign_of_the_memory",
        "The sign is taken of the new memory alone. Lion's direction is a mixture of its own: `beta1` of the *old* "
        "`m` and `1 - beta1` of the gradient.",
        _lion_with(direction=lambda m, g, _b1, b2: np.sign(_average(m, g, b2))),
        "Where does `beta1` come in? There are two mixtures: one with beta1 for the step, one with beta2 for the "
        "memory.",
    ),
    Misconception(
        "sign_of_the_gradient",
        "The sign is taken of the gradient alone. The memory belongs into the direction too: `beta1 * m + (1 - beta1) "
        "* grad`.",
        _lion_with(direction=lambda _m, g, _b1, _b2: np.sign(g)),
        "With `m = 1` and `grad = -2` the mixture is 0.9 - 0.2 = 0.7: the memory outvotes the gradient.",
    ),
    Misconception(
        "sign_forgotten",
        "The sign is missing: the step is as long as the average is large. In Lion every weight moves by `lr`, "
        "whatever the size of its slope.",
        _lion_with(direction=lambda m, g, b1, _b2: _average(m, g, b1)),
        "`np.sign` turns the mixture into -1, 0 or 1. What you have without it is momentum.",
    ),
    Misconception(
        "sign_by_division",
        "The mixture is divided by its size plus a small number instead of taking its sign: tiny slopes then hardly "
        "move their weight. `np.sign` needs no eps.",
        _lion_with(direction=lambda m, g, b1, _b2: _average(m, g, b1) / (np.abs(_average(m, g, b1)) + 1e-8)),
        "For a mixture of 1e-12 your quotient is 0.0001. Its sign is 1.",
    ),
    Misconception(
        "sign_of_zero_is_one",
        "Where the mixture is exactly 0 you take +1 or -1. The sign of 0 is 0: a weight that never had a slope "
        "stands still.",
        _lion_with(direction=lambda m, g, b1, _b2: np.where(_average(m, g, b1) >= 0, 1.0, -1.0)),
        "A pixel that is always blank gives its weights slope 0 for ever. Where would +1 at every step take them?",
    ),
    Misconception(
        "betas_swapped",
        "`beta1` and `beta2` have changed places: beta1 mixes the direction of this step, beta2 the memory that is "
        "kept.",
        _lion_with(
            lambda m, g, _b1, b2: np.sign(_average(m, g, b2)),
            lambda m, g, b1, _b2: _average(m, g, b1),
        ),
        "Look at the two mixtures. In the step the gradient counts `1 - beta1` (a tenth), in the memory `1 - beta2` (a "
        "hundredth).",
    ),
    Misconception(
        "one_mixture_for_both",
        "The mixture of the step is also kept as the memory. The memory has its own: `beta2 * m + (1 - beta2) * grad`.",
        _lion_with(memory=lambda m, g, b1, _b2: _average(m, g, b1)),
        "Where does `beta2` come in? With m = 0, grad = 2 and beta2 = 0.99 the new memory is 0.02.",
    ),
    Misconception(
        "uphill",
        "The step goes uphill. The direction points up, so lr times it is subtracted: look at the sign in front of "
        "`lr`.",
        _lion_with(move=lambda theta, u, lr, wd: theta + lr * u - lr * wd * theta),
        "With a slope of +1 the loss grows when theta grows. In which direction must theta go?",
    ),
    Misconception(
        "decay_in_gradient",
        "The decay is added to the gradient, so it disappears in the sign and stains the memory. Take it from theta "
        "directly: `lr * weight_decay * theta`.",
        _decay_in_gradient,
        "The memory must come out the same whatever weight_decay is. Does yours?",
    ),
    Misconception(
        "decay_in_the_sign",
        "The decay stands inside the sign and loses its size. Add `weight_decay * theta` after the sign.",
        _decay_in_the_sign,
        "With a mixture of 0.6 and a decay of 0.5 * 2 the sign is 1 as before. How much of theta's decay is left?",
    ),
    Misconception(
        "decay_without_lr",
        "The decay is not scaled with the learning rate. Take away `lr * weight_decay * theta`, not `weight_decay * "
        "theta`.",
        _lion_with(move=lambda theta, u, lr, wd: theta - lr * u - wd * theta),
        "lr = 0.1 and weight_decay = 0.5 take 5% off theta, not 50%.",
    ),
    Misconception(
        "decay_after_step",
        "The decay is taken from theta after it has moved. It is reckoned from the theta you were given: look at the "
        "order of your lines.",
        _lion_with(move=_decay_after_step),
        "theta = 2, lr = 0.1, weight_decay = 0.5, direction +1: 2 - 0.1 - 0.1 = 1.8. The other order gives "
        "1.9 * 0.95 = 1.805.",
    ),
    Misconception(
        "no_decay",
        "`weight_decay` has no effect. Besides its step, theta loses `lr * weight_decay` of itself.",
        _lion_with(move=lambda theta, u, lr, _wd: theta - lr * u),
        "`theta - lr * (update + weight_decay * theta)`: is the second term there?",
    ),
)


_A, _B, _C = 3.4445, -4.7750, 2.0315


def _frobenius(G: Array) -> Any:
    return max(float(np.linalg.norm(G)), 1e-7)


def _muon_with(
    size: Callable[[Array], Any] = _frobenius,
    once: Callable[[Array], Array] = lambda X: _A * X + (_B * X @ X.T + _C * X @ X.T @ X @ X.T) @ X,
    rounds: Callable[[int], int] = lambda steps: steps,
    back: bool = True,
) -> _Wrong:
    """The orthogonalisation with another size to divide by, another iteration, or another number of them."""

    def wrong(G: Array, steps: int = 5) -> Array:
        tall = G.shape[0] > G.shape[1]
        X: Array = (G.T if tall else G) / size(G)
        for _ in range(rounds(steps)):
            X = once(X)
        return X.T if tall and back else X

    return wrong


def _svd(G: Array, steps: int = 5) -> Array:
    U, values, Vt = np.linalg.svd(G, full_matrices=False)
    found: Array = (U * (values > 0)) @ Vt
    return found


def _entrywise_square(X: Array) -> Any:
    A = X @ X.T
    return _A * X + (_B * A + _C * A**2) @ X


def _entrywise_square_unturned(G: Array, steps: int = 5) -> Array:
    X: Array = G / _frobenius(G)
    for _ in range(steps):
        X = _entrywise_square(X)
    return X


def _other_side(X: Array) -> Any:
    A = X.T @ X
    return _A * X + (_B * A + _C * A @ A) @ X


def _normalised_again(X: Array) -> Any:
    X = X / _frobenius(X)
    A = X @ X.T
    return _A * X + (_B * A + _C * A @ A) @ X


_MUON_MISTAKES = (
    Misconception(
        "not_normalised",
        "The matrix is not divided by its norm first: singular values above 1.4 or so run away to infinity. Look at "
        "the line before the loop.",
        _muon_with(size=lambda _G: 1.0),
        "Shape (1, 1): for G = [[3]] the first round gives 3.4445 * 3 - 4.775 * 27 + 2.0315 * 243 = 375. And the next?",
    ),
    Misconception(
        "spectral_norm",
        "The matrix is divided by its largest singular value (`np.linalg.norm(G, 2)`). Here it is the Frobenius norm, "
        "the root of the sum of all squares: `np.linalg.norm(G)`.",
        _muon_with(size=lambda G: max(float(np.linalg.norm(G, 2)), 1e-7)),
        "For G = [[3, 0], [0, 4]] the Frobenius norm is 5, the spectral norm 4. Which one does NumPy give without a "
        "second argument?",
    ),
    Misconception(
        "squared_norm",
        "The matrix is divided by the sum of its squares: the root is missing.",
        _muon_with(size=lambda G: max(float(np.sum(G**2)), 1e-7)),
        "For G = [[3, 0], [0, 4]] divide by 5, not by 25.",
    ),
    Misconception(
        "rows_normalised",
        "Every row is divided by its own norm. One number for the whole matrix: the Frobenius norm.",
        lambda G, steps=5: muon_orthogonalize(
            G / np.maximum(np.linalg.norm(G, axis=1, keepdims=True), 1e-7) if np.ndim(G) == 2 else G, steps
        ),
        "Dividing each row by its own number changes the singular vectors, which have to stay.",
    ),
    Misconception(
        "normalised_each_time",
        "The matrix is divided by its norm in every round, which undoes what the round before has done. Divide once, "
        "before the loop.",
        _muon_with(once=_normalised_again),
        "A 4 x 4 matrix whose singular values are all 1 has the Frobenius norm 2. What would dividing make of them?",
    ),
    Misconception(
        "no_guard_against_zero",
        "A matrix of zeros gives 0/0. Divide by the norm, or by 1e-7 where the norm is smaller.",
        _muon_with(size=lambda G: np.linalg.norm(G)),
        "A layer that gets no gradient has G = 0. It should come back as zeros: `max(norm, 1e-7)`.",
    ),
    Misconception(
        "cubic_coefficients",
        "These are the coefficients of the classical iteration, 1.5 and -0.5. Here there are three: 3.4445, -4.7750 "
        "and 2.0315, which go with X, with A and with A @ A.",
        _muon_with(once=lambda X: 1.5 * X - 0.5 * X @ X.T @ X),
        "The classical ones settle at 1 exactly, and slowly: a small value grows by 1.5 a round. With 3.4445 it grows "
        "more than twice as fast. Which three numbers does the question give?",
    ),
    Misconception(
        "entrywise_powers",
        "Powers are taken entry by entry: `X**3` is no product of matrices. Use `X @ X.T`, and multiply it with `@`.",
        _muon_with(once=lambda X: _A * X + _B * X**3 + _C * X**5),
        "Where does the cube of a singular value come from? From `X @ X.T @ X`.",
    ),
    Misconception(
        "entrywise_square",
        "`A**2` and `A * A` square each entry. The square of a matrix is `A @ A`.",
        _muon_with(once=_entrywise_square),
        "For A = [[1, 1], [1, 1]] the one gives [[1, 1], [1, 1]], the other [[2, 2], [2, 2]].",
    ),
    Misconception(
        "entrywise_square_unturned",
        "`A * A` (or `A**2`) multiplies entry by entry. The square of a matrix is its product with itself: `A @ A`.",
        _entrywise_square_unturned,
        "For A = [[1, 1], [1, 1]] `A * A` gives [[1, 1], [1, 1]], and `A @ A` gives [[2, 2], [2, 2]].",
    ),
    Misconception(
        "gram_on_the_other_side",
        "`A` is `X.T @ X`, and stands on the left of X, where only `X @ X.T` belongs. For square matrices the shapes "
        "fit and hide it.",
        _muon_with(once=_other_side),
        "X has shape (2, 5). `X.T @ X` has (5, 5) and cannot stand before X. `X @ X.T` has (2, 2) and can.",
    ),
    Misconception(
        "last_term_forgotten",
        "The term with `A @ A` is missing, or weighs nothing: the polynomial has three terms.",
        _muon_with(once=lambda X: _A * X + _B * X @ X.T @ X),
        "A singular value s becomes 3.4445 s - 4.7750 s^3 + 2.0315 s^5. Which line makes the fifth power?",
    ),
    Misconception(
        "steps_ignored",
        "There are always five rounds, whatever `steps` says.",
        _muon_with(rounds=lambda _steps: 5),
        "`for _ in range(steps):`",
    ),
    Misconception(
        "two_rounds",
        "There are always two rounds, whatever `steps` says: small singular values are still small then.",
        _muon_with(rounds=lambda _steps: 2),
        "`for _ in range(steps):`",
    ),
    Misconception(
        "one_round_too_few",
        "There is one round less than `steps` says: look at the `range`.",
        _muon_with(rounds=lambda steps: steps - 1),
        "`range(1, steps)` has steps - 1 members. `range(steps)` has steps.",
    ),
    Misconception(
        "exact_orthogonal_matrix",
        "This is the exact answer, all singular values 1 (from `np.linalg.svd`). Asked for is the iteration, which "
        "leaves them anywhere between 0.7 and 1.2: near enough for a step, and made of products alone.",
        _svd,
        "Compare `np.linalg.svd(your_result)[1]` with the numbers of the question. Do the rounds instead.",
    ),
    Misconception(
        "not_turned_back",
        "A tall matrix is turned first, and comes back lying on its side. Turn it back at the end: `X.T`.",
        _muon_with(back=False),
        "What goes in with shape (5, 2) comes out with shape (5, 2).",
    ),
)


def _free_with(
    step: Callable[[Array, Array, Array, int, float], Array] = lambda _x, z, g, _t, lr: z - lr * g,
    mean: Callable[[Array, Array, Array, int], Array] = lambda x, z, _old, t: x + (z - x) / t,
    back: Callable[[Array, Array], Any] = lambda x, z: (x, z),
) -> _Wrong:
    """Schedule-free SGD with another step (from x, z, grad, t, lr) or mean (from x, new z, old z, t)."""

    def wrong(x: Array, z: Array, grad: Array, t: int, lr: float) -> Any:
        moved = step(x, z, grad, t, lr)
        return back(mean(x, moved, z, t), moved)

    return wrong


_FREE_MISTAKES = (
    Misconception(
        "counted_from_zero",
        "The new point gets the weight 1/(t + 1). Here `t` is 1 at the first step, and the weight is 1/t: at the "
        "first step the mean *is* the new point.",
        _free_with(mean=lambda x, z, _old, t: x + (z - x) / (t + 1)),
        "The mean of one number is that number. With t = 1, what must the new x be?",
    ),
    Misconception(
        "averaged_before_the_step",
        "x takes in the old z, from before the step. Move z first, then average the new one in.",
        _free_with(mean=lambda x, _z, old, t: x + (old - x) / t),
        "Which of your two lines comes first?",
    ),
    Misconception(
        "x_takes_the_step",
        "The step starts from x. It is z that walks; x is the mean of where z has been.",
        _free_with(step=lambda x, _z, g, _t, lr: x - lr * g),
        "`z = z - lr * grad`: is that the z you were given?",
    ),
    Misconception(
        "both_take_the_step",
        "x takes the gradient step too, before it is averaged. Only z does; x just takes in the new z.",
        _free_with(mean=lambda x, z, old, t: (1 - 1 / t) * (x + z - old) + z / t),
        "In the line of x there is no `grad`.",
    ),
    Misconception(
        "half_and_half",
        "x and the new z are averaged half and half at every step. The weight of the new point is 1/t: all points so "
        "far count alike.",
        _free_with(mean=lambda x, z, _old, _t: (x + z) / 2),
        "The mean of 2, 4 and 9 is 5. Half and half gives 3 and then 6.",
    ),
    Misconception(
        "fading_average",
        "x is a fading average (0.9 of the old, 0.1 of the new), as in momentum. Here it is the plain mean: the weight "
        "of the new point is 1/t.",
        _free_with(mean=lambda x, z, _old, _t: 0.9 * x + 0.1 * z),
        "A fading average forgets. After t steps each of the t points counts 1/t.",
    ),
    Misconception(
        "weights_exchanged",
        "The weights have changed places: the new z gets 1/t, the old mean 1 - 1/t.",
        _free_with(mean=lambda x, z, _old, t: x / t + (1 - 1 / t) * z),
        "At step 100 the mean holds 99 points, the new z is one. Which of them weighs 1/100?",
    ),
    Misconception(
        "old_mean_at_full_weight",
        "The old mean stays at full weight: x grows step by step. It keeps `1 - 1/t` of itself.",
        _free_with(mean=lambda x, z, _old, t: x + z / t),
        "Feed the same z twice, 3 and 3, from t = 1. The mean is 3. Is yours?",
    ),
    Misconception(
        "mean_fed_back",
        "The mean comes back as z too, so the next step starts from it. Return x and z, each its own.",
        _free_with(back=lambda x, _z: (x, x)),
        "z must come back as z - lr * grad and nothing else.",
    ),
    Misconception(
        "exchanged",
        "`x` and `z` come back in the wrong order. Return x first, then z.",
        _free_with(back=lambda x, z: (z, x)),
        "The next call gets what you return, in the order in which you return it.",
    ),
    Misconception(
        "uphill",
        "z goes uphill: lr times the gradient is subtracted. Look at the sign in front of `lr`.",
        _free_with(step=lambda _x, z, g, _t, lr: z + lr * g),
        "With a slope of +1 the loss grows when z grows. In which direction must z go?",
    ),
    Misconception(
        "step_fades",
        "The step of z is divided by t. The rate stays as it is: averaging does what a falling rate would do.",
        _free_with(step=lambda _x, z, g, t, lr: z - lr * g / t),
        "The 1/t stands in the line of x alone.",
    ),
)


# The cases


def _away(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Numbers of either sign, at least `low` from zero: no entry hides a mistake by being nearly 0."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(low, high, shape) * signs


def _betas(other: bool) -> tuple[float, float]:
    """Lion's usual ones, or `other` ones."""
    return (0.8, 0.95) if other else (0.9, 0.99)


def _contest(rng: np.random.Generator, shape: tuple[int, ...], other: bool) -> tuple[Array, Array]:
    """A gradient and a memory of which now the one, now the other has its way, now they agree; never a near tie.

    In turn: they agree; the gradient wins in the step (and would lose in the new memory), then so narrowly that a
    memory at full weight would turn it; the memory wins, then so narrowly that counting the gradient twice would.
    """
    beta1, _ = _betas(other)
    memory = _away(rng, shape, 0.2, 1.0)
    ranges = [(1, 2), (-2, -1.4), (-1.06, -1.03), (-0.6, -0.3), (-0.97, -0.94)]
    share = np.stack([rng.uniform(low, high, shape) for low, high in ranges])
    turn = (np.arange(memory.size) + rng.integers(len(ranges))).reshape(shape) % len(ranges)
    ratio = np.take_along_axis(share, turn[None], axis=0)[0]
    return memory * ratio * beta1 / (1 - beta1), memory


def _lion(theta: Any, grad: Array, m: Any, lr: float, decay: float, other: bool = False) -> Step:
    beta1, beta2 = _betas(other)
    given = {"theta": theta, "grad": grad, "m": m, "lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": decay}
    return call("lion_step", **given)


def _lion_single(
    rng: np.random.Generator, shape: tuple[int, ...], label: str, lr: float, decay: float, other: bool = False
) -> Case:
    grad, memory = _contest(rng, shape, other)
    return Case((_lion(_away(rng, shape), grad, memory, lr, decay, other),), label=label)


def _lion_from_rest(
    theta: Array, grads: list[Array], label: str, lr: float = 0.1, decay: float = 0.3, other: bool = False
) -> Case:
    """One step or more from an empty memory, each fed with what the step before returned."""
    steps = [_lion(theta, grads[0], np.zeros_like(theta), lr, decay, other)]
    for index, grad in enumerate(grads[1:]):
        steps.append(_lion(Result(index, 0), grad, Result(index, 1), lr, decay, other))
    return Case(tuple(steps), label=label)


def _lion_ordinary(rng: np.random.Generator) -> list[Case]:
    rates = [float(rate) for rate in rng.uniform(0.05, 0.2, 4)]
    return [
        _lion_single(rng, (6,), "shape (6,)", rates[0], 0.3),
        _lion_single(rng, (3, 4), "shape (3, 4)", rates[1], 0.5, other=True),
        _lion_single(rng, (4, 4), "shape (4, 4)", rates[2], 0.4),
        _lion_from_rest(_away(rng, (4,), 2, 4), [_away(rng, (4,))], "the first step", rates[3]),
        _lion_from_rest(_away(rng, (2, 3), 2, 4), [_away(rng, (2, 3)) for _ in range(3)], "three steps from rest"),
    ]


def _lion_edge(rng: np.random.Generator) -> list[Case]:
    some = _away(rng, (4,))
    some[rng.integers(4)] = 0.0
    grad, memory = _contest(rng, (3,), other=False)
    return [
        _lion_from_rest(_away(rng, (3,), 2, 4), [np.zeros(3)], "slope 0, never moved before"),
        _lion_from_rest(_away(rng, (4,), 2, 4), [some], "one slope of four is 0", decay=0.0),
        _lion_single(rng, (4,), "weight_decay = 0", 0.1, 0.0),
        Case((_lion(_away(rng, (3,)), grad, memory, 0.0, 0.5),), label="lr = 0"),
        _lion_from_rest(_away(rng, (1,), 2, 4), [_away(rng, (1,))], "a single number"),
        _lion_from_rest(_away(rng, (1, 3), 2, 4), [_away(rng, (1, 3))], "shape (1, 3)"),
    ]


def _lion_nasty(rng: np.random.Generator) -> list[Case]:
    def single(*shape: int, low: float = 0.5, high: float = 2.0) -> Array:
        return _away(rng, shape, low, high).astype(np.float32)

    grad, memory = (array.astype(np.float32) for array in _contest(rng, (6,), other=False))
    return [
        _lion_from_rest(_away(rng, (4,), 2, 4), [1e-12 * _away(rng, (4,))], "slopes of 1e-12"),
        _lion_from_rest(_away(rng, (2, 2), 2, 4), [1e6 * _away(rng, (2, 2))], "slopes of 1e6"),
        Case((_lion(single(6, low=2, high=4), grad, memory, 0.1, 0.3),), label="float32, shape (6,)"),
        _lion_from_rest(single(3, low=2, high=4), [single(3) for _ in range(3)], "float32, three steps", lr=0.02),
    ]


def _matrix(rng: np.random.Generator, shape: tuple[int, int], low: float = 0.3, high: float = 1.0) -> Array:
    """A matrix whose singular values lie between these two, evenly spread over the powers."""
    left, _, right = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    values = np.exp(np.linspace(np.log(low), np.log(high), min(shape)))
    found: Array = (left * (values * rng.uniform(0.95, 1.05, len(values)))) @ right
    return found


def _orthogonalized(G: Array, steps: int, label: str) -> Case:
    return Case((call("muon_orthogonalize", G=G, steps=steps),), label=label)


def _muon_ordinary(rng: np.random.Generator) -> list[Case]:
    cases = [
        _orthogonalized(2 * _matrix(rng, (n, m)), steps, f"shape ({n}, {m}), steps = {steps}")
        for n, m, steps in ((4, 4, 5), (3, 5, 1), (5, 3, 3), (2, 6, 5), (6, 4, 5), (3, 3, 2))
    ]
    asked = call("muon_orthogonalize", G=3 * _matrix(rng, (4, 5)))
    return [*cases, Case((asked,), label="shape (4, 5), steps not given")]


def _muon_edge(rng: np.random.Generator) -> list[Case]:
    rank_one = np.outer(_away(rng, (4,)), _away(rng, (3,)))
    turned = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return [
        _orthogonalized(np.zeros((3, 4)), 5, "a matrix of zeros"),
        _orthogonalized(_away(rng, (1, 1)), 5, "shape (1, 1)"),
        _orthogonalized(_away(rng, (1, 5)), 5, "a single row"),
        _orthogonalized(_away(rng, (5, 1)), 2, "a single column"),
        _orthogonalized(np.diag(rng.uniform(0.5, 2, 3)), 5, "a diagonal matrix"),
        _orthogonalized(turned, 5, "a matrix that is orthogonal already"),
        _orthogonalized(rank_one, 5, "a matrix of rank 1"),
    ]


def _muon_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _orthogonalized(_matrix(rng, (4, 6), 1e-3, 1.0), 5, "singular values from 0.001 to 1"),
        _orthogonalized(1e6 * _matrix(rng, (3, 4)), 5, "entries of about a million"),
        _orthogonalized(1e-12 * _matrix(rng, (3, 4)), 2, "entries of about 1e-12"),
        _orthogonalized(_matrix(rng, (30, 2)), 5, "shape (30, 2)"),
        _orthogonalized(_matrix(rng, (5, 4)).astype(np.float32), 5, "float32, shape (5, 4)"),
        _orthogonalized(_matrix(rng, (2, 4)), 10, "shape (2, 4), steps = 10"),
    ]


def _free(x: Any, z: Any, grad: Array, t: int, lr: float) -> Step:
    return call("schedule_free_step", x=x, z=z, grad=grad, t=t, lr=lr)


def _free_single(rng: np.random.Generator, shape: tuple[int, ...], t: int, label: str, lr: float = 0.1) -> Case:
    x, z, grad = (_away(rng, shape) for _ in range(3))
    return Case((_free(x, z, grad, t, lr),), label=label)


def _free_chain(start: Array, grads: list[Array], label: str, lr: float = 0.1) -> Case:
    """Steps from t = 1 on, each fed with what the step before returned."""
    steps = [_free(start, start, grads[0], 1, lr)]
    for index, grad in enumerate(grads[1:]):
        steps.append(_free(Result(index, 0), Result(index, 1), grad, index + 2, lr))
    return Case(tuple(steps), label=label)


def _free_ordinary(rng: np.random.Generator) -> list[Case]:
    rates = [float(rate) for rate in rng.uniform(0.05, 0.3, 3)]
    return [
        _free_single(rng, (5,), 3, "shape (5,), t = 3", rates[0]),
        _free_single(rng, (3, 4), 7, "shape (3, 4), t = 7", rates[1]),
        _free_single(rng, (4, 4), 40, "shape (4, 4), t = 40", rates[2]),
        _free_chain(_away(rng, (4,), 2, 4), [_away(rng, (4,)) for _ in range(4)], "four steps from the start"),
    ]


def _free_edge(rng: np.random.Generator) -> list[Case]:
    x, z = _away(rng, (3,)), _away(rng, (3,))
    return [
        _free_single(rng, (3,), 1, "t = 1"),
        _free_single(rng, (3,), 2, "t = 2"),
        Case((_free(x, z, _away(rng, (3,)), 5, 0.0),), label="lr = 0"),
        Case((_free(x, z, np.zeros(3), 5, 0.1),), label="gradient 0"),
        _free_single(rng, (1,), 4, "a single number"),
        _free_single(rng, (1, 3), 4, "shape (1, 3)"),
    ]


def _free_nasty(rng: np.random.Generator) -> list[Case]:
    def single(*shape: int) -> Array:
        return _away(rng, shape).astype(np.float32)

    far = Case((_free(1e6 * _away(rng, (4,)), _away(rng, (4,)), _away(rng, (4,)), 3, 0.1),), label="x of a million")
    return [
        far,
        _free_single(rng, (3,), 100_000, "t = 100000"),
        Case((_free(single(5), single(5), single(5), 6, 0.1),), label="float32, t = 6"),
        _free_chain(single(3), [single(3) for _ in range(3)], "float32, three steps"),
    ]


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="lion_step",
        lesson=LESSON,
        question="Take one step of Lion: return the new theta and the new memory m.",
        outputs=("theta", "m"),
        reference=lion_step,
        groups=(
            Group("ordinary", "Ordinary steps", 3, _lion_ordinary),
            Group("edge", "Special values", 1, _lion_edge),
            Group("nasty", "Tiny and huge slopes, float32", 1, _lion_nasty),
        ),
        misconceptions=_LION_MISTAKES,
        hints=(
            (
                "Take shape (1,): `theta = [2]`, `grad = [-3]`, `m = [1]`, lr = 0.1, betas 0.9 and 0.99, "
                "weight_decay = 0.5. The mixture is `0.9 * 1 + 0.1 * -3 = 0.6`, its sign 1. `theta = 2 - 0.1 * (1 + "
                "0.5 * 2) = 1.8`. The memory: `0.99 * 1 + 0.01 * -3 = 0.96`. So `(theta, m) = ([1.8], [0.96])`."
            ),
            (
                "First the direction: the sign of beta1 of the *old* memory and 1 - beta1 of the gradient. Then theta "
                "loses lr times (the direction plus weight_decay times theta). The memory last, with beta2. Return "
                "both."
            ),
            (
                "```python\nupdate = np.sign(____)\ntheta = theta - lr * (update + ____)\n"
                "m = beta2 * m + (1 - beta2) * grad\nreturn theta, m\n```\n\n"
                "Why must the line of `m` come last: what would the gradient count in the sign otherwise?"
            ),
        ),
        minutes=8,
        difficulty=2,
        stretch=True,
    ),
    Exercise(
        name="muon_orthogonalize",
        lesson=LESSON,
        question="Bring all singular values of a matrix near 1 by a Newton-Schulz iteration, and return the matrix.",
        outputs=("X",),
        reference=muon_orthogonalize,
        groups=(
            Group("ordinary", "Ordinary matrices", 3, _muon_ordinary),
            Group("edge", "Special matrices", 1, _muon_edge),
            Group("nasty", "Uneven, huge and tiny matrices, float32", 2, _muon_nasty),
        ),
        misconceptions=_MUON_MISTAKES,
        hints=(
            (
                "Take shape (2, 2): `G = [[3, 0], [0, 4]]`, one round. Its norm is 5, so `X = [[0.6, 0], [0, 0.8]]` "
                "and `A = X @ X.T = [[0.36, 0], [0, 0.64]]`. In the corner: `3.4445 * 0.6 + (-4.775 * 0.36 + 2.0315 * "
                "0.36 * 0.36) * 0.6 = 1.193`. A matrix of shape (5, 2) may be turned to (2, 5) first, and back at the "
                "end."
            ),
            (
                "Divide the matrix by its Frobenius norm, at least 1e-7. Then as often as `steps` says: A is X times "
                "its own transpose; the new X is 3.4445 times X, plus (-4.7750 times A plus 2.0315 times A times A) "
                "times X. All of these are products of matrices."
            ),
            (
                "```python\nX = G / max(np.linalg.norm(G), 1e-7)\nfor _ in range(steps):\n    A = ____\n"
                "    X = 3.4445 * X + (-4.7750 * A + 2.0315 * ____) @ X\nreturn X\n```\n\n"
                "Why do the singular vectors stay as they are: what does `A @ X` do to each singular value?"
            ),
        ),
        minutes=12,
        difficulty=3,
        stretch=True,
        tolerance=Tolerance(float64=(1e-4, 1e-5), float32=(2e-3, 1e-3)),  # 1e-7 may be added to the norm as well
    ),
    Exercise(
        name="schedule_free_step",
        lesson=LESSON,
        question="Take one step of schedule-free SGD: return the new mean x and the new point z.",
        outputs=("x", "z"),
        reference=schedule_free_step,
        groups=(
            Group("ordinary", "Ordinary steps", 2, _free_ordinary),
            Group("edge", "Special values", 1, _free_edge),
            Group("nasty", "Long runs, huge numbers, float32", 1, _free_nasty),
        ),
        misconceptions=_FREE_MISTAKES,
        hints=(
            (
                "Take shape (1,), the third step: `x = [4]`, `z = [2]`, `grad = [10]`, t = 3, lr = 0.1. Then `z = 2 - "
                "0.1 * 10 = 1`. The mean held two points, now it holds three: `x = 2/3 * 4 + 1/3 * 1 = 3`. So "
                "`(x, z) = ([3.0], [1.0])`."
            ),
            (
                "Move z by minus lr times the gradient. Then average the *new* z into x: the old mean keeps 1 - 1/t, "
                "the new point gets 1/t. Return x, then z."
            ),
            (
                "```python\nz = z - ____\nx = (1 - 1 / t) * x + ____ / t\nreturn x, z\n```\n\n"
                "Why does it not matter what x is at the first step: how much of it is kept when t = 1?"
            ),
        ),
        minutes=6,
        difficulty=1,
        stretch=True,
    ),
)
