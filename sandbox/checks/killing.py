"""Kill the main process of a unit, and see which process systemd starts in its place."""

import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sandbox.checks.live import CheckedMachine

RESTART_S: Final = 30.0
"""How long a new process, and its first answer, may take."""

NO_PROCESS: Final = "0"

_KILL: Final = f"""\
set -eu
unit=@UNIT@
main_pid() {{ systemctl show -p MainPID --value "$unit"; }}
before=$(main_pid)
if [ "${{before:-0}}" -eq 0 ]; then echo 0 0; exit 0; fi
kill -KILL "$before"
while [ -e "/proc/$before" ]; do sleep 0.05; done
tries={RESTART_S * 10:.0f}
while [ $tries -gt 0 ]; do
  after=$(main_pid)
  case $after in
  '' | 0 | "$before") tries=$((tries - 1)); sleep 0.1 ;;
  *) echo "$before $after"; exit 0 ;;
  esac
done
echo "$before 0"
"""


def kill_main_process(machine: "CheckedMachine", unit: str) -> tuple[str, str]:
    """Kill it with SIGKILL; give the ids before and after, each NO_PROCESS where there is none."""
    script = _KILL.replace("@UNIT@", shlex.quote(unit))
    before, after = machine.sudo(script).split()
    return before, after
