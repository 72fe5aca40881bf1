"""The servers behind an Incus: one alone, or a cluster with a member that is down."""

from typing import Any

import pytest

from sandbox.providers.incus import server
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.cluster import IncusCluster
from sandbox.providers.incus.explaining import LateCommandError, NoLeaderError
from sandbox.providers.incus.members import KnownMembers, incus_members
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.provider import PROVIDER
from sandbox.providers.incus.seat_uses import SeatUses
from sandbox.providers.members import HasMembers, Member

GB = 1024**3


class SomeServers(IncusClient):
    """An Incus that answers these few questions."""

    def __init__(self, place: IncusPlace, *, clustered: bool) -> None:
        super().__init__(place)
        self.clustered = clustered

    def _urls(self) -> dict[str, str]:
        return {}

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        del method, args
        target = (more.get("parameters") or {}).get("target")
        answers: dict[str, Any] = {
            "/1.0": {
                "environment": {
                    "architectures": ["x86_64"],
                    "server_name": "n1",
                    "server_clustered": self.clustered,
                }
            },
            "/1.0/cluster/members": [
                {"server_name": "n2", "status": "Offline", "url": "https://192.0.2.2:8443"},
                {"server_name": "n1", "status": "Online", "url": "https://192.0.2.1:8443"},
            ],
            "/1.0/resources": {"cpu": {"total": 4}, "memory": {"total": 8 * GB, "used": 7 * GB}},
            "/1.0/storage-pools/sandbox/resources": {"space": {"total": 30 * GB, "used": 10 * GB}},
            "/1.0/networks/sandboxbr0": {"config": {"ipv4.address": "10.1.2.1/24"}},
            "/1.0/networks/sandboxbr0/leases": [
                {"hwaddr": "a", "address": "10.1.2.1", "type": "gateway", "location": "n1"},
                {"hwaddr": "b", "address": "10.1.2.9", "type": "dynamic", "location": "n1"},
                {"hwaddr": "c", "address": "10.1.2.9", "type": "dynamic", "location": "n2"},
                {"hwaddr": "d", "address": "fd42::9", "type": "dynamic", "location": "n1"},
            ],
        }
        assert target in (None, "n1")
        return answers[path]


def members(place: IncusPlace, *, clustered: bool) -> tuple[Member, ...]:
    return incus_members(SomeServers(place, clustered=clustered))


def test_the_provider_has_members() -> None:
    assert isinstance(PROVIDER, HasMembers)


def test_this_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.incus.members.free_memory_mb", lambda: 5000)
    (one,) = members(IncusPlace.from_prefix("sandbox"), clustered=False)
    assert (one.name, one.cpus, one.memory_mb, one.disk_mb) == ("n1", 4, 5000, 20 * 1024)
    assert one.addresses == 253 - 1
    assert one.limits["kernel.pid_max"] > 0


def test_a_cluster_with_a_member_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.incus.cluster.takes_connections", lambda _: True)
    up, down = members(IncusPlace.from_prefix("sandbox", "lab"), clustered=True)
    assert (up.name, up.memory_mb, up.addresses) == ("n1", 8 * 1024, 253)
    assert up.limits == {}
    assert (down.name, down.online) == ("n2", False)


class NewLeader(SomeServers):
    """Its leader was chosen a moment ago, and has heard of nobody yet: for it all are offline."""

    def __init__(self, cut_off: str) -> None:
        super().__init__(IncusPlace.from_prefix("sandbox", "lab1"), clustered=True)
        self.cut_off = cut_off

    def _urls(self) -> dict[str, str]:
        return {f"lab{k}": f"https://192.0.2.{k}:8443" for k in (1, 2, 3)}

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        if path != "/1.0/cluster/members":
            return super().query(method, path, *args, **more)
        if self.place.remote == self.cut_off:
            raise NoLeaderError("the cluster has no leader at this moment")
        found = [
            {"server_name": f"n{k}", "status": "Offline", "url": url}
            for k, url in enumerate(self._urls().values(), start=1)
        ]
        return [*found[:2], {**found[2], "status": "Evacuated"}]


def test_who_a_new_leader_has_not_heard_of_yet_is_asked_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive = {"https://192.0.2.1:8443", "https://192.0.2.2:8443", "https://192.0.2.3:8443"}
    name = "sandbox.providers.incus.cluster.takes_connections"
    monkeypatch.setattr(name, lambda url: url in alive)
    monkeypatch.setattr("sandbox.providers.incus.cluster._ALIVE_S", 0.0)
    cluster = IncusCluster(NewLeader(cut_off="lab4"))
    assert [one.online for one in cluster.members()] == [True, True, False], "one is evacuated"
    alive.remove("https://192.0.2.2:8443")
    assert [one.online for one in cluster.members()] == [True, False, False]


@pytest.mark.usefixtures("reached")
def test_a_member_without_the_others_is_not_well_though_it_takes_connections() -> None:
    cluster = IncusCluster(NewLeader(cut_off="lab2"))
    assert [one.online for one in cluster.members()] == [True, False, False]


class CountingServers(SomeServers):
    """Says what it was asked, and does not answer the first few questions about its members."""

    def __init__(self, late: int = 0) -> None:
        super().__init__(IncusPlace.from_prefix("sandbox", "lab1"), clustered=True)
        self.asked: list[str] = []
        self.late = late

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        self.asked.append(path)
        if path == "/1.0/cluster/members" and self.late:
            self.late -= 1
            raise LateCommandError("`incus query` did not end within 6 s")
        if path == "/1.0/instances":
            return []
        return super().query(method, path, *args, **more)

    def text(self, path: str, **more: Any) -> str:
        del path
        self.asked.append(f"metrics of {(more.get('parameters') or {}).get('target')}")
        return ""


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.incus.cluster.takes_connections", lambda _url: True)


@pytest.mark.usefixtures("reached")
def test_the_members_are_asked_again_when_the_cluster_has_lost_its_leader() -> None:
    found = server.cluster_members(CountingServers(late=1))
    assert [one.name for one in found] == ["n1", "n2"]


@pytest.mark.usefixtures("reached")
def test_what_a_member_has_is_not_asked_each_time() -> None:
    client, known = CountingServers(), KnownMembers()
    cluster = IncusCluster(client)
    first = incus_members(client, cluster, known)
    client.asked.clear()
    assert incus_members(client, cluster, known) == first
    assert client.asked == ["/1.0/cluster/members"]


@pytest.mark.usefixtures("reached")
def test_each_member_that_is_online_is_asked_for_its_metrics() -> None:
    client = CountingServers()
    SeatUses(client, IncusCluster(client)).now("class")
    assert [one for one in client.asked if one.startswith("metrics")] == ["metrics of n1"]
    # With a member away, the states of all machines may take a minute
    assert "/1.0/instances" not in client.asked
