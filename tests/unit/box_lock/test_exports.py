"""A lock as others read it: an renv.lock that our own reader takes, and a CycloneDX document."""

import json
from pathlib import Path

import pytest

from sandbox.box_lock.cyclonedx import cyclonedx
from sandbox.box_lock.renv import renv_lock
from sandbox.errors import UsageError
from sandbox.materials.packages.renv_lock import read_renv_lock
from tests.unit.box_lock.made import deb, machine, r_package

GITHUB = (
    ("RemoteHost", "api.github.com"),
    ("RemoteRepo", "gh"),
    ("RemoteSha", "1" * 40),
    ("RemoteType", "github"),
    ("RemoteUsername", "owner"),
)
BIOC = "https://bioconductor.org/packages/3.19/bioc/src/contrib/limma_3.60.0.tar.gz"


def test_an_renv_lock_is_what_our_reader_reads(tmp_path: Path) -> None:
    files = (
        r_package("ab"),
        r_package("gh", remote=GITHUB),
        r_package("limma", "3.60.0", url=BIOC),
        r_package("other", r="4.4.1"),
    )
    path = tmp_path / "renv.lock"
    path.write_text(
        renv_lock(
            machine(files=files),
            "4.2.2",
            repository="https://p.example/cran",
            date="2024-06-13",
        )
    )
    lock = read_renv_lock(path)
    assert lock.r_version == "4.2.2"
    assert lock.repositories == (("CRAN", "https://p.example/cran/2024-06-13"),)
    assert lock.bioconductor == "3.19"
    sources = {one.name: (one.version, one.source) for one in lock.packages}
    assert sources == {
        "ab": ("1.0", "Repository"),
        "gh": ("1.0", "GitHub"),
        "limma": ("3.60.0", "Bioconductor"),
    }
    assert dict(lock.packages[1].remote)["RemoteSha"] == "1" * 40


@pytest.mark.parametrize(
    ("files", "expected"),
    [((), "it has none, or Debian's own"), ((r_package("own", url="packages/own"),), "own: from")],
)
def test_what_renv_cannot_have(files: tuple[object, ...], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        renv_lock(machine(files=files), "4.2.2")


def test_a_bill_of_materials() -> None:
    files = (r_package("ab"), r_package("gh", remote=GITHUB))
    debs = (deb("jq", "1:1.0+x-1"), deb("perl", "5.36.0-8"))
    one = machine(files=files, debs=debs)
    text = cyclonedx(one, name="sales", release="debian-12")
    assert text == cyclonedx(one, name="sales", release="debian-12")
    said = json.loads(text)
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    purls = {part.get("purl"): part for part in said["components"]}
    assert purls.keys() == {
        None,
        "pkg:deb/debian/jq@1:1.0%2Bx-1?arch=amd64&distro=debian-12",
        "pkg:deb/debian/perl@5.36.0-8?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libjq1@1.0-1?arch=amd64&distro=debian-12",
        "pkg:cran/ab@1.0",
        f"pkg:github/owner/gh@{'1' * 40}",
    }
    assert purls["pkg:cran/ab@1.0"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]


def test_it_is_a_valid_document() -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion

    text = cyclonedx(machine(), name="sales", release="debian-12")
    assert validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
