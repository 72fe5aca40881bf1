"""What a machine and its host were doing when a command of ours failed: gone after the test."""

import os
import subprocess
from pathlib import Path

_LAST_LINES = 60

_LOOK = """\
echo '# processes'; ps -eo stat,etime,wchan:20,args --sort=start_time | tail -n 40
echo '# journal'; journalctl --no-pager -n 40 2>&1
echo '# disk and memory'; df -h / 2>&1; grep -E '^(full|some)' /proc/pressure/* 2>&1
cat /sys/fs/cgroup/memory.events 2>&1
"""
"""Asked past ssh and sudo, which may be what hangs."""


def of_failure(instances: Path, project: str, words: tuple[str, ...]) -> str:
    """The logs of the sandbox that a failed command names, and what its machine does now.

    Args:
        instances: the folder of all instances.
        project: of Incus, where its machine is, if it is a container.
        words: the command line; a word of it may be the sandbox, or its box file.
    """
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    parts = [f"--- load of the host: {load}"]
    for name in sorted({Path(word).stem for word in words} - {""}):
        for log in sorted((instances / name / "logs").glob("*.log")):
            parts.append(f"--- {log.name}, its end\n{_last_lines(log)}")
        if (instances / name).is_dir():
            parts.append(f"--- {name}, asked by incus exec\n{_ask(name, project)}")
    return "\n".join(parts)


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace", encoding="utf-8").splitlines()
    except OSError as error:
        return str(error)
    return "\n".join(lines[-_LAST_LINES:])


def _ask(name: str, project: str) -> str:
    try:
        done = subprocess.run(
            ["incus", "--project", project, "exec", name, "--", "sh", "-c", _LOOK],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout + done.stderr
