"""Overview, glossary and memory aids, and that every text of the course can be shown."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib import study
from course_lib.maths import to_html
from course_lib.study import content
from course_lib.study.aids import Aids
from course_lib.study.content import ContentError
from course_lib.study.glossary import Glossary
from course_lib.study.overview import Overview

BARE = 'title = "B"\n[overview]\nquick = "q"\nstandard = "s"\ndetailed = "d"\n'
INLINE = re.compile(r"front$|choices\[\d+\]\.text$|steps\[\d+\]$|title$|\.term$")


def test_the_overview_holds_three_depths_and_shows_the_first(tiny: Path) -> None:
    overview = Overview("01", folder=tiny)
    assert [each["key"] for each in overview.depths] == ["quick", "standard", "detailed"]
    assert overview.depth == "quick"
    assert "<math>" in overview.depths[1]["html"]
    assert "<li>" in overview.depths[2]["html"]


def test_at_rest_the_overview_can_be_opened_at_any_depth(tiny: Path) -> None:
    overview = Overview("01", "detailed", folder=tiny)
    before = overview.resting()
    overview.depth = "quick"
    assert overview.resting() == before
    assert re.findall(r"<details( open)?><summary><b>(\w+)", before.html) == [
        ("", "Quick"),
        ("", "Standard"),
        (" open", "Detailed"),
    ]
    assert before.text.startswith("Overview: Slopes\n\nQuick: one breath\nA slope says how fast a value moves.")


def test_an_unknown_depth_is_answered_with_the_known_ones(tiny: Path) -> None:
    with pytest.raises(ValueError, match="depth = 'deep'; it is one of 'quick', 'standard', 'detailed'"):
        Overview("01", "deep", folder=tiny)


def test_the_glossary_is_of_one_lesson_or_of_all_in_alphabetical_order(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "01_tiny.toml").write_bytes((tiny / "01_tiny.toml").read_bytes())
    (tmp_path / "02_more.toml").write_text(
        BARE
        + '[[glossary]]\nterm = "Anchor"\ndefinition = "Holds $x$."\n[[glossary]]\nterm = "zeal"\ndefinition = "z"\n'
    )
    assert [entry["term"] for entry in Glossary(folder=tmp_path).entries] == ["Anchor", "slope", "zeal"]
    of_one = Glossary("1", folder=tmp_path)
    assert [entry["term"] for entry in of_one.entries] == ["slope"]
    assert of_one.entries[0]["also"] == "slopes, steepness"
    assert "rise over run" in of_one.entries[0]["words"]
    resting = Glossary("2", folder=tmp_path).resting()
    assert "<b>Anchor</b></dt><dd><p>Holds <math>" in resting.html
    assert resting.text == "Glossary\n\nAnchor: Holds $x$.\nzeal: z"


def test_memory_aids_show_alike_everywhere(tiny: Path) -> None:
    bundle = Aids("01", folder=tiny)._repr_mimebundle_()
    assert bundle["text/plain"].startswith("A rhyme\nA little up")
    assert "<p><b>A rhyme</b></p><p>A little up" in bundle["text/html"]


@pytest.mark.parametrize(("kind", "part"), [(Aids, "aids"), (Glossary, "glossary")])
def test_a_part_that_is_not_written_yet_is_named(kind: type[Aids] | type[Glossary], part: str, tmp_path: Path) -> None:
    (tmp_path / "02_bare.toml").write_text(BARE)
    with pytest.raises(ContentError, match=rf"content/02_bare.toml: has no \[\[{part}\]\] yet"):
        kind("02", folder=tmp_path)


@pytest.mark.parametrize("lesson", content.names())
def test_every_text_of_the_course_can_be_shown(lesson: str) -> None:
    for key, text in content.texts(content.load(lesson)):
        shown = to_html(text, inline=bool(INLINE.search(key)))
        assert re.sub(r"<[^>]*>|\s", "", html.unescape(shown)), f"{lesson}: {key} shows nothing"


def test_each_name_loads_its_module_only_when_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "import course_lib.study\n"
        "from course_lib.study import content, records\n"
        "assert not {'anywidget', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "from course_lib.study import *\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    for name in study.__all__:
        assert getattr(study, name).__name__ == name
        assert name in dir(study)
    with pytest.raises(AttributeError, match=r"has no 'Card'; it has .*Cards"):
        _ = study.Card
