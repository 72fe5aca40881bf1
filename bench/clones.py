"""Many clones of one baked image: time, memory and disk of each, and whether that grows."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from bench.measure import Series, Table, in_turn, timed
from bench.place import BOX, baked, client, incus_place, name, sandbox
from sandbox.events import ignore
from sandbox.placement import Placement
from sandbox.providers.engine import MachineSpec
from sandbox.providers.incus.client import api_path
from sandbox.providers.incus.engine import IncusEngine
from sandbox.record import Record
from sandbox.resolving import resolve
from sandbox.run import run
from sandbox.spec.catalogue import find_box
from sandbox.spec.load import load_box
from sandbox.ssh import make_key
from sandbox.state import Instance
from sandbox.summary import Phase

SIZES = (1, 10, 30, 60)
MEMORY_MB = 512
_SETTLES_S, _SAME_S = 90, 3
_POOLS = Path("/var/lib/incus/storage-pools")


def clones(runs: int) -> Table:
    """1, 10, 30, 60 of them, each made one after the other and then all started, two at a time."""
    image = baked().image
    engine = IncusEngine(incus_place())
    sizes = [int(word) for word in os.environ.get("SANDBOX_BENCH_CLONES", "").split()] or SIZES
    series: list[Series] = []
    with TemporaryDirectory(prefix="sandbox-bench-") as folder:
        key = make_key(Path(folder))
        for size in sizes:
            specs = [
                MachineSpec(name(f"c{n}"), image, 1, MEMORY_MB, 10, key, Path(folder))
                for n in range(size)
            ]
            repeats = 1 if size > 10 else runs  # noqa: PLR2004
            figures = [Series(f"{size}: {what}", unit=unit) for what, unit in _FIGURES]
            for _ in range(repeats):
                _measure(engine, specs, figures)
            series += figures
    notes = [
        "Each figure is for one clone. Clone: the copy alone. Start: until its sshd answers, two"
        " at a time. Memory: what its processes use, without the page cache. Disk: what the pool's"
        " use grew by.",
    ]
    return Table("Clones of one baked image", series, notes)


_FIGURES = (("clone", "s"), ("start", "s"), ("memory", "MB"), ("disk", "MB"))


def _measure(engine: IncusEngine, specs: list[MachineSpec], figures: list[Series]) -> None:
    size = len(specs)
    before = _settled_pool_used()
    try:
        copying = sum(timed(partial(engine.create, spec, ignore)) for spec in specs)
        with ThreadPoolExecutor(2) as two:
            starting = timed(
                lambda: list(two.map(lambda spec: engine.start(spec.name, ignore), specs))
            )
        memory = sum(memory_of(spec.name) for spec in specs)
        used = _settled_pool_used() - before
    finally:
        for spec in specs:
            engine.destroy(spec.name)
    for one, value in zip(figures, (copying, starting, memory / 1e6, used / 1e6), strict=True):
        one.values.append(value / size)
    said = ", ".join(f"{one.title} {one.values[-1]:.2f} {one.unit}" for one in figures)
    typer.echo(f"  {said}", err=True)


def memory_of(machine: str) -> int:
    """Of its processes: what `/proc/PID/smaps_rollup` calls Pss, shared pages divided."""
    rollups = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null"
    script = f"{rollups} | awk '$1 == \"Pss:\" {{ sum += $2 }} END {{ print sum }}'"
    done = IncusEngine(incus_place()).exec_as_root(machine, ("sh", "-c", script), timeout_s=60)
    return int(done.stdout.strip() or 0) * 1024


def _settled_pool_used() -> int:
    """Once what was deleted or written a moment ago is counted: btrfs does that in its own time."""
    if shutil.which("btrfs") and (mount := _POOLS / incus_place().pool).is_dir():
        for words in (("filesystem", "sync"), ("subvolume", "sync")):
            run(("btrfs", *words, mount), timeout_s=_SETTLES_S)
    used, same = _pool_used(), 0
    deadline = time.monotonic() + _SETTLES_S
    while same < _SAME_S and time.monotonic() < deadline:
        time.sleep(1)
        now = _pool_used()
        used, same = now, same + 1 if now == used else 0
    return used


def _pool_used() -> int:
    path = api_path("storage-pools", incus_place().pool, "resources")
    return int(client().query("GET", path)["space"]["used"])


def listing(runs: int) -> Table:
    """`sandbox list` of 50 sandboxes: records on disk, machines at Incus."""
    image = baked()
    engine = IncusEngine(incus_place())
    wanted = placement_to_measure()
    names = [name(f"l{n}") for n in range(50)]
    try:
        for one in names:
            placement = wanted.renamed(one)
            Instance(one).write(
                Record(placement=placement, phase=Phase.PROVISIONED, recipe_key="bench")
            )
            key = make_key(Instance(one).folder)
            spec = MachineSpec(one, image.image, 1, MEMORY_MB, 10, key, Instance(one).folder)
            engine.create(spec, ignore)
        stopped = in_turn({"50 stopped": lambda: sandbox("list")}, runs=runs)
        with ThreadPoolExecutor(2) as two:
            list(two.map(lambda one: engine.start(one, ignore), names))
        running = in_turn({"50 running": lambda: sandbox("list")}, runs=runs)
    finally:
        for one in names:
            engine.destroy(one)
            Instance(one).remove()
    return Table("sandbox list", [*stopped, *running])


def placement_to_measure() -> Placement:
    """The plan of the box that is measured."""
    plan = resolve(load_box(find_box(BOX, cwd=Path.cwd())))
    return Placement(name="bench", provider="incus", plan=plan)
