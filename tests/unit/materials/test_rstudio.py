"""RStudio Server's package: where it is asked for, its checksum, and whether it is what it says."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.errors import BoxError
from sandbox.fetch.errors import AbsentFileError, FetchError, WrongSumError
from sandbox.fetch.fetcher import Fetched, LooksWrong
from sandbox.materials.rstudio import INDEX_URL, deb_urls, needs_of, obtain, why_wrong
from sandbox.obtained import Materials
from sandbox.plan import Plan
from sandbox.spec.bases import load_bases
from sandbox.spec.rstudio import RstudioServer
from sandbox.spec.services import Services
from tests.unit.factories import shiny_plan

VERSION = "2024.12.0+467"
PLACE = "https://download2.rstudio.org/server"
JAMMY = f"{PLACE}/jammy/amd64/rstudio-server-2024.12.0-467-amd64.deb"


def deb(version: str = VERSION, name: str = "rstudio-server", more: str = "") -> bytes:
    """A Debian package with nothing in it but what it says of itself."""
    control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: a\n"
    control += f"Description: d\n{more}"
    members = [("debian-binary", b"2.0\n")]
    for file, content in (("control.tar.gz", control.encode()), ("data.tar.gz", b"")):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            if content:
                info = tarfile.TarInfo("./control")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        members.append((file, packed.getvalue()))
    made = b"!<arch>\n"
    for file, content in members:
        made += f"{file:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        made += content + b"\n" * (len(content) % 2)
    return made


class ServerInMemory:
    """Stands in for the Fetcher: addresses and their bytes."""

    def __init__(self, files: dict[str, bytes], folder: Path, noted: Sequence[str] = ()) -> None:
        self.files, self.folder = files, folder
        self.asked: list[str] = []
        self.store = SimpleNamespace(noted=lambda url: url if url in noted else None)

    def read(self, url: str, *, max_bytes: int) -> bytes:
        self.asked.append(url)
        assert max_bytes > 0
        if url not in self.files:
            raise AbsentFileError("it is not there", url=url)
        return self.files[url]

    def obtain(
        self,
        urls: Sequence[str],
        *,
        sha256: str | None,
        max_bytes: int,
        looks_wrong: LooksWrong,
    ) -> Fetched:
        assert max_bytes > 0
        for url in urls:
            self.asked.append(url)
            if url not in self.files:
                continue
            found = hashlib.sha256(self.files[url]).hexdigest()
            if sha256 is not None and sha256 != found:
                raise WrongSumError("other bytes came", url=url)
            path = self.folder / found
            path.write_bytes(self.files[url])
            if why := looks_wrong(path):
                raise FetchError(f"what came is not the file: {why}", url=url)
            return Fetched(path, found, len(self.files[url]), url)
        raise AbsentFileError("it is not there", url=urls[0])


@pytest.fixture(autouse=True)
def an_amd64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def plan(version: str = VERSION, base: str = "debian-12") -> Plan:
    services = Services(rstudio_server=RstudioServer(version=version))
    return shiny_plan().model_copy(update={"services": services, "base": load_bases()[base]})


def fetched(wanted: Plan, server: Any) -> tuple[Materials, list[str]]:
    told: list[str] = []
    return obtain(wanted, server, told.append), told


def index(url: str, data: bytes) -> bytes:
    sha256 = hashlib.sha256(data).hexdigest()
    installer = {"jammy": {"url": url, "sha256": sha256, "version": VERSION}}
    server = {"server": {"installer": installer}}
    return json.dumps({"rstudio": {"open_source": {"stable": server}}}).encode()


@pytest.mark.parametrize(
    ("suite", "folders"),
    [
        ("bullseye", ["focal"]),
        ("bookworm", ["jammy"]),
        ("jammy", ["jammy"]),
        ("trixie", ["jammy", "noble"]),
        ("noble", ["jammy", "noble"]),
    ],
)
def test_a_build_for_the_openssl_of_the_base(suite: str, folders: list[str]) -> None:
    name = "rstudio-server-2024.12.0-467-arm64.deb"
    wanted = tuple(f"{PLACE}/{folder}/arm64/{name}" for folder in folders)
    assert deb_urls(VERSION, suite, "arm64") == wanted


def test_an_old_version_is_trusted_once_and_that_is_said(tmp_path: Path) -> None:
    data = deb(more="Depends: psmisc, libedit2 (>= 3), libssl1.1 | libssl3, sudo\n")
    found, told = fetched(plan(), ServerInMemory({JAMMY: data}, tmp_path))
    (file,) = found.files
    sha256 = hashlib.sha256(data).hexdigest()
    assert (file.kind, file.version, file.sha256, file.url) == ("rstudio", VERSION, sha256, JAMMY)
    assert file.file_name == "rstudio-server-2024.12.0-467-amd64.deb"
    assert found.debian_packages == ("libedit2", "psmisc", "sudo")
    assert len(told) == 1
    assert sha256 in told[0]


def test_a_published_checksum_counts(tmp_path: Path) -> None:
    data = deb()
    good = ServerInMemory({JAMMY: data, INDEX_URL: index(JAMMY, data)}, tmp_path)
    assert fetched(plan(), good)[1] == []
    bad = ServerInMemory({JAMMY: deb(more="X: y\n"), INDEX_URL: index(JAMMY, data)}, tmp_path)
    with pytest.raises(WrongSumError):
        fetched(plan(), bad)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"rstudio": 1}', b"not json"])
def test_an_index_that_says_nothing_of_use(tmp_path: Path, content: bytes) -> None:
    server = ServerInMemory({JAMMY: deb(), INDEX_URL: content}, tmp_path)
    found, told = fetched(plan(), server)
    assert found.files
    assert told


def test_what_the_store_knows_needs_no_index(tmp_path: Path) -> None:
    server = ServerInMemory({JAMMY: deb()}, tmp_path, noted=[JAMMY])
    assert fetched(plan(), server)[1] == []
    assert server.asked == [JAMMY]


def test_a_version_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(BoxError, match=r"no RStudio Server 2024\.12\.0\+467 for debian-12"):
        fetched(plan(), ServerInMemory({}, tmp_path))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>sign in first</html>", "it is no Debian package"),
        (deb(name="shiny-server"), "it is shiny-server 2024.12.0+467"),
        (deb(version="2024.12.0+4670"), "it is rstudio-server 2024.12.0+4670"),
        (deb(), ""),
        (deb(version=f"{VERSION}+ours1"), ""),
    ],
)
def test_whether_a_file_is_the_package(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "file.deb"
    path.write_bytes(data)
    assert why_wrong(path, VERSION, "amd64") == why
    assert needs_of(path) == ()


def test_a_package_of_another_architecture(tmp_path: Path) -> None:
    path = tmp_path / "file.deb"
    path.write_bytes(deb())
    assert why_wrong(path, VERSION, "arm64") == "it is for amd64, and this host is arm64"


def test_a_box_without_it_fetches_nothing(tmp_path: Path) -> None:
    server = ServerInMemory({}, tmp_path)
    assert fetched(shiny_plan(), server) == (Materials(), [])
    assert server.asked == []
