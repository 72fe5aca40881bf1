"""Into a running sandbox: a shell, a command, its pages."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.interrupts import Interrupted
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.workflows.check import require_running
from sandbox.workflows.context import Context, status_of
from sandbox.workflows.reach import AppUrl, app_urls, connect, direct_url, shiny_base_url


def target_of(name: str, *, context: Context) -> SshTarget:
    """The ssh target of a running sandbox.

    Raises:
        UsageError: no such sandbox, or it does not run.
    """
    instance = Instance(name)
    record = instance.require()
    engine = context.engine(record.placement.provider)
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
    record = instance.require()
    plan = record.plan
    engine = context.engine(record.placement.provider)
    require_running(engine, name)
    status = status_of(engine, name)
    with shiny_base_url(plan, status, connect(instance, engine)) as base_url:
        urls = app_urls(plan, base_url)
        if base_url and not urls:
            urls = (AppUrl("Shiny Server", f"{base_url}/"),)
        yield View(urls, tunnelled=bool(base_url) and not direct_url(plan, status))
