"""All tests, in lanes that run at the same time, on a host that is set up and taken back once.

An emulated virtual machine keeps one processor busy for minutes and needs no other; on Incus much
time is spent waiting for a network, a start, a limit. The lanes fill each other's gaps.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.conftest import HOST_VARIABLE, Host, end_like_ctrl_c, host_of_the_tests

WITHOUT_SHINY = tuple(
    f"tests/e2e/test_{name}.py"
    for name in ("bad_days", "host_setup", "interrupted", "own_checks", "r_versions", "two_users")
)
"""Tests of the program on real machines that need no sandbox of boxes/shiny.yml."""

LANES: dict[str, tuple[str, ...]] = {
    "libvirt": ("--durations=15", "-m", "libvirt"),
    "shiny": (
        *("--durations=25", "-m", "not libvirt", "tests/e2e"),
        *(f"--ignore={path}" for path in WITHOUT_SHINY),
    ),
    "machines": ("--durations=25", "-m", "not libvirt", "tests/contract", *WITHOUT_SHINY),
    "here": ("--durations=15", "-m", "not libvirt", "tests/unit", "tests/integration"),
}
"""What pytest is asked for, in the order in which the lanes begin: the longest first."""

SHARED_HOST = "shiny"
"""The lane that uses the host of all. Others make a place of their own in the same Incus: so no
lane sees another one's sandboxes, images and processes."""

AT_ONCE = 3
"""So many on two processors: more of them slow each other down until promised times are missed."""


def main(names: Sequence[str]) -> int:
    """Run the lanes of these names, or all; 1 when a test of any lane failed."""
    for name in names:
        if name not in LANES:
            sys.stderr.write(f"no lane {name}: there are {', '.join(LANES)}\n")
            return 2
    end_like_ctrl_c()
    with host_of_the_tests() as host:
        lanes = Lanes(host)
        try:
            return lanes.run(list(names or LANES))
        finally:
            lanes.end()


class Lanes:
    """The lanes that run, each in a process group of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, waiting: list[str]) -> int:
        worst = 0
        while waiting or self._running:
            while waiting and len(self._running) < AT_ONCE:
                self._start(waiting.pop(0))
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    del self._running[name]
                    how = "passed" if process.returncode == 0 else f"exit {process.returncode}"
                    sys.stderr.write(f"=== lane {name}: {how}\n")
                    worst = worst or int(process.returncode != 0)
            time.sleep(0.5)
        return worst

    def end(self) -> None:
        """Let every lane that still runs take its machines down."""
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._running.values():
            process.wait()

    def _start(self, name: str) -> None:
        sys.stderr.write(f"=== lane {name}\n")
        env = dict(os.environ)
        if name == SHARED_HOST:
            env[HOST_VARIABLE] = str(self._host.home)
        else:
            # No prefix may begin with another one
            env["SANDBOX_TEST_PREFIX"] = f"{name[0]}{self._host.prefix}"
        command = [sys.executable, "-m", "pytest", *LANES[name]]
        self._running[name] = subprocess.Popen(command, env=env, start_new_session=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
