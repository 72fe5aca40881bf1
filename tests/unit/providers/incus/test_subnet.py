"""Our subnet collides with nothing, wherever that is."""

import json
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import HostError
from sandbox.providers.incus.subnet import choose_subnet, clashes, gateway, networks_in_use

ROUTES = json.dumps(
    [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
        {"dst": "0.0.0.0/1", "dev": "tun0"},
        {"dst": "10.8.0.0/16", "dev": "tun0"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
        {"dst": "203.0.113.7", "dev": "eth0"},
        {"type": "local", "dst": "10.61.7.1", "dev": "devbr0"},
        {"dst": "10.80.1.0/24", "dev": "sandboxbr0"},
        {},
    ]
)
ADDRESSES = json.dumps(
    [
        {
            "ifname": "docker0",
            "addr_info": [
                {"family": "inet", "local": "172.17.0.1", "prefixlen": 16},
                {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
            ],
        },
        {"ifname": "wg0", "addr_info": [{"family": "inet", "local": "10.9.0.2"}]},
    ]
)


def test_what_is_in_use() -> None:
    used = {str(network) for network in networks_in_use(ROUTES, ADDRESSES)}
    assert used == {
        "10.8.0.0/16",
        "10.61.7.1/32",
        "10.80.1.0/24",
        "10.9.0.2/32",
        "172.17.0.0/16",
        "192.0.2.0/24",
        "203.0.113.7/32",
    }


def test_the_choice_is_stable_and_differs_between_prefixes() -> None:
    assert choose_subnet("sandbox", ()) == choose_subnet("sandbox", ())
    assert choose_subnet("sandbox", ()) != choose_subnet("another", ())


def test_a_taken_choice_is_passed_over() -> None:
    first = choose_subnet("sandbox", ())
    assert not choose_subnet("sandbox", (first,)).overlaps(first)
    elsewhere = choose_subnet("sandbox", (IPv4Network("10.0.0.0/8"),))
    assert elsewhere.overlaps(IPv4Network("172.16.0.0/12"))


def test_no_subnet_left() -> None:
    everything = tuple(
        IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    )
    with pytest.raises(HostError) as caught:
        choose_subnet("sandbox", everything)
    assert "--subnet" in caught.value.hint


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(
            lambda pair: IPv4Network(pair, strict=False)
        ),
        max_size=12,
    )
)
def test_the_choice_never_overlaps(used: list[IPv4Network]) -> None:
    try:
        chosen = choose_subnet("sandbox", used)
    except HostError:
        # Only when the private ranges really are full
        assert sum(network.num_addresses for network in used) >= 2**22
        return
    assert not any(chosen.overlaps(network) for network in used)
    assert chosen.is_private


def test_gateway_is_the_first_address() -> None:
    assert gateway(IPv4Network("10.80.1.0/24")) == "10.80.1.1/24"


def test_our_own_bridge_is_no_clash_and_a_vpn_is() -> None:
    own = IPv4Network("10.80.1.0/24")
    assert clashes(own, "sandboxbr0", ROUTES, ADDRESSES) == ()
    vpn = json.dumps([{"dst": "10.80.0.0/12", "dev": "tun0"}])
    assert clashes(own, "sandboxbr0", vpn, "[]") == (IPv4Network("10.80.0.0/12"),)
