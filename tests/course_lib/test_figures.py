"""Figures carry their words, leave no traces, and can be read without colour."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from course_lib import figures  # noqa: E402
from course_lib.data import load_digits  # noqa: E402
from course_lib.intervals import mean_interval  # noqa: E402
from course_lib.training import History  # noqa: E402


@pytest.fixture(autouse=True)
def no_figure_left_open():
    yield
    plt.close("all")


def attributes_of_the_image(markup: str) -> dict[str, str]:
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Reader().feed(markup)
    ((tag, attributes),) = found
    assert tag == "img"
    return attributes


def drawn():
    with figures.style():
        fig, ax = plt.subplots()
        ax.plot([1, 2, 3])
    return fig


def test_show_displays_a_picture_with_its_words_and_closes_the_figure(monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", lambda data, raw: shown.append((data, raw)))
    fig, alt = drawn(), 'Loss "falls" & rises <again>.'
    figures.show(fig, alt=alt)
    ((data, raw),) = shown
    assert raw
    assert data["text/plain"] == alt
    attributes = attributes_of_the_image(data["text/html"])
    assert attributes["alt"] == alt
    assert plt.get_fignums() == []


def test_the_picture_is_a_png_of_the_figures_size():
    from PIL import Image

    attributes = attributes_of_the_image(figures.image_html(drawn(), "A line."))
    data = re.fullmatch(r"data:image/png;base64,([A-Za-z0-9+/=]+)", attributes["src"])
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as image:
        assert image.width == pytest.approx(int(attributes["width"]) * figures.SHARPNESS, abs=1)
        assert len(image.convert("RGB").getcolors(100_000)) > 5, "something is drawn"


def test_the_same_figure_is_the_same_bytes():
    assert figures.image_html(drawn(), "A line.") == figures.image_html(drawn(), "A line.")


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="say what there is to be seen"):
        figures.image_html(drawn(), alt)


def test_style_holds_within_its_block_only_and_apply_from_then_on():
    with mpl.rc_context():
        before = dict(mpl.rcParams)
        with figures.style():
            assert mpl.rcParams["axes.spines.top"] is False
        assert dict(mpl.rcParams) == before
        figures.apply()
        assert mpl.rcParams["axes.spines.top"] is False
        ax = plt.subplots()[1]
        lines = [ax.plot([0, i])[0] for i in range(7)]
        assert len({line.get_color() for line in lines}) == 7
        assert len({str(line._unscaled_dash_pattern) for line in lines}) == 7


def test_lines_differ_in_colour_style_and_marker_and_then_repeat():
    looks = [figures.line(i) for i in range(7)]
    for part in ("color", "linestyle", "marker"):
        assert len({str(look[part]) for look in looks}) == 7
    assert figures.line(7) == looks[0]


def test_colours_of_lines_stand_out_from_the_page():
    def luminance(color):  # WCAG 2.2, relative luminance
        rgb = np.array(mpl.colors.to_rgb(color))
        rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return rgb @ [0.2126, 0.7152, 0.0722]

    contrast = {name: 1.05 / (luminance(color) + 0.05) for name, color in figures.PALETTE.items()}
    assert min(contrast.values()) > 2
    assert all(contrast[name] > 3 for name in list(contrast)[:3]), "the first three lines meet WCAG's 3:1 for graphics"


def test_band_is_the_mean_and_its_interval():
    runs = np.random.default_rng(0).normal(size=(5, 4))
    ax = plt.subplots()[1]
    figures.band(ax, [0, 1, 2, 3], runs, label="Adam", **figures.line(1))
    (line,) = ax.get_lines()
    np.testing.assert_allclose(line.get_ydata(), runs.mean(axis=0))
    assert line.get_label() == "Adam"
    assert line.get_color() == figures.PALETTE["vermillion"]
    (area,) = ax.collections
    heights = area.get_paths()[0].vertices[:, 1]
    intervals = [mean_interval(column) for column in runs.T]
    assert heights.min() == pytest.approx(min(i.low for i in intervals))
    assert heights.max() == pytest.approx(max(i.high for i in intervals))


@pytest.mark.parametrize("runs", [np.ones(4), np.ones((3, 5)), np.ones((1, 4))])
def test_band_refuses_runs_that_do_not_fit(runs):
    with pytest.raises(ValueError, match=r"need \(K,\) and \(R, K\)|at least two values"):
        figures.band(plt.subplots()[1], [0, 1, 2, 3], runs, label="x")


def test_learning_curves_show_what_was_measured():
    history = History(train_loss=[2, 1], val_loss=[2, 1.5], train_accuracy=[0.3, 0.6], val_accuracy=[0.3, 0.5])
    loss, accuracy = history.plot().axes
    assert [list(line.get_ydata()) for line in loss.get_lines()] == [[2, 1], [2, 1.5]]
    assert [list(line.get_xdata()) for line in accuracy.get_lines()] == [[1, 2], [1, 2]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation"]
    assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == ("epoch", "loss", "accuracy")
    (alone,) = figures.learning_curves(History(train_loss=[2, 1])).axes
    assert len(alone.get_lines()) == 1
    with pytest.raises(ValueError, match="no epoch was finished"):
        History().plot()


@pytest.mark.parametrize(
    ("rates", "scale"),
    [
        (np.cos(np.linspace(0, np.pi / 2, 20)) + 1e-9, "linear"),
        (0.5 ** np.arange(20), "log"),
        (np.where(np.arange(20) < 5, 1.0, 0.0), "linear"),
        (np.linspace(0.2, 1.0, 20), "linear"),
    ],
    ids=["cosine", "exponential", "zero has no logarithm", "linear"],
)
def test_learning_curves_show_a_rate_that_varies(rates, scale):
    loss, accuracy, rate = (
        History(train_loss=[2, 1], train_accuracy=[0.1, 0.2], step_loss=[1.0] * 20, step_lr=list(rates)).plot().axes
    )
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    (drawn_line,) = rate.get_lines()
    np.testing.assert_array_equal(drawn_line.get_xdata(), range(1, 21))
    np.testing.assert_array_equal(drawn_line.get_ydata(), rates)
    assert (rate.get_xlabel(), rate.get_ylabel(), rate.get_yscale()) == ("step", "learning rate", scale)
    if scale == "linear":
        assert rate.get_ylim()[0] == 0


def test_learning_curves_leave_out_a_constant_rate():
    assert len(History(train_loss=[2, 1], step_lr=[0.1] * 4).plot().axes) == 1
    assert len(History(train_loss=[2, 1], step_lr=[0.1, 0.2]).plot().axes) == 2


def test_the_range_test_shows_loss_lowest_point_and_suggestion():
    lrs, losses = np.array([0.01, 0.1, 1.0, 10.0]), np.array([2.0, 1.0, 0.5, 9.0])
    (ax,) = figures.range_test(lrs, losses, 1 / 3).axes
    curve, lowest, suggestion = ax.get_lines()
    np.testing.assert_array_equal(curve.get_xydata(), np.column_stack([lrs, losses]))
    np.testing.assert_array_equal(lowest.get_xydata(), [[1.0, 0.5]])
    assert set(suggestion.get_xdata()) == {1 / 3}
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "learning rate", "loss")
    low, high = ax.get_ylim()
    assert low < 0 < 0.5 < 2.0 < high == 4.0, "the divergence leaves through the top"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["loss before the step", "lowest", "suggestion: 0.33"]
    assert figures.range_test_alt(lrs, losses, 1 / 3) == (
        "Loss against the learning rate on a logarithmic axis, from 0.01 to 10: it starts at 2, is lowest, 0.5, at "
        "rate 1, and ends at 9. A vertical line marks the suggested rate, 0.33."
    )


def test_the_range_test_may_end_without_a_number_or_without_a_rise():
    assert "no longer finite at the end" in figures.range_test_alt([0.1, 1.0], [1.0, np.nan], 0.1)
    assert "does not rise again" in figures.range_test_alt([0.1, 1.0], [1.0, 0.5], 0.1)
    (ax,) = figures.range_test([0.1, 1.0], [1.0, np.nan], 0.1).axes
    assert ax.get_ylim()[1] == 2.0
    (ax,) = figures.range_test([0.1, 1.0], [0.0, 0.0], 0.1).axes
    assert len(ax.get_lines()) == 3


@pytest.mark.parametrize(("lrs", "losses"), [([0.1], [1.0, 2.0]), ([0.1], [np.nan]), ([], []), ([[0.1]], [[1.0]])])
def test_the_range_test_refuses_what_does_not_fit(lrs, losses):
    for draw in (figures.range_test, figures.range_test_alt):
        with pytest.raises(ValueError, match=r"both need the same \(K,\), with a finite loss"):
            draw(lrs, losses, 0.1)


def test_digit_grid_names_images_and_marks_mistakes():
    digits = load_digits()
    read = digits.y[:12].copy()
    read[4] = 9
    fig = figures.digit_grid(digits.X[:12], digits.y[:12], read, columns=5)
    assert len(fig.axes) == 15
    titles = [ax.get_title() for ax in fig.axes]
    assert titles[:6] == ["0", "1", "2", "3", "4 → 9", "5"]
    assert titles[12:] == ["", "", ""]
    assert [ax.axison for ax in fig.axes] == [i == 4 for i in range(15)]
    np.testing.assert_array_equal(fig.axes[3].get_images()[0].get_array(), digits.images[3])


def test_digit_grid_takes_pictures_without_labels():
    fig = figures.digit_grid(load_digits().images[:3])
    assert len(fig.axes) == 3
    assert [ax.get_title() for ax in fig.axes] == ["", "", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((0, 64)),), "at least one square image"),
        ((np.zeros((2, 63)),), "at least one square image"),
        ((np.zeros((2, 64)), [1]), "labels has 1 entries for 2 images"),
        ((np.zeros((2, 64)), [1, 2], [1]), "predictions has 1 entries"),
        ((np.zeros((2, 64)), None, [1, 2]), "without labels"),
    ],
)
def test_digit_grid_refuses_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.digit_grid(*arguments)
