"""`VBoxManage`: one call, the meaning of its failures, and files that VirtualBox leaves behind."""

import re
import shutil
import time
from pathlib import Path
from typing import Final

from sandbox.deadline import Deadline, keep_trying, wait_while
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.providers.virtualbox.disks import Disk, disks_in, read_disks
from sandbox.run import Completed, run

NOTE_KEY: Final = "sandbox/note"
"""The key under which a VM keeps its owner and its kind."""
BASE_SNAPSHOT: Final = "base"
"""The snapshot that linked clones depend on; taken last: a master that has it is whole."""
COPY_S: Final = 1800.0
"""Seconds for anything that copies a disk or a machine's memory."""

_QUICK_S: Final = 120.0
_UNLOCK_S: Final = 60.0
_TRIES: Final = 5
_PAUSE_S: Final = 0.3
_STILL_S: Final = 5.0
"""Seconds without a change after which nobody works in a folder any more."""


class VBoxManage:
    """Runs `VBoxManage`. Every call can be repeated."""

    def __call__(self, *words: str, timeout_s: float = _QUICK_S, check: bool = True) -> Completed:
        """Run one command.

        Raises:
            HostError: no `VBoxManage`, or no space left.
            ProviderError: it failed; only with `check`.
        """
        try:
            return run(
                ("VBoxManage", *words), timeout_s=timeout_s, env={"LC_ALL": "C"}, check=check
            )
        except CommandError as error:
            raise _explain(error, words[0]) from error

    def _ask(self, *words: str, passing: str = "") -> str:
        """Its output; asked again when it fails with `passing` among its words."""
        return keep_trying(
            lambda: self(*words).stdout,
            despite=ProviderError,
            every_s=_PAUSE_S,
            tries=_TRIES,
            again=lambda error: passing in error.details,
        )

    def list(self, *words: str) -> str:
        """List all things of a kind; fails when one of them is removed while the list is read."""
        return self._ask("list", *words)

    def names(self, prefix: str) -> tuple[str, ...]:
        """List the VMs with names that begin with `prefix`."""
        pattern = rf'^"({re.escape(prefix)}[^"]*)" '
        return tuple(re.findall(pattern, self.list("vms"), re.MULTILINE))

    def info(self, vm: str) -> str | None:
        """Return VirtualBox's description of a VM; None when it knows no such VM."""
        try:
            # Its process may just have died, and VirtualBox may not have noticed
            passing = "from the direct session"
            return self._ask("showvminfo", vm, "--machinereadable", passing=passing)
        except ProviderError as error:
            if "VBOX_E_OBJECT_NOT_FOUND" in error.details or "Could not find" in error.details:
                return None
            raise

    def extradata(self, vm: str, key: str) -> str:
        """Return the value kept with a VM under `key`; empty when there is none, or no such VM."""
        said = self("getextradata", vm, key, check=False).stdout
        found = re.search(r"^Value: (.*)$", said, re.MULTILINE)
        return found[1] if found else ""

    def power_off(self, vm: str) -> None:
        """Switch a VM off by force; a session that holds it is ended, too."""
        try:
            self("controlvm", vm, "poweroff")
        except ProviderError as error:
            if "not currently running" not in error.details:
                self("startvm", vm, "--type", "emergencystop", check=False)
        self._wait_unlocked(vm)

    def unregister(self, vm: str) -> None:
        """Remove a VM and its disks; a locked VM is freed first."""

        def is_gone(error: ProviderError) -> bool:
            found = re.search(r"NOT_FOUND|Could not find a registered", error.details)
            return found is not None

        def free(error: ProviderError) -> bool:
            locked = re.search(r"locked|INVALID_OBJECT_STATE", error.details)
            if locked is None or is_gone(error):
                return False
            self("startvm", vm, "--type", "emergencystop", check=False)
            return True

        try:
            keep_trying(
                lambda: self("unregistervm", vm, "--delete", timeout_s=COPY_S),
                Deadline(_UNLOCK_S),
                despite=ProviderError,
                every_s=1,
                again=free,
            )
        except ProviderError as error:
            if not is_gone(error):
                raise

    def wait_until_made(self, vm_name: str) -> None:
        """Return when VirtualBox is not making a VM of that name (any more).

        When the process that asked for an import or a clone is killed, VirtualBox goes on with the
        work, or undoes it, for a while. A second try in that time loses its VM, or is refused.
        """
        folder = self.machine_folder() / vm_name
        wait_while(
            lambda: _is_being_written(folder) and self.info(vm_name) is None,
            Deadline(COPY_S),
            every_s=_PAUSE_S,
        )

    def clear_leftovers(self, vm_name: str) -> None:
        """Remove disks and files of a VM of that name that is no longer registered.

        VirtualBox itself leaves them after some removals, and refuses the next VM of that name
        with VERR_ALREADY_EXISTS.

        Raises:
            ProviderError: the folder holds files that are not ours.
        """
        if self.info(vm_name) is not None:
            return
        folder = self.machine_folder() / vm_name
        for disk in disks_in(folder, self.disks()):
            self("closemedium", "disk", disk.uuid, "--delete", check=False)
        if not folder.is_dir():
            return
        if foreign := _foreign_files(folder, vm_name):
            raise ProviderError(
                f"{folder} holds files that `sandbox` did not make; they are left alone",
                details="\n".join(str(path) for path in foreign[:10]),
                hint="move that folder away, or choose another name with --name",
            )
        shutil.rmtree(folder)

    def machine_folder(self) -> Path:
        """Return the folder in which VirtualBox makes a folder for each VM."""
        said = self.list("systemproperties")
        found = re.search(r"^Default machine folder:\s+(.+?)\s*$", said, re.MULTILINE)
        if found is None:
            raise ProviderError("VirtualBox names no machine folder", details=said)
        return Path(found[1])

    def disks(self) -> tuple[Disk, ...]:
        """List all disks that VirtualBox knows, whoever made them."""
        return read_disks(self.list("hdds"))

    def _wait_unlocked(self, vm: str) -> None:
        """Try again: a VM that was switched off stays locked for a moment."""
        wait_while(
            lambda: "SessionName=" in (self.info(vm) or ""), Deadline(_UNLOCK_S), every_s=0.5
        )


def _is_being_written(folder: Path) -> bool:
    """Whether a file in it was changed within the last seconds; False when it is not there."""
    try:
        newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        # Not there; or a file in it went away while we looked, which is a change, too
        return folder.is_dir()
    return abs(time.time() - newest) < _STILL_S


def _foreign_files(folder: Path, vm_name: str) -> list[Path]:
    """Files that are neither VirtualBox's settings and logs nor a disk of a VM of ours."""
    ours = re.compile(
        rf"{re.escape(vm_name)}[^/]*\.(vbox|vbox-prev|vbox-tmp|nvram)|"
        r"(Logs|Snapshots)/.*|[^/]*(box|disk)[^/]*\.(vmdk|vdi)|VBox[^/]*\.log[^/]*"
    )
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ours.fullmatch(path.relative_to(folder).as_posix()) is None
    ]


def _explain(error: CommandError, what: str) -> SandboxError:
    own = error.stderr.strip() or error.details
    if error.returncode == 127 and not error.stderr:  # noqa: PLR2004
        return HostError("VirtualBox's `VBoxManage` is not installed", hint="sandbox doctor")
    if re.search(r"VERR_DISK_FULL|[Nn]o space left", own):
        return HostError("no space left for VirtualBox's disks", details=own, hint="df -h")
    return ProviderError(f"VirtualBox failed: {what}", details=own)
