"""Find the placement for a user's word: a box file, a box's name, or a sandbox that exists."""

from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.placement import Placement, place, sandbox_name
from sandbox.resolving import resolve
from sandbox.spec.catalogue import find_box
from sandbox.spec.choices import ProviderName
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.workflows.bundled import manifest_of
from sandbox.workflows.context import Context, choose_provider


@dataclass(frozen=True)
class Overrides:
    """Changes to a box from the command line."""

    name: str | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    root: Path | None = None
    """The folder that the box may read; None: its own place decides."""


def placement_for(
    target: str | None, overrides: Overrides, context: Context, *, cwd: Path
) -> Placement:
    """Choose the placement for `target`: a box file, a box, a sandbox; None for the only box here.

    Raises:
        BoxError: the box file is wrong; all its problems at once.
        UsageError: there is nothing of that name, or more than one.
        HostError: the provider has no engine.
    """
    existing = _existing(target, overrides)
    if existing is not None:
        saved = existing.require().placement
        if not saved.plan.box_path.exists():
            # Its box file is gone: the saved plan is complete without it
            return saved
        path, overrides = saved.plan.box_path, _kept(overrides, saved)
    else:
        path = find_box(target, cwd=cwd)
    loaded = load_box(path, root=overrides.root)
    name = sandbox_name(overrides.name, loaded.name)
    # A box of a bundle is the same machine for everybody
    its_own = manifest_of(path) is not None
    return place(
        resolve(loaded, None if its_own else context.user_config().mirrors),
        provider=choose_provider(context, _provider_of(name) or loaded.provider),
        name=name,
        cpus=overrides.cpus,
        memory_mb=overrides.memory_mb,
        disk_gb=overrides.disk_gb,
    )


def _existing(target: str | None, overrides: Overrides) -> Instance | None:
    if target is None or overrides.name is not None or "/" in target or target.endswith(".yml"):
        return None
    instance = Instance(target)
    return instance if instance.exists() and instance.read() is not None else None


def _provider_of(name: str) -> ProviderName | None:
    """The provider of an existing sandbox of that name: nobody has to say `--provider` twice."""
    record = Instance(name).read()
    if record is None or record.placement.provider == "fake":
        return None
    return record.placement.provider


def _kept(overrides: Overrides, saved: Placement) -> Overrides:
    """Choices made for the sandbox before; they stay unless the user says otherwise."""
    return replace(overrides, name=saved.name, root=overrides.root or saved.plan.box_root)


def require_same_machine(instance: Instance, placement: Placement) -> None:
    """Refuse to turn a sandbox into another box's, another base's or another provider's.

    Raises:
        UsageError: the error says what differs and how to go on.
    """
    record = instance.read()
    if record is None:
        return
    saved, plan = record.placement, placement.plan
    for what, old, new in (
        ("made from the box", saved.plan.box_name, plan.box_name),
        ("based on", saved.plan.base.name, plan.base.name),
        ("run by", saved.provider, placement.provider),
    ):
        if old != new:
            raise UsageError(
                f"the sandbox {placement.name} exists and is {what} {old}, not {new}",
                hint=f"sandbox destroy {placement.name}, or choose another name with --name",
            )


def as_made(placement: Placement, instance: Instance) -> Placement:
    """Return the placement with what was found out when its machine was made."""
    record = instance.read()
    return placement if record is None else placement.as_made(record.placement)
