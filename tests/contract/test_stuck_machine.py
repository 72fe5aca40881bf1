"""A machine in which something stands still: it is said, mended, or ended with the reason.

One machine for all: each test ends with a bootstrap that goes well.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import waiting
from sandbox.errors import ProvisionError
from sandbox.events import Event, Notice, ignore
from sandbox.guest.login import root_inside
from sandbox.placement import Placement
from sandbox.providers.incus.place import IncusPlace
from sandbox.provision import bootstrap
from sandbox.spec.models import Mirror
from tests.contract.conftest import IncusLab, lab_on_incus
from tests.unit.factories import plain_plan, plain_sandbox

pytestmark = pytest.mark.incus

# Takes connections and never answers
_HANGING = """
import socket
server = socket.create_server(("127.0.0.1", 8099), backlog=50)
kept = []
while True:
    kept.append(server.accept())
"""
_LOCKED = """
import fcntl, time
with open("/var/lib/dpkg/lock-frontend", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(25)
"""


@pytest.fixture(scope="module")
def lab(incus_place: IncusPlace, incus_image: str) -> Iterator[IncusLab]:
    """With the machine `stuck` in it, which runs."""
    with lab_on_incus(incus_place, incus_image) as made:
        made.engine.create(made.spec("stuck"), ignore)
        made.engine.start("stuck", ignore)
        yield made


@pytest.fixture
def stuck(lab: IncusLab, tmp_path: Path) -> "Stuck":
    return Stuck(lab, tmp_path)


class Stuck:
    """A running machine, and what its bootstrap says."""

    def __init__(self, lab: IncusLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.heard: list[Event] = []

    def sh(self, script: str, stdin: str | None = None) -> str:
        return self.lab.run("stuck", "sh", "-c", script, stdin=stdin)

    def background(self, script: str, *, python: str | None = None, run: str = "") -> None:
        """Start it, as what is left of a killed run of that mark, or as a stranger's."""
        if python is not None:
            self.sh("cat > /root/job.py", stdin=python)
            script = "python3 /root/job.py"
        mark = f"SANDBOX_RUN={run} " if run else ""
        self.sh(f"{mark}setsid {script} </dev/null >/dev/null 2>&1 & sleep 0.5")

    def bootstrap(self, placement: Placement) -> None:
        shell = root_inside(self.lab.engine, "stuck")
        bootstrap(placement, shell, self.folder, self.heard.append)

    def notices(self) -> str:
        return "\n".join(event.text for event in self.heard if isinstance(event, Notice))


def with_mirror(url: str) -> Placement:
    system = plain_plan().system.model_copy(update={"mirror": Mirror(debian=url)})
    return plain_sandbox("stuck", system=system)


def test_a_lock_that_somebody_holds_is_told_and_waited_for(stuck: Stuck) -> None:
    stuck.sh("apt-get -q update; apt-get -qy purge ca-certificates")
    stuck.background("", python=_LOCKED)
    stuck.bootstrap(plain_sandbox("stuck"))
    assert "another program holds the package manager's lock: process" in stuck.notices()
    assert "(python3)" in stuck.notices()
    status = "dpkg-query -W -f '${db:Status-Status}' ca-certificates"
    assert stuck.sh(status) == "installed"


def test_a_mirror_that_hangs_is_told_and_given_up(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "GIVEN_UP_AFTER_S", 8.0)
    stuck.background("", python=_HANGING)
    started = time.monotonic()
    with pytest.raises(ProvisionError, match="takes connections and does not answer"):
        stuck.bootstrap(with_mirror("http://127.0.0.1:8099/debian"))
    assert time.monotonic() - started < 90
    assert "takes connections and does not answer" in stuck.notices()
    # Nothing of it goes on
    assert "apt-get" not in stuck.sh("ps -eo comm")
    # The box is mended
    stuck.bootstrap(plain_sandbox("stuck"))


@pytest.mark.slow
def test_names_that_cannot_be_looked_up_are_told(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    # apt itself would try for two minutes
    monkeypatch.setattr(waiting, "GIVEN_UP_AFTER_S", 8.0)
    stuck.sh("echo nameserver 192.0.2.1 > /etc/resolv.conf; rm -f /var/lib/sandbox/apt-updated")
    started = time.monotonic()
    with pytest.raises(ProvisionError, match="names cannot be resolved inside") as caught:
        stuck.bootstrap(plain_sandbox("stuck"))
    assert time.monotonic() - started < 90
    assert "asking 192.0.2.1" in stuck.notices()
    assert "/etc/resolv.conf" in caught.value.hint
    # What the hint says mends it
    stuck.lab.engine.stop("stuck", timeout_s=30)
    stuck.lab.engine.start("stuck", ignore)
    stuck.bootstrap(plain_sandbox("stuck"))


def test_what_a_killed_run_left_at_work_is_ended_and_said(stuck: Stuck) -> None:
    stuck.background("sleep 1000", run="of-a-killed-up")
    stuck.background("sleep 2000")
    stuck.bootstrap(plain_sandbox("stuck"))
    assert "an earlier run that was cut off is still at work" in stuck.notices()
    assert "(sleep): ending it" in stuck.notices()
    running = stuck.sh("ps -eo args")
    assert "sleep 1000" not in running
    # What is no run of ours is not ours to end
    assert "sleep 2000" in running


def test_a_dpkg_that_a_killed_run_left_may_end_its_work(stuck: Stuck) -> None:
    stuck.sh("cp /bin/sleep /usr/local/bin/dpkg-job")
    stuck.background("/usr/local/bin/dpkg-job 6", run="of-a-killed-up")
    started = time.monotonic()
    stuck.bootstrap(plain_sandbox("stuck"))
    assert time.monotonic() - started > 4
    assert "waiting for its dpkg" in stuck.notices()


def test_packages_left_half_installed_are_finished_and_said(stuck: Stuck) -> None:
    stuck.sh("apt-get -q update; cd /tmp && apt-get -q download tree && dpkg --unpack tree_*.deb")
    stuck.bootstrap(plain_sandbox("stuck"))
    assert "packages that an earlier run left half installed are finished" in stuck.notices()
    assert stuck.sh("dpkg-query -W -f '${db:Status-Status}' tree") == "installed"
