"""The list of packages that a machine's apt would download."""

import pytest

from sandbox.materials.debs import WantedDeb, question, wanted_debs

SUM = "ab" * 32
LINE = (
    "'http://mirror.example/debian/pool/main/r/r-base/r-base-core_4.2.2-2_amd64.deb' "
    f"r-base-core_4.2.2-2_amd64.deb 25000000 SHA256:{SUM}"
)


def test_each_package_with_its_checksum() -> None:
    wanted = WantedDeb(
        url="http://mirror.example/debian/pool/main/r/r-base/r-base-core_4.2.2-2_amd64.deb",
        name="r-base-core_4.2.2-2_amd64.deb",
        size_bytes=25_000_000,
        sha256=SUM,
    )
    assert wanted_debs(f"\n{LINE}\n") == (wanted,)


def test_an_epoch_in_the_files_name() -> None:
    line = f"'http://m.example/p/x_1.2_all.deb' x_1%3a1.2_all.deb 7 SHA256:{SUM}"
    assert [one.name for one in wanted_debs(line)] == ["x_1%3a1.2_all.deb"]


@pytest.mark.parametrize(
    "line",
    [
        f"'file:/srv/debs/x.deb' x.deb 7 SHA256:{SUM}",
        f"'mirror+file:/etc/m/x.deb' x.deb 7 SHA256:{SUM}",
        f"'https://user:word@m.example/x.deb' x.deb 7 SHA256:{SUM}",
        f"'http://m.example/x.deb' ../../etc/x.deb 7 SHA256:{SUM}",
        f"'http://m.example/x.deb' /x.deb 7 SHA256:{SUM}",
        "'http://m.example/x.deb' x.deb 7 MD5Sum:0123456789abcdef0123456789abcdef",
        "'http://m.example/x.deb' x.deb 7 ",
        f"'http://m.example/\x1b[31m.deb' x.deb 7 SHA256:{SUM}",
        "E: Unable to locate package nothing",
    ],
)
def test_all_else_is_left_to_the_machine(line: str) -> None:
    assert wanted_debs(f"{line}\n{LINE}") == wanted_debs(LINE)


def test_a_package_is_a_word_and_never_an_option() -> None:
    asked = question(["r-base-core", "x; reboot"])
    assert "install -- r-base-core 'x; reboot'" in asked
