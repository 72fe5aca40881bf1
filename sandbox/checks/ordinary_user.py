"""The ordinary user that a box's own code runs as, where `sandbox` itself runs as root.

Whoever became root by sudo, else `nobody`. Whether that user can do it is tried, not guessed: read
this Python and this package, reach the folder of the run, and log in to the machine by ssh.
"""

import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbox.checks.pytest_process import PytestProcess, clean_environment
from sandbox.errors import CommandError
from sandbox.paths import ssh_word, sudo_uid
from sandbox.run import HostUser, run
from sandbox.ssh import SshTarget

_TRY_S = 30.0
_NEEDED: Final = "import pytest, testinfra.plugin, {plugin}; open('request.json').close()"
_OURS_ALONE: Final = (
    *("IdentityFile", "UserKnownHostsFile"),
    *("ControlMaster", "ControlPath", "ControlPersist"),
)
"""Lines of an ssh_config that name files or sockets which only root reaches."""


class UnfitError(Exception):
    """This user cannot run the checks; the message says why."""


def candidates() -> tuple[HostUser, ...]:
    """List the users who may run a box's tests instead of root; nobody when this is not root."""
    if os.geteuid() != 0:
        return ()
    found = []
    if (uid := sudo_uid()) not in {None, 0}:
        found.append(uid)
    with suppress(KeyError):  # a system without that account
        found.append(pwd.getpwnam("nobody").pw_uid)
    return tuple(HostUser(uid, pwd.getpwuid(uid).pw_gid) for uid in found if uid is not None)


def fit(
    process: PytestProcess, user: HostUser, *, log_in: bool = True
) -> AbstractContextManager[PytestProcess]:
    """Fit the process to `user`: with a login and an environment of its own.

    Without `log_in` the login is not tried: one of many machines may not answer.

    Raises:
        UnfitError: the user cannot run it.
    """
    place = process.place
    target = _with_own_login(process.target, place)
    environment = clean_environment(Path(pwd.getpwuid(user.uid).pw_dir), with_tmpdir=False)
    fitted = replace(process, target=target, environment=environment, user=user)
    for path in (place, *place.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    needed = _NEEDED.format(plugin=process.plugin)
    _try(fitted, (sys.executable, "-P", "-c", needed), f"read {sys.executable} and what it needs")
    if log_in:
        _try(fitted, (*target.argv("-o", "BatchMode=yes"), "true"), "reach the machine by ssh")
    return _running(fitted)


@contextmanager
def _running(process: PytestProcess) -> Iterator[PytestProcess]:
    try:
        yield process
    finally:
        # Its shared connection goes with it
        env = process.environment
        for host in process.hosts or (process.target.host,):
            argv = replace(process.target, host=host).argv("-O", "exit")
            with suppress(CommandError):  # gone already, with the machine
                run(argv, timeout_s=10, env=env, only_env=True, user=process.user, check=False)


def _try(process: PytestProcess, argv: tuple[str, ...], what: str) -> None:
    try:
        run(
            argv,
            timeout_s=_TRY_S,
            env=process.environment,
            only_env=True,
            user=process.user,
            cwd=process.place,
            log=process.log,
        )
    except CommandError as error:
        uid = process.user.uid if process.user is not None else os.geteuid()
        raise UnfitError(f"{pwd.getpwuid(uid).pw_name} cannot {what}") from error


def _with_own_login(target: SshTarget, place: Path) -> SshTarget:
    """A copy of the login in `place`: its key, the known host, and a connection of its own."""
    if target.config is None:
        raise UnfitError("the login is that of root's own ssh configuration")
    folder = target.config.parent
    try:
        lines = target.config.read_text(encoding="utf-8").splitlines()
        for name in ("id_ed25519", "known_hosts"):
            shutil.copyfile(folder / name, place / name)
            (place / name).chmod(0o600)
    except OSError as error:
        raise UnfitError(f"{error.filename} cannot be copied: {error.strerror}") from error
    kept = [line for line in lines if not line.strip().startswith(_OURS_ALONE)]
    own = (
        f"  IdentityFile {ssh_word(place / 'id_ed25519')}",
        f"  UserKnownHostsFile {ssh_word(place / 'known_hosts')}",
        "  ControlMaster auto",
        "  ControlPersist 60",
        f"  ControlPath {ssh_word(place, tokens='/c-%C')}",
    )
    config = place / "ssh_config"
    config.write_text("\n".join((*kept, *own)) + "\n", encoding="utf-8")
    config.chmod(0o600)
    return SshTarget(host=target.host, config=config)
