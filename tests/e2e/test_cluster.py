"""Seats on a real Incus cluster of two members on this one machine; a member is killed.

The image of the seats is a stand-in: a few folders with busybox as init. So `make`, which waits for
a systemd and an sshd, is not tested here; what a cluster adds to it is.
"""

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.deadline import Deadline, keep_trying
from sandbox.events import ignore
from sandbox.host.setup import Keep, SetupOutcome, SetupWishes
from sandbox.providers.incus.baking import COMPLETE, KEY
from sandbox.providers.incus.client import api_path
from sandbox.providers.incus.host_setup import host_setup
from sandbox.providers.incus.host_teardown import host_teardown
from sandbox.providers.incus.instances import BAKED, MADE_BY
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_request import seat_body
from sandbox.providers.incus.seats import IncusSeats
from sandbox.providers.place import Place
from sandbox.providers.seats import MemberLostError, SeatLabel, SeatWish
from tests.e2e.cluster import Lab, cluster_of

KEY_OF_IMAGE = "c1c1c1c1c1c1"
METADATA = b"architecture: x86_64\ncreation_date: 1\nproperties: {os: stand-in}\n"

pytestmark = [pytest.mark.incus, pytest.mark.slow]


@dataclass(frozen=True)
class Prepared:
    """A cluster that runs, and our place in it."""

    lab: Lab
    place: Place

    def script(self, *words: str) -> str:
        return self.lab.script(*words)

    @property
    def incus(self) -> IncusPlace:
        return IncusPlace.at(self.place)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with (
        cluster_of(2, tmp_path_factory.mktemp("incus")) as made,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        first, *others = made.remotes
        yield Prepared(made, Place("sbxcl", first, tuple(others)))


def stand_in_image(folder: Path) -> Path:
    """Pack an image that is complete for Incus, and cannot be started."""
    path = folder / "image.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(METADATA)
        archive.addfile(entry, io.BytesIO(METADATA))
        for name in ("rootfs", "rootfs/sbin", "rootfs/etc", "rootfs/proc", "rootfs/sys"):
            made = tarfile.TarInfo(name)
            made.type, made.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(made)
    return path


def test_a_cluster_is_set_up_carries_seats_and_loses_a_member(
    lab: Prepared, tmp_path: Path
) -> None:
    wishes = SetupWishes()
    assert host_setup(lab.incus, confirm=lambda _: True, choices=wishes) is SetupOutcome.CHANGED
    assert host_setup(lab.incus, confirm=lambda _: True, choices=wishes) is SetupOutcome.UNCHANGED

    seats = IncusSeats(lab.incus)
    client = seats.client
    client.run("image", "import", stand_in_image(tmp_path), "clab1:", "--alias", "stand-in")
    baked = {MADE_BY: BAKED, KEY: KEY_OF_IMAGE, COMPLETE: "2026-11-28T12:00:00+00:00"}
    root = {"type": "disk", "path": "/", "pool": lab.incus.pool}
    body = {
        "name": "Baked-stand-in-1",
        "source": {"type": "image", "alias": "stand-in"},
        "config": baked,
        "devices": {"root": root, "eth0": {"type": "none"}},
    }
    at = {"target": "m2"}
    client.query("POST", api_path("instances"), body, parameters=at, timeout_s=60)

    seats.spread(KEY_OF_IMAGE, ["m1", "m2"], ignore)
    images = seats.images(KEY_OF_IMAGE)
    assert set(images) == {"m1", "m2"}
    assert images["m2"] == "Baked-stand-in-1"

    seats.prepare("day", (), ignore)
    for number, member in ((1, "m1"), (2, "m2")):
        make_stopped(seats, number, member)
    there = {one.name: one for one in seats.machines("day")}
    assert {one.member for one in there.values()} == {"m1", "m2"}
    assert there["ws-day-01-g1"].upstreams[8787].startswith("10.89.0.1:")
    assert there["ws-day-02-g1"].upstreams[8787].startswith("10.89.0.2:")

    # With two members the cluster has one database: the other is the one that may die
    lab.script("kill", "2")
    began = time.monotonic()
    with pytest.raises(MemberLostError, match="m2"):
        seats.remove("ws-day-02-g1")
    assert time.monotonic() - began < 5
    assert [one.online for one in seats.members()] == [True, False]
    known = {one.name: one.member for one in seats.machines("day")}
    assert known["ws-day-02-g1"] == "m2", "what is on a dead member is not taken for gone"

    lab.script("start", "2")
    for name in there:
        remove_soon(seats, name)
    seats.clear("day")
    assert seats.left("day") == ()
    assert set(seats.images(KEY_OF_IMAGE)) == {"m2"}, "only the copy is removed"
    assert (
        host_teardown(lab.incus, confirm=lambda _: True, sure=True, keep=Keep())
        is SetupOutcome.CHANGED
    )
    assert not client.exists("storage-pools", lab.incus.pool)


def remove_soon(seats: IncusSeats, name: str) -> None:
    """Remove a machine, once the cluster hears of the member that came back."""
    keep_trying(
        lambda: seats.remove(name),
        Deadline(30),
        despite=MemberLostError,
        every_s=0.5,
        again=lambda _: True,
    )


def make_stopped(seats: IncusSeats, number: int, member: str) -> None:
    """Make a seat's machine as `make` does, up to its start."""
    label = SeatLabel("day", number, 1)
    name = f"ws-day-{number:02d}-g1"
    wish = SeatWish(name, label, KEY_OF_IMAGE, member, 1, 256, 200, 1, (8787,), "ssh-ed25519 A x")
    image = next(
        one for one in seats._instances() if one["name"] == seats.images(KEY_OF_IMAGE)[member]
    )
    body = seat_body(wish, image, seats.place)
    seats.client.query(
        "POST", api_path("instances"), body, parameters={"target": member}, timeout_s=60
    )
    seats._network.give_address(name, "day")
