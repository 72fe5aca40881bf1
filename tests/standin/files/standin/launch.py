"""Becomes a user: a PAM session, a login shell, the home as working directory; then rsession."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from pathlib import Path

from .logs import Log
from .options import below_root
from .pam import Pam
from .process_name import set_name

_LOGIN_SHELLS = ("bash", "sh", "dash", "zsh", "ksh")


def _environment(entry: pwd.struct_passwd, from_pam: dict[str, str]) -> dict[str, str]:
    kept = ("PATH", "LANG", "TZ", "RSTUDIO_STANDIN_ROOT", "RSTUDIO_CONFIG_DIR")
    return {
        **{key: os.environ[key] for key in kept if key in os.environ},
        "HOME": entry.pw_dir,
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell or "/bin/sh",
        **from_pam,
    }


def _become(entry: pwd.struct_passwd, env: dict[str, str], words: list[str]) -> None:
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.umask(0o022)
    os.chdir(entry.pw_dir)
    is_known = Path(env["SHELL"]).name in _LOGIN_SHELLS
    shell = env["SHELL"] if is_known else "/bin/bash"
    os.execve(shell, [shell, "-l", "-c", 'exec "$0" "$@"', *words], env)


def launch(user: str, words: list[str]) -> int:
    """Run `words` as the user, and wait until they end."""
    set_name("rsession-pam")
    log = Log("rserver", below_root("/var/log/rstudio/rstudio-server"))
    entry = pwd.getpwnam(user)
    pam = Pam("rstudio", user)
    if not pam.open_session():
        log.say_error(f"PAM refuses a session for user {user}")
    env = _environment(entry, pam.environment())
    child = os.fork()
    if child == 0:
        try:
            _become(entry, env, words)
        except OSError as error:
            log.say_error(f"Cannot start a session for user {user}: {error}")
        os._exit(1)
    # The session decides when it ends; this process only closes what PAM has opened
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    pam.close_session()
    if status != 0:
        log.say_error(f"The session of user {user} has ended with status {status}")
    return 0


def without_launch(words: list[str]) -> list[str]:
    """Give the command line of the session itself."""
    path = str(Path(sys.argv[0]).resolve())
    return [sys.executable, "-I", path, *(word for word in words if word != "--standin-launch")]
