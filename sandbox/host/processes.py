"""The processes on this host, and who started a daemon."""

from pathlib import Path

BY_SYSTEMD = "systemd"
BY_US = "spawned"


def running(program: str) -> bool:
    """Tell whether a process of that name runs on this host."""
    return any(line.split(" ", 1)[0].rsplit("/", 1)[-1] == program for line in command_lines())


def command_lines() -> tuple[str, ...]:
    """List every process's command line, arguments separated by one space."""
    lines = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            raw = (folder / "cmdline").read_bytes()
        except OSError:
            # The process ended while we looked
            continue
        lines.append(raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"))
    return tuple(lines)
