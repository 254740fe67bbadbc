"""Every link leads back to the repository, branch and notebook that it was made of, as its service reads it."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autograder.cli import app
from autograder.links import Link, LinksError, Repository, links, notebook, page, text
from course_lib import exercises

LESSONS = list(exercises.LESSONS)
PLAIN = Repository("github.com", "you/course")
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1
).filter(lambda name: name not in (".", "..") and not name.endswith(".git"))
BRANCHES = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def of(service: str, found: list[Link]) -> list[Link]:
    return [link for link in found if link.service == service]


def query(link: Link) -> dict[str, str]:
    return {key: value for key, (value,) in parse_qs(urlsplit(link.url).query, strict_parsing=True).items()}


@given(st.sampled_from(["github.com", "gitlab.com", "codeberg.org", "git.example.org:8443"]), NAMES, NAMES, BRANCHES)
def test_every_link_leads_back(host: str, owner: str, name: str, branch: str) -> None:
    repository = Repository(host, f"{owner}/{name}")
    assert Repository.parse(repository.url) == repository
    found, _ = links(repository, branch, LESSONS, hub="https://hub.example.org", site="https://example.org/lite/")
    for link in found:
        assert link.url.isascii()
        assert not set(link.url) & set(" \"'<>()[]`\\")
    for link, lesson in zip(of("Binder", found), LESSONS, strict=True):
        parts = urlsplit(link.url)
        assert (parts.netloc, parts.path[:4]) == ("mybinder.org", "/v2/")
        kind, _, rest = parts.path[4:].partition("/")
        # as binderhub/repoproviders.py takes it apart
        if kind == "gh":
            first, second, ref = rest.split("/", 2)
            assert (host, unquote(first), unquote(second)) == ("github.com", owner, name)
        else:
            spec, ref = rest.split("/", 1)
            assert unquote(spec) == (f"{owner}/{name}" if kind == "gl" else repository.url)
            assert kind == ("gl" if host == "gitlab.com" else "git")
        assert unquote(ref) == branch
        assert query(link) == {"urlpath": f"lab/tree/{notebook(lesson)}"}
    for link, lesson in zip(of("JupyterHub", found), LESSONS, strict=True):
        assert urlsplit(link.url).path == "/hub/user-redirect/git-pull"
        asked = query(link)
        assert (Repository.parse(asked["repo"]), asked["branch"]) == (repository, branch)
        folder = asked["repo"].split("/")[-1]  # where nbgitpuller clones to, as it stands
        assert unquote(asked["urlpath"]) == f"lab/tree/{folder}/{notebook(lesson)}"
    for link, lesson in zip(of("JupyterLite", found), LESSONS, strict=True):
        assert link.url.startswith("https://example.org/lite/lab/index.html?")
        assert query(link) == {"path": f"{lesson}.ipynb"}  # where `make site` puts it
    assert bool(of("Colab", found)) == bool(of("Codespaces", found)) == (host == "github.com")
    if host == "github.com":
        for link, lesson in zip(of("Colab", found), LESSONS, strict=True):
            parts = urlsplit(link.url)
            assert parts.netloc == "colab.research.google.com"
            assert unquote(parts.path) == f"/github/{owner}/{name}/blob/{branch}/{notebook(lesson)}"
        (space,) = of("Codespaces", found)
        assert unquote(urlsplit(space.url).path) == f"/{owner}/{name}/tree/{branch}"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("https://github.com/you/course", "https://github.com/you/course"),
        ("https://github.com/you/course.git", "https://github.com/you/course"),
        (" https://github.com/you/course/ ", "https://github.com/you/course"),
        ("http://github.com/you/course", "https://github.com/you/course"),
        ("git@github.com:you/course.git", "https://github.com/you/course"),
        ("ssh://git@gitlab.com:22/school/maths/course.git", "https://gitlab.com/school/maths/course"),
        ("https://gitlab.school.example:8443/a/b", "https://gitlab.school.example:8443/a/b"),
        ("https://ada:t0ken@github.com/you/course.git", "https://github.com/you/course"),
        ("https://codeberg.org/ada/kurs%20ü", "https://codeberg.org/ada/kurs%20%C3%BC"),
    ],
)
def test_addresses_as_git_and_browsers_write_them(said: str, meant: str) -> None:
    assert Repository.parse(said).url == meant


@pytest.mark.parametrize(
    "said",
    [
        "", "course", "/srv/git/course", "../course", "C:\\course", "C:/course", "file:///srv/course", "https://github.com",
        "https://github.com/you", "https://github.com/you/course/tree/main", "https://[::1", "https://example.org:x/a/b",
        "javascript://github.com/a/b", "https://github.com/a/../b", "git@github.com:course", 'https://x.org"/a/b',
        "https://github.com/a/b\nc",
    ],
)  # fmt: skip
def test_what_is_no_repository_on_the_network_is_refused(said: str) -> None:
    with pytest.raises(LinksError, match="address"):
        Repository.parse(said)


@pytest.mark.parametrize(
    "said", ["hub", "ftp://hub.example.org", "https://a b", 'https://hub.org/"><script>', "https://[x"]
)
def test_what_is_no_hub_is_refused(said: str) -> None:
    with pytest.raises(LinksError, match="--hub"):
        links(PLAIN, "main", LESSONS, hub=said)


def test_what_there_is_no_link_to_is_said() -> None:
    _, left_out = links(Repository("codeberg.org", "a/b"), "main", LESSONS)
    assert [sentence.split()[0] for sentence in left_out] == ["Colab", "JupyterHub:", "JupyterLite:"]
    assert links(PLAIN, "main", LESSONS, hub="https://a.org", site="https://b.org")[1] == []


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for key, value in attrs if key == "href"]


def test_the_forms_hold_every_link() -> None:
    found, _ = links(Repository("github.com", "a/b&c"), 'x"<y', LESSONS)
    reader = _Anchors()
    reader.feed(page(found))
    assert reader.found == [link.url for link in found]
    assert reader.tags == {"ul", "li", "a"}
    assert all(f"{link.url}\n" in f"{text(found)}\n" for link in found)


@pytest.fixture
def course(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "Zoë's course"
    folder.mkdir()
    shutil.copy(root / "pyproject.toml", folder)
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["links", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


def test_without_an_address_it_says_what_to_do(course: Path) -> None:
    code, out, said = run("--root", course)
    assert (code, out) == (1, "")
    assert "--repository https://github.com/you/course" in said
    assert "[project.urls]" in said


def test_the_address_is_found_in_git_and_its_token_told_nobody(course: Path) -> None:
    git(course, "init", "--initial-branch", "autumn/26")
    git(course, "remote", "add", "origin", "https://ada:t0ken@github.com/you/course.git")
    (course / "solutions").mkdir()
    code, out, said = run("--root", course, "--all", "--format", "markdown")
    assert code == 0
    assert "t0ken" not in out + said
    assert "mybinder.org/v2/gh/you/course/autumn/26?" in out
    assert out.count("/blob/autumn/26/lessons/") == len(LESSONS)
    assert "Branch autumn/26 of https://github.com/you/course." in said
    assert "holds the solutions" in said
    assert 'Lessons = "https://github.com/you/course"' in said


def test_the_address_in_pyproject_counts_before_git(course: Path) -> None:
    git(course, "init")
    git(course, "remote", "add", "origin", "https://github.com/you/course")
    path = course / "pyproject.toml"
    path.write_text(
        path.read_text("utf-8").replace("# Lessons = ", "Lessons = ").replace("you/course", "you/kit"), "utf-8"
    )
    code, out, said = run("--root", course, "4")
    assert code == 0
    assert out.count("gh/you/kit/main?") == 1
    assert "04_adaptive_optimizers.ipynb" in out
    assert "00_warm_up" not in out
    assert "holds the solutions" not in said
    assert "For one click" not in said
    assert run("--root", course, "--repository", "https://gitlab.com/a/b", "--branch", "x")[1].count("gl/a%2Fb/x?") == 1


def test_an_unknown_lesson_is_named_with_those_there_are(course: Path) -> None:
    code, _, said = run("--root", course, "--repository", "https://github.com/a/b", "99")
    assert code == 1
    assert "'99'" in said
    assert LESSONS[3] in said
