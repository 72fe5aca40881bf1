"""The pages of a running sandbox, and a way to reach them for as long as the user wants."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.guest.pages import Page, direct_pages
from sandbox.interrupts import Interrupted
from sandbox.workflows.context import Context


@dataclass(frozen=True)
class View:
    """The pages of a sandbox, as long as it is open."""

    pages: tuple[Page, ...]
    tunnelled: bool
    """Whether the way leads through ssh, and so ends with this process."""

    def wait(self) -> None:
        """Wait until Ctrl-C."""
        try:
            while True:
                time.sleep(3600)
        except Interrupted as error:
            if error.number != signal.SIGINT:
                raise


@contextmanager
def opened(name: str, *, context: Context) -> Iterator[View]:
    """Open the pages of a running sandbox: of its apps, and of servers without apps.

    Raises:
        UsageError: no such sandbox, or it does not run.
    """
    guest = context.guest_named(name)
    status = guest.require_running()
    direct = direct_pages(guest.plan.endpoints, status)
    with guest.reached_pages(status, guest.login()) as pages:
        yield View(pages, tunnelled=len(direct) < len(pages))
