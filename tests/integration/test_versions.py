"""Versions are compared as dpkg and R themselves compare them."""

import shutil
import subprocess

import pytest

from sandbox.facts.versions import compare_versions
from tests.conftest import cannot_run

DPKG_PAIRS = [
    ("1:2.3-1", "1.2.3-1"),
    ("1.0~rc1", "1.0"),
    ("1.0~~", "1.0~"),
    ("1.0a", "1.0+"),
    ("1.0-1", "1.0-1.1"),
    ("1.0-1+b2", "1.0-1+b10"),
    ("0.9.10", "0.9.9"),
    ("1.0.0", "1.0"),
    ("01.0", "1.0"),
    ("1.2.3-1ubuntu0.22.04.1", "1.2.3-1ubuntu0.22.04.10"),
]
R_PAIRS = [("1.7-4", "1.7.4"), ("1.10", "1.9"), ("1.0", "1.0.0"), ("0.0.1-9", "0.0.1.10")]


@pytest.mark.parametrize(("a", "b"), DPKG_PAIRS)
def test_dpkg(a: str, b: str) -> None:
    if shutil.which("dpkg") is None:
        cannot_run("there is no dpkg: only Debian and its like have it")

    def says(relation: str) -> bool:
        done = subprocess.run(["dpkg", "--compare-versions", a, relation, b], check=False)
        return done.returncode == 0

    assert compare_versions(a, b, "dpkg") == int(says("gt")) - int(says("lt"))


def test_r() -> None:
    if shutil.which("Rscript") is None:
        cannot_run("R is not installed: tools/prepare.sh --test brings it")
    calls = "; ".join(f"cat(compareVersion('{a}', '{b}'), '')" for a, b in R_PAIRS)
    said = subprocess.run(
        ["Rscript", "--vanilla", "-e", calls], check=True, capture_output=True, text=True
    ).stdout
    assert [compare_versions(a, b, "r") for a, b in R_PAIRS] == [int(one) for one in said.split()]
