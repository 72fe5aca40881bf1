"""RStudio Server from a baked image until somebody's session has run: ours, and the same by hand.

The server is the tests' stand-in for RStudio Server (tests/standin): a real R, PAM and systemd
beside a server that is not RStudio's. The peer's browser is the tests' own client, in this process.
"""

import http.client
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.measure import Table, in_turn, ratio
from bench.place import (
    address_by_hand,
    baked,
    copy_by_hand,
    gone_after,
    incus,
    name,
    sandbox,
)
from sandbox.errors import SandboxError
from tests.mirror import prepare, serving
from tests.standin.build import build_deb
from tests.standin.client import StandinClient

_VERSION = "2024.12.0+467"
_PORT = 8787
_USER = "ada"
_BOX = """\
version: 1
base: debian-12
machine: {{cpus: 2, memory_mb: 2048, disk_gb: 20}}
mirrors: {{rstudio: "{url}/rstudio"}}
system: {{locale: en_US.UTF-8}}
r: {{}}
services:
  rstudio_server:
    version: "{version}"
    config:
      rserver: {{auth-timeout-minutes: 480}}
      rsession: {{session-timeout-minutes: 120}}
users: [{{name: {user}}}]
"""


@contextmanager
def _box() -> Iterator[str]:
    """boxes/rstudio.yml with Debian's R and the stand-in, whose package is served meanwhile."""
    with tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch:
        folder = Path(scratch)
        for place in ("deb", "rstudio"):
            (folder / place).mkdir()
        with serving(prepare(), folder / "rstudio") as mirror:
            mirror.add_rstudio(build_deb(folder / "deb", version=_VERSION), _VERSION)
            path = folder / "rstudio.yml"
            text = _BOX.format(url=mirror.url, version=_VERSION, user=_USER)
            path.write_text(text, encoding="utf-8")
            yield str(path)


def _by_hand(source: str, machine: str) -> None:
    """Copy, start, set a password, wait for the page, sign in, start the session, let R write."""
    password = secrets.token_hex(8)
    copy_by_hand(source, machine)
    incus("start", machine)
    address = address_by_hand(machine)
    incus("exec", machine, "--", "sh", "-c", "echo $0 | chpasswd", f"{_USER}:{password}")
    client = StandinClient(address, _PORT)
    _wait_for_page(client)
    signed = client.sign_in(_USER, password)
    if signed.error or not signed.location:
        raise SandboxError(f"the sign-in by hand was refused: {signed}")
    client.start_session()
    client.run('writeLines(R.version.string, "~/proof")')
    if "R version" not in incus("exec", machine, "--", "cat", f"/home/{_USER}/proof").stdout:
        raise SandboxError("the session by hand has written nothing")


def _wait_for_page(client: StandinClient) -> None:
    """Ask until the sign-in page is there; it is for browsers alone."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if client.ask("GET", "/auth-sign-in").status == http.client.OK:
                return
    raise SandboxError(f"{client.host} shows no sign-in page")


def warm(runs: int) -> Table:
    """`sandbox up` of a baked box with RStudio Server against the same steps by hand."""
    ours, theirs = name("ours"), name("hand")

    def remove() -> None:
        sandbox("destroy", ours, check=False)
        incus("delete", "--force", theirs, check=False)

    with _box() as box, gone_after(ours, theirs):
        source = baked(box).image
        mine, peer = in_turn(
            {
                "sandbox up": lambda: sandbox("up", box, "--name", ours),
                "incus copy, start, page, sign-in, session": lambda: _by_hand(source, theirs),
            },
            runs=runs,
            before_each=remove,
        )
    notes = [
        ratio(mine, peer),
        "RStudio Server is the tests' stand-in for it; R is Debian's. Both end when R in a session"
        " has written a file. Ours makes an account for that, a login, a snapshot to go back to,"
        " new passwords and keys, the probe and the quick checks as well.",
    ]
    return Table("Warm up: RStudio Server, from a baked image to a session", [mine, peer], notes)
