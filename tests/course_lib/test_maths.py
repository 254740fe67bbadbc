"""Texts of the course become safe HTML, and their formulas MathML."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_lib.maths import MarkupError, to_html, to_mathml


def test_a_formula_becomes_mathml_of_its_parts():
    assert to_mathml(r"\frac{1}{2}") == "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"
    assert to_mathml("x^2", display=True) == '<math display="block"><msup><mi>x</mi><mn>2</mn></msup></math>'
    assert "<mi>relu</mi>" in to_mathml(r"\mathrm{relu}(z)")
    assert to_mathml(r"a, \ldots, \hat m, \bar x, W^\top, \lVert g \rVert_2, \mathbb{E}[g^2], \sum_{i=1}^N")
    assert "&lt;b&gt;" in to_mathml(r"\text{<b>}")


@pytest.mark.parametrize(
    ("tex", "says"),
    [
        (r"\unheardof{x}", r'formula \$\\unheardof{x}\$ .*Unknown command "\\unheardof"'),
        (r"\frac{1", 'Expected closing token "}"'),
        ("x^", "reached end of input"),
        (" ", "is empty"),
        (r"\href{https://example.org}{x}", "Unknown command"),
    ],
)
def test_a_formula_that_cannot_be_shown_is_an_error_that_quotes_it(tex, says):
    with pytest.raises(MarkupError, match=says):
        to_mathml(tex)


def test_markdown_with_formulas_becomes_html():
    html = to_html("A *slope* is $2 w$, not \\$5; `$code$` stays.\n\n$$\nw^2\n$$\n\n- one\n- $a_1 * b * c_1$")
    assert "<em>slope</em>" in html
    assert "<math><mn>2</mn><mi>w</mi></math>" in html
    assert "not $5; <code>$code$</code>" in html
    assert '<math display="block"><msup>' in html
    assert html.count("<li>") == 2
    assert html.count("<em>") == 1
    assert to_html("| a |\n|---|\n| $x$ |").count("<math>") == 1


def test_a_label_comes_without_its_paragraph():
    assert to_html("the *slope*", inline=True) == "the <em>slope</em>"
    for text in ("one\n\ntwo", "- a list", "# a heading", ""):
        with pytest.raises(MarkupError, match="must be one paragraph"):
            to_html(text, inline=True)


def test_what_is_typed_as_html_shows_as_typed():
    assert to_html("<script>alert(1)</script> <b onclick=x>w<best</b>").count("<") == 2  # the paragraph's own
    assert "<img" not in to_html("```html\n<img src=x onerror=alert(1)>\n```")


def test_links_lead_to_https_or_within_the_page():
    assert 'rel="noopener noreferrer" href="https://example.org/?a=1&amp;b"' in to_html(
        "[x](https://example.org/?a=1&b)"
    )
    assert to_html('[x](https://e.org/"onclick=1)').count('"') == 6
    assert '<a href="#there">' in to_html("[x](#there)")
    for target in ("javascript:alert(1)", "http://example.org", "file.html", "JaVaScRiPt:x", "//example.org"):
        with pytest.raises(MarkupError, match=r"links begin with https:// or #"):
            to_html(f"[x]({target})")
    with pytest.raises(MarkupError, match="cannot stand in a text"):
        to_html("![x](https://example.org/x.png)")


@pytest.mark.parametrize("text", ["a $ x$", "$x", "5$", "it costs $5 or $6", "$$x$"])
def test_a_dollar_that_is_no_formula_is_not_left_standing(text):
    with pytest.raises(MarkupError, match="begins or ends no formula"):
        to_html(text)


def texts(value: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, f"{where}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, f"{where}[{index}]")


def test_every_text_of_the_lessons_content_can_be_shown(root: Path):
    failed = []
    for path in sorted((root / "course_lib/study/content").glob("*.toml")):
        for where, text in texts(tomllib.loads(path.read_text(encoding="utf-8")), path.name):
            try:
                to_html(text)
            except MarkupError as error:
                failed.append(f"{where}: {error}")
    assert failed == []


def test_every_formula_of_the_lessons_can_be_shown(root: Path):
    found = 0
    for path in sorted((root / "solutions").glob("*.md")):
        prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for tex in re.findall(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+)\$", prose, flags=re.DOTALL):
            found += 1
            assert to_mathml(tex[0] or tex[1]).startswith("<math>"), path.name
    assert found > 80
