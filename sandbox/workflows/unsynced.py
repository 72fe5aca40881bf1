"""The first installation in a container of this host: dpkg does not wait for the disk.

What a container has written belongs to this host's kernel: nothing is lost when the container, or
`sandbox`, is ended in the middle. Only when the host itself ends may packages be torn. So the id of
the host's boot is noted before, and the note goes after a sync. A machine whose note is of another
boot is made anew: it was never whole, and so nobody has worked in it.

A virtual machine has a kernel of its own, and a remote Incus another host's: there dpkg waits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sandbox.guest.guest import Guest
from sandbox.record import Record
from sandbox.ssh import SshTarget

_NOTE: Final = "unsynced"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def installing_unsynced(guest: Guest, record: Record, target: SshTarget) -> Iterator[str]:
    """Yield the file of settings with which apt does not wait for the disk; sync at the end.

    Empty where apt has to wait. After a failure the note stays.

    Raises:
        ProvisionError: the machine does not answer.
    """
    boot = this_boot()
    was_whole = record.kept_recipe or any(one.what == "provisioned" for one in record.history)
    apt = guest.unsynced_apt(target) if boot and not was_whole else None
    if apt is not None:
        guest.instance.write_text(_NOTE, boot)
    yield apt.config if apt is not None else ""
    if apt is not None:
        apt.sync()
        forget_unsynced(guest)


def may_be_torn(guest: Guest) -> bool:
    """Tell whether this host was started again before the machine's packages were on its disk."""
    try:
        return (guest.folder / _NOTE).read_text(encoding="utf-8") != this_boot()
    except FileNotFoundError:
        return False


def forget_unsynced(guest: Guest) -> None:
    """Remove the note: all is on the disk, or the machine is gone."""
    (guest.folder / _NOTE).unlink(missing_ok=True)


def this_boot() -> str:
    """Return the id of this host's boot; empty where it has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
