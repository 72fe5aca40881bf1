"""mmdebstrap with the packages of earlier builds: the same root, and no byte fetched twice."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.events import Event, Notice
from sandbox.images import archives, build
from sandbox.images.archives import borrow, shelf_of
from sandbox.images.recipe import Recipe
from sandbox.images.sources import choose_sources, host_archives
from tests.conftest import Host
from tests.contract.conftest import read_base

pytestmark = pytest.mark.incus

# Written in each build, or named by the moment
OF_THIS_BUILD = ("./var/log/", "./var/cache/", "./var/lib/dpkg/", "./var/lib/apt/", "./etc/ld.so")


@pytest.fixture
def recipe(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A root of a few packages: what is kept of them is kept of many."""
    del host
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sandbox.images.recipe.PACKAGES", ("netbase", "sudo"))
    base = read_base()
    return Recipe(base, "x86_64", "build", choose_sources(base, None, host_archives()))


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    for path in folder.glob("*.tar"):
        path.unlink()


def root_of(recipe: Recipe, work: Path, heard: list[Event]) -> dict[str, tuple[object, ...]]:
    """Builds it; what is in it, as far as two builds must agree."""
    made = build.build_root(recipe, work, work / "log", heard.append)
    assert not (work / "archives").exists()
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(made) as archive:
        for entry in archive:
            size = 0 if entry.name.startswith(OF_THIS_BUILD) else entry.size
            found[entry.name] = (entry.type, entry.mode, entry.uid, entry.gid, size, entry.linkname)
    made.unlink()
    return found


def kept(recipe: Recipe) -> dict[str, str]:
    return {deb.name: deb.sha256 for deb in archives.debs_on(shelf_of(recipe))}


@pytest.mark.slow
def test_the_next_build_fetches_nothing_and_makes_the_same(
    recipe: Recipe, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = root_of(recipe, work, [])
    assert not [name for name in first if name.endswith(".deb") or "sandbox-" in name[:12]]
    all_of_them = kept(recipe)
    assert len(all_of_them) > 50
    assert {name.partition("_")[0] for name in all_of_them} >= {"dpkg", "libc6", "netbase", "sudo"}

    brought: list[int] = []
    settle = archives.Loan.settle

    def count(loan: archives.Loan) -> None:
        brought.append(len(list((loan.folder / "fetched").glob("*.deb"))))
        settle(loan)

    monkeypatch.setattr(archives.Loan, "settle", count)
    heard: list[Event] = []
    assert root_of(recipe, work, heard) == first
    assert brought == [0]
    assert kept(recipe) == all_of_them

    # One was damaged on the disk: it alone is fetched
    shelf = shelf_of(recipe)
    [sudo] = shelf.glob("*_sudo_*.deb")
    sudo.write_bytes(sudo.read_bytes()[:-1] + b"x")
    # Of another the mirror has now something else, as large: only the hash tells
    [netbase] = shelf.glob("*_netbase_*.deb")
    content = bytearray(netbase.read_bytes())
    # A date in the frame around the package's parts, which nobody reads
    content[8 + 16] ^= 1
    altered = hashlib.sha256(content).hexdigest()
    netbase.unlink()
    (shelf / f"{altered}_{netbase.name.partition('_')[2]}").write_bytes(content)
    assert len(borrow(shelf, work / "look").debs) == len(all_of_them) - 1
    assert root_of(recipe, work, heard) == first
    notices = [one.text for one in heard if isinstance(one, Notice)]
    assert len(notices) == 1
    assert "netbase" in notices[0]
    assert brought == [0, len(all_of_them)]
    assert kept(recipe) == all_of_them
