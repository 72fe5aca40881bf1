"""PACKAGES and DESCRIPTION, and versions as R compares them."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.materials.packages.dcf import BrokenRecordsError, first_record, records, unpacked
from sandbox.materials.packages.index import Index
from sandbox.materials.packages.versions import Requirement, Version, requirements


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("1.2", "1.2.0"),
        ("1.2-3", "1.2.4"),
        ("0.9", "0.10"),
        ("1.5-4.1", "1.6-0"),
        ("2024.1.1", "2024.02.0"),
        ("1", "1.0"),
    ],
)
def test_versions_are_compared_by_their_numbers(low: str, high: str) -> None:
    assert Version(low) < Version(high)
    assert Version(high) >= Version(low)


def test_a_dash_is_a_dot() -> None:
    assert Version("1.5-4") == Version("1.5.4")
    assert hash(Version("1.5-4")) == hash(Version("1.5.4"))
    assert Version("4.2.2").minor == "4.2"


@pytest.mark.parametrize("text", ["", "1.", "1..2", "a", "1.2a", "-1", "1.2 ", "1.2-rc1", "٣.1"])
def test_what_r_does_not_take_for_a_version(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        Version(text)


def test_needs_of_all_forms() -> None:
    found = requirements("R (>= 3.5), methods", " Matrix(>=1.5-0) ,\n", "", "x.y ( == 1.0 )")
    assert [str(one) for one in found] == [
        "R (>= 3.5)",
        "methods",
        "Matrix (>= 1.5-0)",
        "x.y (== 1.0)",
    ]


@pytest.mark.parametrize("text", ["foo (~ 1.0)", "(>= 1)", "a b", "foo >= 1", "foo (>= 1"])
def test_what_is_no_need_is_left_out(text: str) -> None:
    assert Requirement.of(text) is None


def test_a_version_that_r_cannot_read_meets_nothing() -> None:
    assert not Requirement("a", ">=", "1.0").holds("one")
    assert Requirement("a").holds("one")


def test_values_over_several_lines_and_odd_lines() -> None:
    text = (
        "Package: a\r\nDepends: R,\r\n  b,\r\n\tc\r\nno colon here\r\n goes nowhere\r\n"
        "\r\n\r\nPackage: b\r\n"
    )
    assert list(records(text)) == [{"Package": "a", "Depends": "R, b, c"}, {"Package": "b"}]


def test_latin1_and_a_byte_order_mark() -> None:
    assert first_record(b"\xef\xbb\xbfPackage: a\n") == {"Package": "a"}
    assert first_record("Author: J\xf6rg\n".encode("latin-1")) == {"Author": "J\xf6rg"}
    assert first_record(b"") == {}


def test_compressed_data_that_is_cut_off_or_too_much() -> None:
    data = gzip.compress(b"Package: a\n" * 1000)
    assert unpacked(data).startswith(b"Package")
    with pytest.raises(BrokenRecordsError, match="damaged"):
        unpacked(data[:-9])
    with pytest.raises(BrokenRecordsError, match="larger than"):
        unpacked(data, max_bytes=100)


INDEX = b"""Package: a
Version: 1.0
Depends: R (>= 3.5)

Package: a
Version: 2.0
Depends: R (>= 4.4)

Package: strange
Version: two

Package: Matrix
Version: 1.5-1
Path: 4.2.0/Recommended
"""


def test_the_newest_version_that_runs_on_this_r() -> None:
    index = Index.of(gzip.compress(INDEX))
    assert len(index) == 2
    for r, version in (("4.2.2", "1.0"), ("4.4.0", "2.0")):
        found = index.newest("a", r)
        assert found is not None
        assert found.version == version
    assert index.newest("a", "3.4.0") is None
    assert index.versions("Matrix")[0].file == "4.2.0/Recommended/Matrix_1.5-1.tar.gz"
    assert index.nearest("matrx") == "Perhaps you meant `Matrix`?"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for record in records(text):
        assert record
        assert all(" " not in key for key in record)
