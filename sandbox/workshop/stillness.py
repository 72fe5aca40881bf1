"""Stop all that runs in a seat, for a while: what is copied then is the last that was written.

Nothing is ended: who goes on in this machine after all finds everything as it was. Should nobody
come back to say so, it goes on by itself.
"""

from typing import Final

MOVING_S: Final = 60
"""So long a machine stands still whose seat moves, unless it is told to go on before."""
CLOSING_S: Final = 900
"""The same when the workshop closes: all others are copied, and removed, meanwhile."""

# $1 the machine's name, $2 seconds, $3 the account; they are gone after it, but for the account.
# A signal to all is one moment for all: no process can begin another one meanwhile. Not stopped are
# this command, those that began it, and system services that know about accounts
STAND_STILL: Final = """\
if [ "$(cat /proc/sys/kernel/hostname)" = "$1" ]; then
  kill -s STOP -- -1 2>/dev/null || true
  pid=$$
  while pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status") && [ "${pid:-0}" -gt 1 ]; do
    kill -s CONT "$pid"
  done
  for entry in /proc/[0-9]*; do
    read -r word 2>/dev/null < "$entry/comm" || continue
    case $word in
    systemd-user* | dbus-daemon | dbus-broker* | nscd | nslcd | sssd* | winbindd*)
      [ "$(stat -c %U "$entry" 2>/dev/null || true)" = "$3" ] ||
        kill -s CONT "${entry#/proc/}" 2>/dev/null || true
      ;;
    esac
  done
  setsid sh -c 'sleep "$1"; kill -s CONT -- -1' sh "$2" < /dev/null > /dev/null 2>&1 &
else
  echo "its name is not $1: what runs in it is not stopped" >&2
fi
shift 2
"""
GO_ON: Final = "kill -s CONT -- -1 2>/dev/null || true"
"""Lets all go on that was stopped."""


def still_words(machine: str, for_s: int) -> tuple[str, ...]:
    """Return the words that stand before the account's, after `sh -c STAND_STILL… sh`."""
    return (machine, str(for_s))
