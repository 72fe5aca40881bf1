"""`virsh`: one connection, our storage pool, and the meaning of its failures."""

import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.run import Completed, run

COPY_S: Final = 1800.0
"""Seconds for anything that copies a disk."""

_QUICK_S: Final = 30.0
# Below libvirt's own folder: there owner and security labels are right for QEMU
_POOLS: Final = Path("/var/lib/libvirt")
SETUP: Final = "sandbox host setup --provider libvirt"
_NOT_FOUND: Final = 127


@dataclass(frozen=True)
class Virsh:
    """Runs `virsh`, and knows the storage pool."""

    uri: str
    pool: str

    def __call__(self, *words: str, timeout_s: float = _QUICK_S, check: bool = True) -> Completed:
        """Run one command, or several with `;` between them in one word.

        Raises:
            HostError: no `virsh`, no libvirt, or no space left.
            ProviderError: it failed; only with `check`.
        """
        try:
            return run(
                ("virsh", "-q", "-c", self.uri, *words),
                timeout_s=timeout_s,
                env={"LC_ALL": "C"},
                check=check,
            )
        except CommandError as error:
            raise explain(error, words[0]) from error

    def tolerant(self, *words: str, but: str) -> None:
        """Run it; "nothing to do" is not a failure."""
        try:
            self(*words)
        except ProviderError as error:
            if not re.search(but, error.details, re.IGNORECASE):
                raise

    def patient(self, *words: str, while_it_says: str, timeout_s: float = COPY_S) -> None:
        """Run it again and again while libvirt is busy with something else."""
        keep_trying(
            lambda: self(*words),
            Deadline(timeout_s),
            despite=ProviderError,
            every_s=0.2,
            again=lambda error: re.search(while_it_says, error.details) is not None,
        )

    def define(self, xml: str) -> None:
        """Add a domain, or replace the one of the same id."""
        self._with_file("define", xml)

    def make_volume_from(self, source: str, xml: str) -> None:
        """Make a new volume with the content of another volume of the pool."""
        words = ("--pool", self.pool, "--inputpool", self.pool, "--vol", source, "--file")
        self._with_file("vol-create-from", xml, *words, timeout_s=COPY_S)

    def _with_file(self, command: str, xml: str, *words: str, timeout_s: float = _QUICK_S) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
            file.write(xml)
            file.flush()
            self(command, *words, file.name, timeout_s=timeout_s)

    def descriptions(self, domains: list[str]) -> dict[str, str]:
        """Return the descriptions of domains, by the name or id that was given."""
        return self._each("desc", domains)

    def has_pool(self) -> bool:
        """Tell whether the pool is there, and active."""
        names = self("pool-list", "--name").stdout.split()
        return self.pool in names

    def ensure_pool(self) -> None:
        """Make the pool, or make it active."""
        if self.has_pool():
            return
        if self.pool not in self("pool-list", "--all", "--name").stdout.split():
            self("pool-define-as", self.pool, "dir", "--target", str(_POOLS / self.pool))
            self("pool-build", self.pool)
            self("pool-autostart", self.pool)
        self("pool-start", self.pool)

    def pool_path(self) -> Path:
        """Return the pool's folder."""
        said = self("pool-dumpxml", self.pool, check=False).stdout
        found = re.search(r"<path>([^<]+)</path>", said)
        return Path(found[1]) if found else _POOLS / self.pool

    def volumes(self) -> set[str]:
        """List the names of all volumes in the pool."""
        said = self("vol-list", self.pool).stdout
        return {line.split()[0] for line in said.splitlines() if line.strip()}

    def volume_xml(self, names: list[str]) -> dict[str, str]:
        """Return the description of each volume; one that vanishes while we look is left out."""
        return self._each(f"vol-dumpxml --pool {self.pool}", names)

    def delete_volume(self, name: str) -> None:
        """Remove a volume, if it is there; waits while libvirt still writes to it."""
        words = ("vol-delete", "--pool", self.pool, name)
        try:
            self.patient(*words, while_it_says=r"still (in use|being allocated)")
        except ProviderError as error:
            if "no storage vol" not in error.details.lower():
                raise

    def _each(self, command: str, names: list[str]) -> dict[str, str]:
        """One command's output for each name, in one call; names without output are left out."""
        if not names:
            return {}
        # Neither `echo` nor `desc` ends its line, and a description may hold anything
        mark = secrets.token_hex(4)
        ask = "; ".join(f"echo ={mark}={one}=; {command} {one}" for one in names)
        pieces = re.split(rf"={mark}=([^=\s]+)=", self(ask, check=False).stdout)
        found = zip(pieces[1::2], pieces[2::2], strict=True)
        return {name: text.strip() for name, text in found if text.strip()}

    def refresh_pool(self) -> None:
        """Let libvirt see new files, such as a console's."""
        # It refuses as long as anybody's disk is being made or copied there
        self.patient("pool-refresh", self.pool, while_it_says="asynchronous jobs")


def explain(error: CommandError, what: str) -> SandboxError:
    """Explain a failed `virsh`."""
    own = error.stderr.strip() or error.details
    if error.returncode == _NOT_FOUND and not error.stderr:
        return HostError("libvirt's client `virsh` is not installed", hint=SETUP)
    if re.search(r"failed to connect to the hypervisor|connect socket", own):
        return HostError("libvirt does not answer", details=own, hint=SETUP)
    if re.search(r"[Nn]o space left", own):
        return HostError("no space left in libvirt's storage", details=own, hint="df -h")
    return ProviderError(f"libvirt failed: {what.partition(';')[0]}", details=own)
