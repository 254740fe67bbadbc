"""Lesson 04: one step of AdaGrad, RMSprop, Adam and AdamW, as pure functions.

Every step takes the parameters, their gradient and the state that the method remembers, and returns the new
parameters and the new state. All arrays of one call share one shape; products, roots and quotients are elementwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Result, Step, call

Array = NDArray[np.floating[Any]]

LESSON = "04_adaptive_optimizers"
WITHHELD = ("optimizers", "modern_optimizers", "training", "sweep", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks: the sandbox leaves them out."""


# The references


def rmsprop_step(theta: Array, grad: Array, s: Array, lr: float, alpha: float, eps: float) -> tuple[Array, Array]:
    """One step of RMSprop: divide each slope by the root of a running average of its squares.

    s = alpha * s + (1 - alpha) * grad**2;  theta = theta - lr * grad / (sqrt(s) + eps).  s is zero before step one.
    Source: Tieleman and Hinton (2012), Neural Networks for Machine Learning, lecture 6e. eps is outside the root, as in
    PyTorch.
    """
    s = alpha * s + (1 - alpha) * grad**2
    theta = theta - lr * grad / (np.sqrt(s) + eps)
    return theta, s


def adam_step(
    theta: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> tuple[Array, Array, Array]:
    """One step of Adam: an average of slopes over the root of an average of squared slopes, both freed of their bias.

    m = beta1 * m + (1 - beta1) * grad;  v = beta2 * v + (1 - beta2) * grad**2;
    m_hat = m / (1 - beta1**t);  v_hat = v / (1 - beta2**t);  theta = theta - lr * m_hat / (sqrt(v_hat) + eps).
    t is 1 at the first step; m and v are zero before it. The uncorrected m and v are returned.
    Source: Kingma and Ba (2015), Adam: a method for stochastic optimization, Algorithm 1.
    """
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta, m, v


def adagrad_step(theta: Array, grad: Array, s: Array, lr: float, eps: float) -> tuple[Array, Array]:
    """One step of AdaGrad: divide each slope by the root of the sum of all its squares so far.

    s = s + grad**2;  theta = theta - lr * grad / (sqrt(s) + eps).  s is zero before the first step.
    Source: Duchi, Hazan and Singer (2011), Adaptive subgradient methods, section 1.1 (the diagonal form).
    """
    s = s + grad**2
    theta = theta - lr * grad / (np.sqrt(s) + eps)
    return theta, s


def adamw_step(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """One step of AdamW: shrink the parameters by lr * weight_decay of themselves, then take Adam's step.

    theta = theta - lr * weight_decay * theta;  then `adam_step`. The decay never enters grad, m or v.
    Source: Loshchilov and Hutter (2019), Decoupled weight decay regularization, Algorithm 2.
    """
    theta = theta - lr * weight_decay * theta
    return adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps)


# Mistakes with names. Each builder takes what a mistake does differently and returns a whole step.

_Wrong = Callable[..., tuple[Array, ...]]


def _average(old: Array, new: Array, beta: float) -> Array:
    return beta * old + (1 - beta) * new


def _rmsprop_with(
    update: Callable[[Array, Array, float], Array] = lambda s, grad, alpha: _average(s, grad**2, alpha),
    move: Callable[[Array, Array, Array, float], Array] = lambda grad, s, _old, eps: grad / (np.sqrt(s) + eps),
) -> _Wrong:
    """RMSprop with another s (from old s, grad, alpha) or another move (from grad, new s, old s, eps)."""

    def wrong(theta: Array, grad: Array, s: Array, lr: float, alpha: float, eps: float) -> tuple[Array, Array]:
        new = update(s, grad, alpha)
        return theta - lr * move(grad, new, s, eps), new

    return wrong


def _adagrad_with(
    update: Callable[[Array, Array], Array] = lambda s, grad: s + grad**2,
    move: Callable[[Array, Array, Array, float], Array] = lambda grad, s, _old, eps: grad / (np.sqrt(s) + eps),
) -> _Wrong:
    """AdaGrad with another s (from old s, grad) or another move (from grad, new s, old s, eps)."""

    def wrong(theta: Array, grad: Array, s: Array, lr: float, eps: float) -> tuple[Array, Array]:
        new = update(s, grad)
        return theta - lr * move(grad, new, s, eps), new

    return wrong


def _adam_with(
    first: Callable[[Array, Array, float], Array] = lambda m, grad, beta1: _average(m, grad, beta1),
    second: Callable[[Array, Array, Array, float], Array] = lambda v, grad, _m, beta2: _average(v, grad**2, beta2),
    m_hat: Callable[[Array, float, int], Array] = lambda m, beta1, t: m / (1 - beta1**t),
    v_hat: Callable[[Array, float, float, int], Array] = lambda v, _beta1, beta2, t: v / (1 - beta2**t),
    move: Callable[[Array, Array, Array, float], Array] = lambda m, v, _grad, eps: m / (np.sqrt(v) + eps),
) -> _Wrong:
    """Adam with one of its five steps done differently; `second` sees the new m, `move` the corrected averages."""

    def wrong(
        theta: Array, grad: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
    ) -> tuple[Array, Array, Array]:
        m = first(m, grad, beta1)
        v = second(v, grad, m, beta2)
        return theta - lr * move(m_hat(m, beta1, t), v_hat(v, beta1, beta2, t), grad, eps), m, v

    return wrong


def _eps_on_parameter(step: _Wrong) -> _Wrong:
    """`step`, whose last argument is eps, with eps added to theta instead of to the root."""

    def wrong(*arguments: Any) -> tuple[Array, ...]:
        *given, eps = arguments
        theta, *state = step(*given, 0.0)
        return theta + eps, *state

    return wrong


def _corrected_state_kept(*arguments: Any) -> tuple[Array, ...]:
    theta, m, v = adam_step(*arguments)
    t, _, beta1, beta2 = arguments[4:8]
    return theta, m / (1 - beta1**t), v / (1 - beta2**t)


def _states_exchanged(*arguments: Any) -> tuple[Array, ...]:
    theta, m, v = adam_step(*arguments)
    return theta, v, m


def _theta_last(*arguments: Any) -> tuple[Array, ...]:
    theta, m, v = adam_step(*arguments)
    return m, v, theta


def _adamw_with(decayed: Callable[[Array, float, float], Array], step: _Wrong = adam_step) -> _Wrong:
    """AdamW with another decay (theta from old theta, lr, weight_decay) or another Adam step after it."""

    def wrong(theta: Array, *arguments: Any) -> tuple[Array, ...]:
        *given, weight_decay = arguments
        return step(decayed(theta, given[4], weight_decay), *given)

    return wrong


def _decayed(theta: Array, lr: float, weight_decay: float) -> Array:
    return theta - lr * weight_decay * theta


def _decay_in_gradient(theta: Array, grad: Array, *arguments: Any) -> tuple[Array, ...]:
    *given, weight_decay = arguments
    return adam_step(theta, grad + weight_decay * theta, *given)


def _decay_after_step(*arguments: Any) -> tuple[Array, ...]:
    *given, weight_decay = arguments
    theta, m, v = adam_step(*given)
    return theta - given[5] * weight_decay * theta, m, v


def _decay_adapted(*arguments: Any) -> tuple[Array, ...]:
    *given, weight_decay = arguments
    theta, m, v = adam_step(*given)
    t, lr, _, beta2, eps = given[4:]
    denominator: Array = np.sqrt(v / (1 - beta2**t)) + eps
    return theta - lr * weight_decay * given[0] / denominator, m, v


_EPS_INSIDE = Misconception(
    "eps_inside_root",
    "`eps` stands inside the root: `sqrt(s + eps)`. Here it is added after the root: `sqrt(s) + eps`. "
    "Look at the slopes of 1e-12: inside the root, eps weighs as much as 1e-4 outside.",
    _rmsprop_with(move=lambda grad, s, _old, eps: grad / np.sqrt(s + eps)),
    "Take `s = 0` and `eps = 1e-8`. Work out `sqrt(s + eps)` and `sqrt(s) + eps` by hand: 0.0001 and 0.00000001. "
    "TensorFlow's RMSprop has the first form, PyTorch and this course the second. Close the bracket of the root "
    "before the `+`.",
)
_EPS_ON_PARAMETER = Misconception(
    "eps_added_to_parameter",
    "`eps` is added to the step or to theta instead of to the root. Look at the brackets: the whole denominator "
    "is `(sqrt(s) + eps)`.",
    _eps_on_parameter(rmsprop_step),
    "`a / b + eps` divides first and adds afterwards. Write `a / (b + eps)`.",
)
_EPS_FORGOTTEN = Misconception(
    "eps_forgotten",
    "`eps` is missing from the denominator: a slope that has always been 0 gives 0/0. Look at the division.",
    _rmsprop_with(move=lambda grad, s, _old, _eps: grad / np.sqrt(s)),
    "A pixel that is always black has slope 0 and average 0. What should its step be, and what does NumPy say to 0/0?",
)
_SIGN = Misconception(
    "sign_flipped",
    "The step goes uphill. The slope points up, so the step is subtracted: look at the sign in front of `lr`.",
    _rmsprop_with(move=lambda grad, s, _old, eps: -grad / (np.sqrt(s) + eps)),
    "With a slope of +1 the loss grows when theta grows. In which direction must theta go?",
)
_NO_ROOT = Misconception(
    "root_forgotten",
    "The slope is divided by the average of squares itself: the root is missing. Look at the denominator.",
    _rmsprop_with(move=lambda grad, s, _old, eps: grad / (s + eps)),
    "If the slope is measured in metres, its square is in square metres. Which operation brings you back to metres?",
)
_OLD_STATE = Misconception(
    "old_s_in_step",
    "The step uses `s` from before this slope was taken in. Update `s` first, then divide by its root.",
    _rmsprop_with(move=lambda grad, _s, old, eps: grad / (np.sqrt(old) + eps)),
    "At the first step the old `s` is 0, so the denominator would be eps alone: a step 100 million times the "
    "slope. Which line has to come first?",
)
_SQUARE_FORGOTTEN = Misconception(
    "square_forgotten",
    "`s` takes in the slopes themselves, not their squares: slopes of either sign cancel, and the root may meet "
    "a negative number. "
    "Look at the line that updates `s`.",
    _rmsprop_with(lambda s, grad, alpha: _average(s, grad, alpha)),
    "For slopes +3 and -3, what is their average, and what is the average of their squares? Which one tells how "
    "large they are?",
)
_ONE_SIZE = Misconception(
    "one_size_for_all",
    "There is one size for all weights: `np.mean` averages the squares of different weights. Keep them entry by entry, "
    "`grad**2`: that each weight has a size of its own is the whole idea.",
    _rmsprop_with(lambda s, grad, alpha: _average(s, np.asarray(np.mean(grad**2)), alpha)),
    "The mean runs over time, not over weights: the fading average is that mean already. With slopes [3, 0.003] the "
    "new squares are [9, 0.000009].",
)
_STATE_FIRST = Misconception(
    "state_first",
    "theta and `s` come back in the wrong order. Return theta, s.",
    lambda *arguments: rmsprop_step(*arguments)[::-1],
    "The next call gets what you return, in the order in which you return it.",
)

_RMSPROP_MISTAKES = (
    _EPS_INSIDE,
    _EPS_ON_PARAMETER,
    _EPS_FORGOTTEN,
    _SIGN,
    _NO_ROOT,
    Misconception(
        "alpha_weighs_the_new",
        "`alpha` weighs the new square and `1 - alpha` the old average. It is the other way round: alpha is the "
        "share that is kept.",
        _rmsprop_with(lambda s, grad, alpha: _average(s, grad**2, 1 - alpha)),
        "With alpha = 0.99 the average should be a long memory: 99 hundredths of it stay. Which factor belongs "
        "in front of the old `s`?",
    ),
    Misconception(
        "started_with_the_square",
        "Where `s` is zero you start it with the first square. Here the average starts at zero, and the first "
        "step is larger for it: "
        "look at the first step.",
        _rmsprop_with(lambda s, grad, alpha: _average(s if np.any(s) else grad**2, grad**2, alpha)),
        "At the first step `s = alpha * 0 + (1 - alpha) * grad**2`. No special case is needed: take out the `if`.",
    ),
    Misconception(
        "accumulates",
        "`s` adds up squares and never forgets: that is AdaGrad. RMSprop keeps `alpha` of the old average and "
        "adds `1 - alpha` of the new square.",
        _rmsprop_with(lambda s, grad, _alpha: s + grad**2),
        "Feed the slope 1 a hundred times. A sum reaches 100, an average reaches at most 1. Which one did you write?",
    ),
    Misconception(
        "new_square_at_full_weight",
        "The new square comes in at full weight: `1 - alpha` is missing, so `s` grows towards `1 / (1 - alpha)` "
        "times the average square.",
        _rmsprop_with(lambda s, grad, alpha: alpha * s + grad**2),
        "The weights of an average sum to 1. `alpha` and what?",
    ),
    _OLD_STATE,
    _SQUARE_FORGOTTEN,
    _ONE_SIZE,
    _STATE_FIRST,
)


def _named(base: Misconception, wrong: Callable[..., Any], sentence: str = "", hint: str = "") -> Misconception:
    """The same mistake in another exercise."""
    return Misconception(base.name, sentence or base.sentence, wrong, hint or base.hint)


_DECAYS = (
    "`s` fades (by a factor such as {}): that is RMSprop. AdaGrad keeps the plain sum of all squares so far. "
    "Look at the line that updates `s`."
)
_DECAYS_HINT = "Write down `s` after the slopes 3 and 4 by hand: 9, then 25. Nothing is forgotten."

_ADAGRAD_MISTAKES = (
    _named(_EPS_INSIDE, _adagrad_with(move=lambda grad, s, _old, eps: grad / np.sqrt(s + eps))),
    _named(_EPS_ON_PARAMETER, _eps_on_parameter(adagrad_step)),
    _named(_EPS_FORGOTTEN, _adagrad_with(move=lambda grad, s, _old, _eps: grad / np.sqrt(s))),
    _named(_SIGN, _adagrad_with(move=lambda grad, s, _old, eps: -grad / (np.sqrt(s) + eps))),
    _named(
        _NO_ROOT,
        _adagrad_with(move=lambda grad, s, _old, eps: grad / (s + eps)),
        "The slope is divided by the sum of squares itself: the root is missing. Look at the denominator.",
    ),
    Misconception(
        "decays", _DECAYS.format("0.9"), _adagrad_with(lambda s, grad: _average(s, grad**2, 0.9)), _DECAYS_HINT
    ),
    Misconception(
        "decays_slowly", _DECAYS.format("0.99"), _adagrad_with(lambda s, grad: _average(s, grad**2, 0.99)), _DECAYS_HINT
    ),
    _named(_OLD_STATE, _adagrad_with(move=lambda grad, _s, old, eps: grad / (np.sqrt(old) + eps))),
    _named(_SQUARE_FORGOTTEN, _adagrad_with(lambda s, grad: s + grad)),
    _named(
        _ONE_SIZE,
        _adagrad_with(lambda s, grad: s + np.mean(grad**2)),
        hint="The sum runs over time, not over weights. With slopes [3, 0.003] the new squares are [9, 0.000009].",
    ),
    _named(_STATE_FIRST, lambda *arguments: adagrad_step(*arguments)[::-1]),
    Misconception(
        "only_the_last_square",
        "`s` is replaced by the latest square: nothing is summed, and every step has the length lr. Look at the "
        "line that updates `s`.",
        _adagrad_with(lambda _s, grad: grad**2),
        "Where does the old `s` come in? `s = s + ...`",
    ),
)

_ADAM_MISTAKES = (
    Misconception(
        "no_bias_correction",
        "This is Adam without the bias correction: look at step 1, which comes out 3.16 times too long with the "
        "usual betas. "
        "Divide `m` by `1 - beta1**t` and `v` by `1 - beta2**t` first.",
        _adam_with(m_hat=lambda m, _beta1, _t: m, v_hat=lambda v, _beta1, _beta2, _t: v),
        "At t = 1, from zero, `m = 0.1 * grad` and `v = 0.001 * grad**2`. So `m / sqrt(v)` is 0.1 / 0.0316 = "
        "3.16 instead of 1. "
        "Dividing by `1 - beta**t` mends both.",
    ),
    Misconception(
        "t_from_zero",
        "The powers use `t - 1`, as if t started at 0: at the first step that divides by `1 - beta**0 = 0`. "
        "Here t is already 1 at the first step.",
        lambda theta, grad, m, v, t, *rest: adam_step(theta, grad, m, v, t - 1, *rest),
        "Put t = 1 into `1 - beta1**t` with beta1 = 0.9: it must give 0.1, the share of the first slope in `m`.",
    ),
    Misconception(
        "t_one_too_high",
        "The powers use `t + 1`: t arrives already raised, 1 at the first step. Use it as it comes.",
        lambda theta, grad, m, v, t, *rest: adam_step(theta, grad, m, v, t + 1, *rest),
        "Put t = 1 into `1 - beta1**t` with beta1 = 0.9: it must give 0.1, the share of the first slope in `m`. "
        "With t = 2 it gives 0.19.",
    ),
    Misconception(
        "only_m_corrected",
        "Only `m` is corrected, `v` is not. Look at `v_hat`: early on, v is too small as well, and by far more.",
        _adam_with(v_hat=lambda v, _beta1, _beta2, _t: v),
        "`v_hat = v / (1 - beta2**t)`, and its root goes into the denominator.",
    ),
    Misconception(
        "only_v_corrected",
        "Only `v` is corrected, `m` is not. Look at `m_hat`: early on, m is too small as well.",
        _adam_with(m_hat=lambda m, _beta1, _t: m),
        "`m_hat = m / (1 - beta1**t)`, and it goes into the numerator.",
    ),
    Misconception(
        "correction_multiplied",
        "The corrections multiply by `1 - beta**t`; they should divide. The averages start too small and have to grow.",
        _adam_with(m_hat=lambda m, beta1, t: m * (1 - beta1**t), v_hat=lambda v, _beta1, beta2, t: v * (1 - beta2**t)),
        "From zero, `m = 0.1 * grad` after one step. What must you do with 0.1 to get `grad` back?",
    ),
    Misconception(
        "correction_without_power",
        "The corrections divide by `1 - beta` instead of `1 - beta**t`: right at the first step only, far too "
        "strong later.",
        _adam_with(m_hat=lambda m, beta1, _t: m / (1 - beta1), v_hat=lambda v, _beta1, beta2, _t: v / (1 - beta2)),
        "For large t the correction must disappear: `1 - beta**t` goes to 1, `1 - beta` does not.",
    ),
    Misconception(
        "correction_by_t_times",
        "The corrections use `beta * t` instead of the power `beta**t`: right at the first step only, then `1 - beta * "
        "t` turns negative, and the root of a negative number is not a number.",
        _adam_with(
            m_hat=lambda m, beta1, t: m / (1 - beta1 * t), v_hat=lambda v, _beta1, beta2, t: v / (1 - beta2 * t)
        ),
        "Put t = 2 into both with beta1 = 0.9: `1 - 0.9**2` is 0.19, `1 - 0.9 * 2` is -0.8.",
    ),
    Misconception(
        "m_corrected_by_t_times",
        "The correction of `m` uses `beta1 * t` instead of the power `beta1**t`: right at the first step only.",
        _adam_with(m_hat=lambda m, beta1, t: m / (1 - beta1 * t)),
        "Put t = 2 into both with beta1 = 0.9: `1 - 0.9**2` is 0.19, `1 - 0.9 * 2` is -0.8.",
    ),
    Misconception(
        "root_before_correction",
        "The root is taken before the correction: `sqrt(v) / (1 - beta2**t)`. Correct v first, then take the root of "
        "`v_hat`.",
        _adam_with(v_hat=lambda v, _beta1, beta2, t: v / (1 - beta2**t) ** 2),
        "At t = 1, from zero, v = 0.001 * grad**2. Divided by 0.001 it is grad**2, and the root of that is the size of "
        "the slope. Your order gives 31.6 times as much.",
    ),
    Misconception(
        "one_beta_in_both_corrections",
        "Both corrections use beta1. `v` was averaged with beta2, so it is corrected with beta2.",
        _adam_with(v_hat=lambda v, beta1, _beta2, t: v / (1 - beta1**t)),
        "Each average is corrected with the beta it was made with: m with beta1, v with beta2.",
    ),
    Misconception(
        "corrected_state_kept",
        "You return the corrected averages as `m` and `v`. They must be kept uncorrected, or the next step "
        "corrects them again: "
        "give `m_hat` and `v_hat` names of their own.",
        _corrected_state_kept,
        "Use `m_hat` and `v_hat` in the line that moves theta only. Return `m` and `v`.",
    ),
    Misconception(
        "betas_swapped",
        "beta1 and beta2 are exchanged: beta1 (0.9) belongs to `m`, beta2 (0.999) to `v`.",
        lambda theta, grad, m, v, t, lr, beta1, beta2, eps: adam_step(theta, grad, m, v, t, lr, beta2, beta1, eps),
        "The order of the arguments is beta1, beta2. The average of the slopes has the short memory, that of "
        "the squares the long one.",
    ),
    Misconception(
        "betas_weigh_the_new",
        "The betas weigh the new slope and square. They are the share of the *old* average that is kept: `beta1 "
        "* m + (1 - beta1) * grad`.",
        _adam_with(
            lambda m, grad, beta1: _average(m, grad, 1 - beta1),
            lambda v, grad, _m, beta2: _average(v, grad**2, 1 - beta2),
        ),
        "With beta1 = 0.9, nine tenths of `m` stay. Which factor belongs in front of `m`?",
    ),
    Misconception(
        "new_slopes_at_full_weight",
        "The new slope comes in at full weight, as in momentum: `1 - beta1` (and `1 - beta2`) is missing. Look "
        "at the two lines that update `m` and `v`.",
        _adam_with(lambda m, grad, beta1: beta1 * m + grad, lambda v, grad, _m, beta2: beta2 * v + grad**2),
        "The weights of an average sum to 1: beta1 and 1 - beta1.",
    ),
    Misconception(
        "v_from_m",
        "`v` averages the square of `m`. It should average the square of the slope: the average of squares, not "
        "the square of an average.",
        _adam_with(second=lambda v, _grad, m, beta2: _average(v, m**2, beta2)),
        "Slopes +3 and -3: their average is 0, the average of their squares is 9. Which one says how large the "
        "slopes are? Use `grad**2`.",
    ),
    Misconception(
        "v_is_a_variance",
        "`v` averages `(grad - m)**2`, a variance. Adam's v is not centred: it averages `grad**2`.",
        _adam_with(second=lambda v, grad, m, beta2: _average(v, (grad - m) ** 2, beta2)),
        "With a constant slope a variance goes to 0, and the step would grow without limit. Adam's v goes to "
        "the slope's square, and the step to lr.",
    ),
    Misconception(
        "square_forgotten",
        "`v` averages the slopes, not their squares. Look at the line that updates `v`.",
        _adam_with(second=lambda v, grad, _m, beta2: _average(v, grad, beta2)),
        "`v` is an average of `grad**2`: that is why a root is taken later.",
    ),
    _named(_ONE_SIZE, _adam_with(second=lambda v, grad, _m, beta2: _average(v, np.asarray(np.mean(grad**2)), beta2))),
    _named(_SIGN, _adam_with(move=lambda m, v, _grad, eps: -m / (np.sqrt(v) + eps))),
    _named(
        _NO_ROOT,
        _adam_with(move=lambda m, v, _grad, eps: m / (v + eps)),
        "The average slope is divided by `v_hat` itself: the root is missing. Look at the denominator.",
    ),
    Misconception(
        "slope_instead_of_m",
        "The step uses the bare slope, not the average `m_hat`: that is RMSprop with a correction. Look at the "
        "numerator.",
        _adam_with(move=lambda _m, v, grad, eps: grad / (np.sqrt(v) + eps)),
        "Adam is momentum over RMSprop. What does momentum put in the place of the slope?",
    ),
    _named(
        _EPS_INSIDE,
        _adam_with(move=lambda m, v, _grad, eps: m / np.sqrt(v + eps)),
        "`eps` stands inside the root: `sqrt(v_hat + eps)`. Here it is added after the root: `sqrt(v_hat) + eps`. "
        "Look at the slopes of 1e-12: inside the root, eps weighs as much as 1e-4 outside.",
        "Take `v_hat = 0` and `eps = 1e-8`. Work out `sqrt(v_hat + eps)` and `sqrt(v_hat) + eps` by hand: "
        "0.0001 and 0.00000001. "
        "Close the bracket of the root before the `+`.",
    ),
    Misconception(
        "eps_beside_the_uncorrected_root",
        "`eps` is added to the root of the *uncorrected* v. That is the rearranged form in section 2 of the "
        "paper, whose eps is another number. "
        "Correct v first, take its root, then add eps.",
        # The same numbers: sqrt(v) + eps is sqrt(1 - beta2**t) times (sqrt(v_hat) + eps / sqrt(1 - beta2**t)).
        lambda theta, grad, m, v, t, lr, beta1, beta2, eps: adam_step(
            theta, grad, m, v, t, lr, beta1, beta2, eps / np.sqrt(1 - beta2**t)
        ),
        "At t = 1 the root of v is 0.0316 times that of v_hat, so eps beside it weighs 31.6 times as much. "
        "`np.sqrt(v_hat) + eps`.",
    ),
    _named(
        _EPS_ON_PARAMETER,
        _eps_on_parameter(adam_step),
        "`eps` is added to the step or to theta instead of to the root. Look at the brackets: the whole "
        "denominator is `(sqrt(v_hat) + eps)`.",
    ),
    _named(_EPS_FORGOTTEN, _adam_with(move=lambda m, v, _grad, _eps: m / np.sqrt(v))),
    Misconception(
        "states_exchanged",
        "`m` and `v` come back in the wrong order. Return theta, m, v.",
        _states_exchanged,
        "The next call gets what you return, in the order in which you return it.",
    ),
    Misconception(
        "theta_last",
        "theta comes back last. Return theta, m, v, in this order.",
        _theta_last,
        "The next call gets what you return, in the order in which you return it.",
    ),
)

_ADAMW_MISTAKES = (
    Misconception(
        "decay_in_gradient",
        "The decay is added to the gradient, so it runs through `m` and `v` and is rescaled there: that is L2, "
        "not decoupled decay. "
        "Shrink theta directly and leave `grad` alone.",
        _decay_in_gradient,
        "`m` and `v` must come out exactly as in `adam_step`, whatever weight_decay is. Do yours?",
    ),
    Misconception(
        "decay_without_lr",
        "The decay is not scaled with the learning rate. Shrink by `lr * weight_decay * theta`, not by "
        "`weight_decay * theta`.",
        _adamw_with(lambda theta, _lr, weight_decay: theta - weight_decay * theta),
        "lr = 0.1 and weight_decay = 0.5 take 5% off theta, not 50%.",
    ),
    Misconception(
        "decay_after_step",
        "The decay is taken from theta after Adam's step. Decay comes first, from the old theta: look at the "
        "order of your lines.",
        _decay_after_step,
        "theta = 2, lr = 0.1, weight_decay = 0.5, Adam's step 0.1: first 2 - 0.1 = 1.9, then 1.8. The other "
        "order gives 1.9 * 0.95 = 1.805.",
    ),
    Misconception(
        "decay_adapted",
        "The decay is divided by `sqrt(v_hat) + eps` together with the slope. It must stay outside: that is "
        "what decoupled means.",
        _decay_adapted,
        "`lr * (m_hat / (sqrt(v_hat) + eps) + weight_decay * theta)`: look at where the division ends.",
    ),
    Misconception(
        "no_decay",
        "This is plain Adam: `weight_decay` has no effect.",
        _adamw_with(lambda theta, _lr, _weight_decay: theta),
        "Before Adam's step, theta loses `lr * weight_decay` of itself.",
    ),
    Misconception(
        "decay_grows",
        "The decay makes theta larger: look at its sign. Theta is multiplied by `1 - lr * weight_decay`.",
        _adamw_with(lambda theta, lr, weight_decay: theta + lr * weight_decay * theta),
        "Decay pulls towards zero: a positive theta falls, a negative one rises. `theta - lr * weight_decay * "
        "theta` does both.",
    ),
    Misconception(
        "decay_by_squares",
        "The decay takes away `theta**2`: the *penalty* is a square, its slope is theta itself. Shrink by `lr * "
        "weight_decay * theta`.",
        _adamw_with(lambda theta, lr, weight_decay: theta - lr * weight_decay * theta**2),
        "The slope of `w**2 / 2` is `w`.",
    ),
    *(_named(mistake, _adamw_with(_decayed, mistake.wrong)) for mistake in _ADAM_MISTAKES),
)


# The cases


def _away(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Numbers of either sign, at least `low` from zero: no entry hides a mistake by being nearly 0."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(low, high, shape) * signs


def _settings(exercise: str, lr: float = 0.1, eps: float = 1e-12, other: bool = False) -> dict[str, float]:
    """The constants of a step, in the order of its signature; `other` than the usual decay factors."""
    alpha = {"alpha": 0.9 if other else 0.99}
    betas = {"beta1": 0.8 if other else 0.9, "beta2": 0.95 if other else 0.999}
    decay = {"weight_decay": 0.3 if other else 0.5}
    return {
        "adagrad_step": {"lr": lr, "eps": eps},
        "rmsprop_step": {"lr": lr, **alpha, "eps": eps},
        "adam_step": {"lr": lr, **betas, "eps": eps},
        "adamw_step": {"lr": lr, **betas, "eps": eps, **decay},
    }[exercise]


def _states(exercise: str) -> tuple[str, ...]:
    return ("m", "v") if exercise in ("adam_step", "adamw_step") else ("s",)


def _step(exercise: str, theta: Any, grad: Array, state: dict[str, Any], t: int, settings: dict[str, float]) -> Step:
    counter = {"t": t} if "m" in state else {}
    return call(exercise, theta=theta, grad=grad, **state, **counter, **settings)


def _at_rest(exercise: str, grad: Array) -> dict[str, Any]:
    return {name: np.zeros_like(grad) for name in _states(exercise)}


def _on_the_way(exercise: str, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    """A state as it is in the middle of a run: averages of slopes have a sign, those of squares have none."""
    drawn = {"m": _away(rng, shape, 0.2, 1.0), "v": rng.uniform(0.3, 2.0, shape), "s": rng.uniform(0.3, 2.0, shape)}
    return {name: drawn[name] for name in _states(exercise)}


def _single(
    exercise: str, rng: np.random.Generator, shape: tuple[int, ...], t: int, label: str, **settings: Any
) -> Case:
    """One step in the middle of a run."""
    theta, grad, state = _away(rng, shape), _away(rng, shape), _on_the_way(exercise, rng, shape)
    return Case((_step(exercise, theta, grad, state, t, _settings(exercise, **settings)),), label=label)


def _from_rest(exercise: str, theta: Array, grads: list[Array], label: str, **settings: Any) -> Case:
    """One step or more from zero averages, each fed with what the step before returned."""
    given = _settings(exercise, **settings)
    steps = [_step(exercise, theta, grads[0], {name: np.zeros_like(theta) for name in _states(exercise)}, 1, given)]
    for index, grad in enumerate(grads[1:]):
        state = {name: Result(index, item) for item, name in enumerate(_states(exercise), start=1)}
        steps.append(_step(exercise, Result(index, 0), grad, state, index + 2, given))
    return Case(tuple(steps), label=label)


def _ordinary(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        def slopes(steps: int, *shape: int) -> list[Array]:
            return [_away(rng, shape) for _ in range(steps)]

        at = ", t = {}" if "m" in _states(exercise) else ""
        rates = rng.uniform(0.05, 0.2, 3)
        return [
            _single(exercise, rng, (5,), 3, "shape (5,)" + at.format(3), lr=float(rates[0])),
            _single(exercise, rng, (3, 4), 6, "shape (3, 4)" + at.format(6), lr=float(rates[1]), other=True),
            _single(exercise, rng, (4, 4), 40, "shape (4, 4)" + at.format(40), lr=float(rates[2])),
            _from_rest(exercise, _away(rng, (4,), 2, 4), slopes(1, 4), "the first step"),
            _from_rest(exercise, _away(rng, (3,), 2, 4), slopes(4, 3), "four steps from rest", lr=0.02),
            _from_rest(
                exercise, _away(rng, (2, 3), 2, 4), slopes(3, 2, 3), "three steps from rest", lr=0.05, other=True
            ),
        ]

    return draw


def _edge(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    """Here eps is so small that only its absence shows, as 0/0; where it stands is the business of the nasty group."""

    def draw(rng: np.random.Generator) -> list[Case]:
        some = _away(rng, (4,))
        some[rng.integers(4)] = 0.0
        near_zero, state = _away(rng, (3,), 1e-6, 2e-6), _on_the_way(exercise, rng, (3,))
        standing = _step(exercise, near_zero, _away(rng, (3,)), state, 2, _settings(exercise, lr=0.0, eps=1e-11))
        cases = [
            _from_rest(exercise, _away(rng, (3,), 2, 4), [np.zeros(3)], "slope 0, never moved before", eps=1e-11),
            _from_rest(exercise, _away(rng, (4,), 2, 4), [some], "one slope of four is 0", eps=1e-11),
            _from_rest(exercise, _away(rng, (1,), 2, 4), [_away(rng, (1,))], "a single number", eps=1e-11),
            _from_rest(exercise, _away(rng, (1, 3), 2, 4), [_away(rng, (1, 3))], "shape (1, 3)", eps=1e-11),
            Case((standing,), label="lr = 0"),
        ]
        if "m" in _states(exercise):
            cases.append(_single(exercise, rng, (3,), 100_000, "t = 100000", eps=1e-11))
        return cases

    return draw


def _nasty(exercise: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        def single(*shape: int, low: float = 0.5, high: float = 2.0) -> Array:
            return _away(rng, shape, low, high).astype(np.float32)

        return [
            _from_rest(exercise, _away(rng, (4,), 2, 4), [1e-12 * _away(rng, (4,))], "slopes of 1e-12", eps=1e-8),
            _from_rest(exercise, _away(rng, (2, 2), 2, 4), [1e6 * _away(rng, (2, 2))], "slopes of 1e6", eps=1e-8),
            _from_rest(exercise, _away(rng, (3,), 2, 4), [1e-3 * _away(rng, (3,))], "eps = 0.001", eps=1e-3),
            _from_rest(
                exercise, single(5, low=2, high=4), [np.float32(1e-7) * single(5)], "float32, slopes of 1e-7", eps=1e-8
            ),
            _from_rest(
                exercise,
                single(3, low=2, high=4),
                [single(3) for _ in range(3)],
                "float32, three steps, eps = 0.001",
                lr=0.02,
                eps=1e-3,
            ),
        ]

    return draw


def _groups(exercise: str, points: tuple[int, int, int]) -> tuple[Group, ...]:
    return (
        Group("ordinary", "Ordinary steps", points[0], _ordinary(exercise)),
        Group("edge", "Special values", points[1], _edge(exercise)),
        Group("nasty", "Tiny and huge slopes, float32", points[2], _nasty(exercise)),
    )


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="rmsprop_step",
        lesson=LESSON,
        question="Take one RMSprop step: return the new theta and the new average of squares s.",
        outputs=("theta", "s"),
        reference=rmsprop_step,
        groups=_groups("rmsprop_step", (3, 1, 1)),
        misconceptions=_RMSPROP_MISTAKES,
        hints=(
            (
                "Take shape (1,): `theta = [2]`, `grad = [3]`, `s = [0]`, lr = 0.1, alpha = 0.99, eps = 0. "
                "Then `s = 0.99 * 0 + 0.01 * 9 = 0.09`, its root is 0.3, and `theta = 2 - 0.1 * 3 / 0.3 = 1`. "
                "So `(theta, s) = ([1.0], [0.09])`. With shape (2, 3) the same happens in each of the six places."
            ),
            (
                "First s: keep `alpha` of the old average, add `1 - alpha` of the new squares. "
                "Then theta: subtract `lr` times the slope over (the root of the *new* s, plus eps). Return both."
            ),
            (
                "```python\ns = alpha * s + ____ * grad**2\ntheta = theta - lr * grad / (____ + eps)\nreturn theta, "
                "s\n```\n\n"
                "Why is eps needed at all: which weight of a digit classifier has slope 0 in every batch?"
            ),
        ),
        minutes=8,
        difficulty=2,
    ),
    Exercise(
        name="adam_step",
        lesson=LESSON,
        question="Take one Adam step: return the new theta and the new averages m and v, uncorrected.",
        outputs=("theta", "m", "v"),
        reference=adam_step,
        groups=_groups("adam_step", (3, 1, 2)),
        misconceptions=_ADAM_MISTAKES,
        hints=(
            (
                "Take shape (1,), the first step: `theta = [2]`, `grad = [3]`, `m = v = [0]`, t = 1, lr = 0.1, "
                "betas 0.9 and 0.999, eps = 0. "
                "Then `m = 0.3`, `v = 0.009`; corrected, `m_hat = 0.3 / 0.1 = 3`, `v_hat = 0.009 / 0.001 = 9`; "
                "`theta = 2 - 0.1 * 3 / 3 = 1.9`. You return `([1.9], [0.3], [0.009])`: m and v as they were before "
                "the correction."
            ),
            (
                "Two averages: m of the slopes with beta1, v of the squared slopes with beta2. Correct copies of "
                "both, each divided by 1 minus its own "
                "beta to the power t. Subtract lr times corrected m over (the root of corrected v, plus eps). "
                "Return theta and the uncorrected averages."
            ),
            (
                "```python\nm = beta1 * m + (1 - beta1) * grad\nv = beta2 * v + (1 - beta2) * grad**2\nm_hat = m / "
                "____\nv_hat = v / (1 - beta2**t)\n"
                "theta = theta - lr * ____\nreturn theta, m, v\n```\n\n"
                "Why must `m` and not `m_hat` be returned: what would happen to it at the next step?"
            ),
        ),
        minutes=12,
        difficulty=3,
    ),
    Exercise(
        name="adagrad_step",
        lesson=LESSON,
        question="Take one AdaGrad step: return the new theta and the new sum of squares s.",
        outputs=("theta", "s"),
        reference=adagrad_step,
        groups=_groups("adagrad_step", (2, 1, 1)),
        misconceptions=_ADAGRAD_MISTAKES,
        hints=(
            (
                "Take shape (1,): `theta = [2]`, `grad = [4]`, `s = [9]`, lr = 0.1, eps = 0. "
                "Then `s = 9 + 16 = 25`, its root is 5, and `theta = 2 - 0.1 * 4 / 5 = 1.92`. So `(theta, s) = "
                "([1.92], [25.0])`."
            ),
            (
                "First s: add the square of the slope. Then theta: subtract `lr` times the slope over (the root of "
                "the new s, plus eps). Return both."
            ),
            (
                "```python\ns = s + ____\ntheta = theta - lr * grad / (____ + eps)\nreturn theta, s\n```\n\n"
                "Why do AdaGrad's steps get shorter and shorter: can s ever fall?"
            ),
        ),
        minutes=5,
        difficulty=1,
        stretch=True,
    ),
    Exercise(
        name="adamw_step",
        lesson=LESSON,
        question="Take one AdamW step: decay theta first, then take Adam's step; return theta, m and v.",
        outputs=("theta", "m", "v"),
        reference=adamw_step,
        groups=_groups("adamw_step", (3, 1, 1)),
        misconceptions=_ADAMW_MISTAKES,
        hints=(
            (
                "Take shape (1,), the first step: `theta = [2]`, `grad = [3]`, `m = v = [0]`, t = 1, lr = 0.1, "
                "betas 0.9 and 0.999, eps = 0, weight_decay = 0.5. "
                "Decay: `2 - 0.1 * 0.5 * 2 = 1.9`. Adam's step at t = 1 has the length lr: `1.9 - 0.1 = 1.8`. You "
                "return `([1.8], [0.3], [0.009])`."
            ),
            (
                "Shrink theta by lr times weight_decay of itself. Then do all that Adam does, with the slope you "
                "were given: the decay never enters m or v."
            ),
            (
                "```python\ntheta = theta - ____ * theta\nm = beta1 * m + (1 - beta1) * grad\nv = beta2 * v + (1 - "
                "beta2) * grad**2\nm_hat = m / (1 - beta1**t)\n"
                "v_hat = v / (1 - beta2**t)\ntheta = theta - lr * m_hat / (____ + eps)\nreturn theta, m, v\n```\n\n"
                "Why does it matter that the decay stays out of the gradient: which weights would it shrink least "
                "if it went through v?"
            ),
        ),
        minutes=8,
        difficulty=2,
        stretch=True,
    ),
)
