"""What Incus is asked for the copy of a whole seat, and what is made of its answers."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from sandbox.errors import ProviderError, UsageError
from sandbox.events import ignore
from sandbox.providers.incus import host_teardown, seat_replicas
from sandbox.providers.incus.client import IncusClient, NotFoundError
from sandbox.providers.incus.cluster import IncusCluster
from sandbox.providers.incus.host_teardown import contents_of, refuse_workshops
from sandbox.providers.incus.instances import MADE_BY, REPLICA
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_replicas import IncusReplicas
from sandbox.providers.incus.seat_request import (
    is_replica,
    is_seat,
    label_of,
    replica_body,
    replica_label_of,
    seat_body,
)
from sandbox.providers.incus.seat_servers import SeatServers
from sandbox.providers.incus.server import ServerMember
from sandbox.providers.replicas import ReplicaWish, SeatReplica, replica_in, replica_name
from sandbox.providers.seats import MemberLostError, SeatLabel, label_in
from sandbox.workshop.seat_map import instance_name
from tests.unit.providers.host_facts import PLACE
from tests.unit.providers.incus.test_seat_requests import _WISH as SEAT_WISH
from tests.unit.providers.incus.test_seat_requests import baked

LAB = IncusPlace.from_prefix("sandbox", "lab1")
WISH = ReplicaWish(
    name="wr-class-07-3",
    label=SeatLabel("class", 7, 2),
    machine="ws-class-07-g2",
    member="n2",
    before="",
    image_key="0123",
    disk_gb=4,
)


def _url(member: str) -> str:
    return f"https://10.88.0.{member[1:]}:8443"


@dataclass
class StandInIncus:
    """Answers as Incus 6.0.4 does; a copy ends when it was asked for the third time."""

    place: IncusPlace = LAB
    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    driver: str = "btrfs"
    posts: list[dict[str, Any]] = field(default_factory=list)
    ends_as: str = "Success"
    asked: int = 0
    on_ask: Callable[[], object] = lambda: None

    def ref(self, name: str) -> str:
        return f"lab1:{name}"

    def straight_to(self, url: str) -> AbstractContextManager[None]:
        """The user has a remote for the first member alone."""
        return nullcontext()

    def query(
        self, method: str, path: str, data: Mapping[str, Any] | None = None, **words: Any
    ) -> Any:
        if method == "POST" and data is not None:
            self.posts.append({**data, **words.get("parameters", {})})
            if not data["source"].get("refresh"):
                self.there[data["name"]] = {**data, "status": "Stopped", "location": "n2"}
            return {"id": "op1", "class": "task"}
        if path == "/1.0/operations/op1":
            self.asked += 1
            self.on_ask()
            return {"status": self.ends_as if self.asked > 2 else "Running", "err": "no space"}
        if path.startswith("/1.0/storage-pools/"):
            return {"driver": self.driver}
        if path == "/1.0/instances":
            return list(self.there.values())
        if path == "/1.0/cluster/members":
            return [{"server_name": n, "url": _url(n), "status": "Online"} for n in ("n1", "n2")]
        if (name := path.rpartition("/")[2]) not in self.there:
            raise NotFoundError(f"no {name}")
        return self.there[name]


@dataclass
class Lab:
    """A cluster of three that Incus tells of, and what is removed there."""

    incus: StandInIncus
    replicas: IncusReplicas
    cut: set[str]
    removed: list[str]
    busy: set[str]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    incus = StandInIncus()
    client = cast("IncusClient", incus)
    servers = SeatServers(client)
    cut: set[str] = set()
    members = tuple(ServerMember(n, _url(n), online=True) for n in ("n1", "n2"))
    monkeypatch.setattr(IncusCluster, "is_one", True)
    monkeypatch.setattr(IncusCluster, "members", lambda _: members)
    monkeypatch.setattr(IncusCluster, "lives", lambda _, name: name not in cut)
    monkeypatch.setattr(seat_replicas, "_LOOK_S", 0.0)
    image = {**baked(), "architecture": "x86_64", "location": "n2", "status": "Stopped"}
    incus.there["Baked-0123-ab"] = image
    incus.there[WISH.machine] = {"name": WISH.machine, "location": "n1", "status": "Running"}
    removed: list[str] = []
    busy: set[str] = set()
    kept = IncusReplicas(
        client, servers, lambda _: {"n2": "Baked-0123-ab"}, removed.append, busy.__contains__
    )
    return Lab(incus, kept, cut, removed, busy)


def test_a_replica_is_no_seat_and_no_seat_a_replica() -> None:
    body = replica_body(WISH, baked(), PLACE)
    assert is_replica(body)
    assert not is_seat(body)
    assert label_of({**body, "status": "Stopped"}) is None
    assert replica_label_of(body) == ("class", 7)
    assert not is_replica(seat_body(SEAT_WISH, baked(), PLACE))
    # It never runs, and has no address that somebody else could want
    assert body["config"]["boot.autostart"] == "false"
    assert body["devices"]["eth0"] == {"type": "none"}


def test_of_one_on_a_member_that_is_away_its_name_says_whose_it_is() -> None:
    away = {"name": WISH.name, "status": "Error", "config": {}}
    assert replica_label_of(away) == ("class", 7)
    assert label_of(away) is None
    name = instance_name("class", 7, 2)
    assert label_in(replica_name("class", 7, 2)) is None
    assert replica_in(name) is None
    assert len(replica_name("class", 999, 9999)) <= len(instance_name("class", 999, 9999))


def test_a_seat_is_cloned_from_its_replica() -> None:
    wish = type(SEAT_WISH)(**{**vars(SEAT_WISH), "replica": WISH.name})
    body = seat_body(wish, baked(), PLACE)
    assert body["source"]["source"] == WISH.name
    # All that makes it a replica is written over
    theirs = replica_body(WISH, baked(), PLACE)["config"]
    assert theirs.keys() <= body["config"].keys()
    assert body["config"][MADE_BY] != REPLICA


def test_teardown_refuses_while_only_replicas_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {"/1.0/instances": [replica_body(WISH, baked(), PLACE)]}

    class StandInClient:
        def __init__(self, *_: object) -> None: ...

        def query(self, _method: str, path: str, **_: object) -> list[Any]:
            return left.get(path, [])

    monkeypatch.setattr(host_teardown, "HostClient", StandInClient)
    contents = contents_of(PLACE, None)
    assert (contents.instances, contents.workshops) == ((), ("class",))
    with pytest.raises(UsageError, match="a workshop is still here: class"):
        refuse_workshops(PLACE, None, contents)


def test_the_first_copy_begins_as_the_members_image_and_the_next_as_the_one_before(
    lab: Lab,
) -> None:
    lab.replicas.copy(WISH, ignore)
    clone, copy = lab.incus.posts
    assert (clone["target"], clone["source"]["source"]) == ("n2", "Baked-0123-ab")
    assert "refresh" not in clone["source"]
    source = {"type": "copy", "source": WISH.machine, "instance_only": True, "refresh": True}
    assert (copy["name"], copy["target"], copy["source"]) == (WISH.name, "n2", source)
    after = type(WISH)(**{**vars(WISH), "name": "wr-class-07-4", "before": WISH.name})
    lab.replicas.copy(after, ignore)
    assert lab.incus.posts[2]["source"]["source"] == WISH.name
    found = lab.replicas.replicas("class")
    assert found == tuple(
        SeatReplica(name, "class", 7, "n2") for name in (WISH.name, "wr-class-07-4")
    )
    assert lab.replicas.replicas("other") == ()


@pytest.mark.parametrize("member", ["n1", "n2"])
def test_a_copy_is_not_waited_for_when_one_of_the_two_is_cut_off(lab: Lab, member: str) -> None:
    lab.incus.on_ask = lambda: lab.cut.add(member)
    with pytest.raises(MemberLostError, match=f"member {member} of the cluster does not answer$"):
        lab.replicas.copy(WISH, ignore)
    assert lab.incus.asked == 1


def test_a_copy_that_fails_says_incus_words(lab: Lab) -> None:
    lab.incus.ends_as = "Failure"
    with pytest.raises(ProviderError, match="was not copied to n2") as failed:
        lab.replicas.copy(WISH, ignore)
    assert failed.value.details == "no space"


def test_what_incus_is_still_at_work_at_is_removed_later(lab: Lab) -> None:
    lab.replicas.copy(WISH, ignore)
    lab.busy.add(WISH.name)
    lab.replicas.remove(WISH.name)
    assert lab.removed == []
    lab.busy.clear()
    lab.replicas.remove(WISH.name)
    lab.replicas.remove("wr-class-07-1")
    assert lab.removed == [WISH.name]
    with pytest.raises(ProviderError, match="is no replica of a seat"):
        lab.replicas.remove("Baked-0123-ab")


def test_where_they_make_no_sense_it_says_why(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lab.replicas.obstacle() == ""
    lab.incus.driver = "dir"
    assert "the storage pool sandbox is of the kind dir" in lab.replicas.obstacle()
    monkeypatch.setattr(IncusCluster, "is_one", False)
    assert "there is one server, and a copy beside the seat is lost" in lab.replicas.obstacle()
