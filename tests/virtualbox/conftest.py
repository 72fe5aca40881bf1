"""Real VirtualBox, with any VBoxManage on PATH; only `make test-virtualbox` collects these.

The base image is the Vagrant box that SANDBOX_TEST_VIRTUALBOX_BOX names, else one that is built.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.events import ignore
from sandbox.providers.engine import MachineSpec
from sandbox.providers.vagrant.baking import BakingVagrantEngine
from sandbox.providers.vagrant.base_box import ensure_vagrant_box
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from sandbox.spec.models import VirtualBoxOptions
from sandbox.ssh import make_key
from tests.box_forms import FORMS
from tests.conftest import cannot_run
from tests.contract.conftest import read_base

collect_ignore_glob = [] if os.environ.get("SANDBOX_TEST_VIRTUALBOX") else ["test_*.py"]

SLOW = VirtualBoxOptions(
    boot_timeout_s=3600, ssh_timeout_s=180, customize=(("modifyvm", "--vram", "16"),)
)
"""Patient enough for VirtualBox's recompiler, on a machine without hardware virtualisation."""


def manage(*words: str, check: bool = True) -> str:
    """The real VBoxManage; what it says."""
    done = subprocess.run(
        ["VBoxManage", *words], capture_output=True, text=True, timeout=600, check=False
    )
    if check and done.returncode != 0:
        pytest.fail(f"VBoxManage {' '.join(words)}: {done.stderr}", pytrace=False)
    return done.stdout + done.stderr


@dataclass
class VirtualBoxLab:
    instances: Path
    image: str
    prefix: str
    engine: BakingVagrantEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = BakingVagrantEngine(VirtualBox(self.prefix), self.instances)

    @property
    def source(self) -> str:
        """Python that makes the same engine, as `engine`, in another process."""
        return (
            "from pathlib import Path\n"
            "from sandbox.providers.vagrant.baking import BakingVagrantEngine\n"
            "from sandbox.providers.virtualbox.hypervisor import VirtualBox\n"
            "from pathlib import PosixPath\n"
            "from sandbox.providers.engine import MachineSpec\n"
            "from sandbox.spec.models import VirtualBoxOptions\n"
            "from sandbox.events import ignore\n"
            f"hypervisor = VirtualBox({self.prefix!r})\n"
            f"engine = BakingVagrantEngine(hypervisor, Path({str(self.instances)!r}))\n"
        )

    def kill_after(self, call: str, after_s: float) -> None:
        """Do `call`, which may use `engine`, in a process that gets kill -9 after so long."""
        code = f"{self.source}print('go', flush=True)\n{call}\n"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"go\n"
            time.sleep(after_s)
            process.kill()

    @property
    def machine_folder(self) -> Path:
        said = manage("list", "systemproperties")
        line = next(one for one in said.splitlines() if one.startswith("Default machine folder:"))
        return Path(line.partition(":")[2].strip())

    def spec(self, name: str) -> MachineSpec:
        folder = self.instances / name
        folder.mkdir(exist_ok=True)
        labels = (("box", "plain"), ("plan", "0123"))
        key = make_key(folder)
        return MachineSpec(name, self.image, 1, 512, 4, key, folder, labels, (3838,), options=SLOW)

    def from_image(self, name: str, image: str) -> MachineSpec:
        """A machine like any other of the lab, but made from a baked image."""
        return replace(self.spec(name), image=image)

    def holds(self, folder: Path, word: bytes) -> bool:
        """Whether `word` is anywhere in the files of a folder, disks as they are."""
        done = subprocess.run(["grep", "-rqaF", word, str(folder)], timeout=600, check=False)
        return done.returncode == 0

    def uuid(self, name: str) -> str:
        return self.engine.hypervisor.vms()[f"{self.prefix}-{name}"].uuid

    def traces(self, name: str = "") -> list[str]:
        """What VirtualBox and its machine folder have of these tests, masters left out."""
        said = manage("list", "vms") + manage("list", "hdds")
        found = [line for line in said.splitlines() if f"{self.prefix}-{name}" in line]
        found += [str(path) for path in self.machine_folder.glob(f"{self.prefix}-{name}*")]
        return [one for one in found if f"{self.prefix}-base." not in one]

    def close(self) -> None:
        for vm in self.engine.hypervisor.vms().values():
            manage("controlvm", vm.uuid, "poweroff", check=False)
            manage("unregistervm", vm.uuid, "--delete", check=False)
        for line in manage("list", "vms").splitlines():
            if line.startswith(f'"{self.prefix}-Baked-'):
                name = line.partition('" ')[0].strip('"')
                manage("controlvm", name, "poweroff", check=False)
                manage("unregistervm", name, "--delete", check=False)
        for path in self.machine_folder.glob(f"{self.prefix}-*"):
            if not path.name.startswith(f"{self.prefix}-base."):
                shutil.rmtree(path)

    def remove_masters(self) -> None:
        for line in manage("list", "vms").splitlines():
            name = line.partition('" ')[0].strip('"')
            if name.startswith(f"{self.prefix}-base."):
                manage("unregistervm", name, "--delete")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What VirtualBox and Vagrant said themselves is in an error's details."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, SandboxError):
        report.sections.append(("details", f"{error.message}\n{error.details}"))
    return report


@pytest.fixture(scope="session")
def virtualbox_image() -> str:
    """A base image that Vagrant has."""
    for program in ("VBoxManage", "vagrant"):
        if shutil.which(program) is None:
            cannot_run(f"{program} is not on PATH: sandbox doctor")
    if known := os.environ.get("SANDBOX_TEST_VIRTUALBOX_BOX"):
        return known
    base = read_base()
    made = ensure_vagrant_box(
        base, form=FORMS["virtualbox"], source="auto", mirror=None, listener=ignore
    )
    return made.image


@pytest.fixture(scope="session")
def lab(virtualbox_image: str) -> Iterator[VirtualBoxLab]:
    folder = Path(tempfile.mkdtemp(prefix="sbx-vb-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        instances = folder / "instances"
        instances.mkdir()
        made = VirtualBoxLab(instances, virtualbox_image, f"sbx{os.getpid()}")
        try:
            yield made
        finally:
            made.close()
            made.remove_masters()
            shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def tidy(lab: VirtualBoxLab) -> Iterator[None]:
    """Each test begins with nothing, and leaves nothing."""
    yield
    lab.close()
    assert lab.traces() == []
