"""What an open workshop takes while nothing happens in it: the keeper, its pages, and Incus."""

import http.client
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import typer

from bench.measure import Series, Table
from bench.place import client
from bench.workshop import NAME, PORT, open_it, workshop_of
from sandbox.workflows.workshop import keeper
from sandbox.workshop.store import WorkshopStore

_SEATS = 30
_SETTLES_S = 240
"""Each home is copied once, and each seat looked into, before a room is quiet."""
_MEASURED_S = 120


def idle(runs: int) -> Table:
    """Percent of one processor, with and without somebody at the trainer's page."""
    size = int((os.environ.get("SANDBOX_BENCH_SEATS") or str(_SEATS)).split()[0])
    series: list[Series] = []
    with workshop_of(size) as file:
        open_it(file, size)
        time.sleep(_SETTLES_S)
        for who in ("nobody at the page", "one trainer at the page"):
            if who.startswith("one"):
                threading.Thread(target=_watch, daemon=True).start()
            ours = Series(f"keeper and pages, {who}", unit="%")
            incus = Series(f"incusd, {who}", unit="%")
            for _ in range(min(runs, 2)):
                found = _percent_of(_processes())
                incus.values.append(found.pop("incusd"))
                ours.values.append(sum(found.values()))
                typer.echo(f"  {who}: {ours.values[-1]:.2f} %, {incus.values[-1]:.2f} %", err=True)
            series += [ours, incus]
    notes = [
        f"{size} seats of the box, nobody in them. Percent of one processor over {_MEASURED_S} s:"
        " of the keeper's two processes (one of them serves the pages), and of Incus with all that"
        " it does for others on this host. Short commands that they start are not in it."
    ]
    return Table("An open workshop in which nothing happens", series, notes)


def _processes() -> dict[str, int]:
    store = WorkshopStore(NAME)
    found = {which: keeper.holder(store, which) or 0 for which in (keeper.PARENT, keeper.CHILD)}
    server = client().query("GET", "/1.0")["environment"]
    return {**found, "incusd": int(server["server_pid"])}


def _percent_of(processes: dict[str, int]) -> dict[str, float]:
    before, began = {name: _cpu_s(pid) for name, pid in processes.items()}, time.monotonic()
    time.sleep(_MEASURED_S)
    elapsed_s = time.monotonic() - began
    return {name: 100 * (_cpu_s(pid) - before[name]) / elapsed_s for name, pid in processes.items()}


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _watch() -> None:
    """Sign in at the trainer's page, and take what it sends for as long as it does."""
    at = f"127.0.0.1:{PORT + 1}"
    form = urlencode({"secret": WorkshopStore(NAME).secrets().trainer})
    kind = "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection(at, timeout=60)
    connection.request("POST", "/sign-in", form, {"Content-Type": kind, "Origin": f"http://{at}"})
    cookie = connection.getresponse().getheader("Set-Cookie") or ""
    stream = http.client.HTTPConnection(at, timeout=60)
    stream.request("GET", "/events", headers={"Cookie": cookie.partition(";")[0]})
    answer = stream.getresponse()
    with suppress(OSError, http.client.HTTPException):
        while answer.readline():
            pass
