"""A VM's files in its instance's folder: its record, its Vagrantfile, its ports, its owner.

`machine.json` is written before anything is created: so we can tell later whether a VM that we find
is ours.
"""

import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from sandbox.errors import ProviderError
from sandbox.files import private_folder, write_whole
from sandbox.providers.engine import MachineSpec
from sandbox.providers.sealing import RENEW, is_baked_name
from sandbox.providers.vagrant.vm import MADE_BY
from sandbox.render import LOGIN_USER, jinja_environment
from sandbox.saved import BrokenFileError, read_saved, read_text
from sandbox.spec.models import LibvirtOptions, VagrantOptions, VirtualBoxOptions

VmProvider = Literal["virtualbox", "libvirt"]

HALT_TIMEOUT_S: Final = 60
HOST_KEY_WORD: Final = "sandbox-host-key"
"""Marks each host key that a machine prints to its serial console."""

_EMULATION_FACTOR: Final = 5
_BOOT_TIMEOUT_S: Final = 300
_EXAMPLE_PORT: Final = 20200

BOX_USER: Final = "vagrant"
"""The account of a base image for the first `vagrant up`."""

INSECURE_KEY: Final = (
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHz"
    "D8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSI"
    "Fo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmC"
    "P3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRd"
    "K8jlqm8tehUc9c9WhQ=="
    " vagrant insecure public key"
)
"""Vagrant's own key, known to everybody: only for the first `vagrant up`, which removes it."""

# The public halves of the private keys that come with every Vagrant, RSA and ed25519
_INSECURE_KEYS: Final = (
    "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8",
    "AAAAC3NzaC1lZDI1NTE5AAAAIN1YdxBpNlzxDqfJyw/QKow1F+wvG9hXGoqiysfJOn5Y",
)


class VmRecord(BaseModel):
    """The wanted form of a VM. Frozen; written again when its ports or its key change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    provider: VmProvider
    name: str
    vm_name: str
    """Its name at the provider: the prefix and the sandbox's name."""
    uuid: str
    """Chosen here, so that a VM is known as ours from its first moment."""
    image: str
    """A Vagrant box, `NAME` or `NAME@VERSION`; or a baked image."""
    cpus: int
    memory_mb: int
    disk_gb: int
    authorized_key: str
    ssh_port: int
    """The port for ssh on 127.0.0.1."""
    forwarded: tuple[tuple[int, int], ...] = ()
    """Each port of the machine, with its port on 127.0.0.1."""
    labels: tuple[tuple[str, str], ...] = ()
    made: bool = False
    """Whether the VM was ever whole; until then, parts that we find are removed."""
    settled: bool = False
    """Whether its first start was completed: our login works, and the base image's is gone."""
    virtualbox: VirtualBoxOptions = VirtualBoxOptions()
    libvirt: LibvirtOptions = LibvirtOptions()

    @property
    def options(self) -> VagrantOptions:
        """The box's settings for the VM's provider."""
        return self.virtualbox if self.provider == "virtualbox" else self.libvirt

    @property
    def ssh_timeout_s(self) -> int:
        """How long one try to connect by ssh may take."""
        return self.options.ssh_timeout_s

    @property
    def owner_note(self) -> str:
        """Kept with the VM; holds no character that is special for XML or a shell."""
        words = [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in self.labels]
        return " ".join([MADE_BY, f"uuid={self.uuid}", *words])


@dataclass(frozen=True)
class VmFolder:
    """An instance's folder, with the files that a VM's engine needs."""

    path: Path

    @property
    def record_path(self) -> Path:
        """The record of the VM."""
        return self.path / "machine.json"

    @property
    def vagrantfile(self) -> Path:
        """The rendered Vagrantfile."""
        return self.path / "Vagrantfile"

    @property
    def host_keys_path(self) -> Path:
        """The host keys that the VM printed to its console."""
        return self.path / "host_keys"

    @property
    def log(self) -> Path:
        """All output of Vagrant."""
        return self.path / "logs" / "vagrant.log"

    def id_path(self, record: VmRecord) -> Path:
        """Return the file where Vagrant keeps the id of the VM."""
        return self.path / ".vagrant" / "machines" / record.name / record.provider / "id"

    def read(self) -> VmRecord | None:
        """Read the VM's record; None when there is none.

        Raises:
            ProviderError: it cannot be read.
        """
        hint = f"sandbox destroy {self.path.name}, then sandbox up again"
        message = f"{self.record_path} cannot be read"
        try:
            return read_saved(self.record_path, VmRecord, message=message, hint=hint)
        except BrokenFileError as error:
            raise ProviderError(message, details=error.reason, hint=hint) from error

    def write(self, record: VmRecord) -> None:
        """Save the record, whole or not at all."""
        self._put(self.record_path, record.model_dump_json(indent=1))

    def write_vagrantfile(self, record: VmRecord, facts: "VagrantfileHost") -> None:
        """Write the files for Vagrant: the Vagrantfile and the script to run in the machine."""
        logged_in = bool(self.host_keys())
        self._put(self.vagrantfile, render_vagrantfile(record, facts, logged_in=logged_in))
        self._put(self.path / "login.sh", render_login_script())

    def host_keys(self) -> tuple[str, ...]:
        """Return the VM's own host keys, as far as they are known."""
        try:
            return tuple((read_text(self.host_keys_path) or "").splitlines())
        except BrokenFileError:
            # As if they were not known yet: the VM prints them when it starts
            return ()

    def write_host_keys(self, keys: tuple[str, ...]) -> None:
        """Keep the VM's host keys."""
        self._put(self.host_keys_path, "".join(f"{key}\n" for key in keys))

    def _put(self, path: Path, text: str) -> None:
        private_folder(path.parent, path.parent)
        write_whole(path, text)


@dataclass(frozen=True)
class VagrantfileHost:
    """The Vagrantfile's settings for this host."""

    prefix: str
    console_path: Path
    driver: Literal["kvm", "qemu"] = "qemu"
    libvirt_uri: str = "qemu:///system"
    pool: str = "default"
    slow: bool = False
    """Whether the guest is emulated: everything takes several times as long."""


def new_record(
    spec: MachineSpec, provider: VmProvider, prefix: str, ports: dict[int, int]
) -> VmRecord:
    """Make the record of a new VM for `spec`; `ports` maps its ports, 22 among them, to ours."""
    options: dict[str, Any] = {}
    if isinstance(spec.options, VirtualBoxOptions):
        options["virtualbox"] = spec.options
    elif isinstance(spec.options, LibvirtOptions):
        options["libvirt"] = spec.options
    return VmRecord(
        provider=provider,
        name=spec.name,
        vm_name=f"{prefix}-{spec.name}",
        uuid=str(uuid.uuid4()),
        image=spec.image,
        cpus=spec.cpus,
        memory_mb=spec.memory_mb,
        disk_gb=spec.disk_gb,
        authorized_key=spec.authorized_key,
        labels=spec.labels,
        **options,
        **port_fields(ports),
    )


def port_fields(ports: dict[int, int]) -> dict[str, Any]:
    """Return the fields of a record that hold its ports."""
    others = sorted((guest, host) for guest, host in ports.items() if guest != SSH)
    return {"ssh_port": ports[SSH], "forwarded": tuple(others)}


SSH: Final = 22
NET_DEVICE: Final = "virtio-net-pci,netdev=sandbox,mac=52:54:00:12:34:56,addr=0x1e"
"""Each VM is alone in its network: one address serves all. libvirt leaves this slot free."""


def boot_timeout_s(record: VmRecord, *, slow: bool) -> int:
    """Return how many seconds the VM may take until ssh answers."""
    options = record.options
    if options.boot_timeout_s is not None:
        return options.boot_timeout_s
    return _BOOT_TIMEOUT_S * (_EMULATION_FACTOR if slow else 1)


def render_vagrantfile(record: VmRecord, facts: VagrantfileHost, *, logged_in: bool = False) -> str:
    """Render the Vagrantfile: every value from the box passes the filter `ruby`.

    Until the first login (`logged_in`), only the base image's own account exists; a baked image
    only has our account.
    """
    box_name, _, box_version = record.image.partition("@")
    options = record.options
    return (
        jinja_environment()
        .get_template("Vagrantfile.j2")
        .render(
            machine=record,
            box_name=box_name,
            box_version=box_version,
            boot_timeout_s=boot_timeout_s(record, slow=facts.slow),
            ssh_timeout_s=options.ssh_timeout_s,
            halt_timeout_s=HALT_TIMEOUT_S,
            key_path="id_ed25519",
            logged_in=logged_in or is_baked_name(record.image),
            login_user=LOGIN_USER,
            login_script="login.sh",
            console_path=str(facts.console_path),
            linked_clone=record.virtualbox.linked_clone,
            customize=[list(line) for line in record.virtualbox.customize if line],
            prefix=f"{facts.prefix}-",
            driver=record.libvirt.driver or facts.driver,
            libvirt_uri=facts.libvirt_uri,
            pool=facts.pool,
            netdev=netdev(record),
            device=NET_DEVICE,
        )
    )


def netdev(record: VmRecord) -> str:
    """Write QEMU's options for a network of the VM's own, with ports forwarded from 127.0.0.1."""
    forwards = ((SSH, record.ssh_port), *record.forwarded)
    words = ["user", "id=sandbox", f"hostname={record.name}"]
    return ",".join(words) + "".join(
        f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in forwards
    )


def render_domain(record: VmRecord, facts: VagrantfileHost, disk_path: Path) -> str:
    """Render the domain for libvirt: it exists before Vagrant starts it."""
    return (
        jinja_environment()
        .get_template("libvirt-domain.xml.j2")
        .render(
            machine=record,
            driver=facts.driver,
            arch=os.uname().machine,
            disk_path=str(disk_path),
            console_path=str(facts.console_path),
            netdev=netdev(record),
            device=NET_DEVICE,
        )
    )


def render_login_script() -> str:
    """Render the script that Vagrant runs in the machine at each start."""
    return (
        jinja_environment()
        .get_template("vagrant-login.sh.j2")
        .render(
            login_user=LOGIN_USER,
            insecure_keys=_INSECURE_KEYS,
            host_key_word=HOST_KEY_WORD,
            renew=RENEW.strip(),
        )
    )


def example_files(
    spec: MachineSpec, provider: VmProvider, prefix: str
) -> tuple[tuple[str, str], ...]:
    """Render the files that a folder for `spec` would have, as far as known before the VM is."""
    guests = (SSH, *spec.forwarded_ports)
    ports = {guest: _EXAMPLE_PORT + at for at, guest in enumerate(guests)}
    facts = VagrantfileHost(prefix=prefix, console_path=Path("console.log"), pool=prefix)
    vagrantfile = render_vagrantfile(new_record(spec, provider, prefix, ports), facts)
    return (("Vagrantfile", vagrantfile), ("login.sh", render_login_script()))


def parse_console(text: str) -> tuple[str, ...]:
    """Parse the host keys of the last whole list that the machine printed; empty without one."""
    keys: list[str] = []
    last: tuple[str, ...] = ()
    pattern = rf"{HOST_KEY_WORD} (end|(?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+)\s*$"
    for found in re.findall(pattern, text, re.MULTILINE):
        if found == "end":
            last, keys = tuple(keys) or last, []
        else:
            keys.append(str(found))
    return last
