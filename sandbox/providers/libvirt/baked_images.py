"""Baked images of libvirt: a volume in our pool, and a domain that nobody starts.

A volume has no room for a record, but the description of a domain has. So an image is a domain
`PREFIX-Baked-KEY-WORD`, a name that no sandbox can have, and a volume of the same name. Disks of
machines made from it depend on that volume. The domain is made before the first byte is copied and
removed last. Changing its description to `complete` is the last step of a bake.
"""

import json
import re
import shutil
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError, ProviderError
from sandbox.providers.abilities import BakedImage
from sandbox.providers.libvirt.virsh import COPY_S, Virsh
from sandbox.providers.sealing import IMAGE_PREFIX
from sandbox.providers.vagrant.baked_note import Draft, Note, can_go, key_in, require_whole
from sandbox.providers.vagrant.vm import Vm
from sandbox.render import jinja_environment
from sandbox.run import run

_COPY_NAME: Final = "bake.qcow2"
"""A file in the instance's folder, while a disk is copied."""
_QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
_REPAIRED: Final = (0, 3)
"""Exit statuses of `qemu-img check`: for a whole image, and for one with unused space at most."""


@dataclass(frozen=True)
class LibvirtImages:
    """The baked images under one prefix. Who changes one holds `host_lock("libvirt")`."""

    virsh: Virsh
    prefix: str
    overwrites: bool = False
    """False: trimmed space is not in the image, which is copied without free space."""

    def all(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all images, the newest first, also unfinished ones; sizes cost nothing here."""
        del with_sizes
        if shutil.which("virsh") is None:
            # Nobody has ever made one here, and this is asked on every host
            return ()
        start = f"{self.prefix}-"
        names = self.virsh("list --all --name").stdout.split()
        known = [one for one in names if key_in(one.removeprefix(start))]
        if not known:
            return ()
        # Without the pool they are leftovers of images
        present = sorted(self.virsh.volumes()) if self.virsh.has_pool() else []
        volumes = self.virsh.volume_xml([one for one in present if one.startswith(start)])
        folder = self.virsh.pool_path()
        found = []
        for domain, note in self.virsh.descriptions(known).items():
            said = Note.read(note)
            if said is None:
                continue
            volume = f"{domain}.img"
            users = (one for one, xml in volumes.items() if f"/{volume}<" in _backing(xml))
            machines = (
                one.removeprefix(start).removesuffix(".img")
                for one in users
                if not one.startswith(f"{start}{IMAGE_PREFIX}")
            )
            found.append(
                said.image(
                    domain.removeprefix(start),
                    # Somebody may have removed the file itself: libvirt would not know of it yet
                    there=volume in volumes and (folder / volume).exists(),
                    size_bytes=volume_bytes(volumes.get(volume, "")),
                    machines=tuple(sorted(machines)),
                )
            )
        return tuple(sorted(found, key=lambda image: image.made_at, reverse=True))

    def require(self, image: str) -> str:
        """Find the volume of a finished image.

        Raises:
            ProviderError: there is none of that name.
        """
        require_whole(image, self.all())
        return self._volume(image)

    def copy(self, draft: Draft, source: Vm, snapshot: str, port: int, scratch: Path) -> None:
        """Make a domain that resumes from the snapshot's memory, with a copy of the disk.

        The domain is there, unfinished, before the first byte is copied.
        """
        words = ("snapshot-dumpxml", source.uuid, snapshot, "--security-info")
        folder = self.virsh.pool_path()
        xml = waking_domain(
            self.virsh(*words).stdout,
            name=self._domain(draft.name),
            note=draft.note(),
            disk=folder / self._work(draft.name),
            console=folder / self._console(draft.name),
            port=port,
        )
        self.virsh.define(xml)
        self._copy_disk(f"{source.name}.img", draft.name, scratch / _COPY_NAME)

    def _copy_disk(self, source: str, image: str, scratch: Path) -> None:
        """Copy a volume that is in use, with the snapshots in it.

        Data that the machine wrote meanwhile may be torn, and nobody needs it. Nothing writes to a
        snapshot in the volume any more, but the table of used space must be rebuilt.
        """
        try:
            words = ("vol-download", "--pool", self.virsh.pool, source, str(scratch))
            self.virsh(*words, timeout_s=COPY_S)
            check_image(scratch)
            work = self._work(image)
            size = str(scratch.stat().st_size)
            flags = ("--format", "qcow2", "--allocation", "0")
            self.virsh("vol-create-as", self.virsh.pool, work, size, *flags)
            self.virsh(
                "vol-upload", "--pool", self.virsh.pool, work, str(scratch), timeout_s=COPY_S
            )
        finally:
            scratch.unlink(missing_ok=True)

    @contextmanager
    def woken(self, image: str) -> Iterator[None]:
        """Resume an image from its snapshot's memory; at the end it is switched off by force."""
        self.virsh("start", self._domain(image), timeout_s=COPY_S)
        try:
            yield
        finally:
            self._power_off(image)

    def finish(self, draft: Draft) -> BakedImage:
        """Keep the present disk, without its snapshots, and call the image complete."""
        image = draft.name
        work = self._work(image)
        xml = self.virsh.volume_xml([work])[work]
        volume = (
            f"<volume><name>{self._volume(image)}</name>"
            f"<capacity unit='bytes'>{_number(xml, 'capacity')}</capacity>"
            "<target><format type='qcow2'/><compat>1.1</compat></target></volume>"
        )
        self.virsh.make_volume_from(work, volume)
        # libvirt does not know of the console's new file
        self.virsh.refresh_pool()
        for name in (work, self._console(image)):
            self.virsh.delete_volume(name)
        made_at = datetime.now(UTC)
        record = (
            jinja_environment()
            .get_template("libvirt-image.xml.j2")
            .render(
                name=self._domain(image),
                uuid=self._uuid(image),
                note=draft.note(made_at),
                disk_path=str(self.virsh.pool_path() / self._volume(image)),
            )
        )
        self.virsh.define(record)
        return draft.finished(made_at)

    def delete(self, image: str) -> None:
        """Remove an image, finished or not; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        if not can_go(image, self.all):
            return
        self._power_off(image)
        if self.virsh.has_pool():
            self.virsh.refresh_pool()
            for name in (self._volume(image), self._work(image), self._console(image)):
                self.virsh.delete_volume(name)
        # Last, so that the next removal finds leftovers of an interrupted one
        flags = ("--managed-save", "--snapshots-metadata", "--nvram")
        self.virsh.tolerant("undefine", self._domain(image), *flags, but="no domain")

    def _power_off(self, image: str) -> None:
        self.virsh.tolerant("destroy", self._domain(image), but="is not running|no domain")

    def _uuid(self, image: str) -> str:
        return self.virsh("domuuid", self._domain(image)).stdout.strip()

    def _domain(self, image: str) -> str:
        return f"{self.prefix}-{image}"

    def _volume(self, image: str) -> str:
        return f"{self.prefix}-{image}.img"

    def _work(self, image: str) -> str:
        return f"{self.prefix}-{image}-work.img"

    def _console(self, image: str) -> str:
        return f"{self.prefix}-{image}-console.log"


def waking_domain(
    snapshot_xml: str, *, name: str, note: str, disk: Path, console: Path, port: int
) -> str:
    """Describe the machine of a snapshot under another name: a copied disk, the memory from then.

    It reaches nothing, and is reached only by ssh, at `port` of 127.0.0.1.

    Raises:
        ProviderError: the snapshot has no memory.
    """
    ET.register_namespace("qemu", _QEMU)
    snapshot = ET.fromstring(snapshot_xml)  # noqa: S314  (libvirt's own)
    domain = snapshot.find("inactiveDomain")
    if domain is None:
        domain = snapshot.find("domain")
    words = {node.tag: node.text for node in snapshot}
    if domain is None or words.get("state") != "running":
        raise ProviderError("the snapshot was saved while the machine was off: it cannot be baked")
    domain.tag = "domain"
    domain.attrib.pop("id", None)
    values = {"name": name, "uuid": str(uuid.uuid4()), "title": name, "description": note}
    for tag, text in values.items():
        node = domain.find(tag)
        (ET.SubElement(domain, tag) if node is None else node).text = text
    for node in domain.findall("./devices/disk[@device='disk']/source"):
        node.set("file", str(disk))
    for node in domain.findall("./devices/*/source[@path]"):
        node.set("path", str(console))
    for boot in domain.findall("os"):
        for nvram in boot.findall("nvram"):
            boot.remove(nvram)
    words_of_qemu = domain.find(f"{{{_QEMU}}}commandline")
    if words_of_qemu is None:
        raise ProviderError("the snapshot's machine has no network that we know")
    for argument in words_of_qemu:
        if argument.get("value", "").startswith("user,id=sandbox"):
            forward = f"hostfwd=tcp:127.0.0.1:{port}-:22"
            argument.set("value", f"user,id=sandbox,restrict=on,{forward}")
    for word in ("-loadvm", words["name"] or ""):
        ET.SubElement(words_of_qemu, f"{{{_QEMU}}}arg", {"value": word})
    return ET.tostring(domain, encoding="unicode")


def check_image(path: Path) -> None:
    """Rebuild the table of used space of a copied qcow2 file.

    Raises:
        ProviderError: it cannot be repaired.
    """
    # Without its backing file, which this user may not be allowed to read
    file = {"driver": "file", "filename": str(path)}
    image = "json:" + json.dumps({"driver": "qcow2", "backing": None, "file": file})
    try:
        done = run(("qemu-img", "check", "-r", "all", image), timeout_s=COPY_S, check=False)
    except CommandError as error:
        raise ProviderError(error.message, details=error.details) from error
    if done.returncode not in _REPAIRED:
        said = (done.stdout + done.stderr).strip()
        raise ProviderError("the copy of the machine's disk is not whole", details=said[-2000:])


def volume_bytes(volume_xml: str) -> int | None:
    """Return the space of a volume on the disk, from libvirt's description of it."""
    return _number(volume_xml, "allocation")


def _backing(volume_xml: str) -> str:
    found = re.search(r"<backingStore>.*?</backingStore>", volume_xml, re.DOTALL)
    return found[0] if found else ""


def _number(volume_xml: str, word: str) -> int | None:
    found = re.search(rf"<{word} unit='bytes'>(\d+)</{word}>", volume_xml)
    return int(found[1]) if found else None
