"""The engine under every exploration: marks, scenes, controls, predictions, messages, and both painters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib import figures
from course_lib.explore import marks
from course_lib.explore.controls import Button, Choice, Control, Point, Slider, Stops, Toggle
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import (
    LOOKS,
    Arrow,
    Band,
    Bars,
    Contours,
    Image,
    Line,
    Mark,
    Node,
    Points,
    Rule,
    Text,
    dashes,
    look,
    style,
)
from course_lib.explore.paint import paint
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number
from tests.explore import gallery

CSS = (Path(course_lib.__file__).parent / "live.css").read_text(encoding="utf-8")
JS = (Path(course_lib.__file__).parent / "explore" / "scene.js").read_text(encoding="utf-8")


def floats(sent: bytes) -> list[float]:
    return [float(value) for value in np.frombuffer(sent, np.float32)]


# Marks and scenes


def test_arrays_travel_as_bytes_and_nothing_else_but_json() -> None:
    for kind in gallery.EXPLORATIONS:
        plain = json.dumps(kind().picture, default=lambda array: f"{len(array)} bytes", allow_nan=False)
        assert "bytes" in plain or kind is gallery.Dropping
    sent = Line([0, 1, 2], [3.5, np.nan, 5], "green", "Adam", every=2).wire()
    assert floats(sent["x"]) == [0, 1, 2]
    assert np.isnan(floats(sent["y"])[1])
    assert (sent["look"], sent["label"], sent["marker"], sent["every"]) == ("green", "Adam", "^", 2)


def test_each_look_has_a_line_style_and_a_marker_of_its_own() -> None:
    names = [look(i) for i in range(7)]
    assert names == list(figures.PALETTE)
    assert look(7) == "blue"
    assert len({dashes(name) for name in names}) == 7
    assert len({style(name)[1] for name in names}) == 7
    assert Line([0], [0], "sky", solid=True).wire()["dash"] == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Line([1, 2], [1]), r"x has shape \(2,\), y has shape \(1,\); a Line needs one shape"),
        (lambda: Line([1], [1], "red"), "look is 'red'; it should be one of blue, vermillion"),
        (lambda: Points([1], [1], marker="?"), "marker is '\\?'"),
        (lambda: Band([1], [1], [1, 2]), "a Band needs one shape"),
        (lambda: Bars([0, 1], [1, 2]), r"edges has shape \(2,\) and heights \(2,\); K bars need K \+ 1 edges"),
        (lambda: Image(np.zeros(3)), r"values has shape \(3,\); an image needs \(H, W\)"),
        (lambda: Image(np.zeros((2, 2)), colors="jet"), "colors is 'jet'; it should be one of viridis, grey, signed"),
        (lambda: Image(np.zeros((2, 2)), origin="left"), "origin is 'left'"),
        (lambda: Contours([0, 1], [0, 1, 2], np.zeros((2, 3)), [1.0]), r"x and y ask for \(3, 2\), a row for each y"),
        (lambda: Contours([0, 1], [0, 1], np.zeros((2, 2)), [2.0, 1.0]), "it needs rising numbers"),
        (lambda: Contours([0, 1], [0, 1], np.zeros((2, 2)), [2.0], filled="viridis"), "at least two, the ends of a"),
        (lambda: Contours([0, 1], [0, 1], np.zeros((2, 2)), [1.0, 2.0], filled="x"), "filled is 'x'"),
        (lambda: Text(0, 0, "x", align="left"), "align is 'left'"),
        (lambda: Rule(), "a rule stands at one of them"),
        (lambda: Rule(x=1, y=1), "a rule stands at one of them"),
        (lambda: Panel([], xlim=(1, 1)), r"xlim is \(1, 1\); it needs two different finite numbers"),
        (lambda: Panel([], ylim=(0, 1), ylog=True), "on a logarithmic axis both ends must be above 0"),
        (lambda: Scene([], "x"), "panels is empty"),
        (lambda: Scene([Panel([])], " "), "alt is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_one_text_for_a_list_of_sentences_is_refused() -> None:
    with pytest.raises(TypeError, match="told is one text"):
        Scene([Panel([])], "x", "told")


def test_axes_reach_around_what_is_drawn() -> None:
    panel = Panel([Line([0, 10], [1, 100]), Points([5], [np.nan])])
    assert panel.ends == ((-0.4, 10.4), (1 - 0.04 * 99, 100 + 0.04 * 99))
    (_, high) = Panel([Line([0, 1], [0.0, 1000])], ylog=True).ends[1]
    assert high > 1000
    assert Panel([]).ends == ((-0.04, 1.04), (-0.04, 1.04))
    assert Panel([Text(3, 3, "x")]).ends[0] == (2.5, 3.5)
    assert Panel([Line([0, 1], [0, 1])], xlim=(5, -5)).ends[0] == (5, -5)


def test_the_first_row_of_an_image_is_at_the_top_unless_told_otherwise() -> None:
    values = [[0.0, 1.0], [2.0, np.nan]]
    image = Image(values)
    assert Panel([image]).ends == ((-0.5, 1.5), (1.5, -0.5))
    assert Panel([Image(values, extent=(0, 1, 0, 1), origin="lower")]).ends == ((0, 1), (0, 1))
    np.testing.assert_array_equal(Image(values, origin="lower").rgba, image.rgba[::-1])
    assert image.rgba.shape == (2, 2, 4)
    assert image.rgba[1, 1, 3] == 0, "NaN is blank"
    sent = image.wire()
    assert len(sent["rgba"]) == sent["rows"] * sent["columns"] * 4
    ink = Image([[0.0, 1.0]], colors="grey").rgba[0]
    assert ink[0].tolist() == [255, 255, 255, 255]
    assert ink[1].tolist() == [0, 0, 0, 255]
    assert Image([[3.0, 3.0]]).rgba.shape == (1, 2, 4)


def test_contours_lie_at_their_heights_and_bands_cover_what_is_between() -> None:
    x, y = np.linspace(-2, 2, 81), np.linspace(-1, 1, 61)
    z = x[None, :] ** 2 + y[:, None] ** 2
    lines = Contours(x, y, z, [0.25, 0.81])
    radius = np.hypot(*lines.lines[~np.isnan(lines.lines[:, 0])].T)
    assert set(np.round(radius, 2)) <= {0.5, 0.9, 0.49, 0.51, 0.89, 0.91}
    assert lines.wire() is lines.wire(), "found once"
    (ring,) = Contours(x, y, z, [0.25, 0.81], filled="viridis").bands
    pieces = np.split(ring, np.flatnonzero(np.isnan(ring[:, 0])))
    areas = sorted(abs(_area(piece[~np.isnan(piece[:, 0])])) for piece in pieces if len(piece) > 3)
    np.testing.assert_allclose(areas, [np.pi * 0.25, np.pi * 0.81], rtol=0.01)
    empty = Contours(x, y, z, [99.0])
    assert np.isnan(empty.lines).all()


def _area(points: Any) -> float:
    x, y = points.T
    return float(np.sum(x * np.roll(y, 1) - np.roll(x, 1) * y) / 2)


def test_the_legend_names_each_thing_once() -> None:
    one, two = Line([0], [0], label="a"), Line([0], [1], label="a")
    assert list(Scene([Panel([one, two]), Panel([Line([0], [0])])], "x").legend()) == [one]


def test_numbers_for_the_eye() -> None:
    assert [number(value) for value in (-3, -0.0, 1.23456, 1e-7)] == ["\u22123", "0", "1.235", "1e\u221207"]


def test_both_painters_know_every_mark() -> None:
    kinds = {kind.__name__.lower() for kind in Mark.__subclasses__()}
    table = JS[JS.index("const DRAW = {") : JS.index("/** Draw one panel")]
    assert kinds == set(re.findall(r"^  (\w+)\(mark", table, re.MULTILINE))
    every = [
        Line([0, 1], [0, 1], label="line", every=1), Band([0, 1], [0, 0], [1, 1], label="band"),
        Points([0], [1], "sky"), Bars([0, 1], [1]), Image([[0.0, 1.0]]),
        Contours([0, 1], [0, 1], [[0, 1], [1, 2]], [0.5, 1.5], filled="signed"),
        Contours([0, 1], [0, 1], [[0, 1], [1, 2]], [0.5]), Text(0, 0, "text", bold=True), Rule(x=0.5, label="rule"),
        Rule(y=0.5), Arrow((0, 0), (1, 1), above="up", below="down"), Node(0.5, 0.5, "n", "+", "1", "2", active=True),
        Node(0.2, 0.5, "n", faded=True, round=False), Points([0], [1], hollow=True, label="points", marker="*"),
    ]  # fmt: skip
    assert {type(mark) for mark in every} == set(Mark.__subclasses__())
    for axes in (True, False):
        panel = Panel(every, axes=axes, title="t", xticks=[(0.5, "half")], equal=True)
        figure = paint(Scene([panel], "Everything."))
        figure.canvas.draw()
        said = [text.get_text() for text in figure.axes[0].texts]
        assert {"text", "up", "down", "n", "+", "1", "2"} <= set(said)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line", "band", "rule", "points"]


def test_a_thing_that_is_no_mark_is_refused_by_name() -> None:
    class Cloud(Mark):
        def wire(self) -> dict[str, Any]:
            return {}

    try:
        with pytest.raises(TypeError, match="Cloud is no mark that can be drawn"):
            paint(Scene([Panel([Cloud()])], "x"))
    finally:
        del Cloud
        import gc

        gc.collect()


# Controls


def test_a_slider_takes_what_the_page_sends_and_stays_between_its_ends() -> None:
    slider = Slider("steps", 5, low=0, high=10, step=1)
    assert isinstance(slider.value, int)
    for sent, value in ((7.0, 7), (99, 10), (-3, 0), ("x", 0), (None, 0), (float("nan"), 0), (True, 0), ([4], 0)):
        slider.take(sent)
        assert slider.value == value
    slider.value = 10
    slider.high = 4
    assert (slider.value, slider.wire()["high"]) == (4, 4)
    rate = Slider("rate", 0.01, low=1e-4, high=1, log=True)
    assert rate.wire()["value"] == -2
    rate.take(-3)
    assert rate.value == pytest.approx(0.001)
    rate.take(5000)
    assert rate.value == 1
    rate.value = 1 + 1e-12
    assert rate.value == 1


def test_the_other_controls_ignore_what_makes_no_sense() -> None:
    stops = Stops("batch", 8, [1, 8, 64])
    for sent, value in ((2, 64), (9, 64), (-1, 1), ("x", 1), (1.2, 8)):
        stops.take(sent)
        assert stops.value == value
    choice, toggle = Choice("surface", ["a", "b"], "b"), Toggle("on", False)
    choice.take("c")
    choice.take(["a"])
    toggle.take("yes")
    assert (choice.value, toggle.value) == ("b", False)
    choice.take("a")
    toggle.take(True)
    assert (choice.value, toggle.value) == ("a", True)
    point = Point("p", (0, 0), xlim=(-1, 1), ylim=(0, 0), step=0.1)
    for sent in ([2, 5], ["x", 0], [1], 3, [float("inf"), 0]):
        point.take(sent)
    assert point.value == (1, 0)


def slider(**given: Any) -> Slider:
    return Slider("rate", **{"value": 1, "low": 0, "high": 2, **given})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: slider(value=3), "rate is 3; it should be from 0 to 2"),
        (lambda: slider(low=2), "low is 2 and high is 2; low must be below high"),
        (lambda: slider(log=True), "low is 0; a slider in powers of ten needs both ends above 0"),
        (lambda: slider(step=0), "step is 0; it must be above 0"),
        (lambda: setattr(slider(), "value", -1), "rate is -1"),
        (lambda: setattr(slider(), "high", 0), "high is 0; it must be above low"),
        (lambda: Stops("b", 1, [1]), "it needs at least two numbers"),
        (lambda: Stops("b", 3, [1, 2]), "b is 3; it should be one of 1, 2"),
        (lambda: Choice("c", []), "it needs at least one word"),
        (lambda: Choice("c", ["a", "a"]), "each once"),
        (lambda: Choice("c", ["a"], "b"), "c is 'b'; it should be one of a"),
        (lambda: Toggle(" "), "label is empty"),
        (lambda: Point("p", (5, 0), xlim=(0, 1), ylim=(0, 1), step=1), r"p is \(5, 0\); it should lie in"),
        (lambda: Point("p", (0, 0), xlim=(1, 0), ylim=(0, 1), step=1), "its first number must not be above its second"),
        (lambda: Point("p", (0, 0), xlim=(0, 1), ylim=(0, 1), step=0), "step is 0; it must be above 0"),
    ],
)
def test_controls_that_cannot_be_are_refused_in_a_sentence(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_every_control_has_a_counterpart_in_the_page() -> None:
    table = JS[JS.index("const CONTROLS = {") : JS.index("/** One move at a time")]
    there = set(re.findall(r"^  (\w+)\(spec", table, re.MULTILINE))
    controls: list[Control] = [
        Slider("s", 0, low=0, high=1), Stops("t", 1, [1, 2]), Choice("c", ["a"]), Toggle("o"), Button("b", int),
        Point("p", (0, 0), xlim=(0, 1), ylim=(0, 1), step=1),
    ]  # fmt: skip
    assert {control.wire()["kind"] for control in controls} == there


# Predictions


@pytest.mark.parametrize(
    ("given", "shown"), [("-3", "\u22123%"), ("\u22123", "\u22123%"), (" 0,5 ", "0.5%"), ("-0", "0%"), (7, "7%")]
)
def test_a_number_is_read_as_people_type_it(given: object, shown: str) -> None:
    assert Prediction("How many?", low=-10, high=10, unit="%").read(given) == shown


@pytest.mark.parametrize(
    ("limits", "given", "said"),
    [
        ({}, "many", "many is not a number. Type one, such as 0.5."),
        ({"low": -10, "high": 10}, "11", "11 is not a number from \u221210 to 10. Type one, such as 0.5."),
        ({"low": 2}, "", "Nothing is not a number from 2 up. Type one, such as 2."),
        ({"high": -2}, "nan", "nan is not a number up to \u22122. Type one, such as \u22122."),
        ({"choices": ["a", "b"]}, "", "Choose one of the answers first"),
    ],
)
def test_what_is_no_answer_gets_a_sentence(limits: Any, given: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Prediction("How many?", **limits).read(given)


def test_a_question_needs_words_and_more_than_one_answer() -> None:
    with pytest.raises(ValueError, match="question is empty"):
        Prediction(" ")
    for choices in (["a"], ["a", "a"]):
        with pytest.raises(ValueError, match="give at least two, each once"):
            Prediction("Which?", choices)


# The exploration itself, as the page speaks to it


def speak(exploration: Exploration, **content: Any) -> list[Any]:
    """Send a message as the page does; gives the answers."""
    heard: list[Any] = []
    exploration.send = lambda answer, **_: heard.append(answer)  # type: ignore[method-assign]
    exploration._receive(exploration, {"number": "7", **content}, [])
    return heard


def test_moves_are_taken_in_order_shown_once_and_answered() -> None:
    dropping = gallery.Dropping()
    shown: list[Any] = []
    dropping.observe(lambda change: shown.append(change.new), names="picture")
    moves = [
        {"label": "p", "value": 0.9}, {"label": "Draw again", "value": None}, {"label": "Draw again", "value": None},
        {"label": "gone", "value": 1}, {"label": "p", "value": 0.3},
    ]  # fmt: skip
    assert speak(dropping, moves=moves) == [{"answered": "7"}]
    assert dropping.draw_seed == 2
    assert dropping.p.value == pytest.approx(0.3)
    assert len(shown) == 1


def test_the_page_commits_or_goes_on_without() -> None:
    descent = gallery.Descent()
    assert descent.asked["state"] == "open"
    speak(descent, predict="nothing")
    assert descent.asked["state"] == "open"
    assert descent.asked["problem"].startswith("nothing is not a number from 0 to 1")
    speak(descent, predict="0.2")
    assert (descent.asked["state"], descent.asked["problem"], descent.predicted) == ("committed", "", "0.2")
    speak(descent, moves=[{"label": "learning rate", "value": 0.25}])
    assert descent.asked["outcome"] == "past 0.2 it grows."
    other = gallery.Descent()
    speak(other, skip=True)
    other.rate.value = 0.25
    assert (other.asked["state"], other.asked["outcome"]) == ("skipped", "")


def test_without_a_prediction_nothing_is_asked() -> None:
    noise = gallery.Noise()
    assert noise.asked == {}
    with pytest.raises(ValueError, match="nothing is asked here"):
        noise.predict("x")


def test_a_fault_of_the_course_is_answered_said_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    noise, heard = gallery.Noise(), []
    monkeypatch.setattr(noise, "send", lambda answer, **_: heard.append(answer))
    monkeypatch.setattr(gallery.Noise, "scene", lambda _self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        noise._receive(noise, {"number": "8", "moves": []}, [])
    assert heard == [{"answered": "8"}]
    assert noise.told[0] == "This exploration failed with ZeroDivisionError: division by zero."
    assert "not yours" in noise.told[1]


def test_two_controls_of_one_name_are_refused() -> None:
    class Twice(gallery.Noise):
        def __init__(self) -> None:
            self.mean = Toggle("on")
            self.batch = Stops("batch size", 1, [1, 2])
            Exploration.__init__(self, [[self.mean], [Toggle("on"), self.batch]])

    with pytest.raises(ValueError, match="two controls are called 'on'"):
        Twice()


def test_an_exploration_without_a_scene_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"needs a method scene\(\), which returns a Scene"):
        Exploration([])


@pytest.mark.parametrize("kind", gallery.EXPLORATIONS)
def test_every_kind_rests_as_a_picture_that_moving_does_not_change(kind: type[Exploration]) -> None:
    moved: Any = kind()
    for control in moved._controls.values():
        control.take([0.5, 0.5] if isinstance(control, Point) else 0)
    moved.redraw()
    resting = moved.resting()
    assert resting == kind().resting()
    assert resting.text.startswith(f"{kind.name}. ")
    assert resting.png is not None
    assert resting.png.startswith(b"\x89PNG")
    assert 'alt="' in resting.html
    assert len(resting.html) < 300_000


def test_points_stand_in_the_resting_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Scene] = []
    monkeypatch.setattr("course_lib.explore.paint.paint", lambda scene: painted.append(scene) or paint(scene))
    from course_lib.explore import exploration

    exploration._resting.__wrapped__(gallery.Schedule)
    corners = [mark for mark in painted[0].panels[0].marks if isinstance(mark, marks.Points)]
    assert [(mark.x, mark.y) for mark in corners] == [
        ([0.0], [0.1]),
        ([25.0], [0.9]),
        ([50.0], [0.6]),
        ([100.0], [0.0]),
    ]


def test_controls_and_scenes_load_no_plots() -> None:
    code = "import course_lib.explore.scene, course_lib.explore.controls, sys; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# Contrast, as WCAG 2.2 counts it


def luminance(color: str) -> float:
    color = color.lstrip("#")
    color = "".join(2 * digit for digit in color) if len(color) == 3 else color
    parts = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_words_stand_out_from_the_ground(theme: str) -> None:
    light, dark = (CSS.split(selector, 1)[1].split("}", 1)[0] for selector in (".course {", '"false"] .course {'))
    named = dict(re.findall(r"--course-([\w-]+):\s*([^;]+);", light))
    if theme == "dark":
        named |= dict(re.findall(r"--course-([\w-]+):\s*([^;]+);", dark))

    def color(name: str) -> str:
        found = named[name]
        inner = re.fullmatch(r"var\(--course-([\w-]+)\)", found)
        return color(inner.group(1)) if inner else found.split(",")[-1].strip(" )")

    grounds = ["#fff"] if theme == "light" else ["#111"]
    for ground in grounds:
        for name in [*figures.PALETTE, "line", "accent"]:
            assert contrast(color(name), ground) >= 3, f"{name} as a line"
        for name in [f"{one}-text" for one in figures.PALETTE if one != "black"]:
            assert contrast(color(name), ground) >= 4.5, f"{name} as words"
            assert contrast(color(name), color("mark")) >= 3, f"{name} on a marked node"
        for name in ("ink", "quiet", "accent", "right", "wrong"):
            assert contrast(color(name), ground) >= 4.5, f"{name} as words"
    assert contrast(color("on-accent"), color("accent")) >= 4.5
    assert contrast(color("ink"), color("raised")) >= 4.5
    assert set(LOOKS) - {"grey"} <= named.keys()
