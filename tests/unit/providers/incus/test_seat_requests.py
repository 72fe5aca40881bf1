"""What Incus is asked for a seat and its network, and what is read from its answers."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from sandbox.errors import HostError, UsageError
from sandbox.providers.incus.baking import KEY, is_complete
from sandbox.providers.incus.host_teardown import Contents, others_in, refuse_workshops
from sandbox.providers.incus.instances import MADE_BY, SEAT
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_guard import guard_rules
from sandbox.providers.incus.seat_network import addresses_behind
from sandbox.providers.incus.seat_request import (
    WORKSHOP,
    address_of,
    addresses_on,
    card_change,
    free_addresses,
    is_seat,
    label_of,
    network_body,
    network_name,
    ports_of,
    rules_body,
    seat_body,
)
from sandbox.providers.incus.seat_uses import uses_in
from sandbox.providers.seats import SeatLabel, SeatUse, SeatWish
from tests.unit.providers.host_facts import PLACE, a_ready_server, a_thing

_WISH = SeatWish(
    name="ws-class-07-g2",
    label=SeatLabel("class", 7, 2),
    image_key="0123",
    member="here",
    cpus=1,
    memory_mb=512,
    processes=400,
    disk_gb=4,
    ports=(8787, 3838),
    authorized_key="ssh-ed25519 AAAA",
)


_CARD = card_change("net", IPv4Address("10.1.2.7"), {}, stop_ipv6=True)["devices"]


def baked(**config: str) -> dict[str, Any]:
    done = {"user.sandbox-engine.bake-complete": "2026-11-28T12:00:00+00:00", KEY: "0123"}
    return {"name": "Baked-0123-ab", "config": {MADE_BY: "sandbox bake", **done, **config}}


def made() -> dict[str, Any]:
    """The instance, as Incus lists it after the requests."""
    body = seat_body(_WISH, baked(), PLACE)
    devices = {**body["devices"], **_CARD}
    return {**body, "status": "Running", "devices": devices}


def test_a_seat_is_read_as_it_was_written() -> None:
    instance = made()
    assert is_seat(instance)
    assert label_of(instance) == SeatLabel("class", 7, 2)
    assert ports_of(instance) == (8787, 3838)
    assert address_of(instance) == "10.1.2.7"
    assert addresses_on("net", [instance, {"devices": None}]) == {"10.1.2.7"}
    assert addresses_on("other", [instance]) == frozenset()
    # A clone is no image, whatever it was copied from
    assert is_complete(baked(), "0123")
    assert not is_complete(baked(), "4567")
    assert not is_complete({**baked(), "config": {**baked()["config"], **instance["config"]}}, "")


def test_a_seat_has_no_network_before_it_has_an_address() -> None:
    devices = seat_body(_WISH, baked(), PLACE)["devices"]
    assert devices["eth0"] == {"type": "none"}


def test_a_card_has_one_address_and_sees_no_other_card() -> None:
    kept = {key: value for key, value in _CARD["eth0"].items() if key.startswith("security.")}
    assert set(kept.values()) == {"true"}
    assert len(kept) == 4
    with_iptables = card_change("net", IPv4Address("10.1.2.7"), {}, stop_ipv6=False)["devices"]
    assert with_iptables["eth0"] == {**_CARD["eth0"], "security.ipv6_filtering": "false"}


def test_labels_of_the_machine_that_was_baked_are_taken_away() -> None:
    config = seat_body(_WISH, baked(**{"user.sandbox.folder": "/home/ada"}), PLACE)["config"]
    assert config["user.sandbox.folder"] == ""


@pytest.mark.parametrize("labels", [{}, {"user.sandbox-seat.seat": "7; rm"}, {MADE_BY: SEAT}])
def test_an_instance_without_our_labels_is_no_seat(labels: dict[str, str]) -> None:
    assert label_of({"name": "x", "config": labels}) is None


def test_a_network_is_closed_from_its_first_moment() -> None:
    config = network_body("net", "class", PLACE, "10.1.2.1/24")["config"]
    assert config["security.acls"] == "net"
    for way in ("egress", "ingress"):
        assert config[f"security.acls.default.{way}.action"] == "drop"
    assert (config["dns.mode"], config["raw.dnsmasq"]) == ("none", "dhcp-ignore-names")
    assert config["ipv6.address"] == "none"


def test_the_rules_name_all_that_is_allowed() -> None:
    reach = [("192.0.2.9", 443), ("192.0.2.9", 443), ("192.0.2.10", 80)]
    rules = rules_body("class", PLACE, sources=("10.1.2.1",), may_reach=reach)
    assert [(one["destination"], one["destination_port"]) for one in rules["egress"]] == [
        ("192.0.2.10/32", "80"),
        ("192.0.2.9/32", "443"),
    ]
    assert [one["source"] for one in rules["ingress"]] == ["10.1.2.1/32"]
    every = [*rules["egress"], *rules["ingress"]]
    assert {(one["action"], one["protocol"]) for one in every} == {("allow", "tcp")}


def test_the_guard_of_other_networks_dns_replaces_an_older_one() -> None:
    rules = guard_rules("my-boxw12ab", "10.1.2.1").splitlines()
    assert rules[:2] == ["table inet sandbox_my_boxw12ab", "delete table inet sandbox_my_boxw12ab"]
    (rule,) = (line.strip() for line in rules if "drop" in line)
    assert rule.startswith('iifname "my-boxw12ab" ')
    assert rule.endswith("th dport 53 ip daddr != 10.1.2.1 drop")


def test_names_of_networks_fit_a_link() -> None:
    longest = IncusPlace.from_prefix("abcdefghij")
    names = {network_name(longest, workshop) for workshop in ("a", "b", "class" * 12)}
    assert len(names) == 3
    assert max(map(len, names)) <= 15


def test_addresses_that_are_taken_are_not_given() -> None:
    at = IPv4Interface("10.1.2.1/29")
    taken = {"10.1.2.2", "10.1.2.6"}
    found = list(free_addresses(at, taken, "ws-class-07-g2"))
    assert sorted(map(str, found)) == ["10.1.2.3", "10.1.2.4", "10.1.2.5"]
    assert list(free_addresses(at, {*taken, *map(str, found)}, "x")) == []


def test_machines_begin_their_search_at_different_places() -> None:
    at = IPv4Interface("10.1.2.1/24")
    first = {next(free_addresses(at, (), f"ws-class-{number:02d}-g1")) for number in range(30)}
    assert len(first) > 20


def test_what_may_be_reached_has_an_address() -> None:
    assert addresses_behind("192.0.2.9:443") == (("192.0.2.9", 443),)
    with pytest.raises(HostError, match=r"seats cannot reach mirror\.invalid:443"):
        addresses_behind("mirror.invalid:443")


_METRICS = """# TYPE incus_cpu_seconds_total counter
incus_cpu_seconds_total{cpu="0",mode="system",name="ws-class-07-g2",project="p",type="x"} 0.5
incus_cpu_seconds_total{cpu="0",mode="idle",name="ws-class-07-g2",project="p",type="x"} 99
incus_cpu_seconds_total{cpu="1",mode="user",name="ws-class-07-g2",project="p",type="x"} 1.25
incus_memory_MemTotal_bytes{name="ws-class-07-g2",project="p",type="x"} 2.68435456e+08
incus_memory_MemAvailable_bytes{name="ws-class-07-g2",project="p",type="x"} 1.34217728e+08
incus_procs_total{name="ws-class-07-g2",project="p",type="x"} 12
incus_procs_total{name="half-there",project="p",type="x"} 12
incus_warnings_total 3
"""


def test_the_metrics_say_what_is_used() -> None:
    assert uses_in(_METRICS) == {"ws-class-07-g2": SeatUse(1.75, 128, 12)}
    assert uses_in("") == {}


def test_teardown_waits_for_the_end_of_workshops() -> None:
    with pytest.raises(UsageError, match="workshops are still here: a, b") as caught:
        refuse_workshops(PLACE, None, Contents(workshops=("b", "a")))
    assert caught.value.hint == "sandbox workshop down a; sandbox workshop down b"
    refuse_workshops(PLACE, a_ready_server(), Contents(instances=("shiny",)))


def test_a_workshops_network_is_ours_and_holds_teardown_up() -> None:
    ready = a_ready_server()
    ours = a_thing("sandboxwab12", config={WORKSHOP: "class"})

    server = replace(ready, networks=(*ready.networks, ours))
    assert others_in(PLACE, server) == others_in(PLACE, ready)
    with pytest.raises(UsageError, match="a workshop is still here: class"):
        refuse_workshops(PLACE, server, Contents())
