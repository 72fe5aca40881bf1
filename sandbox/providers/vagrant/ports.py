"""Ports on 127.0.0.1 for VMs: really free, and given once, also when ten machines start at once.

Vagrant's own correction only checks for listening programs at that moment, in a range of 51 ports.
Two VMs that start together get the same port, and then log into each other's machine.
"""

import errno
import socket
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import HostError, ProviderError
from sandbox.locks import hold, lock_path
from sandbox.providers.vagrant.files import SSH, VmFolder, VmRecord, port_fields

FIRST: Final = 20200
COUNT: Final = 8000
"""Below the range from which Linux takes ports for outgoing connections (32768 and above)."""


@contextmanager
def port_lock() -> Iterator[None]:
    """Hold the lock from looking at taken ports until the choice is on disk."""
    with hold(lock_path("ports")):
        yield


def choose_ports(name: str, guests: Sequence[int], taken: Iterable[int]) -> dict[int, int]:
    """Choose a free port for each of the machine's ports; the same again where they are still free.

    Call it under `port_lock`, and save the result before the lock is released.

    Raises:
        HostError: no port is left.
    """
    used = set(taken)
    chosen: dict[int, int] = {}
    for guest in guests:
        # Computed from the name, so that bookmarks still work when a machine is made again
        start = zlib.crc32(f"{name}:{guest}".encode()) % COUNT
        for step in range(COUNT):
            port = FIRST + (start + step) % COUNT
            if port not in used and is_free(port):
                chosen[guest] = port
                used.add(port)
                break
        else:
            raise HostError(
                f"no port between {FIRST} and {FIRST + COUNT} is free on 127.0.0.1",
                hint="see what listens: ss -ltn",
            )
    return chosen


def is_free(port: int) -> bool:
    """Tell whether nobody listens on `port`, on any address that 127.0.0.1 would share with it."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Connections that have just ended do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return False
                raise
    return True


def port_speaks_ssh(port: int, *, timeout_s: float) -> bool:
    """Tell whether an sshd answers on that port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@dataclass(frozen=True)
class PortBook:
    """The ports of each machine, from the records of all instances."""

    instances: Path

    def reserve(
        self, folder: VmFolder, guests: Sequence[int], make: Callable[[dict[int, int]], VmRecord]
    ) -> VmRecord:
        """Choose a port for each of `guests`, and save the record that `make` makes with them.

        Raises:
            HostError: no port is left.
        """
        with port_lock():
            name = folder.path.name
            record = make(choose_ports(name, guests, self._taken(folder)))
            folder.write(record)
        return record

    def renew(self, folder: VmFolder, record: VmRecord) -> VmRecord:
        """Renew the record of a stopped VM: new ports for those that somebody took meanwhile."""
        with port_lock():
            ports = {SSH: record.ssh_port, **dict(record.forwarded)}
            taken = self._taken(folder)
            kept = {
                guest: port for guest, port in ports.items() if is_free(port) and port not in taken
            }
            if kept == ports:
                return record
            lost = tuple(guest for guest in ports if guest not in kept)
            fresh = choose_ports(record.name, lost, {*taken, *kept.values()})
            changed = record.model_copy(update=port_fields({**kept, **fresh}))
            folder.write(changed)
        return changed

    def _taken(self, but: VmFolder) -> set[int]:
        """The ports of all other sandboxes, running or not."""
        taken: set[int] = set()
        folders = self.instances.iterdir() if self.instances.is_dir() else ()
        for path in folders:
            if path == but.path or not path.is_dir():
                continue
            # A sandbox with an unreadable record cannot be started either
            with suppress(ProviderError):
                if (other := VmFolder(path).read()) is not None:
                    taken |= {other.ssh_port, *(host for _, host in other.forwarded)}
        return taken
