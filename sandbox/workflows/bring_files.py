"""Bring files into a machine before it is provisioned: Debian packages, and what its plan names.

The machine's apt would download its packages one after another, again for each machine. This host
fetches them side by side, and keeps them: verified by the checksums of the machine's own lists.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sandbox.errors import ProvisionError
from sandbox.events import step
from sandbox.fetch.errors import FetchError
from sandbox.fetch.fetcher import Fetched, Fetcher
from sandbox.guest.guest import Guest
from sandbox.materials.archive import Cargo, pack_cargo
from sandbox.materials.debs import FOLDER as APT_FOLDER
from sandbox.materials.debs import WantedDeb
from sandbox.materials.installed import FOLDER, lacking
from sandbox.materials.lock_answers import LOCKED_FOLDER
from sandbox.materials.packages.repositories import headers_for
from sandbox.obtained import Obtained
from sandbox.spec.base_models import Base
from sandbox.ssh import SshTarget
from sandbox.workflows.context import Context
from sandbox.workflows.locked_machine import require_base_of_lock

_AT_ONCE = 8
"""Downloads side by side."""


def bring_files(guest: Guest, context: Context, target: SshTarget, *, mend: bool) -> None:
    """Send the files that the machine lacks; all files of the plan again with `mend`.

    Raises:
        ProvisionError: a file of the plan is not on this host any more, or cannot be sent.
        DiffersFromLockError: the plan is locked, and the machine has another base.
    """
    there = guest.had_before(target)
    if guest.plan.locked is not None:
        require_base_of_lock(guest.plan.locked, there.packages)
    missing = lacking(guest.plan.materials, "" if mend else there.installed)
    if not missing and not there.wanted_debs:
        return
    with step(guest.listener, guest.name, "files") as note:
        fetcher = context.fetcher(guest.plan, sandbox=guest.name)
        cargo = _files(missing, guest.plan.base, fetcher)
        if guest.plan.locked is not None:
            cargo += _locked_debs(there.wanted_debs, fetcher)
        elif context.place.is_local:
            # A server elsewhere may be nearer to its mirror than to this host
            cargo += _debs(guest, there.wanted_debs, fetcher)
        note.text = _words(missing, cargo)
        send_cargo(guest, target, cargo)


def _files(missing: Sequence[Obtained], base: Base, fetcher: Fetcher) -> list[Cargo]:
    """The files of the plan, each by its checksum; fetched again where one was removed."""

    def get(one: Obtained) -> Fetched:
        headers = headers_for(one, base)
        return fetcher.obtain([one.url], sha256=one.sha256, headers=headers)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(get, missing)
        return [
            Cargo(fetched.path, f"{FOLDER}/{one.file_name}")
            for one, fetched in zip(missing, found, strict=True)
        ]


def _locked_debs(wanted: Sequence[WantedDeb], fetcher: Fetcher) -> list[Cargo]:
    """The packages of the lock, each by its checksum: the machine itself downloads none."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda one: fetcher.obtain([one.url], sha256=one.sha256), wanted)
        return [
            Cargo(fetched.path, f"{LOCKED_FOLDER}/{one.name}")
            for one, fetched in zip(wanted, found, strict=True)
        ]


def _debs(guest: Guest, wanted: Sequence[WantedDeb], fetcher: Fetcher) -> list[Cargo]:
    """The packages that this host has or can get; the machine's apt downloads the others."""

    def get(deb: WantedDeb) -> Cargo | FetchError:
        try:
            fetched = fetcher.obtain([deb.url], sha256=deb.sha256, max_bytes=deb.size_bytes)
        except FetchError as error:
            return error
        return Cargo(fetched.path, f"{APT_FOLDER}/{deb.name}")

    if not wanted:
        return []
    # One first: where this host cannot reach the mirror, nobody should wait for each of them
    smallest, *others = sorted(wanted, key=lambda one: one.size_bytes)
    found = [get(smallest)]
    if isinstance(found[0], Cargo):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found += pool.map(get, others)
    errors = [one for one in found if isinstance(one, FetchError)]
    if errors:
        count = len(wanted) - len(found) + len(errors)
        guest.tell(f"the machine itself downloads {count} packages: {errors[0].message}")
    return [one for one in found if isinstance(one, Cargo)]


def send_cargo(guest: Guest, target: SshTarget, cargo: Sequence[Cargo]) -> None:
    """Put files into a machine, in one archive.

    Raises:
        ProvisionError: one cannot be read, or there is no room here or in the machine.
    """
    if not cargo:
        return
    archive = guest.folder / "files.tar"
    try:
        pack_cargo(cargo, archive)
        guest.unpack(archive, target)
    except OSError as error:
        raise ProvisionError(
            "a file for the machine cannot be read, or there is no room for a copy of it",
            details=f"{error.filename or archive}: {error.strerror}",
            hint=f"look at the room with `df -h {guest.folder}`, and run the same command again",
        ) from error
    finally:
        archive.unlink(missing_ok=True)


def _words(missing: Sequence[Obtained], cargo: Sequence[Cargo]) -> str:
    size_mb = sum(one.source.stat().st_size for one in cargo) / 1e6
    packages = len(cargo) - len(missing)
    if not cargo:
        return "none from here"
    counts = ((packages, "packages of the system"), (len(missing), "fetched files"))
    return f"{' and '.join(f'{count} {what}' for count, what in counts if count)}, {size_mb:.0f} MB"
