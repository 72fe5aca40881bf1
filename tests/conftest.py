"""Shared by all layers: a host of the tests' own, set up as a user would and taken back after."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests import evidence
from tests.mirror import Contents, Mirror, NoMirrorError, prepare, serving

# How long one example takes says more about the machine than about the code: 200 ms,
# hypothesis' own limit, are gone when something else has the processor
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = Path(sys.executable).with_name("sandbox")
PREFIX = os.environ.get("SANDBOX_TEST_PREFIX", "sbxtest")
"""Of all Incus names; another one lets two checkouts be tested at once on one machine."""


def cannot_run(reason: str) -> NoReturn:
    """Skip on a user's machine; in CI a test that cannot run is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"cannot run here: {reason}", pytrace=False)
    pytest.skip(reason)


@dataclass
class Host:
    """This machine, with folders and Incus names that belong to the tests alone."""

    home: Path
    prefix: str = PREFIX
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SANDBOX_")}
        return {
            **kept,
            "SANDBOX_INCUS_PREFIX": self.prefix,
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "VAGRANT_HOME": str(self.home / "vagrant.d"),
            "NO_COLOR": "1",
        }

    @property
    def instances(self) -> Path:
        return self.home / "state" / "sandbox" / "instances"

    def sandbox(
        self,
        *args: str | Path,
        timeout_s: float = 900,
        expect: int | None = 0,
        cwd: Path = ROOT,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the real command line; fail with all it said when it does not exit with `expect`."""
        done = subprocess.run(
            [str(SANDBOX), *(str(arg) for arg in args)],
            env={**self.env, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            words = tuple(map(str, args))
            pytest.fail(
                f"sandbox {' '.join(words)}: exit {done.returncode}, not {expect}\n"
                f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}\n"
                f"{evidence.of_failure(self.instances, self.prefix, words)}",
                pytrace=False,
            )
        return done

    def start(self, *args: str | Path, cwd: Path = ROOT) -> subprocess.Popen[str]:
        """Start the real command line in the background; stderr is a pipe."""
        process = subprocess.Popen(
            [str(SANDBOX), *(str(arg) for arg in args)],
            env=self.env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell's background job, which the tests may be, hands on that SIGINT is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        self.started.append(process)
        return process

    def incus(self, *args: str, check: bool = True) -> str:
        """The real `incus`, in the tests' own project."""
        done = subprocess.run(
            ["incus", "--project", self.prefix, *args],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            pytest.fail(f"incus {' '.join(args)}: {done.stderr}", pytrace=False)
        return done.stdout

    def reap(self) -> None:
        """End what `start` started and what is still running."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        self.started.clear()


def wait_until(
    what: str, ready: "object", *, timeout_s: float = 60, interval_s: float = 0.1
) -> None:
    """Poll the callable `ready` until it is true; fail saying `what` never came."""
    assert callable(ready)
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:g} s: {what}", pytrace=False)
        time.sleep(interval_s)


def is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie has ended: whoever inherited it has not looked yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def leftovers(host: Host) -> list[str]:
    """Everything of the tests' own that is still on this machine."""
    found = [str(path) for path in Path("/var/lib/incus/disks").glob(f"{host.prefix}*")]
    if Path(f"/sys/class/net/{host.prefix}br0").exists():
        found.append(f"bridge {host.prefix}br0")
    found += [str(path) for path in Path("/etc/sysctl.d").glob(f"*{host.prefix}*")]
    for table in ("iptables-save", "nft"):
        if shutil.which(table) is None:
            continue
        command = [table] if table == "iptables-save" else [table, "list", "ruleset"]
        rules = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found += [line.strip() for line in rules.splitlines() if f"{host.prefix}br0" in line]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(f"{host.prefix}br0".encode() in word for word in words):
            found.append(
                f"process {entry.parent.name}: {b' '.join(words).decode(errors='replace')}"
            )
    return found


def forget_earlier_run(host: Host) -> None:
    """Remove the kernel's settings that a killed run left: the journal of that run is gone."""
    left = Path(f"/etc/sysctl.d/60-{host.prefix}.conf")
    if left.exists():
        left.unlink()
        sys.stderr.write(f"an earlier run of these tests left {left}: removed\n")


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A host made ready by `sandbox host setup`, and taken back by `sandbox host teardown`."""
    if os.geteuid() != 0 and not shutil.which("incus"):
        cannot_run("needs root, or an Incus that is already set up: sudo make test")
    # Not pytest's tmp_path: sockets need short paths, and the folder must not outlive the session
    home = Path(tempfile.mkdtemp(prefix="sbxtest-", dir="/tmp"))
    its = Host(home)
    try:
        forget_earlier_run(its)
        its.sandbox("host", "setup", "--yes", timeout_s=900)
        yield its
    finally:
        its.reap()
        gone = its.sandbox("host", "teardown", "--yes", timeout_s=600, expect=None)
        left = leftovers(its)
        shutil.rmtree(home, ignore_errors=True)
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert not left, left


@pytest.fixture(scope="session")
def nginx() -> Iterator[Host]:
    """A host with nginx, as `sandbox host setup --workshop` installs it; taken back after."""
    if os.geteuid() != 0 and not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        cannot_run("needs root, or an nginx: sudo apt install nginx")
    home = Path(tempfile.mkdtemp(prefix="sbxtest-", dir="/tmp"))
    its = Host(home)
    try:
        its.sandbox("host", "setup", "--workshop", "--yes")
        yield its
    finally:
        gone = its.sandbox("host", "teardown", "--workshop", "--yes", expect=None)
        shutil.rmtree(home, ignore_errors=True)
        assert gone.returncode == 0, gone.stdout + gone.stderr


@contextmanager
def empty_place(kind: str, name: str) -> Iterator[Host]:
    """A host with empty caches, and a place in Incus without any image; taken back after.

    `kind` is a letter that makes its prefix another one; `name` is the sandbox made there.
    """
    home = Path(tempfile.mkdtemp(prefix="sbxtest-", dir="/tmp"))
    its = Host(home, prefix=f"{kind}{PREFIX}")
    try:
        its.sandbox("host", "setup", "--yes", timeout_s=900)
        # What setup has fetched or kept is none of a test's
        shutil.rmtree(home / "cache", ignore_errors=True)
        assert its.incus("image", "list", "-f", "csv") == ""
        yield its
    finally:
        its.sandbox("destroy", name, expect=None)
        gone = its.sandbox("host", "teardown", "--yes", timeout_s=600, expect=None)
        left = leftovers(its)
        shutil.rmtree(home, ignore_errors=True)
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert not left, left


def virsh(*words: str) -> str:
    """The real virsh; what it says, also when it fails."""
    done = subprocess.run(
        ["virsh", "-q", "-c", "qemu:///system", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def libvirt_leftovers(prefix: str) -> list[str]:
    """Everything of the tests' own that libvirt, or the system below it, still has."""
    found = [f"machine {line}" for line in virsh("list", "--all").splitlines() if prefix in line]
    found += [f"pool {name}" for name in virsh("pool-list", "--all", "--name").split()]
    found += [str(path) for path in Path("/var/lib/libvirt").glob(f"**/*{prefix}*")]
    return [one for one in found if prefix in one]


def clear_domains(prefix: str) -> None:
    """Domains of a test run that was killed: nobody else's have our tests' prefix."""
    for name in virsh("list", "--all", "--name").split():
        if name.startswith(f"{prefix}-"):
            virsh("destroy", name)
            virsh("undefine", name, "--managed-save", "--snapshots-metadata", "--nvram")


def pytest_configure() -> None:
    """End as with Ctrl-C when asked to (by `timeout`, a CI): what fixtures made is taken down.

    By itself Python would end at once, and leave machines, a pool and a network behind.
    """

    def end(number: int, _: object) -> NoReturn:
        # Asked again meanwhile, we are at it already
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        # SIGHUP may be ignored on purpose: nohup
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)
    # A shell lets what it starts with `&` ignore Ctrl-C, and so would all that a test interrupts
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what sets up Incus or libvirt, by the fixtures that do.

    For libvirt, one run has all of that: `make test` has another beside it. And whoever asks for
    tests without Incus takes no host down that another run has set up under the same prefix.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if {"libvirt_host", "vagrant_tools"} & fixtures:
            item.add_marker("libvirt")
        # Unit tests have hosts of their own, which are none
        if "host" in fixtures and ROOT / "tests" / "unit" not in item.path.parents:
            item.add_marker("incus")


@pytest.fixture(scope="session")
def libvirt_host() -> Iterator[Host]:
    """A host made ready for VMs by `sandbox host setup`, and taken back after."""
    if os.geteuid() != 0:
        cannot_run("needs root, to set up libvirt: sudo make test")
    home = Path(tempfile.mkdtemp(prefix="sbxtest-vm-", dir="/tmp"))
    # Not the prefix of `host`: what that has at Incus must not be in reach of these tests
    its = Host(home, prefix=f"{PREFIX}vm")
    try:
        its.sandbox("host", "setup", "--provider", "libvirt", "--yes", timeout_s=900)
        clear_domains(its.prefix)
        yield its
    finally:
        its.reap()
        words = ("host", "teardown", "--provider", "libvirt", "--yes")
        gone = its.sandbox(*words, timeout_s=600, expect=None)
        left = libvirt_leftovers(its.prefix) if shutil.which("virsh") else []
        shutil.rmtree(home, ignore_errors=True)
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert not left, left


@pytest.fixture(scope="session")
def vagrant_tools(request: pytest.FixtureRequest) -> None:
    """Vagrant, Ruby, and what makes disks: setting up libvirt brings what is missing."""
    from sandbox.images.tools import missing_tools

    if missing_tools() or not (shutil.which("vagrant") and shutil.which("ruby")):
        request.getfixturevalue("libvirt_host")


@pytest.fixture(scope="session")
def mirror_contents() -> Contents:
    """Give the mirror's files; the first run on a host makes them."""
    try:
        return prepare()
    except NoMirrorError as error:
        cannot_run(str(error))


@pytest.fixture
def mirror(mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """Give a mirror of the test's own: its knobs and its log are nobody else's."""
    with serving(mirror_contents, tmp_path_factory.mktemp("rstudio")) as running:
        yield running
