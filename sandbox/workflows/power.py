"""Start, stop and destroy a sandbox that exists, or half exists."""

from sandbox.errors import UsageError
from sandbox.events import step
from sandbox.guest.guest import status_of
from sandbox.guest.login import hang_up
from sandbox.guest.pages import Page
from sandbox.providers import FALLBACK
from sandbox.providers.engine import MachineStatus, Power
from sandbox.saved import BrokenFileError
from sandbox.state import Instance, locked
from sandbox.summary import Phase
from sandbox.workflows.context import STOP_TIMEOUT_S, Context
from sandbox.workflows.machine_spec import record_elsewhere


def start(name: str, *, context: Context) -> tuple[Page, ...]:
    """Start a stopped sandbox and wait until its apps answer.

    Raises:
        UsageError: there is no such sandbox, or its machine is gone or was never finished.
        ProvisionError: an app does not answer.
    """
    with locked(name) as instance:
        record = instance.require()
        guest = context.guest(record.placement, instance)
        status = guest.status()
        if status.power is Power.ABSENT or record.phase is not Phase.PROVISIONED:
            raise UsageError(
                f"the sandbox {name} was never finished, or its machine is gone",
                hint=f"sandbox up {name} makes it whole",
            )
        if status.power is not Power.RUNNING or guest.sshd_is_dead(status):
            guest.start()
            guest.write(record.advanced("started"))
        target = guest.login()
        status = guest.status()
        with guest.reached_pages(status, target) as pages:
            return guest.first_page(pages, status, target)


def stop(name: str, *, context: Context) -> None:
    """Shut a sandbox down; it keeps its disk.

    Raises:
        UsageError: there is no such sandbox.
    """
    with locked(name) as instance:
        record = instance.require()
        guest = context.guest(record.placement, instance)
        if guest.status().power in {Power.STOPPED, Power.ABSENT}:
            return
        guest.hang_up()
        with step(context.listener, name, "stop"):
            guest.engine.stop(name, timeout_s=STOP_TIMEOUT_S)
        guest.write(record.advanced("stopped"))


def destroy(name: str, *, context: Context) -> None:
    """Remove a sandbox and all its things, also a half-made one or one without a folder.

    Raises:
        UsageError: neither a folder nor a machine of ours has this name.
    """
    with locked(name) as instance:
        known = instance.exists()
        provider = _provider_of(instance, context)
        if known and provider is None:
            _destroy_everywhere(instance, context)
            return
        engine = context.engine(provider or FALLBACK)
        # Without a machine, a folder can be removed without its provider
        if known and _only_planned(instance) and not engine.check_host().possible:
            instance.remove()
            return
        status = status_of(engine, name)
        if not known:
            if status.power is Power.ABSENT:
                instance.require()
            _refuse_anothers(instance, status)
        hang_up(instance)
        with step(context.listener, name, "destroy"):
            engine.destroy(name)
            instance.remove()


def _destroy_everywhere(instance: Instance, context: Context) -> None:
    """Ask every provider for the machine, when the files do not name its provider any more."""
    engines = [context.engine(provider) for provider in context.providers]
    usable = [engine for engine in engines if engine.check_host().possible]
    hang_up(instance)
    for engine in usable:
        if status_of(engine, instance.name).power is not Power.ABSENT:
            with step(context.listener, instance.name, "destroy"):
                engine.destroy(instance.name)
    instance.remove()


def _refuse_anothers(instance: Instance, status: MachineStatus) -> None:
    """Refuse to remove a machine that has a record in another user's folder."""
    if folder := record_elsewhere(status, instance.folder):
        raise UsageError(
            f"the machine {instance.name} belongs to another user's sandbox",
            details=f"its record is in {folder}",
            hint=f"its owner can: sandbox destroy {instance.name}",
        )


def _only_planned(instance: Instance) -> bool:
    try:
        record = instance.read()
    except BrokenFileError:
        return False
    return record is None or record.phase is Phase.PLANNED


def _provider_of(instance: Instance, context: Context) -> str | None:
    """The provider; None when a damaged record hides it: the machine can still be removed."""
    try:
        record = instance.read()
    except BrokenFileError:
        return context.providers.maker_of(instance.folder)
    if record is not None:
        return record.placement.provider
    return context.providers.maker_of(instance.folder) or FALLBACK
