"""One sandbox's machine, and what is done with it from here: the way in, its pages, its checks.

Light to import: a listing needs none of what provisions or checks a machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import ConnectionLostError, UsageError
from sandbox.events import Listener, Notice, step
from sandbox.guest import login, pages
from sandbox.guest.pages import READY_TIMEOUT_S, Page
from sandbox.providers.abilities import RootExec, Settling
from sandbox.providers.engine import Engine, MachineStatus, Power
from sandbox.ssh import SshTarget, disconnect, has_whole_key, make_key
from sandbox.state import Instance

if TYPE_CHECKING:
    from sandbox.checks.results import CheckReport, Goal
    from sandbox.facts.facts import Facts
    from sandbox.placement import Placement
    from sandbox.plan import Plan
    from sandbox.probe.untaken import HashKey
    from sandbox.provision import ProvisionResult
    from sandbox.record import Record
    from sandbox.secret_values import SecretValues
    from sandbox.trust import HostCode

_SILENT_S = 120.0
"""How long a machine that answered before may take to answer again."""


def status_of(engine: Engine, name: str) -> MachineStatus:
    """One machine's status; absent when the engine does not list it."""
    return engine.status([name]).get(name) or MachineStatus(name=name, power=Power.ABSENT)


class Guest:
    """The machine of a placement. Who changes it or its record holds the instance's lock."""

    def __init__(
        self, placement: "Placement", instance: Instance, engine: Engine, listener: Listener
    ) -> None:
        self.placement = placement
        self.instance = instance
        self.engine = engine
        self.listener = listener

    @property
    def name(self) -> str:
        """Of the sandbox."""
        return self.placement.name

    @property
    def plan(self) -> "Plan":
        """What the machine is to be."""
        return self.placement.plan

    @property
    def folder(self) -> Path:
        """The instance's, on this host."""
        return self.instance.folder

    def read(self) -> "Record | None":
        """What was written down of it; None before anything was."""
        return self.instance.read()

    def write(self, record: "Record") -> None:
        """Save its record; what that wants is wanted from now on."""
        self.placement = record.placement
        self.instance.write(record)

    def tell(self, text: str) -> None:
        """Say something of it that is no step."""
        self.listener(Notice(self.name, text))

    # Its power

    def status(self) -> MachineStatus:
        """As its provider sees it now."""
        return status_of(self.engine, self.name)

    def require_running(self) -> MachineStatus:
        """The status of a machine that runs; says how to go on when it does not.

        Raises:
            UsageError: it is stopped, gone, or broken.
        """
        status = self.status()
        if status.power is Power.RUNNING:
            return status
        gone = status.power is Power.ABSENT
        detail = "its machine is gone" if gone else f"it is {status.power}"
        raise UsageError(
            f"the sandbox {self.name} does not run: {detail}",
            details=status.detail,
            hint=f"sandbox up {self.name}",
        )

    def is_awake(self, status: MachineStatus) -> bool:
        """Whether it runs, lets us in, and goes on running."""
        if status.power is not Power.RUNNING or self.sshd_is_dead(status):
            return False
        # The provider may still be at what a killed command began, such as a stop
        return not (isinstance(self.engine, Settling) and self.engine.is_busy(self.name))

    def start(self) -> None:
        """Start it, or let it go on; of one that runs, bring back sshd where that can be done."""
        with step(self.listener, self.name, "start"):
            self.engine.start(self.name, self.listener)

    # The way in

    def has_whole_key(self) -> bool:
        """Whether our login key is here, and whole."""
        return has_whole_key(self.folder)

    def make_key(self) -> str:
        """Our login key's public half; made when there is none."""
        return make_key(self.folder)

    def sshd_is_dead(self, status: MachineStatus) -> bool:
        """Whether it refuses ssh on a way that this host has."""
        return login.sshd_is_dead(status)

    def lacks_sshd(self) -> bool:
        """Whether the program itself is gone, where the provider can tell."""
        if not isinstance(self.engine, RootExec):
            return False
        words = ("test", "-x", "/usr/sbin/sshd")
        done = self.engine.exec_as_root(self.name, words, timeout_s=30, check=False)
        return done.returncode != 0

    def login(self) -> SshTarget:
        """Write its ssh_config: address and host key as the provider has them now."""
        return login.connect(self.instance, self.engine)

    def reach(self, status: MachineStatus) -> SshTarget:
        """The way in, once a login works.

        Raises:
            ProviderError: none does.
        """
        target = self.login()
        with step(self.listener, self.name, "ssh"):
            login.wait_for_ssh(target, timeout_s=status.patient(login.SSH_TIMEOUT_S))
        return target

    def require_login(self) -> SshTarget:
        """The way into a machine that runs.

        Raises:
            UsageError: it does not run.
        """
        self.require_running()
        return self.login()

    def restore_login(self) -> None:
        """Let our key in again, where a running machine refuses it or the key is damaged.

        Raises:
            ProviderError: the machine's account cannot be prepared.
        """
        from sandbox.guest.login_key import restore_login

        restore_login(self)

    def end_session(self, target: SshTarget) -> None:
        """End the shared connection: environment and limits are those of when it began."""
        disconnect(target)

    def hang_up(self) -> None:
        """End the shared connection, if there may be one: its other end is about to vanish."""
        login.hang_up(self.instance)

    # Its pages

    def direct_pages(self, status: MachineStatus) -> tuple[Page, ...]:
        """Its pages that this host's people can open without us."""
        return pages.proven_by_page(pages.direct_pages(self.plan.endpoints, status))

    def reached_pages(
        self, status: MachineStatus, target: SshTarget
    ) -> AbstractContextManager[tuple[Page, ...]]:
        """All its endpoints, for as long as the block runs; through ssh where nothing else is."""
        return pages.reached_pages(self.plan.endpoints, status, target)

    def page_status(self, page: Page, *, timeout_s: float) -> str:
        """Empty when the page answers 200, else what came instead, in a few words."""
        return pages.page_status(page.url, timeout_s=timeout_s)

    @contextmanager
    def knocking(self, status: MachineStatus) -> Iterator[None]:
        """Ask for its pages on the side, so that R starts; what they answer is not kept."""
        timeout_s = status.patient(READY_TIMEOUT_S)
        with pages.knocking(self.direct_pages(status), timeout_s=timeout_s):
            yield

    def wait_for_pages(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> None:
        """Return once each is there; where one does not come, the machine is asked why.

        Raises:
            ProvisionError: one does not come.
        """
        from sandbox.guest.app_trouble import AskTheMachine

        why = AskTheMachine(self.placement, target)
        timeout_s = status.patient(READY_TIMEOUT_S)
        pages.wait_for_pages(found, name=self.name, timeout_s=timeout_s, why=why)

    def first_page(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> tuple[Page, ...]:
        """Wait for those that have to answer a request, as a step of its own; and say which.

        Raises:
            ProvisionError: one does not come.
        """
        wanted = pages.proven_by_page(found)
        if wanted:
            with step(self.listener, self.name, "first page"):
                self.wait_for_pages(wanted, status, target)
        return wanted

    def no_page_before_mending(self, status: MachineStatus, target: SshTarget) -> str:
        """Why no page can come before the playbooks have run; empty when it may."""
        from sandbox.guest.health import found_broken

        return found_broken(self.plan, status, target)

    # Made what the plan says

    def bootstrap(self, secrets: "SecretValues") -> tuple[SshTarget, MachineStatus]:
        """Bring it to where Ansible can work, by the first way in that there is.

        Raises:
            BoxError, ProvisionError: as `sandbox.provision.bootstrap`.
        """
        from sandbox.provision import bootstrap, root_over_ssh

        placement, folder, listener = self.placement, self.folder, self.listener
        # A public image may have no sshd yet
        first = isinstance(self.engine, RootExec)
        if isinstance(self.engine, RootExec):
            root = login.root_inside(self.engine, self.name)
            bootstrap(placement, root, folder, listener, secrets=secrets)
        status = self.status()
        target = self.reach(status)
        if not first:
            bootstrap(placement, root_over_ssh(target), folder, listener, secrets=secrets)
        return target, status

    def provision(
        self, target: SshTarget, secrets: "SecretValues", *, mend: bool
    ) -> "ProvisionResult":
        """Run the playbook; where the machine falls silent on the way, once more.

        Raises:
            ProvisionError: a task failed.
        """
        try:
            return self.play(target, secrets, mend=mend)
        except ConnectionLostError as error:
            # A laptop that slept, a host that stood still: what is done already takes no time again
            self.tell(f"{error.message}: reaching it again")
            self.end_session(target)
            self.wait_for_answer(_SILENT_S)
            return self.play(target, secrets, mend=mend)

    def play(self, target: SshTarget, secrets: "SecretValues", *, mend: bool) -> "ProvisionResult":
        """Run the playbook once.

        Raises:
            ProvisionError: a task failed.
            ConnectionLostError: the machine fell silent.
        """
        from sandbox.provision import provision

        return provision(
            self.placement, target, self.folder, self.listener, secrets=secrets, mend=mend
        )

    def wait_for_answer(self, timeout_s: float) -> None:
        """Reach a machine that has fallen silent.

        Raises:
            ProviderError: no login works within `timeout_s`.
        """
        target, status = self.login(), self.status()
        login.wait_for_ssh(target, timeout_s=status.patient(timeout_s))

    # Looked at

    def probe(self, key: "HashKey") -> "Facts":
        """What it is; with hashes of `key` for what is not taken.

        Raises:
            UsageError: it does not run.
            NoSshError: it does not let us in.
        """
        from sandbox.guest.checking import probe_guest

        status = self.require_running()
        return probe_guest(self, self.login(), status, key)

    def check(
        self,
        own: "tuple[HostCode, ...]",
        goals: "Sequence[Goal]" = (),
        *,
        quick: bool = False,
        production: "Facts | None" = None,
    ) -> "CheckReport":
        """Probe, check, and keep both results.

        Args:
            own: the box's own checks that somebody has agreed to.
            goals: only these; all when empty.
            quick: end no process on it.
            production: read again, and not the box's own.
        """
        from sandbox.guest.checking import check_all

        return check_all(self, own, goals, quick=quick, production=production)

    def check_clone(self) -> "CheckReport":
        """Wait for the pages of a clone, and check what it could lack."""
        from sandbox.guest.checking import check_clone

        return check_clone(self)

    def check_some(self, ids: Sequence[str], target: SshTarget, url: str) -> "CheckReport":
        """Only these checks of the live machine; they end no process there, and are not kept."""
        from sandbox.checks.quick import run_live

        return run_live(self.placement, ids, target, url)
