from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import CommandError, ExitCode, HostError, UsageError
from sandbox.facts.collect import awk_program, compose, probe, probe_local
from sandbox.facts.subjects.os import Os
from sandbox.probe import session
from sandbox.run import Completed
from sandbox.ssh import SshTarget
from tests.unit.facts.conftest import recorded

_TARGET = SshTarget("r.example.org", Path("/etc/ssh_config"))


class _Machine:
    """Answers instead of `run`, and keeps what it was asked."""

    def __init__(self, stdout: str, *, returncode: int = 0, stderr: str = "") -> None:
        self.answer = (returncode, stdout, stderr)
        self.argv: tuple[str, ...] = ()
        self.stdin = ""

    def __call__(self, argv: Sequence[str], *, stdin: str, **_: Any) -> Completed:
        self.argv, self.stdin = tuple(argv), stdin
        returncode, stdout, stderr = self.answer
        boundary = stdin.partition("B=")[2].partition("\n")[0]
        return Completed(self.argv, returncode, stdout.replace("BOUNDARY", boundary), stderr, 1.0)


def _answers(monkeypatch: pytest.MonkeyPatch, machine: _Machine) -> _Machine:
    monkeypatch.setattr(session, "run", machine)
    return machine


def test_one_ssh_session_that_runs_sh_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = _answers(monkeypatch, _Machine(recorded("worker")))
    facts = probe(_TARGET, load_packages=["shiny", "data.table"])
    assert facts[Os].id == "debian"
    assert machine.argv[-3:] == ("--", "r.example.org", "sh -s")
    assert "BatchMode=yes" in machine.argv
    # The caller's own locale stays here
    assert machine.argv[: machine.argv.index("ssh")].count("-u") == 15
    assert machine.stdin.rstrip().endswith("probe_everything 'shiny data.table' sudo </dev/null")


def test_each_probe_has_a_boundary_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = _answers(monkeypatch, _Machine(recorded("worker")))
    scripts = []
    for _ in range(2):
        probe_local()
        scripts.append(machine.stdin)
    assert machine.argv == ("sh", "-s")
    assert scripts[0] != scripts[1]


@pytest.mark.parametrize("name", ["a;b", "$(id)", "'", "", "x y", "-e", "1a", "a\nb"])
def test_a_name_that_no_package_has_goes_nowhere(name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of an R package"):
        compose("sandbox-probe-1", load_packages=["shiny", name])


def test_sudo_can_be_left_out() -> None:
    assert compose("b", use_sudo=False).rstrip().endswith("probe_everything '' no-sudo </dev/null")


def test_sshs_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "ssh: connect to host r.example.org port 22: Connection refused"
    _answers(monkeypatch, _Machine("", returncode=255, stderr=words))
    with pytest.raises(HostError, match=r"ssh to r\.example\.org failed") as caught:
        probe(_TARGET)
    assert caught.value.details == words
    assert caught.value.exit_code is ExitCode.HOST


def test_a_connection_lost_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "client_loop: send disconnect: Broken pipe"
    half = recorded("worker")[:9000]
    _answers(monkeypatch, _Machine(half, returncode=255, stderr=words))
    with pytest.raises(HostError, match="failed") as caught:
        probe(_TARGET)
    assert caught.value.details == words


def test_a_script_that_ended_early(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, _Machine("hello", returncode=1, stderr="This account is not available."))
    with pytest.raises(HostError, match=r"was cut off \(exit status 1\)") as caught:
        probe(_TARGET)
    assert "not available" in caught.value.details


def test_a_machine_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, _Machine("", returncode=127, stderr="sh: not found"))
    with pytest.raises(HostError, match="has no `sh`"):
        probe(_TARGET)


def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> Completed:
        raise CommandError("`ssh` did not end within 5 s", returncode=None, stderr="a\n")

    monkeypatch.setattr(session, "run", late)
    with pytest.raises(HostError, match=r"the probe of r\.example\.org did not end within 5 s"):
        probe(_TARGET, timeout_s=5)


def test_no_ssh_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> Completed:
        raise CommandError("`env` is not there", returncode=127)

    monkeypatch.setattr(session, "run", missing)
    with pytest.raises(HostError, match=r"cannot probe r\.example\.org: `env` is not there"):
        probe(_TARGET)


def test_the_script_is_ascii_and_short() -> None:
    # An R in the C locale, a shell of any age
    script = compose("sandbox-probe-" + "0" * 32, load_packages=["shiny"] * 50)
    assert script.isascii()
    assert len(script) < 512 * 1024


def test_the_program_for_awk_is_short_enough_for_one_argument() -> None:
    # 128 KB is the kernel's bound
    assert len(awk_program()) < 120 * 1024


def test_without_r_nothing_starts_it() -> None:
    text = compose("b", with_r=False)
    # What a shell defines last counts; both for us and for root
    for name, instead in (("login", "{ unseen"), ("rstudio", "{ has_rstudio && unseen")):
        assert text.count(f"probe_r_{name}() {instead}") == 2
        assert text.rindex(f"probe_r_{name}() {instead}") > text.rindex(f"probe_r_{name}() {{\n")
        assert f"probe_r_{name}() {instead}" not in compose("b")
