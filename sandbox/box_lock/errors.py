"""What differs from a lock: the box, the bytes, or the machine. One of the three, and which."""

from collections.abc import Sequence

from sandbox.errors import ExitCode, SandboxError

_MOST = 20
"""So many differences are shown."""


class DiffersFromLockError(SandboxError):
    """The box, the bytes or the machine are not what the lock says."""

    exit_code = ExitCode.FAILED_CHECKS


def differences(lines: Sequence[str]) -> str:
    """Write a list of differences, shortened where it is long."""
    shown = list(lines[:_MOST])
    if len(lines) > _MOST:
        shown.append(f"and {len(lines) - _MOST} more")
    return "\n".join(shown)
