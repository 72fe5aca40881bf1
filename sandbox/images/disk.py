"""Turn a root's tarball into a disk that boots: partition table, GRUB, ext4. No loop device needed.

We write the partition table and the boot code; mke2fs fills the file system from a folder. This
needs root, or else `fakeroot`, so that the files in it can belong to anybody.
"""

import os
import shutil
import struct
from pathlib import Path

from sandbox.errors import CommandError, HostError, ProviderError
from sandbox.images.tools import GRUB_DIR, tool_path
from sandbox.images.vm_recipe import GRUB_CONFIG, MKE2FS_CONF, ROOT_LABEL
from sandbox.run import run

DISK_GB = 4
"""The disk's stated size: the least that a box may ask for. It grows at the first boot."""

_SECTOR = 512
_FIRST_SECTOR = 2048  # 1 MiB: where partitioning programs begin
_BOOT_CODE = 440
_GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "boot")
_TOOL_S = 600.0


def build_disk(root: Path, work: Path, log: Path) -> Path:
    """Write `work`/disk.raw, sparse, from the tarball `root`.

    Raises:
        HostError: no space is left.
        ProviderError: one of the tools failed; its own words are in the details.
    """
    disk, folder = work / "disk.raw", work / "root"
    folder.mkdir()
    config = work / "mke2fs.conf"
    config.write_text(MKE2FS_CONF, encoding="utf-8")
    (work / "grub.cfg").write_text(GRUB_CONFIG, encoding="utf-8")
    with disk.open("wb") as stream:
        stream.truncate(DISK_GB * 1024**3)
    _tool(_grub_argv(work), log)
    # One call, because fakeroot forgets the owners when it ends
    fill = (
        'tar --extract --file "$1" --directory "$2" --numeric-owner --preserve-permissions '
        "--xattrs --xattrs-include='*' && "
        'exec mke2fs -q -F -t ext4 -L "$3" -d "$2" -E "offset=$4,root_owner=0:0" "$5" "$6"'
    )
    size_kb = (DISK_GB * 1024**3 - _FIRST_SECTOR * _SECTOR) // 1024
    offset = str(_FIRST_SECTOR * _SECTOR)
    words = (root, folder, ROOT_LABEL, offset, disk, f"{size_kb}k")
    fake = () if os.geteuid() == 0 else ("fakeroot", "--")
    _tool((*fake, "sh", "-c", fill, "sh", *words), log, {"MKE2FS_CONFIG": str(config)})
    write_boot_code(disk, (GRUB_DIR / "boot.img").read_bytes(), (work / "core.img").read_bytes())
    shutil.rmtree(folder)
    return disk


def convert(disk: Path, target: Path, words: tuple[str, ...], log: Path) -> None:
    """Turn the raw disk into another format with qemu-img.

    Raises:
        HostError: no space is left.
        ProviderError: qemu-img failed.
    """
    _tool(("qemu-img", "convert", "-f", "raw", *words, disk, target), log)


def write_boot_code(disk: Path, boot: bytes, core: bytes) -> None:
    """Write the MBR with one active partition up to the disk's end, and GRUB after the MBR.

    Raises:
        ProviderError: GRUB does not fit in front of the partition.
    """
    if len(core) > (_FIRST_SECTOR - 1) * _SECTOR:
        raise ProviderError("GRUB does not fit in front of the first partition")
    with disk.open("r+b") as stream:
        stream.write(master_boot_record(boot, disk.stat().st_size // _SECTOR))
        stream.write(core)


def master_boot_record(boot: bytes, sectors: int) -> bytes:
    """Make the first sector: GRUB's boot code (which loads the next ones) and the partitions."""
    unused_chs = b"\xfe\xff\xff"
    length = sectors - _FIRST_SECTOR
    entry = struct.pack("<B3sB3sII", 0x80, unused_chs, 0x83, unused_chs, _FIRST_SECTOR, length)
    signature = b"SNDB"  # of the disk, for PARTUUIDs; the same for all, as the file system's
    return boot[:_BOOT_CODE] + signature + b"\0\0" + entry + bytes(48) + b"\x55\xaa"


def _grub_argv(work: Path) -> tuple[str | Path, ...]:
    # An empty drive before the comma: the disk that the BIOS has booted from
    prefix = "(,msdos1)/boot/grub"
    made = ("--format=i386-pc", f"--output={work / 'core.img'}", f"--config={work / 'grub.cfg'}")
    return ("grub-mkimage", *made, f"--directory={GRUB_DIR}", f"--prefix={prefix}", *_GRUB_MODULES)


def _tool(argv: tuple[str | Path, ...], log: Path, env: dict[str, str] | None = None) -> None:
    try:
        run(
            argv,
            timeout_s=_TOOL_S,
            log=log,
            env={"LC_ALL": "C.UTF-8", "PATH": tool_path(), **(env or {})},
        )
    except CommandError as error:
        details = error.details or error.message
        if "No space left" in details or "Could not allocate block" in details:
            hint = f"df -h {log.parent}"
            raise HostError("no space left for a disk image", details=details, hint=hint) from error
        message = f"cannot make a disk image: {error.message}"
        hint = f"all that was said: {log}"
        raise ProviderError(message, details=details, hint=hint) from error
