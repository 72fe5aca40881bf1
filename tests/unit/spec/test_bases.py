"""The bases: each file is a valid base, and R versions are compared by their parts."""

from pathlib import Path

import pytest

from sandbox.paths import data_dir
from sandbox.spec.bases import gives_r, load_base, load_bases
from sandbox.spec.problem import InvalidBoxError


def test_the_bases_we_ship() -> None:
    assert {name: base.r_version for name, base in load_bases().items()} == {
        "debian-11": "4.0.4",
        "debian-12": "4.2.2",
        "debian-13": "4.5.0",
        "ubuntu-22.04": "4.1.2",
        "ubuntu-24.04": "4.3.3",
    }
    assert [base.name for base in load_bases().values()] == list(load_bases())


def test_a_wrong_base_file_stands_in_nobodys_way_who_does_not_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text((data_dir("boxes") / "_base" / "debian-12.yml").read_text())
    (tmp_path / "wrong.yml").write_text("version: 1\n")
    bases = load_bases(tmp_path)
    assert list(bases) == ["good", "wrong"]
    assert len(bases) == 2
    assert bases["good"].suite == "bookworm"
    assert bases.get("other") is None
    with pytest.raises(InvalidBoxError, match="wrong"):
        bases["wrong"]


@pytest.mark.parametrize(
    ("wanted", "given"), [("4.2", True), ("4.2.2", True), ("4.20", False), ("4.2.1", False)]
)
def test_an_r_version_is_compared_by_its_parts(wanted: str, *, given: bool) -> None:
    assert gives_r(load_bases()["debian-12"], wanted) is given


def test_a_wrong_base_file_says_where(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("version: 1\nname: x\nsuit: y\n")
    with pytest.raises(InvalidBoxError) as caught:
        load_base(path)
    assert "suit: unknown key `suit`. Perhaps you meant `suite`?" in caught.value.details
