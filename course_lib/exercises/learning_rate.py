"""Lesson 08: a rate read off a range test, the range test itself, and clipping by global norm.

A range test takes one step at each rate, from small to large, and keeps the loss before every step. Its cases are
bowls, where rates beyond 2 / curvature run away, and roads whose heights are listed, so that each rise is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Function, call

LESSON = "08_learning_rate"
WITHHELD = ("range_test", "clipping", "training", "sweep", "figures", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks, or part of one."""

LossAndGrad = Callable[[Array], tuple[float, Array]]


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Numbers of either sign, at least `low` from zero: no entry hides a mistake by being nearly 0."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(low, high, shape) * signs


# suggest_lr -----------------------------------------------------------------------------------------------------------


def suggest_lr(lrs: Array, losses: Array) -> float:
    """The rate at the lowest loss of a range test, divided by 3.

    Source: Smith (2017), Cyclical Learning Rates for Training Neural Networks, section 3.3, for the test; the third is
    this course's margin.

    Args:
        lrs: the rates, shape (K,), K at least 1.
        losses: the loss before the step at each rate, shape (K,); at least one is finite.

    Returns:
        A learning rate. Losses that are infinite or NaN do not count.
    """
    losses = np.where(np.isfinite(losses), losses, np.inf)
    return float(lrs[np.argmin(losses)] / 3)


def _steepest(lrs: Array, losses: Array) -> Any:
    return lrs[np.gradient(losses).argmin()]


def _before_the_first_rise(lrs: Array, losses: Array) -> Any:
    for i in range(1, len(losses)):
        if losses[i] > losses[i - 1]:
            return lrs[i - 1] / 3
    return lrs[-1] / 3


def _lowest(losses: Array) -> int:
    return int(np.where(np.isfinite(losses), losses, np.inf).argmin())


def _curve(rng: np.random.Generator, steps: int, lowest: int) -> tuple[Array, Array]:
    """Rates and losses as a range test gives them: flat, falling to its lowest at this place, then up; a little noisy.

    The loss rises a little somewhere on its way down, and falls most steeply well before the lowest place.
    """
    lr_min = float(10 ** rng.uniform(-5, -3))
    lrs = lr_min * (10 ** rng.uniform(3, 5)) ** (np.arange(steps) / max(steps - 1, 1))
    start, floor = rng.uniform(2.2, 2.6), rng.uniform(0.3, 0.6)
    place = np.arange(steps)
    middle = 0.6 * lowest
    falling = floor + (start - floor) / (1 + np.exp((place - middle) / (0.08 * lowest + 0.3)))
    losses = falling + rng.uniform(0, 0.02, steps)
    if lowest > 3:
        losses[1] = losses[0] + 0.05
    losses[lowest] = floor - rng.uniform(0.05, 0.1)
    after = np.arange(1, steps - lowest)
    losses[lowest + 1 :] = losses[lowest] * (1 + 0.35 * after * rng.uniform(0.9, 1.1, len(after)))
    return lrs, losses


def _suggest_case(lrs: Array, losses: Array, label: str) -> Case:
    return Case((call("suggest_lr", lrs=lrs, losses=losses),), label=label)


def _suggest_ordinary(rng: np.random.Generator) -> list[Case]:
    return [
        _suggest_case(*_curve(rng, steps, lowest), f"{steps} rates")
        for steps, lowest in ((20, int(rng.integers(11, 14))), (30, int(rng.integers(20, 24))), (12, 7), (25, 22))
    ]


def _suggest_edge(rng: np.random.Generator) -> list[Case]:
    lrs, losses = _curve(rng, 12, 8)
    return [
        _suggest_case(lrs[:1], losses[:1], "one rate"),
        _suggest_case(lrs, np.sort(losses)[::-1].copy(), "the loss falls to the end"),
        _suggest_case(lrs, np.sort(losses), "the loss rises from the start"),
        _suggest_case(*_two_hollows(rng), "two hollows, the second one deeper"),
    ]


def _two_hollows(rng: np.random.Generator) -> tuple[Array, Array]:
    lrs, losses = _curve(rng, 20, 14)
    losses[5:8] = losses[14] + rng.uniform(0.1, 0.2, 3)
    return lrs, losses


def _suggest_nasty(rng: np.random.Generator) -> list[Case]:
    lrs, losses = _curve(rng, 15, 10)
    last, between, infinite, alone = (losses.copy() for _ in range(4))
    last[-1] = np.nan
    between[[2, 5]] = np.nan, np.inf
    infinite[-2:] = np.inf
    alone[:4], alone[5:] = np.inf, np.nan
    return [
        _suggest_case(lrs, last, "the last loss is NaN"),
        _suggest_case(lrs, infinite, "the last two losses are infinite"),
        _suggest_case(lrs, between, "NaN and infinity on the way"),
        _suggest_case(lrs, alone, "one finite loss"),
        _suggest_case(lrs.astype(np.float32), losses.astype(np.float32), "float32"),
    ]


SUGGEST_LR = Exercise(
    name="suggest_lr",
    lesson=LESSON,
    question="From the rates and losses of a range test, return the rate at the lowest loss, divided by 3.",
    outputs=("lr",),
    reference=suggest_lr,
    groups=(
        Group("ordinary", "Ordinary curves", 2, _suggest_ordinary),
        Group("edge", "One rate, the lowest at an end, two hollows", 1, _suggest_edge),
        Group("nasty", "NaN, infinity, float32", 1, _suggest_nasty),
    ),
    misconceptions=(
        Misconception(
            "minimum_itself",
            "This is the rate at the lowest loss itself. One step later the loss rises: at that rate the run is about "
            "to leave the road. Divide by 3.",
            lambda lrs, losses: lrs[_lowest(losses)],
            "Lowest loss at rate 0.9: the loss that comes after a step of 0.9 is higher. You return 0.3.",
        ),
        Misconception(
            "steepest_slope",
            "This is the rate where the loss falls most steeply. Some tools take it; it works on smooth curves and is "
            "blind on noisy ones. Here: the rate at the lowest loss, divided by 3.",
            _steepest,
            "The steepest fall asks for differences of neighbours; the lowest loss needs `np.argmin(losses)` alone.",
        ),
        Misconception(
            "index_returned",
            "This is the place of the lowest loss in the array. Asked is the rate that stands there: `lrs[place]`.",
            lambda lrs, losses: _lowest(losses),
        ),
        Misconception(
            "third_of_the_place",
            "The place is divided by 3, not the rate. A third of the way along a geometric row is far less than a "
            "third of the rate.",
            lambda lrs, losses: lrs[_lowest(losses) // 3],
            "Look up the rate first, `lrs[place]`, and divide what you found.",
        ),
        Misconception(
            "divided_by_10",
            "The rate is divided by 10. That is a rule of thumb in other courses; this one divides by 3.",
            lambda lrs, losses: lrs[_lowest(losses)] / 10,
        ),
        Misconception(
            "last_rate",
            "This takes the last rate, where the test gave up. Look for the lowest loss instead.",
            lambda lrs, losses: lrs[-1] / 3,
        ),
        Misconception(
            "first_rise",
            "The search ends at the first rise. A loss may rise a little on its way down; look at the whole row and "
            "take the lowest.",
            _before_the_first_rise,
            "Losses 2.3, 2.4, 1.0, 0.5, 0.9: the first rise comes at once, the lowest is 0.5.",
        ),
        Misconception(
            "loss_returned",
            "This is a loss, divided by 3. Asked is a rate: `np.argmin` says where the lowest loss stands, and `lrs` "
            "has the rate of that place.",
            lambda lrs, losses: losses[_lowest(losses)] / 3,
        ),
        Misconception(
            "highest_loss",
            "This is the rate at the highest loss. You want the lowest one.",
            lambda lrs, losses: lrs[np.where(np.isfinite(losses), losses, -np.inf).argmax()] / 3,
        ),
        Misconception(
            "nan_wins",
            "NaN has won: `np.argmin` takes it for the lowest of all, and `np.nan_to_num` makes it 0. Turn what is not "
            "finite into infinity first: `np.where(np.isfinite(losses), losses, np.inf)`.",
            lambda lrs, losses: lrs[np.argmin(losses)] / 3,
            "Try `np.argmin([2.0, 0.5, np.nan])`: it says 2, the place of NaN.",
        ),
        Misconception(
            "place_among_the_finite",
            "The place was found among the finite losses and then used in the full row of rates: the two do not match "
            "once something was left out. Leave the same places out of `lrs`.",
            lambda lrs, losses: lrs[losses[np.isfinite(losses)].argmin()] / 3,
            "losses = [2, nan, 1], shape (3,): among the finite ones, shape (2,), 1 stands at place 1. `lrs[1]` is "
            "the rate of NaN.",
        ),
    ),
    hints=(
        cleandoc("""
            Take lrs = [0.01, 0.1, 1, 10] and losses = [2.3, 1.5, 0.9, nan], both of shape (4,).

            The lowest finite loss is 0.9, at place 2. The rate there is 1, so you return 1 / 3 = 0.333...
            """),
        cleandoc("""
            Two arrays side by side: find the place of the lowest loss in one, read the rate at the same place in the
            other. A loss that is not finite must not win, so give it a value that never wins. Then leave a margin.
            """),
        cleandoc("""
            ```python
            values = np.where(np.isfinite(losses), losses, ____)
            return lrs[np.argmin(values)] / ____
            ```

            Why would 0 be the wrong thing to put in place of NaN?
            """),
    ),
    minutes=4,
    difficulty=1,
)


# lr_range_test --------------------------------------------------------------------------------------------------------


def lr_range_test(
    loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int
) -> tuple[Array, Array]:
    """One step of gradient descent at each rate, from small to large; the loss before every step.

    lrs[i] = lr_min * (lr_max / lr_min)**(i / (steps - 1)).
    Source: Smith (2017), Cyclical Learning Rates for Training Neural Networks, section 3.3; there the rates grow
    linearly.

    Args:
        loss_and_grad: takes weights, shape (P,); returns the loss, at least 0, and its gradient, shape (P,).
        theta0: where to start, shape (P,).
        lr_min, lr_max: the first rate and the last, 0 < lr_min < lr_max.
        steps: how many rates, at least 2.

    Returns:
        The rates and the losses, two arrays of one length: as many as were measured. The test stops after the first
        loss above 4 times the best so far, or not finite, which is kept.
    """
    theta, best = theta0, math.inf
    lrs, losses = [], []
    for i in range(steps):
        lr = lr_min * (lr_max / lr_min) ** (i / (steps - 1))
        loss, grad = loss_and_grad(theta)
        lrs.append(lr)
        losses.append(loss)
        if not math.isfinite(loss) or loss > 4 * best:
            break
        best = min(best, loss)
        theta = theta - lr * grad
    return np.array(lrs), np.array(losses)


_RangeTest = Callable[[LossAndGrad, Array, float, float, int], Any]


def _geometric(lr_min: float, lr_max: float, steps: int) -> Array:
    found: Array = lr_min * (lr_max / lr_min) ** (np.arange(steps) / (steps - 1))
    return found


def _too_bad(loss: float, earlier: list[float]) -> bool:
    return not math.isfinite(loss) or loss > 4 * min(earlier, default=math.inf)


def _tests(
    rates: Callable[[float, float, int], Array] = _geometric,
    stops: Callable[[float, list[float]], bool] = _too_bad,
    move: Callable[[Array, float, Array], Array] = lambda theta, lr, grad: theta - lr * grad,
    kept: bool = True,
) -> _RangeTest:
    """The answer with one of its parts done differently; `stops` takes a loss and the earlier ones."""

    def wrong(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
        theta = theta0
        lrs: list[float] = []
        losses: list[float] = []
        for lr in rates(lr_min, lr_max, steps):
            loss, grad = loss_and_grad(theta)
            bad = stops(loss, losses)
            if not bad or kept:
                lrs.append(lr)
                losses.append(loss)
            if bad:
                break
            theta = move(theta, lr, grad)
        return np.array(lrs), np.array(losses)

    return wrong


def _loss_after_the_step(
    loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int, afresh: bool = False
) -> Any:
    theta = theta0
    lrs: list[float] = []
    losses: list[float] = []
    for lr in _geometric(lr_min, lr_max, steps):
        start = theta0 if afresh else theta
        theta = start - lr * loss_and_grad(start)[1]
        loss = loss_and_grad(theta)[0]
        bad = _too_bad(loss, losses)
        lrs.append(lr)
        losses.append(loss)
        if bad:
            break
    return np.array(lrs), np.array(losses)


def _from_the_start_each_time(
    loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int
) -> Any:
    return _loss_after_the_step(loss_and_grad, theta0, lr_min, lr_max, steps, afresh=True)


def _gradient_once(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
    slope = loss_and_grad(theta0)[1]
    return _tests()(lambda theta: (loss_and_grad(theta)[0], slope), theta0, lr_min, lr_max, steps)


def _always_the_first_rate(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
    return _tests(move=lambda theta, _lr, grad: theta - lr_min * grad)(loss_and_grad, theta0, lr_min, lr_max, steps)


def _moved_in_place(theta: Array, lr: float, grad: Array) -> Array:
    theta -= lr * grad
    return theta


def _padded(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
    found = lr_range_test(loss_and_grad, theta0, lr_min, lr_max, steps)
    return tuple(np.concatenate([values, np.zeros(steps - len(values))]) for values in found)


def _all_rates_returned(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
    losses = lr_range_test(loss_and_grad, theta0, lr_min, lr_max, steps)[1]
    return _geometric(lr_min, lr_max, steps), losses


def _exchanged(loss_and_grad: LossAndGrad, theta0: Array, lr_min: float, lr_max: float, steps: int) -> Any:
    return lr_range_test(loss_and_grad, theta0, lr_min, lr_max, steps)[::-1]


def _range_case(
    function: Function, theta0: Array, lr_min: float, lr_max: float, steps: int, label: str, dtype: Any = np.float64
) -> Case:
    step = call(
        "lr_range_test",
        loss_and_grad=function,
        theta0=theta0.astype(dtype),
        lr_min=lr_min,
        lr_max=lr_max,
        steps=steps,
    )
    return Case((step,), label=label)


def _on_a_bowl(
    rng: np.random.Generator,
    d: int,
    highest: float,
    steps: int,
    label: str,
    lr_min: float = 0.01,
    reach: float = math.inf,
    beyond: float = math.nan,
    start: float = 1.0,
    dtype: Any = np.float64,
) -> Case:
    """A bowl of the curvatures 0.5 to 2, its axes turned; the last rate is `highest` times 2 / (largest curvature)."""
    curvatures = np.append(rng.uniform(0.5, 1.2, d - 1), rng.uniform(1.6, 2.0))
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    A, centre = (axes * curvatures) @ axes.T, _away_from_zero(rng, (d,))
    floor = float(rng.uniform(0.1, 0.2))
    bowl = {"A": (A + A.T) / 2, "centre": centre, "floor": floor, "reach": reach, "beyond": beyond}
    # A start of the same distance along every axis, so that each direction has something to do.
    theta0 = centre + start * axes @ _away_from_zero(rng, (d,), 1.0, 1.5)
    return _range_case(
        Function("bowl_with_rim", bowl), theta0, lr_min, highest * 2 / float(curvatures[-1]), steps, label, dtype
    )


def _on_a_road(
    rng: np.random.Generator, heights: list[float], label: str, steps: int | None = None, dtype: Any = np.float64
) -> Case:
    """A road on which the losses are these, as long as the rates are right and one step is taken at each."""
    lr_min, factor = float(rng.uniform(0.01, 0.03)), float(rng.uniform(40, 80))
    steps = steps or len(heights)
    theta0, slope = _away_from_zero(rng, (3,)).astype(dtype), _away_from_zero(rng, (3,))
    walked = np.concatenate([[0.0], np.cumsum(_geometric(lr_min, lr_min * factor, steps))])[: len(heights)]
    road = {"places": theta0[0] - walked * slope[0], "heights": np.array(heights), "slope": slope}
    return _range_case(Function("listed_heights", road), theta0, lr_min, lr_min * factor, steps, label, dtype)


def _range_ordinary(rng: np.random.Generator) -> list[Case]:
    best = float(rng.uniform(0.3, 0.5))
    falls = np.linspace(float(rng.uniform(2.0, 2.4)), 1.6 * best, 7).tolist()
    shares = [1, 1.5, 1.1, 2, 3.5, 4.4, 5, 3, 13, 2, 40, 10]  # each way to stop too late stops somewhere else
    climbing = [share * best for share in shares]
    return [
        _on_a_road(rng, falls + climbing, "a loss that falls, wavers and climbs"),
        _on_a_road(rng, [*falls, best, math.inf, 2.0, 1.0], "infinity near the end"),
        _on_a_bowl(rng, 3, 4.0, 18, "a bowl, up to rates that run away"),
        _on_a_bowl(rng, 4, 0.7, 12, "a bowl, all rates stable"),
        _on_a_bowl(rng, 2, 5.0, 25, "a bowl of two weights, up to rates that run away"),
    ]


def _range_edge(rng: np.random.Generator) -> list[Case]:
    best = 0.5  # four times this is exact
    return [
        _on_a_bowl(rng, 3, 0.5, 2, "steps = 2"),
        _on_a_bowl(rng, 1, 3.0, 14, "one weight"),
        _on_a_bowl(rng, 3, 3.0, 8, "a start at the lowest point", start=0.0),
        _on_a_road(rng, [2.0, 1.0, best, 4 * best, 0.75, 3.9 * best, 0.6, 1.9], "a loss of 4 times the best, no more"),
        _on_a_road(rng, [2.0, 1.0, best, 4.2 * best, 0.4, 0.3], "a loss of 4.2 times the best"),
    ]


def _range_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _on_a_road(rng, [2.0, 1.5, 1.0, math.nan, 0.9, 0.8, 0.7], "NaN at the fourth rate"),
        _on_a_road(rng, [2.0, 1.5, 1.0, 0.8, math.inf, 0.8, 0.7], "infinity at the fifth rate"),
        _on_a_road(rng, [math.nan, 1.5, 1.0, 0.8, 0.7], "NaN before the first step"),
        _on_a_bowl(rng, 3, 4.0, 20, "a bowl with a rim", reach=5.0, beyond=math.nan),
        _on_a_road(rng, [2.0, 1.5, 1.0, 1.25, 0.5, 2.5, 0.4], "float32", dtype=np.float32),
        _on_a_bowl(rng, 3, 0.8, 40, "40 rates over nine powers of ten", lr_min=1e-9),
    ]


LR_RANGE_TEST = Exercise(
    name="lr_range_test",
    lesson=LESSON,
    question="Take one step at each rate, from lr_min to lr_max, and return the rates and the loss before every step.",
    outputs=("lrs", "losses"),
    reference=lr_range_test,
    groups=(
        Group("ordinary", "Ordinary tests", 3, _range_ordinary),
        Group("edge", "Two rates, one weight, losses near the limit", 2, _range_edge),
        Group("nasty", "NaN, infinity, float32, a wide range", 1, _range_nasty),
    ),
    misconceptions=(
        Misconception(
            "linear_rates",
            "The rates grow by equal amounts. They should grow by equal factors, so that 0.001 to 0.01 gets as many "
            "steps as 1 to 10.",
            _tests(rates=np.linspace),
            "From 0.01 to 1 in 3 steps: the one in the middle is 0.1, ten times the first and a tenth of the last, not "
            "0.505.",
        ),
        Misconception(
            "divided_by_steps",
            "The last rate is not `lr_max`: the exponent is i / steps. With steps = 5, i runs from 0 to 4, so divide "
            "by steps - 1.",
            _tests(rates=lambda low, high, steps: low * (high / low) ** (np.arange(steps) / steps)),
            "Put in the last i, which is steps - 1: the exponent has to be 1 there.",
        ),
        Misconception(
            "loss_after_the_step",
            "`losses[i]` is the loss after step i. Measure first, then step: the first loss is that of theta0.",
            _loss_after_the_step,
            "`losses[0]` is what `loss_and_grad(theta0)` says, whatever the rates are.",
        ),
        Misconception(
            "afresh_from_theta0",
            "Every rate begins again at theta0. The test is one walk: each step starts where the last one ended.",
            _from_the_start_each_time,
            "Does `theta` on the right side of your step change from one turn of the loop to the next?",
        ),
        Misconception(
            "no_step",
            "theta never moves, so every loss is the first one. Take a step at the end of each turn: theta = theta - "
            "lr * grad.",
            _tests(move=lambda theta, _lr, _grad: theta),
        ),
        Misconception(
            "gradient_once",
            "The gradient is taken once, at theta0, and used for every step. Ask `loss_and_grad` anew at each place.",
            _gradient_once,
            "`loss_and_grad(theta)` belongs inside the loop: it gives the loss and the gradient in one call.",
        ),
        Misconception(
            "always_the_first_rate",
            "Every step is taken with `lr_min`. Step i uses rate i.",
            _always_the_first_rate,
        ),
        Misconception(
            "ascent",
            "The steps go uphill: a gradient points up. theta = theta - lr * grad.",
            _tests(move=lambda theta, lr, grad: theta + lr * grad),
        ),
        Misconception(
            "bad_loss_dropped",
            "The test stops before it keeps the bad loss. Keep rate and loss first, then look whether to stop: a "
            "curve should show where it breaks off.",
            _tests(kept=False),
            "In which order do `append` and `break` come in your loop?",
        ),
        Misconception(
            "never_stops",
            "The test never stops: it goes on after a loss that is far too large, or not a number. Leave the loop.",
            _tests(stops=lambda _loss, _earlier: False),
        ),
        Misconception(
            "stops_only_when_not_finite",
            "The test stops at NaN and infinity alone. It should stop after a loss above 4 times the best, too.",
            _tests(stops=lambda loss, _earlier: not math.isfinite(loss)),
            "Keep the lowest loss so far in a variable, and compare each new one with 4 times that.",
        ),
        Misconception(
            "nan_goes_on",
            "The test walks on past NaN: `nan > 4 * best` is False, as every comparison with NaN is. Ask "
            "`np.isfinite(loss)` as well.",
            _tests(stops=lambda loss, earlier: loss > 4 * min(earlier, default=math.inf)),
            "Type `float('nan') > 1` and `float('nan') < 1`. Which of them would end your loop?",
        ),
        Misconception(
            "stops_at_any_rise",
            "The test stops at the first rise. A loss may waver on its way down; stop above 4 times the best.",
            _tests(stops=lambda loss, earlier: not math.isfinite(loss) or (bool(earlier) and loss > earlier[-1])),
        ),
        Misconception(
            "compared_with_the_previous",
            "Each loss is compared with the one before. A loss that doubles at every step would never stop the test: "
            "compare with the best so far.",
            _tests(
                stops=lambda loss, earlier: not math.isfinite(loss) or (bool(earlier) and loss > 4 * earlier[-1]),
            ),
            "Losses 1, 2, 4, 8: no one is above 4 times the one before, but 8 is above 4 times the best.",
        ),
        Misconception(
            "compared_with_the_first",
            "Each loss is compared with the first one. The loss has fallen since; compare with the best so far.",
            _tests(stops=lambda loss, earlier: not math.isfinite(loss) or (bool(earlier) and loss > 4 * earlier[0])),
        ),
        Misconception(
            "theta0_changed",
            "The steps change theta0 itself, so whoever called has lost the first weights. Write `theta = theta - lr * "
            "grad`, which makes a new array.",
            _tests(move=_moved_in_place),
        ),
        Misconception(
            "padded_with_zeros",
            "The arrays are as long as `steps`, with zeros where nothing was measured. Cut them: a loss of 0 would be "
            "the lowest of all.",
            _padded,
            "`lrs[:n]` and `losses[:n]`, n being how many were measured.",
        ),
        Misconception(
            "rates_not_cut",
            "The rates are all there, also those that were never tried, so the arrays differ in length. Return as many "
            "rates as losses.",
            _all_rates_returned,
        ),
        Misconception(
            "exchanged",
            "Rates and losses come back in the wrong order. Return the rates first.",
            _exchanged,
        ),
    ),
    hints=(
        cleandoc("""
            Take loss = theta**2, gradient 2 * theta, theta0 = [1.0] of shape (1,), and the rates from 0.1 to 10 in
            steps = 3: 0.1, 1, 10.

            i = 0: loss 1. A step of 0.1 * 2: theta = [0.8].
            i = 1: loss 0.64. A step of 1 * 1.6: theta = [-0.8].
            i = 2: loss 0.64. A step of 10 * -1.6: theta = [15.2]. The loop is over.

            You return ([0.1, 1, 10], [1, 0.64, 0.64]), both of shape (3,).
            """),
        cleandoc("""
            One loop over the rates. In each turn: work out the rate; ask for loss and gradient where you stand; keep
            both rate and loss; leave the loop if the loss is not finite or above 4 times the lowest so far;
            otherwise note the lowest, and take one step. A comparison with NaN is always False, so NaN needs a question
            of its own.
            """),
        cleandoc("""
            ```python
            theta, best, lrs, losses = theta0, np.inf, [], []
            for i in range(steps):
                lr = lr_min * (lr_max / lr_min) ** ____
                loss, grad = loss_and_grad(theta)
                lrs.append(lr)
                losses.append(loss)
                if not np.isfinite(loss) or ____:
                    break
                best = min(best, loss)
                theta = theta - lr * grad
            return np.array(lrs), np.array(losses)
            ```

            Why is the loss kept before the loop is left?
            """),
    ),
    minutes=10,
    difficulty=3,
)


# clip_by_global_norm --------------------------------------------------------------------------------------------------


def clip_by_global_norm(grads: Mapping[str, Array], max_norm: float) -> tuple[dict[str, Array], float]:
    """All gradients made shorter by one factor, so that together they are no longer than max_norm.

    scale = max_norm / (norm + 1e-6), applied only when below 1.
    Source: Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks, algorithm 1;
    the 1e-6 as in PyTorch.

    Args:
        grads: name -> gradient, of any shape.
        max_norm: the largest norm allowed, above 0.

    Returns:
        A new dict with the same names and shapes, and the norm of all gradients together, before clipping.
    """
    norm = math.sqrt(sum(np.sum(grad**2) for grad in grads.values()))
    scale = min(1.0, max_norm / (norm + 1e-6))
    return {name: grad * scale for name, grad in grads.items()}, norm


def _norm(grads: Mapping[str, Array]) -> Any:
    return np.sqrt(sum(np.sum(grad**2) for grad in grads.values()))


def _clips(
    norm: Callable[[Mapping[str, Array]], Any] = _norm,
    scale: Callable[[Any, float], Any] = lambda norm, max_norm: np.minimum(1.0, max_norm / (norm + 1e-6)),
    told: Callable[[Any, Any], Any] = lambda norm, _scale: norm,
) -> Callable[[Mapping[str, Array], float], Any]:
    """The answer with one of its parts done differently; `told` takes the norm and the factor."""

    def wrong(grads: Mapping[str, Array], max_norm: float) -> Any:
        found = norm(grads)
        factor = scale(found, max_norm)
        return {name: grad * factor for name, grad in grads.items()}, told(found, factor)

    return wrong


def _each_by_its_own_norm(grads: Mapping[str, Array], max_norm: float) -> Any:
    clipped = {name: grad * np.minimum(1.0, max_norm / (np.linalg.norm(grad) + 1e-6)) for name, grad in grads.items()}
    return clipped, _norm(grads)


def _norm_of_the_last(grads: Mapping[str, Array]) -> Any:
    total: Any = 0.0
    for grad in grads.values():
        total = np.sum(grad**2)
    return np.sqrt(total)


def _in_place(grads: Any, max_norm: float) -> Any:
    norm = _norm(grads)
    for grad in grads.values():
        grad *= np.minimum(1.0, max_norm / (norm + 1e-6))
    return grads, norm


def _sizes_of_two_layers(rng: np.random.Generator) -> dict[str, Array]:
    """Gradients of a network, one of its arrays ten times as large as the others."""
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    grads = {name: _away_from_zero(rng, shape) for name, shape in shapes.items()}
    grads["W2"] = grads["W2"] * 10
    return grads


def _of_norm(grads: Mapping[str, Array], norm: float) -> dict[str, Array]:
    return {name: grad * (norm / float(_norm(grads))) for name, grad in grads.items()}


def _clip_case(grads: Mapping[str, Array], max_norm: float, label: str) -> Case:
    return Case((call("clip_by_global_norm", grads=dict(grads), max_norm=max_norm),), label=label)


def _clip_ordinary(rng: np.random.Generator) -> list[Case]:
    # Norms of hundreds: there the 1e-6 changes less than rounding may. A group of its own asks for it.
    two = {"W": _away_from_zero(rng, (3, 2)), "b": _away_from_zero(rng, (2,))}
    small = float(rng.uniform(300, 500))
    return [
        _clip_case(_of_norm(two, float(rng.uniform(300, 900))), float(rng.uniform(2, 9)), "two arrays, far too long"),
        _clip_case(_of_norm(_sizes_of_two_layers(rng), 1000.0), float(rng.uniform(200, 400)), "two layers, too long"),
        _clip_case(_of_norm(_sizes_of_two_layers(rng), small), small * float(rng.uniform(1.5, 3)), "short enough"),
    ]


def _clip_edge(rng: np.random.Generator) -> list[Case]:
    layers = _of_norm(_sizes_of_two_layers(rng), 700.0)
    zeros = {"W": np.zeros((2, 3)), "b": np.zeros(3)}
    return [
        _clip_case({"theta": _of_norm({"theta": _away_from_zero(rng, (6,))}, 500.0)["theta"]}, 3.0, "one flat array"),
        _clip_case({**layers, "b3": np.zeros(3)}, 5.0, "an array of zeros among them"),
        _clip_case(zeros, 1.0, "all gradients are zero"),
        _clip_case(layers, math.inf, "max_norm is infinite"),
        _clip_case(layers, 699.0, "hardly too long"),
        _clip_case(layers, 701.0, "hardly short enough"),
    ]


def _clip_nasty(rng: np.random.Generator) -> list[Case]:
    many = {f"layer{i}": _away_from_zero(rng, (2, 1 + i % 3, 2)) for i in range(12)}
    single = {name: grad.astype(np.float32) for name, grad in _of_norm(_sizes_of_two_layers(rng), 40.0).items()}
    return [
        _clip_case(_of_norm(many, 800.0), 1.0, "twelve arrays with three axes"),
        _clip_case(_of_norm(_sizes_of_two_layers(rng), 3e-6), 1e-6, "tiny gradients, a tiny limit"),
        _clip_case(_of_norm(_sizes_of_two_layers(rng), 1e100), 1.0, "gradients near 1e100"),
        _clip_case(single, 3.0, "float32"),
    ]


CLIP_BY_GLOBAL_NORM = Exercise(
    name="clip_by_global_norm",
    lesson=LESSON,
    question="Shorten all gradients by one factor so that their common norm is at most max_norm.",
    outputs=("grads", "norm"),
    reference=clip_by_global_norm,
    groups=(
        Group("ordinary", "Ordinary gradients", 3, _clip_ordinary),
        Group("edge", "One array, zeros, close to the limit", 1, _clip_edge),
        Group("nasty", "Many arrays, tiny, huge, float32", 1, _clip_nasty),
    ),
    misconceptions=(
        Misconception(
            "each_by_its_own_norm",
            "Each array is clipped by its own norm, which turns the direction of the whole. There is one norm, of all "
            "arrays together, and one factor.",
            _each_by_its_own_norm,
            "W = [30], b = [4], max_norm 5: the common norm is about 30.3, so both shrink by the same factor, 0.165.",
        ),
        Misconception(
            "always_scaled",
            "Short gradients are scaled too, up to max_norm (and without the 1e-6, zeros become NaN). Clipping never "
            "makes a gradient longer: apply the factor only when it is below 1.",
            _clips(scale=lambda norm, max_norm: max_norm / (norm + 1e-6)),
            "Norm 2, max_norm 10: the factor would be 5. What should come back is the gradient as it was.",
        ),
        Misconception(
            "never_clipped",
            "The gradients come back as they were. Multiply each of them by the factor where it is below 1.",
            _clips(scale=lambda _norm, _max_norm: 1.0),
        ),
        Misconception(
            "sum_of_norms",
            "The norms of the arrays are added up. Add their squares, over all numbers of all arrays, and take one "
            "root at the end.",
            _clips(norm=lambda grads: sum(np.linalg.norm(grad) for grad in grads.values())),
            "[3] and [4]: the norm of both together is 5, the root of 9 + 16, not 7.",
        ),
        Misconception(
            "root_forgotten",
            "The squares are summed, but no root is taken: that is the norm squared.",
            _clips(norm=lambda grads: sum(np.sum(grad**2) for grad in grads.values())),
        ),
        Misconception(
            "root_mean_square",
            "The squares are averaged. A norm is the root of their sum: it grows with the number of weights.",
            _clips(norm=lambda grads: np.sqrt(np.concatenate([g.ravel() ** 2 for g in grads.values()]).mean())),
        ),
        Misconception(
            "norm_of_the_last",
            "The sum starts anew with every array, so only the last one counts. Begin at 0 before the loop and add "
            "with `+=`.",
            _clips(norm=_norm_of_the_last),
        ),
        Misconception(
            "largest_norm",
            "This takes the largest of the arrays' norms. All numbers count together: the root of the sum of all "
            "squares.",
            _clips(norm=lambda grads: max(np.linalg.norm(grad) for grad in grads.values())),
        ),
        Misconception(
            "largest_entry",
            "This takes the largest number in size for the norm. The norm is the root of the sum of all squares.",
            _clips(norm=lambda grads: max(np.abs(grad).max() for grad in grads.values())),
        ),
        Misconception(
            "absolute_values",
            "This adds up absolute values. The norm here is the root of the sum of squares.",
            _clips(norm=lambda grads: sum(np.abs(grad).sum() for grad in grads.values())),
        ),
        Misconception(
            "by_value",
            "Every number is cut off at max_norm on its own. That is clipping by value: it turns the direction, and "
            "many small numbers may still be too long together.",
            lambda grads, max_norm: ({n: np.clip(g, -max_norm, max_norm) for n, g in grads.items()}, _norm(grads)),
            "[30, 4] cut at 5 is [5, 4], which points elsewhere. By norm it is [4.96, 0.66].",
        ),
        Misconception(
            "norm_after",
            "The norm returned is the one after clipping. Return the one before: it tells you how often you clip.",
            _clips(told=lambda norm, scale: norm * scale),
        ),
        Misconception(
            "factor_returned",
            "The second value is the factor. Asked is the norm before clipping.",
            _clips(told=lambda _norm, scale: scale),
        ),
        Misconception(
            "exchanged",
            "Norm and gradients come back in the wrong order. Return the dict first.",
            lambda grads, max_norm: clip_by_global_norm(grads, max_norm)[::-1],
        ),
        Misconception(
            "1e_6_missing",
            "The 1e-6 is missing: scale = max_norm / (norm + 1e-6). For large gradients nobody sees the difference, "
            "for tiny ones it shows.",
            _clips(scale=lambda norm, max_norm: np.minimum(1.0, max_norm / np.where(norm > 0, norm, 1.0))),
            "norm = 3e-6, max_norm = 1e-6: 1e-6 / (3e-6 + 1e-6) is a quarter, not a third.",
        ),
        Misconception(
            "changed_in_place",
            "The caller's gradients are changed: `*=` writes into the arrays, `grads[name] = ...` into the dict. Build "
            "a new one: `{name: grad * scale for name, grad in grads.items()}`.",
            _in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take grads = {"W": [[3, 0]], "b": [4]}, shapes (1, 2) and (1,), and max_norm = 1.

            All squares: 9 + 0 + 16 = 25, so the norm is 5. The factor is 1 / 5.000001, just under 0.2.

            You return ({"W": [[0.6, 0]], "b": [0.8]}, 5.0), as near as makes no difference. With max_norm = 10 the
            factor would be 2, so nothing changes.
            """),
        cleandoc("""
            Think of all gradients as one long arrow. Its length is the root of the sum of all squares, in all arrays.
            If it is too long, every number shrinks by the same factor, so that the arrow keeps its direction. If it is
            short enough, it stays. Either way, tell how long it was.
            """),
        cleandoc("""
            ```python
            norm = np.sqrt(sum(____ for grad in grads.values()))
            scale = min(1, ____)
            return {name: grad * scale for name, grad in grads.items()}, norm
            ```

            Why does one factor for all arrays keep the direction, and one for each does not?
            """),
    ),
    minutes=8,
    difficulty=2,
)


EXERCISES: tuple[Exercise, ...] = (SUGGEST_LR, LR_RANGE_TEST, CLIP_BY_GLOBAL_NORM)
