"""What the rest of the program relies on, whichever engine it has."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.errors import HostError, ProviderError, SandboxError
from sandbox.events import ignore
from sandbox.providers.abilities import RootExec
from sandbox.providers.engine import MachineSpec, Power
from tests.contract.conftest import Lab


def test_the_host_is_usable(lab: Lab) -> None:
    started = time.monotonic()
    report = lab.engine.check_host()
    assert report.usable, report
    assert report.provider == lab.engine.provider
    assert time.monotonic() - started < 5


def test_a_life_in_which_every_call_can_be_killed_and_repeated(lab: Lab) -> None:
    engine, spec = lab.engine, lab.spec("life")
    assert isinstance(engine, RootExec)
    for after_s in (0.1, 0.3):
        _kill_in(lab, "create", spec, after_s)
    _twice(lambda: engine.create(spec, ignore))
    made = engine.status()["life"]
    assert made.power is Power.STOPPED
    assert made.address is None
    assert set(spec.labels) <= set(made.labels)
    with pytest.raises(SandboxError):
        engine.exec_as_root("life", ("true",), timeout_s=10)

    _kill_in(lab, "start", spec, 0.3)
    _twice(lambda: engine.start("life", ignore))
    running = engine.status(["life"])["life"]
    assert running.power is Power.RUNNING
    endpoint = engine.ssh_endpoint("life")
    assert endpoint.user == "sandbox"
    assert endpoint.host == (running.address or "127.0.0.1")
    assert all(len(key.split(" ")) == 2 for key in endpoint.host_keys)
    assert endpoint.host_keys
    assert engine.exec_as_root("life", ("true",), timeout_s=60).returncode == 0
    _twice(lambda: engine.create(spec, ignore))
    assert engine.status(["life"])["life"].power is Power.RUNNING

    _twice(lambda: engine.stop("life", timeout_s=30))
    assert engine.status(["life"])["life"].power is Power.STOPPED
    engine.start("life", ignore)
    assert engine.ssh_endpoint("life").host_keys == endpoint.host_keys

    # It runs: `destroy` stops it first
    _kill_in(lab, "destroy", spec, 0.15)
    engine.destroy("life")
    assert engine.status(["life"])["life"].power is Power.ABSENT
    assert "life" not in engine.status()
    assert not lab.is_there("life")
    engine.destroy("life")
    assert engine.status(["life"])["life"].power is Power.ABSENT


def _twice(call: Callable[[], None]) -> None:
    call()
    call()


def test_an_absent_machine(lab: Lab) -> None:
    engine = lab.engine
    assert engine.status(["nobody"])["nobody"].power is Power.ABSENT
    engine.destroy("nobody")
    with pytest.raises(ProviderError, match="nobody"):
        engine.start("nobody", ignore)
    with pytest.raises(ProviderError, match="nobody"):
        engine.stop("nobody", timeout_s=5)
    with pytest.raises(ProviderError, match="nobody"):
        engine.ssh_endpoint("nobody")


def test_a_stopped_machine_cannot_be_reached(lab: Lab) -> None:
    lab.engine.create(lab.spec("asleep"), ignore)
    with pytest.raises(ProviderError, match="asleep does not run"):
        lab.engine.ssh_endpoint("asleep")


def test_somebody_elses_machine_is_left_alone(lab: Lab) -> None:
    engine = lab.engine
    lab.add_foreign("foreign")
    assert "foreign" not in engine.status()
    seen = engine.status(["foreign"])["foreign"]
    assert seen.power is Power.ABSENT
    assert "not" in seen.detail
    for call in (
        lambda: engine.create(lab.spec("foreign"), ignore),
        lambda: engine.start("foreign", ignore),
        lambda: engine.stop("foreign", timeout_s=5),
        lambda: engine.destroy("foreign"),
        lambda: engine.ssh_endpoint("foreign"),
    ):
        with pytest.raises(ProviderError, match="foreign"):
            call()
    assert lab.is_there("foreign")


def test_two_creates_of_one_name(lab: Lab) -> None:
    spec = lab.spec("twin")
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(lab.engine.create, spec, ignore) for _ in range(2)]:
            each.result()
    assert list(lab.engine.status()) == ["twin"]
    assert lab.engine.status()["twin"].power is Power.STOPPED


def test_ten_creates_at_once(lab: Lab) -> None:
    names = [f"crowd-{number}" for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: lab.engine.create(lab.spec(name), ignore), names))
        assert {status.power for status in lab.engine.status(names).values()} == {Power.STOPPED}
        list(pool.map(lab.engine.destroy, names))
    assert lab.engine.status() == {}


@pytest.mark.parametrize(
    ("cpus", "memory_mb", "what"), [(1, 10**8, "memory"), (10**5, 512, "processors")]
)
def test_more_than_the_host_has(lab: Lab, cpus: int, memory_mb: int, what: str) -> None:
    with pytest.raises(HostError, match=what):
        lab.engine.create(lab.spec("huge", cpus=cpus, memory_mb=memory_mb), ignore)
    assert not lab.is_there("huge")


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.5])
def test_a_killed_create_is_mended_by_the_next(lab: Lab, after_s: float) -> None:
    spec = lab.spec("killed")
    _kill_in(lab, "create", spec, after_s)
    lab.engine.create(spec, ignore)
    assert lab.engine.status(["killed"])["killed"].power is Power.STOPPED
    assert set(spec.labels) <= set(lab.engine.status()["killed"].labels)


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5])
def test_a_killed_create_can_be_destroyed(lab: Lab, after_s: float) -> None:
    _kill_in(lab, "create", lab.spec("killed"), after_s)
    lab.engine.destroy("killed")
    assert not lab.is_there("killed")


def _kill_in(lab: Lab, call: str, spec: MachineSpec, after_s: float) -> None:
    """Kill a process of its own (and all it started) so long after it began with `call`."""
    arguments = {"create": "spec, ignore", "start": "spec.name, ignore", "destroy": "spec.name"}
    code = (
        "from pathlib import PosixPath\n"
        "from sandbox.providers.engine import MachineSpec\n"
        "from sandbox.events import ignore\n"
        f"{lab.source}spec = {spec!r}\n"
        "print('go', flush=True)\n"
        f"engine.{call}({arguments[call]})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
    assert said == "go\n"
