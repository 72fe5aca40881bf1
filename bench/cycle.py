"""A sandbox's day: up from a baked image, up again, snapshots, destroy; and the CLI."""

import shutil
import tempfile
from pathlib import Path

from bench.measure import Table, in_turn, ratio
from bench.place import (
    BOX,
    address_by_hand,
    baked,
    gone_after,
    incus,
    kill_by_hand,
    name,
    page_of,
    plain_testinfra,
    sandbox,
    up_by_hand,
)
from sandbox.run import run

_ONE_VM = """\
Vagrant.configure("2") do |config|
  config.vm.box = "sandbox-bench/none"
end
"""
"""The least that `vagrant status` can be asked about: a machine that is not there."""


def warm(runs: int) -> Table:
    """`sandbox up` of a baked box against copy, start and first page by hand."""
    source = baked().image
    ours, theirs = name("ours"), name("hand")

    def remove() -> None:
        sandbox("destroy", ours, check=False)
        incus("delete", "--force", theirs, check=False)

    with gone_after(ours, theirs):
        mine, peer = in_turn(
            {
                "sandbox up": lambda: sandbox("up", BOX, "--name", ours),
                "incus copy, start, first page": lambda: up_by_hand(source, theirs),
            },
            runs=runs,
            before_each=remove,
        )
    notes = [
        ratio(mine, peer),
        "Ours ends after a login, a snapshot to go back to, the probe and the quick checks.",
    ]
    return Table("Warm up: from a baked image to the app's page", [mine, peer], notes)


def unchanged(runs: int) -> Table:
    """`sandbox up` of a sandbox that needs nothing, and what the command line itself costs."""
    ours = name("same")
    vagrant = shutil.which("vagrant")
    with gone_after(ours), tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch:
        (Path(scratch) / "Vagrantfile").write_text(_ONE_VM, encoding="utf-8")
        sandbox("up", BOX, "--name", ours)
        peer = {
            "vagrant status": lambda: run(
                (vagrant or "", "status"), timeout_s=60, cwd=Path(scratch)
            )
        }
        series = in_turn(
            {
                "sandbox up, unchanged": lambda: sandbox("up", BOX, "--name", ours),
                "sandbox list": lambda: sandbox("list"),
                "sandbox status": lambda: sandbox("status", ours),
                "sandbox validate": lambda: sandbox("validate", BOX),
                "sandbox --help": lambda: sandbox("--help"),
                "incus list": lambda: incus("list"),
                **(peer if vagrant else {}),
            },
            runs=runs,
        )
    notes = (
        [ratio(series[2], series[-1])] if vagrant else ["There is no Vagrant here to compare with."]
    )
    return Table("Nothing to do", series, notes)


def look(runs: int) -> Table:
    """Probe and checks of a running sandbox."""
    ours = name("look")
    with gone_after(ours):
        sandbox("up", BOX, "--name", ours)
        url, address = page_of(ours), address_by_hand(ours)
        series = in_turn(
            {
                "sandbox probe": lambda: sandbox("probe", ours),
                "sandbox check --quick": lambda: sandbox("check", ours, "--quick"),
                "sandbox check": lambda: sandbox("check", ours),
                "plain testinfra": lambda: plain_testinfra(ours, url),
                "kill, restart, first page by hand": lambda: kill_by_hand(ours, address),
            },
            runs=runs,
        )
    notes = [
        ratio(series[2], series[4]),
        ratio(series[3], series[2]),
        "Plain testinfra: bench/plain_testinfra.py, which asks for each thing by itself; it lacks"
        " one assertion, a session of the app.",
    ]
    return Table("Probe and checks", series, notes)


def snapshots(runs: int) -> Table:
    """Save and restore, against Incus's own."""
    ours = name("snap")
    counter = iter(range(1_000_000))
    with gone_after(ours):
        sandbox("up", BOX, "--name", ours)
        series = in_turn(
            {
                "sandbox snapshot save": lambda: sandbox(
                    "snapshot", "save", ours, f"s{next(counter)}"
                ),
                "incus snapshot create": lambda: incus(
                    "snapshot", "create", ours, f"s{next(counter)}"
                ),
                "sandbox snapshot restore": lambda: sandbox("snapshot", "restore", ours),
            },
            runs=runs,
        )
    notes = [
        ratio(series[0], series[1]),
        "A restore ends when the machine runs again and its sshd answers.",
    ]
    return Table("Snapshots", series, notes)


def destroy(runs: int) -> Table:
    """Removing a running sandbox."""
    source = baked().image
    ours, theirs = name("end"), name("hand")

    with gone_after(ours, theirs):
        made: list[str] = []

        def make_both() -> None:
            if not made:
                sandbox("up", BOX, "--name", ours, "--no-checks")
                up_by_hand(source, theirs)
                made.extend(("ours", "theirs"))

        def ours_goes() -> None:
            made.remove("ours")
            sandbox("destroy", ours)

        def theirs_goes() -> None:
            made.remove("theirs")
            incus("delete", "--force", theirs)

        mine, peer = in_turn(
            {"sandbox destroy": ours_goes, "incus delete --force": theirs_goes},
            runs=runs,
            before_each=make_both,
        )
    return Table("Destroy", [mine, peer], [ratio(mine, peer)])
