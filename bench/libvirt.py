"""`sandbox up` on libvirt against a hand-written Vagrantfile that does the same.

Both start from the same base image, which Vagrant has, in turn and in the same run: a VM of the
same size that boots, gets the same packages, locale and timezone, and is left running.
`SANDBOX_BENCH_RUNS` says how often (1: a run takes minutes), `SANDBOX_BENCH_BOX` which box (r).
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import typer

from sandbox.cli.settings import place
from sandbox.events import ignore
from sandbox.plan import Plan
from sandbox.providers.libvirt.accelerator import accelerator
from sandbox.providers.libvirt.box_form import LIBVIRT_BOX
from sandbox.providers.vagrant.base_box import ensure_vagrant_box
from sandbox.resolving import resolve
from sandbox.run import run
from sandbox.spec.catalogue import find_box
from sandbox.spec.load import load_box

BY_HAND = """\
require "vagrant-libvirt/driver"
VagrantPlugins::ProviderLibvirt::Driver.class_eval do
  def get_ipaddress(*) "127.0.0.1" end
end
Vagrant.configure("2") do |config|
  config.vm.box = "{box}"
  config.vm.box_version = "{version}"
  config.vm.box_check_update = false
  config.vm.hostname = "byhand"
  config.vm.boot_timeout = 1800
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.host = "127.0.0.1"
  config.ssh.port = {port}
  config.ssh.connect_timeout = 60
  config.vm.provider "libvirt" do |libvirt|
    libvirt.driver = "{driver}"
    libvirt.cpu_mode = "{cpu_mode}"
{cpu_model}    libvirt.cpus = {cpus}
    libvirt.memory = {memory_mb}
    libvirt.machine_virtual_size = {disk_gb}
    libvirt.storage_pool_name = "{pool}"
    libvirt.graphics_type = "none"
    libvirt.mgmt_attach = false
    libvirt.qemu_use_agent = true
    libvirt.qemuargs value: "-netdev"
    libvirt.qemuargs value: "user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"
    libvirt.qemuargs value: "-device"
    libvirt.qemuargs value: "virtio-net-pci,netdev=net,addr=0x1e"
  end
  config.vm.provision "shell", inline: <<-'SHELL'
    set -e
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -y --no-install-recommends install {packages}
    timedatectl set-timezone {timezone}
    sed -i 's/^# *\\({locale} \\)/\\1/' /etc/locale.gen && locale-gen
    update-locale LANG={locale}
  SHELL
end
"""
PORT = 28300
_LONGEST_S = 7200


def by_hand(plan: Plan, box: str, folder: Path) -> float:
    """The seconds of a bare `vagrant up`; the VM is gone afterwards."""
    emulated = accelerator().kind == "qemu"
    name, _, version = box.partition("@")
    text = BY_HAND.format(
        box=name,
        version=version or "0",
        port=PORT,
        driver=accelerator().kind,
        cpu_mode="custom" if emulated else "host-passthrough",
        cpu_model='    libvirt.cpu_model = "qemu64"\n' if emulated else "",
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        pool=place().prefix,
        packages=" ".join((*plan.apt_packages, "locales")),
        timezone=plan.system.timezone,
        locale=plan.system.locale,
    )
    (folder / "Vagrantfile").write_text(text, encoding="utf-8")
    try:
        return timed(["vagrant", "up", "--provider=libvirt"], folder)
    finally:
        timed(["vagrant", "destroy", "--force"], folder)


def ours(box: Path, name: str, *options: str) -> float:
    """The seconds of `sandbox up`; the sandbox is gone afterwards."""
    sandbox = str(Path(sys.executable).with_name("sandbox"))
    try:
        words = ["up", str(box), "--name", name, "--provider", "libvirt", *options]
        return timed([sandbox, *words], Path.cwd())
    finally:
        timed([sandbox, "destroy", name], Path.cwd())


def timed(argv: list[str], folder: Path) -> float:
    """The seconds that it takes; what it says goes to stderr."""
    started = time.monotonic()
    run(argv, timeout_s=_LONGEST_S, cwd=folder, on_line=lambda line: typer.echo(line, err=True))
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    runs = int(os.environ.get("SANDBOX_BENCH_RUNS") or "1")
    path = find_box(os.environ.get("SANDBOX_BENCH_BOX") or "r", cwd=Path.cwd())
    name = f"bench-{os.getpid()}"
    plan = resolve(load_box(path))
    image = ensure_vagrant_box(
        plan.base, form=LIBVIRT_BOX, source="auto", mirror=plan.system.mirror, listener=ignore
    )
    rows: dict[str, list[float]] = {"vagrant up by hand": [], "sandbox up, no checks": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch:
            rows["vagrant up by hand"].append(by_hand(plan, image.image, Path(scratch)))
        rows["sandbox up, no checks"].append(ours(path, name, "--no-checks", "--no-cache"))
    typer.echo(f"{path.stem} on libvirt ({accelerator().kind}), {runs} runs, seconds")
    for row, times in rows.items():
        figures = (statistics.median(times), min(times), max(times))
        typer.echo("{:<28}{:>10.1f}{:>10.1f}{:>10.1f}".format(row, *figures))
    ratio = statistics.median(rows["sandbox up, no checks"]) / statistics.median(
        rows["vagrant up by hand"]
    )
    typer.echo(f"{'sandbox / by hand':<28}{ratio:>10.2f}")


if __name__ == "__main__":
    main()
