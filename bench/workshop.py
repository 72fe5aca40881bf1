"""A workshop of 10, 30 and 60 seats: the time and the memory of each seat, and the same by hand."""

import http.client
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
import yaml

from bench.clones import memory_of
from bench.measure import Series, Table, ratio, timed
from bench.place import (
    BOX,
    PAGE,
    address_by_hand,
    copy_by_hand,
    first_page,
    incus,
    incus_place,
    sandbox,
)
from sandbox.errors import SandboxError
from sandbox.providers.incus.seats import IncusSeats
from sandbox.workshop.store import WorkshopStore

SIZES = (10, 30, 60)
PORT = 18_480
NAME = "bench"
_SMALL = 10
"""A workshop with more seats is measured once: that takes minutes."""


def seats(runs: int) -> Table:
    """`workshop up` of a baked box, and a loop of `incus copy` and `incus start`, in turn."""
    sizes = [int(word) for word in os.environ.get("SANDBOX_BENCH_SEATS", "").split()] or SIZES
    image = _baked()
    series: list[Series] = []
    notes = [
        "Each figure is for one seat. Time: until every seat's app answers, ours through the proxy"
        " at its own host name, those by hand at their addresses. Memory: what its processes use."
    ]
    for size in sizes:
        ours, by_hand = Series(f"{size}: workshop up"), Series(f"{size}: by hand")
        memory = Series(f"{size}: memory", unit="MB")
        for _ in range(1 if size > _SMALL else runs):
            with workshop_of(size) as file:
                seconds = timed(lambda: open_it(file, size))  # noqa: B023  (called at once)
                ours.values.append(seconds / size)
                names = [one["machine"] for one in _status()]
                memory.values.append(sum(memory_of(one) for one in names) / 1e6 / size)
            by_hand.values.append(_by_hand(image, size) / size)
            said = f"{size}: {ours.values[-1]:.2f} s, by hand {by_hand.values[-1]:.2f} s"
            typer.echo(f"  {said}, {memory.values[-1]:.0f} MB", err=True)
        series += [ours, by_hand, memory]
        notes.append(ratio(ours, by_hand))
    for what in ("workshop up", "memory"):
        line = [one for one in series if one.title.endswith(what)]
        notes.append(
            f"{what}, for each seat, the most over the least: "
            f"**{max(one.median for one in line) / min(one.median for one in line):.2f}**"
        )
    return Table("Seats of a workshop", series, notes)


def _baked() -> str:
    """Have the image of the seats baked, and name it: what is measured is `up` of a baked box."""
    with workshop_of(1) as file:
        open_it(file, 1)
        key = WorkshopStore(NAME).require().image_key
        return next(iter(IncusSeats(incus_place()).images(key).values()))


@contextmanager
def workshop_of(size: int) -> Iterator[Path]:
    """A workshop file for so many seats; what was opened of it is closed again."""
    with TemporaryDirectory(prefix="sandbox-bench-") as folder:
        file = Path(folder) / f"{NAME}.workshop.yml"
        said = {
            "version": 1,
            "box": BOX,
            "seats": size,
            "spare": 0,
            "work_mb": 256,
            "limits": {"cpus": 1, "memory_mb": 512},
            "listen": {"port": PORT, "page_port": PORT + 1},
        }
        file.write_text(yaml.safe_dump(said), encoding="utf-8")
        try:
            yield file
        finally:
            sandbox("workshop", "down", NAME, "--no-collect", "--yes", check=False)


def open_it(file: Path, size: int) -> None:
    """`workshop up`, until the app of every seat answers at its address."""
    sandbox("workshop", "up", str(file), "--into", str(file.parent / "slips"))
    with ThreadPoolExecutor(2) as two:
        list(two.map(_page, range(1, size + 1)))


def _page(number: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    try:
        connection.request("GET", PAGE, headers={"Host": f"seat{number:02d}.localhost"})
        if (status := connection.getresponse().status) != http.client.OK:
            raise SandboxError(f"seat {number} answered HTTP {status}")
    finally:
        connection.close()


def _status() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(sandbox("workshop", "status", NAME, "--json").stdout)[
        "seats"
    ]
    return found


def _by_hand(image: str, size: int) -> float:
    names = [f"bench-{os.getpid()}-h{number}" for number in range(size)]
    try:
        return timed(lambda: _loop(image, names))
    finally:
        for name in names:
            with suppress(SandboxError):
                incus("delete", "--force", name)


def _loop(image: str, names: list[str]) -> None:
    for name in names:
        copy_by_hand(image, name)
        incus("start", name)
    for name in names:
        first_page(address_by_hand(name))
