"""Runs that are killed leave a project, a pool and a network; the next run removes them."""

import subprocess
import sys

from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.place import IncusPlace
from tests.conftest import Host
from tests.contract.conftest import _MARK, remove_labs_of_the_dead


def test_only_labs_of_ours_whose_process_has_ended_go(host: Host) -> None:
    assert host.prefix
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    anywhere = IncusClient(IncusPlace("default", "", ""))
    dead, alive = f"sbx{ended.pid}", f"sbx{living.pid}"
    foreign = f"sbx{ended.pid}0000"[:10]
    try:
        for name, marks in ((dead, (f"{_MARK}=yes",)), (alive, (f"{_MARK}=yes",)), (foreign, ())):
            words = [word for mark in ("features.images=true", *marks) for word in ("-c", mark)]
            anywhere.run("project", "create", anywhere.ref(name), *words)
        remove_labs_of_the_dead()
        assert not anywhere.exists("projects", dead)
        assert anywhere.exists("projects", alive)
        assert anywhere.exists("projects", foreign)
    finally:
        living.kill()
        living.wait()
        for name in (dead, alive, foreign):
            anywhere.run("project", "delete", anywhere.ref(name), check=False)
