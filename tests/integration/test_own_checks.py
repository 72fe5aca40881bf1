"""A box's own checks run apart: in a clean environment, and as an ordinary user if we are root.

`ssh` is a stand-in that runs things here, as in test_check_runner.
"""

import os
import pwd
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.checks import own as module
from sandbox.checks.request import CheckRequest
from sandbox.checks.results import CheckReport, Goal, Outcome
from sandbox.checks.runner import run_checks
from sandbox.errors import CommandError
from sandbox.events import Event, Notice, ignore
from sandbox.run import HostUser, run
from sandbox.ssh import SshTarget
from sandbox.trust import read_code
from tests.conftest import ROOT, cannot_run
from tests.integration.test_check_runner import FAKE_SSH, FAKE_SUDO
from tests.unit.checks.samples import good
from tests.unit.factories import plain_sandbox

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An instance's folder that is root's alone, beside programs that anybody may run."""
    # Not tmp_path: nobody else may look into that
    top = Path(tempfile.mkdtemp(prefix="sbxown-", dir="/tmp"))
    top.chmod(0o755)
    programs = top / "bin"
    programs.mkdir()
    for name, text in (("ssh", FAKE_SSH), ("sudo", FAKE_SUDO)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    folder = top / "instance"
    folder.mkdir(mode=0o700)
    for name in ("id_ed25519", "known_hosts"):
        (folder / name).write_text(name)
    (folder / "ssh_config").write_text(f'Host plain\n  IdentityFile "{folder / "id_ed25519"}"\n')
    yield folder
    shutil.rmtree(top)


@pytest.fixture
def open_python(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python like ours that everybody can read, wherever ours is."""
    if os.geteuid() != 0:
        cannot_run("only root becomes another user")
    system = Path("/usr/bin/python3")
    packages = next(Path(one) for one in sys.path if one.endswith("site-packages"))
    said = run((system, "-c", "import sys; print(sys.version_info[:2])"), timeout_s=20).stdout
    if said.strip() != str(tuple(sys.version_info[:2])):
        cannot_run("the system's Python is of another version than ours")
    home = lab.parent / "venv"
    venv.EnvBuilder(symlinks=True).create(home)
    (home / "bin" / "python").unlink()
    (home / "bin" / "python").symlink_to(system)
    (home / "pyvenv.cfg").write_text("home = /usr/bin\n")
    site = next((home / "lib").glob("python*/site-packages"))
    # Wherever the checkout lies, somebody else can read these
    for name in ("sandbox", "boxes", "templates", "playbooks"):
        shutil.copytree(ROOT / name, home / "src" / name)
    shutil.copytree(packages, home / "packages", copy_function=_linked)
    (site / "ours.pth").write_text(f"{home / 'packages'}\n{home / 'src'}\n")
    monkeypatch.setattr(sys, "executable", str(home / "bin" / "python"))
    tried = run(
        (sys.executable, "-c", "import sandbox, pydantic"),
        timeout_s=30,
        user=_nobody(),
        check=False,
    )
    if tried.returncode != 0:
        cannot_run("our packages are where nobody else can read them")


def _linked(source: str, copy: str) -> None:
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def _nobody() -> HostUser:
    return HostUser(NOBODY.pw_uid, NOBODY.pw_gid)


def checked(folder: Path, text: str, events: list[Event] | None = None) -> CheckReport:
    file = folder.parent / "test_own.py"
    file.write_text(text)
    wanted = plain_sandbox(check_files=(file,))
    request = CheckRequest(
        placement=wanted, facts=good().facts, base_url="", own_key="", goals=(Goal.CORRECT,)
    )
    target = SshTarget(host="plain", config=folder / "ssh_config")
    listener = (events if events is not None else []).append
    return run_checks(request, target, folder, listener, own=(read_code(file),))


def own(report: CheckReport) -> dict[str, Outcome]:
    return {one.id: one.outcome for one in report.results if one.id.startswith("box.")}


CLEAN = """\
import os


def test_no_token():
    assert set(os.environ) <= set({allowed!r})


def test_no_agent():
    assert "SSH_AUTH_SOCK" not in os.environ
"""


def test_no_token_of_the_caller_gets_in(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "DB_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    allowed = {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    # Ours: what is read and written is UTF-8, whatever the host speaks
    allowed |= {"PYTHONUTF8"}
    allowed |= {name for name in os.environ if name.startswith("LC_")}
    allowed |= {"LC_CTYPE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST"}
    allowed |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_VERSION"}
    report = checked(lab, CLEAN.format(allowed=sorted(allowed)))
    assert own(report) == dict.fromkeys(
        ("box.test_own.test_no_token", "box.test_own.test_no_agent"), Outcome.PASSED
    )


WHO = """\
import os
import pathlib

import pytest


def test_who():
    assert os.getuid() == {uid}
    assert os.getgroups() in ([], [{gid}])
    assert os.environ["HOME"] == {home!r}


def test_the_machine_is_reached(host):
    assert host.run("echo %s", "a b").stdout == "a b\\n"


def test_what_is_roots_stays_roots(plan):
    with pytest.raises(PermissionError):
        pathlib.Path({private!r}).read_text()
    with pytest.raises(PermissionError):
        os.setuid(0)
"""


def test_root_hands_them_to_an_ordinary_user(
    lab: Path, open_python: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    events: list[Event] = []
    words = {"uid": NOBODY.pw_uid, "gid": NOBODY.pw_gid, "home": NOBODY.pw_dir}
    report = checked(lab, WHO.format(**words, private=str(lab / "id_ed25519")), events)
    assert [one for one in report.results if one.id.startswith("box.") and one.actual] == []
    assert set(own(report).values()) == {Outcome.PASSED}
    assert len(own(report)) == 3
    assert not [event for event in events if isinstance(event, Notice)]
    assert not list(Path(tempfile.gettempdir()).glob(f"{module._mark(lab)}*"))


def test_who_became_root_by_sudo_runs_them(
    lab: Path, open_python: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = pwd.getpwnam("games")
    monkeypatch.setenv("SUDO_UID", str(games.pw_uid))
    words = {"uid": games.pw_uid, "gid": games.pw_gid, "home": games.pw_dir}
    report = checked(lab, WHO.format(**words, private=str(lab / "id_ed25519")))
    assert set(own(report).values()) == {Outcome.PASSED}


def test_where_no_ordinary_user_can_it_is_said(
    lab: Path, open_python: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab.parent / "venv").chmod(0o700)
    events: list[Event] = []
    report = checked(lab, "import os\n\n\ndef test_who():\n    assert os.getuid() == 0\n", events)
    assert own(report) == {"box.test_own.test_who": Outcome.PASSED}
    (note,) = (event.text for event in events if isinstance(event, Notice))
    assert note.startswith("the box's own checks run as root, for no ordinary user can run them: ")
    assert "nobody cannot read" in note


HEAD = "import os, pathlib\nfile = pathlib.Path.cwd() / 'collected.json'\n"
LIES = {
    "no results": "",
    "a link": "file.symlink_to('/etc/shadow')\n",
    "a fifo": "os.mkfifo(file)\n",
    "no json": "file.write_text('hunter2')\n",
    "too much": "file.touch()\nos.truncate(file, 1 << 40)\n",
}


@pytest.mark.parametrize("text", LIES.values(), ids=LIES)
def test_whatever_they_leave_is_an_error_of_theirs_alone(lab: Path, text: str) -> None:
    report = checked(lab, f"{HEAD}{text}os._exit(0)\n")
    assert own(report) == {"box.test_own": Outcome.ERROR}
    (found,) = (one for one in report.results if one.id == "box.test_own")
    assert "root:" not in found.actual
    assert "hunter2" not in found.actual
    assert any(one.id.startswith("correct.") for one in report.results)


def test_they_cannot_speak_for_our_checks(lab: Path) -> None:
    text = (
        "import json, pathlib\n\n\ndef test_lies():\n"
        "    one = json.loads(pathlib.Path('collected.json').read_text())[0]\n"
        "    fake = {**one, 'id': 'correct.timezone', 'outcome': 'passed'}\n"
        "    with open('results.jsonl', 'a') as file:\n"
        "        file.write(json.dumps(fake) + '\\n')\n"
    )
    report = checked(lab, text)
    (found,) = (one for one in report.results if one.id == "correct.timezone")
    assert found.outcome is Outcome.FAILED


def test_what_lies_beside_an_agreed_file_is_not_there(lab: Path) -> None:
    (lab.parent / "helper.py").write_text("raise SystemExit('not agreed to')\n")
    report = checked(
        lab,
        "import pathlib\n\n\ndef test_alone():\n"
        "    assert [one.name for one in pathlib.Path(__file__).parent.iterdir()] == "
        "['test_own.py']\n\n\ndef test_helper():\n    import helper\n",
    )
    assert own(report)["box.test_own.test_alone"] is Outcome.PASSED
    assert own(report)["box.test_own.test_helper"] is Outcome.ERROR


def test_a_file_nobody_agreed_to_is_not_run(lab: Path) -> None:
    file = lab.parent / "test_other.py"
    file.write_text(f"open({str(lab.parent / 'ran')!r}, 'w').close()\n")
    wanted = plain_sandbox(check_files=(file,))
    request = CheckRequest(placement=wanted, facts=good().facts, base_url="", own_key="")
    target = SshTarget(host="plain", config=lab / "ssh_config")
    report = run_checks(request, target, lab, ignore)
    assert own(report) == {"box.test_other": Outcome.ERROR}
    assert not (lab.parent / "ran").exists()


def test_a_command_can_run_as_another_user_with_an_environment_of_its_own() -> None:
    if os.geteuid() != 0:
        with pytest.raises(CommandError, match="may not be run"):
            run(("id",), timeout_s=10, user=_nobody())
        return
    words = ("sh", "-c", "id -u; id -G; env")
    done = run(words, timeout_s=10, env={"A": "1", "PATH": "/bin"}, only_env=True, user=_nobody())
    assert done.stdout.splitlines()[:2] == [str(NOBODY.pw_uid), str(NOBODY.pw_gid)]
    assert {line for line in done.stdout.splitlines()[2:] if "PWD" not in line} == {
        "A=1",
        "PATH=/bin",
    }
