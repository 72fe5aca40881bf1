"""A sandbox's logs: each app's last start, its servers, the system; and our own."""

import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.app_logs.answer import LOG_BYTES, AppLogs, logs_script, parse_logs
from sandbox.errors import CommandError, ProviderError, UsageError
from sandbox.interrupts import Interrupted
from sandbox.placement import Placement
from sandbox.servers import wanted
from sandbox.spec.plumber import unit_of
from sandbox.ssh import SshTarget
from sandbox.state import Instance, instance_names
from sandbox.workflows.context import Context

_TIMEOUT_S = 30.0
_EVERY_S = 1.0
_LINE_BYTES = 400
_MOST_BYTES = 2 * 1024 * 1024
# Shell on the machine's side: the number of lines, and then the files of the servers
_SYSTEM = """
lines=$1
shift
for file do
  printf '==> %s <==\\n' "$file"
  tail -n "$lines" -- "$file" 2>/dev/null
done
printf '==> journal: warnings and worse <==\\n'
journalctl --no-pager --quiet --boot --priority=warning --lines="$lines"
"""


def the_only(name: str | None) -> str:
    """Choose the name that was given, or that of the only sandbox.

    Raises:
        UsageError: there is no sandbox, or more than one.
    """
    if name is not None:
        return name
    names = instance_names()
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("there is no sandbox yet", hint="sandbox up BOX makes one")
    raise UsageError(
        "there are several sandboxes: say which",
        details=", ".join(names),
        hint=f"sandbox logs {names[0]}",
    )


def machine_logs(name: str, *, context: Context, lines: int, app: str | None = None) -> str:
    """Read the last lines of an app's last start; without `app`: of all apps, servers, the system.

    Raises:
        UsageError: no such sandbox, it does not run, or it has no such app.
        ProviderError: they cannot be read.
    """
    reader = _LogReader.of(name, app, context)
    answer = reader.ask(most_bytes=min(_MOST_BYTES, max(LOG_BYTES, lines * _LINE_BYTES)))
    parts = []
    for one in reader.apps:
        log = answer.newest(one)
        if log is None:
            parts.append(f"==> {one} <==\n{_no_log(one)}")
        else:
            last = "\n".join(log.text.splitlines()[-lines:])
            release = ", by a release before" if log.earlier else ""
            parts.append(f"==> {log.path} (written {log.age_s:.0f} s ago{release}) <==\n{last}")
    for api in reader.apis:
        log_of = answer.units[unit_of(api)]
        last = "\n".join(log_of.text.splitlines()[-lines:])
        parts.append(f"==> {unit_of(api)}, since its last start: {log_of.state} <==\n{last}")
    if app is None:
        files = [one.log_file for one in wanted(reader.placement.plan.services) if one.log_file]
        parts.append(reader.run(("sh", "-s", "--", str(lines), *files), stdin=_SYSTEM))
    return "\n".join(part.rstrip("\n") for part in parts)


def follow(name: str, *, context: Context, lines: int, app: str | None = None) -> Iterator[str]:
    """Follow the logs of an app, or of all: yield new lines as they come, until Ctrl-C.

    Raises:
        UsageError: no such sandbox, it does not run, or it has no such app.
        ProviderError: the machine does not answer any more.
    """
    reader = _LogReader.of(name, app, context)
    if not reader.apps and reader.apis:
        unit = unit_of(reader.apis[0])
        raise UsageError(
            "only the logs of apps can be followed here",
            hint=f"sandbox ssh {name} -- sudo journalctl -f -u {unit}",
        )
    ends: dict[str, int] = {}
    shown = ""
    try:
        while True:
            answer = reader.ask(after=ends)
            for one in reader.apps:
                log = answer.newest(one)
                if log is None or ends.get(log.path) == log.end:
                    continue
                text = log.text.splitlines()
                text = text if log.path in ends else text[-lines:]
                ends[log.path] = log.end
                head = [] if shown == log.path else [f"==> {log.path} <=="]
                shown = log.path
                yield "\n".join([*head, *text])
            time.sleep(_EVERY_S)
    except Interrupted as error:
        if error.number != signal.SIGINT:
            raise


def own_logs(name: str, *, lines: int) -> list[tuple[Path, str]]:
    """Read the last lines of our own logs about this sandbox, the newest file last.

    Raises:
        UsageError: no such sandbox.
    """
    instance = Instance(name)
    instance.require()
    paths = sorted(instance.logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
    return [
        (path, "\n".join(path.read_text(errors="replace", encoding="utf-8").splitlines()[-lines:]))
        for path in paths
    ]


@dataclass(frozen=True)
class _LogReader:
    """Asks one machine for the logs of some apps."""

    placement: Placement
    target: SshTarget
    apps: tuple[str, ...]
    apis: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, app: str | None, context: Context) -> "_LogReader":
        guest = context.guest_named(name)
        known = tuple(one.name for one in guest.plan.apps)
        apis = tuple(one.name for one in guest.plan.apis)
        if app is not None and app in apis:
            return cls(guest.placement, guest.require_login(), (), (app,))
        if app is not None and app not in known:
            raise UsageError(
                f"the sandbox {name} has no app `{app}`",
                details=f"its apps: {', '.join(known)}" if known else "its box names no apps",
                hint=f"sandbox logs {name}",
            )
        target = guest.require_login()
        if app is not None:
            return cls(guest.placement, target, (app,))
        return cls(guest.placement, target, known, apis)

    def ask(
        self, *, most_bytes: int = LOG_BYTES, after: Mapping[str, int] | None = None
    ) -> AppLogs:
        words = logs_script(
            self.placement.plan,
            self.apps,
            explain=False,
            most_bytes=most_bytes,
            after=after,
            units=map(unit_of, self.apis),
        )
        try:
            return parse_logs(self.run(("sh", "-c", words)))
        except ValueError as error:
            raise ProviderError(
                f"cannot read the logs of {self.placement.name}", details=str(error)
            ) from error

    def run(self, command: tuple[str, ...], *, stdin: str | None = None) -> str:
        try:
            done = self.target.run(("sudo", "-n", *command), stdin=stdin, timeout_s=_TIMEOUT_S)
        except CommandError as error:
            raise ProviderError(
                f"cannot read the logs of {self.placement.name}",
                details=error.details or error.message,
            ) from error
        return done.stdout


def _no_log(app: str) -> str:
    return (
        f"no log: nobody has opened {app} yet, or its R has ended well "
        "(Shiny Server removes the log then)"
    )
