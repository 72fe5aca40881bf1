"""`sandbox capture` of servers whose answers are damaged: facts, or a word; never a bug of ours."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from sandbox.errors import ExitCode
from sandbox.facts.facts import Facts
from tests.fuzz_answers import BOUNDARY, damaged, recorded
from tests.integration.ssh_lab import Lab, lab

ANSWERS = 40


def _answers(text: bytes) -> Callable[[paramiko.Channel, str], None]:
    """Read the probe to learn its boundary, and say something else than what it would."""

    def behave(channel: paramiko.Channel, _: str) -> None:
        with suppress(OSError, EOFError):
            sent = b""
            while b"\n" not in sent:
                sent += channel.recv(65536)
            boundary = sent.partition(b"B=")[2].partition(b"\n")[0]
            drain = threading.Thread(target=_drain, args=(channel,), daemon=True)
            drain.start()
            channel.sendall(text.replace(BOUNDARY.encode(), boundary))
            channel.send_exit_status(0)
            channel.close()

    return behave


def _drain(channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError):
        while channel.recv(65536):
            pass


def _capture(its: Lab, folder: Path, name: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "sandbox", "capture", "prod", "--timeout", "20"),
            *("--ssh-config", str(its.config), "-o", str(folder / f"{name}.yml")),
        ],
        capture_output=True,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"},
        timeout=120,
        check=False,
    )


def test_damaged_answers_end_as_facts_or_with_a_sections_name(tmp_path: Path) -> None:
    ends = []
    for number in range(ANSWERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, text, _ = damaged(number, seed=10)
        with lab(folder, _answers(text)) as its:
            done = _capture(its, folder, "prod")
        said = done.stderr.decode()
        assert done.returncode in {ExitCode.OK, ExitCode.HOST}, (number, said)
        assert b"\x1b" not in done.stderr + done.stdout, number
        written = sorted(path.name for path in folder.glob("prod*"))
        if done.returncode == ExitCode.OK:
            assert written == ["prod.facts.json", "prod.yml"]
            Facts.model_validate_json((folder / "prod.facts.json").read_bytes())
        else:
            assert written == []
            assert "in the section `" in said, (number, said)
        ends.append(done.returncode)
    assert {int(ExitCode.OK), int(ExitCode.HOST)} == set(ends)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_server_says_does_not_steer_the_terminal(tmp_path: Path, as_json: bool) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egnp\u200b\x9b31m"
    text = recorded("plain").decode()
    text = text.replace("section\tnot-seen\n", f"section\tnot-seen\nx{hostile}\ty{hostile}\n", 1)
    with lab(tmp_path, _answers(text.encode())) as its:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "sandbox", "capture", "prod", "--ssh-config"),
                *(str(its.config), "-o", str(tmp_path / "prod.yml")),
                *(["--json"] if as_json else []),
            ],
            capture_output=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "1"},
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    shown = (done.stdout + done.stderr).decode()
    assert not set(shown) & set("\x1b\x07\u202e\u200b\x9b")
    assert "owned" in shown
    if as_json:
        assert any("\u202e" in one["what"] for one in json.loads(done.stdout)["not_seen"])
