"""`host setup`: make sandboxes run on this host, from any state, in repeatable steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sandbox.errors import CommandError, HostError, SandboxError
from sandbox.events import Listener, Notice, ignore, step
from sandbox.host.actions import Action, HostCommand
from sandbox.host.apt import AptFacts, add_source, ask_apt, install_packages, repair_dpkg
from sandbox.host.journal import ChangeKind, Journal, host_dir, setup_lock
from sandbox.host.kernel_limits import plan_limits, raise_limits
from sandbox.host.privilege import RootAccess, acquire_root, passwordless_root
from sandbox.host.setup import SetupOutcome, SetupWishes
from sandbox.providers.incus import daemon
from sandbox.providers.incus.client import NotPermittedError, explain_command
from sandbox.providers.incus.docker_firewall import DockerRules, docker_rules, plan_firewall
from sandbox.providers.incus.host_facts import (
    INCUS_DIR,
    INCUS_GROUP,
    MEANING,
    IncusHost,
    gather_incus_host,
)
from sandbox.providers.incus.objects import create_pool, plan_objects
from sandbox.providers.incus.packages import install_words, plan_packages
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import HostClient, ServerFacts, ask_server
from sandbox.run import run


@dataclass(frozen=True)
class IncusSituation:
    """This host and its daemon, as they are now."""

    host: IncusHost
    server: ServerFacts | None
    problem: SandboxError | None = None
    """Why the daemon could not be asked."""
    docker: DockerRules | None = None
    """Docker's firewall rules, where Docker is here and they can be read."""
    lacks_templates: bool = False
    """Whether the daemon was started by hand without the path of LXC's templates."""
    pool_seen: bool = False
    """Whether a pool of our name has a folder here, even if the daemon cannot be asked."""


def journal_of(place: IncusPlace) -> Journal:
    """Return the journal; what is made on another server is not mixed with what is on this host."""
    return Journal(place.project if place.is_local else f"{place.project}@{place.remote}")


def look_at_incus(place: IncusPlace, root: RootAccess | None = None) -> IncusSituation:
    """Gather all facts for the decisions.

    Raises:
        HostError: this host cannot be read.
    """
    host = gather_incus_host()
    docker = docker_rules(host, root) if place.is_local else None
    try:
        server = ask_server(place, root)
    except SandboxError as error:
        return IncusSituation(host, None, error, docker, pool_seen=_has_folder(place))
    lacking = place.is_local and not host.systemd and daemon.lacks_templates(server.server_pid)
    return IncusSituation(host, server, None, docker, lacking)


def _has_folder(place: IncusPlace) -> bool:
    """Whether Incus keeps a pool of our name here; everybody can see its folder."""
    try:
        return place.is_local and (INCUS_DIR / "storage-pools" / place.pool).is_dir()
    except OSError:
        return False


def plan_setup(
    place: IncusPlace,
    now: IncusSituation,
    choices: SetupWishes,
    apt: Callable[[], AptFacts],
    *,
    half_installed: tuple[str, ...] = (),
) -> list[Action]:
    """Plan everything that must be changed, in order; empty when the host is ready.

    Raises:
        HostError: something is in the way that we must not change.
    """
    if not place.is_local:
        if now.server is None:
            raise now.problem or HostError(f"the Incus server {place.remote} does not answer")
        return plan_objects(place, now.host, now.server, choices)
    actions = plan_packages(now.host, apt, half_installed)
    if now.server is None and not _refused(now):
        actions.append(daemon.plan_daemon(now.host))
    if now.host.user is not None and not now.host.in_group:
        actions.append(_join_group(now.host.user))
    actions += _objects(place, now, choices)
    actions += plan_firewall(place.network, now.docker)
    return [*actions, *plan_limits(place.project, now.host.kernel)]


def _objects(place: IncusPlace, now: IncusSituation, choices: SetupWishes) -> list[Action]:
    """The objects to make in Incus; a guess where Incus is here and cannot be asked yet."""
    actions = plan_objects(place, now.host, now.server, choices, pool_seen=now.pool_seen)
    if now.server is not None or "incus" not in now.host.commands:
        return actions
    # Asked again, as root, before anything is made
    return [replace(one, title=f"{one.title}, unless it is there already") for one in actions]


def _refused(now: IncusSituation) -> bool:
    """Whether the daemon is there, but does not accept this user."""
    return isinstance(now.problem, NotPermittedError)


def _join_group(user: str) -> Action:
    title = f"let {user} use Incus: {MEANING}"
    return Action(
        ChangeKind.GROUP, title, (HostCommand(("usermod", "-aG", INCUS_GROUP, user)),), (user,)
    )


def host_setup(
    place: IncusPlace,
    *,
    confirm: Callable[[list[str]], bool],
    listener: Listener = ignore,
    choices: SetupWishes | None = None,
) -> SetupOutcome:
    """Make this host ready for Incus, after `confirm` was shown exactly what will be done.

    Every step is written down before and after, so that a run that was cut off can be repeated.

    Raises:
        HostError: the host cannot be made ready; says why and what to do.
        ProviderError: Incus refused something.
    """
    wanted = choices or SetupWishes()
    with setup_lock():
        root = passwordless_root()
        now = look_at_incus(place, root)
        journal = journal_of(place)

        def plan() -> list[Action]:
            half = (
                journal.names(ChangeKind.PACKAGES)
                if journal.unfinished(ChangeKind.PACKAGES)
                else ()
            )
            apt = partial(ask_apt, now.host.distribution.codename)
            return plan_setup(place, now, wanted, apt, half_installed=half)

        actions = plan()
        if not actions:
            # Cut off between the last change and its entry
            journal.settle()
            return SetupOutcome.UNCHANGED
        is_root = now.host.is_root
        if not confirm([line for action in actions for line in action.lines(is_root=is_root)]):
            return SetupOutcome.DECLINED
        work = _IncusSetup(place, root or _root_for(now, actions), journal, listener)
        before = [action for action in actions if action.kind in _BEFORE_OBJECTS]
        for action in before:
            work.perform(action, now.host)
        now = look_at_incus(place, work.root) if before else now
        for action in plan():
            work.perform(action, now.host)
        now = look_at_incus(place, work.root)
        if left := plan():
            raise HostError(
                "the host is still not ready",
                details="\n".join(action.title for action in left),
                hint="sandbox doctor",
            )
        journal.settle()
        return SetupOutcome.CHANGED


_BEFORE_OBJECTS = (
    ChangeKind.REPAIR,
    ChangeKind.SOURCE,
    ChangeKind.PACKAGES,
    ChangeKind.DAEMON,
    ChangeKind.GROUP,
)


def _root_for(now: IncusSituation, actions: list[Action]) -> RootAccess:
    """Root only when needed: a member of Incus's group can make the objects without root."""
    if now.server is not None and all(
        not command.needs_root for action in actions for command in action.commands
    ):
        return RootAccess()
    return acquire_root()


@dataclass(frozen=True)
class _IncusSetup:
    """Performs one action after the other."""

    place: IncusPlace
    root: RootAccess
    journal: Journal
    listener: Listener

    @property
    def log(self) -> Path:
        return host_dir() / f"{self.place.project}-setup.log"

    def perform(self, action: Action, host: IncusHost) -> None:
        with step(self.listener, "host", action.title):
            match action.kind:
                case ChangeKind.REPAIR:
                    repair_dpkg(self.root, self.listener, self.log)
                case ChangeKind.SOURCE:
                    add_source(action, self.root, self.journal)
                case ChangeKind.PACKAGES:
                    words = install_words(action.names, host)
                    install_packages(words, self.root, self.journal, self.listener, self.log)
                case ChangeKind.DAEMON:
                    self._start_daemon(action)
                case ChangeKind.POOL:
                    self._make_pool(action)
                case ChangeKind.LIMITS:
                    raise_limits(action, self.root, self.journal)
                case _:
                    self._run_commands(action)

    def _start_daemon(self, action: Action) -> None:
        self.journal.intend(ChangeKind.DAEMON, action.names)
        client = HostClient(self.place, self.root)

        def answers() -> None:
            client.run("info", timeout_s=20)

        # Asked again: incusd may have been installed since the plan was made
        daemon.start(gather_incus_host(), self.root, answers)
        self.journal.done(ChangeKind.DAEMON)

    def _make_pool(self, action: Action) -> None:
        self.journal.intend(action.kind, action.names)
        try:
            self._run(action)
        except SandboxError as error:
            if "btrfs" not in action.commands[-1].argv:
                raise
            why = (error.details or error.message).strip().splitlines()[-1]
            self.listener(Notice("host", f"no btrfs pool here, plain folders instead: {why}"))
            self._drop_half_made_pool()
            server = ask_server(self.place, self.root)
            self._run(Action(action.kind, "", create_pool(self.place, "dir", None, server)))
        self.journal.done(action.kind)

    def _drop_half_made_pool(self) -> None:
        server = ask_server(self.place, self.root)
        if server.pool(self.place.pool) is not None:
            client = HostClient(replace(self.place, project="default"), self.root)
            client.run("storage", "delete", client.ref(self.place.pool))

    def _run_commands(self, action: Action) -> None:
        self.journal.intend(action.kind, action.names)
        self._run(action)
        self.journal.done(action.kind)

    def _run(self, action: Action) -> None:
        for command in action.commands:
            try:
                run(self.root.argv(*command.argv), timeout_s=command.timeout_s, log=self.log)
            except CommandError as error:
                if command.argv[0] == "incus":
                    raise explain_command(error) from error
                raise HostError(error.message, details=error.details) from error
