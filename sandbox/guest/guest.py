"""One sandbox's machine, and what we do with it: log in, wait for its pages, check it.

Quick to import: a listing needs none of the code that provisions or checks a machine.
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
    from sandbox.guest.files_inside import HadBefore
    from sandbox.guest.unsynced import UnsyncedApt
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
    """Return one machine's status; absent when the engine does not list the machine."""
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
        """The name of the sandbox."""
        return self.placement.name

    @property
    def plan(self) -> "Plan":
        """The plan of the machine."""
        return self.placement.plan

    @property
    def folder(self) -> Path:
        """The instance's folder on this host."""
        return self.instance.folder

    def read(self) -> "Record | None":
        """Read the saved record of the machine; None before the first one."""
        return self.instance.read()

    def write(self, record: "Record") -> None:
        """Save the record; its placement is the wanted one from now on."""
        self.placement = record.placement
        self.instance.write(record)

    def tell(self, text: str) -> None:
        """Report something about the machine that is not a step."""
        self.listener(Notice(self.name, text))

    # Power

    def status(self) -> MachineStatus:
        """Return the machine's status, as its provider sees it now."""
        return status_of(self.engine, self.name)

    def require_running(self) -> MachineStatus:
        """Return the status of a running machine, or raise an error that says how to go on.

        Raises:
            UsageError: the machine is stopped, gone, or broken.
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
        """Tell whether the machine runs, accepts our login, and stays running."""
        if status.power is not Power.RUNNING or self.sshd_is_dead(status):
            return False
        # The provider may still be finishing work of a killed command, such as a stop
        return not (isinstance(self.engine, Settling) and self.engine.is_busy(self.name))

    def start(self) -> None:
        """Start or resume the machine; if it runs already, bring back its sshd where possible."""
        with step(self.listener, self.name, "start"):
            self.engine.start(self.name, self.listener)

    # Login

    def has_whole_key(self) -> bool:
        """Tell whether our login key is here, with both halves."""
        return has_whole_key(self.folder)

    def make_key(self) -> str:
        """Return our login key's public half; makes the key when there is none."""
        return make_key(self.folder)

    def sshd_is_dead(self, status: MachineStatus) -> bool:
        """Tell whether the machine refuses ssh, although this host has a route to it."""
        return login.sshd_is_dead(status)

    def lacks_sshd(self) -> bool:
        """Tell whether the machine's sshd program is gone, where the provider can tell."""
        if not isinstance(self.engine, RootExec):
            return False
        words = ("test", "-x", "/usr/sbin/sshd")
        done = self.engine.exec_as_root(self.name, words, timeout_s=30, check=False)
        return done.returncode != 0

    def login(self) -> SshTarget:
        """Write the machine's ssh_config: address and host key as the provider has them now."""
        return login.connect(self.instance, self.engine)

    def reach(self, status: MachineStatus) -> SshTarget:
        """Wait until a login works, and return the target for ssh.

        Raises:
            ProviderError: no login works.
        """
        target = self.login()
        with step(self.listener, self.name, "ssh"):
            login.wait_for_ssh(target, timeout_s=status.patient(login.SSH_TIMEOUT_S))
        return target

    def require_login(self) -> SshTarget:
        """Require a running machine, and return the target for ssh.

        Raises:
            UsageError: the machine does not run.
        """
        self.require_running()
        return self.login()

    def restore_login(self) -> None:
        """Add our key again, where a running machine refuses it or the key is damaged.

        Raises:
            ProviderError: the machine's account cannot be prepared.
        """
        from sandbox.guest.login_key import restore_login

        restore_login(self)

    def end_session(self, target: SshTarget) -> None:
        """End the shared connection: its environment and limits are those of its beginning."""
        disconnect(target)

    def hang_up(self) -> None:
        """End the shared connection, if any: its other end is about to go away."""
        login.hang_up(self.instance)

    # Pages

    def direct_pages(self, status: MachineStatus) -> tuple[Page, ...]:
        """Return the machine's pages that people on this host can open without our help."""
        return pages.proven_by_page(pages.direct_pages(self.plan.endpoints, status))

    def reached_pages(
        self, status: MachineStatus, target: SshTarget
    ) -> AbstractContextManager[tuple[Page, ...]]:
        """Open ways to all endpoints while the block runs; through ssh where there is no other."""
        return pages.reached_pages(self.plan.endpoints, status, target)

    def page_status(self, page: Page, *, timeout_s: float) -> str:
        """Empty when the page answers 200, else the wrong answer in a few words."""
        return pages.page_status(page.url, timeout_s=timeout_s)

    @contextmanager
    def knocking(self, status: MachineStatus) -> Iterator[None]:
        """Ask for the pages in the background, so that R starts; the answers are not kept."""
        timeout_s = status.patient(READY_TIMEOUT_S)
        with pages.knocking(self.direct_pages(status), timeout_s=timeout_s):
            yield

    def wait_for_pages(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> None:
        """Return once each page answers; if one does not, ask the machine why.

        Raises:
            ProvisionError: a page does not answer.
        """
        from sandbox.guest.app_trouble import AskTheMachine

        why = AskTheMachine(self.placement, target)
        timeout_s = status.patient(READY_TIMEOUT_S)
        pages.wait_for_pages(found, name=self.name, timeout_s=timeout_s, why=why)

    def first_page(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> tuple[Page, ...]:
        """Wait for pages that have to answer a request, as a step of its own; report which.

        Raises:
            ProvisionError: a page does not answer.
        """
        wanted = pages.proven_by_page(found)
        if wanted:
            with step(self.listener, self.name, "first page"):
                self.wait_for_pages(wanted, status, target)
        return wanted

    def first_session(self) -> None:
        """Prove that people can sign in and get a session of R, where they are to.

        Raises:
            ProvisionError: they cannot; with the reason.
        """
        from sandbox.guest.rstudio import prove_session
        from sandbox.servers.rstudio import SERVER

        if SERVER.is_in(self.plan.services):
            prove_session(self)

    def no_page_before_mending(self, status: MachineStatus, target: SshTarget) -> str:
        """Say why no page can come before the playbooks have run; empty when one may."""
        from sandbox.guest.health import found_broken

        return found_broken(self.plan, status, target)

    # Provisioning

    def bootstrap(self, secrets: "SecretValues") -> tuple[SshTarget, MachineStatus]:
        """Bring the machine to where Ansible can work, by the first way that exists.

        Raises:
            BoxError, ProvisionError: as in `sandbox.provision.bootstrap`.
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

    def had_before(self, target: SshTarget) -> "HadBefore":
        """Ask what the machine has installed, and which packages its apt would download."""
        from sandbox.guest.files_inside import had_before

        return had_before(self.plan, target)

    def installed_packages(self, target: SshTarget) -> str:
        """Ask for the list of the machine's packages."""
        from sandbox.guest.files_inside import installed_packages

        return installed_packages(target)

    def ask_for_lock(self, debs: Iterable[str], target: SshTarget) -> str:
        """Ask what apt would bring for the plan and these package files on the machine.

        Raises:
            ProvisionError: it cannot find a way to install all that.
        """
        from sandbox.guest.files_inside import ask_for_lock

        return ask_for_lock(self.plan.apt_packages, debs, target)

    def unpack(self, archive: Path, target: SshTarget) -> None:
        """Unpack an archive at the root of the machine.

        Raises:
            ProvisionError: the machine has no room, or stopped answering.
        """
        from sandbox.guest.files_inside import unpack

        unpack(archive, target)

    def unsynced_apt(self, target: SshTarget) -> "UnsyncedApt | None":
        """Prepare an apt that does not wait for the disk; None for a machine of another kernel."""
        from sandbox.guest.unsynced import unsynced_apt

        return unsynced_apt(self.engine, target)

    def provision(
        self, target: SshTarget, secrets: "SecretValues", *, mend: bool, apt_config: str = ""
    ) -> "ProvisionResult":
        """Run the playbook; when the connection is lost, run it once more.

        Raises:
            ProvisionError: a task failed.
        """
        try:
            return self.play(target, secrets, mend=mend, apt_config=apt_config)
        except ConnectionLostError as error:
            # After a sleep of the laptop or the host: tasks that are done take no time again
            self.tell(f"{error.message}: reaching it again")
            self.end_session(target)
            self.wait_for_answer(_SILENT_S)
            return self.play(target, secrets, mend=mend, apt_config=apt_config)

    def play(
        self, target: SshTarget, secrets: "SecretValues", *, mend: bool, apt_config: str = ""
    ) -> "ProvisionResult":
        """Run the playbook once.

        Raises:
            ProvisionError: a task failed.
            ConnectionLostError: the machine stopped answering.
        """
        from sandbox.provision import provision

        return provision(
            self.placement,
            target,
            self.folder,
            self.listener,
            secrets=secrets,
            mend=mend,
            apt_config=apt_config,
        )

    def wait_for_answer(self, timeout_s: float) -> None:
        """Reach a machine again that has stopped answering.

        Raises:
            ProviderError: no login works within `timeout_s`.
        """
        target, status = self.login(), self.status()
        login.wait_for_ssh(target, timeout_s=status.patient(timeout_s))

    # Facts and checks

    def probe(self, key: "HashKey") -> "Facts":
        """Probe the machine for its facts; with hashes made by `key` for values that are not taken.

        Raises:
            UsageError: the machine does not run.
            NoSshError: the machine refuses our login.
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
            own: the box's own checks, after somebody has agreed to them.
            goals: only these goals; all when empty.
            quick: end no process on the machine.
            production: facts to compare with, read just now, instead of the box's own.
        """
        from sandbox.guest.checking import check_all

        return check_all(self, own, goals, quick=quick, production=production)

    def check_clone(self) -> "CheckReport":
        """Wait for the pages of a clone, and check what a clone could lack."""
        from sandbox.guest.checking import check_clone

        return check_clone(self)

    def check_some(self, ids: Sequence[str], target: SshTarget, url: str) -> "CheckReport":
        """Run only these checks; they end no process on the machine, and are not kept."""
        from sandbox.checks.quick import run_live

        return run_live(self.placement, ids, target, url)
