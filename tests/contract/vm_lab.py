"""A lab on real libvirt: VMs under a prefix of the tests' own, in folders of their own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.providers.engine import MachineSpec
from sandbox.providers.libvirt.hypervisor import Libvirt
from sandbox.providers.vagrant.baking import BakingVagrantEngine
from sandbox.ssh import make_key
from tests.box_forms import FORMS
from tests.conftest import Host, cannot_run, virsh

BOX_VARIABLE = "SANDBOX_TEST_LIBVIRT_BOX"
"""Names a base image that Vagrant has already; without it, one is built, which takes minutes."""

_FOREIGN = """
<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>
<os><type>hvm</type></os></domain>
"""


@dataclass
class LibvirtLab:
    folder: Path
    image: str
    prefix: str
    engine: BakingVagrantEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = BakingVagrantEngine(Libvirt(self.prefix), self.folder)

    @property
    def source(self) -> str:
        return (
            "from pathlib import Path\n"
            "from sandbox.providers.vagrant.baking import BakingVagrantEngine\n"
            "from sandbox.providers.libvirt.hypervisor import Libvirt\n"
            f"engine = BakingVagrantEngine(Libvirt({self.prefix!r}), Path({str(self.folder)!r}))\n"
        )

    def spec(self, name: str, *, cpus: int = 1, memory_mb: int = 512) -> MachineSpec:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        labels = (("box", "plain"), ("folder", str(folder)), ("plan", "0123"))
        key = make_key(folder)
        return MachineSpec(name, self.image, cpus, memory_mb, 4, key, folder, labels, (3838,))

    def add_foreign(self, name: str) -> None:
        path = self.folder / "foreign.xml"
        path.write_text(_FOREIGN.format(name=f"{self.prefix}-{name}"))
        virsh("define", str(path))

    def is_there(self, name: str) -> bool:
        return any(f"{self.prefix}-{name}" in line.split() for line in self.traces())

    def disk(self, image: str) -> Path:
        """The file of a baked image."""
        return Path(virsh("vol-path", "--pool", self.prefix, f"{self.prefix}-{image}.img").strip())

    def traces(self) -> list[str]:
        """Everything of these tests that libvirt knows: VMs, disks, consoles."""
        virsh("pool-refresh", self.prefix)
        said = virsh("list", "--all") + virsh("vol-list", self.prefix)
        return [line for line in said.splitlines() if f"{self.prefix}-" in line]

    def close(self) -> None:
        for name in self.engine.hypervisor.vms():
            virsh("destroy", name)
            virsh("undefine", name, "--managed-save", "--snapshots-metadata")
        for image in self.engine.baked_images():
            self.engine.delete_baked(image.image)
        for line in self.traces():
            virsh("vol-delete", "--pool", self.prefix, line.split()[0])
        assert self.traces() == []


@pytest.fixture(scope="session")
def libvirt_image(libvirt_host: Host) -> Iterator[str]:
    """A base image that Vagrant has: the one that is named to us, else a new one."""
    if known := os.environ.get(BOX_VARIABLE):
        yield known
        return
    from sandbox.events import ignore
    from sandbox.providers.vagrant.base_box import ensure_vagrant_box
    from tests.contract.conftest import read_base

    with pytest.MonkeyPatch.context() as patch:
        for name in ("VAGRANT_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, libvirt_host.env[name])
        made = ensure_vagrant_box(
            read_base(), form=FORMS["libvirt"], source="auto", mirror=None, listener=ignore
        )
        yield made.image


@pytest.fixture(scope="session")
def libvirt_prefix(libvirt_host: Host) -> str:
    """The prefix of all names, and the storage pool that setup made; VMs can be made there."""
    prefix = libvirt_host.prefix
    report = BakingVagrantEngine(Libvirt(prefix), libvirt_host.home / "instances").check_host()
    if not report.usable:
        cannot_run("; ".join(one.detail for one in report.findings if not one.ok))
    return prefix


@pytest.fixture
def libvirt_lab(libvirt_image: str, libvirt_prefix: str) -> Iterator[LibvirtLab]:
    # Short, and not pytest's: the keys' folders must not be kept after the test
    folder = Path(tempfile.mkdtemp(prefix="sbx-vm-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        instances = folder / "instances"
        instances.mkdir()
        made = LibvirtLab(instances, libvirt_image, libvirt_prefix)
        try:
            yield made
        finally:
            try:
                made.close()
            except SandboxError as error:
                pytest.fail(f"{error.message}: {error.details}")
            finally:
                shutil.rmtree(folder)
