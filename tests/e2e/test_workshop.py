"""A workshop on real machines of this host: RStudio Server is the tests' stand-in, Shiny is real.

What the seats share is the baked image; what must differ, who reaches whom, and where work goes is
asked of the machines and of the addresses that a learner types.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.checks.rstudio_session import RstudioClient, SignInFailed
from sandbox.deadline import Deadline
from tests.conftest import Host, cannot_run, wait_until
from tests.e2e.classroom import (
    RSTUDIO,
    Classroom,
    closed_after,
    held_websocket,
    write_classroom,
)
from tests.mirror import Contents, serving
from tests.standin.browser import Browser, open_browser
from tests.standin.build import build_deb

PORT = 18180
PEOPLE = ("Ada Quuxley", "Bob Zyxwell", "Cy", "Dora")
SEATS, SPARE = len(PEOPLE), 2


@pytest.fixture(scope="module", autouse=True)
def names_of_seats() -> Iterator[None]:
    """`*.localhost` is this host: browsers know that, the C library does not."""
    real = socket.getaddrinfo

    def resolve(host: str | bytes | None, *words: object, **named: object) -> object:
        is_ours = isinstance(host, str) and host.endswith(".localhost")
        return real("127.0.0.1" if is_ours else host, *words, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@pytest.fixture(scope="module")
def room(
    host: Host, nginx: Host, mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Classroom]:
    folder = tmp_path_factory.mktemp("room")
    (folder / "material").mkdir()
    (folder / "material" / "task.R").write_text("x <- 1\n", "utf-8")
    (folder / "checks").mkdir()
    (folder / "checks" / "ex1.py").write_text(
        "def test_answer(host):\n"
        "    assert host.file('/home/learner/answer.txt').exists, 'there is no answer.txt yet'\n"
    )
    (folder / "people.csv").write_text(
        "name,email\nAda Quuxley,ada@example.org\nBob Zyxwell,\nCy,\nDora,\n"
    )
    with serving(mirror_contents, tmp_path_factory.mktemp("served")) as mirror:
        built = build_deb(tmp_path_factory.mktemp("deb"), version=RSTUDIO)
        mirror.add_rstudio(built, RSTUDIO)
        classroom = write_classroom(
            folder,
            host,
            mirror,
            port=PORT,
            roster="people.csv",
            spare=SPARE,
            files=[{"path": "material", "to": "course"}],
            exercises=[{"name": "ex1", "check": "checks/ex1.py"}],
            copies={"every_s": 30},
        )
        with closed_after(classroom):
            assert nginx
            said = ("--trust", "--into", folder / "slips")
            host.sandbox("workshop", "up", classroom.file, *said, timeout_s=1800)
            yield classroom


def test_all_seats_answer_at_their_own_address_and_share_no_secret(room: Classroom) -> None:
    seats = room.seats()
    assert sorted(seats) == list(range(1, SEATS + SPARE + 1))
    assert [one["name"] for one in seats.values()][:SEATS] == [*PEOPLE]
    assert {one["state"] for one in seats.values()} == {"ready"}
    for number in seats:
        assert room.answers(number)
        status, page = room.fetch(room.seat_host(number), "/auth-sign-in?appUri=%2F")
        assert (status, "stand-in" in page.lower()) == (200, True)
    assert len(set(room.secrets().values())) == len(seats)
    for of_one in (
        "cat /etc/ssh/ssh_host_ed25519_key.pub",
        "cat /etc/machine-id",
        "cat /var/lib/rstudio-server/secure-cookie-key",
        "grep ^learner: /etc/shadow",
        "hostname",
    ):
        found = room.inside_each(of_one)
        assert len(set(found.values())) == len(seats), of_one
        assert all(found.values()), of_one


def test_the_slips_have_each_seat_with_its_secret_and_are_for_nobody_else(room: Classroom) -> None:
    room.command("slips", "--into", room.file.parent / "slips")
    (page,) = (room.file.parent / "slips").glob("*.html")
    (table,) = (room.file.parent / "slips").glob("*.csv")
    for file in (page, table):
        assert file.stat().st_mode & 0o077 == 0
        text = file.read_text("utf-8")
        assert all(secret in text for secret in room.secrets().values())
    assert page.read_text("utf-8").count("<svg") == SEATS + SPARE


def test_a_learner_signs_in_at_the_address_with_the_secret_of_the_slip(room: Classroom) -> None:
    client = RstudioClient(f"http://seat02.localhost:{PORT}")
    client.sign_in("learner", room.secrets()[2])
    client.start_session(Deadline(60))
    client.type("writeLines(Sys.info()[['nodename']], '~/proof')")
    ask = "for n in $(seq 100); do [ -s /home/learner/proof ] && break; sleep .1; done"
    said = room.inside(2, f"{ask}; cat /home/learner/proof").strip()
    assert said == room.seats()[2]["machine"]
    other = RstudioClient(f"http://seat03.localhost:{PORT}")
    with pytest.raises(SignInFailed):
        other.sign_in("learner", room.secrets()[2])


def test_a_browser_claims_a_seat_and_comes_back_to_the_same(room: Classroom) -> None:
    if (program := shutil.which("chromium")) is None:
        cannot_run("there is no chromium: tools/prepare.sh --test")
    with open_browser(program) as browser:
        claim(browser, "Eve Late")
        first = browser.wait_for(SHOWN)
        number = next(n for n, one in room.seats().items() if one["name"] == "Eve Late")
        assert room.secrets()[number] in first
        assert room.seat_host(number) in first
        browser.open(f"http://claim.localhost:{PORT}/")
        assert browser.wait_for(SHOWN) == first
    # Another browser with that name does not get that seat's secret
    with open_browser(program) as browser:
        claim(browser, "Eve Late")
        browser.wait_for("document.readyState === 'complete'")
        assert room.secrets()[number] not in (browser.ask("document.body.innerText") or "")


SHOWN = "document.body.innerText.includes('Your seat is') && document.body.innerText"


def claim(browser: Browser, name: str) -> None:
    browser.open(f"http://claim.localhost:{PORT}/")
    browser.wait_for("document.querySelector('input[name=name]') !== null")
    typed = json.dumps(name)
    browser.ask(
        f"document.querySelector('input[name=name]').value = {typed};"
        " document.querySelector('form').requestSubmit(); true"
    )


def test_files_are_pushed_and_what_a_learner_changed_stays(room: Classroom) -> None:
    assert set(room.inside_each("cat /home/learner/course/material/task.R").values()) == {
        "x <- 1\n"
    }
    room.inside(1, "echo 'my work' > /home/learner/course/material/task.R")
    (room.file.parent / "material" / "task.R").write_text("x <- 2\n", "utf-8")
    said = room.command("push", room.file.parent / "material", "--to", "course").stderr
    assert "course/material/task.R.new" in said
    assert room.inside(1, "cat /home/learner/course/material/task.R").strip() == "my work"
    assert room.inside(1, "cat /home/learner/course/material/task.R.new").strip() == "x <- 2"
    assert room.inside(2, "cat /home/learner/course/material/task.R").strip() == "x <- 2"
    assert room.inside(2, "stat -c %U /home/learner/course/material/task.R").strip() == "learner"


def test_exercises_say_who_is_how_far(room: Classroom) -> None:
    room.inside(3, "touch /home/learner/answer.txt")
    room.command("exercises")
    found = {number: one["exercises"]["ex1"] for number, one in room.seats().items()}
    assert found[3]["holds"] is True
    assert found[1]["holds"] is False
    assert "there is no answer.txt yet" in found[1]["words"]


def test_a_reset_saves_the_home_and_leaves_the_others_alone(room: Classroom) -> None:
    room.inside(4, "echo precious > /home/learner/kept.txt; chown learner: /home/learner/kept.txt")
    before = room.seats()
    with held_websocket(room, 2) as other:
        room.command("reset", "seat04")
        assert not other.closed()
    after = room.seats()
    assert after[4]["machine"] != before[4]["machine"]
    assert {n: one["machine"] for n, one in after.items() if n != 4} == {
        n: one["machine"] for n, one in before.items() if n != 4
    }
    assert room.secrets()[4] in json.dumps(json.loads((room.folder / "secrets.json").read_text()))
    assert room.answers(4)
    assert room.inside(4, "ls /home/learner/kept.txt 2>&1 || true").strip().startswith("ls:")
    assert room.inside(4, "cat /home/learner/course/material/task.R").strip() == "x <- 2"
    kept = [file for file in (room.folder / "homes").glob("seat04*reset*") if has(file, "kept.txt")]
    assert kept


def has(archive: Path, name: str) -> bool:
    with tarfile.open(archive) as tar:
        return any(Path(one).name == name for one in tar.getnames())


def test_no_seat_reaches_another_or_the_host_and_the_names_of_others_are_not_told(
    room: Classroom,
) -> None:
    seats = room.seats()
    own, other = (room.inside(n, "hostname -I").split()[0] for n in (1, 2))
    gateway = room.inside(1, "ip route show default").split()[2]
    scan = (
        "import socket, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def is_open(port):\n"
        "    with socket.socket() as s:\n"
        "        s.settimeout(1)\n"
        "        return s.connect_ex((sys.argv[1], port)) == 0\n"
        "ports = [int(word) for word in sys.argv[2].split(',')]\n"
        "with ThreadPoolExecutor(16) as pool:\n"
        "    print([port for port, found in zip(ports, pool.map(is_open, ports)) if found])\n"
    )
    ports = f"22,80,443,3838,8443,8787,{PORT},{PORT + 1}"
    for address in (other, gateway, "169.254.169.254", "10.88.0.1"):
        said = room.inside(1, f"timeout 60 python3 - {address} {ports} <<'EOF'\n{scan}EOF")
        assert said.strip() == "[]", address
    # The scan itself finds what is there
    assert room.inside(1, f"python3 - {own} 22,3838 <<'EOF'\n{scan}EOF").strip() == "[22, 3838]"
    name = seats[2]["machine"]
    asked = room.inside(1, f"getent ahostsv4 {name} || getent ahostsv4 {name}.incus || echo none")
    assert asked.strip() == "none"
    for word in ("Quuxley", "Zyxwell", room.secrets()[2]):
        found = room.inside(1, f"grep -rlsF -- '{word}' /etc /run /var/lib /home /opt || true")
        assert found.strip() == "", word


def test_a_dead_proxy_and_a_dead_keeper_come_back(room: Classroom) -> None:
    machines = {n: one["machine"] for n, one in room.seats().items()}
    proxy = int((room.folder / "nginx" / "nginx.pid").read_text())
    os.kill(proxy, signal.SIGKILL)
    wait_until("the proxy is back", lambda: room.answers(1), timeout_s=30)
    for pid in room.keepers():
        os.kill(pid, signal.SIGKILL)
    assert room.answers(1)
    # Any command on the workshop starts it again
    room.command("status")
    assert room.keepers()
    room.up()
    assert {n: one["machine"] for n, one in room.seats().items()} == machines


def test_late_joiners_get_a_spare_seat_and_a_killed_up_goes_on(room: Classroom) -> None:
    room.command("add", "--name", "Fay Later")
    names = [one["name"] for one in room.seats().values()]
    assert names.count("Fay Later") == 1
    secrets = room.secrets()
    room.host.incus("delete", "--force", room.seats()[1]["machine"])
    started = room.host.start("workshop", "up", room.file)
    time.sleep(1.5)
    started.send_signal(signal.SIGKILL)
    started.wait()
    room.up()
    assert room.answers(1)
    assert {n: secrets[n] for n in secrets} == {n: room.secrets()[n] for n in secrets}
    machines = [one["machine"] for one in room.seats().values()]
    assert sorted(machines) == sorted(seat_machines(room))


def seat_machines(room: Classroom) -> list[str]:
    listed = room.host.incus("list", "--format=csv", "--columns=n").split()
    return [one for one in listed if one.startswith(f"ws-{room.name}-")]


def test_down_collects_everything_and_leaves_nothing(room: Classroom, tmp_path: Path) -> None:
    killed = room.host.start("workshop", "down", room.name, "--into", tmp_path / "first")
    time.sleep(2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    if not room.folder.exists():
        pytest.fail("it was done before it could be killed: make it slower")
    room.command("down", "--into", tmp_path / "work")
    assert seat_machines(room) == []
    assert not room.folder.exists()
    assert room.keepers() == []
    with pytest.raises(OSError, match="refused"):
        room.fetch("seat01.localhost")
    networks = room.host.incus("network", "list", "--format=csv")
    assert "seats of" not in networks
    (sums,) = (tmp_path / "work").rglob("SHA256SUMS")
    lines = [line.split("  ") for line in sums.read_text("utf-8").splitlines()]
    assert len(lines) >= SEATS
    for digest, file in lines:
        assert hashlib.sha256((sums.parent / file).read_bytes()).hexdigest() == digest
    (ada,) = sums.parent.glob("seat01*")
    assert has(ada, "task.R")
