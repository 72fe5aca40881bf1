"""The kernel's limits that all containers share: raised when too low, never lowered, taken back."""

from pathlib import Path

import pytest

from sandbox.host import kernel_limits
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.kernel_limits import WANTED, WATCHERS, KernelLimits, gather_limits, plan_limits
from sandbox.host.setup import Keep
from sandbox.providers.incus.doctor import incus_findings
from sandbox.providers.incus.host_setup import IncusSituation
from sandbox.providers.incus.host_teardown import plan_teardown
from tests.unit.providers.host_facts import PLACE, a_host, a_ready_server

DEBIANS = KernelLimits(
    ((WATCHERS, 128), ("kernel.keys.maxkeys", 200), ("kernel.keys.maxbytes", 20_000))
)
ENOUGH = KernelLimits(tuple(WANTED.items()))


def test_what_is_too_low_is_raised_and_nothing_is_lowered() -> None:
    some = KernelLimits(((WATCHERS, 128), ("kernel.keys.maxkeys", 10**9)))
    (action,) = plan_limits("sandbox", some)
    assert action.names == ("/etc/sysctl.d/60-sandbox.conf", f"{WATCHERS}=128")
    assert action.content == f"{WATCHERS} = 8192\n"
    assert action.lines(is_root=False)[1:] == [
        "    sudo tee /etc/sysctl.d/60-sandbox.conf",
        f"    {WATCHERS} = 8192",
    ]
    assert plan_limits("sandbox", ENOUGH) == []
    assert plan_limits("sandbox", KernelLimits()) == []


def test_in_a_container_they_are_somebody_elses() -> None:
    inside = KernelLimits(DEBIANS.values, changeable=False)
    assert plan_limits("sandbox", inside) == []


def finding(limits: KernelLimits) -> tuple[bool, str, str]:
    now = IncusSituation(a_host(kernel=limits), a_ready_server())
    (found,) = (one for one in incus_findings(PLACE, now) if "many containers" in one.title)
    assert found.ok or found.warning
    return found.ok, found.detail, found.fix


def test_doctor_says_how_many_sandboxes_there_is_room_for() -> None:
    assert finding(ENOUGH) == (True, "", "")
    ok, detail, fix = finding(DEBIANS)
    assert not ok
    assert f"{WATCHERS} is 128" in detail
    assert "about 8 Shiny sandboxes" in detail
    assert fix == "sandbox host setup"
    _, _, fix = finding(KernelLimits(DEBIANS.values[:1], changeable=False))
    assert fix == f"on the host: sudo sysctl {WATCHERS}=8192"


def test_teardown_takes_them_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    journal = Journal(PLACE.project)
    (action,) = plan_limits("sandbox", DEBIANS)
    journal.intend(action.kind, action.names)
    removals = plan_teardown(PLACE, None, journal, Keep())
    assert [(one.kind, one.names) for one in removals] == [(ChangeKind.LIMITS, action.names)]


def test_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_limits, "_PROC", tmp_path)
    place = tmp_path / "fs/inotify/max_user_instances"
    place.parent.mkdir(parents=True)
    place.write_text("128\n")
    assert gather_limits().values == ((WATCHERS, 128),)


def test_a_kernel_without_user_namespaces_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_limits, "_UID_MAP", tmp_path / "none")
    assert gather_limits().changeable
    monkeypatch.setattr(kernel_limits, "_PROC", tmp_path / "none")
    assert not gather_limits().changeable
