"""Whether a workshop fits, said before the day."""

from dataclasses import replace

import pytest

from sandbox.providers.members import Member
from sandbox.workshop.arithmetic import Wanted, carried, estimate, share_out

BIG = Member("n1", cpus=8, memory_mb=64 * 1024, disk_mb=200_000, addresses=250)
WANTED = Wanted(people=30, spare=3, work_mb=1024, image_mb=1500)
ENOUGH = {"fs.inotify.max_user_instances": 8192, "kernel.keys.maxkeys": 20_000}


def test_it_fits_and_says_what_it_takes() -> None:
    found = estimate(WANTED, [replace(BIG, limits=ENOUGH)])
    assert found.fits
    (share,) = found.shares
    assert (share.seats, share.idle_mb, share.work_mb) == (33, 3300, 33 * 1024)
    assert share.disk_mb == 1500 + 33 * 50
    assert found.start_s == pytest.approx(24.0)
    assert (found.access_points, found.room_mbit) == (2, 15.0)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"memory_mb": 8 * 1024}, "33 seats at work need 33.0 GB of memory, 7.0 GB are free"),
        ({"memory_mb": 8 * 1024}, "7 seats fit, and 33 are wanted (3 of them spare)"),
        ({"disk_mb": 2000}, "needs 3.1 GB of disk, 2.0 GB are free"),
        ({"addresses": 20}, "33 seats, and 20 addresses are free"),
        ({"limits": {"fs.inotify.max_user_instances": 128}}, "is 128, and 33 seats need 623"),
        ({"limits": {"kernel.keys.maxkeys": 200}}, "kernel.keys.maxkeys is 200"),
    ],
)
def test_what_cannot_be_carried_is_refused(change: dict[str, object], words: str) -> None:
    found = estimate(WANTED, [replace(BIG, **change)])  # type: ignore[arg-type]
    assert not found.fits
    assert any(words in one for one in found.refusals), found.refusals


def test_seats_go_where_the_memory_is() -> None:
    members = [BIG, replace(BIG, name="n2", memory_mb=16 * 1024)]
    counts = share_out(WANTED, members)
    assert sum(counts.values()) == 33
    assert counts == {"n1": 33, "n2": 0}
    even = share_out(WANTED, [BIG, replace(BIG, name="n2"), replace(BIG, name="n3")])
    assert sorted(even.values()) == [11, 11, 11]


def test_a_member_that_is_offline_gets_nothing_and_is_named() -> None:
    found = estimate(WANTED, [BIG, replace(BIG, name="n2", online=False)])
    assert [one.member.name for one in found.shares] == ["n1"]
    assert "n2 is offline: it gets no seat" in found.warnings
    assert estimate(WANTED, [replace(BIG, online=False)]).refusals == (
        "no member of the cluster is online",
    )


def test_whether_the_others_could_carry_a_lost_members_seats_is_said() -> None:
    small = [replace(BIG, name=f"n{at}", memory_mb=13 * 1024, limits=ENOUGH) for at in (1, 2, 3)]
    assert [carried(WANTED, one) for one in small] == [12, 12, 12]
    found = estimate(WANTED, small)
    assert found.fits
    assert found.warnings == tuple(
        f"when n{at} is lost, the others cannot carry all of its seats" for at in (1, 2, 3)
    )


def test_limits_that_cannot_be_read_are_named() -> None:
    (warning,) = estimate(WANTED, [BIG]).warnings
    assert "sandbox doctor --seats 33" in warning


def test_copies_of_whole_seats_take_disk_on_other_members_and_network() -> None:
    three = [replace(BIG, name=name, limits=ENOUGH) for name in ("n1", "n2", "n3")]
    without = estimate(WANTED, three)
    found = estimate(replace(WANTED, replica_every_s=600), three)
    assert [one.replicas for one in found.shares] == [11, 11, 11]
    extra = [
        after.disk_mb - before.disk_mb
        for after, before in zip(found.shares, without.shares, strict=True)
    ]
    assert extra == [11 * 50] * 3
    # 11 seats of which each sends 3 MB, or at most its 50 MB, in ten minutes
    assert found.replica_mbit == pytest.approx((0.44, 7.33), abs=0.01)
    assert without.replica_mbit == (0.0, 0.0)
    # All seats fit into this disk, but not with their copies
    tight = [replace(one, disk_mb=1500 + 15 * 50) for one in three]
    assert estimate(WANTED, tight).fits
    refused = estimate(replace(WANTED, replica_every_s=600), tight)
    assert "n1: needs 2.5 GB of disk, 2.2 GB are free" in refused.refusals
