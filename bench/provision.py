"""Provisioning against the bare `apt-get install` of the same packages.

Both in fresh machines of one kind, in turn and in the same run, so that they meet the same host
and mirror. Ours does what `sandbox up` does between ssh and the first page, on a host that has kept
the packages from an earlier box; the bare apt-get has its mirror. `SANDBOX_BENCH_BOX` says which
box (shiny).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from bench.measure import Series, Table, ratio, timed
from bench.place import BOX, incus_place
from sandbox.cli.settings import place
from sandbox.events import StepEnded, ignore
from sandbox.guest.guest import Guest
from sandbox.placement import Placement
from sandbox.providers.engine import MachineSpec
from sandbox.providers.incus.base_image import ensure_base
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.engine import IncusEngine
from sandbox.provision import provision
from sandbox.record import Record
from sandbox.resolving import resolve
from sandbox.secret_values import NO_VALUES
from sandbox.spec.catalogue import find_box
from sandbox.spec.load import load_box
from sandbox.ssh import SshTarget, disconnect, make_key, write_config
from sandbox.state import Instance
from sandbox.workflows.bring_files import bring_files
from sandbox.workflows.context import Context
from sandbox.workflows.unsynced import installing_unsynced


@dataclass
class Machine:
    """A fresh machine, reachable by ssh."""

    name: str
    guest: Guest
    target: SshTarget
    engine: IncusEngine


@contextmanager
def fresh_machine(placement: Placement, image: str, engine: IncusEngine) -> Iterator[Machine]:
    """A machine as `sandbox up` makes it, up to the moment before provisioning; gone afterwards."""
    instance = Instance(placement.name)
    folder = instance.folder
    folder.mkdir(mode=0o700, parents=True)
    spec = MachineSpec(
        name=placement.name,
        image=image,
        cpus=placement.plan.machine.cpus,
        memory_mb=placement.plan.machine.memory_mb,
        disk_gb=placement.plan.machine.disk_gb,
        authorized_key=make_key(folder),
        instance_dir=folder,
    )
    try:
        engine.create(spec, ignore)
        engine.start(placement.name, ignore)
        target = write_config(folder, placement.name, engine.ssh_endpoint(placement.name))
        target.run(("true",), timeout_s=60)
        guest = Guest(placement, instance, engine, ignore)
        yield Machine(placement.name, guest, target, engine)
        disconnect(target)
    finally:
        engine.destroy(placement.name)
        shutil.rmtree(folder)


def bare(machine: Machine, placement: Placement) -> None:
    """What an admin would type."""
    script = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && "
        'apt-get -q -y --no-install-recommends install "$@"'
    )
    machine.engine.exec_as_root(
        machine.name, ("sh", "-c", script, "sh", *placement.plan.apt_packages), timeout_s=3600
    )


def prepared(machine: Machine) -> SshTarget:
    """A machine with the files of its plan: what this host lacked is kept here afterwards."""
    target, _ = machine.guest.bootstrap(NO_VALUES)
    context = Context(place=place(), listener=ignore)
    bring_files(machine.guest, context, target, mend=False)
    return target


def ours(machine: Machine, placement: Placement) -> None:
    """What `sandbox up` does between ssh and the first page."""
    target = prepared(machine)
    record = Record(placement=placement)
    with installing_unsynced(machine.guest, record, target) as apt_config:
        machine.guest.provision(target, NO_VALUES, mend=False, apt_config=apt_config)


def ours_again(machine: Machine, placement: Placement) -> None:
    """The same again, with nothing to change."""
    changed: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, StepEnded):
            changed.append(event.note)

    provision(placement, machine.target, machine.guest.folder, listen)
    typer.echo(f"  second run: {changed[-1]}", err=True)


def cold(runs: int) -> Table:
    """Fresh machines of one kind, in turn; at most three turns, for each takes minutes."""
    runs = min(runs, 3)
    box = find_box(BOX, cwd=Path.cwd())
    engine = IncusEngine(incus_place())
    plan = resolve(load_box(box))
    placement = Placement(name=f"bench-{os.getpid()}", provider="incus", plan=plan)
    base = ensure_base(
        plan.base,
        client=IncusClient(incus_place()),
        source="auto",
        mirror=plan.system.mirror,
        listener=ignore,
    )
    theirs, mine, again = Series("bare apt-get"), Series("provisioning"), Series("again")
    with fresh_machine(placement, base.image, engine) as machine:
        prepared(machine)
    for number in range(1, runs + 1):
        with fresh_machine(placement, base.image, engine) as machine:
            theirs.values.append(timed(partial(bare, machine, placement)))
        with fresh_machine(placement, base.image, engine) as machine:
            mine.values.append(timed(partial(ours, machine, placement)))
            again.values.append(timed(partial(ours_again, machine, placement)))
        said = ", ".join(f"{one.title} {one.values[-1]:.1f} s" for one in (theirs, mine, again))
        typer.echo(f"  turn {number} of {runs}: {said}", err=True)
    notes = [
        ratio(mine, theirs),
        f"{box.stem}: {len(plan.apt_packages)} packages named. This host had kept them from an "
        "earlier box, verified; the bare apt-get downloads them from its mirror, and waits for the "
        "disk.",
    ]
    return Table("Cold provisioning", [theirs, mine, again], notes)
