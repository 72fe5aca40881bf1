"""Installing nginx: asked first, without a start, and taken back only when it is ours."""

import os
from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.events import ignore
from sandbox.host import nginx, nginx_setup
from sandbox.host.apt import AptFacts
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.privilege import RootAccess
from sandbox.host.setup import SetupOutcome


class Here:
    """A host whose changes are only noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.program: Path | None = None
        self.done: list[str] = []
        self.policies: list[str] = []
        self.asked: list[str] = []
        self.fails = False
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        self.policy = folder / "policy-rc.d"
        for name, value in {
            "nginx_program": lambda: self.program,
            "acquire_root": RootAccess,
            "ask_apt": lambda _: AptFacts(interrupted=False, archive_uri="", backports=False),
            "install_packages": self.install,
            "remove_packages": self.remove,
            "run_as_root": self.as_root,
            "run": lambda words, **_: self.done.append(" ".join(words)),
            "_POLICY": self.policy,
            "_require_apt": lambda: None,
        }.items():
            monkeypatch.setattr(nginx_setup, name, value)

    def agree(self, lines: list[str]) -> bool:
        self.asked += lines
        return True

    def install(
        self, words: tuple[str, ...], root: RootAccess, journal: Journal, *_: object
    ) -> None:
        del root
        self.policies.append(self.policy.read_text(encoding="utf-8"))
        if self.fails:
            raise HostError("apt failed")
        journal.intend(ChangeKind.PACKAGES, ("nginx-common", *words))
        self.done.append("install")
        self.program = Path("/usr/sbin/nginx")
        journal.done(ChangeKind.PACKAGES)

    def remove(self, names: tuple[str, ...], *_: object) -> tuple[str, ...]:
        self.done.append(f"remove {' '.join(names)}")
        return ()

    def as_root(self, root: RootAccess, words: tuple[str, ...], stdin: str | None = None) -> None:
        del root
        if words[0] == "tee":
            self.policy.write_text(stdin or "", encoding="utf-8")
        elif words[0] == "rm":
            self.policy.unlink()
        else:
            self.done.append(" ".join(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch, tmp_path)


def set_up(here: Here) -> SetupOutcome:
    return nginx_setup.set_up_nginx(confirm=here.agree, listener=ignore)


def take_back(here: Here) -> SetupOutcome:
    return nginx_setup.take_back_nginx(confirm=here.agree, listener=ignore)


def test_it_is_installed_without_a_start_now_or_later(here: Here) -> None:
    assert set_up(here) is SetupOutcome.CHANGED
    assert "without starting it" in here.asked[0]
    assert any("update-rc.d nginx disable" in line for line in here.asked)
    assert here.done == [f"chmod 755 {here.policy}", "install", "update-rc.d nginx disable"]
    assert "exit 101" in here.policies[0]
    assert f"/proc/{os.getpid()}" in here.policies[0]
    assert not here.policy.exists()
    assert set_up(here) is SetupOutcome.UNCHANGED


def test_nobody_agrees_and_nothing_is_done(here: Here) -> None:
    outcome = nginx_setup.set_up_nginx(confirm=lambda _: False, listener=ignore)
    assert outcome is SetupOutcome.DECLINED
    assert here.done == []


def test_an_nginx_of_the_users_own_stays(here: Here) -> None:
    here.program = Path("/usr/sbin/nginx")
    assert set_up(here) is SetupOutcome.UNCHANGED
    assert take_back(here) is SetupOutcome.UNCHANGED
    assert here.done == here.asked == []


def test_a_policy_of_somebody_elses_stays_and_what_it_let_start_is_stopped(here: Here) -> None:
    here.policy.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    set_up(here)
    assert here.policy.read_text(encoding="utf-8") == "#!/bin/sh\nexit 0\n"
    assert here.done == ["install", "service nginx stop", "update-rc.d nginx disable"]


def test_what_failed_is_done_again(here: Here) -> None:
    here.fails = True
    with pytest.raises(HostError):
        set_up(here)
    assert not here.policy.exists()
    here.fails = False
    # As if it had been cut off after the installation
    here.program = Path("/usr/sbin/nginx")
    assert set_up(here) is SetupOutcome.CHANGED


def test_only_what_was_installed_is_removed(here: Here) -> None:
    set_up(here)
    here.done.clear()
    assert take_back(here) is SetupOutcome.CHANGED
    assert here.done == ["remove nginx-common nginx"]
    assert take_back(here) is SetupOutcome.UNCHANGED


def test_a_host_without_nginx_is_told_the_command(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    del here
    monkeypatch.setattr(nginx, "nginx_program", lambda: None)
    with pytest.raises(HostError) as caught:
        nginx.require_nginx()
    assert caught.value.hint == "sandbox host setup --workshop"


def test_a_low_port_is_refused_where_we_are_not_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(nginx, "first_free_port", lambda: 1024)
    with pytest.raises(HostError, match="only root may listen on port 80") as caught:
        nginx.OwnNginx(tmp_path, 80, "listen.port").start()
    assert "listen.port" in caught.value.hint
