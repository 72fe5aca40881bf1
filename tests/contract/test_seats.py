"""Seats on a real Incus: apart from each other, closed to everything, and gone without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.errors import ProviderError, UsageError
from sandbox.events import ignore
from sandbox.providers.engine import Power
from sandbox.providers.incus.host_teardown import contents_of, refuse_workshops
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_guard import has_guard
from sandbox.providers.incus.seat_request import network_name
from sandbox.providers.incus.seats import IncusSeats
from sandbox.providers.seats import Furnishing, HasSeats, SeatLabel, SeatMachine, SeatWish
from sandbox.run import run
from sandbox.ssh import make_key
from sandbox.workshop.stillness import GO_ON, STAND_STILL, still_words
from tests.conftest import wait_until
from tests.contract.conftest import IncusLab, lab_on_incus

pytestmark = pytest.mark.incus

_KEY = "5ea7"
_CLASS = "class"

_SCAN = r"""
import json, resource, select, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
most = min(33000, hard - 50)
found = {}
for word in json.loads(sys.argv[1]):
    host, _, ports = word.rpartition("|")
    first, _, last = ports.partition("-")
    left = list(range(int(first), int(last or first) + 1))
    open_ports = found[host] = []
    while left:
        batch, left = left[:most], left[most:]
        waiting, poll = {}, select.epoll()
        for port in batch:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setblocking(False)
            try:
                one.connect(socket.getaddrinfo(host, port, family)[0][4])
            except BlockingIOError:
                waiting[one.fileno()] = (one, port)
                poll.register(one, select.EPOLLOUT)
            except OSError:
                one.close()
        # From here on: to begin so many connections takes a busy machine a while
        end = time.monotonic() + 0.6
        while waiting and (rest := end - time.monotonic()) > 0:
            for number, _ in poll.poll(rest):
                one, port = waiting.pop(number)
                poll.unregister(one)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    open_ports.append(port)
                one.close()
        for one, _ in waiting.values():
            one.close()
print(json.dumps(found))
"""
"""Arguments: JSON list of `host|port` or `host|first-last`. Prints the open ports by host."""

_ASK_NAME = r"""
import socket, sys
server, name = sys.argv[1:]
labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ask.settimeout(5)
ask.sendto(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + labels + b"\0\0\x01\0\x01", (server, 53))
print(int.from_bytes(ask.recv(999)[6:8], "big"))
"""
"""Arguments: a DNS server, a name. Prints how many answers came."""


@dataclass
class SeatLab:
    """Two seats of a class that run, and an ordinary sandbox beside them."""

    lab: IncusLab
    seats: IncusSeats
    member: str
    key: str
    allowed: int
    """A port of this host that seats may reach."""

    def wish(self, seat: int, *, generation: int = 1, workshop: str = _CLASS) -> SeatWish:
        return SeatWish(
            name=f"ws-{workshop}-{seat:02d}-g{generation}",
            label=SeatLabel(workshop, seat, generation),
            image_key=_KEY,
            member=self.member,
            cpus=1,
            memory_mb=300,
            processes=400,
            disk_gb=2,
            ports=(22, 3838),
            authorized_key=self.key,
        )

    def ask(self, seat: int, *argv: str, stdin: str | None = None) -> str:
        name = self.wish(seat).name
        return self.seats.run(name, argv, timeout_s=60, stdin=stdin).stdout.strip()

    def scan(self, seat: int, *targets: str) -> dict[str, list[int]]:
        said = self.ask(seat, "python3", "-", json.dumps(targets), stdin=_SCAN)
        found: dict[str, list[int]] = json.loads(said)
        return found

    def machine(self, seat: int) -> SeatMachine:
        name = self.wish(seat).name
        return next(one for one in self.seats.machines(_CLASS) if one.name == name)

    def address(self, seat: int) -> str:
        return self.machine(seat).upstreams[22].partition(":")[0]

    @property
    def home(self) -> str:
        """This host's address on the network of ordinary sandboxes."""
        place = self.lab.engine.place
        network = self.lab.client.query("GET", f"/1.0/networks/{place.network}")
        return str(network["config"]["ipv4.address"]).partition("/")[0]

    @property
    def gateway(self) -> str:
        return self.address(1).rpartition(".")[0] + ".1"


@contextmanager
def listening(host: str = "0.0.0.0") -> Iterator[int]:
    """A service of this host; its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((host, 0))
        server.listen(64)
        yield int(server.getsockname()[1])


@pytest.fixture(scope="module")
def oven(incus_place: IncusPlace, incus_image: str) -> Iterator[IncusLab]:
    """A lab with a baked image of the bare base; `plain`, an ordinary sandbox, runs in it."""
    with lab_on_incus(incus_place, incus_image) as lab:
        lab.engine.create(lab.spec("plain"), ignore)
        lab.engine.save_snapshot("plain", "done", ignore)
        lab.engine.bake("plain", "done", _KEY, (("folder", "/home/ada"),), ignore)
        lab.engine.start("plain", ignore)
        yield lab


@pytest.fixture(scope="module")
def room(oven: IncusLab) -> Iterator[SeatLab]:
    seats = IncusSeats(oven.engine.place)
    with listening() as allowed:
        made = SeatLab(oven, seats, seats.members()[0].name, make_key(oven.folder), allowed)
        seats.prepare(_CLASS, [f"{made.home}:{allowed}"], ignore)
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda number: seats.make(made.wish(number), ignore), (1, 2)))
            yield made
        finally:
            for one in seats.machines(_CLASS):
                seats.remove(one.name)
            seats.clear(_CLASS)
            assert seats.left(_CLASS) == ()


def test_the_provider_has_them(room: SeatLab) -> None:
    from sandbox.providers.incus.provider import PROVIDER

    assert isinstance(PROVIDER, HasSeats)
    assert room.seats.images(_KEY).keys() == {room.member}
    assert room.seats.images("0000") == {}


def test_each_seat_is_somebody_of_its_own(room: SeatLab) -> None:
    keys = [set(room.seats.ssh_endpoint(room.wish(one).name).host_keys) for one in (1, 2)]
    assert all(keys)
    assert not keys[0] & keys[1]
    ids = {room.ask(one, "cat", "/etc/machine-id") for one in (1, 2)}
    assert len(ids) == 2
    assert "" not in ids
    assert [room.ask(one, "hostname") for one in (1, 2)] == ["ws-class-01-g1", "ws-class-02-g1"]


def test_its_labels_and_addresses_are_listed_by_one_question(room: SeatLab) -> None:
    found = [one for one in room.seats.machines(_CLASS) if one.label.seat in (1, 2)]
    assert [one.label for one in found] == [SeatLabel(_CLASS, 1, 1), SeatLabel(_CLASS, 2, 1)]
    assert {(one.power, one.member) for one in found} == {(Power.RUNNING, room.member)}
    assert room.address(1) != room.address(2)
    assert room.seats.machines("another") == ()
    for one in found:
        host, _, port = one.upstreams[22].partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            assert connection.recv(4) == b"SSH-"


def test_its_limits_are_real(room: SeatLab) -> None:
    cgroup = "/sys/fs/cgroup"
    limits = room.ask(
        1,
        "sh",
        "-c",
        f"cat {cgroup}/memory.max {cgroup}/memory/memory.limit_in_bytes 2>/dev/null;"
        f"cat {cgroup}/memory.swap.max {cgroup}/memory/memory.swappiness 2>/dev/null;"
        f"cat {cgroup}/pids.max {cgroup}/pids/pids.max 2>/dev/null; nproc",
    )
    assert limits.split() == [str(300 * 1024**2), "0", "400", "1"]
    instance = room.lab.client.query("GET", f"/1.0/instances/{room.wish(1).name}")
    assert instance["config"]["boot.autostart"] == "false"
    assert instance["devices"]["root"]["size"] == "2GiB"
    assert "user.sandbox.folder" not in instance["config"]
    assert room.ask(1, "sh", "-c", "ls -d /dev/incus 2>&1 || true").endswith(
        "No such file or directory"
    )


def test_no_command_for_sandboxes_sees_it(room: SeatLab, oven: IncusLab) -> None:
    assert sorted(oven.engine.status()) == ["plain"]
    contents = contents_of(oven.engine.place, None)
    assert contents.instances == ("plain",)
    with pytest.raises(UsageError, match="a workshop is still here: class") as caught:
        refuse_workshops(oven.engine.place, None, contents)
    assert caught.value.hint == "sandbox workshop down class"
    with pytest.raises(ProviderError, match="did not make"):
        oven.engine.destroy(room.wish(1).name)


def test_from_inside_nothing_is_reached_but_what_is_named(room: SeatLab, oven: IncusLab) -> None:
    plain = oven.engine.status(["plain"])["plain"].address
    assert plain is not None
    home = room.home
    other = room.address(2)
    with listening() as service, listening("::") as service6:
        # Controls: all of it answers to this host
        for host, port in ((room.gateway, service), (plain, 22), (other, 22)):
            socket.create_connection((host, port), timeout=5).close()
        link = run(("ip", "-6", "-br", "addr", "show", "to", "fe80::/10"), timeout_s=10).stdout
        network = network_name(oven.engine.place, _CLASS)
        local6 = next((one for one in link.splitlines() if one.startswith(f"{network} ")), "")
        targets = [f"{room.gateway}|1-65535", f"{other}|1-65535", f"{plain}|1-1024"]
        targets += [f"{home}|{port}" for port in (22, 53, 8443, service, room.allowed)]
        targets += ["169.254.169.254|80", "10.0.0.1|443", "192.168.1.1|80", "1.1.1.1|443"]
        if local6:
            targets.append(f"{local6.split()[2].partition('/')[0]}%eth0|{service6}")
        found = room.scan(1, *targets)
    assert found.pop(room.gateway) == [53]
    # Only root of this host can close the DNS of its other networks
    is_closed = has_guard(network_name(oven.engine.place, _CLASS))
    assert is_closed or os.geteuid() != 0
    assert set(found.pop(home)) - ({53} if not is_closed else set()) == {room.allowed}
    assert {host: ports for host, ports in found.items() if ports} == {}


def test_a_learner_does_not_see_who_else_is_there(room: SeatLab) -> None:
    for name in ("ws-class-02-g1", "ws-class-02-g1.incus", "plain.incus"):
        assert room.ask(1, "python3", "-", room.gateway, name, stdin=_ASK_NAME) == "0"
    room.scan(1, f"{room.address(2)}|22")
    neighbours = room.ask(1, "sh", "-c", "ip neigh")
    assert not [
        line
        for line in neighbours.splitlines()
        if line.startswith(f"{room.address(2)} ") and "lladdr" in line
    ]


def test_root_of_a_seat_cannot_take_anothers_address(room: SeatLab) -> None:
    """With another address or another card, nothing of it gets through at all."""
    borrowed = room.address(2)
    room.ask(1, "ip", "addr", "add", f"{borrowed}/24", "dev", "eth0")
    try:
        from_there = (
            "import socket, sys\n"
            "one = socket.socket(); one.settimeout(2); one.bind((sys.argv[1], 0))\n"
            "try: one.connect((sys.argv[2], 53)); print('open')\n"
            "except OSError: print('closed')\n"
        )
        own = room.address(1)
        assert room.ask(1, "python3", "-", own, room.gateway, stdin=from_there) == "open"
        assert room.ask(1, "python3", "-", borrowed, room.gateway, stdin=from_there) == "closed"
    finally:
        room.ask(1, "ip", "addr", "del", f"{borrowed}/24", "dev", "eth0")
    assert room.ask(2, "hostname") == "ws-class-02-g1"


def test_files_of_any_content_go_in_and_come_out(room: SeatLab, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(bytes(range(256)) * 4000)
    name = room.wish(1).name
    done = room.seats.run(name, ("cat",), timeout_s=30, stdin=sent, output=got)
    assert (got.read_bytes(), done.stdout) == (sent.read_bytes(), "")
    assert got.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProviderError, match="exit status 3"):
        room.seats.run(name, ("sh", "-c", "exit 3"), timeout_s=30)


def test_what_it_uses(room: SeatLab) -> None:
    uses = room.seats.uses(_CLASS)
    assert uses.keys() >= {room.wish(1).name, room.wish(2).name}
    use = uses[room.wish(1).name]
    assert 0.05 < use.cpu_s < 600
    assert 1 <= use.memory_mb <= 300
    assert 5 < use.processes < 400
    assert use.disk_mb is None or use.disk_mb < 2048
    assert room.seats.uses("another") == {}


def test_stop_start_and_remove_can_be_said_twice(room: SeatLab) -> None:
    wish = room.wish(3)
    made = room.seats.make(wish, ignore)
    room.seats.stop(wish.name)
    room.seats.stop(wish.name)
    assert room.machine(3).power is Power.STOPPED
    assert wish.name not in room.seats.uses(_CLASS)
    with pytest.raises(ProviderError):
        room.seats.run(wish.name, ("true",), timeout_s=10)
    assert room.seats.start(wish.name, ignore) == made
    room.seats.remove(wish.name)
    room.seats.remove(wish.name)
    assert wish.name not in [one.name for one in room.seats.machines(_CLASS)]
    with pytest.raises(ProviderError, match="no machine of a seat"):
        room.seats.remove("plain")


def test_what_an_interrupted_try_has_left_is_no_obstacle(room: SeatLab) -> None:
    wish = room.wish(4)
    code = (
        "from sandbox.events import ignore\n"
        "from sandbox.providers.incus.place import IncusPlace\n"
        "from sandbox.providers.incus.seats import IncusSeats\n"
        "from sandbox.providers.seats import SeatLabel, SeatWish\n"
        f"IncusSeats({room.seats.place!r}).make({wish!r}, ignore)\n"
    )
    half = subprocess.Popen((sys.executable, "-c", code))
    try:
        wait_until("the clone", lambda: room.lab.is_there(wish.name), timeout_s=30)
    finally:
        half.send_signal(signal.SIGKILL)
        half.wait(30)
    made = room.seats.make(wish, ignore)
    assert made.power is Power.RUNNING
    assert f"instance {wish.name}" in room.seats.left(_CLASS)
    with pytest.raises(ProviderError):
        # Its machines need it
        room.seats.clear(_CLASS)
    room.seats.remove(wish.name)


def test_it_is_furnished_while_it_comes_up(room: SeatLab) -> None:
    wish = room.wish(3)
    said: list[tuple[Mapping[int, str], str]] = []

    def meanwhile(machine: SeatMachine) -> None:
        ran = room.seats.run(machine.name, ("sh", "-c", "nproc; hostname"), timeout_s=30)
        said.append((machine.upstreams, ran.stdout.split()[0]))

    def when_up(machine: SeatMachine) -> None:
        done = room.seats.run(machine.name, ("systemctl", "is-system-running"), timeout_s=30)
        said.append((machine.upstreams, done.stdout.strip()))

    made = room.seats.make(wish, ignore, furnishing=Furnishing(meanwhile, when_up))
    # Only until it is ready does it have one more processor
    more = str(min(wish.cpus + 1, os.cpu_count() or 1))
    assert sorted(said, key=lambda one: one[1]) == [
        (made.upstreams, more),
        (made.upstreams, "running"),
    ]
    now = room.seats.run(wish.name, ("nproc",), timeout_s=30)
    assert now.stdout.strip() == str(wish.cpus)
    room.seats.remove(wish.name)

    def fail(machine: SeatMachine) -> None:
        raise ProviderError(f"nothing can be laid into {machine.name}")

    for wrong in (Furnishing(fail, when_up), Furnishing(meanwhile, fail)):
        with pytest.raises(ProviderError, match="nothing can be laid"):
            room.seats.make(wish, ignore, furnishing=wrong)
        assert not room.lab.is_there(wish.name)


def test_all_in_it_stands_still_until_it_is_told_to_go_on(room: SeatLab) -> None:
    name = room.wish(1).name
    write = "(while :; do date +%s%N > /root/now; sleep 0.05; done) < /dev/null > /dev/null 2>&1 &"
    room.seats.run(name, ("sh", "-c", write), timeout_s=30)
    look = "cat /root/now; sleep 0.5; cat /root/now"
    words = ("sh", "-c", STAND_STILL + look, "sh", *still_words(name, 60), "root")
    first, second = room.seats.run(name, words, timeout_s=30).stdout.split()
    assert first == second
    # Commands of ours go on to work there
    assert room.ask(1, "cat", "/root/now").split() == [first]
    later = room.seats.run(name, ("sh", "-c", f"{GO_ON}; sleep 0.5; cat /root/now"), timeout_s=30)
    assert later.stdout.split() != [first]
    assert room.ask(1, "systemctl", "is-system-running").strip() == "running"


def test_a_seat_that_cannot_be_made_leaves_nothing(room: SeatLab) -> None:
    wish = room.wish(1, workshop="unprepared")
    with pytest.raises(ProviderError, match="is not there, or not closed"):
        room.seats.make(wish, ignore)
    assert room.seats.left("unprepared") == ()
    assert not room.lab.is_there(wish.name)


def test_addresses_given_at_the_same_moment_differ(room: SeatLab) -> None:
    """Machines that do not start: it is only about their addresses."""
    names = [f"ws-class-{number}-g9" for number in range(60, 66)]
    ready = threading.Barrier(len(names))

    def give(name: str) -> None:
        body = {"name": name, "type": "container", "source": {"type": "none"}, "profiles": []}
        root = {"root": {"type": "disk", "path": "/", "pool": room.seats.place.pool}}
        room.lab.client.query("POST", "/1.0/instances", {**body, "devices": root}, timeout_s=60)
        ready.wait(30)
        IncusSeats(room.seats.place)._network.give_address(name, _CLASS)

    try:
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(give, names))
        found = room.lab.client.query("GET", "/1.0/instances", parameters={"recursion": "1"})
        cards = [one["devices"].get("eth0", {}).get("ipv4.address") for one in found]
        given = [address for address in cards if address]
        assert len(given) == len(set(given))
        assert len(given) >= len(names) + 2
    finally:
        for name in names:
            room.lab.client.run("delete", "--force", room.lab.client.ref(name), timeout_s=60)


def test_the_rules_can_be_made_again_and_changed(room: SeatLab) -> None:
    with listening() as service:
        own = room.home
        assert room.scan(1, f"{own}|{service}") == {own: []}
        started = time.monotonic()
        room.seats.prepare(_CLASS, [f"{own}:{room.allowed}", f"{own}:{service}"], ignore)
        assert time.monotonic() - started < 5
        assert room.scan(1, f"{own}|{service}") == {own: [service]}
        room.seats.prepare(_CLASS, [f"{own}:{room.allowed}"], ignore)
        assert room.scan(1, f"{own}|{service}") == {own: []}
