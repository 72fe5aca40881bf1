"""The base images, built for real: what must not be in them, and that they boot."""

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.events import Event, Notice, ignore
from sandbox.images.package_index import available_packages
from sandbox.images.recipe import PACKAGE_INDEX
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.place import IncusPlace
from tests.conftest import Host
from tests.contract.conftest import IncusLab, base_of, read_base

pytestmark = pytest.mark.incus


@pytest.fixture
def root(
    incus_place: IncusPlace, incus_image: str, tmp_path: Path
) -> Iterator[dict[str, tuple[tarfile.TarInfo, bytes]]]:
    """Every file of the image as Incus keeps it; the content of the small ones."""
    client = IncusClient(incus_place)
    client.run("image", "export", client.ref(incus_image), tmp_path / "image", timeout_s=120)
    files: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    with tarfile.open(tmp_path / "image.root") as archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isfile() else None
            small = stream is not None and entry.size < 100_000
            content = stream.read() if stream is not None and small else b""
            files["/" + entry.name.removeprefix("./").rstrip("/")] = (entry, content)
    yield files
    for made in tmp_path.iterdir():
        made.unlink()


def test_nothing_that_two_machines_must_not_share(
    root: dict[str, tuple[tarfile.TarInfo, bytes]],
) -> None:
    assert root["/etc/machine-id"][1] == b""
    for absent in (
        "/etc/hostname",
        "/var/lib/dbus/machine-id",
        "/var/lib/systemd/random-seed",
        "/var/lib/systemd/credential.secret",
        "/etc/shadow-",
        PACKAGE_INDEX,
    ):
        assert absent not in root
    assert not [name for name in root if name.startswith("/etc/ssh/ssh_host_")]
    assert not [name for name in root if name.endswith(("authorized_keys", ".bash_history"))]
    passwords = [line.split(b":")[1] for line in root["/etc/shadow"][1].splitlines()]
    assert passwords
    assert all(password[:1] in (b"!", b"*") for password in passwords)


def test_nothing_of_the_host(root: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    assert root["/etc/resolv.conf"][1] == b""
    hostname = Path("/proc/sys/kernel/hostname").read_bytes().strip()
    etc = {name: content for name, (_, content) in root.items() if name.startswith("/etc/")}
    named = [name for name, content in etc.items() if hostname in content]
    assert not named or len(hostname) < 4
    apt = b"\n".join(content for name, content in etc.items() if name.startswith("/etc/apt/"))
    assert b"proxy" not in apt.lower()
    assert b"@" not in b"".join(line for line in apt.splitlines() if line.startswith(b"deb"))
    assert not [name for name in etc if "99mmdebstrap" in name or name.endswith("auth.conf")]
    for emptied in ("/var/log/", "/var/lib/apt/lists/", "/var/cache/apt/", "/tmp/"):
        inside = [name for name, (entry, _) in root.items() if name.startswith(emptied)]
        assert not [name for name in inside if root[name][0].isfile() and root[name][0].size]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["debian-11", "debian-13"])
def test_the_other_releases(
    host: Host, incus_place: IncusPlace, incus_lab: IncusLab, name: str
) -> None:
    base = read_base(name)
    image = base_of(host, incus_place, base)
    packages = available_packages(image)
    assert packages is not None
    assert {"r-base-core", "r-cran-data.table"} <= packages
    assert "no-such-package" not in packages
    heard: list[Event] = []
    incus_lab.engine.create(replace(incus_lab.spec("release"), image=image.image), ignore)
    incus_lab.engine.start("release", heard.append)
    assert not [event for event in heard if isinstance(event, Notice)]
    assert incus_lab.run("release", "systemctl", "is-system-running").strip() == "running"
    assert f"VERSION_CODENAME={base.suite}" in incus_lab.run("release", "cat", "/etc/os-release")
