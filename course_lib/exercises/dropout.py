"""Lesson 06: dropout, forward and backward.

A mask is an array of True and False, True where a number was kept. How it is drawn is part of the question, one call of
`rng.random`, so that answers can be compared entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

import numpy as np
import numpy.typing as npt

from course_lib._typing import Array
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Given, RandomGenerator, call

LESSON = "06_dropout"
WITHHELD = ("dropout", "network", "training", "sweep", "range_test", "gradcheck", "nonfinite", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks, or import one that does."""

Mask = npt.NDArray[np.bool_]


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers of either sign, at least 0.5 from zero: what was dropped cannot be taken for what was kept."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(0.5, 2.0, shape) * signs


# dropout_forward ------------------------------------------------------------------------------------------------------


def dropout_forward(x: Array, p: float, rng: np.random.Generator, training: bool) -> tuple[Array, Mask]:
    """Inverted dropout: in training, drop each number with probability p and scale the others by 1 / (1 - p).

    Source: Srivastava et al. (2014), Dropout, section 4; the factor in training, section 10.

    Args:
        x: numbers, any shape.
        p: the probability of dropping, at least 0 and below 1.
        rng: where the mask is drawn from, by one call: `rng.random(x.shape) >= p`; untouched in evaluation.
        training: whether to drop at all.

    Returns:
        The output and the mask, both of the shape of x; in evaluation x and True everywhere.
    """
    if not training:
        return x.copy(), np.ones(x.shape, dtype=bool)
    mask = rng.random(x.shape) >= p
    return x * mask / (1 - p), mask


Forward = Callable[[Array, float, Any, bool], Any]


def _all_true(x: Array) -> Mask:
    return np.ones(x.shape, dtype=bool)


def _forward_with(
    mask: Callable[[Array, float, Any], Any] = lambda x, p, rng: rng.random(x.shape) >= p,
    out: Callable[[Array, Any, float], Any] = lambda x, mask, p: x * mask / (1 - p),
    evaluation: Callable[[Array, float], Any] = lambda x, _p: (x.copy(), _all_true(x)),
    told: Callable[[Any, float], Any] = lambda mask, _p: mask,
) -> Forward:
    """The same in parts, so that a mistake can exchange one of them."""

    def forward(x: Array, p: float, rng: Any, training: bool) -> Any:
        if not training:
            return evaluation(x, p)
        drawn = mask(x, p, rng)
        return out(x, drawn, p), told(drawn, p)

    return forward


def _active_in_evaluation(x: Array, p: float, rng: Any, training: bool) -> Any:
    return dropout_forward(x, p, rng, True)


def _drawn_in_both_modes(x: Array, p: float, rng: Any, training: bool) -> Any:
    mask = rng.random(x.shape) >= p
    return (x * mask / (1 - p), mask) if training else (x.copy(), _all_true(x))


def _drawn_and_told_in_both_modes(x: Array, p: float, rng: Any, training: bool) -> Any:
    mask = rng.random(x.shape) >= p
    return (x * mask / (1 - p) if training else x.copy()), mask


def _in_place(x: Array, p: float, rng: Any, training: bool) -> Any:
    if not training:
        return x, _all_true(x)
    mask = rng.random(x.shape) >= p
    x *= mask
    x /= 1 - p
    return x, mask


def _exact_share(x: Array, p: float, rng: Any) -> Any:
    mask = _all_true(x).ravel()
    mask[rng.permutation(x.size)[: round(p * x.size)]] = False
    return mask.reshape(x.shape)


def _divided_by_share_kept(x: Array, mask: Any, _p: float) -> Any:
    with np.errstate(all="ignore"):
        return x * mask / np.mean(mask)


def _pass(
    rng: np.random.Generator,
    x: Array,
    label: str,
    p: float | None = None,
    *,
    training: bool = True,
) -> Case:
    """One call with a generator of its own."""
    share = float(rng.uniform(0.25, 0.4)) if p is None else p
    seed = RandomGenerator(int(rng.integers(2**31)))
    return Case((call("dropout_forward", x=x, p=share, rng=seed, training=training),), label=label)


def _two_passes(rng: np.random.Generator, trainings: tuple[bool, bool], label: str) -> Case:
    """Two calls with one generator, and the answer to the second."""
    p = float(rng.uniform(0.25, 0.4))
    first = call(
        "dropout_forward",
        x=_away_from_zero(rng, (4, 3)),
        p=p,
        rng=RandomGenerator(int(rng.integers(2**31))),
        training=trainings[0],
    )
    second = call("dropout_forward", x=_away_from_zero(rng, (5, 4)), p=p, rng=Given(0, "rng"), training=trainings[1])
    return Case((first, second), label=label)


def _forward_ordinary(rng: np.random.Generator) -> list[Case]:
    return [
        _pass(rng, _away_from_zero(rng, (6, 5)), "x of shape (6, 5)"),
        _pass(rng, _away_from_zero(rng, (5, 5)), "p = 0.7", 0.7),
        _pass(rng, _away_from_zero(rng, (3, 8)), "x of shape (3, 8)"),
        _pass(rng, _away_from_zero(rng, (4, 6)), "p = 0.5", 0.5),
        _pass(rng, _away_from_zero(rng, (20,)), "x of shape (20,)"),
    ]


def _forward_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _pass(rng, _away_from_zero(rng, (5, 4)), "evaluation", training=False),
        _pass(rng, _away_from_zero(rng, (3, 7)), "evaluation, p = 0.8", 0.8, training=False),
        _pass(rng, _away_from_zero(rng, (4, 4)), "p = 0", 0.0),
        _two_passes(rng, (False, True), "a training pass, after an evaluation pass with the same rng"),
        _two_passes(rng, (True, False), "an evaluation pass, after a training pass with the same rng"),
    ]


def _forward_nasty(rng: np.random.Generator) -> list[Case]:
    small = _away_from_zero(rng, (40, 25)).astype(np.float32)
    return [
        _pass(rng, _away_from_zero(rng, (400, 5)), "p = 0.995", 0.995),
        _pass(rng, _away_from_zero(rng, (3, 2, 4, 5)), "x of shape (3, 2, 4, 5)"),
        _pass(rng, small, "float32"),
        _pass(rng, _away_from_zero(rng, (4, 5)) * np.geomspace(1e-9, 1e9, 5), "columns far apart in size"),
        _two_passes(rng, (True, True), "a second training pass with the same rng"),
    ]


DROPOUT_FORWARD = Exercise(
    name="dropout_forward",
    lesson=LESSON,
    question="Drop each number with probability p in training, scale the others, and leave all alone in evaluation.",
    outputs=("out", "mask"),
    reference=dropout_forward,
    groups=(
        Group("ordinary", "Training passes", 3, _forward_ordinary),
        Group("edge", "Evaluation, p = 0, and what is left of the rng", 2, _forward_edge),
        Group("nasty", "p near 1, four axes, float32, one rng again", 1, _forward_nasty),
    ),
    misconceptions=(
        Misconception(
            "p_keeps",
            "p is taken for the probability of *keeping*. Here, as in PyTorch, it is the probability of dropping: keep "
            "where the draw is at least p, and divide by 1 - p.",
            _forward_with(mask=lambda x, p, rng: rng.random(x.shape) < p, out=lambda x, mask, p: x * mask / p),
            "p = 0.2 drops a fifth. So four fifths stay, and each of them becomes 1.25 times as large.",
        ),
        Misconception(
            "wrong_ones_dropped",
            "What should stay is dropped, and what should go stays: keep where the draw is at least p, `rng.random(...)"
            " >= p`.",
            _forward_with(mask=lambda x, p, rng: rng.random(x.shape) < p),
        ),
        Misconception(
            "mask_says_dropped",
            "`out` is right, but the mask is True where a number was *dropped*. It should be True where it was kept.",
            _forward_with(told=lambda mask, _p: ~mask),
        ),
        Misconception(
            "other_end_of_the_draws",
            "The right share is kept, but from the other end of the draws. Both are fair; asked for is `rng.random"
            "(x.shape) >= p`, so that answers can be compared.",
            _forward_with(mask=lambda x, p, rng: rng.random(x.shape) < 1 - p),
        ),
        Misconception(
            "not_scaled_in_training",
            "In training the kept numbers are not scaled, so on average the output is smaller than x by the factor 1 - "
            "p. (To scale in evaluation instead is how dropout was first published.) Here it is inverted: divide by 1 "
            "- p in training, and evaluation returns x as it is.",
            _forward_with(out=lambda x, mask, p: x * mask, evaluation=lambda x, p: (x * (1 - p), _all_true(x))),
            "x = 2, p = 0.5: the output is 0 or 2, on average 1. What must the kept one be, so that the average is 2?",
        ),
        Misconception(
            "scaled_in_both_modes",
            "Evaluation scales by 1 - p although training has already divided by it: scaled twice. In evaluation "
            "return x as it is.",
            _forward_with(evaluation=lambda x, p: (x * (1 - p), _all_true(x))),
        ),
        Misconception(
            "divided_in_evaluation",
            "Evaluation divides by 1 - p. Nothing was dropped there, so there is nothing to make up for: return x as "
            "it is.",
            _forward_with(evaluation=lambda x, p: (x / (1 - p), _all_true(x))),
        ),
        Misconception(
            "scaled_twice",
            "The kept numbers are divided by 1 - p twice. Once makes up for what was dropped: is the mask scaled "
            "already where you use it?",
            _forward_with(out=lambda x, mask, p: x * mask / (1 - p) ** 2),
        ),
        Misconception(
            "divided_by_p",
            "The kept numbers are divided by p, the share that was dropped. Divide by 1 - p, the share that stays.",
            _forward_with(out=lambda x, mask, p: x * mask / p if p else x * mask),
        ),
        Misconception(
            "multiplied_by_what_stays",
            "The kept numbers are made smaller by the factor 1 - p. They should become larger, to make up for those "
            "that are gone: divide.",
            _forward_with(out=lambda x, mask, p: x * mask * (1 - p)),
        ),
        Misconception(
            "divided_by_share_kept",
            "The kept numbers are divided by the share that this mask happens to keep. That ties the numbers of a pass "
            "to each other, and is 0/0 where none is kept. Divide by 1 - p.",
            _forward_with(out=_divided_by_share_kept),
        ),
        Misconception(
            "one_mask_for_the_batch",
            "All rows share one mask: one was drawn for a single example and stretched over the batch. Draw one number "
            "for each entry of x: `rng.random(x.shape)`.",
            _forward_with(
                mask=lambda x, p, rng: np.broadcast_to(rng.random(x.shape[1:] if x.ndim > 1 else x.shape) >= p, x.shape)
            ),
            "x of shape (6, 5) needs 30 draws. How many does your code make?",
        ),
        Misconception(
            "whole_rows_dropped",
            "Whole rows are dropped or kept: there is one draw an example. Draw one number for each entry of x.",
            _forward_with(
                mask=lambda x, p, rng: np.broadcast_to(rng.random((x.shape[0],) + (1,) * (x.ndim - 1)) >= p, x.shape)
            ),
        ),
        Misconception(
            "exact_share",
            "Exactly the share p is dropped. Each number should be dropped on its own, by a draw of its own, so that "
            "the share varies from pass to pass.",
            _forward_with(mask=_exact_share),
        ),
        Misconception(
            "own_generator",
            "A generator of your own, with a fixed seed, draws the mask, so every pass drops the same. Draw from the "
            "`rng` you are given.",
            _forward_with(mask=lambda x, p, _rng: np.random.default_rng(0).random(x.shape) >= p),
        ),
        Misconception(
            "binomial",
            "The mask is drawn with `rng.binomial`. The share is right, the draws are others: use `rng.random(x.shape) "
            ">= p`, so that answers can be compared.",
            _forward_with(mask=lambda x, p, rng: rng.binomial(1, 1 - p, x.shape).astype(bool)),
        ),
        Misconception(
            "normal_draws",
            "The draws come from a normal distribution (`normal`, `randn`), half of them below 0. `rng.random` draws "
            "evenly from 0 to 1, so that a draw falls below p with probability p.",
            _forward_with(mask=lambda x, p, rng: rng.standard_normal(x.shape) >= p),
        ),
        Misconception(
            "active_in_evaluation",
            "Evaluation drops, too: `training` has no effect. With training=False return x as it is, and True "
            "everywhere as the mask.",
            _active_in_evaluation,
            "A network that is asked twice about one image should say the same twice.",
        ),
        Misconception(
            "drawn_in_both_modes",
            "Evaluation draws from the rng although it needs nothing, so that the next training pass gets another "
            "mask. Draw only where training is True.",
            _drawn_in_both_modes,
            "Put the line with `rng.random` inside the branch for training. A look at the validation loss must not "
            "change a run.",
        ),
        Misconception(
            "drawn_and_told_in_both_modes",
            "Evaluation returns a mask with False in it, although nothing was dropped. It should be True everywhere, "
            "and the rng untouched: draw only where training is True.",
            _drawn_and_told_in_both_modes,
        ),
        Misconception(
            "no_mask_in_evaluation",
            "Evaluation returns None as the mask. Nothing was dropped, so it is True everywhere, in the shape of x: "
            "`np.ones(x.shape, dtype=bool)`.",
            _forward_with(evaluation=lambda x, _p: (x.copy(), None)),
        ),
        Misconception(
            "mask_is_scaled",
            "The mask holds 0 and 1 / (1 - p). Keep the factor out of it: True where kept, False where dropped.",
            _forward_with(told=lambda mask, p: mask / (1 - p)),
        ),
        Misconception(
            "mask_of_numbers",
            "The mask holds the numbers 0 and 1. A comparison gives True and False by itself: leave out `.astype` and "
            "`* 1`.",
            _forward_with(told=lambda mask, _p: mask.astype(np.float64)),
        ),
        Misconception(
            "output_alone",
            "Only the output comes back. The backward pass will need the mask: `return out, mask`.",
            lambda x, p, rng, training: dropout_forward(x, p, rng, training)[0],
        ),
        Misconception(
            "changed_in_place",
            "x itself is changed. The layer before it still needs x: work on a new array, `x * mask`, not `x *= mask`.",
            _in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take x = [[2, 4, 6, 8]], shape (1, 4), p = 0.25, training = True. Say `rng.random((1, 4))` gives [[0.7, 0.1,
            0.4, 0.25]].

            At least 0.25 are the first, the third and the fourth: mask = [[True, False, True, True]], shape (1, 4).
            Those are divided by 0.75: out = [[2.667, 0, 8, 10.667]], shape (1, 4).
            """),
        cleandoc("""
            Two cases. In training: one draw for each entry, kept where it is at least p; what is dropped becomes 0,
            what is kept is divided by the probability of being kept. In evaluation: x as it is, a mask that is
            True everywhere, and not a single draw.
            """),
        cleandoc("""
            ```python
            if not training:
                return x.copy(), np.ones(x.shape, dtype=bool)
            mask = rng.random(____) >= p
            return x * mask / ____, mask
            ```

            Why does evaluation need no factor at all?
            """),
    ),
    minutes=10,
    difficulty=2,
)


# dropout_backward -----------------------------------------------------------------------------------------------------


def dropout_backward(dout: Array, mask: Mask, p: float) -> Array:
    """The gradient with respect to the input of a training pass: what was kept passes its slope on, scaled alike.

    Source: Srivastava et al. (2014), Dropout, section 5.1, with the factor of section 10.

    Args:
        dout: gradient with respect to the output, any shape.
        mask: True where the forward pass kept a number, shape of dout.
        p: the probability of dropping, at least 0 and below 1.

    Returns:
        The gradient with respect to the input, shape of dout.
    """
    return dout * mask / (1 - p)


def _backward_in_place(dout: Array, mask: Mask, p: float) -> Any:
    dout[~mask] = 0
    dout /= 1 - p
    return dout


def _backward_by_share_kept(dout: Array, mask: Mask, p: float) -> Any:
    with np.errstate(all="ignore"):
        return dout * mask / mask.mean()


def _with_a_fresh_mask(dout: Array, mask: Mask, p: float) -> Any:
    return dout * (np.random.default_rng(0).random(dout.shape) >= p) / (1 - p)


def _back(rng: np.random.Generator, dout: Array, label: str, p: float | None = None, mask: Any = None) -> Case:
    share = float(rng.uniform(0.25, 0.4)) if p is None else p
    kept = _mixed(rng, dout.shape, share) if mask is None else mask
    return Case((call("dropout_backward", dout=dout, mask=kept, p=share),), label=label)


def _mixed(rng: np.random.Generator, shape: tuple[int, ...], p: float) -> Mask:
    """A mask that keeps some and drops some, and not the expected share."""
    while True:
        mask: Mask = rng.random(shape) >= p
        if 0 < mask.sum() < mask.size and abs(mask.mean() - (1 - p)) > 1e-6:
            return mask


def _backward_ordinary(rng: np.random.Generator) -> list[Case]:
    return [
        _back(rng, _away_from_zero(rng, (6, 5)), "dout of shape (6, 5)"),
        _back(rng, _away_from_zero(rng, (4, 7)), "p = 0.7", 0.7),
        _back(rng, _away_from_zero(rng, (3, 8)), "dout of shape (3, 8)"),
        _back(rng, _away_from_zero(rng, (5, 5)), "p = 0.5", 0.5),
        _back(rng, _away_from_zero(rng, (20,)), "dout of shape (20,)"),
    ]


def _backward_edge(rng: np.random.Generator) -> list[Case]:
    kept, gone = np.ones((3, 2), dtype=bool), np.zeros((2, 3), dtype=bool)
    return [
        _back(rng, _away_from_zero(rng, (4, 3)), "p = 0, all kept", 0.0, np.ones((4, 3), dtype=bool)),
        _back(rng, _away_from_zero(rng, (3, 2)), "p = 0.5, and the mask happens to keep all", 0.5, kept),
        _back(rng, _away_from_zero(rng, (2, 3)), "p = 0.8, and the mask happens to keep nothing", 0.8, gone),
    ]


def _backward_nasty(rng: np.random.Generator) -> list[Case]:
    with_zeros = _away_from_zero(rng, (5, 6))
    with_zeros[rng.random((5, 6)) < 0.3] = 0.0
    return [
        _back(rng, _away_from_zero(rng, (400, 5)), "p = 0.995", 0.995),
        _back(rng, _away_from_zero(rng, (3, 2, 4, 5)), "dout of shape (3, 2, 4, 5)"),
        _back(rng, _away_from_zero(rng, (6, 7)).astype(np.float32), "float32"),
        _back(rng, _away_from_zero(rng, (4, 5)) * np.geomspace(1e-9, 1e9, 5), "columns far apart in size"),
        _back(rng, with_zeros, "zeros in dout"),
    ]


DROPOUT_BACKWARD = Exercise(
    name="dropout_backward",
    lesson=LESSON,
    question="Pass the slope of a training pass back through the mask that the forward pass has drawn.",
    outputs=("dx",),
    reference=dropout_backward,
    groups=(
        Group("ordinary", "Ordinary masks", 3, _backward_ordinary),
        Group("edge", "p = 0, all kept, none kept", 1, _backward_edge),
        Group("nasty", "p near 1, four axes, float32, zeros", 1, _backward_nasty),
    ),
    misconceptions=(
        Misconception(
            "not_scaled_back",
            "The mask is there, the factor is not. Forward multiplied what was kept by 1 / (1 - p), so its slope is "
            "1 / (1 - p), too.",
            lambda dout, mask, p: dout * mask,
            "A kept x of 2 became 4 at p = 0.5. Move x by 0.1: by how much does the output move?",
        ),
        Misconception(
            "mask_ignored",
            "The mask has no effect. A number that was dropped did not move the output, so its slope is 0: multiply by "
            "the mask.",
            lambda dout, mask, p: dout / (1 - p),
        ),
        Misconception(
            "passed_on_unchanged",
            "`dout` comes back as it was: that is the backward pass of evaluation. Multiply by the mask, and divide by "
            "1 - p.",
            lambda dout, mask, p: dout.copy(),
        ),
        Misconception(
            "fresh_mask",
            "A new mask is drawn. The slope belongs to the pass that was made: use the mask of the forward pass.",
            _with_a_fresh_mask,
            "Which units moved the output? Only the mask that you are given knows.",
        ),
        Misconception(
            "dropped_ones_pass",
            "The slope goes through where a number was dropped, and not where it was kept: mask is True where kept.",
            lambda dout, mask, p: dout * ~mask / (1 - p),
        ),
        Misconception(
            "divided_by_p_back",
            "The slope is divided by p. Forward divided by 1 - p, the probability of being kept.",
            lambda dout, mask, p: dout * mask / p if p else dout * mask,
        ),
        Misconception(
            "undone",
            "The slope is multiplied by 1 - p, as if backward had to undo the factor. It repeats it: the output is x / "
            "(1 - p) where kept, and the slope of that is 1 / (1 - p).",
            lambda dout, mask, p: dout * mask * (1 - p),
        ),
        Misconception(
            "scaled_twice_back",
            "The slope is divided by 1 - p twice. Once, as forward did.",
            lambda dout, mask, p: dout * mask / (1 - p) ** 2,
        ),
        Misconception(
            "divided_by_share_kept_back",
            "The slope is divided by the share that the mask happens to keep. Divide by 1 - p, as forward did.",
            _backward_by_share_kept,
        ),
        Misconception(
            "kept_ones_alone",
            "Only the slopes of the kept numbers come back, in one row. Return an array of the shape of dout, 0 where "
            "a number was dropped: `dout * mask`, not `dout[mask]`.",
            lambda dout, mask, p: dout[mask] / (1 - p),
        ),
        Misconception(
            "mean_over_the_batch",
            "The slope is divided by the number of rows as well. The 1/N of the mean is in the loss gradient already, "
            "and nowhere else.",
            lambda dout, mask, p: dout * mask / (1 - p) / len(dout),
        ),
        Misconception(
            "changed_in_place_back",
            "`dout` itself is changed. Work on a new array: `dout * mask`, not `dout *= mask` or `dout[~mask] = 0`.",
            _backward_in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take dout = [[1, 1, 2, -3]], mask = [[True, False, True, True]], both of shape (1, 4), and p = 0.25.

            The second was dropped, so its slope is 0. The others were divided by 0.75, so their slopes are, too: dx =
            [[1.333, 0, 2.667, -4]], shape (1, 4).
            """),
        cleandoc("""
            Forward multiplied every number by a factor: 0 where dropped, 1 / (1 - p) where kept. The slope of
            "times a factor" is that factor. So backward multiplies every slope by the very same factors.
            """),
        cleandoc("""
            ```python
            return dout * ____ / ____
            ```

            Why must it be the mask of the forward pass, and not a new one?
            """),
    ),
    minutes=5,
    difficulty=1,
)


EXERCISES: tuple[Exercise, ...] = (DROPOUT_FORWARD, DROPOUT_BACKWARD)
