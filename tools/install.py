"""Install a lock file and this project into the environment of the Python that runs this.

tools/install.py LOCK

With four pips beside each other, for one of them mostly waits for one server after another. Each
gets its own part of the file; every package is named there with its checksums, so that no pip has
to look for what another one installs. They compile nothing; that is done once, at the end.

When it is ended, its pips are ended too, with all that they have started.
"""

import compileall
import os
import signal
import subprocess  # noqa: TID251  (no part of the program)
import sys
import sysconfig
import tempfile
from pathlib import Path

PIPS = 4
PIP = (sys.executable, "-m", "pip")
INSTALL = (*PIP, "install", "-q", "--no-compile", "--no-deps")


def main() -> int:
    """Install; returns the exit status."""
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda *_: sys.exit(130))
    lock = Path(sys.argv[1]).read_text(encoding="utf-8")
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="sandbox-install-") as folder:
        try:
            running.append(start(folder, "-e", "."))
            for number, part in enumerate(parts_of(lock)):
                path = Path(folder, str(number))
                path.write_text(part, encoding="utf-8")
                running.append(start(folder, "--require-hashes", "-r", str(path)))
            failed = [pip for pip in running if pip.wait() != 0]
        finally:
            for pip in running:
                end(pip)
    if failed:
        return 1
    checked = subprocess.run((*PIP, "check"), check=False)  # noqa: S603
    if checked.returncode != 0:
        return checked.returncode
    # Some files of packages are for another Python: what cannot be compiled stays as it is
    compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
    return 0


def parts_of(lock: str) -> list[str]:
    """Deal the packages out, each with the lines of its checksums."""
    packages: list[list[str]] = []
    for line in lock.splitlines(keepends=True):
        if line.strip() and not line.startswith((" ", "#")):
            packages.append([])
        if packages:
            packages[-1].append(line)
    parts = [packages[at::PIPS] for at in range(PIPS)]
    return ["".join("".join(lines) for lines in part) for part in parts if part]


def start(folder: str, *words: str) -> "subprocess.Popen[bytes]":
    """Start a pip in a process group of its own, so that all of it can be ended.

    Its temporary files are in the folder: one that is ended does not remove them.
    """
    variables = {**os.environ, "TMPDIR": folder}
    return subprocess.Popen(  # noqa: S603  (our own words)
        (*INSTALL, *words), start_new_session=True, env=variables
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a pip that still runs, and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
