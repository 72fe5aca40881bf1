"""A workshop on a real cluster of three members: one is cut off, comes back, and nothing is lost.

One is emptied, one loses its power while the workshop is closed; and a seat reaches nobody.

The box is a small one: an API of plumber, which says from which machine it answers.
"""

import http.client
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.workflows.workshop.members import answers
from tests.conftest import PREFIX, Host, wait_until
from tests.e2e.classroom import Classroom, keepers
from tests.e2e.cluster import Lab, cluster_of, say

PORT = 18190
SEATS, EVERY_S = 5, 30
SOON_S = 60
"""A command in all seats takes no longer, also on a busy machine; one that hangs takes 150."""
AWAY_S = 60
"""`down` does not wait for a member that is away: without a wait it takes 20 seconds."""
BACK_S = 180
"""So soon the seats of a lost member answer again on a machine that is busy with other tests; alone
it takes less than 60 (docs/workshop.md)."""
OLD_S = 240
"""So old the newest work in them may be then; alone it is less than 120."""
API = '#* @get /where\n#* @serializer text\nfunction() Sys.info()[["nodename"]]\n'
STAMPS = """\
systemd-run --unit stamps --uid learner sh -c \
'while :; do date +%s >~/new; mv ~/new ~/stamp; sleep 1; done'
"""

INSTALL = "hostname >/etc/installed"

pytestmark = [pytest.mark.incus, pytest.mark.slow]


@dataclass
class Room(Classroom):
    """A workshop on the cluster, all of whose members may be asked about it."""

    lab: Lab | None = None

    def incus(self, *words: str) -> str:
        return say({}, "--project", self.host.prefix, *words)

    def ask(self, number: int) -> str:
        """The machine that answers at a seat's address; empty when none does."""
        try:
            status, page = self.fetch(self.seat_host(number), "/where", timeout_s=3)
        except (OSError, http.client.HTTPException):
            return ""
        return page.strip() if status == http.client.OK else ""

    def all_answer(self) -> bool:
        return all(self.ask(number) for number in range(1, SEATS + 1))

    def machines(self, remote: str) -> list[str]:
        """The machines of seats that are anywhere."""
        found = json.loads(self.incus("list", f"{remote}:", "--format", "json"))
        return sorted(one["name"] for one in found if one["name"].startswith("ws-room-"))

    def replicas(self, remote: str) -> list[str]:
        """The copies of whole seats that are anywhere."""
        found = json.loads(self.incus("list", f"{remote}:", "--format", "json"))
        return sorted(one["name"] for one in found if one["name"].startswith("wr-room-"))

    def whole_since(self, moment: datetime) -> bool:
        """Whether there is a copy of each whole seat that was begun after that moment."""
        notes = json.loads((self.folder / "replicas.json").read_text("utf-8"))["seats"].values()
        taken = [datetime.fromisoformat(one["taken_at"]) for one in notes if one["taken_at"]]
        return len(taken) == SEATS and min(taken) > moment

    def stamp(self, remote: str, machine: str) -> float:
        return float(self.incus("exec", "-T", f"{remote}:{machine}", "--", *LAST_STAMP))


WHO_ANSWERS = """\
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def ask(target):
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except ConnectionRefusedError:
        print(target, "refused")
    except OSError:
        return
    else:
        print(target)
with ThreadPoolExecutor(16) as pool:
    list(pool.map(ask, sys.argv[1:]))
"""
LAST_STAMP = ("cat", "/home/learner/stamp")


@pytest.fixture(scope="module")
def room(host: Host, nginx: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    assert nginx
    with cluster_of(3, tmp_path_factory.mktemp("incus")) as lab:
        # Sockets need short paths
        home = Path(tempfile.mkdtemp(prefix="sbxtest-", dir="/tmp"))
        # What is kept of the base image is as good here
        (home / "cache").symlink_to(host.home / "cache")
        its = Host(home, prefix=f"c{PREFIX}")
        its_lab = {"SANDBOX_INCUS_REMOTE": lab.remotes[0]}
        folder = tmp_path_factory.mktemp("room")
        classroom = Room(its, _written(folder, lab), PORT, lab=lab)
        try:
            its.sandbox("host", "setup", "--provider", "incus", "--yes", env=its_lab)
            classroom.up()
            yield classroom
        finally:
            classroom.command("down", "--no-collect", "--yes", expect=None)
            shutil.rmtree(home)


def _written(folder: Path, lab: Lab) -> Path:
    (folder / "api").mkdir()
    (folder / "api" / "plumber.R").write_text(API, "utf-8")
    box = {
        "version": 1,
        "base": "debian-12",
        "machine": {"cpus": 1, "memory_mb": 512, "disk_gb": 4},
        "r": {"packages": {"source": "debian", "names": ["plumber"]}},
        "services": {"plumber": {"path": "api"}},
        "users": [{"name": "learner"}],
    }
    workshop: dict[str, Any] = {
        "version": 1,
        "box": "room.yml",
        "seats": SEATS - 1,
        "spare": 1,
        "work_mb": 128,
        "remotes": list(lab.remotes),
        "copies": {"every_s": EVERY_S, "seats": True, "seats_every_s": 60},
        "listen": {"port": PORT, "page_port": PORT + 1},
    }
    (folder / "room.yml").write_text(yaml.safe_dump(box, sort_keys=False), "utf-8")
    file = folder / "room.workshop.yml"
    file.write_text(yaml.safe_dump(workshop, sort_keys=False), "utf-8")
    return file


def test_a_member_is_cut_off_and_comes_back(room: Room) -> None:
    assert room.lab is not None
    before = {number: one["machine"] for number, one in room.seats().items()}
    assert {number: room.ask(number) for number in before} == before
    members = {number: one["member"] for number, one in room.seats().items()}
    assert set(Counter(members.values())) == {"m1", "m2", "m3"}

    for machine in before.values():
        room.incus("exec", "-T", f"clab1:{machine}", "--", "sh", "-c", STAMPS)
        room.incus("exec", "-T", f"clab1:{machine}", "--", "sh", "-c", INSTALL)
    installed_at = datetime.now(UTC)
    homes = room.folder / "homes"
    time.sleep(EVERY_S * 1.5)
    assert len(list(homes.glob("seat??.tar"))) == SEATS

    wait_until(
        "all seats are copied whole",
        lambda: room.whole_since(installed_at),
        timeout_s=180,
        interval_s=1,
    )

    # The one that is asked first
    moved = [number for number, member in members.items() if member == "m1"]
    room.lab.script("cut", "1")
    cut_at = time.time()
    wait_until("the seats answer again", room.all_answer, timeout_s=BACK_S, interval_s=0.5)
    now = {number: room.ask(number) for number in before}
    assert {number for number in before if now[number] != before[number]} == set(moved)
    for number in moved:
        assert cut_at - room.stamp("clab2", now[number]) < OLD_S
        # Outside the home, so no copy of that has it
        whole = room.incus("exec", "-T", f"clab2:{now[number]}", "--", "cat", "/etc/installed")
        assert whole == before[number]

    newer = {number: str(int(time.time())) for number in moved}
    for number in moved:
        script = f"runuser -u learner -- sh -c 'echo {newer[number]} >/home/learner/stamp'"
        room.incus("exec", "-T", f"clab2:{now[number]}", "--", "sh", "-c", script)
    room.lab.script("join", "1")
    wait_until(
        "the old machines go",
        lambda: room.machines("clab2") == sorted(now.values()),
        timeout_s=90,
        interval_s=1,
    )
    # The member that is asked first has just come back: what runs in seats does not go through it
    began = time.monotonic()
    room.command("push", room.file.parent / "room.yml")
    assert time.monotonic() - began < SOON_S
    for number in moved:
        assert room.ask(number) == now[number]
        assert room.stamp("clab2", now[number]) == float(newer[number])
        (aside,) = homes.glob(f"seat{number:02d}-g1-returned.tar")
        assert aside.stat().st_size > 0


def test_a_seat_reaches_no_other_one_and_no_member(room: Room) -> None:
    assert room.lab is not None
    found = json.loads(room.incus("list", "clab1:", "--format", "json"))
    machines = [one for one in found if one["name"].startswith("ws-room-")]
    first, *others = sorted(machines, key=lambda one: str(one["name"]))
    addresses = {one["name"]: one["devices"]["eth0"]["ipv4.address"] for one in machines}
    doors = [one["devices"]["door-8000"]["listen"].removeprefix("tcp:") for one in machines]
    targets = [
        *(f"{addresses[one['name']]}:{port}" for one in others for port in (22, 8000)),
        *doors,
        *(f"10.89.0.{k}:8443" for k in range(1, room.lab.members + 1)),
        f"10.89.0.254:{PORT}",
        f"{addresses[first['name']].rpartition('.')[0]}.1:8443",
        "169.254.169.254:80",
    ]
    own = f"{addresses[first['name']]}:8000"
    words = ("python3", "-c", WHO_ANSWERS, own, *targets)
    straight = first["location"].replace("m", "clab")
    said = room.incus("exec", "-T", f"{straight}:{first['name']}", "--", *words)
    assert said.split() == [own], "only itself"
    # They are there: this host reaches them
    assert all(answers(one) for one in doors)


def test_a_member_is_emptied(room: Room) -> None:
    before = {number: room.ask(number) for number in room.seats()}
    there = [number for number, one in room.seats().items() if one["member"] == "m3"]
    assert there
    stamps = {number: room.stamp("clab3", before[number]) for number in there}
    room.command("evacuate", "m3")
    now = {number: room.ask(number) for number in before}
    assert {number for number in before if now[number] != before[number]} == set(there)
    assert room.machines("clab1") == sorted(now.values())
    at = {number: one["member"].replace("m", "clab") for number, one in room.seats().items()}
    assert "clab3" not in at.values()
    newest = {number: room.stamp(at[number], now[number]) for number in there}
    assert all(newest[number] >= stamps[number] for number in there)
    # Those that were never moved before write on until they move
    firsts = [number for number in there if before[number].endswith("-g1")]
    assert firsts
    assert all(newest[number] > stamps[number] for number in firsts)


def test_it_is_closed_while_a_member_is_away_and_again_when_it_is_back(room: Room) -> None:
    assert room.lab is not None
    # When the leader of the cluster's database goes, Incus answers nobody for half a minute
    listed = json.loads(say({}, "query", "clab2:/1.0/cluster/members?recursion=1"))
    leads = {one["server_name"]: "database-leader" in one["roles"] for one in listed}
    seats = list(room.seats().values())
    away = next(one["member"] for one in seats if not leads[one["member"]])
    there = [one["machine"] for one in seats if one["member"] == away]
    room.lab.script("off", away[1:])
    began = time.monotonic()
    words = ("--yes", "--into", room.file.parent / "work")
    done = room.command("down", *words, expect=5)
    assert time.monotonic() - began < AWAY_S
    assert f"{away} does not answer" in done.stderr
    assert f"sandbox workshop down {room.name}" in done.stderr
    assert all(one in done.stderr for one in there)
    assert room.machines("clab3") == sorted(there)
    room.lab.script("start", away[1:])


def test_nothing_is_left_of_it(room: Room) -> None:
    folder = room.file.parent / "work"
    room.command("down", "--yes", "--into", folder)
    assert len(list(folder.glob("*.tar.gz"))) == SEATS
    for remote in room.lab.remotes if room.lab else ():
        assert room.machines(remote) == []
        assert room.replicas(remote) == []
        networks = say({}, "network", "list", f"{remote}:", "--format", "csv")
        assert "clab" not in networks
        for line in networks.splitlines():
            assert not line.split(",")[0].startswith(f"{room.host.prefix}w"), networks
        assert say({}, "network", "acl", "list", f"{remote}:", "--format", "csv") == ""
    assert not room.folder.exists()
    assert keepers(room.host, "room") == []
