"""A machine that nobody has to make: it is reached, provisioned and checked as a test says."""

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.errors import ConnectionLostError
from sandbox.events import Listener
from sandbox.facts.facts import Facts
from sandbox.guest.files_inside import HadBefore
from sandbox.guest.guest import Guest
from sandbox.guest.pages import Page, proven_by_page
from sandbox.guest.unsynced import UnsyncedApt
from sandbox.materials.lock_answers import missing_debs
from sandbox.placement import Placement
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.provision import ProvisionResult
from sandbox.secret_values import SecretValues
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.trust import HostCode


@dataclass
class Behaviour:
    """How all machines of a test behave, and what was done with them."""

    broken: str = ""
    """What stands in the way of a page."""
    page: str = ""
    """What each page answers instead of 200."""
    sshd_is_dead: bool = False
    has_whole_key: bool = True
    green: bool = True
    """Whether the checks pass."""
    fail_provision: BaseException | None = None
    lose_connection: int = 0
    """So many runs of the playbook lose it."""
    provisioned: int = 0
    mended: int = 0
    given: dict[str, str] = field(default_factory=dict, repr=False)
    """The secrets of the last run."""
    verified: list[str] = field(default_factory=list)
    had_before: HadBefore = field(default_factory=HadBefore)
    unpacked: list[str] = field(default_factory=list)
    """The files that were sent, by their paths in the machine."""
    base_packages: str = ""
    """The machine's list of packages, before it is provisioned."""
    packages: str = ""
    """The machine's list of packages, at the end."""
    lock_answer: str = ""
    """What a bare machine says for a lock."""
    asked_for_lock: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    fail_lock: BaseException | None = None
    shares_kernel: bool = False
    """Whether machines are containers of this host."""
    without_waiting: list[bool] = field(default_factory=list)
    """For each run of the playbook, whether dpkg did not wait for the disk."""
    synced: int = 0

    def wait(self, pages: Sequence[Page]) -> None:
        """An app was released, and somebody waits for its page."""

    def look(self, guest: Guest, ids: Sequence[str]) -> CheckReport:
        """Somebody asks for these checks alone."""
        raise NotImplementedError


@dataclass(frozen=True)
class FakeApt(UnsyncedApt):
    """Counts how often it was synced."""

    behaviour: Behaviour = field(default_factory=Behaviour)

    def sync(self) -> None:
        self.behaviour.synced += 1


class FakeGuest(Guest):
    """All but what would leave this process is real: the record, the order, the engine's calls."""

    def __init__(
        self,
        placement: Placement,
        instance: Instance,
        engine: Engine,
        listener: Listener,
        behaviour: Behaviour,
    ) -> None:
        super().__init__(placement, instance, engine, listener)
        self.behaviour = behaviour

    def has_whole_key(self) -> bool:
        return self.behaviour.has_whole_key

    def make_key(self) -> str:
        return "ssh-ed25519 AAAA"

    def sshd_is_dead(self, status: MachineStatus) -> bool:
        return self.behaviour.sshd_is_dead

    def login(self) -> SshTarget:
        self.engine.ssh_endpoint(self.name)
        return SshTarget(self.name)

    def reach(self, status: MachineStatus) -> SshTarget:
        return self.login()

    def end_session(self, target: SshTarget) -> None:
        pass

    def hang_up(self) -> None:
        pass

    @contextmanager
    def reached_pages(self, status: MachineStatus, target: SshTarget) -> Iterator[tuple[Page, ...]]:
        yield tuple(Page(one, "http://192.0.2.7:3838") for one in self.plan.endpoints)

    def page_status(self, page: Page, *, timeout_s: float) -> str:
        return self.behaviour.page

    @contextmanager
    def knocking(self, status: MachineStatus) -> Iterator[None]:
        yield

    def wait_for_pages(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> None:
        self.behaviour.wait(tuple(found))

    def first_page(
        self, found: Iterable[Page], status: MachineStatus, target: SshTarget
    ) -> tuple[Page, ...]:
        return proven_by_page(found)

    def no_page_before_mending(self, status: MachineStatus, target: SshTarget) -> str:
        return self.behaviour.broken

    def bootstrap(self, secrets: SecretValues) -> tuple[SshTarget, MachineStatus]:
        status = self.status()
        return self.reach(status), status

    def had_before(self, target: SshTarget) -> HadBefore:
        locked = self.plan.locked
        if locked is None:
            return self.behaviour.had_before
        packages = self.behaviour.base_packages
        return HadBefore("", missing_debs(locked, packages), packages)

    def unpack(self, archive: Path, target: SshTarget) -> None:
        with tarfile.open(archive) as tar:
            self.behaviour.unpacked += tar.getnames()

    def installed_packages(self, target: SshTarget) -> str:
        return self.behaviour.packages

    def ask_for_lock(self, debs: Iterable[str], target: SshTarget) -> str:
        self.behaviour.asked_for_lock.append((self.plan.apt_packages, tuple(debs)))
        if self.behaviour.fail_lock is not None:
            raise self.behaviour.fail_lock
        return self.behaviour.lock_answer

    def wait_for_answer(self, timeout_s: float) -> None:
        self.login()

    def unsynced_apt(self, target: SshTarget) -> UnsyncedApt | None:
        return FakeApt(target, behaviour=self.behaviour) if self.behaviour.shares_kernel else None

    def play(
        self, target: SshTarget, secrets: SecretValues, *, mend: bool, apt_config: str = ""
    ) -> ProvisionResult:
        said = self.behaviour
        said.without_waiting.append(bool(apt_config))
        said.provisioned += 1
        said.mended += mend
        said.given = dict(secrets)
        if said.provisioned <= said.lose_connection:
            raise ConnectionLostError("the connection to the machine was lost in `x`")
        if said.fail_provision is not None:
            raise said.fail_provision
        return ProvisionResult(3, 10, ("Set the timezone",), 1.0)

    def check(
        self,
        own: tuple[HostCode, ...],
        goals: Sequence[Goal] = (),
        *,
        quick: bool = False,
        production: Facts | None = None,
    ) -> CheckReport:
        self.behaviour.verified.append(f"all of {self.name}")
        return self._report()

    def check_clone(self) -> CheckReport:
        self.behaviour.verified.append(f"the clone {self.name}")
        return self._report()

    def check_some(self, ids: Sequence[str], target: SshTarget, url: str) -> CheckReport:
        return self.behaviour.look(self, ids)

    def _report(self) -> CheckReport:
        bad = CheckResult(id="up.x", goal=Goal.UP, title="x", outcome=Outcome.FAILED)
        bad = bad.model_copy(update={"fix": f"sandbox up {self.name}"})
        report = CheckReport(
            sandbox=self.name,
            box=self.plan.box_name,
            plan_key=self.placement.key,
            elapsed_s=1.0,
            results=() if self.behaviour.green else (bad,),
        )
        self.instance.write_text("checks.json", report.to_json())
        return report
