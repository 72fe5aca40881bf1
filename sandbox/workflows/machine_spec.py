"""The order for an engine to make the machine of a plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.providers.engine import MachineSpec, MachineStatus

if TYPE_CHECKING:
    from sandbox.placement import Placement

_FOLDER = "folder"
"""The label that says where a machine's record is: two users of one provider have two."""


def machine_spec(placement: "Placement", *, image: str, key: str, folder: Path) -> MachineSpec:
    """Make the spec of the machine of `plan`.

    Args:
        placement: the plan, the name and the provider.
        image: the base image, as the provider knows it.
        key: the public key that may log in.
        folder: the instance's folder.
    """
    plan = placement.plan
    return MachineSpec(
        name=placement.name,
        image=image,
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        authorized_key=key,
        instance_dir=folder,
        labels=(("box", plan.box_name), ("plan", placement.key), (_FOLDER, str(folder))),
        forwarded_ports=plan.forwarded_ports,
        options=placement.options,
        isolated=plan.machine.isolated,
    )


def record_elsewhere(status: MachineStatus, folder: Path) -> str:
    """Return the folder with the record of a machine, if it is not `folder`; empty without one."""
    theirs = dict(status.labels).get(_FOLDER, "")
    if not theirs or Path(theirs) == folder:
        return ""
    try:
        return theirs if (Path(theirs) / "record.json").exists() else ""
    except PermissionError:
        # The record of another user's sandbox, as it should be
        return theirs
