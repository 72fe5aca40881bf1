"""Files inside a machine: what is there, what its apt would download, and how ours get in."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError, ProvisionError
from sandbox.materials.debs import WantedDeb, question, wanted_debs
from sandbox.materials.installed import INSTALLED
from sandbox.materials.lock_answers import INSTALLED_QUESTION, lock_question, missing_debs
from sandbox.plan import Plan
from sandbox.ssh import SshTarget

_ASK_S: Final = 120.0
_SEND_S: Final = 1800.0
_BETWEEN: Final = "--- what apt would download ---"


@dataclass(frozen=True)
class HadBefore:
    """What a machine has before it is provisioned."""

    installed: str = ""
    """Its list of fetched files."""
    wanted_debs: tuple[WantedDeb, ...] = ()
    """The packages of the plan that its apt would download; of a locked plan, those it lacks."""
    packages: str = ""
    """Its list of packages, where the plan is locked."""


def had_before(plan: Plan, target: SshTarget) -> HadBefore:
    """Ask a machine for both.

    Raises:
        ProvisionError: it does not answer.
    """
    locked = plan.locked
    asked = question(plan.apt_packages) if locked is None else INSTALLED_QUESTION
    script = f"cat {INSTALLED} 2>/dev/null; echo '{_BETWEEN}'; {asked}"
    try:
        answer = target.run(("sudo", "-n", "sh", "-c", script), timeout_s=_ASK_S).stdout
    except CommandError as error:
        raise ProvisionError(
            f"{target.host} does not say what it has installed",
            details=error.details or error.message,
            hint="run the same command again",
        ) from error
    installed, _, wanted = answer.partition(f"{_BETWEEN}\n")
    if locked is not None:
        return HadBefore(installed, missing_debs(locked, wanted), wanted)
    return HadBefore(installed, wanted_debs(wanted))


def installed_packages(target: SshTarget) -> str:
    """Ask a machine for its list of packages.

    Raises:
        CommandError: it does not answer.
    """
    return target.run(("sh", "-c", INSTALLED_QUESTION), timeout_s=_ASK_S).stdout


def ask_for_lock(packages: Iterable[str], debs: Iterable[str], target: SshTarget) -> str:
    """Ask a bare machine what the lock of its box wants to know.

    Raises:
        ProvisionError: its apt cannot find a way to install all that.
    """
    script = lock_question(packages, debs)
    try:
        return target.run(("sudo", "-n", "sh", "-c", script), timeout_s=_ASK_S).stdout
    except CommandError as error:
        raise ProvisionError(
            "the packages cannot be locked: the machine's apt cannot install them together",
            details=error.details or error.stderr or error.message,
            hint="sandbox up BOX says more about a package that is not there",
        ) from error


def unpack(archive: Path, target: SshTarget) -> None:
    """Unpack an archive at the root of a machine.

    Raises:
        ProvisionError: the machine has no room, or stopped answering.
    """
    words = ("sudo", "-n", "tar", "-x", "--no-same-permissions", "-C", "/")
    try:
        target.run(words, timeout_s=_SEND_S, stdin=archive)
    except CommandError as error:
        raise ProvisionError(
            f"files cannot be copied to {target.host}",
            details=error.details or error.message,
            hint=f"run it again; sandbox exec {target.host} -- df -h / shows the room there",
        ) from error
