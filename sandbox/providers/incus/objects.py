"""Our project, profile, network and pool in Incus: which are right, and which to make. Pure."""

from ipaddress import IPv4Interface, IPv4Network

from sandbox.errors import HostError
from sandbox.host.actions import Action, HostCommand
from sandbox.host.journal import ChangeKind
from sandbox.host.setup import SetupWishes
from sandbox.providers.incus.host_facts import IncusHost
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import MARK, Device, ServerFacts, Thing
from sandbox.providers.incus.subnet import choose_subnet, gateway, networks_in_use

FEATURES = ("features.images", "features.profiles", "features.storage.volumes")
POOL_MIN_GB = 5
POOL_MAX_GB = 200
_CLUSTER_S = 180.0
"""Seconds for what all members make at once."""


def plan_objects(
    place: IncusPlace,
    host: IncusHost,
    server: ServerFacts | None,
    choices: SetupWishes,
    *,
    pool_seen: bool = False,
) -> list[Action]:
    """Plan the objects to make; empty when all are right. Without a daemon yet: all of them.

    Without a daemon that answers, things seen on this host are not planned either: the pool's
    folder (`pool_seen`), and the network's link.

    Raises:
        HostError: something of our name is there that we did not make, or there is no room.
    """
    refuse_foreign(place, host, server)
    actions = (
        None if pool_seen and server is None else _pool(place, host, server, choices),
        None if _link_is_seen(place, host, server) else _network(place, host, server, choices),
        _project(place, server),
        _profile(place, server),
    )
    return [action for action in actions if action is not None]


def refuse_foreign(place: IncusPlace, host: IncusHost, server: ServerFacts | None) -> None:
    """Stop when somebody else has a name of ours.

    Raises:
        HostError: somebody else has it; the error says what, and how to go on.
    """
    if server is None:
        return
    for what, thing, remove in (
        ("storage pool", server.pool(place.pool), "storage"),
        ("network", server.network(place.network), "network"),
        ("project", server.project(place.project), "project"),
    ):
        if thing is not None and thing.mark != place.project and not thing.is_pending:
            raise HostError(
                f"Incus has a {what} named {thing.name} that sandbox did not make",
                details=f"it lacks the mark {MARK}={place.project}",
                hint="choose other names with SANDBOX_INCUS_PREFIX=WORD, or remove it:"
                f" incus {remove} delete {ref(place, thing.name)}",
            )
    if place.is_local and server.network(place.network) is None and _has_link(place, host):
        raise HostError(
            f"this host has a network link named {place.network} that is not Incus's",
            hint="choose other names with SANDBOX_INCUS_PREFIX=WORD, or remove it:"
            f" ip link delete {place.network}",
        )


def _link_is_seen(place: IncusPlace, host: IncusHost, server: ServerFacts | None) -> bool:
    return server is None and place.is_local and _has_link(place, host)


def _has_link(place: IncusPlace, host: IncusHost) -> bool:
    return f'"ifname":"{place.network}"' in host.addresses_json.replace(" ", "")


def ref(place: IncusPlace, name: str) -> str:
    """Write a name as `incus` takes it; the remote is named only where it is not this machine."""
    return name if place.is_local else f"{place.remote}:{name}"


def pool_size_gb(free_disk_gb: float, wanted_gb: int | None) -> int:
    """Choose how large the loop file of a btrfs pool may grow: half the free space, in limits.

    The file is sparse: it takes only the space that the sandboxes really use.

    Raises:
        HostError: too little is free.
    """
    size = wanted_gb if wanted_gb is not None else min(POOL_MAX_GB, int(free_disk_gb / 2))
    if size < POOL_MIN_GB or size > free_disk_gb:
        raise HostError(
            "not enough disk space for the storage pool",
            details=f"{free_disk_gb:.1f} GiB are free where Incus keeps its pools,"
            f" and a pool of {max(size, POOL_MIN_GB)} GiB is wanted",
            hint=f"free some space (df -h /var/lib), or name a size: sandbox host setup"
            f" --pool-gb N (at least {POOL_MIN_GB})",
        )
    return size


def pool_driver(host: IncusHost, server: ServerFacts | None) -> str:
    """Choose `btrfs` where it works (a sandbox is copied in 0.1 s instead of 30), else `dir`."""
    possible = host.kernel_btrfs and host.loop_devices
    if server is not None and "btrfs" not in server.drivers:
        possible = False
    return "btrfs" if possible else "dir"


def _driver_at(place: IncusPlace, host: IncusHost, server: ServerFacts | None) -> str:
    """The driver; what this host's kernel can says nothing of other servers."""
    if server is None or (place.is_local and not server.members):
        return pool_driver(host, server)
    return "btrfs" if "btrfs" in server.drivers else "dir"


def incus_command(*words: str, project: str = "default", timeout_s: float = 120.0) -> HostCommand:
    """Make an `incus` command."""
    argv = ("incus", "--project", project, *words)
    return HostCommand(argv, needs_root=False, timeout_s=timeout_s)


def create_pool(
    place: IncusPlace, driver: str, size_gb: int | None, server: ServerFacts | None = None
) -> tuple[HostCommand, ...]:
    """Make the commands that create the pool: on each member of a cluster, then as a whole."""
    size = (f"size={size_gb}GiB",) if size_gb is not None else ()
    words = ("storage", "create", ref(place, place.pool), driver)
    mark = f"{MARK}={place.project}"
    members = server.members if server is not None else ()
    if not members:
        return (incus_command(*words, *size, mark),)
    parts = (incus_command(*words, *size, "--target", one.name) for one in members)
    return (*parts, incus_command(*words, mark, timeout_s=_CLUSTER_S))


def _pool(
    place: IncusPlace, host: IncusHost, server: ServerFacts | None, choices: SetupWishes
) -> Action | None:
    there = server.pool(place.pool) if server is not None else None
    if there is not None and there.status == "Created":
        return None
    if server is not None:
        server.require_members(f"make the storage pool {place.pool}")
    driver = _driver_at(place, host, server)
    size = _pool_gb(place, host, server, choices) if driver == "btrfs" else None
    where = " on each member" if server is not None and server.members else ""
    if driver != "btrfs":
        title = (
            f"make the storage pool {place.pool}{where}: plain folders (no btrfs on loop devices"
            f" {'there' if where else 'here'})"
        )
    elif size is None:
        title = f"make the storage pool {place.pool}{where}: btrfs in a file"
    else:
        title = (
            f"make the storage pool {place.pool}{where}: btrfs in a file that may grow to"
            f" {size} GiB"
        )
        if place.is_local:
            title += f" ({host.free_disk_gb:.0f} GiB are free)"
    create = create_pool(place, driver, size, server)
    drop = (
        (incus_command("storage", "delete", ref(place, place.pool)),) if there is not None else ()
    )
    return Action(ChangeKind.POOL, title, (*drop, *create), (place.pool,))


def _pool_gb(
    place: IncusPlace, host: IncusHost, server: ServerFacts | None, choices: SetupWishes
) -> int | None:
    """The size of the file; None: Incus chooses it by the free space of each member."""
    if place.is_local and (server is None or not server.members):
        return pool_size_gb(host.free_disk_gb, choices.pool_gb)
    return choices.pool_gb


def _network(
    place: IncusPlace, host: IncusHost, server: ServerFacts | None, choices: SetupWishes
) -> Action | None:
    there = server.network(place.network) if server is not None else None
    if there is not None and there.status == "Created":
        return None
    if server is not None:
        server.require_members(f"make the network {place.network}")
    subnet = _subnet(place, used_networks(host, server), choices.subnet)
    words = ("network", "create", ref(place, place.network), "--type=bridge")
    members = server.members if server is not None else ()
    parts = (incus_command(*words, "--target", one.name) for one in members)
    create = incus_command(
        *words,
        f"ipv4.address={gateway(subnet)}",
        "ipv4.nat=true",
        "ipv6.address=none",
        f"{MARK}={place.project}",
        timeout_s=_CLUSTER_S,
    )
    drop = (
        (incus_command("network", "delete", ref(place, place.network)),)
        if there is not None
        else ()
    )
    where = " on each member" if members else ""
    title = f"make the network {place.network}{where}: a bridge with NAT, {subnet}"
    return Action(ChangeKind.NETWORK, title, (*drop, *parts, create), (place.network,))


def _subnet(
    place: IncusPlace, used: tuple[IPv4Network, ...], wanted: IPv4Network | None
) -> IPv4Network:
    if wanted is None:
        return choose_subnet(place.project, used)
    taken = [str(network) for network in used if network.overlaps(wanted)]
    if taken:
        raise HostError(
            f"the subnet {wanted} overlaps what this host uses already",
            details=", ".join(taken),
            hint="leave --subnet away, and a free one is found",
        )
    return wanted


def used_networks(host: IncusHost, server: ServerFacts | None) -> tuple[IPv4Network, ...]:
    """List networks that our subnet must not overlap: this host's, and Incus's own, up or not."""
    used = list(networks_in_use(host.routes_json, host.addresses_json))
    used += server.member_networks if server is not None else ()
    for network in server.networks if server is not None else ():
        own = subnet_of(network)
        if own is not None:
            used.append(own)
    return tuple(used)


def subnet_of(network: Thing) -> IPv4Network | None:
    """Return the IPv4 subnet of an Incus network, when it has one."""
    address = network.get("ipv4.address")
    return IPv4Interface(address).network if "/" in address else None


def _project(place: IncusPlace, server: ServerFacts | None) -> Action | None:
    there = server.project(place.project) if server is not None else None
    wanted = tuple(f"{feature}=true" for feature in FEATURES)
    name = ref(place, place.project)
    if there is None:
        settings = tuple(
            word for item in (*wanted, f"{MARK}={place.project}") for word in ("-c", item)
        )
        create = incus_command("project", "create", name, *settings)
        return Action(ChangeKind.PROJECT, f"make the project {place.project}", (create,), (name,))
    wrong = [feature for feature in FEATURES if there.get(feature) != "true"]
    if not wrong:
        return None
    change = incus_command("project", "set", name, *(f"{feature}=true" for feature in wrong))
    return Action(ChangeKind.PROJECT, f"mend the project {place.project}", (change,), (name,))


def wanted_devices(place: IncusPlace) -> tuple[Device, ...]:
    """List the devices that the default profile of our project gives every sandbox."""
    return (
        Device("eth0", (("network", place.network), ("type", "nic"))),
        Device("root", (("path", "/"), ("pool", place.pool), ("type", "disk"))),
    )


def _profile(place: IncusPlace, server: ServerFacts | None) -> Action | None:
    there = {device.name: device for device in server.devices} if server is not None else {}
    commands: list[HostCommand] = []
    project = place.project
    default = ref(place, "default")
    for device in wanted_devices(place):
        found = there.get(device.name)
        if found is not None and set(device.config) <= set(found.config):
            continue
        if found is not None:
            commands.append(
                incus_command("profile", "device", "remove", default, device.name, project=project)
            )
        settings = dict(device.config)
        kind = settings.pop("type")
        pairs = tuple(f"{key}={value}" for key, value in sorted(settings.items()))
        add = incus_command(
            "profile", "device", "add", default, device.name, kind, *pairs, project=project
        )
        commands.append(add)
    if not commands:
        return None
    title = f"give the project's own default profile its disk and network card ({place.project})"
    return Action(ChangeKind.PROFILE, title, tuple(commands), ("default",))
