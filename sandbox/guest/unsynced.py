"""An apt that does not let dpkg wait for the disk, in a machine that shares this host's kernel.

`workflows/unsynced.py` says when that is sound.
"""

import os
from typing import Final

from sandbox.errors import CommandError, ProvisionError
from sandbox.paths import data_dir
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


def apt_without_waiting(target: SshTarget) -> str:
    """Return the file of settings for apt, on the machine; empty when its kernel is another one.

    Raises:
        ProvisionError: the machine does not answer.
    """
    program = (data_dir("templates") / "unsynced.py").read_text(encoding="utf-8")
    here = os.uname()
    kernel = f"{here.sysname} {here.release} {here.version}"
    argv = ("sudo", "-n", "sh", "-c", _PREPARE, "sh", kernel)
    try:
        answer = target.run(argv, timeout_s=_ASK_S, stdin=program).stdout
    except CommandError as error:
        raise _silent(target, error) from error
    return _CONFIG if answer.strip() == _READY else ""


def sync(target: SshTarget) -> None:
    """Wait until all that the machine has written is on its disk.

    Raises:
        ProvisionError: the machine does not answer, or its disk failed.
    """
    try:
        target.run(("sudo", "-n", "sh", "-c", _SYNC), timeout_s=_SYNC_S)
    except CommandError as error:
        raise _silent(target, error) from error


def _silent(target: SshTarget, error: CommandError) -> ProvisionError:
    return ProvisionError(
        f"{target.host} did not take or sync what belongs to its packages",
        details=error.details or error.message,
        hint="run the same command again",
    )
