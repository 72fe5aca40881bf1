"""Into a running sandbox: a shell, a command, its pages, its logs."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import CommandError, ProviderError
from sandbox.interrupts import Interrupted
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.workflows.check import require_running
from sandbox.workflows.context import Context, status_of
from sandbox.workflows.reach import AppUrl, app_urls, connect, direct_url, shiny_base_url

# Shell on the machine's side, with the number of lines as $1
_LOGS = """
n=$1
for file in /var/log/shiny-server.log /var/log/shiny-server/*.log; do
  [ -f "$file" ] || continue
  printf '==> %s <==\\n' "$file"
  tail -n "$n" -- "$file"
done
printf '==> journal: warnings and worse <==\\n'
journalctl --no-pager --quiet --boot --priority=warning --lines="$n"
"""


def target_of(name: str, *, context: Context) -> SshTarget:
    """The ssh target of a running sandbox.

    Raises:
        UsageError: no such sandbox, or it does not run.
    """
    instance = Instance(name)
    record = instance.require()
    engine = context.engine(record.plan.provider)
    require_running(engine, name)
    return connect(instance, engine)


@dataclass(frozen=True)
class View:
    """The pages of a sandbox, as long as it is open."""

    urls: tuple[AppUrl, ...]
    tunnelled: bool
    """The way leads through ssh, and ends with this process."""

    def wait(self) -> None:
        """Until Ctrl-C."""
        try:
            while True:
                time.sleep(3600)
        except Interrupted as error:
            if error.number != signal.SIGINT:
                raise


@contextmanager
def opened(name: str, *, context: Context) -> Iterator[View]:
    """The URLs of a running sandbox's apps, or of its Shiny Server when it has no apps.

    Raises:
        UsageError: no such sandbox, or it does not run.
    """
    instance = Instance(name)
    plan = instance.require().plan
    engine = context.engine(plan.provider)
    require_running(engine, name)
    status = status_of(engine, name)
    with shiny_base_url(plan, status, connect(instance, engine)) as base_url:
        urls = app_urls(plan, base_url)
        if base_url and not urls:
            urls = (AppUrl("Shiny Server", f"{base_url}/"),)
        yield View(urls, tunnelled=bool(base_url) and not direct_url(plan, status))


def machine_logs(name: str, *, context: Context, lines: int) -> str:
    """The last lines of Shiny Server's logs, of its apps' logs, and of the journal's warnings.

    Raises:
        ProviderError: they cannot be read.
    """
    target = target_of(name, context=context)
    command = ("sudo", "-n", "sh", "-s", "--", str(lines))
    try:
        return target.run(command, stdin=_LOGS, timeout_s=30).stdout.rstrip("\n")
    except CommandError as error:
        raise ProviderError(
            f"cannot read the logs of {name}", details=error.details or error.message
        ) from error


def own_logs(name: str, *, lines: int) -> list[tuple[Path, str]]:
    """The last lines of what sandbox logged about this sandbox, the newest file last.

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
