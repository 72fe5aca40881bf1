"""`host teardown`: takes back what `host setup` made, and nothing else. Can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sandbox.errors import CommandError, HostError, UsageError
from sandbox.events import Listener, Notice, ignore, step
from sandbox.host.actions import Removal
from sandbox.host.apt import remove_packages, remove_source
from sandbox.host.journal import ChangeKind, Journal, host_dir, setup_lock
from sandbox.host.kernel_limits import lower_limits
from sandbox.host.privilege import RootAccess, acquire_root, passwordless_root
from sandbox.host.processes import BY_SYSTEMD, BY_US
from sandbox.host.setup import Keep, SetupOutcome
from sandbox.providers.incus import daemon
from sandbox.providers.incus.baking import is_baked
from sandbox.providers.incus.client import api_path
from sandbox.providers.incus.docker_firewall import pass_rules
from sandbox.providers.incus.host_facts import INCUS_GROUP, gather_incus_host
from sandbox.providers.incus.host_setup import IncusSituation, journal_of, look_at_incus
from sandbox.providers.incus.instances import config_of
from sandbox.providers.incus.other_users import require_unused
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_request import WORKSHOP, is_replica, is_seat
from sandbox.providers.incus.server import HostClient, ServerFacts, Thing
from sandbox.run import run

_DELETE_TIMEOUT_S = 300.0
_GONE = ("not a member", "does not exist", "does a matching rule exist", "No chain/target/match")
_OBJECTS = (ChangeKind.POOL, ChangeKind.NETWORK, ChangeKind.PROJECT, ChangeKind.PROFILE)


@dataclass(frozen=True)
class Contents:
    """The content of our project."""

    instances: tuple[str, ...] = ()
    """The sandboxes."""
    workshops: tuple[str, ...] = ()
    """Those that have machines for their seats."""
    baked: tuple[str, ...] = ()
    """Images kept to make sandboxes from: they can be made again."""
    images: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    """Each volume's pool and name."""
    profiles: tuple[str, ...] = ()


def plan_teardown(
    place: IncusPlace, server: ServerFacts | None, journal: Journal, keep: Keep
) -> list[Removal]:
    """Plan the removal of all that is ours and still there, in order."""
    removals = _plan_objects(place, server)
    if removals and server is not None:
        server.require_members("take this back")
    if not place.is_local:
        # Another server's packages and its daemon are not ours to remove
        return removals
    installed = journal.names(ChangeKind.PACKAGES)
    # Installing the package starts the daemon: the daemon is ours then, also when setup was cut off
    ours = journal.has(ChangeKind.DAEMON) or (server is not None and "incus-base" in installed)
    shared = server is not None and bool(others_in(place, server))
    if ours and not shared and not keep.daemon:
        removals.append(Removal(ChangeKind.DAEMON, "stop the Incus daemon"))
    for bridge in journal.names(ChangeKind.FIREWALL):
        title = f"take the rules for {bridge} out of Docker's firewall"
        removals.append(Removal(ChangeKind.FIREWALL, title, (bridge,)))
    if limits := journal.names(ChangeKind.LIMITS):
        title = f"set the kernel's limits back to what they were, and remove {limits[0]}"
        removals.append(Removal(ChangeKind.LIMITS, title, limits))
    for user in journal.names(ChangeKind.GROUP):
        title = f"take {user} out of the group {INCUS_GROUP}"
        removals.append(Removal(ChangeKind.GROUP, title, (user,)))
    if installed and not keep.packages and not shared:
        title = f"remove the {len(installed)} packages that setup installed"
        removals.append(Removal(ChangeKind.PACKAGES, title, installed))
    for path in journal.names(ChangeKind.SOURCE):
        removals.append(Removal(ChangeKind.SOURCE, f"remove {path}", (path,)))
    return removals


def _plan_objects(place: IncusPlace, server: ServerFacts | None) -> list[Removal]:
    if server is None:
        return []
    candidates = (
        (ChangeKind.PROJECT, server.project(place.project), "the project {} and all that is in it"),
        (
            ChangeKind.NETWORK,
            server.network(place.network),
            "the network {}: bridge, DHCP, firewall",
        ),
        (ChangeKind.POOL, server.pool(place.pool), "the storage pool {} and its file"),
    )
    return [
        Removal(kind, f"remove {text.format(thing.name)}", (thing.name,))
        for kind, thing, text in candidates
        if thing is not None and (thing.mark == place.project or thing.is_pending)
    ]


def host_teardown(
    place: IncusPlace,
    *,
    confirm: Callable[[list[str]], bool],
    sure: bool,
    listener: Listener = ignore,
    keep: Keep | None = None,
) -> SetupOutcome:
    """Take back what setup made, after `confirm` was shown exactly what that is.

    Args:
        place: the project, pool and network to remove.
        confirm: shown one line for each thing; False stops before anything is changed.
        sure: the user said `--yes`: only then are sandboxes that still exist destroyed.
        listener: gets every step.
        keep: what to leave in place.

    Raises:
        UsageError: a workshop is open; or sandboxes still exist, and the user is not `sure`.
        HostError: something cannot be taken back.
        ProviderError: Incus refused something.
    """
    kept = keep or Keep()
    with setup_lock():
        root = passwordless_root()
        journal = journal_of(place)
        now = look_at_incus(place, root)
        if now.server is None and not place.is_local:
            raise now.problem or HostError(f"the Incus server {place.remote} does not answer")
        to_ask = _OBJECTS if kept.packages else (*_OBJECTS, ChangeKind.PACKAGES)
        if now.server is None and any(journal.has(kind) for kind in to_ask):
            root = root or acquire_root()
            now = _wake(place, now, root, listener)
        others = others_in(place, now.server) if now.server is not None else ()
        if others:
            text = f"Incus and its packages stay, for not all in it is ours: {', '.join(others)}"
            listener(Notice("host", text))
        if now.server is not None:
            require_unused(place, now.server)
        removals = plan_teardown(place, now.server, journal, kept)
        if not removals:
            _forget_what_is_gone(journal)
            return SetupOutcome.UNCHANGED
        has_project = any(item.kind is ChangeKind.PROJECT for item in removals)
        contents = contents_of(place, root) if has_project else Contents()
        refuse_workshops(place, now.server, contents)
        if contents.instances and not sure:
            raise UsageError(
                "there are still sandboxes here",
                details="\n".join(contents.instances),
                hint="`sandbox destroy` them, or say `sandbox host teardown --yes`",
            )
        lines = [line for item in removals for line in item.lines]
        if not confirm([*_describe(contents), *lines]):
            return SetupOutcome.DECLINED
        work = _IncusTeardown(place, root or acquire_root(), journal, listener)
        for removal in removals:
            work.take_back(removal, contents)
        _forget_what_is_gone(journal)
        if not journal.entries():
            for log in (work.setup_log, work.log, host_dir() / "incusd.log"):
                log.unlink(missing_ok=True)
        return SetupOutcome.CHANGED


def refuse_workshops(place: IncusPlace, server: ServerFacts | None, contents: Contents) -> None:
    """Stop while seats are there, even for `--yes`: only `down` brings people's work away first."""
    networks = server.networks if server is not None else ()
    ours = (one.get(WORKSHOP) for one in networks if one.mark == place.project)
    if names := sorted({*contents.workshops, *filter(None, ours)}):
        raise UsageError(
            f"{'workshops are' if len(names) > 1 else 'a workshop is'} still here: "
            + ", ".join(names),
            details="the work in its seats would be lost",
            hint="; ".join(f"sandbox workshop down {name}" for name in names),
        )


def _forget_what_is_gone(journal: Journal) -> None:
    """Drop the entries of objects that were never made, or that somebody else removed."""
    for kind in _OBJECTS:
        journal.forget(kind)


def _wake(
    place: IncusPlace, now: IncusSituation, root: RootAccess, listener: Listener
) -> IncusSituation:
    """Start the daemon if it does not run: our objects in it cannot be removed otherwise."""
    if now.host.incusd is None:
        # Its packages are gone, and /var/lib/incus with them when they were purged
        return now
    with step(listener, "host", "start the Incus daemon, to remove what is in it"):
        client = HostClient(place, root)
        daemon.start(now.host, root, lambda: _silently_ask(client))
    return look_at_incus(place, root)


def _silently_ask(client: HostClient) -> None:
    client.run("info", timeout_s=20)


def contents_of(place: IncusPlace, root: RootAccess | None) -> Contents:
    """Read the content of our project.

    Raises:
        HostError, ProviderError: Incus could not be asked.
    """
    client = HostClient(place, root)
    pools = _last_parts(client.query("GET", "/1.0/storage-pools"))
    instances = client.query("GET", "/1.0/instances", parameters={"recursion": "1"}) or ()
    return Contents(
        instances=tuple(
            str(one["name"]) for one in instances if not is_baked(one) and not _is_of_class(one)
        ),
        workshops=tuple(
            sorted({str(config_of(one).get(WORKSHOP)) for one in instances if _is_of_class(one)})
        ),
        baked=tuple(str(one["name"]) for one in instances if is_baked(one)),
        images=_last_parts(client.query("GET", "/1.0/images")),
        volumes=tuple(
            (pool, str(volume["name"]))
            for pool in pools
            for volume in _volumes(client, pool)
            if volume["type"] == "custom"
        ),
        profiles=tuple(
            name for name in _last_parts(client.query("GET", "/1.0/profiles")) if name != "default"
        ),
    )


def _is_of_class(instance: dict[str, Any]) -> bool:
    """Whether it belongs to a workshop."""
    return is_seat(instance) or is_replica(instance)


def _volumes(client: HostClient, pool: str) -> list[dict[str, Any]]:
    path = api_path("storage-pools", pool, "volumes")
    found: list[dict[str, Any]] = client.query("GET", path, parameters={"recursion": "1"}) or []
    return found


def _last_parts(urls: list[str] | None) -> tuple[str, ...]:
    # Where there are none, Incus answers null
    return tuple(unquote(url.split("?", 1)[0].rsplit("/", 1)[-1]) for url in urls or ())


def _describe(contents: Contents) -> list[str]:
    lines = [f"destroy the sandbox {name}" for name in contents.instances]
    if contents.baked:
        lines.append(f"remove the baked images ({len(contents.baked)})")
    if contents.images:
        lines.append(f"remove the project's images ({len(contents.images)})")
    lines += [f"remove the storage volume {name}" for _, name in contents.volumes]
    return lines


def others_in(place: IncusPlace, server: ServerFacts) -> tuple[str, ...]:
    """List things in this daemon that belong to somebody else: a reason to leave it running."""
    things: list[tuple[str, tuple[Thing, ...]]] = [
        ("storage pool", server.pools),
        ("network", server.networks),
        ("project", server.projects),
    ]
    ours = (place.pool, place.network, place.project)
    found = [
        f"{what} {thing.name}"
        for what, listed in things
        for thing in listed
        if not (thing.mark == place.project and (thing.name in ours or thing.get(WORKSHOP)))
        and thing.name != "default"
    ]
    default = server.project("default")
    # Networks and its own default profile are always listed there
    kinds = ("/1.0/instances/", "/1.0/images/", "/1.0/storage-pools/")
    if default is not None and any(path.startswith(kinds) for path in default.used_by):
        found.append("instances, images or volumes in the default project")
    return tuple(found)


@dataclass(frozen=True)
class _IncusTeardown:
    """Takes back one thing after the other."""

    place: IncusPlace
    root: RootAccess
    journal: Journal
    listener: Listener

    @property
    def log(self) -> Path:
        return host_dir() / f"{self.place.project}-teardown.log"

    @property
    def setup_log(self) -> Path:
        return host_dir() / f"{self.place.project}-setup.log"

    def take_back(self, removal: Removal, contents: Contents) -> None:
        with step(self.listener, "host", removal.title) as note:
            match removal.kind:
                case ChangeKind.PROJECT:
                    self._remove_project(contents)
                case ChangeKind.NETWORK:
                    self._delete_shared("network", self.place.network)
                case ChangeKind.POOL:
                    self._delete_copies_of_images()
                    self._delete_shared("storage", self.place.pool)
                case ChangeKind.DAEMON:
                    self._stop_daemon()
                case ChangeKind.FIREWALL:
                    for command in pass_rules(removal.names[0], verb="-D"):
                        self._run_as_root(*command.argv)
                case ChangeKind.LIMITS:
                    lower_limits(removal.names, self.root)
                case ChangeKind.GROUP:
                    self._run_as_root("gpasswd", "--delete", removal.names[0], INCUS_GROUP)
                case ChangeKind.PACKAGES:
                    note.text = self._remove_packages(removal.names)
                case ChangeKind.SOURCE:
                    remove_source(removal.names[0], self.root)
                case _:
                    raise HostError(f"cannot take back {removal.kind}")
            if not note.text:
                self.journal.forget(removal.kind)

    def _ref(self, name: str) -> str:
        return HostClient(self.place, self.root).ref(name)

    def _incus(self, *words: str) -> None:
        HostClient(self.place, self.root).run(*words, timeout_s=_DELETE_TIMEOUT_S)

    def _delete_shared(self, what: str, name: str) -> None:
        """Delete a thing that belongs to no project; our project may be gone by then."""
        client = HostClient(replace(self.place, project="default"), self.root)
        client.run(what, "delete", client.ref(name), timeout_s=_DELETE_TIMEOUT_S)

    def _delete_copies_of_images(self) -> None:
        """Delete unpacked copies of images that another project has too: they keep the pool."""
        client = HostClient(replace(self.place, project="default"), self.root)
        for volume in _volumes(client, self.place.pool):
            if volume["type"] == "image":
                words = ("storage", "volume", "delete", client.ref(self.place.pool))
                client.run(*words, f"image/{volume['name']}", timeout_s=_DELETE_TIMEOUT_S)

    def _remove_project(self, contents: Contents) -> None:
        for name in (*contents.instances, *contents.baked):
            self._incus("delete", "--force", self._ref(name))
        for name in contents.images:
            self._incus("image", "delete", self._ref(name))
        for pool, name in contents.volumes:
            self._incus("storage", "volume", "delete", self._ref(pool), name)
        for name in contents.profiles:
            self._incus("profile", "delete", self._ref(name))
        self._delete_shared("project", self.place.project)
        self.journal.forget(ChangeKind.PROFILE)

    def _stop_daemon(self) -> None:
        host = gather_incus_host()
        if host.incusd is not None:
            daemon.stop(BY_SYSTEMD if host.systemd else BY_US, self.root)

    def _remove_packages(self, names: tuple[str, ...]) -> str:
        others = remove_packages(names, self.root, self.listener, self.log)
        if not others:
            return ""
        text = f"they stay, for others need them by now: {', '.join(others)}"
        self.listener(Notice("host", text))
        return text

    def _run_as_root(self, *words: str) -> None:
        try:
            run(self.root.argv(*words), timeout_s=30)
        except CommandError as error:
            # Somebody else, or a reboot, may have removed it already
            if not any(words in error.stderr for words in _GONE):
                raise HostError(error.message, details=error.details) from error
