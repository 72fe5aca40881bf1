"""Files inside a machine: what is there, what its apt would download, and how ours get in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError, ProvisionError
from sandbox.materials.debs import WantedDeb, question, wanted_debs
from sandbox.materials.installed import INSTALLED
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
    """The packages of the plan that its apt would download."""


def had_before(plan: Plan, target: SshTarget) -> HadBefore:
    """Ask a machine for both.

    Raises:
        ProvisionError: it does not answer.
    """
    script = f"cat {INSTALLED} 2>/dev/null; echo '{_BETWEEN}'; {question(plan.apt_packages)}"
    try:
        answer = target.run(("sudo", "-n", "sh", "-c", script), timeout_s=_ASK_S).stdout
    except CommandError as error:
        raise ProvisionError(
            f"{target.host} does not say what it has installed",
            details=error.details or error.message,
            hint="run the same command again",
        ) from error
    installed, _, wanted = answer.partition(f"{_BETWEEN}\n")
    return HadBefore(installed, wanted_debs(wanted))


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
