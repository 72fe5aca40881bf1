import base64
from pathlib import Path

import pytest

from sandbox import ssh
from sandbox.errors import CommandError
from sandbox.paths import runtime_dir, ssh_word
from sandbox.ssh import SshTarget, disconnect, has_whole_key


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


def _write_pair(folder: Path, public: bytes, within: bytes, *, mode: int = 0o600) -> None:
    half = base64.b64encode(public).decode()
    (folder / "id_ed25519.pub").write_text(f"ssh-ed25519 {half} sandbox-x\n", encoding="utf-8")
    body = base64.encodebytes(b"openssh-key-v1\0none" + within + b"secret").decode()
    private = folder / "id_ed25519"
    kind = "OPENSSH PRIVATE KEY"
    private.write_text(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n", encoding="utf-8")
    private.chmod(mode)


def test_a_login_key_is_whole_when_both_halves_belong_together(tmp_path: Path) -> None:
    assert not has_whole_key(tmp_path)
    _write_pair(tmp_path, b"the public half", b"the public half")
    assert has_whole_key(tmp_path)
    (tmp_path / "id_ed25519.pub").unlink()
    assert not has_whole_key(tmp_path)


@pytest.mark.parametrize("damage", ["another key", "others may read it", "cut", "empty", "no text"])
def test_a_login_key_that_ssh_would_not_take_is_none(tmp_path: Path, damage: str) -> None:
    _write_pair(tmp_path, b"the public half", b"the public half")
    private = tmp_path / "id_ed25519"
    match damage:
        case "another key":
            _write_pair(tmp_path, b"the public half", b"a half of another")
        case "others may read it":
            private.chmod(0o644)
        case "cut":
            private.write_bytes(private.read_bytes()[:50])
        case "empty":
            private.write_bytes(b"")
        case _:
            private.write_bytes(b"\xff\xfe")
    assert not has_whole_key(tmp_path)
