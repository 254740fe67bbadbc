"""What an LMS downloads for a class becomes submitted/, and nothing else happens whatever the archive holds."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autograder import archives
from autograder.archives import ArchiveError, Collected, collect
from autograder.cli import app
from autograder.gradebook import Course
from autograder.intake import unfit
from autograder.roster import Roster, RosterError
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import RIGHT, as_bytes, submission

DATA = as_bytes(submission(RIGHT))
OLD = as_bytes(submission())
FILE = f"{NAME}.ipynb"

Files = Mapping[str, bytes]


def as_zip(path: Path, files: Files, **when: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, data) in enumerate(files.items()):
            info = zipfile.ZipInfo(name, when.get("times", {}).get(name, (2026, 1, 1, 0, 0, 2 * (number % 20))))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def as_tar(path: Path, files: Files) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def as_folder(path: Path, files: Files) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def taken(done: Collected) -> dict[str, str]:
    return {each.student: each.state for each in done.taken}


def reasons(done: Collected) -> dict[str, str]:
    return {each.source: each.reason for each in done.left}


def handed_in(course: Course) -> dict[str, bytes]:
    base = course.root / "submitted"
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


LAYOUTS: dict[str, dict[str, str]] = {
    "moodle": {
        f"Ada Lovelace_12345_assignsubmission_file_/{FILE}": "ada-lovelace",
        f"José Núñez_777_assignsubmission_file_/{FILE}": "josé-núñez",
        f"Bob_O_Neill_8_assignsubmission_file/{FILE}": "bob_o_neill",
    },
    "moodle, flat": {f"Ada Lovelace_12345_assignsubmission_file_{FILE}": "ada-lovelace"},
    "canvas": {f"smithjohn_1234_567_{FILE}": "smithjohn", f"doejane_LATE_99_568_{NAME}-2.ipynb": "doejane"},
    "plain": {f"ada/{FILE}": "ada", f"bob/{NAME}/{FILE}": "bob", f"download/Cy.1@x/{FILE}": "Cy.1@x"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pack", [as_zip, as_tar, as_folder], ids=["zip", "tar.gz", "folder"])
def test_the_names_of_each_lms_are_known(
    course: Course, tmp_path: Path, layout: str, pack: Callable[[Path, Files], Path]
) -> None:
    names = LAYOUTS[layout]
    path = tmp_path / {as_zip: "a.zip", as_tar: "a.tar.gz", as_folder: "a"}[pack]
    done = collect(course, NAME, pack(path, dict.fromkeys(names, DATA)))
    assert taken(done) == dict.fromkeys(names.values(), "new")
    assert done.left == []
    assert handed_in(course) == {f"{student}/{NAME}/{FILE}": DATA for student in names.values()}


def test_names_that_windows_wrote_are_taken_apart_as_it_means_them(course: Course, tmp_path: Path) -> None:
    assert taken(collect(course, NAME, as_tar(tmp_path / "a.tar", {f"ada\\{FILE}": DATA}))) == {"ada": "new"}


def test_what_it_does_is_said_and_a_dry_run_writes_nothing(course: Course, tmp_path: Path) -> None:
    archive = as_zip(
        tmp_path / "a.zip", {f"ada/{FILE}": DATA, "ada/notes.pdf": b"%PDF", f"__MACOSX/ada/._{FILE}": b"x"}
    )

    def run(*more: str) -> Any:
        return CliRunner().invoke(app, ["collect", NAME, str(archive), *more, "--course", str(course.root)])

    dry = run("--dry-run")
    assert dry.exit_code == 1
    assert "Nothing is written; there would be 1 notebooks (1 new); 1 files are not taken." in dry.output
    assert "not taken: ada/notes.pdf: no notebook" in dry.output
    assert not (course.root / "submitted").exists()
    assert run().exit_code == 1
    assert "1 unchanged" in run().output
    assert CliRunner().invoke(app, ["collect", "99_nothing", str(archive)]).exit_code == 2
    missing = CliRunner().invoke(app, ["collect", NAME, "nowhere.zip", "--course", str(course.root)])
    assert (missing.exit_code, "nowhere.zip is not there" in missing.output) == (2, True)


def test_nothing_is_overwritten_unasked(course: Course, tmp_path: Path) -> None:
    collect(course, NAME, as_zip(tmp_path / "old.zip", {f"ada/{FILE}": OLD}))
    archive = as_zip(tmp_path / "new.zip", {f"ada/{FILE}": DATA})
    refused = collect(course, NAME, archive)
    assert reasons(refused) == {f"ada/{FILE}": "ada has handed in another one before; --force replaces it"}
    assert handed_in(course)[f"ada/{NAME}/{FILE}"] == OLD
    assert taken(collect(course, NAME, archive, force=True)) == {"ada": "replaced"}
    assert handed_in(course)[f"ada/{NAME}/{FILE}"] == DATA
    assert taken(collect(course, NAME, archive)) == {"ada": "unchanged"}


def test_the_newest_of_several_counts(course: Course, tmp_path: Path) -> None:
    times = {f"ada/{FILE}": (2026, 2, 1, 0, 0, 0), f"ada/{NAME} (1).ipynb": (2026, 1, 1, 0, 0, 0)}
    files = {f"ada/{FILE}": DATA, f"ada/{NAME} (1).ipynb": OLD, "ada/scratch.ipynb": OLD}
    done = collect(course, NAME, as_zip(tmp_path / "a.zip", files, times=times))
    assert handed_in(course) == {f"ada/{NAME}/{FILE}": DATA}
    assert reasons(done) == {
        f"ada/{NAME} (1).ipynb": f"an older one; ada/{FILE} counts",
        "ada/scratch.ipynb": f"not called {FILE}; ada/{FILE} counts",
    }


def test_a_number_tells_which_is_newer_where_times_do_not(course: Course, tmp_path: Path) -> None:
    names = [f"a_1_{number}_{NAME}{again}.ipynb" for number, again in ((9, "-2"), (8, "-10"), (7, ""))]
    times = dict.fromkeys(names, (2026, 1, 1, 0, 0, 0))
    collect(course, NAME, as_zip(tmp_path / "a.zip", dict(zip(names, (OLD, DATA, OLD), strict=True)), times=times))
    assert handed_in(course) == {f"a/{NAME}/{FILE}": DATA}


def test_one_notebook_of_another_name_is_taken_and_of_two_none(course: Course, tmp_path: Path) -> None:
    done = collect(
        course, NAME, as_zip(tmp_path / "a.zip", {"ada/hw.ipynb": DATA, "bob/a.ipynb": OLD, "bob/b.ipynb": OLD})
    )
    assert taken(done) == {"ada": "new"}
    assert set(reasons(done).values()) == {f"bob has 2 notebooks and none is called {FILE}"}


def test_a_roster_gives_the_ids(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(
        "id,first_name,last_name,email,lms_user_id\n"
        "al1,Ada,Lovelace,ada@example.org,1234\nzo2,Zoë,O'Brien,,99\nzo3,Zoë,O'Brien,,98\n",
        encoding="utf-8-sig",
    )
    files = {
        f"Ada Lovelace_99_assignsubmission_file_/{FILE}": DATA,  # Moodle's number is nobody's lms_user_id
        f"obrienzoe_98_5_{FILE}": DATA,
        f"Zoe O'Brien_7_assignsubmission_file_/{FILE}": DATA,
        f"Mallory_8_assignsubmission_file_/{FILE}": DATA,
    }
    done = collect(course, NAME, as_zip(tmp_path / "a.zip", files), Roster(path))
    assert taken(done) == {"al1": "new", "zo3": "new"}
    assert sorted(reason.split(";")[0] for reason in reasons(done).values()) == [
        "Mallory is not in the roster",
        "the roster has 2 students called Zoe O'Brien",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,first_name\n../x,Ada\n", "which holds one of"),
        ("id,name\n,Ada\n", "which is empty"),
        ("name\nAda\n", "no roster that is known"),
        ('id\n"a', "cannot be read as a roster"),
    ],
)
def test_a_roster_that_cannot_be_used_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(RosterError, match=sentence):
        Roster(tmp_path / "roster.csv")


def test_two_of_one_name_are_told_apart_by_nobody_but_the_teacher(course: Course, tmp_path: Path) -> None:
    names = ["Ada L_1_assignsubmission_file_", "Ada L_2_assignsubmission_file_", "bob", "Bob"]
    done = collect(course, NAME, as_zip(tmp_path / "a.zip", {f"{name}/{FILE}": DATA for name in names}))
    assert done.taken == []
    assert {reason.split(";")[0] for reason in reasons(done).values()} == {
        "2 students are called ada-l",
        "bob and Bob differ in capitals alone",
    }


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def hostile_zip(path: Path) -> Path:
    as_zip(
        path,
        {
            f"../../{FILE}": DATA,
            f"/etc/{FILE}": DATA,
            f"C:\\ada\\{FILE}": DATA,
            f"ada/../../{FILE}": DATA,
            f"con/{FILE}": DATA,
            f"-rf/{FILE}": DATA,
            f"a\u202eb/{FILE}": DATA,
            f"a\x1b[2Jb/{FILE}": DATA,
            f"<img src=x>/{FILE}": DATA,
            f"{'d/' * 13}{FILE}": DATA,
            f"{'n' * 401}/{FILE}": DATA,
            f"bomb/{FILE}": b" " * 19_000_000,
            f"large/{FILE}": os.urandom(1000) * 21_000,
            "inner/more.zip": b"PK",
            FILE: DATA,
        },
    )
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(f"link/{FILE}")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        info = zipfile.ZipInfo(f"packed/{FILE}")
        info.compress_type = zipfile.ZIP_LZMA
        archive.writestr(info, DATA)
        archive.writestr(f"good/{FILE}", DATA)
    data = bytearray(path.read_bytes())
    at = data.rindex(f"good/{FILE}".encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    path.write_bytes(data)
    return path


def test_nothing_leaves_its_place_and_every_refusal_has_a_reason(course: Course, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if course.root not in path.parents}
    done = collect(course, NAME, hostile_zip(tmp_path / "a.zip"))
    assert taken(done) == {"good": "new"}
    assert handed_in(course) == {f"good/{NAME}/{FILE}": DATA}
    assert {path for path in tmp_path.rglob("*") if course.root not in path.parents} - before == {tmp_path / "a.zip"}
    found = reasons(done)
    assert len(found) == 17
    assert all(name.isprintable() for name in found)
    assert {reason.split(";")[0] for reason in found.values()} == {
        "its name leads out of the archive",
        "its name holds characters that cannot be seen",
        "its name is longer than 400 characters or 12 folders",
        "it is packed more than 200 times smaller, as no notebook is",
        "it is larger than 20 MB",
        "an archive inside",
        "its name does not say whose it is",
        "it is a link or a device",
        "it is packed as no LMS does it",
        "the student would be called 'con', which Windows keeps for itself",
        "the student would be called '-rf', which begins or ends with a dot, a space or a dash",
        "the student would be called '<img src=x>', which holds one of < > : \" / \\ | ? * & [ ]",
    }


def test_an_encrypted_notebook_is_named(course: Course, tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", {f"ada/{FILE}": DATA})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert reasons(collect(course, NAME, path)) == {f"ada/{FILE}": "it is encrypted"}


def test_a_size_that_lies_is_found_out(course: Course, tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", {f"ada/{FILE}": b" " * 30_000_000})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    done = collect(course, NAME, path)
    assert done.taken == []
    assert len(done.left) == 1


def test_links_and_devices_of_a_tar_are_named(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(link(f"ada/{FILE}", "/etc/passwd"))
        archive.addfile(link(f"bob/{FILE}", "../../gradebook.db", tarfile.LNKTYPE))
        archive.addfile(link(f"cy/{FILE}", "", tarfile.FIFOTYPE))
        archive.addfile(link(f"dan/{FILE}", "", tarfile.CHRTYPE))
    done = collect(course, NAME, path)
    assert set(reasons(done).values()) == {"it is a link, a device or a sparse file"}
    assert len(done.left) == 4


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as on POSIX")
def test_links_and_pipes_of_a_folder_are_named(course: Course, tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "a", {f"ada/{FILE}": DATA})
    (folder / "bob").mkdir()
    (folder / "bob" / FILE).symlink_to(folder / "ada" / FILE)
    (folder / "cy").symlink_to(folder / "ada")
    (folder / "dan").mkdir()
    os.mkfifo(folder / "dan" / FILE)
    (folder / "eve").mkdir()
    (folder / "eve" / FILE).hardlink_to(folder / "ada" / FILE)
    done = collect(course, NAME, folder)
    assert done.taken == []  # a hard link makes two names of ada's file
    assert {reason.split("(")[0].strip() for reason in reasons(done).values()} == {
        "it is a link, a pipe or a device", "it is a link", "it cannot be read",
    }  # fmt: skip


def test_a_link_in_submitted_is_not_followed(course: Course, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "ada").symlink_to(target)
    done = collect(course, NAME, as_zip(tmp_path / "a.zip", {f"ada/{FILE}": DATA}), force=True)
    assert reasons(done) == {f"ada/{FILE}": "ada's place in submitted/ is a link; remove it"}
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("kind", ["garbage", "too many files", "gzip bomb", "long header", "no list", "cut"])
def test_an_archive_that_cannot_be_read_is_refused_as_a_whole(
    course: Course, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    if kind == "garbage":
        path.write_bytes(b"nothing of the kind" * 100)
    elif kind == "too many files":
        monkeypatch.setattr(archives, "MAX_FILES", 10)
        as_zip(path, {f"s{number}/{FILE}": b"" for number in range(11)})
    elif kind == "gzip bomb":
        monkeypatch.setattr(archives, "_FREE_RATIO", 10_000)
        path.write_bytes(gzip.compress(bytes(5_000_000)))
    elif kind == "long header":
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 50_000_000
        path.write_bytes(gzip.compress(info.tobuf() + b"1" * info.size))
    elif kind == "no list":
        path.write_bytes(b"PK\x03\x04" + bytes(1000))
    else:
        whole = as_tar(tmp_path / "whole.tar.gz", {f"ada/{FILE}": os.urandom(100_000)}).read_bytes()
        path.write_bytes(whole[:50_000])
    with pytest.raises(ArchiveError):
        collect(course, NAME, path)
    assert not (course.root / "submitted").exists()


@pytest.mark.parametrize(
    "student", ["", "a/b", "a\\b", "..", ".x", "-x", "a ", "a.", "NUL", "com1.x", "a\nb", "a" * 101, "a:b"]
)
def test_ids_that_make_no_folder_everywhere_are_refused(student: str) -> None:
    assert unfit(student)


@pytest.mark.parametrize("student", ["ada", "ada.lovelace@example.org", "O'Brien", "zoë", "王芳", "s_01-b"])
def test_honest_ids_are_kept(student: str) -> None:
    assert unfit(student) == ""


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00"]))
def test_any_bytes_are_read_or_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.zip"
    path.write_bytes(head + data)
    said = ""
    try:
        assert collect(Course(path.parent), NAME, path, dry=True).taken == []
    except ArchiveError as error:
        said = str(error)
    assert said.endswith(".") or not said
