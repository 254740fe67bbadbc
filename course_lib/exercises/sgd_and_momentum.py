"""Lesson 03: mini-batches, and one step of SGD, of momentum and of Nesterov's momentum, as pure functions.

A step takes the parameters, their gradient and the velocity where the method has one, and returns the new parameters
and the new velocity. All arrays of one call share one shape; sums and products are elementwise.
Which examples share a batch is random: batches are judged by properties, not by one right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.exercises.answers import Opaque
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, RandomGenerator, Result, Step, call

Array = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

LESSON = "03_sgd_and_momentum"
WITHHELD = ("optimizers", "modern_optimizers", "training", "sweep", "range_test", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks: the sandbox leaves them out."""


# The references


def minibatches(n: int, batch_size: int, rng: np.random.Generator) -> list[IntArray]:
    """One epoch's worth of batches: indices 0 to n - 1 in random order, cut into consecutive slices.

    The last batch may be shorter. Source: Bottou (2012), Stochastic gradient descent tricks, section 4.1 (shuffle).
    """
    order = rng.permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def sgd_step(theta: Array, grad: Array, lr: float) -> Array:
    """One step of (stochastic) gradient descent: theta - lr * grad.

    Source: Robbins and Monro (1951), A stochastic approximation method.
    """
    return theta - lr * grad


def momentum_step(theta: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    """One step of SGD with momentum: velocity = momentum * velocity + grad;  theta = theta - lr * velocity.

    velocity is zero before the first step. Source: Polyak (1964), Some methods of speeding up the convergence of
    iteration methods, in the form that PyTorch uses: the rate stands outside the velocity.
    """
    velocity = momentum * velocity + grad
    return theta - lr * velocity, velocity


def nesterov_step(theta: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    """One step of Nesterov's momentum: the velocity as in `momentum_step`, but theta moves along grad + momentum * it.

    velocity = momentum * velocity + grad;  theta = theta - lr * (grad + momentum * velocity), with the new velocity.
    Source: Sutskever et al. (2013), On the importance of initialization and momentum, equations 3 and 4, rewritten
    without a gradient at a looked-ahead point, as PyTorch does.
    """
    velocity = momentum * velocity + grad
    return theta - lr * (grad + momentum * velocity), velocity


# What batches must be. Each function says in a sentence what is wrong, or returns None.


def batches_are_wrong(case: Case, value: Any) -> str | None:
    """What is wrong with the batches of one call, or of several calls with generators of their own."""
    values = value if len(case.answer) > 1 else (value,)
    calls = [case.steps[index].arguments for index in case.answer]
    for given, batches in zip(calls, values, strict=True):
        sentence = _not_a_partition(batches, given["n"], given["batch_size"])
        if sentence is None and len(calls) == 1:
            sentence = _not_shuffled(batches, given["n"])
        if sentence is not None:
            return sentence
    return _not_drawn_from_rng(calls, values) if len(calls) > 1 else None


def _not_a_partition(batches: Any, n: int, batch_size: int) -> str | None:
    if not isinstance(batches, list | tuple):
        return f"Return a list of index arrays, one array a batch. You returned {_kind(batches)}."
    for number, batch in enumerate(batches):
        if not isinstance(batch, np.ndarray) or batch.ndim != 1 or batch.dtype.kind not in "iu":
            return f"Batch {number} should be an array of whole numbers with one axis, such as [7, 0, 3]."
    whole, rest = divmod(n, batch_size)
    asked = [batch_size] * whole + [rest] * (rest > 0)
    sizes = [len(batch) for batch in batches]
    if sizes != asked:
        wanted, got = _in_words(asked), _in_words(sizes)
        return f"With n = {n} and batch_size = {batch_size} there should be {wanted}; you returned {got}."
    everything = np.concatenate(batches)
    if everything.min() < 0 or everything.max() >= n:
        return f"Index {everything.min() if everything.min() < 0 else everything.max()} is outside 0 to {n - 1}."
    counts = np.bincount(everything, minlength=n)
    if counts.max() > 1:
        often, never = int(counts.argmax()), int(counts.argmin())
        return f"Index {often} comes {counts.max()} times and index {never} never: in an epoch each example comes once."
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "None: was no `return` reached?"
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    name = value.type_name if isinstance(value, Opaque) else type(value).__name__
    return "a generator: use `return`, not `yield`" if name == "generator" else f"a {name}"


def _in_words(sizes: list[int]) -> str:
    if len(sizes) > 8:
        return f"{len(sizes)} batches, the last of size {sizes[-1]}"
    if len(sizes) == 1:
        return f"1 batch of size {sizes[0]}"
    return f"{len(sizes)} batches of sizes {', '.join(map(str, sizes))}" if sizes else "no batch"


def _not_shuffled(batches: list[IntArray], n: int) -> str | None:
    """For one call of many small batches: there chance does none of this, even where a batch is sorted in itself."""
    if n < 20 or n < 4 * len(batches[0]):
        return None
    steps = np.diff(np.concatenate(batches))
    if np.all(steps == 1):
        return "The examples come in the order in which they stand: nothing was shuffled."
    if len(batches[0]) > 1 and all(np.all(np.diff(batch) == 1) for batch in batches):
        return "Every batch holds neighbours, such as 10, 11, 12: shuffle the examples, not the finished batches."
    if np.mean(np.abs(steps) == 1) > 0.6:
        return "Most neighbours are still neighbours: draw a whole new order of the examples."
    return None


def _not_drawn_from_rng(calls: list[dict[str, Any]], values: tuple[Any, ...]) -> str | None:
    """For several calls alike but for the seed: equal seeds come first and second, the others are all different."""
    first, again, *others = (np.concatenate(batches) for batches in values)
    if not np.array_equal(first, again):
        return (
            "Two generators of one seed gave different orders: draw from the `rng` you are given, not from `np.random`."
        )
    if all(np.array_equal(first, other) for other in others):
        return (
            "Generators of different seeds gave the same order: draw from the `rng` you are given, not from your own."
        )
    return _uneven(calls[0], values)


def _uneven(given: dict[str, Any], values: tuple[Any, ...]) -> str | None:
    """Whether every set of examples can be the first batch; asked of the case that draws often enough to tell."""
    if len(values) < _DRAWS:
        return None
    seen = {frozenset(batches[0].tolist()) for batches in values}
    if len(seen) == _FIRST_BATCHES:
        return None
    return (
        f"In {len(values)} epochs with n = {given['n']} only {len(seen)} of the {_FIRST_BATCHES} possible pairs came "
        "up as the first batch: every order must be as likely as any other."
    )


_DRAWS, _FIRST_BATCHES = 150, 6  # pairs from four examples; an honest shuffle misses one once in 10**11 checks


# Mistakes with names: batches


def _slices(order: Any, batch_size: int) -> list[Any]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _shuffled_batches(n: int, batch_size: int, rng: np.random.Generator) -> list[Any]:
    batches = _slices(np.arange(n), batch_size)
    return [batches[i] for i in rng.permutation(len(batches))]


def _padded(n: int, batch_size: int, rng: np.random.Generator) -> list[Any]:
    order = rng.permutation(n)
    return _slices(np.concatenate([order, order[: -n % batch_size]]), batch_size)


def _count(n: int, batch_size: int) -> int:
    return -(-n // batch_size)


_BATCH_MISTAKES = (
    Misconception(
        "no_shuffle",
        "Cut the slices from a random order, `rng.permutation(n)`, not from 0, 1, 2, ...",
        lambda n, batch_size, _rng: _slices(np.arange(n), batch_size),
        "Digits may be stored class by class. What would a batch of neighbours then know of the other nine classes?",
    ),
    Misconception(
        "batches_shuffled_only",
        "The batches are shuffled, the examples are not: the same ones sit together in every epoch. Shuffle first, "
        "then cut.",
        _shuffled_batches,
        "With n = 6 and batch_size = 2, can 0 and 5 ever share a batch in your code? They should, now and then.",
    ),
    Misconception(
        "last_batch_dropped",
        "The examples left over at the end are dropped: `n // batch_size` counts full batches only. The last batch "
        "may be shorter: let a slice begin at every multiple of batch_size below n.",
        lambda n, batch_size, rng: _slices(rng.permutation(n), batch_size)[: n // batch_size],
        "n = 10, batch_size = 4: slices begin at 0, 4 and 8. `range(0, n, batch_size)` gives just these; the last "
        "slice has two entries, and NumPy does not mind.",
    ),
    Misconception(
        "empty_last_batch",
        "There is an empty batch at the end: where n divides evenly nothing is left over for it. A slice begins at "
        "every multiple of batch_size *below* n.",
        lambda n, batch_size, rng: [
            *_slices(rng.permutation(n), batch_size),
            *([] if n % batch_size else [np.zeros(0, np.int64)]),
        ],
        "n = 6, batch_size = 2: `range(n // batch_size + 1)` runs to 3, and a slice from 6 on is empty. "
        "`range(0, n, batch_size)` stops in time. The mean over an empty batch would be NaN.",
    ),
    Misconception(
        "last_batch_padded",
        "The last batch is filled up with examples that were there already; they count twice in this epoch. Let it "
        "be shorter.",
        _padded,
        "n = 10, batch_size = 4: sizes 4, 4, 2. Which two examples did you show twice?",
    ),
    Misconception(
        "drawn_with_replacement",
        "Indices are drawn with replacement, as `rng.integers` and `rng.choice` do it: some examples come twice, about "
        "a third of them never. Use `rng.permutation(n)`, which takes each once.",
        lambda n, batch_size, rng: _slices(rng.integers(n, size=n), batch_size),
        "Throw a die six times: do all six faces come up? That is `rng.integers`. Deal six cards instead: that is "
        "`rng.permutation`.",
    ),
    Misconception(
        "each_batch_drawn_afresh",
        "Every batch is drawn afresh from all examples: within a batch none is double, but over the epoch some come "
        "often and some never. Draw one order for the whole epoch and cut it.",
        lambda n, batch_size, rng: [
            rng.choice(n, min(batch_size, n - start), replace=False) for start in range(0, n, batch_size)
        ],
        "How often do you call `rng`? Once an epoch is enough: one permutation, cut into slices.",
    ),
    Misconception(
        "even_sizes",
        "The batches are made about equally large, as `np.array_split` does. All should have batch_size examples, "
        "and only the last may be shorter.",
        lambda n, batch_size, rng: np.array_split(rng.permutation(n), _count(n, batch_size)),
        "n = 10, batch_size = 4: sizes 4, 4, 2, not 4, 3, 3. Cut with slices.",
    ),
    Misconception(
        "size_taken_for_count",
        "`batch_size` is how many examples a batch holds, not how many batches there are.",
        lambda n, batch_size, rng: np.array_split(rng.permutation(n), batch_size),
        "n = 12, batch_size = 4: three batches of four examples each.",
    ),
    Misconception(
        "not_cut",
        "It is the whole order in one piece: cut it into slices of batch_size.",
        lambda n, _batch_size, rng: rng.permutation(n),
        "n = 5, batch_size = 2 and the order [3, 0, 4, 1, 2]: `[[3, 0], [4, 1], [2]]`.",
    ),
    Misconception(
        "own_generator",
        "The order is the same in every epoch: a generator of your own with a fixed seed begins anew at each call. "
        "Draw from the `rng` you are given.",
        lambda n, batch_size, _rng: _slices(np.random.default_rng(0).permutation(n), batch_size),
        "Take `np.random.default_rng(...)` out: the argument `rng` is a generator already, and remembers where it was.",
    ),
)


# Mistakes with names: steps. Each builder takes what a mistake does differently and returns a whole step.

_Wrong = Callable[..., Any]


def _in_place_sgd(theta: Array, grad: Array, lr: float) -> Array:
    theta -= lr * grad
    return theta


def _step_with(
    velocity: Callable[[Array, Array, float, float], Array] = lambda v, grad, _lr, mu: mu * v + grad,
    move: Callable[[Array, Array, Array, float, float], Array] = lambda new, _old, _grad, lr, _mu: lr * new,
    kept: Callable[[Array, Array, Array], Array] = lambda new, _old, _grad: new,
) -> _Wrong:
    """A step with another velocity (from old velocity, grad, lr, momentum), another move (from new velocity, old
    velocity, grad, lr, momentum), which is subtracted from theta, or something else kept (from new, old, grad)."""

    def wrong(theta: Array, grad: Array, old: Array, lr: float, momentum: float) -> tuple[Array, Array]:
        new = velocity(old, grad, lr, momentum)
        return theta - move(new, old, grad, lr, momentum), kept(new, old, grad)

    return wrong


def _nesterov_with(
    velocity: Callable[[Array, Array, float, float], Array] = lambda v, grad, _lr, mu: mu * v + grad,
    move: Callable[[Array, Array, Array, float, float], Array] = lambda new, _old, grad, lr, mu: lr * (grad + mu * new),
    kept: Callable[[Array, Array, Array], Array] = lambda new, _old, _grad: new,
) -> _Wrong:
    return _step_with(velocity, move, kept)


def _exchanged(step: _Wrong) -> _Wrong:
    def wrong(*arguments: Any) -> tuple[Array, Array]:
        theta, velocity = step(*arguments)
        return velocity, theta

    return wrong


def _in_place(nesterov: bool) -> _Wrong:
    def wrong(theta: Array, grad: Array, velocity: Array, lr: float, momentum: float) -> tuple[Array, Array]:
        velocity *= momentum
        velocity += grad
        theta -= lr * (grad + momentum * velocity if nesterov else velocity)
        return theta, velocity

    return wrong


_IN_PLACE_HINT = "`theta -= ...` writes into the caller's array. `theta = theta - ...` makes a new one."
_UPHILL = "The step goes uphill. The slope points up, so the step is subtracted: look at the sign in front of `lr`."
_UPHILL_HINT = "With a slope of +1 the loss grows when theta grows. In which direction must theta go?"

_SGD_MISTAKES = (
    Misconception("uphill", _UPHILL, lambda theta, grad, lr: theta + lr * grad, _UPHILL_HINT),
    Misconception(
        "changed_in_place",
        "The numbers are right, but `theta` itself was changed: whoever called you still needs the old one.",
        _in_place_sgd,
        _IN_PLACE_HINT,
    ),
    Misconception(
        "rate_forgotten",
        "The whole slope is subtracted: the learning rate is missing. Look at what multiplies `grad`.",
        lambda theta, grad, _lr: theta - grad,
        "theta = [1], grad = [4], lr = 0.1: the step is 0.1 * 4 = 0.4, so theta becomes [0.6].",
    ),
    Misconception(
        "only_the_move",
        "You return the step, not the place: subtract it from `theta`.",
        lambda _theta, grad, lr: -lr * grad,
        "Where does the walker stand after the step? At `theta` minus the step.",
    ),
    Misconception(
        "only_the_positive_move",
        "You return the length of the step, not the place: subtract it from `theta`.",
        lambda _theta, grad, lr: lr * grad,
        "Where does the walker stand after the step? At `theta` minus the step.",
    ),
    Misconception(
        "averaged_again",
        "The slope is divided by its number of entries. The mean over the batch is in `grad` already (the 1/N lives "
        "in the loss), and the first axis here runs over weights, not over examples.",
        lambda theta, grad, lr: theta - lr * grad / len(grad),
        "How many examples went into `grad`? You cannot tell from its shape, and need not.",
    ),
    Misconception(
        "averaged_over_all_entries",
        "The slopes of all weights are averaged into one number. Every weight goes by its own slope: no `mean`.",
        lambda theta, grad, lr: theta - lr * grad.mean(),
        "grad = [4, -4]: the first weight must fall, the second must rise. What would their mean do?",
    ),
    Misconception(
        "unit_length",
        "The slope is divided by its length, so every step is `lr` long. SGD takes long steps on steep ground and "
        "short ones on flat: use the slope as it is.",
        lambda theta, grad, lr: theta - lr * grad / max(float(np.linalg.norm(grad)), 1e-300),
        "grad = [3, 4] has length 5. With lr = 0.1 SGD moves theta by [0.3, 0.4], not by [0.06, 0.08].",
    ),
    Misconception(
        "sign_only",
        "Only the sign of the slope is used, so every weight moves by `lr`. SGD uses its size as well.",
        lambda theta, grad, lr: theta - lr * np.sign(grad),
        "grad = [0.1, 10] with lr = 1: the steps are 0.1 and 10.",
    ),
    Misconception(
        "shrinks_theta",
        "`theta` is shrunk as well: that is weight decay, and belongs to lesson 05. Here theta moves along the slope "
        "alone.",
        lambda theta, grad, lr: (1 - lr) * theta - lr * grad,
        "With a slope of 0 nothing should move. Does yours stand still?",
    ),
    Misconception(
        "divided_by_rate",
        "The slope is divided by the learning rate. It is multiplied: a larger rate makes a longer step.",
        lambda theta, grad, lr: theta - grad / lr if lr else theta,
        "With lr = 0.1 and a slope of 4 the step is 0.4, not 40.",
    ),
)

_EMA = Misconception(
    "average_instead_of_sum",
    "The new slope comes in with the weight `1 - momentum`: that is an average of slopes, as in Adam. Here the "
    "velocity is a sum that fades: `momentum * velocity + grad`. With momentum 0.9 yours moves ten times less.",
    _step_with(lambda v, grad, _lr, mu: mu * v + (1 - mu) * grad),
    "A steady slope of 1 and momentum 0.9: the sum 1 + 0.9 + 0.81 + ... grows towards 10, an average stays at 1. "
    "Both forms are in use; PyTorch's is the sum.",
)
_RATE_INSIDE = Misconception(
    "rate_inside_velocity",
    "The learning rate stands inside the velocity. Theta moves the same as long as the rate stays constant; when it "
    "falls, old slopes keep their old rate. Here `lr` multiplies the finished velocity.",
    _step_with(lambda v, grad, lr, mu: mu * v + lr * grad, lambda new, _old, _grad, _lr, _mu: new),
    "velocity = [0], grad = [4], lr = 0.1: the new velocity is [4], and `lr` comes in only when theta moves, by 0.4.",
)
_RATE_INSIDE_NEGATIVE = Misconception(
    "negative_velocity",
    "Your velocity is `momentum * velocity - lr * grad`, and is added to theta. Many texts write it so; here, as in "
    "PyTorch, the velocity is a sum of slopes, without rate and without minus: both come in when theta moves.",
    _step_with(lambda v, grad, lr, mu: mu * v - lr * grad, lambda new, _old, _grad, _lr, _mu: -new),
    "velocity = [0], grad = [4]: the new velocity is [4], not [-0.4].",
)
_STEP_TWICE_NEGATED = Misconception(
    "slope_subtracted_in_velocity",
    "The velocity takes the slope with a minus, and theta subtracts again: two minus signs, so the step goes uphill. "
    "`velocity = momentum * velocity + grad`.",
    _step_with(lambda v, grad, _lr, mu: mu * v - grad),
    "velocity = [0], grad = [4]: the new velocity is [4]. The one minus is in the line of theta.",
)
_WEIGHTS_THE_NEW = Misconception(
    "momentum_weighs_the_new",
    "`momentum` multiplies the new slope. It is the share of the *old* velocity that is kept.",
    _step_with(lambda v, grad, _lr, mu: v + mu * grad),
    "With momentum = 0 nothing is remembered: the velocity must be the slope alone. Is yours?",
)
_FADES_THE_NEW = Misconception(
    "new_slope_fades_too",
    "`momentum` fades the new slope too: `momentum * (velocity + grad)`. It is the share of the *old* velocity only, "
    "and the slope comes in whole.",
    _step_with(lambda v, grad, _lr, mu: mu * (v + grad)),
    "With momentum = 0 nothing is remembered: the velocity must be the slope alone. Is yours?",
)
_WEIGHTS_SWAPPED = Misconception(
    "weights_exchanged",
    "The weights are exchanged: `momentum` is the share of the old velocity that is kept; the slope comes in whole.",
    _step_with(lambda v, grad, _lr, mu: (1 - mu) * v + mu * grad),
    "With momentum = 0 nothing is remembered: the velocity must be the slope alone. Is yours?",
)
_NO_FADING = Misconception(
    "velocity_never_fades",
    "The velocity adds up all slopes and loses none: `momentum` is missing. Without friction a ball never rests.",
    _step_with(lambda v, grad, _lr, _mu: v + grad),
    "velocity = [10], grad = [0], momentum = 0.9: the new velocity is [9].",
)
_LAST_ONLY = Misconception(
    "only_the_last_slope_remembered",
    "Only the latest slope is kept as the velocity. It has to be the sum that you have just made: the slopes of all "
    "steps so far, each faded.",
    _step_with(kept=lambda _new, _old, grad: grad),
    "Three slopes of 1 with momentum 0.9 give the velocities 1, 1.9 and 2.71. What do yours give at the third step?",
)
_OLD_KEPT = Misconception(
    "old_velocity_returned",
    "The velocity comes back as it went in. Return the new one: the next step needs it.",
    _step_with(kept=lambda _new, old, _grad: old),
    "What you return is what the next call gets. If it is always zero, nothing is ever remembered.",
)
_TWICE = Misconception(
    "velocity_updated_twice",
    "The velocity is updated twice in one step: once is enough. Look for a second `momentum * velocity + grad`.",
    _step_with(lambda v, grad, _lr, mu: mu * (mu * v + grad) + grad),
    "velocity = [0], grad = [4], momentum = 0.9: the new velocity is [4], not [7.6].",
)
_EXCHANGED = Misconception(
    "order_exchanged",
    "theta and velocity come back in the wrong order. Return theta, velocity.",
    _exchanged(momentum_step),
    "The next call gets what you return, in the order in which you return it.",
)
_CHANGED_IN_PLACE = Misconception(
    "changed_in_place",
    "The numbers are right, but an array that you were given was changed: whoever called you still needs the old one.",
    _in_place(nesterov=False),
    _IN_PLACE_HINT,
)


def _named(base: Misconception, wrong: _Wrong, sentence: str = "", hint: str = "") -> Misconception:
    """The same mistake in another exercise."""
    return Misconception(base.name, sentence or base.sentence, wrong, hint or base.hint)


_MOMENTUM_MISTAKES = (
    _EMA,
    _RATE_INSIDE,
    _RATE_INSIDE_NEGATIVE,
    Misconception("uphill", _UPHILL, _step_with(move=lambda new, _old, _grad, lr, _mu: -lr * new), _UPHILL_HINT),
    _STEP_TWICE_NEGATED,
    _WEIGHTS_THE_NEW,
    _FADES_THE_NEW,
    _WEIGHTS_SWAPPED,
    _NO_FADING,
    Misconception(
        "old_velocity_in_step",
        "Theta moves along the velocity from before this slope was taken in. Update the velocity first, then move.",
        _step_with(move=lambda _new, old, _grad, lr, _mu: lr * old),
        "At the first step the old velocity is 0, and theta would not move at all. Which line has to come first?",
    ),
    Misconception(
        "velocity_not_used",
        "Theta moves along the bare slope, as in plain SGD: the velocity is made but not used. Look at the line of "
        "theta.",
        _step_with(move=lambda _new, _old, grad, lr, _mu: lr * grad),
        "velocity = [2], grad = [4], momentum = 0.5: the new velocity is [5], and theta moves by lr * 5.",
    ),
    Misconception(
        "nesterov_instead",
        "This is Nesterov's step: theta moves along `grad + momentum * velocity`. That is the next exercise; here it "
        "moves along the velocity alone.",
        nesterov_step,
        "velocity = [0], grad = [4], lr = 0.1: theta moves by 0.1 * 4, whatever the momentum.",
    ),
    Misconception(
        "rate_forgotten",
        "The whole velocity is subtracted: the learning rate is missing. Look at the line of theta.",
        _step_with(move=lambda new, _old, _grad, _lr, _mu: new),
        "velocity = [0], grad = [4], lr = 0.1: theta moves by 0.4.",
    ),
    Misconception(
        "momentum_fixed",
        "The velocity keeps 0.9 of itself whatever `momentum` is. Use the argument: 0.9 is only its usual value.",
        _step_with(lambda v, grad, _lr, _mu: 0.9 * v + grad),
        "Call it with momentum = 0: the velocity must then be the slope alone.",
    ),
    Misconception(
        "momentum_times_theta",
        "`momentum` multiplies theta. It belongs in front of the old velocity: places do not fade, speeds do.",
        lambda theta, grad, velocity, lr, momentum: (
            momentum * theta - lr * (momentum * velocity + grad),
            momentum * velocity + grad,
        ),
        "With slope 0 and velocity 0 theta must stay where it is. Does yours?",
    ),
    _LAST_ONLY,
    _OLD_KEPT,
    _TWICE,
    _EXCHANGED,
    _CHANGED_IN_PLACE,
)

_NESTEROV_MISTAKES = (
    Misconception(
        "plain_momentum",
        "This is plain momentum. Nesterov's step moves theta along `grad + momentum * velocity` with the *new* "
        "velocity; with the old one that sum is the new velocity itself, and nothing is gained.",
        momentum_step,
        "velocity = [2], grad = [4], momentum = 0.5: the new velocity is 0.5 * 2 + 4 = 5. Then theta moves along "
        "4 + 0.5 * 5 = 6.5, not along 5.",
    ),
    Misconception(
        "velocity_instead_of_slope",
        "Theta moves along `velocity + momentum * velocity`. The first term is the slope itself: "
        "`grad + momentum * velocity`.",
        _nesterov_with(move=lambda new, _old, _grad, lr, mu: lr * (1 + mu) * new),
        "velocity = [2], grad = [4], momentum = 0.5: the new velocity is 5, and theta moves along 4 + 2.5, not "
        "5 + 2.5.",
    ),
    Misconception(
        "slope_left_out",
        "Theta moves along `momentum * velocity` alone. Add the slope: `grad + momentum * velocity`.",
        _nesterov_with(move=lambda new, _old, _grad, lr, mu: lr * mu * new),
        "With momentum = 0 this must be plain SGD. Yours stands still, does it not?",
    ),
    Misconception(
        "momentum_left_out_of_move",
        "Theta moves along `grad + velocity`. The velocity is faded once more before it is added: "
        "`grad + momentum * velocity`.",
        _nesterov_with(move=lambda new, _old, grad, lr, _mu: lr * (grad + new)),
        "With momentum = 0 this must be plain SGD. Yours takes the slope twice.",
    ),
    Misconception(
        "looks_ahead_with_the_old",
        "Theta first slides along the old velocity, then steps along the new one: that counts the old velocity twice. "
        "Move once, along `grad + momentum * velocity`.",
        _nesterov_with(move=lambda new, old, _grad, lr, mu: lr * (mu * old + new)),
        "In the paper the slope is taken at a place ahead. Here `grad` is given, and the formula has been rewritten: "
        "one move, with the new velocity.",
    ),
    Misconception(
        "sutskever_form",
        "This is the form with the rate inside a negative velocity, `-momentum * old + (1 + momentum) * new`. Theta is "
        "the same while the rate stays constant; the velocity is not. Here the velocity is a sum of slopes.",
        _nesterov_with(
            lambda v, grad, lr, mu: mu * v - lr * grad, lambda new, old, _grad, _lr, mu: mu * old - (1 + mu) * new
        ),
        "velocity = [0], grad = [4]: the new velocity is [4], without rate and without minus.",
    ),
    _named(_EMA, _nesterov_with(lambda v, grad, _lr, mu: mu * v + (1 - mu) * grad)),
    _named(
        _RATE_INSIDE,
        _nesterov_with(
            lambda v, grad, lr, mu: mu * v + lr * grad, lambda new, _old, grad, lr, mu: lr * grad + mu * new
        ),
    ),
    Misconception(
        "uphill", _UPHILL, _nesterov_with(move=lambda new, _old, grad, lr, mu: -lr * (grad + mu * new)), _UPHILL_HINT
    ),
    _named(_STEP_TWICE_NEGATED, _nesterov_with(lambda v, grad, _lr, mu: mu * v - grad)),
    _named(_FADES_THE_NEW, _nesterov_with(lambda v, grad, _lr, mu: mu * (v + grad))),
    _named(_NO_FADING, _nesterov_with(lambda v, grad, _lr, _mu: v + grad)),
    _named(
        _TWICE,
        _step_with(lambda v, grad, _lr, mu: mu * (mu * v + grad) + grad),
        "The velocity is updated twice in one step. Theta then lands in the right place, but what you return is one "
        "update too far. Keep the velocity after the first, and use the second for the move only.",
        "velocity = [0], grad = [4], momentum = 0.9: return the velocity [4]; move along 4 + 0.9 * 4 = 7.6.",
    ),
    _named(_LAST_ONLY, _nesterov_with(kept=lambda _new, _old, grad: grad)),
    _named(_OLD_KEPT, _nesterov_with(kept=lambda _new, old, _grad: old)),
    _named(_EXCHANGED, _exchanged(nesterov_step)),
    _named(_CHANGED_IN_PLACE, _in_place(nesterov=True)),
)


# The cases


def _away(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Values of both signs whose size lies between low and high: none is 0 or close to it."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(low, high, shape)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _batches(rng: np.random.Generator, n: int, batch_size: int, label: str = "") -> Case:
    label = label or f"n = {n}, batch_size = {batch_size}"
    return Case((call("minibatches", n=n, batch_size=batch_size, rng=RandomGenerator(_seed(rng))),), label=label)


def _epochs(rng: np.random.Generator, n: int, batch_size: int, calls: int, label: str) -> Case:
    """Several epochs: the first two from generators of one seed, each other from one of its own."""
    seeds = [_seed(rng) for _ in range(calls - 1)]
    steps = tuple(
        call("minibatches", n=n, batch_size=batch_size, rng=RandomGenerator(seed)) for seed in (seeds[0], *seeds)
    )
    return Case(steps, tuple(range(len(steps))), label)


def _ordinary_batches(rng: np.random.Generator) -> list[Case]:
    """Sizes that divide evenly: what to do with a rest is the business of the edge group."""
    count = int(rng.integers(4, 7))
    return [
        _batches(rng, 4 * 8, 8),
        _batches(rng, count * 10, 10),
        _batches(rng, 100, 5),
        _epochs(rng, 24, 6, 4, "four epochs of n = 24, batch_size = 6"),
    ]


def _edge_batches(rng: np.random.Generator) -> list[Case]:
    rest = int(rng.integers(1, 7))
    return [
        _batches(rng, 32 + rest, 8),
        _batches(rng, 10, 4),
        _batches(rng, 25, 24),
        _batches(rng, 6, 6, "one batch of all: n = 6, batch_size = 6"),
        _batches(rng, 5, 64, "batch_size above n: n = 5, batch_size = 64"),
        _batches(rng, 21, 1, "batches of one: n = 21, batch_size = 1"),
        _batches(rng, 1, 1),
    ]


def _nasty_batches(rng: np.random.Generator) -> list[Case]:
    return [
        _batches(rng, 70_000, 250, "many examples: n = 70000, batch_size = 250"),  # more than 16 bits can count
        _epochs(rng, 4, 2, _DRAWS, f"{_DRAWS} epochs of n = 4, batch_size = 2"),
    ]


def _given(exercise: str, rng: np.random.Generator, **settings: Any) -> dict[str, Any]:
    """Rate and momentum; unless given, drawn so that 1, 1 - momentum, the rate and their products are all apart."""
    values = {"lr": float(rng.uniform(0.05, 0.2)), "momentum": float(rng.uniform(0.6, 0.8)), **settings}
    return values if exercise != "sgd_step" else {"lr": values["lr"]}


def _step(exercise: str, theta: Any, grad: Any, velocity: Any, given: dict[str, Any]) -> Step:
    state = {} if exercise == "sgd_step" else {"velocity": velocity}
    return call(exercise, theta=theta, grad=grad, **state, **given)


def _single(exercise: str, rng: np.random.Generator, shape: tuple[int, ...], label: str, **settings: Any) -> Case:
    """One step in the middle of a run."""
    theta, grad, velocity = _away(rng, shape, 2, 4), _away(rng, shape), _away(rng, shape, 1, 5)
    return Case((_step(exercise, theta, grad, velocity, _given(exercise, rng, **settings)),), label=label)


def _walk(exercise: str, theta: Array, grads: Iterable[Array], given: Iterable[dict[str, Any]], label: str) -> Case:
    """Steps from rest, each fed with what the step before returned."""
    steps: list[Step] = []
    where: Any = theta
    velocity: Any = np.zeros_like(theta)
    for index, (grad, settings) in enumerate(zip(grads, given, strict=True)):
        steps.append(_step(exercise, where, grad, velocity, settings))
        where = Result(index) if exercise == "sgd_step" else Result(index, 0)
        velocity = Result(index, 1)
    return Case(tuple(steps), label=label)


def _ordinary(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        def walk(shape: tuple[int, ...], steps: int, label: str, **settings: Any) -> Case:
            grads = [_away(rng, shape) for _ in range(steps)]
            given = _given(exercise, rng, **settings)
            return _walk(exercise, _away(rng, shape, 2, 4), grads, [given] * steps, label)

        return [
            _single(exercise, rng, (5,), "shape (5,)"),
            _single(exercise, rng, (3, 4), "shape (3, 4)", momentum=0.9),
            _single(exercise, rng, (4, 4), "shape (4, 4)"),
            walk((4,), 1, "the first step"),
            walk((2, 3), 4, "four steps from rest"),
        ]

    return draw


def _edge(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        theta, grads = _away(rng, (3,), 2, 4), [_away(rng, (3,)) for _ in range(4)]
        falling = [_given(exercise, rng, lr=lr, momentum=0.9) for lr in (0.2, 0.2, 0.02, 0.002)]
        flat = _step(exercise, theta, np.zeros(3), _away(rng, (3,), 1, 5), _given(exercise, rng))
        some = _away(rng, (4,))
        some[rng.integers(4)] = 0.0
        cases = [
            Case((flat,), label="slope 0"),
            Case(
                (_step(exercise, _away(rng, (4,)), some, np.zeros(4), _given(exercise, rng)),), label="one slope is 0"
            ),
            _single(exercise, rng, (1,), "a single number"),
            _single(exercise, rng, (1, 3), "shape (1, 3)"),
            _single(exercise, rng, (3, 1), "shape (3, 1)"),
            _single(exercise, rng, (2, 3, 2), "shape (2, 3, 2)"),
            _single(exercise, rng, (3,), "lr = 0", lr=0.0),
            _walk(exercise, theta, grads, falling, "the rate falls on the way"),
        ]
        if exercise != "sgd_step":
            cases.append(_single(exercise, rng, (3,), "momentum = 0", momentum=0.0))
        return cases

    return draw


def _nasty(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        def scaled(factor: float, label: str) -> Case:
            theta, grad, velocity = (factor * _away(rng, (4,)) for _ in range(3))
            return Case((_step(exercise, theta, grad, velocity, _given(exercise, rng)),), label=label)

        def single(*shape: int, size: float = 1.0) -> Array:
            return (size * _away(rng, shape)).astype(np.float32)

        # Steps as short as this would vanish beside weights of 1; at weights of their own size they show.
        tiny = [single(5, size=1e-7) for _ in range(3)]
        small = _step(exercise, tiny[0], tiny[1], tiny[2], _given(exercise, rng, lr=0.01))
        three = [single(3) for _ in range(3)]
        return [
            scaled(1e-12, "slopes of 1e-12"),
            scaled(1e-200, "slopes of 1e-200"),
            scaled(1e200, "slopes of 1e200"),
            Case((small,), label="float32, slopes of 1e-7"),
            _walk(exercise, single(3), three, [_given(exercise, rng)] * 3, "float32, three steps"),
        ]

    return draw


def _groups(exercise: str, points: tuple[int, int, int]) -> tuple[Group, ...]:
    return (
        Group("ordinary", "Ordinary steps", points[0], _ordinary(exercise)),
        Group("edge", "Special values and shapes", points[1], _edge(exercise)),
        Group("nasty", "Tiny and huge slopes, float32", points[2], _nasty(exercise)),
    )


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="minibatches",
        lesson=LESSON,
        question="Return one epoch of batches: the indices 0 to n - 1 in random order, cut into slices of batch_size.",
        outputs=("batches",),
        reference=minibatches,
        groups=(
            Group("ordinary", "Sizes that divide evenly", 3, _ordinary_batches, batches_are_wrong),
            Group("edge", "A shorter last batch, one batch, batches of one", 1, _edge_batches, batches_are_wrong),
            Group("nasty", "Many examples, many epochs", 1, _nasty_batches, batches_are_wrong),
        ),
        misconceptions=_BATCH_MISTAKES,
        hints=(
            (
                "Take n = 5 and batch_size = 2. Say `rng.permutation(5)` gives `[3, 0, 4, 1, 2]`, an array of shape "
                "(5,). Slices begin at 0, 2 and 4: `[3, 0]`, `[4, 1]`, `[2]`. Return the list of these three arrays, "
                "of shapes (2,), (2,) and (1,)."
            ),
            (
                "Draw one random order of all indices. Walk along it in strides of batch_size; at each stop cut a "
                "slice of at most batch_size. A slice past the end is simply shorter."
            ),
            (
                "```python\norder = rng.permutation(____)\nreturn [order[start : start + batch_size] for start in "
                "range(0, n, ____)]\n```\n\n"
                "Why is the order drawn once for all batches, and not once for each?"
            ),
        ),
        minutes=7,
        difficulty=2,
    ),
    Exercise(
        name="sgd_step",
        lesson=LESSON,
        question="Take one step of gradient descent: return the new theta.",
        outputs=("theta",),
        reference=sgd_step,
        groups=_groups("sgd_step", (2, 1, 1)),
        misconceptions=_SGD_MISTAKES,
        hints=(
            (
                "Take shape (2,): `theta = [1, 2]`, `grad = [4, -1]`, lr = 0.1. The steps are 0.4 and -0.1, so you "
                "return `[0.6, 2.1]`. With shape (3, 4) the same happens in each of the twelve places."
            ),
            "Multiply the slope by the rate, subtract that from theta, and return the result as a new array.",
            "```python\nreturn theta - ____ * ____\n```\n\nWhy is it a minus: which way does a slope point?",
        ),
        minutes=3,
        difficulty=1,
    ),
    Exercise(
        name="momentum_step",
        lesson=LESSON,
        question="Take one step of SGD with momentum: return the new theta and the new velocity.",
        outputs=("theta", "velocity"),
        reference=momentum_step,
        groups=_groups("momentum_step", (4, 1, 1)),
        misconceptions=_MOMENTUM_MISTAKES,
        hints=(
            (
                "Take shape (1,): `theta = [1]`, `grad = [4]`, `velocity = [2]`, lr = 0.1, momentum = 0.5. The new "
                "velocity is 0.5 * 2 + 4 = 5, and theta moves by 0.1 * 5 = 0.5. You return `([0.5], [5.0])`."
            ),
            (
                "First the velocity: keep the share `momentum` of the old one and add the whole slope. Then theta: "
                "subtract `lr` times the *new* velocity. Return both, theta first."
            ),
            (
                "```python\nvelocity = ____ * velocity + grad\ntheta = theta - lr * ____\nreturn theta, velocity\n```"
                "\n\nWhy must the new velocity be returned: who else could remember it?"
            ),
        ),
        minutes=8,
        difficulty=2,
    ),
    Exercise(
        name="nesterov_step",
        lesson=LESSON,
        question="Take one step of Nesterov's momentum: return the new theta and the new velocity.",
        outputs=("theta", "velocity"),
        reference=nesterov_step,
        groups=_groups("nesterov_step", (3, 1, 1)),
        misconceptions=_NESTEROV_MISTAKES,
        hints=(
            (
                "Take shape (1,): `theta = [1]`, `grad = [4]`, `velocity = [2]`, lr = 0.1, momentum = 0.5. The new "
                "velocity is 0.5 * 2 + 4 = 5, as before. Theta moves along 4 + 0.5 * 5 = 6.5, by 0.65. You return "
                "`([0.35], [5.0])`."
            ),
            (
                "The velocity is that of momentum. Then theta moves along the slope plus `momentum` times the *new* "
                "velocity, times `lr`. The velocity you return is not changed by that."
            ),
            (
                "```python\nvelocity = momentum * velocity + grad\ntheta = theta - lr * (____ + momentum * ____)\n"
                "return theta, velocity\n```\n\n"
                "Why not the old velocity in the bracket: what would grad + momentum * old velocity be?"
            ),
        ),
        minutes=6,
        difficulty=2,
        stretch=True,
    ),
)
