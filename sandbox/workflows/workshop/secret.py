"""Give the account in a seat's machine its password, and end what an old one had opened."""

from typing import Final

from sandbox.errors import ProviderError
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word

_TIMEOUT_S: Final = 30.0

# $1 the account. A page of RStudio Server stays signed in by its cookie, whatever the password:
# with a new key no old cookie counts
_END_LOGINS: Final = """\
set -eu
account=$1
rm -f /var/lib/rstudio-server/secure-cookie-key /etc/rstudio/secure-cookie-key
for one in /proc/[0-9]*; do
  [ "$(stat -c %U "$one" 2>/dev/null || true)" = "$account" ] || continue
  kill -KILL "${one#/proc/}" 2>/dev/null || true
done
if systemctl cat rstudio-server.service >/dev/null 2>&1; then
  systemctl restart rstudio-server.service
fi
"""


def set_secret(ws: RunningWorkshop, number: int, machine: str) -> None:
    """Set the seat's secret as the password in a machine; can be done again.

    It goes through a pipe: nobody who lists processes or reads a log sees it.

    Raises:
        MemberLostError: the member does not answer.
        ProviderError: the machine does not take it.
    """
    line = f"{ws.workshop.user}:{ws.store.secret_of(number)}\n"
    done = ws.seats.run(machine, ("chpasswd",), timeout_s=_TIMEOUT_S, stdin=line, check=False)
    if done.returncode != 0:
        # Its own words could hold the line that it was given
        raise ProviderError(
            f"{machine} does not take the secret of {seat_word(number)}",
            details=f"chpasswd ended with exit status {done.returncode}",
            hint=f"sandbox workshop reset {ws.name} {seat_word(number)}",
        )


def end_logins(ws: RunningWorkshop, machine: str) -> None:
    """End all that the account runs in a machine, and make its signed-in browsers strangers.

    Raises:
        MemberLostError: the member does not answer.
        ProviderError: it did not work.
    """
    argv = ["sh", "-c", _END_LOGINS, "sh", ws.workshop.user]
    ws.seats.run(machine, argv, timeout_s=_TIMEOUT_S)
