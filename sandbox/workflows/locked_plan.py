"""`sandbox up --locked`: the plan of a box with every byte from its lock, all of them at hand."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from sandbox.box_lock.errors import DiffersFromLockError, differences
from sandbox.box_lock.model import LockedDeb, LockedFile
from sandbox.events import step
from sandbox.fetch.errors import FetchError, WrongSumError
from sandbox.fetch.fetcher import NO_HEADERS, Fetcher
from sandbox.materials.packages.other_bytes import MAX_BYTES, describe_other_bytes
from sandbox.materials.packages.repositories import headers_for
from sandbox.materials.packages.with_r import own_architecture
from sandbox.obtained import Materials
from sandbox.placement import Placement
from sandbox.spec.base_models import Base
from sandbox.workflows.context import Context
from sandbox.workflows.lock import fitting_lock

_AT_ONCE = 8


def locked_placement(placement: Placement, context: Context) -> Placement:
    """Return the placement with the files and packages of its box's lock; fetches what is not here.

    Raises:
        UsageError: there is no lock.
        DiffersFromLockError: the box was changed since, or bytes of the lock cannot be had.
    """
    machine = fitting_lock(placement).machine
    plan = placement.plan.without_packages(machine.left_out)
    materials = Materials(
        files=tuple(one.obtained() for one in machine.files),
        debian_packages=machine.debian_packages,
    )
    plan = plan.with_materials(materials).model_copy(update={"locked": machine.system})
    placement = placement.with_plan(plan)
    with step(context.listener, placement.name, "locked files") as note:
        wanted: list[LockedDeb | LockedFile] = [*machine.system.new_debs, *machine.files]
        _require_bytes(wanted, plan.base, context.fetcher(plan, sandbox=placement.name))
        note.text = f"{len(wanted)} files"
    return placement


def _named(one: LockedDeb | LockedFile, fetcher: Fetcher, headers: Mapping[str, str]) -> str:
    """Say what an R package is now at its address; empty for others, and where nobody can tell."""
    if not isinstance(one, LockedFile) or one.kind != "r_package":
        return ""
    try:
        data = fetcher.read(one.url, max_bytes=MAX_BYTES, headers=headers)
    except FetchError:
        return ""
    return describe_other_bytes(data, one.obtained(), own_architecture())


def _require_bytes(wanted: Sequence[LockedDeb | LockedFile], base: Base, fetcher: Fetcher) -> None:
    """Have all of them on this host, before anything is made."""

    def trouble(one: LockedDeb | LockedFile) -> str:
        headers = NO_HEADERS
        if isinstance(one, LockedFile):
            headers = headers_for(one.obtained(), base)
        try:
            fetcher.obtain([one.url], sha256=one.sha256, headers=headers)
        except WrongSumError as error:
            named = _named(one, fetcher, headers)
            return f"{one.name} {one.version}: {named or error.message}"
        except FetchError as error:
            return f"{one.name} {one.version} is not kept here, and {error.message}"
        return ""

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [line for line in pool.map(trouble, wanted) if line]
    if found:
        raise DiffersFromLockError(
            "the bytes differ from the lock: files that it names cannot be had",
            details=differences(found),
            hint="where they were fetched before, ~/.cache/sandbox/fetched has them: copy that "
            "folder; `sandbox lock BOX` locks what is there today",
        )
