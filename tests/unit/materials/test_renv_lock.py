"""renv.lock of all formats; what is wrong is told at its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BoxError
from sandbox.materials.packages.renv_lock import RenvLock, read_renv_lock
from sandbox.materials.packages.repositories import Repository, Target
from sandbox.materials.packages.wishes import from_lock

TARGET = Target("bookworm", "x86_64", "4.2.2")
R = {
    "Version": "4.2.2",
    "Repositories": [{"Name": "CRAN", "URL": "https://c.example/cran/2024-06-13"}],
}


def read(tmp_path: Path, said: Any) -> RenvLock:
    path = tmp_path / "renv.lock"
    path.write_text(said if isinstance(said, str) else json.dumps(said, indent=2))
    return read_renv_lock(path)


def package(name: str, **fields: Any) -> dict[str, Any]:
    return {name: {"Package": name, "Version": "1.0", "Source": "Repository", **fields}}


def test_format_1(tmp_path: Path) -> None:
    record = package("ab", Repository="CRAN", Requirements=["b", "R"], Hash="abc")
    (found,) = read(tmp_path, {"R": R, "Packages": record}).packages
    assert (found.name, found.version, found.source) == ("ab", "1.0", "Repository")
    assert [one.name for one in found.needs] == ["b", "R"]
    assert found.fields["Hash"] == "abc"


def test_format_2_and_fields_that_nobody_knows(tmp_path: Path) -> None:
    record = package(
        "ab", Imports=["b (>= 1.2)"], Title="A\nB", NewThing="x", Odd={"a": 1}, Config=True
    )
    lock = read(tmp_path, {"R": R, "Packages": record, "Extra": [1]})
    assert str(lock.packages[0].needs[0]) == "b (>= 1.2)"
    assert lock.packages[0].fields["NewThing"] == "x"
    assert lock.packages[0].fields["Title"] == "A B"
    assert lock.place(lock.packages[0]).endswith("renv.lock:12")


def test_a_lock_of_renv_0(tmp_path: Path) -> None:
    said = {
        "R": {"Version": "4.2.0", "Repositories": {"CRAN": "https://c.example/cran/"}},
        "Packages": package("ab", Source="CRAN"),
    }
    lock = read(tmp_path, said)
    assert lock.repositories == (("CRAN", "https://c.example/cran"),)
    assert lock.packages[0].source == "Repository"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{", "renv.lock:1: it is not JSON"),
        ("{\n<<<<<<< HEAD\n}", "git left a conflict in it"),
        ("[]", "this is no renv.lock"),
        ({"R": R}, "it has no map `Packages`"),
        ({"R": {}, "Packages": {}}, "the version of R is missing"),
        ({"R": {**R, "Version": "4.2.2\n"}, "Packages": {}}, "the version of R is missing"),
        ({"R": R, "Packages": package("ab", Source="Git Hub")}, "there is no source `Git Hub`"),
        ({"R": R, "Packages": package("ab", Version="1.x")}, "Packages.ab: `1.x` is not a version"),
        ({"R": R, "Packages": package("ab", Version="")}, "its version is missing"),
        (
            {"R": R, "Packages": package("ab", Package="b")},
            "the record is called `ab`, and is of `b`",
        ),
        ({"R": R, "Packages": {"../x": {}}}, "this is no record of an R package"),
        ({"R": R, "Packages": {"ab": "1.0"}}, "this is no record of an R package"),
        (
            {"R": R, "Packages": package("ab", Source="Bioconductor")},
            "does not say which release",
        ),
        (
            {
                "R": {**R, "Repositories": [{"Name": "a", "URL": "ftp://me:secret@x"}]},
                "Packages": {},
            },
            "this is no URL of a repository",
        ),
        (
            '{"R": {"Version": "4.2.2"}, "Packages": {\n'
            '"ab": {"Version": "1"},\n"ab": {"Version": "2"}}}',
            "renv.lock:3: Packages: `ab` is there twice",
        ),
    ],
)
def test_what_is_wrong_with_a_lock(tmp_path: Path, said: Any, expected: str) -> None:
    with pytest.raises(BoxError) as caught:
        read(tmp_path, said)
    assert expected in caught.value.details
    assert "secret" not in caught.value.details


def urls(tmp_path: Path, record: dict[str, Any], **more: Any) -> list[str]:
    lock = read(tmp_path, {"R": R, "Packages": record, "Bioconductor": {"Version": "3.16"}})
    (wish,) = from_lock(lock, TARGET, instead=None, takes_binaries=True, **more).wishes
    return [url for way in wish.ways for url in way.urls]


def test_the_ways_to_a_package_of_a_dated_repository(tmp_path: Path) -> None:
    base = "https://c.example/cran"
    file = "ab_1.0.tar.gz"
    assert urls(tmp_path, package("ab", Repository="RSPM")) == [
        f"{base}/2024-06-13/bin/linux/bookworm-x86_64/4.2/src/contrib/{file}",
        f"{base}/__linux__/bookworm/2024-06-13/src/contrib/{file}?r_version=4.2&arch=x86_64",
        f"{base}/__linux__/bookworm/2024-06-13/src/contrib/{file}",
        f"{base}/2024-06-13/src/contrib/{file}",
        f"{base}/latest/src/contrib/{file}",
        f"{base}/src/contrib/{file}",
        f"{base}/2024-06-13/src/contrib/Archive/ab/{file}",
        f"{base}/latest/src/contrib/Archive/ab/{file}",
        f"{base}/src/contrib/Archive/ab/{file}",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"Source": "GitHub", "RemoteUsername": "o", "RemoteRepo": "r", "RemoteSha": "a" * 40},
            f"https://codeload.github.com/o/r/tar.gz/{'a' * 40}",
        ),
        (
            {
                "Source": "GitHub",
                "RemoteHost": "ghe.example/api/v3",
                "RemoteUsername": "o",
                "RemoteRepo": "r",
                "RemoteSha": "a" * 40,
            },
            f"https://ghe.example/api/v3/repos/o/r/tarball/{'a' * 40}",
        ),
        (
            {"Source": "GitLab", "RemoteUsername": "g/s", "RemoteRepo": "r", "RemoteSha": "b" * 40},
            "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/archive.tar.gz?sha="
            + "b" * 40,
        ),
        (
            {"Source": "git", "RemoteUrl": "git@github.com:o/r.git", "RemoteSha": "c" * 40},
            f"https://codeload.github.com/o/r/tar.gz/{'c' * 40}",
        ),
        (
            {"Source": "url", "RemoteUrl": "https://x.example/ab_1.0.tar.gz"},
            "https://x.example/ab_1.0.tar.gz",
        ),
        (
            {"Source": "Bioconductor"},
            "https://bioconductor.org/packages/3.16/bioc/src/contrib/ab_1.0.tar.gz",
        ),
    ],
)
def test_the_first_address_of_each_source(
    tmp_path: Path, fields: dict[str, str], expected: str
) -> None:
    assert urls(tmp_path, package("ab", **fields))[0] == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Source": "Local"}, "its source is Local"),
        ({"Source": "unknown"}, "its source is unknown"),
        ({"Source": "GitHub", "RemoteUsername": "o", "RemoteRepo": "r"}, "no RemoteSha"),
        (
            {"Source": "GitHub", "RemoteUsername": "o", "RemoteRepo": "r", "RemoteSha": "main"},
            "a branch or tag can move",
        ),
        (
            {
                "Source": "GitHub",
                "RemoteUsername": "../o",
                "RemoteRepo": "r",
                "RemoteSha": "a" * 40,
            },
            "no RemoteUsername",
        ),
        (
            {
                "Source": "GitHub",
                "RemoteHost": "evil.example/x?",
                "RemoteUsername": "o",
                "RemoteRepo": "r",
                "RemoteSha": "a" * 40,
            },
            "its RemoteHost is not the name of a host",
        ),
        (
            {"Source": "git", "RemoteUrl": "ssh://git@git.intern/r", "RemoteSha": "a" * 40},
            "git server",
        ),
        ({"Source": "url", "RemoteUrl": "file:///etc/passwd"}, "no RemoteUrl that can be fetched"),
    ],
)
def test_records_without_an_address(tmp_path: Path, fields: dict[str, str], expected: str) -> None:
    lock = read(tmp_path, {"R": R, "Packages": package("ab", **fields)})
    ((_, why),) = from_lock(lock, TARGET, instead=None, takes_binaries=True).local
    assert expected in why


@pytest.mark.parametrize(
    ("url", "date", "base", "snapshot"),
    [
        ("https://p.example/cran", None, "https://p.example/cran", ""),
        ("https://p.example/cran/", "2024-06-13", "https://p.example/cran", "2024-06-13"),
        ("https://p.example/cran/2024-01-01", None, "https://p.example/cran", "2024-01-01"),
        ("https://p.example/cran/2024-01-01", "2024-06-13", "https://p.example/cran", "2024-06-13"),
        ("https://p.example/cran/latest/", None, "https://p.example/cran", "latest"),
        (
            "https://p.example/cran/__linux__/jammy/2024-01-01",
            None,
            "https://p.example/cran",
            "2024-01-01",
        ),
        ("https://p.example/cran/__linux__/jammy/latest", None, "https://p.example/cran", "latest"),
        ("https://p.example/2024/cran", None, "https://p.example/2024/cran", ""),
        (
            "https://p.example/cran/latest/bin/linux/noble-x86_64/4.5",
            None,
            "https://p.example/cran",
            "latest",
        ),
    ],
)
def test_addresses_of_repositories(url: str, date: str | None, base: str, snapshot: str) -> None:
    assert Repository.of(url, date) == Repository(base, snapshot)
