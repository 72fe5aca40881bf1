"""SystemRequirements, and the packages of Debian that they mean."""

import json
import re
from pathlib import Path

import pytest

from sandbox.materials import sysreqs
from sandbox.materials.sysreqs.rules import build_tools, matching, without_package


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ("C++17", set()),
        ("libcurl: libcurl-devel (rpm) ", {"libcurl4-openssl-dev"}),
        ("LIBXML2 and OpenSSL >= 1.0.2", {"libxml2-dev", "libssl-dev"}),
        ("Cargo (Rust's package manager), rustc", {"cargo", "rustc"}),
        ("GNU Scientific Library (GSL)", {"libgsl-dev"}),
        ("nlopt", {"libnlopt-dev"}),
        ("GDAL (>= 2.0.1), GEOS (>= 3.4.0), PROJ", None),
    ],
)
def test_all_rules_that_match(text: str, expected: set[str] | None) -> None:
    found = matching(text, "debian", "12")
    if expected is None:
        assert {"libgdal-dev", "libgeos-dev", "libproj-dev"} <= found
    else:
        assert found == expected


def test_another_release_has_other_packages() -> None:
    assert matching("pandoc-citeproc", "debian", "11") == {"pandoc"}
    assert matching("openssl", "ubuntu", "24.04") == {"libssl-dev"}
    assert matching("openssl", "plan9", "4") == frozenset()


def test_a_need_without_a_package_is_known_as_one() -> None:
    assert without_package("CUDA toolkit", "debian", "12") == ("cuda",)
    assert without_package("openssl", "debian", "12") == ()


def test_no_rule_of_our_releases_runs_a_command_and_no_package_is_a_word_for_a_shell() -> None:
    folder = Path(sysreqs.__file__).parent
    rules = json.loads((folder / "rules.json").read_text("utf-8"))
    assert len(rules) > 130
    assert "MIT License" in (folder / "LICENSE").read_text("utf-8")
    assert "61f151593bd0cfdb365a5a0d75bbc9e5715d5443" in (folder / "SOURCE.md").read_text("utf-8")
    everything = " ".join(
        re.sub(r"\\\\?b|\\", "", p) for r in rules.values() for p in r["patterns"]
    )
    for distribution, release in (
        *(("debian", one) for one in ("11", "12", "13")),
        *(("ubuntu", one) for one in ("22.04", "24.04")),
    ):
        found = matching(everything, distribution, release)
        assert len(found) > 60
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", one) for one in found)
        assert not {"libgsl0-dev", "libxslt-dev", "libgpgme11-dev"} & found


def test_what_compiling_needs() -> None:
    assert build_tools(is_debians_r=True) == {"r-base-dev"}
    assert {"make", "gfortran", "g++"} <= build_tools(is_debians_r=False)
