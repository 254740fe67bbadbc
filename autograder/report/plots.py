"""The pictures of the class report: SVG elements that say in words what is to be seen.

No picture shows a student's name. Few students are drawn as dots, one each, since a histogram of a few is mostly bins.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import escape

from autograder.report.items import ExerciseFigures, LessonFigures
from autograder.report.statistics import Estimate
from autograder.report.summary import Mistake, Summary
from course_lib import figures
from course_lib.figures import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

DOTS_BELOW = 40
"""With fewer students each is a dot; from here on marks are a histogram."""
MOST_MISTAKES = 12
"""So many of a lesson's mistakes are drawn, those that several students made; the table beside it has them all."""
_WIDTH = 6.2
_LOOKS = {
    "right": ("green", ""),
    "partial": ("sky", "//"),
    "wrong": ("vermillion", "\\\\"),
    "error": ("orange", "xx"),
    "timeout": ("purple", ".."),
    "crashed": ("black", ""),
    "unanswered": (None, ""),
}


def marks(summary: Summary, found: LessonFigures, prefix: str) -> str:
    """How many students have how many points."""
    scores = summary.scores
    most = max([sum(exercise.points for exercise in summary.exercises), *scores, 1])
    if summary.ungraded:
        most, what = len(summary.exercises), f"right answers, of {len(summary.exercises)}"
    elif summary.max_score:
        what = f"points (dashed: {summary.max_score}, all of the core)"
    else:
        what = "points (all of them a bonus)"
    with figures.style():
        fig, ax = _axes(2.9)
        if len(scores) < DOTS_BELOW:
            counts = Counter(scores)
            at = [(score, 1 + place) for score, count in counts.items() for place in range(count)]
            ax.plot(*zip(*at, strict=True), "o", color=PALETTE["blue"], markersize=7)
            ax.set_ylim(0.3, max(4, *counts.values()) + 0.7)
            label = "students (a dot each)"
        else:
            width = max(1, round(most / 20))
            edges = np.arange(-0.5, most + width + 0.5, width)
            ax.hist(scores, bins=edges.tolist(), color=PALETTE["blue"], edgecolor="white", linewidth=1)
            label = "students"
        if summary.max_score:
            ax.axvline(summary.max_score, color=PALETTE["black"], linewidth=1, linestyle="--")
        _whole(ax.yaxis)
        _whole(ax.xaxis)
        ax.set(title="Right answers" if summary.ungraded else "Marks", xlabel=what, ylabel=label)
        ax.set_xlim(-0.04 * most - 0.5, 1.04 * most + 0.5)
    told = "Right answers" if summary.ungraded else "Marks"
    worth = f" The core is worth {summary.max_score}." if summary.max_score else ""
    if summary.ungraded:
        worth = f" The lesson is ungraded and has {len(summary.exercises)} exercises."
    elif not summary.max_score:
        worth = " All points are a bonus."
    alt = (
        f"{told} of {len(scores)} students in {summary.lesson}: from {found.lowest} to {found.highest}, "
        f"half of them at most {found.median:g}.{worth}"
    )
    return _svg(fig, alt, prefix)


def outcomes(lesson: str, found: Sequence[ExerciseFigures], prefix: str) -> str:
    """How many submissions of each exercise ended how."""
    used = [name for name in _LOOKS if any(each.outcomes[name] for each in found)]
    with figures.style():
        fig, ax = _axes(0.42 * len(found) + 1.5)
        left = np.zeros(len(found))
        for name in used:
            counts = np.array([each.outcomes[name] for each in found])
            colour, hatch = _LOOKS[name]
            ax.barh(
                _names(found),
                counts,
                left=left,
                label=name,
                color=PALETTE[colour] if colour else "white",
                hatch=hatch,
                edgecolor="black" if name == "unanswered" else "white",
                linewidth=0.7,
            )
            left += counts
        ax.invert_yaxis()
        _whole(ax.xaxis)
        ax.set(title="How each exercise ended", xlabel="submissions", xlim=(0, max(left.max(), 1)))
        fig.legend(loc="outside lower center", ncols=4, fontsize="small", handlelength=1.5)
    told = "; ".join(
        f"{name}: {', '.join(f'{each.outcomes[outcome]} {outcome}' for outcome in used if each.outcomes[outcome])}"
        for name, each in zip(_names(found), found, strict=True)
    )
    return _svg(fig, f"How many submissions of each exercise in {lesson} ended how. {told}.", prefix)


def difficulty(lesson: str, found: Sequence[ExerciseFigures], prefix: str) -> str:
    """The share of points that each exercise earned, with intervals."""
    with figures.style():
        fig, ax = _axes(0.42 * len(found) + 1.1)
        _estimates(ax, _names(found), [each.share for each in found], scale=100)
        practice = all(each.exercise.practice for each in found)
        what = "% of the students" if practice else "% of the exercise's points"
        ax.set(title="Right answers" if practice else "Points earned", xlabel=f"{what} (line: 95% interval)")
        ax.set_xlim(0, 100)
    told = ", ".join(f"{name} {_told(each.share)}" for name, each in zip(_names(found), found, strict=True))
    kind = "right answers" if practice else "points earned"
    return _svg(fig, f"Share of {kind} in each exercise of {lesson}, with 95% intervals: {told}.", prefix)


def discriminations(lesson: str, found: Sequence[ExerciseFigures], prefix: str) -> str | None:
    """The corrected item-total correlations with intervals; None where there is none to draw."""
    if all(each.discrimination.value is None for each in found):
        return None
    with figures.style():
        fig, ax = _axes(0.42 * len(found) + 1.1)
        ax.axvline(0, color=PALETTE["black"], linewidth=1)
        _estimates(ax, _names(found), [each.discrimination for each in found])
        for place, each in enumerate(found):
            if each.discrimination.value is None:
                ax.text(0.03, place, "not defined", va="center", fontsize="small")
        ax.set(title="Discrimination", xlabel="correlation (line: 95% interval)", xlim=(-1, 1))
        ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    told = ", ".join(
        f"{name} {_told(each.discrimination, '.2f')}" for name, each in zip(_names(found), found, strict=True)
    )
    alt = (
        f"Correlation of each exercise's points with the points in the others, in {lesson}, with 95% intervals: {told}."
    )
    return _svg(fig, alt, prefix)


def mistakes(lesson: str, found: Sequence[Mistake], prefix: str) -> str | None:
    """How many students made each of the most frequent mistakes; None where none was made by two."""
    drawn = [each for each in found if each.students > 1][:MOST_MISTAKES]
    if not drawn:
        return None
    with figures.style():
        fig, ax = _axes(0.42 * len(drawn) + 1.1)
        names = [f"{each.name.replace('_', ' ')}\n({each.exercise})" for each in drawn]
        bars = ax.barh(range(len(drawn)), [each.students for each in drawn], color=PALETTE["vermillion"], height=0.6)
        ax.bar_label(bars, padding=3)
        ax.set_yticks(range(len(drawn)), names, fontsize="small")
        ax.invert_yaxis()
        _whole(ax.xaxis)
        ax.set(title="Mistakes of more than one student", xlabel="students", xlim=(0, max(4, 1.12 * drawn[0].students)))
    told = ", ".join(f"{each.name.replace('_', ' ')} in {each.exercise} {each.students}" for each in drawn)
    first = f"the {len(drawn)} most frequent of {len(found)}" if len(found) > len(drawn) else "all of them"
    return _svg(fig, f"Students who made each recognised mistake in {lesson}, {first}: {told}.", prefix)


def progress(summaries: Sequence[Summary], found: Sequence[LessonFigures], prefix: str) -> str | None:
    """Every student's share of the core points in each lesson, and the mean; None for fewer than two lessons."""
    drawn = [(summary, figure.core) for summary, figure in zip(summaries, found, strict=True) if figure.core.n]
    if len(drawn) < 2:
        return None
    rng = np.random.default_rng(0)  # only moves dots sideways, so that they do not hide each other
    with figures.style():
        fig, ax = _axes(3.4, width=max(_WIDTH, 0.9 * len(drawn)))
        for place, (summary, _) in enumerate(drawn):
            shares = np.array([100 * summary.core_share(entry) for entry in summary.read])
            aside = rng.uniform(-0.18, 0.18, shares.size)
            alpha = 0.9 if shares.size < DOTS_BELOW else 0.35
            ax.plot(place + aside, shares, "o", color=PALETTE["sky"], alpha=alpha, markersize=5, markeredgewidth=0)
        for place, (_, core) in enumerate(drawn):
            if core.value is None:
                continue
            ax.plot(place, 100 * core.value, "D", color=PALETTE["blue"], markersize=8)
            if core.low is not None and core.high is not None:
                ends = [100 * core.low, 100 * core.high]
                ax.plot([place, place], ends, color=PALETTE["blue"], linewidth=2.5, linestyle="-")
        ax.set_xticks(
            range(len(drawn)), [f"{summary.lesson[:2]}\n{core.n} students" for summary, core in drawn], fontsize="small"
        )
        ax.set(title="Progress", xlabel="lesson", ylabel="% of the core points", ylim=(-4, 104))
        ax.set_xlim(-0.5, len(drawn) - 0.5)
    told = ", ".join(f"{summary.lesson} {_told(core)} of {core.n} students" for summary, core in drawn)
    alt = f"Each student's share of the core points by lesson as a dot, and the mean with its 95% interval: {told}."
    return _svg(fig, alt, prefix)


def _axes(height: float, width: float = _WIDTH) -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, max(height, 2.0)))


def _estimates(ax: Axes, names: Sequence[str], found: Sequence[Estimate], scale: float = 1.0) -> None:
    """A point for each value and a line for its interval, from the top down."""
    for place, each in enumerate(found):
        if each.value is None:
            continue
        if each.low is not None and each.high is not None:
            ends = [scale * each.low, scale * each.high]
            ax.plot(ends, [place, place], color=PALETTE["blue"], linewidth=2, linestyle="-")
        ax.plot(scale * each.value, place, "o", color=PALETTE["blue"], markersize=8, clip_on=False)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _names(found: Sequence[ExerciseFigures]) -> list[str]:
    return [each.exercise.name + ("" if each.kind == "core" else f" ({each.kind})") for each in found]


def _whole(axis: Axis) -> None:
    """Whole numbers alone along an axis."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _told(estimate: Estimate, form: str = ".0%") -> str:
    if estimate.value is None:
        return "not defined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def _svg(fig: Figure, alt: str, prefix: str) -> str:
    """A figure as an element of a page: with a title, a label, and ids of its own; the figure is closed."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": prefix}):  # the same page at every run
        fig.savefig(out, format="svg", metadata={"Date": None})
    figures.close(fig)
    svg = out.getvalue()
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", element)
    opening, rest = element.split(">", 1)
    words = escape(alt)
    return f'{opening} role="img" aria-label="{words}"><title>{words}</title>{rest}'
