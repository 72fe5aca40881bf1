from pathlib import Path

import paramiko
import pytest

from sandbox.capture.host_keys import known_keys

KEY = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()


def _line(names: str, key: paramiko.PKey = KEY, *, marker: str = "") -> str:
    return f"{marker} {names} {key.get_name()} {key.get_base64()} a comment\n".lstrip()


def _file(folder: Path, *lines: str) -> list[Path]:
    path = folder / "known_hosts"
    path.write_text("".join(lines))
    return [folder / "not-there", path]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("prod", "prod"),
        ("PROD.example.org", "prod.example.org"),
        ("other,prod,10.0.0.5", "10.0.0.5"),
        ("[prod]:2222", "[prod]:2222"),
        ("*.example.org", "r.example.org"),
        ("10.0.?.5", "10.0.7.5"),
        ("[*.example.org]:2222", "[r.example.org]:2222"),
        (paramiko.HostKeys.hash_host("prod"), "prod"),
    ],
)
def test_a_host_is_found_as_ssh_finds_it(tmp_path: Path, names: str, wanted: str) -> None:
    found = known_keys(_file(tmp_path, _line("else", OTHER), _line(names)), wanted)
    assert [key.asbytes() for key in found.good] == [KEY.asbytes()]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("prod", "[prod]:2222"),
        ("[prod]:2222", "prod"),
        ("*.example.org,!test.example.org", "test.example.org"),
        ("[abc]", "a"),
        ("|1|broken|", "prod"),
        (paramiko.HostKeys.hash_host("other"), "prod"),
    ],
)
def test_and_no_other(tmp_path: Path, names: str, wanted: str) -> None:
    assert known_keys(_file(tmp_path, _line(names)), wanted).good == ()


def test_lines_with_a_marker_are_no_keys_of_the_host(tmp_path: Path) -> None:
    files = _file(
        tmp_path, _line("*", OTHER, marker="@revoked"), _line("*", marker="@cert-authority")
    )
    found = known_keys(files, "prod")
    assert found.good == ()
    assert found.revoked == {OTHER.asbytes()}
    assert found.by_authority


def test_what_is_broken_says_nothing(tmp_path: Path) -> None:
    files = _file(
        tmp_path, "# prod ssh-rsa AAAA\n", "prod ssh-rsa\n", "prod ssh-rsa !!!\n",
        "prod ssh-new AAAA\n", "prod ecdsa-sha2-nistp256 AAAA\n", "\n", _line("prod"),
    )  # fmt: skip
    assert len(known_keys(files, "prod").good) == 1
