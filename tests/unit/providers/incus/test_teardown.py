"""What teardown would take back, and what it never would."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import HostError
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.setup import Keep
from sandbox.providers.incus.daemon import is_incus_process, mounts_of
from sandbox.providers.incus.host_teardown import others_in, plan_teardown
from sandbox.providers.incus.other_users import require_unused
from sandbox.providers.incus.server import ServerFacts, Thing
from tests.unit.providers.host_facts import (
    DEFAULT_PROJECT,
    PLACE,
    a_ready_server,
    a_thing,
    an_empty_server,
)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Journal("sandbox")


def kinds(
    server: ServerFacts | None, journal: Journal, keep: Keep | None = None
) -> list[ChangeKind]:
    return [item.kind for item in plan_teardown(PLACE, server, journal, keep or Keep())]


def all_made(journal: Journal) -> None:
    journal.intend(ChangeKind.SOURCE, ("/etc/apt/sources.list.d/x.sources",))
    journal.intend(ChangeKind.PACKAGES, ("incus-base", "libuv1"))
    journal.intend(ChangeKind.DAEMON, ("systemd",))
    journal.intend(ChangeKind.GROUP, ("ada",))


def test_what_we_made_goes_in_the_right_order(journal: Journal) -> None:
    all_made(journal)
    expected = [
        ChangeKind.PROJECT,
        ChangeKind.NETWORK,
        ChangeKind.POOL,
        ChangeKind.DAEMON,
        ChangeKind.GROUP,
    ]
    assert kinds(a_ready_server(), journal) == [*expected, ChangeKind.SOURCE]
    everything = kinds(a_ready_server(), journal, Keep(packages=False))
    assert everything == [*expected, ChangeKind.PACKAGES, ChangeKind.SOURCE]


def test_our_mark_is_enough_without_a_journal(journal: Journal) -> None:
    assert kinds(a_ready_server(), journal) == [
        ChangeKind.PROJECT,
        ChangeKind.NETWORK,
        ChangeKind.POOL,
    ]


def test_a_half_made_host(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    assert kinds(an_empty_server(pools=(a_thing("sandbox"),)), journal) == [ChangeKind.POOL]
    assert kinds(an_empty_server(), journal) == []


def test_things_without_our_mark_stay(journal: Journal) -> None:
    server = an_empty_server(
        pools=(a_thing("sandbox", None),), networks=(a_thing("sandboxbr0", "x"),)
    )
    assert kinds(server, journal) == []


def test_a_daemon_that_somebody_else_uses_stays_with_its_packages(journal: Journal) -> None:
    all_made(journal)
    pools = (a_thing("sandbox"), a_thing("theirs", None))
    found = kinds(a_ready_server(pools=pools), journal, Keep(packages=False))
    assert ChangeKind.DAEMON not in found
    assert ChangeKind.PACKAGES not in found


def test_a_daemon_that_was_here_before_us_stays(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    assert ChangeKind.DAEMON not in kinds(a_ready_server(), journal)


def test_a_daemon_that_our_package_started_goes(journal: Journal) -> None:
    # Setup was killed after apt, before it came to the daemon
    journal.intend(ChangeKind.PACKAGES, ("incus-base",))
    assert ChangeKind.DAEMON in kinds(an_empty_server(), journal)
    assert ChangeKind.DAEMON not in kinds(an_empty_server(), journal, Keep(daemon=True))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"pools": (a_thing("theirs", None),)}, "storage pool theirs"),
        ({"networks": (a_thing("lab", "lab"),)}, "network lab"),
        ({"projects": (DEFAULT_PROJECT, a_thing("lab", None))}, "project lab"),
        (
            {"projects": (Thing("default", (), used_by=("/1.0/instances/theirs",)),)},
            "default project",
        ),
    ],
)
def test_whose_daemon_it_is(changes: dict[str, tuple[Thing, ...]], word: str) -> None:
    assert others_in(PLACE, a_ready_server()) == ()
    (found,) = others_in(PLACE, an_empty_server(**changes))
    assert word in found


@pytest.mark.parametrize(
    ("line", "is_its"),
    [
        ("/usr/libexec/incus/incusd --group incus-admin", True),
        ("dnsmasq --conf-file=/var/lib/incus/networks/sandboxbr0/dnsmasq.raw", True),
        ("[lxc monitor] /var/lib/incus/containers sandbox_shiny", True),
        ("dnsmasq --conf-file=/etc/dnsmasq.conf", False),
        ("vi /var/lib/incus/notes-about-incusd", False),
        ("", False),
    ],
)
def test_processes_of_the_daemon(line: str, is_its: bool) -> None:
    assert is_incus_process(line) is is_its


def test_mounts_deepest_first_and_spaces() -> None:
    text = (
        "tmpfs /var/lib/incus/guestapi tmpfs rw 0 0\n"
        "tmpfs /var/lib/incus/shmounts/a tmpfs rw 0 0\n"
        "/dev/sda1 /var/lib ext4 rw 0 0\n"
        "tmpfs /var/lib/incus/with\\040space tmpfs rw 0 0\n"
        "tmpfs /var/lib/incusx tmpfs rw 0 0\n"
    )
    text += "tmpfs /var/lib/incus/Käse\\134n\u0085\u2028 tmpfs rw 0 0\n"
    found = mounts_of(text, Path("/var/lib/incus"))
    assert found[0] == "/var/lib/incus/shmounts/a"
    assert set(found[1:]) == {
        "/var/lib/incus/guestapi",
        "/var/lib/incus/with space",
        "/var/lib/incus/Käse\\n\u0085\u2028",
    }


@pytest.mark.parametrize(
    ("thing", "path", "said"),
    [
        (
            "pool", "/1.0/instances/web?project=default",
            "the instance web in the project default uses the storage pool sandbox",
        ),
        (
            "pool", "/1.0/storage-pools/sandbox/volumes/custom/data",
            "the volume data in the project default uses the storage pool sandbox",
        ),
        (
            "network", "/1.0/profiles/their%20own?project=other",
            "the profile their own in the project other uses the network sandboxbr0",
        ),
    ],
)  # fmt: skip
def test_what_others_use_is_named_before_anything_goes(thing: str, path: str, said: str) -> None:
    own = "/1.0/profiles/default?project=sandbox"
    ready = a_ready_server()
    found = ready.pool(PLACE.pool) if thing == "pool" else ready.network(PLACE.network)
    assert found is not None
    used = replace(found, used_by=(own, path))
    changes: Any = {f"{thing}s": (used,)}
    server = replace(ready, **changes)
    with pytest.raises(HostError, match="nothing was removed") as caught:
        require_unused(PLACE, server)
    assert caught.value.details == said
    changes = {f"{thing}s": (replace(found, used_by=(own,)),)}
    require_unused(PLACE, replace(ready, **changes))


def test_the_same_image_in_another_project_is_no_use_of_our_pool() -> None:
    """A base image that a bundle brought to the host that has made it."""
    ready = a_ready_server()
    path = "/1.0/images/0123abcd?project=other"
    pool = a_thing(PLACE.pool, mark=PLACE.project, used_by=(path,))
    require_unused(PLACE, replace(ready, pools=(pool,)))


def test_what_is_not_ours_may_be_used() -> None:
    ready = a_ready_server()
    pool = a_thing(PLACE.pool, mark=None, used_by=("/1.0/instances/web",))
    require_unused(PLACE, replace(ready, pools=(pool,)))
