"""The keeper of a workshop as real processes: killed at any point, it is back; asked, it ends.

There is no machine: what the keeper asks of a provider fails, which must stop none of its parts.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sandbox.deadline import Deadline, wait_until
from sandbox.host.nginx import OwnNginx
from sandbox.host.nginx_setup import nginx_program
from sandbox.workflows.workshop import keeper, proxy
from sandbox.workflows.workshop.running import RunningWorkshop
from tests.conftest import ROOT, Host
from tests.fakes.workshops import open_workshop_of
from tests.standin.lab import free_port

SOON_S = 60.0
"""On a machine that is busy with other tests; alone it is back within 3 s."""


@pytest.fixture
def ws(nginx: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWorkshop]:
    assert nginx_program() is not None, nginx
    for kind in ("STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.setenv("SANDBOX_INCUS_PREFIX", "keeptest")
    monkeypatch.setenv("SANDBOX_SECRET_TOKEN", "not for the keeper")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    listen = {"port": free_port(), "page_port": free_port()}
    made = open_workshop_of(2, said={"listen": listen})
    yield made
    keeper.stop_keeper(made)
    proxy.stop_proxy(made)


def pid_of(ws: RunningWorkshop, which: str) -> int | None:
    return keeper.holder(ws.store, which)


def proxy_of(ws: RunningWorkshop) -> OwnNginx:
    return OwnNginx(ws.store.folder / "nginx", ws.workshop.listen.port, "listen.port")


def all_well(ws: RunningWorkshop) -> bool:
    both = (pid_of(ws, keeper.PARENT), pid_of(ws, keeper.CHILD))
    serving = [one for one in proxy_of(ws).processes() if not (one.is_master or one.is_leaving)]
    return None not in both and proxy.proxy_runs(ws) and bool(serving)


def soon(ws: RunningWorkshop) -> bool:
    return wait_until(lambda: all_well(ws), Deadline(SOON_S), every_s=0.1)


def log(ws: RunningWorkshop) -> str:
    return keeper.log_of(ws.store).read_text(encoding="utf-8")


def test_it_starts_once_tends_the_proxy_and_ends_when_asked(ws: RunningWorkshop) -> None:
    assert not keeper.keeper_runs(ws.store)
    keeper.ensure_keeper(ws)
    assert keeper.keeper_runs(ws.store)
    assert soon(ws), log(ws)
    before = pid_of(ws, keeper.PARENT), pid_of(ws, keeper.CHILD)
    keeper.ensure_keeper(ws)
    assert (pid_of(ws, keeper.PARENT), pid_of(ws, keeper.CHILD)) == before
    for pid in before:
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0)
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"not for the keeper" not in environment
        assert b"SANDBOX_INCUS_PREFIX=keeptest" in environment
    assert keeper.log_of(ws.store).stat().st_mode & 0o777 == 0o600
    keeper.stop_keeper(ws)
    assert not keeper.keeper_runs(ws.store)
    assert all(pid is not None and is_gone(pid) for pid in before)
    # The proxy is not the keeper's to end
    assert proxy.proxy_runs(ws)
    keeper.stop_keeper(ws)


def test_whatever_is_killed_is_back(ws: RunningWorkshop) -> None:
    keeper.ensure_keeper(ws)
    assert soon(ws), log(ws)
    chance = random.Random(14)
    kinds = ["parent", "child", "master", "worker"]
    chance.shuffle(kinds)
    for kind in kinds:
        pid = victim(ws, kind)
        os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        assert wait_until(partial(is_gone, pid), Deadline(10), every_s=0.01), kind
        assert soon(ws), f"{kind}: {log(ws)}"
        assert time.monotonic() - started < SOON_S, kind
        time.sleep(chance.random())
        assert soon(ws), f"{kind}: {log(ws)}"


def test_when_both_are_killed_at_once_the_next_command_starts_them(ws: RunningWorkshop) -> None:
    keeper.ensure_keeper(ws)
    assert soon(ws), log(ws)
    pids = [victim(ws, "parent"), victim(ws, "child")]
    for pid in pids:
        # Neither of them gets to see that the other is gone
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: all(map(is_gone, pids)), Deadline(10), every_s=0.01)
    assert not keeper.keeper_runs(ws.store)
    assert keeper.revive_keeper(ws)
    assert soon(ws), log(ws)
    assert not keeper.revive_keeper(ws)


def is_gone(pid: int) -> bool:
    # The exe of a zombie cannot be read
    return not Path(f"/proc/{pid}/exe").exists()


def victim(ws: RunningWorkshop, kind: str) -> int:
    if kind in ("parent", "child"):
        found = pid_of(ws, keeper.PARENT if kind == "parent" else keeper.CHILD)
    else:
        wanted = kind == "master"
        found = next(
            one.pid
            for one in proxy_of(ws).processes()
            if one.is_master == wanted and (wanted or not one.is_leaving)
        )
    assert found is not None
    return found


def test_it_ends_by_itself_when_the_workshop_closes(ws: RunningWorkshop) -> None:
    keeper.ensure_keeper(ws)
    assert soon(ws), log(ws)
    ws.store.write(ws.record.model_copy(update={"is_closing": True}))
    assert wait_until(lambda: not keeper.keeper_runs(ws.store), Deadline(SOON_S), every_s=0.1)
    assert "the workshop closes" in log(ws)
