"""A bundle that cannot be used."""

from sandbox.errors import ExitCode, SandboxError


class BrokenBundleError(SandboxError):
    """The file is damaged, cut off, or no bundle; nothing was made of it.

    The file was given in the place of a box: so the exit code is that of a wrong box.
    """

    exit_code = ExitCode.BOX


class OtherSandboxError(SandboxError):
    """The bundle was made by another version of sandbox, or for another kind of machine."""

    exit_code = ExitCode.USAGE
