"""The whole life of a VM on real VirtualBox; one boot takes minutes where nothing helps it."""

import sys
import time
from collections.abc import Callable

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.providers.engine import Power
from tests.virtualbox.conftest import VirtualBoxLab, manage

pytestmark = [pytest.mark.virtualbox, pytest.mark.slow]


LOOK = """
hostname; id -u; pwd
cat /sys/block/sda/size
head -c 1M /dev/urandom >/run/noise
dd if=/run/noise of=/dev/sda bs=1M seek=3000 conv=notrunc,fsync status=none
echo 1 >/proc/sys/vm/drop_caches
dd if=/dev/sda bs=1M skip=3000 count=1 status=none | cmp - /run/noise &&
  echo 'beyond the base image: same'
echo "insecure keys: $(cat /home/*/.ssh/authorized_keys | grep -c 6NF8iallvQVp22WDkTkyrtvp)"
cut -d' ' -f1,2 /etc/ssh/*.pub
echo before >/root/kept; sync
"""


def timed(what: str, call: Callable[[], object]) -> None:
    started = time.monotonic()
    call()
    sys.stderr.write(f"{what}: {time.monotonic() - started:.1f} s\n")


def test_a_life(lab: VirtualBoxLab) -> None:
    engine, spec = lab.engine, lab.spec("life")

    def sh(script: str) -> list[str]:
        """What it prints. One login takes a minute where nothing helps VirtualBox: few are made."""
        started = time.monotonic()
        try:
            done = engine.exec_as_root("life", ("sh", "-ec", script), timeout_s=600)
        except ProviderError as error:
            pytest.fail(f"{error.message}: {error.details}", pytrace=False)
        sys.stderr.write(f"a command: {time.monotonic() - started:.1f} s\n")
        return done.stdout.splitlines()

    timed("create", lambda: engine.create(spec, ignore))
    assert engine.status()["life"].power is Power.STOPPED
    timed("start", lambda: engine.start("life", ignore))
    running = engine.status(["life"])["life"]
    assert running.power is Power.RUNNING
    assert set(spec.labels) <= set(running.labels)
    endpoint = engine.ssh_endpoint("life")
    assert (endpoint.host, endpoint.user) == ("127.0.0.1", "sandbox")
    assert running.forwarded_to(3838) not in (None, endpoint.port)
    said = sh(LOOK)
    assert said[:3] == ["life", "0", "/root"]
    # As large as was asked for, and the room beyond the base image's end is really there
    assert int(said[3]) * 512 == spec.disk_gb * 1024**3
    assert said[4] == "beyond the base image: same"
    assert said[5] == "insecure keys: 0"
    assert set(endpoint.host_keys) == set(said[6:])

    timed("save", lambda: engine.save_snapshot("life", "one", ignore))
    with pytest.raises(ProviderError, match="already"):
        engine.save_snapshot("life", "one", ignore)
    assert sh("echo after >/root/kept; sync; cat /root/kept") == ["after"]
    timed("restore", lambda: engine.restore_snapshot("life", "one", ignore))
    assert engine.status()["life"].power is Power.RUNNING
    assert sh("cat /root/kept") == ["before"]
    assert [one.name for one in engine.snapshots("life")] == ["one"]
    engine.delete_snapshot("life", "one")
    assert engine.snapshots("life") == ()

    # The plug is pulled behind our back: VirtualBox calls it aborted
    manage("startvm", lab.uuid("life"), "--type", "emergencystop")
    assert engine.status()["life"].power is Power.STOPPED
    timed("start", lambda: engine.start("life", ignore))
    assert sh("cat /root/kept") == ["before"]
    assert engine.ssh_endpoint("life").host_keys == endpoint.host_keys
    timed("stop", lambda: engine.stop("life", timeout_s=60))
    assert engine.status()["life"].power is Power.STOPPED
    timed("destroy", lambda: engine.destroy("life"))
    assert lab.traces() == []


def test_killed_twice_while_it_starts(lab: VirtualBoxLab) -> None:
    """Once while Vagrant sets the VM up, once while the VM boots under Vagrant's eyes."""
    engine, spec = lab.engine, lab.spec("cut")
    engine.create(spec, ignore)
    for after_s in (3.0, 45.0):
        lab.kill_after("engine.start('cut', ignore)", after_s)
    timed("the third start", lambda: engine.start("cut", ignore))
    done = engine.exec_as_root("cut", ("hostname",), timeout_s=600)
    assert done.stdout == "cut\n"
    engine.destroy("cut")
    assert lab.traces() == []
