"""The class report as one self-contained HTML page, without scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from markupsafe import escape as escape_html

from autograder import pages
from autograder.report import plots
from autograder.report.at_risk import RULES
from autograder.report.items import LessonFigures, counted, lesson_figures, mistake_pairs, scored, students_at_risk
from autograder.report.statistics import ENOUGH, OFTEN, Estimate
from autograder.report.summary import ClassReport, Summary
from course_lib.exercises.grading import OUTCOMES

CHANCE = 0.05
"""Pairs of mistakes with a q below this are shown; the CSV has every one that anybody made together."""
MOST_PAIRS = 20


@dataclass(frozen=True)
class _Section:
    """A lesson with its figures and pictures."""

    summary: Summary
    figures: LessonFigures
    plots: Sequence[str]


def page(report: ClassReport, drawn: Callable[[str], object] = lambda lesson: None) -> str:
    """The page as text.

    Args:
        report: at least one lesson.
        drawn: called with each lesson once its pictures are drawn, which takes a second or so.
    """
    sections = []
    for number, summary in enumerate(report.summaries):
        sections.append(_section(summary, number))
        drawn(summary.lesson)
    figures = [section.figures for section in sections]
    tested = mistake_pairs(report)
    environment = pages.environment(lstrip_blocks=False)
    environment.filters |= _FILTERS
    return environment.get_template("report.html.j2").render(
        report=report,
        sections=sections,
        progress=plots.progress(report.summaries, figures, "progress"),
        risks=students_at_risk(report),
        counted=[summary.lesson for summary in counted(report)],
        scored=scored(report),
        rules=RULES,
        pairs=[pair for pair in tested if pair.q < CHANCE][:MOST_PAIRS],
        tested=len(tested),
        enough=ENOUGH,
        often=OFTEN,
        outcomes=OUTCOMES,
    )


def _section(summary: Summary, number: int) -> _Section:
    found = lesson_figures(summary)
    name, prefix = summary.lesson, f"plot{number}"
    drawn = (
        plots.marks(summary, found, f"{prefix}m"),
        plots.outcomes(name, found.exercises, f"{prefix}o"),
        plots.difficulty(name, found.exercises, f"{prefix}d"),
        plots.discriminations(name, found.exercises, f"{prefix}c"),
        plots.mistakes(name, summary.mistakes(), f"{prefix}w"),
    )
    return _Section(summary, found, [plot for plot in drawn if plot is not None])


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    pieces = str(escape_html(text)).split("`")
    return Markup("".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces)))  # noqa: S704


def _wrapping(name: str) -> Markup:
    """A name that may be broken at its underscores."""
    return escape_html(name).replace("_", Markup("_<wbr>"))


def _percent(estimate: Estimate) -> Markup:
    """A share with its interval below."""
    return _estimate(estimate, lambda value: f"{value:.0%}")


def _number(estimate: Estimate) -> Markup:
    """A correlation or an alpha with its interval below."""
    return _estimate(estimate, lambda value: f"{value:.2f}".replace("-", "\N{MINUS SIGN}"))


def _estimate(estimate: Estimate, shown: Callable[[float], str]) -> Markup:
    if estimate.value is None:
        return Markup('<span class="note">not defined:<br>{}</span>').format(estimate.why)
    if estimate.low is None or estimate.high is None:
        return escape_html(shown(estimate.value))
    between = f"{shown(estimate.low)} to {shown(estimate.high)}"
    return Markup('{}<span class="note">{}</span>').format(shown(estimate.value), between)


def _plain(estimate: Estimate) -> str:
    """A number with its interval behind it, for a sentence."""
    if estimate.value is None:
        return f"not defined: {estimate.why}"
    said = f"{estimate.value:.2f}"
    if estimate.low is not None and estimate.high is not None:
        said += f", 95% interval {estimate.low:.2f} to {estimate.high:.2f}"
    return said.replace("-", "\N{MINUS SIGN}")


_FILTERS: Mapping[str, Callable[..., object]] = {
    "code": _code,
    "wrapping": _wrapping,
    "percent": _percent,
    "number": _number,
    "plain": _plain,
}
