"""What went wrong on the machine, in plain words, with the command that mends it."""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.errors import CommandError, ConnectionLostError, ProvisionError


class TaskFailure(BaseModel):
    """A task that failed, in the module's own words."""

    model_config = ConfigDict(frozen=True)

    task: str
    kind: str
    """`failed`, or `unreachable`: the connection was lost."""
    item: str = ""
    msg: str = ""
    stderr: str = ""
    stdout: str = ""


class PlaybookSummary(BaseModel):
    """The file that the callback plugin `sandbox_events` wrote at the end, or at a failure."""

    model_config = ConfigDict(frozen=True)

    ok: int = 0
    changed: tuple[str, ...] = ()
    failures: tuple[TaskFailure, ...] = ()
    finished: bool = False
    tasks: tuple[tuple[str, float], ...] = ()
    """Each task that ran, and how many seconds it took."""


@dataclass(frozen=True)
class _Known:
    """A failure that we know by name, and its remedy."""

    pattern: str
    message: str
    hint: str
    """The hint, with `{name}` for the sandbox's name."""


_UNREACHABLE_HINT = (
    "try the address from the machine itself; behind a proxy set `system.proxy` in the box, "
    "or another mirror with `system.mirror`"
)
_NAMES_HINT = (
    "see its /etc/resolv.conf; `sandbox stop {name}` and `sandbox start {name}` have it written "
    "again. Where only a proxy looks up names, set `system.proxy` in the box"
)
_LOCKED_HINT = "wait until the other apt has ended, then `sandbox up {name}` again"
_FULL_HINT = (
    "give the machine more: `machine: {{disk_gb: …}}` in the box or --disk-gb, and make it again: "
    "sandbox destroy {name}, then sandbox up again"
)
_LOST_HINT = "see whether it still runs: `sandbox status {name}`; then `sandbox up {name}` again"

_KNOWN = (
    _Known(
        r"No space left on device|don't have enough free space",
        "the machine's disk is full",
        _FULL_HINT,
    ),
    _Known(
        r"Could not get lock|dpkg frontend lock|is locked by|Failed to lock apt",
        "another program on the machine holds the package manager's lock",
        _LOCKED_HINT,
    ),
    _Known(
        r"Could not resolve|Temporary failure resolving",
        "the machine cannot get packages from its mirror: names cannot be resolved inside it",
        _NAMES_HINT,
    ),
    _Known(
        r"Connection refused|Could not connect|"
        r"Connection timed out|Unable to connect|Network is unreachable|404 +Not Found|"
        r"Failed to fetch|does not have a Release file",
        "the machine cannot get packages from its mirror",
        _UNREACHABLE_HINT,
    ),
    _Known(
        r"No package matching|Unable to locate package|has no installation candidate",
        "Debian does not have a package that the box names",
        "correct the name in the box; `apt-cache search WORD` on the machine finds near ones",
    ),
    _Known(
        r"UNREACHABLE|kex_exchange|Broken pipe|Connection (reset|closed)|No route to host",
        "the connection to the machine was lost",
        _LOST_HINT,
    ),
)

_BOOTSTRAP = {
    71: ("the machine cannot get packages from its mirror", _UNREACHABLE_HINT),
    73: ("the machine's disk is full", _FULL_HINT),
    74: ("another program on the machine holds the package manager's lock", _LOCKED_HINT),
    76: ("names cannot be resolved inside the machine", _NAMES_HINT),
    255: ("the connection to the machine was lost", _LOST_HINT),
}
"""Exit statuses of bootstrap.sh (and of ssh) that say what happened."""

_LAST_LINES = 25
_NOTHING_SAID = "non-zero return code"
_URL_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def read_summary(path: Path) -> PlaybookSummary:
    """Read the callback's file; empty when Ansible died before it could write the file."""
    try:
        return PlaybookSummary.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return PlaybookSummary()


def explained(
    error: CommandError, summary: PlaybookSummary, log: Path, *, name: str
) -> ProvisionError:
    """Explain a failed playbook: which task, its module's words, and what to do."""
    if error.returncode is None:
        last = f" after `{summary.tasks[-1][0]}`" if summary.tasks else ""
        return ProvisionError(
            f"provisioning did not end in time{last}",
            details=error.details,
            hint=f"the full log: {log}",
        )
    if not summary.failures:
        return _recognised("Ansible failed before its first task", error.details, log, name)
    # The first failure is the cause; the others followed from it
    failure = summary.failures[0]
    where = f" ({failure.item})" if failure.item else ""
    words, task = _words(failure), f"`{failure.task}`{where}"
    if failure.kind == "unreachable":
        lost = f"the connection to the machine was lost in {task}"
        told = _with_log(lost, words, _LOST_HINT.format(name=name), log)
        return ConnectionLostError(told.message, details=told.details, hint=told.hint)
    return _recognised(f"{task} failed", words, log, name)


def explained_bootstrap(error: CommandError, log: Path, *, name: str) -> ProvisionError:
    """Explain a failed bootstrap script."""
    said = [line for line in error.stderr.splitlines() if line.startswith("bootstrap: ")]
    if error.returncode is None:
        return _with_log("bootstrap did not end in time", error.details, "", log)
    message, hint = _BOOTSTRAP.get(error.returncode, ("bootstrap failed", ""))
    if said:
        # The script's own last line says which URL, or which package
        message = f"{message}: {said[-1].removeprefix('bootstrap: ')}"
    return _with_log(_URL_LOGIN.sub("", message), error.details, hint.format(name=name), log)


def _words(failure: TaskFailure) -> str:
    """The module's messages, each once."""
    parts: list[str] = []
    # Of a command that said something itself, Ansible's words add nothing
    msg = "" if failure.msg == _NOTHING_SAID and failure.stderr.strip() else failure.msg
    for text in (msg, failure.stderr, failure.stdout):
        lines = [line for line in text.strip().splitlines() if line.strip()]
        part = "\n".join(lines[-_LAST_LINES:])
        if part and not any(part in known for known in parts):
            parts.append(part)
    return "\n".join(parts)


def _recognised(message: str, words: str, log: Path, name: str) -> ProvisionError:
    for known in _KNOWN:
        if re.search(known.pattern, words):
            hint = known.hint.format(name=name)
            return _with_log(f"{message}: {known.message}", words, hint, log)
    return _with_log(message, words, "", log)


def _with_log(message: str, words: str, hint: str, log: Path) -> ProvisionError:
    last = f"the full log: {log}"
    return ProvisionError(
        message, details=_URL_LOGIN.sub("", words), hint=f"{hint}\n{last}" if hint else last
    )
