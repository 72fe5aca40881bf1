"""The machines of the benchmark: ours by the command line, the peers' by `incus` itself."""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sandbox.cli.settings import place
from sandbox.errors import SandboxError
from sandbox.providers.abilities import BakedImage
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.place import IncusPlace
from sandbox.run import Completed, run
from sandbox.state import Instance

SANDBOX = Path(sys.executable).with_name("sandbox")
BOX = os.environ.get("SANDBOX_BENCH_BOX") or "shiny"
PAGE = "/faithful/"
AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Where it is set, Python compiles the whole program again at every start."""
_S = 3600.0


def name(word: str) -> str:
    """Of a machine of this run."""
    return f"bench-{os.getpid()}-{word}"


def sandbox(*words: str, check: bool = True) -> Completed:
    """The command line, as a user types it."""
    env = {"SANDBOX_PROVIDER": "incus", **AS_INSTALLED}
    return run((SANDBOX, *words), timeout_s=_S, check=check, env=env)


def incus_place() -> IncusPlace:
    """Our project, pool and network in Incus."""
    return IncusPlace.at(place())


def incus(*words: str, check: bool = True) -> Completed:
    """Incus's own client, in our project."""
    return run(("incus", "--project", incus_place().project, *words), timeout_s=_S, check=check)


def baked(box: str = BOX) -> BakedImage:
    """The image of the box; made when there is none."""
    image = json.loads(sandbox("bake", box, "--json").stdout)["image"]
    return next(one for one in IncusEngine(incus_place()).baked_images() if one.image == image)


def page_of(machine: str) -> str:
    """The URL of its app."""
    return sandbox("open", machine, "--no-browser").stdout.split()[-1]


def plain_testinfra(machine: str, url: str) -> Completed:
    """The same assertions without us; of the box shiny."""
    config = Instance(machine).folder / "ssh_config"
    tests = Path(__file__).with_name("plain_testinfra.py")
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    where = (f"--hosts=ssh://{machine}", f"--ssh-config={config}")
    return run((*argv, *where), timeout_s=_S, env={"SANDBOX_BENCH_URL": url, **AS_INSTALLED})


def kill_by_hand(machine: str, address: str) -> None:
    """Kill Shiny Server's process, and ask for the page until the next one serves it."""
    unit = ("systemctl", "show", "-p", "MainPID", "--value", "shiny-server.service")
    pid = incus("exec", machine, "--", *unit).stdout.strip()
    incus("exec", machine, "--", "kill", "-KILL", pid)
    first_page(address)


def client() -> IncusClient:
    """The API."""
    return IncusClient(incus_place())


def copy_by_hand(source: str, target: str) -> None:
    """`incus copy`, with the network card that a baked image does not have."""
    card = (
        "-d",
        "eth0,type=nic",
        "-d",
        f"eth0,network={incus_place().network}",
        "-d",
        "eth0,name=eth0",
    )
    incus("copy", source, target, *card)


def address_by_hand(machine: str) -> str:
    """Ask until it has one."""
    while True:
        said = incus("list", f"^{machine}$", "--format=csv", "--columns=4").stdout
        if address := said.split(" ")[0].strip():
            return address


def first_page(address: str, path: str = PAGE, *, port: int = 3838) -> None:
    """Ask until the app answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address, port, timeout=60)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.OK:
                return
        connection.close()
        # Without this the asking itself takes one of the processors from what is being started
        time.sleep(0.02)
    raise SandboxError(f"{address} served no page")


def up_by_hand(source: str, machine: str) -> None:
    """Copy, start, first page: what any tool on Incus has to do at least."""
    copy_by_hand(source, machine)
    incus("start", machine)
    first_page(address_by_hand(machine))


@contextmanager
def gone_after(*machines: str) -> Iterator[None]:
    """Whatever the block makes under these names is removed."""
    try:
        yield
    finally:
        for machine in machines:
            if sandbox("destroy", machine, check=False).returncode != 0:
                incus("delete", "--force", machine, check=False)
