"""Doctor's findings about Incus."""

from sandbox.host.kernel_limits import WANTED, WATCHERS, WATCHERS_OF_ONE
from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.incus.client import NotPermittedError
from sandbox.providers.incus.docker_firewall import docker_finding
from sandbox.providers.incus.host_facts import INCUS_GROUP, IncusHost
from sandbox.providers.incus.host_setup import IncusSituation, look_at_incus
from sandbox.providers.incus.objects import FEATURES, subnet_of, wanted_devices
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import ServerFacts, Thing
from sandbox.providers.incus.subnet import clashes

POOL_LOW_GB = 5.0
SETUP = "sandbox host setup"


def incus_report(place: IncusPlace) -> HostReport:
    """Find out whether Incus is ready here, without changing anything.

    Raises:
        HostError: this host cannot be read at all.
    """
    return report_of(place, look_at_incus(place))


def report_of(place: IncusPlace, now: IncusSituation) -> HostReport:
    """Report all findings about Incus, Docker's firewall among them."""
    findings = incus_findings(place, now)
    if place.is_local:
        findings += (docker_finding(place.network, now.host, now.docker),)
    return HostReport("incus", findings)


def incus_findings(place: IncusPlace, now: IncusSituation) -> tuple[Finding, ...]:
    """List all findings about Incus, in the order in which they must be mended."""
    findings = [_client(now.host), _daemon(now)]
    if now.server is not None:
        findings += [
            _pool(place, now.server),
            _network(place, now.server),
            _project(place, now.server),
            _profile(place, now.server),
        ]
        if place.is_local:
            findings.append(_subnet(place, now.host, now.server))
        if now.server.members:
            findings.append(_members(place, now.server))
        findings.append(_space(place, now))
    findings += [_images(now.host), _ssh(now.host)]
    if place.is_local:
        findings += [_storage(now), _cgroup(now.host), _watchers(now.host)]
    return tuple(findings)


def _client(host: IncusHost) -> Finding:
    title = "the Incus client is installed"
    if "incus" in host.commands:
        return Finding(ok=True, title=title)
    return Finding(ok=False, title=title, detail="there is no command `incus`", fix=SETUP)


def _daemon(now: IncusSituation) -> Finding:
    title = "the Incus daemon answers"
    if now.lacks_templates:
        return Finding(
            ok=False,
            warning=True,
            title="the Incus daemon finds LXC's templates",
            detail="it was started by hand without LXC_TEMPLATE_CONFIG",
            fix=f"stop it (incus admin shutdown), then: {SETUP}",
        )
    if now.server is not None:
        return Finding(ok=True, title=title, detail=f"version {now.server.version}")
    problem = now.problem
    detail = problem.details or problem.message if problem is not None else ""
    detail = detail.strip().splitlines()[-1] if detail else ""
    if not isinstance(problem, NotPermittedError):
        fix = (problem.hint if problem is not None and problem.hint else "") or SETUP
        return Finding(ok=False, title=title, detail=detail, fix=fix)
    title = "you may speak to the Incus daemon"
    if now.host.in_group and not now.host.in_group_now:
        detail = f"you are in the group {INCUS_GROUP}, but not yet in this login session"
        return Finding(ok=False, title=title, detail=detail, fix=f"newgrp {INCUS_GROUP}")
    fix = f"sudo usermod -aG {INCUS_GROUP} {now.host.user or '$USER'} && newgrp {INCUS_GROUP}"
    return Finding(ok=False, title=title, detail=detail, fix=fix)


def _members(place: IncusPlace, server: ServerFacts) -> Finding:
    title = "all members of the cluster answer"
    away = [one.name for one in server.members if not one.online]
    if away:
        return Finding(
            ok=False,
            warning=True,
            title=title,
            detail=f"{', '.join(away)} offline: nothing can be set up or taken back until then",
            fix="start the Incus daemon there",
        )
    things = (server.pool(place.pool), server.network(place.network))
    for thing in (one for one in things if one is not None and one.status == "Created"):
        lacking = [one.name for one in server.members if one.name not in thing.locations]
        if lacking and thing.locations:
            detail = f"{thing.name} is not on {', '.join(lacking)}"
            return Finding(ok=False, title=title, detail=detail, fix="incus cluster list")
    return Finding(ok=True, title=title, detail=", ".join(one.name for one in server.members))


def _object(what: str, name: str, thing: Thing | None, place: IncusPlace) -> Finding | None:
    """The finding when the object is absent, foreign or broken; None when it is ours and whole."""
    title = f"our {what} {name} is right"
    if thing is None:
        return Finding(ok=False, title=title, detail="it does not exist", fix=SETUP)
    if thing.mark != place.project and not thing.is_pending:
        detail = f"there is a {what} of that name which sandbox did not make"
        return Finding(
            ok=False, title=title, detail=detail, fix="export SANDBOX_INCUS_PREFIX=OTHERWORD"
        )
    if thing.status != "Created":
        return Finding(ok=False, title=title, detail=f"Incus says {thing.status}", fix=SETUP)
    return None


def _pool(place: IncusPlace, server: ServerFacts) -> Finding:
    pool = server.pool(place.pool)
    bad = _object("storage pool", place.pool, pool, place)
    if bad is not None or pool is None:
        return bad or Finding(ok=False, title="")
    if pool.driver == "dir":
        title = f"our storage pool {place.pool} copies fast"
        return Finding(ok=False, warning=True, title=title, detail="it is made of plain folders")
    return Finding(ok=True, title=f"our storage pool {place.pool} is right", detail=pool.driver)


def _network(place: IncusPlace, server: ServerFacts) -> Finding:
    network = server.network(place.network)
    bad = _object("network", place.network, network, place)
    if bad is not None or network is None:
        return bad or Finding(ok=False, title="")
    title = f"our network {place.network} is right"
    if network.get("ipv4.nat") != "true" or subnet_of(network) is None:
        return Finding(
            ok=False,
            title=title,
            detail="it has no IPv4 address or no NAT: sandboxes have no network",
            fix=f"incus network set {place.network} --project default ipv4.nat=true",
        )
    return Finding(ok=True, title=title, detail=network.get("ipv4.address"))


def _project(place: IncusPlace, server: ServerFacts) -> Finding:
    project = server.project(place.project)
    bad = _object("project", place.project, project, place)
    if bad is not None or project is None:
        return bad or Finding(ok=False, title="")
    title = f"our project {place.project} is right"
    wrong = [feature for feature in FEATURES if project.get(feature) != "true"]
    if wrong:
        return Finding(ok=False, title=title, detail=f"it lacks {', '.join(wrong)}", fix=SETUP)
    return Finding(ok=True, title=title)


def _profile(place: IncusPlace, server: ServerFacts) -> Finding:
    title = "the project's profile gives sandboxes a disk and a network card"
    found = {device.name: set(device.config) for device in server.devices}
    wrong = [
        device.name
        for device in wanted_devices(place)
        if not set(device.config) <= found.get(device.name, set())
    ]
    if wrong:
        return Finding(ok=False, title=title, detail=f"wrong: {', '.join(wrong)}", fix=SETUP)
    return Finding(ok=True, title=title)


def _subnet(place: IncusPlace, host: IncusHost, server: ServerFacts) -> Finding:
    title = "our subnet is used by nothing else"
    network = server.network(place.network)
    own = subnet_of(network) if network is not None else None
    if own is None:
        return Finding(ok=True, title=title, detail="no subnet yet")
    taken = clashes(own, place.network, host.routes_json, host.addresses_json)
    if taken:
        return Finding(
            ok=False,
            title=title,
            detail=f"{own} overlaps {', '.join(str(item) for item in taken)} (a VPN, maybe)",
            fix=f"incus network set {place.network} --project default ipv4.address=A.B.C.1/24",
        )
    return Finding(ok=True, title=title, detail=str(own))


def _space(place: IncusPlace, now: IncusSituation) -> Finding:
    title = "there is room for sandboxes"
    in_pool = now.server.pool_free_gb if now.server is not None else None
    on_disk = now.host.free_disk_gb if place.is_local else in_pool
    known = [amount for amount in (in_pool, on_disk) if amount is not None]
    if not known:
        return Finding(ok=True, title=title, detail="no pool yet")
    free = min(known)
    if free < POOL_LOW_GB:
        return Finding(
            ok=False,
            title=title,
            detail=f"{free:.1f} GiB free",
            fix="sandbox destroy what is not needed, and free space on the disk (df -h /var/lib)",
        )
    return Finding(ok=True, title=title, detail=f"{free:.0f} GiB free")


def _images(host: IncusHost) -> Finding:
    title = "base images can be built here"
    if "mmdebstrap" in host.commands and host.debian_keyring:
        return Finding(ok=True, title=title, detail="mmdebstrap")
    return Finding(
        ok=False,
        warning=True,
        title=title,
        detail="without mmdebstrap the provider's public images are fetched instead",
        fix="sudo apt-get install --no-install-recommends mmdebstrap debian-archive-keyring",
    )


def _ssh(host: IncusHost) -> Finding:
    title = "the ssh client is installed"
    if "ssh-keygen" in host.commands:
        return Finding(ok=True, title=title)
    return Finding(
        ok=False,
        title=title,
        detail="there is no `ssh-keygen`",
        fix="apt-get install openssh-client",
    )


def _storage(now: IncusSituation) -> Finding:
    title = "btrfs can be used (copies in no time)"
    reasons = (
        (now.host.kernel_btrfs, "the kernel has no btrfs", ""),
        (now.host.loop_devices, "there are no loop devices (is this a container?)", ""),
        (
            "btrfs" in now.host.commands,
            "btrfs-progs is not installed",
            "sudo apt-get install btrfs-progs",
        ),
        (
            now.server is None or "btrfs" in now.server.drivers,
            "the Incus daemon does not offer it (btrfs-progs came after it started)",
            "sudo systemctl restart incus",
        ),
    )
    for good, detail, fix in reasons:
        if not good:
            return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
    return Finding(ok=True, title=title)


def _cgroup(host: IncusHost) -> Finding:
    title = "limits of cpus and memory can be set"
    if host.cgroup == "v2":
        return Finding(ok=True, title=title, detail="cgroup v2")
    detail = f"cgroup {host.cgroup}: works, but new distributions expect v2"
    return Finding(ok=False, warning=True, title=title, detail=detail)


def _watchers(host: IncusHost) -> Finding:
    title = "the kernel has room for many containers"
    if not host.kernel.low:
        return Finding(ok=True, title=title)
    watchers = host.kernel.value(WATCHERS)
    detail = ", ".join(f"{key} is {value}" for key, value in host.kernel.low)
    if watchers is not None and watchers < WANTED[WATCHERS]:
        detail += f": enough for about {watchers // WATCHERS_OF_ONE} Shiny sandboxes at once"
    # In a container, only the owner of the host can do that
    fix = SETUP if host.kernel.changeable else f"on the host: sudo sysctl {_as_words(host)}"
    return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)


def _as_words(host: IncusHost) -> str:
    return " ".join(f"{key}={WANTED[key]}" for key, _ in host.kernel.low)
