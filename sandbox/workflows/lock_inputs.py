"""What a lock is made from: the parts of a box and the files it names, each with its checksum."""

import hashlib
import json
import platform
from collections.abc import Iterator
from typing import Final

from sandbox.box_lock.model import BoxLock, LockedInput, MachineLock
from sandbox.plan import Plan

_PARTS: Final = ("base", "system", "r", "services", "users", "apt_packages")
"""The parts of a plan that decide what is in the machine."""


def machine_title(plan: Plan) -> str:
    """Name the machine among those of a lock: its base and kind of processor."""
    return f"{plan.base.name} {platform.machine()}"


def inputs_of(plan: Plan) -> tuple[LockedInput, ...]:
    """List what a lock of this plan is made from; the plan as its box says it, before any files."""
    return tuple(sorted(_inputs(plan), key=lambda one: one.name))


def _inputs(plan: Plan) -> Iterator[LockedInput]:
    content = plan.model_dump(mode="json", include=set(_PARTS))
    # A folder of this host; what the certificates hold is next to it
    del content["system"]["ca_certificates"]
    content["system"]["ca_sha256"] = plan.ca_sha256
    for part in _PARTS:
        text = json.dumps(content[part], sort_keys=True, separators=(",", ":"))
        name = "packages" if part == "apt_packages" else part
        yield LockedInput(name=f"box: {name}", sha256=_sum(text))
    for app in plan.apps:
        yield LockedInput(name=f"app: {app.name}", sha256=app.sha256)
    for api in plan.apis:
        yield LockedInput(name=f"api: {api.name}", sha256=api.sha256)
    for one in plan.r_inputs:
        yield LockedInput(name=f"packages of R {one.r}: {one.path.name}", sha256=one.sha256)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stale_inputs(plan: Plan, machine: MachineLock) -> tuple[str, ...]:
    """Say which inputs of the lock are not those of the box; empty when it fits."""
    now = {one.name: one.sha256 for one in inputs_of(plan)}
    then = {one.name: one.sha256 for one in machine.inputs}
    found = []
    for name in sorted({*now, *then}):
        if name not in then:
            found.append(f"{name}: new in the box")
        elif name not in now:
            found.append(f"{name}: not in the box any more")
        elif now[name] != then[name]:
            found.append(f"{name}: changed since {machine.date}")
    return tuple(found)


def machine_of(plan: Plan, lock: BoxLock) -> MachineLock | None:
    """Return the part of a lock for the plan's base and this host's kind of processor."""
    return lock.machines.get(machine_title(plan))
