"""The probe's script for real: in every shell there is here, as root and not, with nothing of R."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.facts.answer import parse_answer
from sandbox.facts.collect import compose, probe, probe_local
from sandbox.facts.facts import Facts
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.ports import Ports
from sandbox.facts.subjects.r import RInstallations, r_view
from sandbox.probe import script as probe_script
from sandbox.probe.frame import read_frame
from sandbox.probe.script import Taking
from sandbox.ssh import SshTarget
from tests.conftest import ROOT, cannot_run
from tests.new_subject import moon

# The first three must be there; of the others, those that are
_SHELLS = ["sh", "dash", "bash"] + [
    shell for shell in ("busybox sh", "zsh", "ksh", "mksh") if shutil.which(shell.split()[0])
]
_SCRIPTS = sorted((ROOT / "sandbox").glob("probe/*.sh")) + sorted(
    (ROOT / "sandbox").glob("facts/subjects/*.sh")
)


def _run(argv: list[str], script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


def test_this_machine() -> None:
    facts = probe_local()
    assert facts[Identity].hostname == os.uname().nodename
    assert facts[Os].kernel == os.uname().release
    assert facts[MachineSize].cpus == len(os.sched_getaffinity(0))
    memory_mb = facts[MachineSize].memory_mb
    assert memory_mb is not None
    assert memory_mb > 100
    assert "root" in {user.name for user in facts[Accounts]}
    assert facts.probe.privileged or facts.not_seen


def _memory_as_in(
    folder: Path, virtualization: str, limits: dict[str, str], *, beneath: str = ""
) -> Facts:
    """What is told where /sys/fs/cgroup has only these files; and one more to who may mount it."""
    groups, programs = folder / "cgroup", folder / "bin"
    for name, text in limits.items():
        file = groups / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    programs.mkdir()
    detect = programs / "systemd-detect-virt"
    detect.write_text(
        f'#!/bin/sh\n[ "$1" = -q ] || echo {virtualization}\n[ {virtualization} = lxc ]\n'
    )
    detect.chmod(0o755)
    mounts = programs / "unshare"
    mounts.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "-m --propagation private" ] && echo {beneath}\n')
    mounts.chmod(0o755)
    script = compose("BOUNDARY", use_sudo=False, with_r=False)
    script = script.replace("/sys/fs/cgroup", str(groups))
    done = _run(["sh", "-s"], script, PATH=f"{programs}:{os.environ['PATH']}")
    return parse_answer(read_frame(done.stdout, "BOUNDARY"))


@pytest.mark.parametrize(
    ("virtualization", "limits", "wanted_mb"),
    [
        ("lxc", {"memory.max": "268435456\n"}, 256),
        ("lxc", {"memory/memory.limit_in_bytes": "268435456\n"}, 256),
        ("lxc", {"memory.max": "max\n"}, None),
        ("lxc", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("kvm", {}, None),
    ],
)
def test_the_memory_is_what_the_kernel_allows(
    tmp_path: Path, virtualization: str, limits: dict[str, str], wanted_mb: int | None
) -> None:
    """None: all that there is."""
    facts = _memory_as_in(tmp_path, virtualization, limits)
    all_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    assert facts[MachineSize].memory_mb == pytest.approx(wanted_mb or all_mb, abs=2)
    assert "memory" not in {one.what for one in facts.not_seen}


def test_a_container_that_is_not_shown_its_limit_has_no_memory_of_its_hosts(tmp_path: Path) -> None:
    facts = _memory_as_in(tmp_path, "lxc", {})
    assert facts[MachineSize].memory_mb is None
    (why,) = (one.why for one in facts.not_seen if one.what == "memory")
    assert "its host's" in why


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_root_is_told_the_limit_that_a_container_is_not_shown(tmp_path: Path) -> None:
    facts = _memory_as_in(tmp_path, "lxc", {}, beneath="268435456")
    assert facts[MachineSize].memory_mb == 256
    assert "memory" not in {one.what for one in facts.not_seen}


@pytest.mark.parametrize("sudo", [True, False])
def test_nothing_is_asked_twice(sudo: bool) -> None:
    done = _run(["sh", "-s"], compose("BOUNDARY", use_sudo=sudo))
    frame = read_frame(done.stdout, "BOUNDARY")
    seen = [(one.name, one.args) for one in frame.sections if one.name != "not-seen"]
    assert [one for one in seen if seen.count(one) > 1] == []


@pytest.mark.parametrize("shell", _SHELLS)
def test_every_posix_shell(shell: str) -> None:
    done = _run([*shell.split(), "-s"], compose("BOUNDARY", use_sudo=False))
    facts = parse_answer(read_frame(done.stdout, "BOUNDARY"))
    assert facts[Identity].hostname == os.uname().nodename
    assert done.stderr == ""


def test_a_machine_without_r_says_so(tmp_path: Path) -> None:
    for name in ("awk", "cat", "date", "df", "getent", "id", "nproc", "readlink", "renice", "sed",
                 "sh", "tail", "uname", "head", "grep", "tr", "cut"):  # fmt: skip
        program = shutil.which(name)
        assert program is not None, name
        (tmp_path / name).symlink_to(program)
    # This machine may have one: where R is usually, and on the PATH that a login gives itself
    places = re.compile(r'for probe_file in "\$1" /usr/bin/R .*?; do', re.DOTALL)
    script, count = places.subn('for probe_file in "$1"; do', compose("BOUNDARY"))
    script = script.replace("command -v R", "command -v there-is-no-R")
    assert count
    done = _run(["sh", "-s"], script, PATH=str(tmp_path))
    facts = parse_answer(read_frame(done.stdout, "BOUNDARY"))
    assert facts[RInstallations] == ()
    assert r_view(facts, "login") is None
    # No ss either: the kernel's own tables are read instead
    assert facts.get(Ports) is not None
    assert "there is no ss command" in {one.why for one in facts.not_seen}
    assert "there is no dpkg-query and no rpm" in {one.why for one in facts.not_seen}


def test_a_cut_off_script_does_nothing(tmp_path: Path) -> None:
    script = compose("BOUNDARY")
    cut = script[: script.rindex("probe_everything")]
    done = _run(["sh", "-s"], cut, HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")


def test_it_writes_nothing_of_its_own(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    _run(["sh", "-s"], compose("BOUNDARY"), HOME=str(home), TMPDIR=str(temporary))
    assert list(home.rglob("*")) == []
    assert list(temporary.rglob("*")) == []


def _fake_ssh(folder: Path, text: str) -> str:
    """A PATH on which `ssh` is this script."""
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_noise_around_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'echo "*** banner ***" >&2; printf "motd"; sh -s; echo logout'
    monkeypatch.setenv("PATH", _fake_ssh(tmp_path, text))
    facts = probe(SshTarget("anywhere"), use_sudo=False)
    assert facts[Identity].hostname == os.uname().nodename


def test_the_callers_locale_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", _fake_ssh(tmp_path, f"env > {tmp_path}/seen; exit 255"))
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    monkeypatch.setenv("LANG", "C.UTF-8")
    with pytest.raises(HostError, match="ssh to anywhere failed"):
        probe(SshTarget("anywhere"))
    seen = (tmp_path / "seen").read_text()
    assert "LC_TIME" not in seen
    assert "LANG=" not in seen


def test_a_connection_that_drops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        'sh -s | head -c 2000; echo "Connection to anywhere closed by remote host." >&2; exit 255'
    )
    monkeypatch.setenv("PATH", _fake_ssh(tmp_path, text))
    with pytest.raises(HostError) as caught:
        probe(SshTarget("anywhere"), use_sudo=False)
    assert caught.value.details == "Connection to anywhere closed by remote host."


def test_the_caller_hears_when_nothing_more_is_read_of_an_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "#!/bin/sh\nread -r first\necho $first >&2\necho probe-app-read >&2\ncat >/dev/null\n"
    monkeypatch.setenv("PATH", _fake_ssh(tmp_path, text))
    heard: list[str] = []
    with pytest.raises(HostError, match="cut off") as caught:
        probe(SshTarget("box"), at_app=lambda: heard.append("app read"))
    assert heard == ["app read"]
    assert "AT_APP=1" in caught.value.details


def test_a_machine_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", _fake_ssh(tmp_path, "exec sleep 60"))
    with pytest.raises(HostError, match=r"did not end within 0\.5 s"):
        probe(SshTarget("anywhere"), timeout_s=0.5)


def test_a_host_that_looks_like_an_option_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(HostError):
        probe(SshTarget(f"-oProxyCommand=touch {marker}"), timeout_s=30)
    assert not marker.exists()


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
def test_shellcheck(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        cannot_run("shellcheck is not installed: apt-get install shellcheck")
    done = subprocess.run(
        ["shellcheck", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


def test_what_is_sent_is_valid_in_dash_and_bash() -> None:
    for shell in ("dash", "bash"):
        done = _run([shell, "-n"], compose("BOUNDARY", load_packages=["shiny"]))
        assert (done.returncode, done.stderr) == (0, ""), shell


def test_a_hanging_r_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An R that hangs costs its own time and no more, and the rest is complete."""
    home = tmp_path / "lib" / "R"
    (home / "library" / "base").mkdir(parents=True)
    (home / "library" / "base" / "DESCRIPTION").write_text("Package: base\nVersion: 4.9.9\n")
    program = tmp_path / "R"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = RHOME ]; then echo {home}; else exec sleep 60; fi\n'
    )
    program.chmod(0o755)
    profile = tmp_path / ".profile"
    profile.write_text(f'PATH="{tmp_path}:$PATH"\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setattr(probe_script, "_R_SHARE", 20)
    facts = probe_local(use_sudo=False, timeout_s=60)
    r = next(one for one in facts[RInstallations] if one.home == str(home))
    assert (r.version, r.on_path, r.views) == ("4.9.9", True, ())
    why = {one.what: one.why for one in facts.not_seen}
    assert why[f"R of {home}"].startswith("R did not answer in time")


SUDO = """\
#!/bin/sh
[ "$1" = -n ] && shift
case $1 in {allowed}) exec "$@" ;; esac
echo "sudo: a password is required" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        ("true|-l", "sudo allows this login some commands, but no shell"),
        ("none", "sudo asks for a password"),
    ],
)
def test_sudo_without_a_shell_is_no_root(tmp_path: Path, allowed: str, why: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    answers = {
        "sudo": SUDO.format(allowed=allowed).replace('exec "$@"', "exit 0"),
        "id": "case $1 in -u) echo 1000 ;; *) echo anna ;; esac",
    }
    for name, text in answers.items():
        (programs / name).write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    script = compose("BOUNDARY", use_sudo=True, with_r=False)
    done = _run(["sh", "-s"], script, PATH=f"{programs}:{os.environ['PATH']}")
    facts = parse_answer(read_frame(done.stdout, "BOUNDARY"))
    reasons = {one.what: one.why for one in facts.not_seen}
    assert reasons["passwords, sudo rights"] == f"needs root: {why}"
    assert not facts.probe.privileged
    # What everybody may read is read
    assert "/etc/ssh/sshd_config" in {one.path for one in facts[Configs]} or facts[Configs] or ()


def test_a_byte_that_is_not_utf8_does_not_lose_r(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("R") is None:
        cannot_run("there is no R: tools/prepare.sh --test")
    environ = tmp_path / "Renviron.site"
    environ.write_bytes(b"PROBE_A=1\nPROBE_CITY=caf\xe9\nPROBE_Z=2\n")
    monkeypatch.setenv("R_ENVIRON", str(environ))
    monkeypatch.setenv("LANG", "C.UTF-8")
    facts = probe_local(
        taking=Taking(own=True, names=("PROBE_A", "PROBE_CITY", "PROBE_Z")), timeout_s=400
    )
    view = r_view(facts, "login")
    assert view is not None
    assert (view.environment["PROBE_A"], view.environment["PROBE_Z"]) == ("1", "2")
    assert view.packages
    assert "the variable PROBE_CITY in R (login)" in {one.what for one in facts.not_seen}


def test_a_subject_that_was_added_is_asked_like_the_others(tmp_path: Path) -> None:
    with moon(tmp_path):
        done = _run(["sh", "-s"], compose("BOUNDARY", use_sudo=False, with_r=False))
        facts = parse_answer(read_frame(done.stdout, "BOUNDARY"))
        assert facts.model_dump()["moon"] == {"phase": "waning"}
        # What it does not say may leave the machine stays there
        script = compose("BOUNDARY", use_sudo=False, with_r=False)
        done = _run(["sh", "-s"], script.replace(" waning |", " h4Rv3st |"))
        assert "h4Rv3st" not in done.stdout
