"""Capture over real ssh, from servers that behave and from servers that do not."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from sandbox.capture import ssh_settings
from sandbox.capture.read import read_host
from sandbox.capture.ssh_settings import settings_of
from sandbox.errors import HostError
from sandbox.events import ignore
from sandbox.facts.making import Room
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import RInstallations
from sandbox.workflows.capture import capture
from tests.conftest import cannot_run
from tests.integration.ssh_lab import lab, run_shell

PATIENT_S = 240.0
"""A busy machine takes its time; what is tested here is not how long."""
Behave = Callable[[paramiko.Channel, str], None]
_FINDS_NO_R = """\
sed -u -e 's|"$1" /usr/bin/R /usr/local/bin/R .*|"$1" \\\\|' \\
    -e 's/command -v R/command -v no-R/g' | sh -s
"""
WITHOUT_R = run_shell("/bin/sh", "-c", _FINDS_NO_R, "sh")
"""For the road to a server: asking R takes most of the time that a probe takes."""


def test_one_session_and_complete_facts(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        facts = read_host("prod", config=its.config, timeout_s=PATIENT_S)
        assert (its.connections, its.commands) == (1, ["sh -s"])
    assert facts[Identity].hostname == os.uname().nodename
    assert facts[Os].kernel == os.uname().release
    assert facts.probe.taken_at


def test_a_banner_and_a_chatty_profile_are_only_noise(tmp_path: Path) -> None:
    noise = b"*** authorised staff only ***\r\nlast login: yesterday\n\x1b[31mred\x1b[0m"
    with lab(tmp_path, run_shell("/bin/sh", before=noise)) as its:
        assert (
            read_host("prod", config=its.config, timeout_s=PATIENT_S)[Identity].hostname
            == os.uname().nodename
        )


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "csh", "zsh", "busybox"])
def test_every_login_shell(tmp_path: Path, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        cannot_run(f"{shell} is not installed: tools/prepare.sh --test")
    argv = (path, "sh") if shell == "busybox" else (path,)
    with lab(tmp_path, run_shell(*argv)) as its:
        assert (
            read_host("prod", config=its.config, timeout_s=PATIENT_S)[Identity].hostname
            == os.uname().nodename
        )


def test_through_a_jump_host(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    with (
        lab(tmp_path / "far", WITHOUT_R) as far,
        lab(tmp_path / "near", WITHOUT_R) as near,
    ):
        text = near.config.read_text().replace("Host prod", "Host gate")
        far.config.write_text(
            far.config.read_text() + "  ProxyJump gate\n" + text.partition("none\n")[2]
        )
        facts = read_host("prod", config=far.config, timeout_s=PATIENT_S)
        assert near.forwarded == [("127.0.0.1", far.port)]
        assert near.commands == []
    assert facts[Identity].hostname == os.uname().nodename
    assert facts[RInstallations] == ()


def test_through_two_jump_hosts(tmp_path: Path) -> None:
    with (
        lab(_folder(tmp_path, "far"), WITHOUT_R) as far,
        lab(_folder(tmp_path, "inner"), WITHOUT_R) as inner,
        lab(_folder(tmp_path, "outer"), WITHOUT_R) as outer,
    ):
        hosts = [
            one.config.read_text().replace("Host prod", f"Host {name}").partition("none\n")[2]
            for name, one in (("inner", inner), ("outer", outer))
        ]
        # The port of what is named in a ProxyJump wins
        words = [one.replace("Port ", "Port 1\n  # ") for one in hosts]
        jumps = f"  ProxyJump outer:{outer.port},anna@inner:{inner.port}\n"
        far.config.write_text(far.config.read_text() + jumps + "".join(words))
        assert settings_of("prod", far.config).jumps[0] == f"outer:{outer.port}"
        read_host("prod", config=far.config, timeout_s=PATIENT_S)
        assert outer.forwarded == [("127.0.0.1", inner.port)]
        assert inner.forwarded == [("127.0.0.1", far.port)]


def _folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_a_proxy_command_is_the_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("WAY", "/dev/tcp")
    inner = 'exec 3<>"$WAY/$0/$1"; cat <&3 & exec cat >&3'
    with lab(tmp_path, WITHOUT_R) as its:
        its.configure(f"ProxyCommand bash -c '{inner}' %h \"%p\" 2>/dev/null # 100%%")
        facts = read_host("prod", config=its.config, timeout_s=PATIENT_S)
        assert its.connections == 1
    assert facts[Identity].hostname == os.uname().nodename


def test_a_proxy_command_may_hand_over_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    script = tmp_path / "hand over.py"
    script.write_text(
        "import socket, sys\n"
        "far = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "socket.send_fds(socket.socket(fileno=1), [b'x'], [far.fileno()])\n"
    )
    with lab(tmp_path, WITHOUT_R) as its:
        its.configure("ProxyUseFdpass yes", f"ProxyCommand {sys.executable} '{script}' %h %p")
        read_host("prod", config=its.config, timeout_s=PATIENT_S)
        assert its.connections == 1


@pytest.mark.parametrize(
    ("command", "words", "status"),
    [
        ("no-such-program %h %p", "no-such-program", "127"),
        ("sh -c 'echo the gate is shut: $0 >&2; exit 3' %h", "the gate is shut: 127.0.0.1", "3"),
    ],
    ids=["missing", "fails"],
)
def test_a_proxy_command_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, words: str, status: str
) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    started = time.monotonic()
    with lab(tmp_path, WITHOUT_R) as its:
        its.configure(f"ProxyCommand {command}")
        with pytest.raises(HostError, match="the ProxyCommand of prod failed") as caught:
            read_host("prod", config=its.config, timeout_s=30)
    assert words in caught.value.details
    assert f"exit status {status}" in caught.value.details
    assert time.monotonic() - started < 15


def test_a_shell_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", str(tmp_path / "none"))
    with lab(tmp_path, WITHOUT_R) as its:
        its.configure("ProxyCommand nc %h %p")
        with pytest.raises(HostError, match=r"cannot be run: .*none` is not there"):
            read_host("prod", config=its.config, timeout_s=30)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("place", ["beside", "named"])
def test_a_certificate(tmp_path: Path, kind: str, place: str) -> None:
    key = tmp_path / "a key"
    _keygen("-t", kind, "-N", "", "-f", str(key))
    _keygen("-t", "ed25519", "-N", "", "-f", str(tmp_path / "ca"))
    _keygen("-s", str(tmp_path / "ca"), "-I", "anna", "-n", "anna", f"{key}.pub")
    with lab(tmp_path, WITHOUT_R) as its:
        its.wants_certificate = True
        with pytest.raises(HostError, match="lets nobody in"):
            read_host("prod", config=its.config, timeout_s=PATIENT_S)
        its.configure(f'IdentityFile "{key}"')
        if place == "named":
            (tmp_path / "a key-cert.pub").rename(tmp_path / "by 100%.pub")
            its.configure(f'CertificateFile "{tmp_path}/by 100%%.pub"')
        read_host("prod", config=its.config, timeout_s=PATIENT_S)


def _keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, timeout=60)


def test_match_exec_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", str(tmp_path))
    with lab(tmp_path, WITHOUT_R) as its:
        (tmp_path / "id_ecdsa").rename(tmp_path / "100%anna")
        text = its.config.read_text().replace(f"Port {its.port}", "")
        text = text.replace(f"{tmp_path}/id_ecdsa", "${KEYS}/100%%%r")
        its.config.write_text(f'{text}Match exec "test %h = 127.0.0.1"\n  Port {its.port}\n')
        read_host("prod", config=its.config, timeout_s=PATIENT_S)


def test_match_exec_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_settings, "_ASK_S", 0.5)
    config = tmp_path / "config"
    config.write_text('Match exec "sleep 30"\n  Port 22\n')
    with pytest.raises(HostError, match="does not get through your configuration"):
        read_host("prod", config=config)


def _hangs(channel: paramiko.Channel, _: str) -> None:
    time.sleep(30)


def _refuses(channel: paramiko.Channel, _: str) -> None:
    channel.sendall(b"This account is currently not available.\n")
    channel.send_exit_status(1)
    channel.close()


def _babbles(channel: paramiko.Channel, _: str) -> None:
    # Until the other side has had enough: paramiko says either, as its threads happen to run
    with suppress(OSError, EOFError):
        while True:
            channel.sendall(b"y\n" * 32768)


@pytest.mark.parametrize(
    ("behave", "timeout_s", "message", "details"),
    [
        (_hangs, 2, "did not answer in time", "it had said nothing"),
        (run_shell("/bin/sh", limit=3000), 30, "was lost before the end", ""),
        (_refuses, 30, "does not run commands", "not available"),
        (_babbles, 20, "more than any probe would|in time", ""),
    ],
    ids=["hangs", "drops", "refuses", "babbles"],
)
def test_no_half_answer_and_no_half_file(
    tmp_path: Path, behave: Behave, timeout_s: float, message: str, details: str
) -> None:
    started = time.monotonic()
    (tmp_path / "out").mkdir()
    with lab(tmp_path, behave) as its, pytest.raises(HostError, match=message) as caught:
        capture(
            "prod", tmp_path / "out" / "prod.yml", Room(2, 2048), ignore,
            timeout_s=timeout_s, ssh_config=its.config,
        )  # fmt: skip
    assert details in caught.value.details
    assert list((tmp_path / "out").iterdir()) == []
    assert time.monotonic() - started < timeout_s + 10


def test_an_unknown_host_key_is_not_trusted(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh"), known=False) as its:
        with pytest.raises(HostError, match="host key of prod is not known") as caught:
            read_host("prod", config=its.config)
        assert its.commands == []
    assert "compare the fingerprint" in caught.value.hint


def test_a_changed_host_key_is_refused(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        other = paramiko.ECDSAKey.generate()
        (tmp_path / "known_hosts").write_text(
            f"[127.0.0.1]:{its.port} {other.get_name()} {other.get_base64()}\n"
        )
        with pytest.raises(HostError, match="another host key"):
            read_host("prod", config=its.config)
        assert its.commands == []


def test_a_revoked_host_key_is_refused(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        known = tmp_path / "known_hosts"
        known.write_text(known.read_text() + f"@revoked * {known.read_text().partition(' ')[2]}")
        with pytest.raises(HostError, match="revoked"):
            read_host("prod", config=its.config)
        assert its.commands == []


def test_keys_that_open_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "id_ecdsa"))
        with pytest.raises(HostError, match="lets nobody in") as caught:
            read_host("prod", config=its.config)
    assert "1 keys were tried as anna" in caught.value.details


def test_a_key_with_a_passphrase_says_so(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        key = paramiko.ECDSAKey.generate()
        (tmp_path / "id_ecdsa").unlink()
        key.write_private_key_file(str(tmp_path / "id_ecdsa"), password="geheim")
        with pytest.raises(HostError, match="lets nobody in") as caught:
            read_host("prod", config=its.config)
    assert "has a passphrase" in caught.value.details
    assert caught.value.hint.startswith("ssh-add ")


def test_nobody_there(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        config = its.config
    with pytest.raises(HostError, match="cannot connect"):
        read_host("prod", config=config)


def test_something_else_listens_there(tmp_path: Path) -> None:
    with lab(tmp_path, run_shell("/bin/sh")) as its, socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            sock, _ = web.accept()
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200)
            sock.close()

        threading.Thread(target=answer, daemon=True).start()
        port = web.getsockname()[1]
        text = its.config.read_text().replace(f"Port {its.port}", f"Port {port}")
        its.config.write_text(text)
        with pytest.raises(HostError, match="does not answer as an ssh server"):
            read_host("prod", config=its.config, timeout_s=20)


def test_a_full_disk_here_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(HostError, match="No space left"):
            capture(
                "prod", tmp_path / "out" / "prod.yml", Room(2, 2048), ignore,
                timeout_s=PATIENT_S, ssh_config=its.config,
            )  # fmt: skip
    assert list((tmp_path / "out").iterdir()) == []


def test_both_files_and_nobody_else_reads_them(tmp_path: Path) -> None:
    box = tmp_path / "prod.yml"
    with lab(tmp_path, run_shell("/bin/sh")) as its:
        done = capture(
            "prod", box, Room(2, 2048), ignore, timeout_s=PATIENT_S, ssh_config=its.config
        )
    assert (done.box_path, done.facts_path) == (box, tmp_path / "prod.facts.json")
    assert {path.stat().st_mode & 0o777 for path in (done.box_path, done.facts_path)} == {0o600}
