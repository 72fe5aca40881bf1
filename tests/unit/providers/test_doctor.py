"""What doctor says: never "usable" when it is not, and always how to mend it."""

import json
from dataclasses import replace

import pytest

from sandbox.errors import HostError
from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.incus.client import NotPermittedError
from sandbox.providers.incus.docker_firewall import DockerRules, docker_finding
from sandbox.providers.incus.doctor import incus_findings
from sandbox.providers.incus.host_setup import IncusSituation
from sandbox.providers.place import Place
from sandbox.providers.vagrant.versions import parse_version
from sandbox.providers.virtualbox.doctor import virtualbox_report
from sandbox.providers.virtualbox.installation import VirtualBoxFacts, vagrant_accepts
from sandbox.workflows.doctor import choose_default, diagnose
from tests.unit.providers.host_facts import (
    PLACE,
    a_bare_host,
    a_host,
    a_ready_server,
    a_thing,
    an_empty_server,
)


def bad(now: IncusSituation) -> list[Finding]:
    return [item for item in incus_findings(PLACE, now) if not item.ok and not item.warning]


def test_a_ready_host_has_nothing_to_mend() -> None:
    findings = incus_findings(PLACE, IncusSituation(a_host(), a_ready_server()))
    assert [item for item in findings if not item.ok] == []


def test_every_finding_that_stops_us_has_a_fix() -> None:
    for now in (
        IncusSituation(a_bare_host(), None, HostError("Incus's client `incus` is not installed")),
        IncusSituation(a_host(), an_empty_server()),
        IncusSituation(a_host(), an_empty_server(pools=(a_thing("sandbox", None),))),
        IncusSituation(a_host(), a_ready_server(pool_free_gb=1.0)),
    ):
        found = bad(now)
        assert found
        assert all(item.fix for item in found), found


def test_permission_says_newgrp_only_to_members() -> None:
    refused = NotPermittedError("you may not talk to the Incus daemon", details="no permission")
    stranger = a_host(is_root=False, user="ada")
    (finding,) = bad(IncusSituation(stranger, None, refused))
    assert finding.fix == "sudo usermod -aG incus-admin ada && newgrp incus-admin"
    (finding,) = bad(IncusSituation(replace(stranger, in_group=True), None, refused))
    assert finding.fix == "newgrp incus-admin"


def test_a_vpn_over_our_subnet_is_found() -> None:
    host = a_host(routes_json=json.dumps([{"dst": "10.80.0.0/16", "dev": "tun0"}]))
    (finding,) = bad(IncusSituation(host, a_ready_server()))
    assert "10.80.0.0/16" in finding.detail


def test_a_slow_pool_and_a_missing_builder_are_warnings() -> None:
    host = a_host(commands=a_host().commands - {"mmdebstrap"})
    server = a_ready_server(pools=(a_thing("sandbox", driver="dir"),))
    findings = incus_findings(PLACE, IncusSituation(host, server))
    warned = [item for item in findings if item.warning and not item.ok]
    assert len(warned) == 2
    assert HostReport("incus", findings).usable


def test_a_daemon_without_templates_is_told() -> None:
    findings = incus_findings(
        PLACE, IncusSituation(a_host(), a_ready_server(), lacks_templates=True)
    )
    assert any("LXC_TEMPLATE_CONFIG" in item.detail for item in findings)


def test_docker() -> None:
    here = a_host(addresses_json=json.dumps([{"ifname": "docker0"}]))
    drop = DockerRules("-P FORWARD DROP\n", "")
    assert docker_finding("sandboxbr0", a_host(), None).ok
    assert docker_finding("sandboxbr0", here, None).warning
    blocked = docker_finding("sandboxbr0", here, drop)
    assert not blocked.ok
    assert not blocked.warning
    assert docker_finding("sandboxbr0", here, DockerRules("-P FORWARD ACCEPT\n", "")).ok


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("7.0.16r162802\n", (7, 0, 16)),
        ("7.2.2_Debianr170484\n", (7, 2, 2)),
        (
            "WARNING: The vboxdrv kernel module is not loaded.\n for 6.18.44\n7.1.4r165100\n",
            (7, 1, 4),
        ),
        ("Vagrant 2.3.4\n", (2, 3, 4)),
        ("", ()),
        ("command failed\n", ()),
    ],
)
def test_versions(said: str, version: tuple[int, ...]) -> None:
    assert parse_version(said) == version


@pytest.mark.parametrize(
    ("vagrant", "virtualbox", "accepted"),
    [
        ((2, 3, 4), (7, 0, 16), True),
        ((2, 3, 4), (7, 1, 0), False),
        ((2, 4, 2), (7, 1, 4), True),
        ((2, 4, 8), (7, 2, 0), False),
        ((2, 4, 9), (7, 2, 0), True),
        ((2, 4, 9), (8, 0, 0), False),
        ((2, 3, 4), (6, 1, 50), True),
        ((2, 2, 6), (6, 1, 0), False),
        ((2, 2, 14), (7, 0, 0), False),
        ((2, 0, 0), (5, 2, 0), True),
    ],
)
def test_which_vagrant_drives_which_virtualbox(
    vagrant: tuple[int, ...], virtualbox: tuple[int, ...], accepted: bool
) -> None:
    assert vagrant_accepts(vagrant, virtualbox) is accepted


BOX = VirtualBoxFacts(
    manage=True,
    version_text="7.0.16r1",
    vagrant_text="Vagrant 2.3.4",
    driver_device=True,
    kernel="6.1.0",
)


def wanting(facts: VirtualBoxFacts) -> dict[str, str]:
    """What is not as it should be, and the fix."""
    found = virtualbox_report(facts)
    return {item.title: f"{item.detail} | {item.fix}" for item in found.findings if not item.ok}


def is_doubtful(facts: VirtualBoxFacts) -> bool:
    """Never the default, and yet it may be tried."""
    found = virtualbox_report(facts)
    return found.possible and not found.usable


def test_a_laptop_with_virtualbox() -> None:
    assert virtualbox_report(BOX).usable
    assert wanting(BOX) == {}


def test_debians_vagrant_refuses_a_newer_virtualbox() -> None:
    newer = replace(BOX, version_text="7.1.4r1")
    (only,) = wanting(newer).values()
    assert "Vagrant 2.3.4 refuses VirtualBox 7.1.4" in only
    assert "2.4.2" in only
    assert is_doubtful(newer)


def test_a_virtualbox_that_no_vagrant_knows() -> None:
    (only,) = wanting(replace(BOX, version_text="8.0.0r1")).values()
    assert "install a VirtualBox that your Vagrant knows" in only


def test_missing_module_and_processor_keep_it_from_being_the_default() -> None:
    without = replace(BOX, driver_device=False, hypervisor=True, cpu_virtualisation=False)
    found = wanting(without)
    assert "vboxconfig" in found["VirtualBox's kernel module is loaded"]
    assert "nesting" in found["the processor offers virtualisation"]
    assert is_doubtful(without)
    assert is_doubtful(replace(BOX, driver_device=False))
    off = wanting(replace(BOX, cpu_virtualisation=False))
    assert "firmware" in off["the processor offers virtualisation"]


def test_without_virtualbox_or_vagrant_nothing_can_be_tried() -> None:
    none = replace(BOX, manage=False, version_text="")
    assert not virtualbox_report(none).possible
    assert list(wanting(none)) == ["VirtualBox is installed"]
    (only,) = wanting(replace(BOX, vagrant_text="")).values()
    assert "there is no command `vagrant`" in only
    assert not virtualbox_report(replace(BOX, vagrant_text="")).possible


def test_linux_under_windows() -> None:
    here = replace(BOX, wsl=True)
    (only,) = wanting(here).values()
    assert "Hyper-V" in only
    assert is_doubtful(here)


def test_a_kvm_that_holds_the_processor_is_warned_about() -> None:
    old = replace(BOX, kvm_loaded=True)
    assert wanting(old) == {}
    new = replace(old, kernel="6.12.9-amd64")
    (only,) = wanting(new).values()
    assert "VERR_VMX_IN_VMX_ROOT_MODE" in only
    assert virtualbox_report(new).usable


def test_an_arm64_host() -> None:
    arm = replace(BOX, machine="aarch64", cpu_virtualisation=False)
    found = wanting(arm)
    assert "no machines for arm64" in found["the processor offers virtualisation"]
    assert "public boxes are used" in found["base images for virtualbox can be built here"]
    assert is_doubtful(arm)
    newer = replace(arm, version_text="7.2.0r1", vagrant_text="Vagrant 2.4.9")
    assert virtualbox_report(newer).usable


def test_apple_silicon() -> None:
    """macOS calls it arm64, and has neither /dev/vboxdrv nor /proc."""
    mac = replace(
        BOX,
        system="Darwin",
        machine="arm64",
        version_text="7.0.16r1",
        driver_device=False,
        cpu_virtualisation=False,
        kernel="25.1.0",
        missing_tools=("mmdebstrap",),
    )
    (only,) = wanting(mac).values()
    assert "no machines for arm64" in only
    newer = replace(mac, version_text="7.2.0r1", vagrant_text="Vagrant 2.4.9")
    assert wanting(newer) == {}
    assert virtualbox_report(replace(mac, machine="x86_64")).usable


def test_other_systems_have_virtualbox_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("sandbox.providers.virtualbox.installation.gather_virtualbox", lambda: BOX)
    found = diagnose(Place("sandbox"))
    assert found.default == "virtualbox"
    assert [item.provider for item in found.reports if item.usable] == ["virtualbox"]
    assert diagnose(Place("sandbox"), "incus").default == "incus"


def test_too_little_memory_or_disk_is_said() -> None:
    (memory,) = wanting(replace(BOX, memory_mb=1024)).values()
    assert "1024 MB" in memory
    (disk,) = wanting(replace(BOX, free_disk_gb=3)).values()
    assert "3 GB of disk free" in disk
    none = replace(BOX, free_disk_gb=0.5)
    assert "0.5 GB free, 2 GB needed" in wanting(none)["there is room for a machine's disk"]
    assert not virtualbox_report(none).possible


def test_the_default_is_explained() -> None:
    usable = HostReport("incus", (Finding(ok=True, title="all"),))
    useless = HostReport("x", (Finding(ok=False, title="nothing"),))
    reports = {"virtualbox": useless, "incus": usable, "libvirt": useless}
    name, reason = choose_default(reports, None)
    assert name == "incus"
    assert "virtualbox" in reason
    assert choose_default(reports, "libvirt") == ("libvirt", "you chose it")
    assert choose_default({**reports, "incus": useless}, None)[0] is None
