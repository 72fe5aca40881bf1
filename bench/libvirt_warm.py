"""A warm `sandbox up` on libvirt against a bare `vagrant up` of the same baked image, by hand.

The image is baked once, and given to Vagrant as a box that it makes linked clones of; that is not
counted. Then both start a VM of the same size from it, in turn and in the same run: by hand until
Vagrant has logged in, ours until the quick checks are done and the snapshot for `reset` is saved.
`SANDBOX_BENCH_RUNS` says how often (3: each takes minutes on an emulated processor),
`SANDBOX_BENCH_BOX` which box (r).
"""

import json
import os
import re
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from bench.libvirt import BY_HAND, PORT, ours, timed
from sandbox.cli.settings import place
from sandbox.plan import Plan
from sandbox.providers.libvirt.accelerator import accelerator
from sandbox.providers.libvirt.domains import URI
from sandbox.providers.libvirt.hypervisor import base_volume_name
from sandbox.providers.libvirt.virsh import COPY_S, Virsh
from sandbox.providers.vagrant.hypervisor import find_stored_box as stored_box
from sandbox.resolving import resolve
from sandbox.run import run
from sandbox.spec.catalogue import find_box
from sandbox.spec.load import load_box

BOX = "sandbox-bench/baked"


def vagrantfile(plan: Plan) -> str:
    """As by hand, but for what needs no installing any more."""
    emulated = accelerator().kind == "qemu"
    text = BY_HAND.format(
        box=BOX,
        # What Vagrant calls a box that was added from a file
        version="0",
        port=PORT,
        driver=accelerator().kind,
        cpu_mode="custom" if emulated else "host-passthrough",
        cpu_model='    libvirt.cpu_model = "qemu64"\n' if emulated else "",
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        pool=place().prefix,
        packages="",
        timezone="",
        locale="",
    )
    shell = re.compile(r"^  config\.vm\.provision .*?^  SHELL$\n", re.DOTALL | re.MULTILINE)
    text = shell.sub("", text)
    return text.replace(
        "  config.ssh.connect_timeout",
        '  config.ssh.username = "sandbox"\n  config.ssh.insert_key = false\n'
        "  config.ssh.connect_timeout",
    )


@contextmanager
def baked_box(plan: Plan, box: Path, scratch: Path) -> Iterator[None]:
    """Vagrant has the baked image as a box, whose volume is in the pool already."""
    sandbox = str(Path(sys.executable).with_name("sandbox"))
    words = ("bake", str(box), "--provider", "libvirt", "--json")
    image = json.loads(run((sandbox, *words), timeout_s=7200).stdout)["image"]
    virsh = Virsh(URI, place().prefix)
    volume = f"{place().prefix}-{image}.img"
    virsh("vol-download", "--pool", virsh.pool, volume, str(scratch / "box.img"), timeout_s=COPY_S)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": plan.machine.disk_gb}
    (scratch / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    with tarfile.open(scratch / "baked.box", "w") as archive:
        for name in ("metadata.json", "box.img"):
            archive.add(scratch / name, arcname=name)
    timed(["vagrant", "box", "add", "--force", "--name", BOX, str(scratch / "baked.box")], scratch)
    stored = stored_box(BOX, "libvirt")
    copy = base_volume_name(stored, stored.folder / "box.img")
    try:
        virsh("vol-clone", "--pool", virsh.pool, volume, copy, timeout_s=COPY_S)
        yield
    finally:
        virsh("vol-delete", "--pool", virsh.pool, copy, check=False)
        timed(["vagrant", "box", "remove", "--force", BOX], scratch)


def by_hand(plan: Plan, folder: Path) -> float:
    """The seconds of a bare `vagrant up` of the baked image; the VM is gone afterwards."""
    (folder / "Vagrantfile").write_text(vagrantfile(plan), encoding="utf-8")
    try:
        return timed(["vagrant", "up", "--provider=libvirt"], folder)
    finally:
        timed(["vagrant", "destroy", "--force"], folder)


def main() -> None:
    """Measure and print."""
    runs = int(os.environ.get("SANDBOX_BENCH_RUNS") or "3")
    path = find_box(os.environ.get("SANDBOX_BENCH_BOX") or "r", cwd=Path.cwd())
    plan, name = resolve(load_box(path)), f"bench-{os.getpid()}"
    rows: dict[str, list[float]] = {"vagrant up by hand": [], "sandbox up, warm": []}
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch,
        baked_box(plan, path, Path(scratch)),
    ):
        for turn in range(runs):
            folder = Path(scratch) / str(turn)
            folder.mkdir()
            rows["vagrant up by hand"].append(by_hand(plan, folder))
            rows["sandbox up, warm"].append(ours(path, name))
    typer.echo(f"{path.stem} on libvirt ({accelerator().kind}), baked, {runs} runs, seconds")
    for row, times in rows.items():
        figures = (statistics.median(times), min(times), max(times))
        typer.echo("{:<28}{:>10.1f}{:>10.1f}{:>10.1f}".format(row, *figures))
    pairs = zip(rows["sandbox up, warm"], rows["vagrant up by hand"], strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    typer.echo(f"{'sandbox / by hand':<28}{ratio:>10.2f}")


if __name__ == "__main__":
    main()
