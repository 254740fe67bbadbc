"""Links that open a lesson at once: on Binder, Google Colab, GitHub Codespaces, a JupyterHub, or a JupyterLite site.

Forms of the links, as their services document them:
Binder: https://mybinder.readthedocs.io/en/latest/howto/external_links.html
Colab: https://colab.research.google.com/github/googlecolab/colabtools/blob/main/notebooks/colab-github-demo.ipynb
Codespaces: https://docs.github.com/en/codespaces/setting-up-your-project-for-codespaces
nbgitpuller: https://nbgitpuller.readthedocs.io/en/latest/topic/url-options.html
JupyterLite: https://jupyterlite.readthedocs.io/en/stable/howto/content/open-url-parameter.html
"""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

GITHUB, GITLAB = "github.com", "gitlab.com"
_SCP = re.compile(r"(?:[^@/\s]+@)?([^:/\s]+):(?!//)(.+)")  # git@github.com:you/course.git
_BADGES = {
    "Binder": "https://mybinder.org/badge_logo.svg",
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "Codespaces": "https://github.com/codespaces/badge.svg",
}


class LinksError(ValueError):
    """No links can be made; the message says what to do."""


@dataclass(frozen=True)
class Repository:
    """Where a course is on the network.

    Attributes:
        host: "github.com", with its port where it has one.
        path: "you/course", without quoting.
    """

    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Repository:
        """From an address as a browser or `git remote` shows it. A user, password or token in it is dropped.

        Raises:
            LinksError: where it is no repository on the network.
        """
        text = text.strip()
        form = "give it as https://github.com/you/course"
        if "://" in text:
            try:
                parts = urlsplit(text)
                host = parts.hostname or ""
                if parts.port and parts.scheme in ("http", "https"):
                    host = f"{host}:{parts.port}"
            except ValueError:
                raise LinksError(f"The repository's address cannot be read; {form}.") from None
            known, path = parts.scheme in ("https", "http", "ssh", "git"), unquote(parts.path)
        else:
            short = _SCP.fullmatch(text)
            known, host, path = short is not None, short[1] if short else "", short[2] if short else ""
        path = path.strip("/").removesuffix(".git")
        if (
            not known
            or not text.isprintable()
            or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host)
            or "." not in host
            or len(host) < 3
        ):
            raise LinksError(f"The repository's address does not lead to the network; {form}.")
        if any(part in ("", ".", "..") for part in path.split("/")) or "/" not in path or not path.isprintable():
            raise LinksError(f"The address on {host} names no repository; {form}.")
        if host == GITHUB and path.count("/") > 1:
            raise LinksError("The address leads into a repository; give the repository alone, and --branch NAME.")
        return cls(host, path)

    @property
    def url(self) -> str:
        """Its address for a browser, and for `git clone`."""
        return f"https://{self.host}/{quote(self.path)}"


@dataclass(frozen=True)
class Link:
    """One link.

    Attributes:
        service: "Binder", "Colab", "Codespaces", "JupyterHub" or "JupyterLite".
        lesson: what it opens; "" for the whole course.
        url: the link.
    """

    service: str
    lesson: str
    url: str


def notebook(lesson: str) -> str:
    """Where the student notebook of a lesson is in a repository."""
    return f"lessons/{lesson}/{lesson}.ipynb"


def links(
    repository: Repository, branch: str, lessons: Sequence[str], *, hub: str = "", site: str = ""
) -> tuple[list[Link], list[str]]:
    """Every link there is to these lessons, service by service, and sentences about what there is no link to.

    Args:
        repository: that holds them, readable by everybody.
        branch: of it.
        lessons: their names.
        hub: a JupyterHub's address; "" for none.
        site: the address of a JupyterLite site made by `make site`; "" for none.

    Raises:
        LinksError: where the hub or the site is no address.
    """
    left_out = []
    found = [Link("Binder", lesson, _binder(repository, branch, lesson)) for lesson in lessons]
    if repository.host == GITHUB:
        at = f"{quote(repository.path)}/blob/{quote(branch)}"
        found += [
            Link("Colab", lesson, f"https://colab.research.google.com/github/{at}/{notebook(lesson)}")
            for lesson in lessons
        ]
        tree = f"{quote(repository.path)}/tree/{quote(branch)}"
        found.append(Link("Codespaces", "", f"https://codespaces.new/{tree}?quickstart=1"))
    else:
        left_out.append(f"Colab and Codespaces open repositories on {GITHUB} alone; this one is on {repository.host}.")
    if hub:
        address = _address(hub, "--hub").removesuffix("/hub")
        found += [Link("JupyterHub", lesson, _hub(address, repository, branch, lesson)) for lesson in lessons]
    else:
        left_out.append("JupyterHub: name yours by --hub https://hub.example.org; it needs nbgitpuller.")
    if site:
        found += [lite(site, lesson) for lesson in lessons]
    else:
        left_out.append("JupyterLite: put what `make site` writes on a server, and name it by --site.")
    return found, left_out


def lite(site: str, lesson: str) -> Link:
    """The link to a lesson in a JupyterLite site made by `make site`.

    Raises:
        LinksError: where the site is no address.
    """
    path = urlencode({"path": f"{lesson}.ipynb"})
    return Link("JupyterLite", lesson, f"{_address(site, '--site')}/lab/index.html?{path}")


def _binder(repository: Repository, branch: str, lesson: str) -> str:
    if repository.host == GITHUB:
        place = f"gh/{quote(repository.path)}"
    elif repository.host == GITLAB:
        place = f"gl/{quote(repository.path, safe='')}"
    else:
        place = f"git/{quote(repository.url, safe='')}"
    opened = urlencode({"urlpath": f"lab/tree/{notebook(lesson)}"})
    return f"https://mybinder.org/v2/{place}/{quote(branch)}?{opened}"


def _hub(hub: str, repository: Repository, branch: str, lesson: str) -> str:
    folder = quote(repository.url.rsplit("/", 1)[1])  # nbgitpuller names the folder so; then it is part of an address
    opened = {"repo": repository.url, "branch": branch, "urlpath": f"lab/tree/{folder}/{notebook(lesson)}"}
    return f"{hub}/hub/user-redirect/git-pull?{urlencode(opened)}"


def _address(text: str, option: str) -> str:
    try:
        parts = urlsplit(text.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        good = False
    if not good or re.search(r"[\s\"'<>`\\()\[\]]", text.strip()):
        raise LinksError(f"{option} must be an address such as https://example.org, without ? and #.")
    return text.strip().rstrip("/")


def origin(root: Path) -> str:
    """The address of git's remote `origin` for the course in `root`; "" where there is none, or no git."""
    return _git(root, "remote", "get-url", "origin")


def branch_here(root: Path) -> str:
    """The branch that is checked out in `root`; "" where there is none, or no git."""
    return _git(root, "branch", "--show-current")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  fixed words, and a folder of ours
            ["git", "-C", str(root), *arguments],  # noqa: S607  git is found by its name everywhere
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def text(found: Sequence[Link]) -> str:
    """Links under one another, for people to read and copy."""
    return "\n".join(f"{link.service:<12}{_what(link)}\n            {link.url}" for link in found)


def markdown(found: Sequence[Link]) -> str:
    """Links for a README or a forum: the service's badge where it has one."""
    lines = []
    for link in found:
        badge = _BADGES.get(link.service)
        label = f"![{_title(link)}]({badge})" if badge else _title(link)
        lines.append(f"[{label}]({link.url})")
    return "\n".join(lines)


def page(found: Sequence[Link]) -> str:
    """Links as a piece of HTML, for the page of a course in an LMS; no picture is fetched from anywhere."""
    rows = [f'  <li><a href="{html.escape(link.url)}">{html.escape(_title(link))}</a></li>' for link in found]
    return "\n".join(["<ul>", *rows, "</ul>"])


def _what(link: Link) -> str:
    return link.lesson or "the whole course"


def _title(link: Link) -> str:
    return f"Open {_what(link)} in {link.service}"
