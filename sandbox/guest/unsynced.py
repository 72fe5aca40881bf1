"""An apt that does not let dpkg wait for the disk, in a machine that shares this host's kernel.

`workflows/unsynced.py` says when that is sound.
"""

import os
from dataclasses import dataclass
from typing import Final

from sandbox.errors import CommandError, ProvisionError
from sandbox.paths import data_dir
from sandbox.providers.abilities import SharesKernel
from sandbox.providers.engine import Engine
from sandbox.ssh import SshTarget

_FOLDER: Final = "/run/sandbox-unsynced"
"""In memory: a machine that was started again does not have it, and its apt only warns of that."""
_CONFIG: Final = f"{_FOLDER}/apt.conf"
_READY: Final = "ready"
_ASK_S: Final = 60.0
_SYNC_S: Final = 900.0

# $1: this host's kernel; a container has a boot id of its own. The program's text comes on stdin
_PREPARE: Final = f"""\
set -eu
[ "$(uname -srv)" = "$1" ] || exit 0
mkdir -p {_FOLDER}
cat > {_FOLDER}/unsynced.py
cat > {_FOLDER}/dpkg <<'END'
#!/bin/sh
exec /usr/bin/python3 -IS {_FOLDER}/unsynced.py /usr/bin/dpkg "$@"
END
chmod 0755 {_FOLDER}/dpkg
{_FOLDER}/dpkg --version >/dev/null 2>&1 || exit 0
echo 'Dir::Bin::dpkg "{_FOLDER}/dpkg";' > {_CONFIG}
echo {_READY}
"""
_SYNC: Final = f"set -eu; rm -rf {_FOLDER}; sync -f /"


@dataclass(frozen=True)
class UnsyncedApt:
    """What is prepared on the machine for it."""

    target: SshTarget
    config: str = _CONFIG
    """The file of further settings for apt, on the machine."""

    def sync(self) -> None:
        """Wait until all that the machine has written is on its disk, and end such installations.

        Raises:
            ProvisionError: the machine does not answer, or its disk failed.
        """
        try:
            self.target.run(("sudo", "-n", "sh", "-c", _SYNC), timeout_s=_SYNC_S)
        except CommandError as error:
            raise _silent(self.target, error) from error


def unsynced_apt(engine: Engine, target: SshTarget) -> UnsyncedApt | None:
    """Prepare it on the machine; None when the machine's kernel is not this host's.

    Raises:
        ProvisionError: the machine does not answer.
    """
    if not (isinstance(engine, SharesKernel) and engine.shares_kernel):
        return None
    program = (data_dir("templates") / "unsynced.py").read_text(encoding="utf-8")
    here = os.uname()
    kernel = f"{here.sysname} {here.release} {here.version}"
    argv = ("sudo", "-n", "sh", "-c", _PREPARE, "sh", kernel)
    try:
        answer = target.run(argv, timeout_s=_ASK_S, stdin=program).stdout
    except CommandError as error:
        raise _silent(target, error) from error
    return UnsyncedApt(target) if answer.strip() == _READY else None


def _silent(target: SshTarget, error: CommandError) -> ProvisionError:
    return ProvisionError(
        f"{target.host} did not take or sync what belongs to its packages",
        details=error.details or error.message,
        hint="run the same command again",
    )
