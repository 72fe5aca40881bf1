"""Every error a user can meet: one family of classes, each with its exit code.

Message: what is wrong, no final period. Details: the evidence (a tool's own last lines, or the
wrong text). Hint: the command or edit that mends it. Only `sandbox.cli.app` prints and exits.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of the process; promised in the docs and tested."""

    OK = 0
    FAILED_CHECKS = 1
    USAGE = 2
    BOX = 3
    HOST = 4
    PROVIDER = 5
    PROVISION = 6
    BUG = 70
    INTERRUPTED = 130


class SandboxError(Exception):
    """An error that a user can understand and act on."""

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, details: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.hint = hint


class UsageError(SandboxError):
    """The command line asks for something that is not possible."""

    exit_code = ExitCode.USAGE


class BoxError(SandboxError):
    """The box file is wrong; nothing was touched."""

    exit_code = ExitCode.BOX


class HostError(SandboxError):
    """This host is not ready: something is missing, stopped, full, or not permitted."""

    exit_code = ExitCode.HOST


class BusyError(HostError):
    """Another `sandbox` command is at work on the same sandbox or host."""


class ProviderError(SandboxError):
    """The provider (Incus, VirtualBox, libvirt) failed; `details` has the provider's own words."""

    exit_code = ExitCode.PROVIDER


class ProvisionError(SandboxError):
    """The machine runs, but could not be turned into what the plan says."""

    exit_code = ExitCode.PROVISION


class ConnectionLostError(ProvisionError):
    """The machine answered before, and then did not answer any more."""


class CommandError(SandboxError):
    """A command failed or timed out. Callers turn this error into the family that fits."""

    exit_code = ExitCode.BUG

    def __init__(
        self,
        message: str,
        *,
        returncode: int | None,
        stdout: str = "",
        stderr: str = "",
        details: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, details=details, hint=hint)
        self.returncode = returncode
        """None when we ended the command after a timeout."""
        self.stdout = stdout
        self.stderr = stderr
