"""Packing apps, and failures of a machine told in plain words."""

import json
import os
import tarfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from sandbox.errors import CommandError, ConnectionLostError, ExitCode
from sandbox.plan import PlannedApp
from sandbox.provision import _CONFIGURATION, pack
from sandbox.provision_errors import (
    PlaybookSummary,
    TaskFailure,
    explained,
    explained_bootstrap,
    read_summary,
)

LOG = Path("/state/shiny/logs/provision.log")


def failed(**words: str) -> PlaybookSummary:
    return PlaybookSummary(
        failures=(TaskFailure(task="system : Install packages", kind="failed", **words),)
    )


def error(returncode: int | None = 2, stderr: str = "", details: str = "") -> CommandError:
    return CommandError("failed", returncode=returncode, stderr=stderr, details=details)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("E: Could not get lock /var/lib/dpkg/lock-frontend.", "lock", "wait until"),
        ("dpkg: error: write failed (No space left on device)", "disk is full", "disk_gb"),
        ("Failed to fetch x  404  Not Found [IP: 192.0.2.1]", "mirror", "system.mirror"),
        ("Could not resolve 'mirror.example'", "mirror", "system.proxy"),
        ("No package matching 'nonesuch' is available", "a package", "apt-cache search"),
    ],
)
def test_a_known_failure_has_a_name_and_a_remedy(words: str, message: str, hint: str) -> None:
    told = explained(error(), failed(msg=words), LOG, name="shiny")
    assert not {"NAME", "{name}"} & set(told.hint.replace("`", " ").split())
    assert told.message.startswith("`system : Install packages` failed: ")
    assert message in told.message
    assert hint in told.hint
    assert words in told.details
    assert str(LOG) in told.hint
    assert told.exit_code == ExitCode.PROVISION


def test_an_unknown_failure_keeps_the_modules_own_words_once() -> None:
    told = explained(
        error(), failed(msg="boom", stderr="why\nboom", stdout="boom"), LOG, name="shiny"
    )
    assert told.message == "`system : Install packages` failed"
    assert told.details.splitlines() == ["boom", "why", "boom"]


def test_of_a_command_its_own_words_are_told_and_ansibles_only_where_it_has_none() -> None:
    nothing = "non-zero return code"
    told = explained(error(), failed(msg=nothing, stderr="it broke"), LOG, name="shiny")
    assert told.details == "it broke"
    told = explained(error(), failed(msg=nothing), LOG, name="shiny")
    assert told.details == nothing


def test_a_lost_connection_is_not_taken_for_a_missing_mirror() -> None:
    lost = TaskFailure(task="r : Ask R", kind="unreachable", msg="ssh: Connection refused")
    told = explained(error(4), PlaybookSummary(failures=(lost,)), LOG, name="shiny")
    assert told.message == "the connection to the machine was lost in `r : Ask R`"
    assert isinstance(told, ConnectionLostError)
    assert "sandbox status" in told.hint


def test_a_timeout_names_the_last_task() -> None:
    told = explained(
        error(None),
        PlaybookSummary(tasks=(("system : Install packages", 900.0),)),
        LOG,
        name="shiny",
    )
    assert told.message == "provisioning did not end in time after `system : Install packages`"


def test_ansible_dying_early_shows_its_own_words(tmp_path: Path) -> None:
    told = explained(
        error(1, details="ERROR! no such file"), read_summary(tmp_path / "no"), LOG, name="shiny"
    )
    assert told.message == "Ansible failed before its first task"
    assert told.details == "ERROR! no such file"


def test_sudo_may_be_late(tmp_path: Path) -> None:
    """Ansible itself gives it 12 s: too few on a host where two killed runs come to their end."""
    settings = ConfigParser(allow_no_value=True)
    settings.read_string(_CONFIGURATION)
    assert settings.getint("defaults", "timeout") >= 30


def test_half_a_summary_is_no_summary(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"ok": 3})[:-2])
    assert read_summary(path) == PlaybookSummary()


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (71, "mirror: cannot get packages from http://m/x: 404  Not Found", "system.mirror"),
        (73, "disk is full", "disk_gb"),
        (74, "lock", "wait"),
        (255, "connection", "sandbox status"),
        (72, "bootstrap failed", "full log"),
    ],
)
def test_bootstrap_failures_are_known_by_their_status(status: int, message: str, hint: str) -> None:
    said = "bootstrap: cannot get packages from http://m/x: 404  Not Found" if status == 71 else ""
    told = explained_bootstrap(error(status, stderr=said), LOG, name="shiny")
    assert message in told.message
    assert hint in told.hint


def test_a_login_in_a_url_is_not_shown() -> None:
    said = "bootstrap: cannot get packages from http://ada:word@m/x: 407"
    told = explained_bootstrap(error(71, stderr=said, details=said), LOG, name="shiny")
    assert "word" not in told.message + told.details
    assert "http://m/x" in told.message


def test_an_app_is_packed_readable_for_all_and_owned_by_root(tmp_path: Path) -> None:
    source = tmp_path / "app"
    (source / "www").mkdir(parents=True)
    (source / "app.R").write_text("1")
    (source / "app.R").chmod(0o600)
    (source / "run.sh").write_text("2")
    (source / "run.sh").chmod(0o700)
    (source / "secret").symlink_to("/etc/shadow")
    os.mkfifo(source / "pipe")
    archive = tmp_path / "out" / "app.tar"
    pack(PlannedApp(name="app", path=source, sha256="0" * 64), archive)
    with tarfile.open(archive) as tar:
        found = {member.name: member for member in tar}
    assert sorted(found) == ["app.R", "run.sh", "secret", "www"]
    assert {name: member.mode for name, member in found.items()} == {
        "app.R": 0o644,
        "run.sh": 0o755,
        "secret": 0o755,
        "www": 0o755,
    }
    assert found["secret"].issym()
    assert found["secret"].linkname == "/etc/shadow"
    assert {(member.uid, member.uname) for member in found.values()} == {(0, "root")}
    assert [path.name for path in archive.parent.iterdir()] == ["app.tar"]


def test_secrets_and_what_is_ignored_are_not_packed(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    for name in ("app.R", ".Renviron", "id_rsa", "raw.csv", "cert.pem"):
        (folder / name).write_text("x")
    (folder / ".sandboxignore").write_text("*.csv\n")
    app = PlannedApp(name="a", path=folder, sha256="0" * 64, include=("cert.pem",))
    archive = tmp_path / "a.tar"
    pack(app, archive)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["app.R", "cert.pem"]
