"""What is lent to a build is whole; what is kept of it is what the archive has, and no more."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sandbox.events import Event, Notice, ignore
from sandbox.fetch.routes import Routes
from sandbox.images import archives, build
from sandbox.images.archives import Loan, borrow, shelf_of
from sandbox.images.recipe import Form, Recipe, Sources, mmdebstrap_argv
from sandbox.run import Completed
from sandbox.spec.mirrors import Mirrors
from tests.unit.factories import BASE

RECIPE = Recipe(BASE, "x86_64", "build")
HELLO, R_BASE = "hello_2.10-3_amd64.deb", "r-base-core_4.2.2.20221110-2_amd64.deb"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return shelf_of(RECIPE)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(shelf: Path, name: str, content: bytes) -> Path:
    """A package on the shelf, as a build has left it."""
    shelf.mkdir(parents=True, exist_ok=True)
    path = shelf / f"{digest(content)}_{name}"
    path.write_bytes(content)
    return path


def build_with(loan: Loan, fetched: dict[str, bytes], listed: dict[str, bytes]) -> None:
    """What mmdebstrap leaves: packages that were fetched, and the sums in the package lists."""
    out = loan.folder / "fetched"
    (out / "partial").mkdir(parents=True)
    (out / "lock").touch()
    for name, content in fetched.items():
        (out / name).write_bytes(content)
    lines = (f"{digest(content)}  {name}" for name, content in listed.items())
    (loan.folder / "sums").write_text("\n".join(lines))


def kept(shelf: Path) -> dict[str, bytes]:
    return {path.name.partition("_")[2]: path.read_bytes() for path in shelf.glob("*")}


def lent(loan: Loan) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (loan.folder / "lent").iterdir()}


def test_what_a_build_fetched_the_next_one_gets(shelf: Path, work: Path) -> None:
    first = borrow(shelf, work)
    assert lent(first) == {}
    both = {HELLO: b"hello", R_BASE: b"R"}
    build_with(first, fetched=both, listed=both)
    assert first.wrong() == ()
    first.settle()
    assert not work.exists()
    second = borrow(shelf, work)
    assert lent(second) == both
    build_with(second, fetched={}, listed=both)
    second.settle()
    assert kept(shelf) == both


@pytest.mark.parametrize("content", [b"hellO", b"hel", b""])
def test_what_is_damaged_on_the_disk_is_not_lent(shelf: Path, work: Path, content: bytes) -> None:
    """apt would take it: it only looks at the size, and of that a cut-off write need not tell."""
    put(shelf, HELLO, b"hello").write_bytes(content)
    put(shelf, R_BASE, b"R")
    assert lent(borrow(shelf, work)) == {R_BASE: b"R"}
    assert kept(shelf) == {R_BASE: b"R"}


def test_what_another_command_clears_away_is_not_lent(
    shelf: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = put(shelf, HELLO, b"hello")
    found = archives.debs_on(shelf)
    monkeypatch.setattr(archives, "debs_on", lambda _: found)
    gone.unlink()
    assert lent(borrow(shelf, work)) == {}


def test_where_files_cannot_be_linked_they_are_copied(
    shelf: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shelf, HELLO, b"hello")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert lent(borrow(shelf, work)) == {HELLO: b"hello"}


def test_another_content_under_the_same_name_is_wrong(shelf: Path, work: Path) -> None:
    put(shelf, HELLO, b"hello")
    put(shelf, R_BASE, b"R")
    loan = borrow(shelf, work)
    build_with(loan, fetched={}, listed={HELLO: b"hello, again", R_BASE: b"R"})
    assert [deb.name for deb in loan.wrong()] == [HELLO]


def test_what_the_archive_no_longer_has_was_not_used_and_goes(shelf: Path, work: Path) -> None:
    old, new = "hello_2.10-2_amd64.deb", HELLO
    put(shelf, old, b"old")
    loan = borrow(shelf, work)
    build_with(loan, fetched={new: b"new"}, listed={new: b"new"})
    assert loan.wrong() == ()
    loan.settle()
    assert kept(shelf) == {new: b"new"}


def test_without_package_lists_nothing_is_proven(shelf: Path, work: Path) -> None:
    put(shelf, HELLO, b"hello")
    loan = borrow(shelf, work)
    build_with(loan, fetched={}, listed={})
    assert loan.wrong() == loan.debs != ()


def test_what_came_out_damaged_is_not_kept(shelf: Path, work: Path) -> None:
    loan = borrow(shelf, work)
    build_with(loan, fetched={HELLO: b"hell", "own_1_all.deb": b"mine"}, listed={HELLO: b"hello"})
    loan.settle()
    assert kept(shelf) == {}


def test_two_builds_at_once(shelf: Path, tmp_path: Path) -> None:
    one, two = borrow(shelf, tmp_path / "one"), borrow(shelf, tmp_path / "two")
    build_with(one, fetched={HELLO: b"hello"}, listed={HELLO: b"hello"})
    build_with(two, fetched={HELLO: b"hello", R_BASE: b"R"}, listed={HELLO: b"hello", R_BASE: b"R"})
    one.settle()
    two.settle()
    assert kept(shelf) == {HELLO: b"hello", R_BASE: b"R"}


def test_a_build_that_is_killed_leaves_the_shelf_alone(shelf: Path, work: Path) -> None:
    put(shelf, HELLO, b"hello")
    loan = borrow(shelf, work)
    # As tar does: it replaces files, and does not write into them
    (work / "lent" / HELLO).unlink()
    (work / "lent" / HELLO).write_bytes(b"half")
    (work / "fetched").mkdir()
    (work / "fetched" / R_BASE).write_bytes(b"half")
    assert kept(shelf) == {HELLO: b"hello"}
    again = borrow(loan.shelf, work)
    assert lent(again) == {HELLO: b"hello"}


def test_the_oldest_go_when_it_is_too_much(
    shelf: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shelf.with_name("trixie-amd64-default")
    os.utime(put(other, "old_1_all.deb", b"0123456789"), (1, 1))
    os.utime(put(other, "older_1_all.deb", b"0123456789"), (0, 0))
    monkeypatch.setattr(archives, "MAX_BYTES", 15)
    loan = borrow(shelf, work)
    build_with(loan, fetched={HELLO: b"hello"}, listed={HELLO: b"hello"})
    loan.settle()
    assert kept(shelf) == {HELLO: b"hello"}
    assert kept(other) == {"old_1_all.deb": b"0123456789"}


def test_shelves_are_shown_and_removed(shelf: Path) -> None:
    put(shelf, HELLO, b"hello")
    put(shelf, R_BASE, b"R")
    (shelf / "somebody-elses.txt").write_text("x")
    empty = shelf.with_name("trixie-amd64-default")
    empty.mkdir()
    [found] = archives.shelves()
    assert (found.folder, found.suite, found.size_bytes) == (shelf, "bookworm", 6)
    (shelf / "somebody-elses.txt").unlink()
    archives.remove_shelf(found)
    assert not shelf.exists()
    assert archives.shelves() == ()
    archives.remove_shelf(found)


def test_each_set_of_sources_has_its_own_shelf(shelf: Path) -> None:
    mirror = Sources(("deb http://mirror.example bookworm main",))
    other = BASE.model_copy(update={"suite": "trixie"})
    others = [
        shelf_of(Recipe(BASE, "x86_64", "build", mirror)),
        shelf_of(Recipe(BASE, "aarch64", "build")),
        shelf_of(Recipe(other, "x86_64", "build")),
    ]
    assert len({shelf, *others}) == 4
    # A virtual machine's root is made of the same packages and some more
    form = Form(packages=("linux-image-amd64",))
    assert shelf_of(Recipe(BASE, "x86_64", "build", form=form)) == shelf


class FakeMmdebstrap:
    """Installs all that it finds, and fetches `hello` where it does not."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.fetched: list[bool] = []
        self.env: dict[str, str] = {}
        self.argv: tuple[str, ...] = ()

    def __call__(self, argv: tuple[str, ...], *, env: dict[str, str], **_: Any) -> Completed:
        self.env, self.argv = env, argv
        folder = self.work / "archives"
        needed = not (folder / "lent" / HELLO).exists()
        self.fetched.append(needed)
        (folder / "fetched").mkdir()
        if needed:
            (folder / "fetched" / HELLO).write_bytes(b"hello")
        (folder / "sums").write_text(f"{digest(b'hello')}  {HELLO}\n")
        (self.work / "rootfs.tar").write_bytes(b"root")
        return Completed(tuple(argv), 0, "", "", 0.0)


@pytest.fixture
def mmdebstrap(shelf: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMmdebstrap:
    work.mkdir()
    made = FakeMmdebstrap(work)
    monkeypatch.setattr(build, "run", made)
    monkeypatch.setattr(build, "host_proxy", lambda _: None)
    return made


def build_root(work: Path, heard: list[Event]) -> None:
    root = build.build_root(RECIPE, work, work / "log", heard.append)
    assert root.read_bytes() == b"root"


def test_the_second_build_fetches_nothing(
    mmdebstrap: FakeMmdebstrap, shelf: Path, work: Path
) -> None:
    for _ in range(2):
        build_root(work, [])
    assert mmdebstrap.fetched == [True, False]
    assert not (work / "archives").exists()


def test_an_image_with_a_wrong_package_in_it_is_made_again(
    mmdebstrap: FakeMmdebstrap, shelf: Path, work: Path
) -> None:
    put(shelf, HELLO, b"wrong")
    heard: list[Event] = []
    build_root(work, heard)
    assert mmdebstrap.fetched == [False, True]
    assert kept(shelf) == {HELLO: b"hello"}
    [notice] = [one.text for one in heard if isinstance(one, Notice)]
    assert HELLO in notice


def test_a_cache_that_cannot_be_written_stops_no_build(
    mmdebstrap: FakeMmdebstrap, shelf: Path, work: Path
) -> None:
    shelf.parent.parent.mkdir(parents=True)
    shelf.parent.write_text("a file")
    heard: list[Event] = []
    build_root(work, heard)
    assert any("not kept" in one.text for one in heard if isinstance(one, Notice))
    shutil.rmtree(work)


def test_what_is_kept_decides_nothing_about_the_image(shelf: Path, work: Path) -> None:
    put(shelf, HELLO, b"hello")
    extra = borrow(shelf, work).mmdebstrap_options
    plain = mmdebstrap_argv(RECIPE, rootfs="", index="", unshare=False)
    given = mmdebstrap_argv(RECIPE, rootfs="", index="", unshare=False, extra=extra)
    assert set(extra) <= set(given)
    assert [word for word in given if word not in extra] == list(plain)
    # It is the plain command that the key is made of: its folders may be anywhere
    assert str(work) not in " ".join(plain)


def test_a_build_goes_through_the_users_proxy_and_trusts_the_users_authority(
    mmdebstrap: FakeMmdebstrap, work: Path, tmp_path: Path
) -> None:
    pem = tmp_path / "bank.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
    mirrors = Mirrors(
        proxy="http://p.example:1", no_proxy=("10.0.0.0/8",), ca_certificates=(str(pem),)
    )
    lines = ("deb [signed-by=/k.gpg] https://10.1.2.3/debian bookworm main",)
    recipe = Recipe(BASE, "x86_64", "build", Sources(lines))
    build.build_root(recipe, work, work / "log", ignore, routes=Routes(mirrors))
    assert mmdebstrap.env["http_proxy"] == mmdebstrap.env["https_proxy"] == "http://p.example:1"
    assert mmdebstrap.env["no_proxy"] == "10.0.0.0/8,10.1.2.3"
    (trust,) = [word for word in mmdebstrap.argv if "CaInfo" in word]
    assert not Path(trust.split('"')[1]).exists()
    build.build_root(RECIPE, work, work / "log", ignore)
    assert "http_proxy" not in mmdebstrap.env
    assert not [word for word in mmdebstrap.argv if "CaInfo" in word]
