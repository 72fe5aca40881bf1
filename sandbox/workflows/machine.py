"""What an engine is asked for, to make the machine of a plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.providers.engine import MachineSpec, MachineStatus

if TYPE_CHECKING:
    from sandbox.plan import Plan

_FOLDER = "folder"
"""The label that says where a machine's record is: two users of one provider have two."""


def machine_spec(plan: "Plan", *, image: str, key: str, folder: Path) -> MachineSpec:
    """The machine of `plan`.

    Args:
        plan: what it must be.
        image: the base image, as the provider knows it.
        key: the public key that may log in.
        folder: the instance's.
    """
    return MachineSpec(
        name=plan.name,
        image=image,
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        authorized_key=key,
        instance_dir=folder,
        labels=(("box", plan.box_name), ("plan", plan.key), (_FOLDER, str(folder))),
        forwarded_ports=plan.forwarded_ports,
        options=plan.provider_options,
        isolated=plan.machine.isolated,
    )


def record_elsewhere(status: MachineStatus, folder: Path) -> str:
    """The folder that has the record of a machine, when it is not `folder`; empty without one."""
    theirs = dict(status.labels).get(_FOLDER, "")
    if not theirs or Path(theirs) == folder:
        return ""
    try:
        return theirs if (Path(theirs) / "record.json").exists() else ""
    except PermissionError:
        # Another user's, as it should be
        return theirs
