"""What setup would do, on hosts and daemons in every state."""

import json
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from sandbox.errors import HostError
from sandbox.host.apt import AptFacts
from sandbox.host.journal import ChangeKind
from sandbox.host.setup import SetupWishes
from sandbox.providers.incus.client import NotPermittedError
from sandbox.providers.incus.docker_firewall import DockerRules
from sandbox.providers.incus.host_setup import IncusSituation, plan_setup
from sandbox.providers.incus.objects import pool_driver, pool_size_gb
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import Device
from tests.unit.providers.host_facts import (
    PLACE,
    a_bare_host,
    a_host,
    a_ready_server,
    a_thing,
    an_empty_server,
)


def no_apt() -> AptFacts:
    return AptFacts(interrupted=False, archive_uri="http://mirror.example.org", backports=False)


def kinds(now: IncusSituation, choices: SetupWishes | None = None) -> list[ChangeKind]:
    return [action.kind for action in plan_setup(PLACE, now, choices or SetupWishes(), no_apt)]


OBJECTS = [ChangeKind.POOL, ChangeKind.NETWORK, ChangeKind.PROJECT, ChangeKind.PROFILE]


def test_a_fresh_machine_gets_everything_in_order() -> None:
    assert kinds(IncusSituation(a_bare_host(), None)) == [
        ChangeKind.PACKAGES,
        ChangeKind.DAEMON,
        *OBJECTS,
    ]


def test_a_ready_machine_gets_nothing() -> None:
    assert kinds(IncusSituation(a_host(), a_ready_server())) == []


def test_a_daemon_without_anything_gets_our_objects_only() -> None:
    assert kinds(IncusSituation(a_host(), an_empty_server())) == OBJECTS


def test_a_stopped_daemon_is_started() -> None:
    now = IncusSituation(a_host(), None, HostError("Incus is not running"))
    assert kinds(now)[0] is ChangeKind.DAEMON


def test_without_systemd_we_start_it_ourselves() -> None:
    now = IncusSituation(a_host(systemd=False), None)
    daemon = plan_setup(PLACE, now, SetupWishes(), no_apt)[0]
    assert "incusd" in str(daemon.commands[0])
    assert "LXC_TEMPLATE_CONFIG=" in str(daemon.commands[0])
    assert daemon.names == ("spawned",)


def test_a_daemon_that_refuses_us_is_not_started_again() -> None:
    host = a_host(is_root=False, user="ada")
    now = IncusSituation(host, None, NotPermittedError("you may not talk to the Incus daemon"))
    assert kinds(now)[0] is ChangeKind.GROUP


def test_what_cannot_be_asked_for_is_not_planned_as_if_it_were_not_there() -> None:
    """Somebody else has set this host up; whoever is not in the group yet sees folder and link."""
    link = json.dumps([{"ifname": PLACE.network}])
    host = a_host(is_root=False, user="ada", addresses_json=link)
    refused = NotPermittedError("you may not talk to the Incus daemon")
    now = IncusSituation(host, None, refused, pool_seen=True)
    group, *rest = plan_setup(PLACE, now, SetupWishes(), no_apt)
    assert (group.kind, [one.kind for one in rest]) == (
        ChangeKind.GROUP,
        [ChangeKind.PROJECT, ChangeKind.PROFILE],
    )
    assert [
        one.title for one in rest if not one.title.endswith(", unless it is there already")
    ] == []


def test_a_daemon_that_stands_still_may_have_all_we_need() -> None:
    now = IncusSituation(a_host(), None, HostError("Incus is not running"), pool_seen=True)
    assert kinds(now) == [
        ChangeKind.DAEMON,
        ChangeKind.NETWORK,
        ChangeKind.PROJECT,
        ChangeKind.PROFILE,
    ]


def test_a_pool_that_is_seen_and_does_not_exist_is_made() -> None:
    """What is seen is a guess, for as long as nobody answers."""
    assert kinds(IncusSituation(a_host(), an_empty_server(), pool_seen=True)) == OBJECTS


def test_where_incus_is_not_installed_nothing_can_be_there() -> None:
    actions = plan_setup(PLACE, IncusSituation(a_bare_host(), None), SetupWishes(), no_apt)
    assert [one.title for one in actions if "already" in one.title] == []


def test_a_user_is_let_in_once() -> None:
    host = a_host(is_root=False, user="ada")
    assert kinds(IncusSituation(host, a_ready_server())) == [ChangeKind.GROUP]
    assert kinds(IncusSituation(replace(host, in_group=True), a_ready_server())) == []


def test_sudo_is_shown_where_it_is_used() -> None:
    host = a_host(is_root=False, user="ada")
    group, pool, *_ = plan_setup(
        PLACE, IncusSituation(host, an_empty_server()), SetupWishes(), no_apt
    )
    assert group.lines(is_root=False)[1].strip() == "sudo usermod -aG incus-admin ada"
    assert pool.lines(is_root=False)[1].strip().startswith("incus ")


@pytest.mark.parametrize("what", ["pools", "networks", "projects"])
@pytest.mark.parametrize("mark", [None, "another"])
def test_what_is_not_ours_is_never_touched(what: str, mark: str | None) -> None:
    name = "sandboxbr0" if what == "networks" else "sandbox"
    server = an_empty_server(**{what: (a_thing(name, mark),)})
    with pytest.raises(HostError) as caught:
        kinds(IncusSituation(a_host(), server))
    assert "did not make" in caught.value.message
    assert "SANDBOX_INCUS_PREFIX" in caught.value.hint


def test_a_link_that_is_not_incuss_is_not_taken() -> None:
    host = a_host(addresses_json=json.dumps([{"ifname": "sandboxbr0", "addr_info": []}]))
    with pytest.raises(HostError) as caught:
        kinds(IncusSituation(host, an_empty_server()))
    assert "link named sandboxbr0" in caught.value.message


def test_objects_that_incus_left_half_made_are_made_anew() -> None:
    server = a_ready_server(pools=(a_thing("sandbox", status="Errored"),))
    (action,) = plan_setup(PLACE, IncusSituation(a_host(), server), SetupWishes(), no_apt)
    words = [command.argv[3:5] for command in action.commands]
    assert words == [("storage", "delete"), ("storage", "create")]


def test_a_profile_is_mended_device_by_device() -> None:
    devices = (
        Device("eth0", (("network", "elsewhere"), ("type", "nic"))),
        Device("root", (("path", "/"), ("pool", "sandbox"), ("size", "9GiB"), ("type", "disk"))),
    )
    server = a_ready_server(devices=devices)
    (action,) = plan_setup(PLACE, IncusSituation(a_host(), server), SetupWishes(), no_apt)
    assert [command.argv[5] for command in action.commands] == ["remove", "add"]
    assert all("eth0" in command.argv for command in action.commands)


def test_a_project_that_shares_images_is_mended() -> None:
    project = a_thing("sandbox", config={"features.profiles": "true"})
    server = a_ready_server(projects=(project,))
    assert kinds(IncusSituation(a_host(), server)) == [ChangeKind.PROJECT]


def test_the_subnet_avoids_the_host_and_incus() -> None:
    def chosen(host_routes: str, server_networks: tuple[str, ...]) -> IPv4Network:
        networks = tuple(
            a_thing(f"n{index}", None, config={"ipv4.address": address})
            for index, address in enumerate(server_networks)
        )
        now = IncusSituation(a_host(routes_json=host_routes), an_empty_server(networks=networks))
        action = plan_setup(PLACE, now, SetupWishes(), no_apt)[1]
        word = next(w for w in action.commands[0].argv if w.startswith("ipv4.address="))
        return IPv4Network(word.partition("=")[2], strict=False)

    first = chosen("[]", ())
    routed = chosen(json.dumps([{"dst": str(first), "dev": "eth0"}]), ())
    assert routed != first
    assert chosen("[]", (f"{first[1]}/24",)) == routed


def test_a_subnet_that_is_taken_is_refused() -> None:
    host = a_host(routes_json=json.dumps([{"dst": "10.9.0.0/16", "dev": "eth0"}]))
    with pytest.raises(HostError) as caught:
        kinds(
            IncusSituation(host, an_empty_server()), SetupWishes(subnet=IPv4Network("10.9.8.0/24"))
        )
    assert "10.9.0.0/16" in caught.value.details


def test_btrfs_only_where_it_can_work() -> None:
    server = an_empty_server()
    assert pool_driver(a_host(), server) == "btrfs"
    assert pool_driver(a_host(), None) == "btrfs"
    assert pool_driver(a_host(kernel_btrfs=False), server) == "dir"
    assert pool_driver(a_host(loop_devices=False), server) == "dir"
    assert pool_driver(a_host(), an_empty_server(drivers=frozenset({"dir"}))) == "dir"


@pytest.mark.parametrize(
    ("free", "wanted", "size"), [(60.0, None, 30), (2000.0, None, 200), (60.0, 50, 50)]
)
def test_the_pool_leaves_room_for_others(free: float, wanted: int | None, size: int) -> None:
    assert pool_size_gb(free, wanted) == size


@pytest.mark.parametrize(("free", "wanted"), [(8.0, None), (60.0, 70), (60.0, 2)])
def test_a_pool_that_does_not_fit_is_refused(free: float, wanted: int | None) -> None:
    with pytest.raises(HostError, match="not enough disk space"):
        pool_size_gb(free, wanted)


def test_dockers_firewall_is_opened_for_our_bridge_only() -> None:
    rules = DockerRules("-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n", "-N DOCKER-USER\n")
    now = IncusSituation(a_host(), a_ready_server(), docker=rules)
    (action,) = plan_setup(PLACE, now, SetupWishes(), no_apt)
    assert action.kind is ChangeKind.FIREWALL
    assert all("sandboxbr0" in command.argv for command in action.commands)
    opened = DockerRules(
        rules.forward,
        "-A DOCKER-USER -o sandboxbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-A DOCKER-USER -i sandboxbr0 -j ACCEPT\n",
    )
    assert kinds(replace(now, docker=opened)) == []
    assert kinds(replace(now, docker=DockerRules("-P FORWARD ACCEPT\n", ""))) == []


def test_on_a_remote_only_the_objects_are_made() -> None:
    place = IncusPlace.from_prefix("sandbox", "classroom")
    now = IncusSituation(a_bare_host(), an_empty_server())
    actions = plan_setup(place, now, SetupWishes(), no_apt)
    assert [action.kind for action in actions] == OBJECTS
    assert all("classroom:" in str(command) for item in actions for command in item.commands)


def test_a_remote_that_does_not_answer_is_said() -> None:
    place = IncusPlace.from_prefix("sandbox", "classroom")
    now = IncusSituation(a_host(), None, HostError("the Incus server cannot be reached"))
    with pytest.raises(HostError, match="cannot be reached"):
        plan_setup(place, now, SetupWishes(), no_apt)
