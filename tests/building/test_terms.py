"""Terms in prose bring their definitions, in the form that every viewer keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from autograder.building import BuildError, terms
from autograder.building.source import Source
from course_lib.study.content import Term

SLOPE = Term(term="slope", definition='Rise over\nrun, "how steep".', also=("slopes",))
GRADIENT = Term(term="gradient", definition=r"All slopes: $\nabla L$, along every weight.")
L2 = Term(term="L2", definition=r"The *penalty* $\frac{\lambda}{2} \sum w^2$.", plain="A *penalty* on squares.")
TERMS: Mapping[str, Term] = {"slope": SLOPE, "slopes": SLOPE, "gradient": GRADIENT, "l2": L2}


def test_a_word_is_marked_and_defined_at_the_end_of_its_cell() -> None:
    assert terms.expanded("The {term}`slope` is 6.", TERMS) == (
        'The <abbr title="Rise over run, &quot;how steep&quot;.">slope</abbr> is 6.\n'
        "\n"
        "<details>\n"
        "<summary>Words here: slope</summary>\n"
        "\n"
        '- **slope**: Rise over run, "how steep".\n'
        "\n"
        "</details>"
    )


def test_other_words_and_other_names_lead_to_the_same_entry_once() -> None:
    found = terms.expanded("{term}`how steep it is <slope>`, {term}`Slopes`, an {term}`L2`", TERMS)
    assert ">how steep it is</abbr>" in found
    assert ">Slopes</abbr>" in found
    assert "<summary>Words here: slope, L2</summary>" in found
    assert found.count("- **slope**") == 1


def test_a_title_says_the_definition_in_plain_words() -> None:
    found = terms.expanded("{term}`L2`", TERMS)
    assert '<abbr title="A penalty on squares.">L2</abbr>' in found
    assert r"- **L2**: The *penalty* $\frac{\lambda}{2} \sum w^2$." in found


def test_a_title_leaves_out_the_sentences_that_hold_a_formula() -> None:
    mixed = Term(term="rate", definition=r"How far to step. Stable below $2/\lambda$. Here 0.1, or less.")
    found = terms.expanded("{term}`rate`", {"rate": mixed})
    assert '<abbr title="How far to step. Here 0.1, or less.">rate</abbr>' in found


def test_every_title_of_the_course_is_a_sentence_without_formulas() -> None:
    for name, term in terms.course_terms().items():
        (title,) = re.findall(r'<abbr title="([^"]+)">', terms.expanded(f"{{term}}`{name}`", {name: term}))
        assert not set(title) & set("$\\*`")
        assert title


def test_prose_without_terms_stays_as_it_is() -> None:
    assert terms.expanded("`{x}` and $y$", TERMS) == "`{x}` and $y$"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{term}`gradient`", "no sentence of the term 'gradient' is without a formula: add `plain`"),
        ("{term}`slop`", r"no glossary has the term 'slop'; did you mean 'slope'\?"),
        ("{term}`zebra`", "no glossary has the term 'zebra'; define it in the lesson's content file"),
        ("{term} `slope`", "a {term} is not written as"),
        ("{term}`slope", "a {term} is not written as"),
    ],
)
def test_what_is_misspelt_stops_the_build(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        terms.expanded(text, TERMS)


def test_a_lesson_is_read_with_its_terms(edited: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "course_terms", lambda: TERMS)
    source = edited(("= 6$.\n", "= 6$, a {term}`slope`.\n"))
    (cell,) = [cell for cell in source.notebook.cells if "<abbr" in cell.source]
    assert cell.source.endswith("</details>")
    with pytest.raises(BuildError, match=r"01_tiny.md:\d+: no glossary has the term 'slop'"):
        edited(("{term}`slope`", "{term}`slop`"))


def test_every_name_of_the_course_s_terms_is_found() -> None:
    for name, term in terms.course_terms().items():
        assert name in {each.casefold() for each in term.names}
