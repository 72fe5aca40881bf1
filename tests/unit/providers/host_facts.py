"""Facts of hosts that the tests imagine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.host.system import parse_os_release
from sandbox.providers.incus.host_facts import IncusHost
from sandbox.providers.incus.objects import FEATURES, wanted_devices
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import MARK, ServerFacts, Thing

PLACE = IncusPlace.from_prefix("sandbox")
DEBIAN_12 = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'
DEBIAN_13 = 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n'
FEDORA = 'ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42"\n'

ALL_COMMANDS = frozenset(
    ("apt-get", "btrfs", "dnsmasq", "incus", "mmdebstrap", "nft", "ssh-keygen", "zstd")
)


def a_host(release: str = DEBIAN_13, **changes: Any) -> IncusHost:
    """A root user's machine that has everything, except for `changes`."""
    complete = IncusHost(
        distribution=parse_os_release(release),
        is_root=True,
        user=None,
        in_group=False,
        in_group_now=False,
        systemd=True,
        commands=ALL_COMMANDS,
        incusd=Path("/usr/libexec/incus/incusd"),
        debian_keyring=True,
        kernel_btrfs=True,
        loop_devices=True,
        cgroup="v2",
        cpus=4,
        memory_mb=8000,
        free_disk_gb=60.0,
    )
    return replace(complete, **changes)


def a_bare_host(release: str = DEBIAN_13, **changes: Any) -> IncusHost:
    """A machine straight from the installer."""
    return a_host(
        release,
        **{"commands": frozenset({"apt-get"}), "incusd": None, "debian_keyring": True, **changes},
    )


def a_thing(name: str, mark: str | None = "sandbox", **changes: Any) -> Thing:
    """An Incus object, ours unless `mark` says otherwise."""
    config = dict(changes.pop("config", {}))
    if mark is not None:
        config[MARK] = mark
    return Thing(name=name, config=tuple(sorted(config.items())), **changes)


DEFAULT_PROJECT = Thing("default", (), used_by=("/1.0/profiles/default",))


def an_empty_server(**changes: Any) -> ServerFacts:
    """A daemon straight after its installation."""
    fresh = ServerFacts(
        version="6.0.4",
        drivers=frozenset({"dir", "btrfs"}),
        server_pid=1,
        pools=(),
        networks=(),
        projects=(DEFAULT_PROJECT,),
        devices=(),
    )
    return replace(fresh, **changes)


def a_ready_server(**changes: Any) -> ServerFacts:
    """A daemon that has all of ours."""
    network = {"ipv4.address": "10.80.1.1/24", "ipv4.nat": "true"}
    return an_empty_server(
        **{
            "pools": (a_thing("sandbox", driver="btrfs"),),
            "networks": (a_thing("sandboxbr0", config=network),),
            "projects": (
                DEFAULT_PROJECT,
                a_thing("sandbox", config=dict.fromkeys(FEATURES, "true")),
            ),
            "devices": wanted_devices(PLACE),
            "pool_free_gb": 30.0,
            **changes,
        }
    )
