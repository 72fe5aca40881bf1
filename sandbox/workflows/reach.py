"""Getting to a running machine: its ssh_config, and the URLs under which its apps answer."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from sandbox.deadline import Deadline, keep_trying, wait_until, wait_while
from sandbox.engines.base import Engine, MachineStatus, Power, RootExec
from sandbox.errors import CommandError, ProviderError, ProvisionError
from sandbox.run import TAIL_LINES
from sandbox.ssh import SshTarget, forwarded, write_config
from sandbox.state import Instance
from sandbox.waiting import ROOT_SHELL

if TYPE_CHECKING:
    from sandbox.plan import Plan
    from sandbox.provision import RootShell

READY_TIMEOUT_S = 60.0
SSH_TIMEOUT_S = 30.0
_LOGIN_S = 15.0
_GREETING_S = 3.0
_LOOK_AFTER_S = 2.0
_LOOK_EVERY_S = 5.0
_LONGEST_GREETING = 255


@dataclass(frozen=True)
class AppUrl:
    """Where a browser finds an app."""

    app: str
    url: str


class Why(Protocol):
    """Tells why an app does not answer."""

    def __call__(self, app: str, answer: str, *, since: float) -> ProvisionError | None:
        """The reason, where one is to be found; None: it may still come.

        Args:
            app: its name.
            answer: what came instead of its page.
            since: when waiting began, by time.monotonic().
        """
        ...


def nobody_knows(app: str, answer: str, *, since: float) -> None:
    """For who waits and does not want to know why."""
    del app, answer, since


def connect(instance: Instance, engine: Engine) -> SshTarget:
    """Write the ssh_config of a running machine; address and host key come from the provider."""
    return write_config(instance.folder, instance.name, engine.ssh_endpoint(instance.name))


def root_inside(engine: RootExec, name: str) -> "RootShell":
    """The root shell that the engine itself has into a machine, with or without sshd in it."""

    def shell(
        script: str, *, timeout_s: float, log: Path, on_line: Callable[[str], None]
    ) -> object:
        done = engine.exec_as_root(
            name,
            ROOT_SHELL,
            timeout_s=timeout_s,
            stdin=script,
            log=log,
            on_line=on_line,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(
                f"a script failed in {name} with exit status {done.returncode}",
                returncode=done.returncode,
                stdout=done.stdout,
                stderr=done.stderr,
                details="\n".join((done.stdout + done.stderr).splitlines()[-TAIL_LINES:]),
            )
        return done

    return shell


def sshd_is_dead(status: MachineStatus) -> bool:
    """Whether a machine that this host has a route to refuses ssh, or does not greet.

    A firewall in between says nothing of sshd: then there is another road.
    """
    if status.power is not Power.RUNNING or status.address is None:
        return False
    try:
        with socket.create_connection((status.address, 22), timeout=_GREETING_S) as connection:
            # Who goes without a word is an error in the machine's log
            connection.sendall(b"SSH-2.0-sandbox\r\n")
            return not connection.recv(_LONGEST_GREETING).startswith(b"SSH-")
    except ConnectionError:
        return True
    except OSError:
        return False


def wait_for_ssh(target: SshTarget, *, timeout_s: float = SSH_TIMEOUT_S) -> None:
    """Return once a login works.

    Raises:
        ProviderError: it does not within `timeout_s`; details are ssh's own words.
    """
    try:
        keep_trying(
            lambda: target.run(("true",), timeout_s=max(_LOGIN_S, timeout_s / 2)),
            Deadline(timeout_s),
            despite=CommandError,
            every_s=0.2,
            again=lambda _: True,
        )
    except CommandError as error:
        raise ProviderError(
            f"{target.host} runs, but ssh does not get in",
            details=error.details or error.message,
            hint=f"sandbox destroy {target.host}, then sandbox up again",
        ) from error


@contextmanager
def shiny_base_url(plan: "Plan", status: MachineStatus, target: SshTarget) -> Iterator[str]:
    """`http://HOST:PORT` of the machine's Shiny Server, for as long as the block runs.

    Direct where this host has a route to the machine or a port that leads there; else through ssh,
    from a port on 127.0.0.1. An empty string for a machine without Shiny Server.
    """
    shiny = plan.services.shiny_server
    if shiny is None:
        yield ""
    elif url := direct_url(plan, status):
        yield url
    else:
        with forwarded(target, shiny.port) as local_port:
            yield f"http://127.0.0.1:{local_port}"


def direct_url(plan: "Plan", status: MachineStatus) -> str:
    """`http://HOST:PORT` of its Shiny Server as it answers without us; empty when it does not."""
    shiny = plan.services.shiny_server
    return shiny_url(shiny.port if shiny is not None else None, status)


def shiny_url(port: int | None, status: MachineStatus) -> str:
    """The same, of what listens on the machine's `port`; None: nothing does."""
    if port is None:
        return ""
    if status.address is not None:
        return f"http://{status.address}:{port}"
    forwarded_port = status.forwarded_to(port)
    return f"http://127.0.0.1:{forwarded_port}" if forwarded_port is not None else ""


def app_urls(plan: "Plan", base_url: str) -> tuple[AppUrl, ...]:
    """The URL of each app under `base_url`; none without Shiny Server or without apps."""
    return page_urls((app.name for app in plan.apps), base_url)


def page_urls(apps: Iterable[str], base_url: str) -> tuple[AppUrl, ...]:
    """The same, of the apps of these names."""
    return tuple(AppUrl(app, f"{base_url}/{app}/") for app in apps) if base_url else ()


def page_status(url: str, *, timeout_s: float) -> str:
    """`` when the page answers 200, else what came instead, in a few words."""
    import urllib.error
    import urllib.request

    # Never through a proxy of the user's: the machine is on this host or at the end of a tunnel
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {error.reason}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def wait_for_port(base_url: str, *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Return once somebody listens there, or after `timeout_s`: what is wrong is judged later."""
    if not base_url:
        return
    place = urlsplit(base_url)
    address = (place.hostname or "", place.port or 80)

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(address, timeout=timeout_s):
            return True
        return False

    wait_until(listens, Deadline(timeout_s), every_s=0.02)


@contextmanager
def knocking(urls: tuple[AppUrl, ...], *, timeout_s: float = READY_TIMEOUT_S) -> Iterator[None]:
    """Ask every app for its page on the side, so that its R starts; what it answers is not kept."""

    def knock() -> None:
        with suppress(ProvisionError):
            wait_for_apps(urls, name="", timeout_s=timeout_s)

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    yield
    # Whoever waited for the pages in the block has waited for this too


def wait_for_apps(
    urls: tuple[AppUrl, ...],
    *,
    name: str,
    timeout_s: float = READY_TIMEOUT_S,
    why: Why = nobody_knows,
) -> None:
    """Return once every app serves its page.

    Args:
        urls: of the apps.
        name: of the sandbox.
        timeout_s: how long to wait for them all.
        why: asked now and then, why an app does not answer: what it knows ends the waiting.

    Raises:
        ProvisionError: one does not, for a reason that `why` knows, or not within `timeout_s`.
    """
    since, deadline, first_look = time.monotonic(), Deadline(timeout_s), Deadline(_LOOK_AFTER_S)
    look = first_look

    def ask(app: AppUrl) -> str:
        nonlocal look
        answer = page_status(app.url, timeout_s=timeout_s)
        # Shiny Server says so when an app's R has ended; of all else it may be too early
        if answer.startswith("HTTP 5") or (answer and look.is_over):
            look = Deadline(_LOOK_EVERY_S)
            if (error := why(app.app, answer, since=since)) is not None:
                raise error
        return answer

    for app in urls:
        look = first_look
        if answer := wait_while(partial(ask, app), deadline, every_s=0.1):
            raise ProvisionError(
                f"the app {app.app} does not answer",
                details=f"{app.url}: {answer} (for {timeout_s:g} s)",
                hint=f"sandbox logs {name} shows what Shiny Server and the app say",
            )
