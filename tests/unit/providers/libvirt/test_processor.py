"""Which processor a virtual machine shows: by it OpenBLAS picks how it computes."""

from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest

from sandbox.errors import ExitCode, HostError
from sandbox.events import ignore
from sandbox.providers.libvirt import hypervisor
from sandbox.providers.libvirt.accelerator import Accelerator
from sandbox.providers.libvirt.hypervisor import Libvirt
from sandbox.providers.vagrant.files import (
    VagrantfileHost,
    VmFolder,
    VmRecord,
    render_domain,
    render_vagrantfile,
)
from sandbox.spec.models import LibvirtOptions

HASWELL = LibvirtOptions(cpu_mode="custom", cpu_model="Haswell")


def record(options: LibvirtOptions) -> VmRecord:
    return VmRecord(
        provider="libvirt",
        name="shiny",
        vm_name="sandbox-shiny",
        uuid="0b4e7a0c-6e0b-4a55-9f0b-0123456789ab",
        image="sandbox/debian-12-0123456789ab@1.0.0",
        cpus=2,
        memory_mb=2048,
        disk_gb=20,
        authorized_key="ssh-ed25519 AAAA sandbox-shiny",
        ssh_port=20201,
        libvirt=options,
    )


def facts(driver: Literal["kvm", "qemu"] = "kvm") -> VagrantfileHost:
    return VagrantfileHost(prefix="sandbox", console_path=Path("/pool/console.log"), driver=driver)


def vagrant_says(options: LibvirtOptions, driver: Literal["kvm", "qemu"] = "kvm") -> list[str]:
    text = render_vagrantfile(record(options), facts(driver))
    return [line.strip() for line in text.splitlines() if "libvirt.cpu_" in line]


def domain_has(
    options: LibvirtOptions, driver: Literal["kvm", "qemu"] = "kvm"
) -> tuple[str | None, str | None, str | None]:
    """Its mode, its model, and what libvirt may do where it does not know that."""
    text = render_domain(record(options), facts(driver), Path("/pool/disk.img"))
    (cpu,) = ElementTree.fromstring(text).findall("cpu")
    model = cpu.find("model")
    return (
        cpu.get("mode"),
        model.text if model is not None else None,
        model.get("fallback") if model is not None else None,
    )


def test_without_a_word_of_the_box_it_is_as_it_was() -> None:
    assert vagrant_says(LibvirtOptions()) == ['libvirt.cpu_mode = "host-passthrough"']
    assert domain_has(LibvirtOptions()) == ("host-passthrough", None, None)
    assert domain_has(LibvirtOptions(), "qemu")[:2] == ("custom", "qemu64")


@pytest.mark.parametrize("driver", ["kvm", "qemu"])
def test_a_named_processor_is_that_one_and_no_other(driver: Literal["kvm", "qemu"]) -> None:
    assert vagrant_says(HASWELL, driver) == [
        "libvirt.cpu_mode = 'custom'",
        "libvirt.cpu_model = 'Haswell'",
        'libvirt.cpu_fallback = "forbid"',
    ]
    assert domain_has(HASWELL, driver) == ("custom", "Haswell", "forbid")


def test_the_hosts_own_can_be_asked_for() -> None:
    own = LibvirtOptions(cpu_mode="host-model")
    assert vagrant_says(own) == ["libvirt.cpu_mode = 'host-model'"]
    assert domain_has(own) == ("host-model", None, None)


def test_whatever_the_name_holds_it_stays_text() -> None:
    hostile = LibvirtOptions.model_construct(cpu_mode="custom", cpu_model="a'; `x` #{y} <&\"")
    assert "libvirt.cpu_model = 'a\\'; `x` #{y} <&\"'" in vagrant_says(hostile)
    assert domain_has(hostile)[1] == "a'; `x` #{y} <&\""


@pytest.mark.parametrize("mode", ["host-passthrough", "host-model"])
def test_where_it_is_emulated_the_hosts_own_cannot_be_had(
    mode: Literal["host-passthrough", "host-model"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Said before libvirt is asked for anything: there is no virsh here."""
    emulated = Accelerator("qemu", "there is no /dev/kvm")
    monkeypatch.setattr(hypervisor, "accelerator", lambda: emulated)
    wanted = record(LibvirtOptions(cpu_mode=mode))
    with pytest.raises(HostError) as caught:
        Libvirt("sandbox").prepare(wanted, VmFolder(tmp_path), ignore)
    assert caught.value.exit_code is ExitCode.HOST
    assert f"providers.libvirt.cpu_mode: {mode}" in caught.value.message
    assert "there is no /dev/kvm" in caught.value.details
    assert "cpu_model" in caught.value.hint
