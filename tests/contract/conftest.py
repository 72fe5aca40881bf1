"""A lab for each engine: a folder for the fake one, for Incus a project, pool and network."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
import yaml

from sandbox.events import ignore
from sandbox.paths import data_dir
from sandbox.providers.engine import Engine, MachineSpec
from sandbox.providers.fake import FakeEngine
from sandbox.providers.incus.base_image import ensure_base
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.explaining import LateCommandError
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.project_images import BaseImage
from sandbox.spec.base_models import Base
from sandbox.ssh import make_key
from tests.conftest import Host
from tests.contract.hanging import look_from_outside
from tests.contract.vm_lab import libvirt_image, libvirt_lab, libvirt_prefix

_MARK = "user.sandbox-tests"
"""Of our projects: of one without it nothing is known."""

__all__ = ["libvirt_image", "libvirt_lab", "libvirt_prefix"]


def read_base(name: str = "debian-12") -> Base:
    """A base as it is shipped."""
    content = yaml.safe_load((data_dir("boxes") / "_base" / f"{name}.yml").read_text())
    return Base.model_validate_json(json.dumps(content))


class Lab(Protocol):
    """An engine, and what a test needs around it."""

    @property
    def engine(self) -> Engine: ...
    @property
    def source(self) -> str:
        """Python that makes the same engine, as `engine`, in another process."""

    def spec(self, name: str, *, cpus: int = 1, memory_mb: int = 512) -> MachineSpec: ...
    def add_foreign(self, name: str) -> None: ...
    def is_there(self, name: str) -> bool: ...
    def close(self) -> None: ...


@dataclass
class FakeLab:
    folder: Path
    engine: FakeEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.folder / "machines")

    @property
    def source(self) -> str:
        return (
            "from pathlib import Path\n"
            "from sandbox.providers.fake import FakeEngine\n"
            f"engine = FakeEngine(Path({str(self.folder / 'machines')!r}))\n"
        )

    def spec(self, name: str, *, cpus: int = 1, memory_mb: int = 512) -> MachineSpec:
        labels = (("box", "plain"), ("folder", str(self.folder)), ("plan", "0123"))
        return MachineSpec(name, "img", cpus, memory_mb, 4, "ssh-ed25519 AAAA", self.folder, labels)

    def add_foreign(self, name: str) -> None:
        self.engine.add_foreign(name)

    def is_there(self, name: str) -> bool:
        return (self.folder / "machines" / f"{name}.json").exists()

    def close(self) -> None:
        return


@dataclass
class IncusLab:
    engine: IncusEngine
    image: str
    folder: Path

    @property
    def client(self) -> IncusClient:
        return self.engine.client

    @property
    def source(self) -> str:
        place = self.engine.place
        return (
            "from sandbox.providers.incus.engine import IncusEngine\n"
            "from sandbox.providers.incus.place import IncusPlace\n"
            f"engine = IncusEngine(IncusPlace({place.project!r}, {place.pool!r}, "
            f"{place.network!r}, {place.remote!r}))\n"
        )

    def spec(self, name: str, *, cpus: int = 1, memory_mb: int = 512) -> MachineSpec:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        labels = (("box", "plain"), ("folder", str(folder)), ("plan", "0123"))
        key = make_key(folder)
        return MachineSpec(name, self.image, cpus, memory_mb, 4, key, folder, labels)

    def add_foreign(self, name: str) -> None:
        place = self.engine.place
        self.client.run(
            "init",
            self.client.ref(self.image),
            self.client.ref(name),
            "--storage",
            place.pool,
            "--network",
            place.network,
            timeout_s=120,
        )

    def is_there(self, name: str) -> bool:
        return self.client.exists("instances", name)

    def run(self, name: str, *argv: str, stdin: str | None = None) -> str:
        """What `argv` says, run as root in the machine."""
        try:
            return self.engine.exec_as_root(name, argv, timeout_s=120, stdin=stdin).stdout
        except LateCommandError as error:
            error.add_note(look_from_outside(self.client, name))
            raise

    def close(self) -> None:
        _delete_instances(self.client)


@pytest.fixture(scope="session")
def incus_place(host: Host) -> Iterator[IncusPlace]:
    """A project, pool and network that belong to these tests; gone afterwards.

    `host` has made sure that Incus is there: on a fresh machine these tests come first.
    """
    assert host.prefix
    place = IncusPlace.from_prefix(f"sbx{os.getpid()}"[:10])
    client = IncusClient(place)
    remove_labs_of_the_dead()
    driver = ("btrfs", "size=15GiB") if shutil.which("mkfs.btrfs") else ("dir",)
    subnet = f"10.213.{os.getpid() % 250}.1/24"
    addresses = (f"ipv4.address={subnet}", "ipv4.nat=true", "ipv6.address=none")
    try:
        settings = ("-c", "features.images=true", "-c", f"{_MARK}=yes")
        client.run("project", "create", client.ref(place.project), *settings)
        pool = client.ref(place.pool)
        client.run("storage", "create", pool, *driver, timeout_s=120, project="default")
        net = client.ref(place.network)
        client.run("network", "create", net, *addresses, timeout_s=60, project="default")
        yield place
    finally:
        _remove_all(client, place)


def remove_labs_of_the_dead() -> None:
    """What a run that was killed has left: our mark, the id of a process in its name, and none."""
    anywhere = IncusClient(IncusPlace("default", "", ""))
    for project in anywhere.query("GET", "/1.0/projects", parameters={"recursion": "1"}):
        found = re.fullmatch(r"sbx([0-9]+)", str(project["name"]))
        is_ours = project["config"].get(_MARK) == "yes"
        if found is not None and is_ours and not Path(f"/proc/{found[1]}").exists():
            place = IncusPlace.from_prefix(str(project["name"]))
            _remove_all(IncusClient(place), place)


def _delete_instances(client: IncusClient) -> None:
    for instance in client.query("GET", api_path("instances"), parameters={"recursion": "1"}):
        client.run("delete", "--force", client.ref(instance["name"]), timeout_s=120)


def _remove_all(client: IncusClient, place: IncusPlace) -> None:
    _delete_instances(client)
    for image in client.query("GET", api_path("images"), parameters={"recursion": "1"}):
        client.run("image", "delete", client.ref(image["fingerprint"]), timeout_s=120)
    for kind, name in (("network", place.network), ("storage", place.pool)):
        client.run(kind, "delete", client.ref(name), timeout_s=120, project="default", check=False)
    client.run("project", "delete", client.ref(place.project), project="default")
    kept = [
        name
        for kind, name in (("networks", place.network), ("storage-pools", place.pool))
        if IncusClient(IncusPlace("default", "", "")).exists(kind, name)
    ]
    assert not kept


def base_of(host: Host, place: IncusPlace, base: Base) -> BaseImage:
    """The base image in the project `place`; built in the host's own, where tests/e2e finds it."""
    ours = IncusPlace.from_prefix(host.prefix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", host.env["XDG_CACHE_HOME"])
        made = ensure_base(
            base, client=IncusClient(ours), source="build", mirror=None, listener=ignore
        )
    copy_image(ours.project, made.image, place)
    return made


def copy_image(project: str, alias: str, place: IncusPlace) -> None:
    """From one project of this Incus to another, under the same name."""
    client = IncusClient(place)
    to = ("local:", "--target-project", place.project, "--copy-aliases")
    words = ("image", "copy", f"local:{alias}", *to, "--mode", "relay")
    client.run(*words, timeout_s=300, project=project)


@pytest.fixture(scope="session")
def incus_image(host: Host, incus_place: IncusPlace) -> str:
    """The base image of Debian 12, in the tests' own project.

    Built, which takes a minute; or copied when SANDBOX_TEST_IMAGE names one, `PROJECT/ALIAS`.
    """
    if known := os.environ.get("SANDBOX_TEST_IMAGE"):
        project, _, alias = known.partition("/")
        copy_image(project, alias, incus_place)
        return alias
    return base_of(host, incus_place, read_base()).image


@contextmanager
def lab_on_incus(place: IncusPlace, image: str) -> Iterator[IncusLab]:
    """A lab in that place; at the end no machine is in it."""
    # Not tmp_path: the keys' folders must not be kept after the test
    folder = Path(tempfile.mkdtemp(prefix="sbx-lab-"))
    lab = IncusLab(IncusEngine(place), image, folder)
    try:
        yield lab
        lab.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def incus_lab(incus_place: IncusPlace, incus_image: str) -> Iterator[IncusLab]:
    with lab_on_incus(incus_place, incus_image) as lab:
        yield lab


@pytest.fixture(
    params=[
        "fake",
        pytest.param("incus", marks=pytest.mark.incus),
        pytest.param("libvirt", marks=[pytest.mark.libvirt, pytest.mark.slow]),
    ]
)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """Each test runs once in each lab."""
    if request.param == "fake":
        return FakeLab(tmp_path)
    made: Lab = request.getfixturevalue(f"{request.param}_lab")
    return made


@pytest.fixture(params=["fake", pytest.param("incus", marks=pytest.mark.incus)])
def quick_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """Each of those labs in which a boot takes no minute: on libvirt, one machine shows more."""
    if request.param == "fake":
        return FakeLab(tmp_path)
    made: Lab = request.getfixturevalue("incus_lab")
    return made


def run_quietly(*argv: str) -> subprocess.CompletedProcess[str]:
    """A command of the test's own; what it says is kept, its failure is not raised."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
