"""The values of secrets with the real Ansible: where they arrive, and that no file has them."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.errors import ProvisionError
from sandbox.provision import play
from sandbox.run import concealing, run
from sandbox.secret_values import SecretValues
from sandbox.ssh import SshTarget

PLAYBOOK = Path(__file__).parent / "playbooks" / "secrets.yml"
HERE = SshTarget(host="localhost")
PASSWORD = "pLaNt3d{{ lookup('pipe', 'touch MARK') }} $x '\"\\ # é"


def give(folder: Path, value: str, *, how: str = "") -> None:
    """Run the playbook with a password that its variables only name."""
    variables = {
        "folder": str(folder),
        "how": how,
        "secrets_are_given": True,
        "settings": {"PASSWORD": "{{ lookup('ansible.builtin.env', 'SANDBOX_SECRET_PASSWORD') }}"},
    }
    (folder / "vars.json").write_text(json.dumps(variables))
    secrets = SecretValues({"PASSWORD": value})
    with concealing(secrets.hide):
        play(
            PLAYBOOK,
            HERE,
            folder / "ansible",
            extra=("-e", f"@{folder / 'vars.json'}"),
            secrets=secrets,
            log=folder / "log",
            timeout_s=120,
        )


def files_with(word: str, folder: Path) -> list[str]:
    return [
        path.name
        for path in sorted(folder.rglob("*"))
        if path.is_file() and word in path.read_text(errors="replace")
    ]


@pytest.mark.parametrize("value", [PASSWORD, "1", "true", "[1, 2]", " x ", "{{ folder }}"])
def test_a_value_arrives_as_it_is_and_in_no_file_of_ours(value: str, tmp_path: Path) -> None:
    value = value.replace("MARK", str(tmp_path / "mark"))
    give(tmp_path, value)
    lines = (tmp_path / "block").read_text().splitlines()
    assert f"PASSWORD={value}".rstrip() in [line.rstrip() for line in lines]
    assert not (tmp_path / "mark").exists()
    if value.startswith("pLaNt3d"):
        assert files_with("pLaNt3d", tmp_path) == ["block"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("quietly", "what it said is not shown, as this task is given secrets of the box"),
        # A task that nobody thought of: it says the value itself
        ("loudly", "said <secret PASSWORD>"),
    ],
)
def test_a_failure_does_not_tell_a_value(how: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProvisionError) as failure:
        give(tmp_path, "pLaNt3d'\"$x", how=how)
    error = failure.value
    assert error.message == f"`Fail {how}` failed"
    assert words in error.details
    assert "pLaNt3d" not in f"{error.message} {error.details} {error.hint}"
    assert files_with("pLaNt3d", tmp_path) == ["block"]


def test_a_value_is_on_no_command_line_and_a_kill_leaves_none(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.integration.test_secrets import give\n"
        "give(Path(sys.argv[1]), 'pLaNt3d' + '-value', how='slowly')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        lines = _command_lines()
        temporary = [one.name for one in (tmp_path / "ansible/tmp").iterdir()]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        (tmp_path / "end").touch()
    assert any("ansible-playbook" in line and str(tmp_path) in line for line in lines)
    assert not [line for line in lines if "pLaNt3d-value" in line]
    # What a kill leaves is in the instance's folder: those of the controller, and of the module
    kinds = ("ansible-local-", "ansible-tmp-", "ansible_ansible.legacy.command_payload_")
    assert [one for one in kinds if not any(name.startswith(one) for name in temporary)] == []
    assert files_with("pLaNt3d-value", tmp_path) == ["block"]


def _command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_what_a_command_says_is_hidden_also_when_it_comes_in_pieces(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "printf 'a pLaN'; sleep 0.3; echo t3d b; echo pLaNt3d >&2; printf 'last pLaNt3d'"
    with concealing(SecretValues({"X": "pLaNt3d"}).hide):
        done = run(
            # The command line itself is ours to keep clean
            ("sh", "-s"),
            stdin=script,
            timeout_s=10,
            log=tmp_path / "log",
            on_line=lines.append,
        )
    assert done.stdout == "a <secret X> b\nlast <secret X>"
    assert done.stderr == "<secret X>\n"
    assert sorted(lines) == ["<secret X>", "a <secret X> b", "last <secret X>"]
    log = (tmp_path / "log").read_text()
    assert log.count("<secret X>") == 3
    assert "pLaN" not in log
    assert "pLaNt3d" in run(("echo", "pLaNt3d"), timeout_s=10).stdout


def test_what_is_typed_on_a_terminal_is_not_shown() -> None:
    code = (
        "from sandbox.cli.secrets import given_secrets\n"
        "from sandbox.secret_values import NeededSecret\n"
        "needed = [NeededSecret('PASSWORD', ('system.environment.X',), frozenset({'text'}))]\n"
        "print('got', len(dict(given_secrets(None).all_of(needed))['PASSWORD']))\n"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        said = _read_until(ours, "(for system.environment.X): ")
        os.write(ours, b"pLaNt3d\n")
        said += _read_until(ours, "got 7")
        assert process.wait(30) == 0
    os.close(ours)
    assert "pLaNt3d" not in said


def _read_until(terminal: int, words: str) -> str:
    said = ""
    deadline = time.monotonic() + 30
    while words not in said:
        assert time.monotonic() < deadline, said
        if select.select([terminal], [], [], 1.0)[0]:
            said += os.read(terminal, 4096).decode()
    return said
