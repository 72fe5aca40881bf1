"""What this host sees of a machine of Incus that does not answer, for the message of a test."""

import subprocess
from pathlib import Path

from sandbox.providers.incus.client import IncusClient

_LOOK_S = 10
_CGROUPS = Path("/sys/fs/cgroup")


def look_from_outside(client: IncusClient, name: str) -> str:
    """Say the machine's state in Incus, whether it is frozen, its processes, and work on it."""
    group = f"lxc.payload.{client.place.project}_{name}"
    incus = ("incus", "--project", client.place.project)
    questions = (
        (*incus, "list", "--format", "csv", "--columns", "nsp"),
        (*incus, "operation", "list", "--format", "csv"),
        ("ps", "-ww", "-o", "pid,stat,wchan:30,etime,args", "-p", _pids(group)),
        ("pgrep", "-a", "-f", f"{client.place.project}_{name}"),
    )
    frozen = [
        f"{path}: {path.read_text(encoding='utf-8').split()}"
        for kind in ("freezer.state", "cgroup.freeze", "cgroup.events")
        for path in sorted(_CGROUPS.glob(f"**/{group}/{kind}"))
    ]
    return "\n".join([*(_answer(words) for words in questions), *frozen])


def _pids(group: str) -> str:
    found = {
        pid
        for path in _CGROUPS.glob(f"**/{group}/**/cgroup.procs")
        for pid in path.read_text(encoding="utf-8").split()
    }
    return ",".join(sorted(found, key=int)) or "1"


def _answer(words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LOOK_S)
    except subprocess.TimeoutExpired:
        return f"$ {' '.join(words)}\ndoes not answer"
    return f"$ {' '.join(words)}\n{done.stdout}{done.stderr}"
