"""The first installation in a container of this host, in which dpkg does not wait for the disk.

What a container has written belongs to this host's kernel: nothing is lost when the container, or
`sandbox`, is ended in the middle. Only when the host itself ends may packages be torn. So the id of
the host's boot is noted before, and the note goes after a sync. A machine whose note is of another
boot is made anew. It was never whole, and so nobody has worked in it.

A virtual machine has a kernel of its own, and waits for its disk: it shows another boot's id.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError, ProvisionError
from sandbox.guest.guest import Guest
from sandbox.paths import data_dir
from sandbox.record import Record
from sandbox.ssh import SshTarget

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NOTE: Final = "unsynced"
_FOLDER: Final = "/run/sandbox-unsynced"
"""In memory: a machine that was started again does not have it, and its apt only warns of that."""
_CONFIG: Final = f"{_FOLDER}/apt.conf"
_READY: Final = "ready"
_S: Final = 600.0

# $1: this host's boot. The program's text comes on stdin
_PREPARE: Final = f"""\
set -eu
[ "$(cat {_BOOT_ID} 2>/dev/null)" = "$1" ] || exit 0
mkdir -p {_FOLDER}
cat > {_FOLDER}/unsynced.py
cat > {_FOLDER}/dpkg <<'END'
#!/bin/sh
exec /usr/bin/python3 -IS {_FOLDER}/unsynced.py /usr/bin/dpkg "$@"
END
chmod 0755 {_FOLDER}/dpkg
{_FOLDER}/dpkg --version >/dev/null || exit 0
echo 'Dir::Bin::dpkg "{_FOLDER}/dpkg";' > {_CONFIG}
echo {_READY}
"""
_END: Final = f"rm -rf {_FOLDER}; sync -f / 2>/dev/null || sync"


@contextmanager
def installing_unsynced(guest: Guest, record: Record, target: SshTarget) -> Iterator[str]:
    """Yield the file of settings with which apt does not wait for the disk; sync at the end.

    Empty where apt has to wait: in a machine that was whole before, and where the kernel is not
    this host's.

    Raises:
        ProvisionError: the machine stopped answering; the note stays.
    """
    boot = _this_boot()
    if not boot or record.kept_recipe or any(one.what == "provisioned" for one in record.history):
        yield ""
        return
    program = (data_dir("templates") / "unsynced.py").read_text(encoding="utf-8")
    if _as_root(target, _PREPARE, boot, stdin=program).strip() != _READY:
        yield ""
        return
    guest.instance.write_text(_NOTE, boot)
    yield _CONFIG
    _as_root(target, _END)
    forget_unsynced(guest)


def may_be_torn(guest: Guest) -> bool:
    """Tell whether this host was started again before the machine's packages were on its disk."""
    try:
        return (guest.folder / _NOTE).read_text(encoding="utf-8") != _this_boot()
    except FileNotFoundError:
        return False


def forget_unsynced(guest: Guest) -> None:
    """Remove the note: all is on the disk, or the machine is gone."""
    (guest.folder / _NOTE).unlink(missing_ok=True)


def _this_boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # No Linux
        return ""


def _as_root(target: SshTarget, script: str, *words: str, stdin: str | None = None) -> str:
    try:
        argv = ("sudo", "-n", "sh", "-c", script, "sh", *words)
        return target.run(argv, timeout_s=_S, stdin=stdin).stdout
    except CommandError as error:
        raise ProvisionError(
            f"{target.host} stopped answering while its packages were prepared or synced",
            details=error.details or error.message,
            hint="run the same command again",
        ) from error
