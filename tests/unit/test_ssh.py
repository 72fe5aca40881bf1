from pathlib import Path

import pytest

from sandbox import ssh
from sandbox.errors import CommandError
from sandbox.paths import runtime_dir, ssh_word
from sandbox.ssh import SshTarget, disconnect


@pytest.mark.parametrize("returncode", [None, 127], ids=["hangs", "no ssh"])
def test_a_shared_connection_that_cannot_be_ended_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, returncode: int | None
) -> None:
    asked: list[tuple[str, ...]] = []

    def fails(argv: tuple[str, ...], **_: object) -> None:
        asked.append(argv)
        raise CommandError("`ssh` did not end within 10 s", returncode=returncode)

    monkeypatch.setattr(ssh, "run", fails)
    disconnect(SshTarget("demo"))
    assert [argv[:3] for argv in asked] == [("ssh", "-O", "exit")]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/home/jö/a b", '"/home/jö/a b"'),
        ("/100%h/#1", '"/100%%h/#1"'),
        ("/it's $HOME", '"/it\'s $HOME"'),
    ],
)
def test_names_of_files_in_an_ssh_config(path: str, word: str) -> None:
    assert ssh_word(Path(path)) == word


def test_tokens_of_ssh_are_not_a_part_of_the_name() -> None:
    assert ssh_word(Path("/a%b"), tokens="/%C") == '"/a%%b/%C"'


def test_sockets_have_a_short_and_plain_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x" * 60, "a b", "ö"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        assert len(str(runtime_dir())) < 50
        assert not runtime_dir().is_relative_to(folder)
