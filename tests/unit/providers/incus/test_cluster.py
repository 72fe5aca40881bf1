"""The members of a cluster, from recorded answers of Incus 6.0.4: nothing is asked here."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from sandbox.errors import HostError, ProviderError
from sandbox.host.setup import SetupWishes
from sandbox.providers.incus import remotes
from sandbox.providers.incus.client import IncusClient, NoDaemonError, NoLeaderError, explain
from sandbox.providers.incus.cluster import IncusCluster, location_of
from sandbox.providers.incus.doctor import incus_findings
from sandbox.providers.incus.host_setup import IncusSituation
from sandbox.providers.incus.image_copies import copy_body, images_of_others, is_copy
from sandbox.providers.incus.objects import plan_objects
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.remotes import AnsweringRemote, host_and_port
from sandbox.providers.incus.seat_doors import FIRST_PORT, doors, upstreams_through
from sandbox.providers.incus.seat_request import WORKSHOP, label_of
from sandbox.providers.incus.server import ServerMember, Thing
from sandbox.providers.seats import MemberLostError, SeatLabel, label_in
from sandbox.run import Completed
from sandbox.workshop.seat_map import instance_name
from tests.unit.providers.host_facts import a_host, a_ready_server, an_empty_server

LAB = IncusPlace.from_prefix("sandbox", "lab1")
MEMBERS = tuple(ServerMember(f"n{k}", f"https://10.88.0.{k}:8443", online=True) for k in (1, 2, 3))
SUBNET = IPv4Network("10.126.5.0/24")
# Word for word, as `incus` says them of a dead member
OF_A_MEMBER = (
    "Missing event connection with target cluster member",
    'Get "https://10.88.0.3:8443/1.0/instances/t3": Unable to connect to: 10.88.0.3:8443'
    " ([dial tcp 10.88.0.3:8443: connect: connection refused])",
    'Get "https://10.88.0.3:8443/1.0/instances/t3": Unable to connect to: 10.88.0.3:8443'
    " ([dial tcp 10.88.0.3:8443: i/o timeout])",
    "peer node 10.88.0.3:8443 is down",
    "Server isn't ready yet",
)


@pytest.mark.parametrize("words", OF_A_MEMBER)
def test_incus_words_for_a_dead_member_are_known(words: str) -> None:
    assert isinstance(explain(words, what="x"), MemberLostError)


def test_a_dead_remote_is_no_dead_member() -> None:
    assert isinstance(explain(OF_A_MEMBER[1], what="x", of_member=False), NoDaemonError)


def test_a_cluster_without_a_leader_is_told_from_other_failures() -> None:
    assert isinstance(explain("Failed to begin transaction: x", what="x"), NoLeaderError)


def commands(action: Any) -> list[str]:
    return [str(command).split("--project default ")[1] for command in action.commands]


def test_pool_and_network_are_made_on_each_member_first() -> None:
    server = an_empty_server(members=MEMBERS)
    pool, network, *_ = plan_objects(LAB, a_host(), server, SetupWishes(pool_gb=9))
    assert commands(pool) == [
        *(f"storage create lab1:sandbox btrfs size=9GiB --target n{k}" for k in (1, 2, 3)),
        "storage create lab1:sandbox btrfs user.sandbox=sandbox",
    ]
    made = commands(network)
    assert made[:3] == [
        f"network create lab1:sandboxbr0 --type=bridge --target n{k}" for k in (1, 2, 3)
    ]
    assert "ipv4.nat=true" in made[3]
    assert "--target" not in made[3]


def test_one_member_without_btrfs_means_folders_on_all() -> None:
    server = an_empty_server(members=MEMBERS, drivers=frozenset({"dir"}))
    pool = plan_objects(LAB, a_host(), server, SetupWishes())[0]
    assert commands(pool)[-1] == "storage create lab1:sandbox dir user.sandbox=sandbox"


def test_what_was_cut_off_between_two_members_is_made_again() -> None:
    pending = Thing("sandbox", (), status="Pending", driver="btrfs", locations=("n1",))
    server = a_ready_server(members=MEMBERS, pools=(pending,))
    actions = plan_objects(LAB, a_host(), server, SetupWishes())
    assert len(actions) == 1
    assert commands(actions[0])[:2] == [
        "storage delete lab1:sandbox",
        "storage create lab1:sandbox btrfs --target n1",
    ]


def test_a_member_that_is_away_is_named_and_only_when_it_is_needed() -> None:
    members = (*MEMBERS[:2], ServerMember("n3", MEMBERS[2].url, online=False))
    with pytest.raises(HostError, match="n3 of the cluster does not answer"):
        plan_objects(LAB, a_host(), an_empty_server(members=members), SetupWishes())
    assert plan_objects(LAB, a_host(), a_ready_server(members=members), SetupWishes()) == []


def test_our_subnet_hides_no_network_of_a_member() -> None:
    taken = (IPv4Network("10.64.0.0/10"), IPv4Network("172.16.0.0/12"))
    server = an_empty_server(members=MEMBERS, member_networks=taken)
    network = plan_objects(LAB, a_host(), server, SetupWishes())[1]
    assert "ipv4.address=192.168." in commands(network)[-1]


def test_doctor_names_a_member_that_is_away() -> None:
    members = (*MEMBERS[:2], ServerMember("n3", MEMBERS[2].url, online=False))
    now = IncusSituation(a_host(), a_ready_server(members=members))
    found = [one for one in incus_findings(LAB, now) if "members of the cluster" in one.title]
    assert len(found) == 1
    assert not found[0].ok
    assert "n3 offline" in found[0].detail


def test_doctor_does_not_call_a_half_made_pool_somebody_elses() -> None:
    pending = Thing("sandbox", (), status="Pending", driver="btrfs", locations=("n1",))
    now = IncusSituation(a_host(), a_ready_server(members=MEMBERS, pools=(pending,)))
    found = [one for one in incus_findings(LAB, now) if "storage pool" in one.title]
    assert [(one.ok, one.detail) for one in found] == [(False, "Incus says Pending")]


def test_doors_of_two_machines_never_share_a_port() -> None:
    seen: set[str] = set()
    for last in range(2, 255):
        made = doors(IPv4Address(f"10.126.5.{last}"), SUBNET, "10.88.0.1", (8787, 3838))
        listens = {one["listen"] for one in made.values()}
        assert not listens & seen
        seen |= listens
    assert all(FIRST_PORT <= int(one.rpartition(":")[2]) < 32_768 for one in seen)


def test_doors_are_found_again_in_the_instance() -> None:
    made = doors(IPv4Address("10.126.5.9"), SUBNET, "10.88.0.2", (8787, 3838))
    found = upstreams_through({"devices": {"root": {"type": "disk"}, **made}})
    assert set(found) == {8787, 3838}
    assert all(one.startswith("10.88.0.2:") for one in found.values())
    assert made["door-8787"]["connect"] == "tcp:10.126.5.9:8787"


def test_a_ninth_port_has_no_door() -> None:
    with pytest.raises(ProviderError, match="8 servers"):
        doors(IPv4Address("10.126.5.9"), SUBNET, "10.88.0.2", tuple(range(8000, 8009)))


def an_image(**config: str) -> dict[str, Any]:
    made = {"user.sandbox-engine.made-by": "sandbox bake", **config}
    return {"name": "Baked-k-1", "location": "n1", "architecture": "x86_64", "config": made}


def test_a_copy_is_not_complete_and_says_what_it_was_copied_from() -> None:
    key = "user.sandbox-engine.bake-key"
    body = copy_body(an_image(**{key: "k", "volatile.uuid": "u"}), "Baked-k-2")
    assert is_copy(body)
    assert body["config"][key] == "k"
    assert body["config"]["user.sandbox-engine.bake-complete"] == ""
    assert "volatile.uuid" not in body["config"]
    assert body["architecture"] == "x86_64"


def test_images_of_another_workshop_are_spared() -> None:
    made_from = "user.sandbox-engine.made-from"
    machines = [
        {"name": "ws-a-01-g1", "config": {WORKSHOP: "a", made_from: "Baked-k-1"}},
        {"name": "ws-b-01-g1", "config": {WORKSHOP: "b", made_from: "Baked-k-2"}},
    ]
    assert images_of_others(machines, "a", WORKSHOP) == {"Baked-k-2"}


def test_a_machine_on_a_dead_member_is_known_by_its_name() -> None:
    said = {"name": "ws-r-day-07-g2", "location": "n3", "status": "Error", "config": None}
    assert label_of(said) == SeatLabel("r-day", 7, 2)
    assert label_in(instance_name("r-day", 7, 2)) == SeatLabel("r-day", 7, 2)
    assert location_of(said) == "n3"
    assert location_of({"location": "none"}) == ""


def test_the_first_remote_that_takes_a_connection_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {f"lab{k}": f"https://10.88.0.{k}:8443" for k in (1, 2, 3)}
    dead = {urls["lab1"]}
    monkeypatch.setattr(remotes, "takes_connections", lambda url: url not in dead)
    chooser = AnsweringRemote(("lab1", "lab2", "lab3"), lambda: urls)
    assert chooser.now() == "lab2"
    dead.clear()
    chooser.look_again()
    assert chooser.now() == "lab2", "the one that answered is kept"
    dead.add(urls["lab2"])
    chooser.look_again()
    assert chooser.now() == "lab1"


def test_a_server_is_asked_straight_when_the_user_has_a_remote_for_it() -> None:
    urls = {
        "lab1": "https://10.88.0.1:8443",
        "lab2": "https://localhost:8443",
        "else": "https://10.88.0.3:8443",
    }
    chooser = AnsweringRemote(("lab1", "lab2"), lambda: urls)
    assert chooser.leading_to("https://10.88.0.1:8443") == "lab1"
    assert chooser.leading_to("https://127.0.0.1:8443") == "lab2", "by the name of its DNS"
    assert chooser.leading_to(urls["else"]) == "else"
    assert chooser.leading_to("https://10.88.0.1:9999") == ""


def test_what_is_asked_straight_goes_to_no_other_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(words: tuple[str, ...], **_: object) -> Completed:
        if "remote" in words:
            said = {f"lab{k}": {"Addr": f"https://10.88.0.{k}:8443"} for k in (1, 2)}
            return Completed(words, 0, json.dumps(said), "", 0.0)
        asked.append(words[-1])
        answer = {"type": "sync", "metadata": {}}
        return Completed(words, 0, json.dumps(answer), "", 0.0)

    monkeypatch.setattr("sandbox.providers.incus.client.run", run)
    monkeypatch.setattr(remotes, "takes_connections", lambda _url: True)
    client = IncusClient(replace(LAB, other_remotes=("lab2",)))
    with client.straight_to("https://10.88.0.2:8443"):
        client.query("GET", "/1.0")
        assert client.ref("x") == "lab2:x"
        # Of the one that was asked straight, its death is that of a member
        dead = explain(OF_A_MEMBER[1], what="x")
        assert client.of_remote(dead) is dead
        with client.straight_to("https://10.88.0.3:8443"):
            assert client.ref("x") == "lab2:x"
    assert client.ref("x") == "lab1:x"
    client.query("GET", "/1.0")
    assert [one.partition(":")[0] for one in asked] == ["lab2", "lab1"]


def test_the_address_of_a_server_is_read_from_its_url() -> None:
    assert host_and_port("https://10.88.0.1:8443") == ("10.88.0.1", 8443)
    assert host_and_port("https://[fd00::2]") == ("fd00::2", 8443)


class _Answers:
    """A stand-in for the client: says what a cluster of three says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def query(self, method: str, path: str, **_: object) -> Any:
        self.asked.append(path)
        if path == "/1.0/cluster/members":
            return [{"server_name": m.name, "url": m.url, "status": "Online"} for m in MEMBERS]
        if self.fails:
            raise ProviderError("Incus failed", details=OF_A_MEMBER[0])
        return {"environment": {"architectures": ["x86_64"], "server_clustered": True}}


def test_a_dead_member_is_found_without_waiting_for_incus(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _Answers()
    cluster = IncusCluster(client)  # type: ignore[arg-type]
    alive = {one.url for one in MEMBERS}
    name = "sandbox.providers.incus.cluster.takes_connections"
    monkeypatch.setattr(name, lambda url: url in alive)
    monkeypatch.setattr("sandbox.providers.incus.cluster._ALIVE_S", 0.0)
    cluster.require("n3")
    alive.remove(MEMBERS[2].url)
    with pytest.raises(MemberLostError, match="n3"), cluster.reaching("n3"):
        pytest.fail("nothing may be asked of it")
    assert [one.online for one in cluster.members()] == [True, True, False]
    with pytest.raises(ProviderError, match="busy"), cluster.reaching("n1"):
        raise ProviderError("busy")


def test_a_member_behind_a_firewall_is_asked_through_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = _Answers()
    cluster = IncusCluster(client)  # type: ignore[arg-type]
    monkeypatch.setattr("sandbox.providers.incus.cluster.takes_connections", lambda _: False)
    assert cluster.lives("n2")
    client.fails = True
    assert not cluster.lives("n3")
