"""The pages of a running machine: their URLs, and waiting until they answer."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from sandbox.deadline import Deadline, wait_until, wait_while
from sandbox.endpoints import BROWSER, Endpoint, Proof
from sandbox.errors import ProvisionError
from sandbox.providers.engine import MachineStatus
from sandbox.ssh import SshTarget, forwarded

if TYPE_CHECKING:
    from sandbox.plan import Plan

READY_TIMEOUT_S = 60.0
_LOOK_AFTER_S = 2.0
_LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Page:
    """Where a browser on this host finds an endpoint."""

    endpoint: Endpoint
    base_url: str
    """`http://HOST:PORT`"""

    @property
    def name(self) -> str:
        """The name shown to users."""
        return self.endpoint.name

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.base_url}{self.endpoint.path}"


class Why(Protocol):
    """Tells why an app does not answer."""

    def __call__(self, app: str, answer: str, *, since: float) -> ProvisionError | None:
        """The reason, if one is known; None: the page may still come.

        Args:
            app: the app's name.
            answer: the wrong answer that came instead of the page.
            since: when waiting began, by time.monotonic().
        """
        ...


def nobody_knows(app: str, answer: str, *, since: float) -> None:
    """Give no reason: for callers that only wait."""
    del app, answer, since


def direct_pages(endpoints: Iterable[Endpoint], status: MachineStatus) -> tuple[Page, ...]:
    """Return the pages that answer without us: over a route to the machine, or a forwarded port."""
    return tuple(
        Page(endpoint, base_url)
        for endpoint in endpoints
        if not endpoint.is_local and (base_url := _direct_url(endpoint.port, status))
    )


@contextmanager
def reached_pages(
    endpoints: Iterable[Endpoint], status: MachineStatus, target: SshTarget
) -> Iterator[tuple[Page, ...]]:
    """Open ways to all pages, for as long as the block runs.

    Where there is no direct way, they are reached through ssh, from a port on 127.0.0.1.
    """
    wanted = tuple(endpoints)
    with ExitStack() as stack:
        bases = {}
        inside = {endpoint.port for endpoint in wanted if endpoint.is_local}
        for port in dict.fromkeys(endpoint.port for endpoint in wanted):
            bases[port] = _direct_url(port, status) if port not in inside else ""
            if not bases[port]:
                local_port = stack.enter_context(forwarded(target, port))
                bases[port] = f"http://127.0.0.1:{local_port}"
        yield tuple(Page(endpoint, bases[endpoint.port]) for endpoint in wanted)


def proven_by_page(pages: Iterable[Page]) -> tuple[Page, ...]:
    """Return the pages that must answer a request; for the others an open port is enough."""
    return tuple(page for page in pages if page.endpoint.proof is Proof.PAGE)


def apps_url(plan: "Plan", pages: Iterable[Page]) -> str:
    """Return `http://HOST:PORT` of the server of the apps; empty when the machine has none."""
    server = plan.app_server
    of_it = (page for page in pages if server is not None and page.endpoint.service == server.name)
    return next((page.base_url for page in of_it), "")


def urls_of(pages: Iterable[Page]) -> dict[str, str]:
    """`http://HOST:PORT` of each server, by name, and of each of its ports, by `Endpoint.way`."""
    found: dict[str, str] = {}
    for page in pages:
        found.setdefault(page.endpoint.service, page.base_url)
        found[page.endpoint.way] = page.base_url
    return found


def _direct_url(port: int, status: MachineStatus) -> str:
    if status.address is not None:
        return f"http://{status.address}:{port}"
    forwarded_port = status.forwarded_to(port)
    return f"http://127.0.0.1:{forwarded_port}" if forwarded_port is not None else ""


def page_status(url: str, *, timeout_s: float) -> str:
    """Ask for a page: empty when it answers 200, else the wrong answer in a few words."""
    import urllib.error
    import urllib.request

    # Never through a proxy of the user's: the machine is on this host or at the end of a tunnel
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        asked = urllib.request.Request(url, headers={"User-Agent": BROWSER})  # noqa: S310
        with opener.open(asked, timeout=timeout_s) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def wait_for_ports(pages: Iterable[Page], *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Return once each port is open, or after `timeout_s`: errors are judged later.

    Args:
        pages: the pages of the machine.
        timeout_s: how long to wait for them all.
    """
    deadline = Deadline(timeout_s)

    def listens(base_url: str) -> bool:
        place = urlsplit(base_url)
        address = (place.hostname or "", place.port or 80)
        with suppress(OSError), socket.create_connection(address, timeout=timeout_s):
            return True
        return False

    for base_url in dict.fromkeys(page.base_url for page in pages):
        wait_until(partial(listens, base_url), deadline, every_s=0.02)


@contextmanager
def knocking(pages: Iterable[Page], *, timeout_s: float = READY_TIMEOUT_S) -> Iterator[None]:
    """Ask for every page in the background, so that its R starts; the answers are not kept."""
    wanted = tuple(pages)

    def knock() -> None:
        with suppress(ProvisionError):
            wait_for_pages(wanted, name="", timeout_s=timeout_s)

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    yield
    # The code in the block has waited for the pages, and so for these requests


def wait_for_pages(
    pages: Iterable[Page],
    *,
    name: str,
    timeout_s: float = READY_TIMEOUT_S,
    why: Why = nobody_knows,
) -> None:
    """Return once every page answers.

    Args:
        pages: the pages of the machine; those for which an open port is enough are not asked.
        name: the name of the sandbox.
        timeout_s: how long to wait for them all.
        why: asked now and then why an app does not answer; a reason ends the waiting.

    Raises:
        ProvisionError: a page does not answer, for a reason from `why`, or within `timeout_s`.
    """
    since, deadline, first_look = time.monotonic(), Deadline(timeout_s), Deadline(_LOOK_AFTER_S)
    look = first_look

    def ask(page: Page) -> str:
        nonlocal look
        answer = page_status(page.url, timeout_s=timeout_s)
        # Shiny Server gives this answer when an app's R has ended; other answers may change soon
        if not (page.endpoint.is_app or page.endpoint.kind):
            # A server's own page: nobody's code stands behind it
            return answer
        if answer.startswith("HTTP 5") or (answer and look.is_over):
            look = Deadline(_LOOK_EVERY_S)
            if (error := why(page.name, answer, since=since)) is not None:
                raise error
        return answer

    for page in proven_by_page(pages):
        look = first_look
        if answer := wait_while(partial(ask, page), deadline, every_s=0.1):
            raise ProvisionError(
                f"{page.endpoint.title} does not answer",
                details=f"{page.url}: {answer} (for {timeout_s:g} s)",
                hint=f"sandbox logs {name} shows what the machine says of it",
            )
