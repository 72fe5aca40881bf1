"""`doctor --seats N`: has each server room for so many seats, and what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.errors import ProviderError
from sandbox.providers.members import Member
from sandbox.providers.place import Place
from sandbox.workflows.doctor import seat_findings

PLACE = Place("sandbox")
ENOUGH = {
    "fs.inotify.max_user_instances": 8192,
    "kernel.keys.maxkeys": 20_000,
    "kernel.keys.maxbytes": 2_000_000,
}


@dataclass
class Servers:
    """A provider that only lists its servers."""

    there: tuple[Member, ...] = ()
    trouble: ProviderError | None = None

    def members(self, place: Place) -> tuple[Member, ...]:
        assert place == PLACE
        if self.trouble is not None:
            raise self.trouble
        return self.there


def member(
    *, memory_mb: int = 8192, online: bool = True, limits: Mapping[str, int] = ENOUGH
) -> Member:
    return Member("n1", 2, memory_mb, 100_000, 250, online=online, limits=limits)


def test_a_server_with_room_for_all_has_no_problem() -> None:
    found = tuple(seat_findings(Servers((member(),)), PLACE, 30))

    assert [one.title.split(" for ")[0] for one in found] == [
        "n1 has memory",
        "n1 has disk",
        "n1 has addresses",
        "the kernel of n1 has room",
    ]
    assert all(one.ok for one in found)


def test_a_low_limit_comes_with_the_command_that_raises_it_far_enough() -> None:
    low = {**ENOUGH, "fs.inotify.max_user_instances": 128}

    (wrong,) = (
        one for one in seat_findings(Servers((member(limits=low),)), PLACE, 30) if not one.ok
    )

    assert "fs.inotify.max_user_instances is 128, needed 578" in wrong.detail
    assert wrong.fix == "sudo sysctl fs.inotify.max_user_instances=578"
    assert not wrong.warning


def test_memory_and_addresses_that_do_not_reach_are_named() -> None:
    small = tuple(one for one in seat_findings(Servers((member(memory_mb=2000),)), PLACE, 300))

    assert [one.title for one in small if not one.ok and not one.warning][:2] == [
        "n1 has memory for 300 seats",
        "n1 has addresses for 300 seats",
    ]


def test_limits_that_cannot_be_read_from_here_are_said_and_stop_nobody() -> None:
    (last,) = tuple(seat_findings(Servers((member(limits={}),)), PLACE, 12))[-1:]

    assert last.warning
    assert last.fix == "there: sandbox doctor --seats 12"


def test_a_server_that_is_offline_and_one_that_cannot_be_asked() -> None:
    (off,) = seat_findings(Servers((member(online=False),)), PLACE, 3)
    (mute,) = seat_findings(Servers(trouble=ProviderError("no answer", hint="mend it")), PLACE, 3)

    assert (off.ok, off.title) == (False, "n1 is online")
    assert (mute.ok, mute.detail, mute.fix) == (False, "no answer", "mend it")
