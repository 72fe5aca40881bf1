"""The proxy of a workshop with a real nginx: sockets that stay open, seats that move, and its end.

The servers of the seats are a stand-in (tests/fakes/echo_seats.py).
"""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import HostError
from sandbox.host import nginx_setup
from sandbox.host.nginx import OwnNginx
from sandbox.host.nginx_setup import nginx_program
from sandbox.workflows.workshop import proxy
from sandbox.workflows.workshop.running import RunningWorkshop
from tests.conftest import Host, cannot_run
from tests.fakes.echo_seats import EchoSeats, WebSocket
from tests.fakes.workshops import open_workshop_of, put_machine
from tests.standin.client import Answer, StandinClient
from tests.standin.lab import ANN, PASSWORD, StandinLab, free_port

BOTH: Mapping[str, Any] = {
    "rstudio_server": {"version": "2024.12.0+467"},
    "shiny_server": {},
    "plumber": {"path": "api"},
}


@pytest.fixture
def echo(nginx: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EchoSeats]:
    assert nginx_program() is not None, nginx
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with EchoSeats().serving() as serving:
        yield serving


class Room:
    """An open workshop with its proxy."""

    def __init__(self, echo: EchoSeats, count: int, **said: Any) -> None:
        self.echo = echo
        listen = {"port": free_port(), "page_port": free_port(), **said.pop("listen", {})}
        self.ws = open_workshop_of(count, said={"listen": listen, **said}, services=BOTH)
        self.port = self.ws.workshop.listen.port
        self.sockets: list[WebSocket] = []

    def __enter__(self) -> "Room":
        for number in range(1, len(self.ws.map().seats) + 1):
            self.move(number, refresh=False)
        proxy.ensure_proxy(self.ws)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.sockets:
            one.close()
        proxy.stop_proxy(self.ws)

    @property
    def nginx(self) -> OwnNginx:
        return OwnNginx(self.ws.store.folder / "nginx", self.port, "listen.port")

    def move(self, number: int, *, refresh: bool = True) -> str:
        """Give the seat another machine; return its address."""
        generation = self.ws.seat(number).generation + 1
        address = f"127.9.{generation}.{number}"
        where = dict.fromkeys((8787, 3838, 8000), f"{address}:{self.echo.port}")
        put_machine(self.ws, number, where)
        if refresh:
            proxy.refresh_proxy(self.ws)
        return address

    def take(self, number: int) -> None:
        """Take the seat's machine away."""
        self.ws.store.change_seat(
            number, lambda one: one.model_copy(update={"ready": False, "upstreams": {}})
        )
        proxy.refresh_proxy(self.ws)

    def get(
        self, host: str, path: str = "/", *, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request(method, path, body, {"Host": f"{host}:{self.port}"})
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def asked(self, host: str, path: str = "/", **how: Any) -> dict[str, Any]:
        status, _, text = self.get(host, path, **how)
        assert status in (200, 302), text
        found: dict[str, Any] = json.loads(text)
        return found

    def socket(self, number: int, path: str = "/websocket/") -> WebSocket:
        one = WebSocket(("127.0.0.1", self.port), f"seat{number:02d}.localhost", path)
        self.sockets.append(one)
        return one


def test_29_sockets_stay_open_through_30_changes(
    echo: EchoSeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As many reloads as changes, and less waiting
    monkeypatch.setattr(proxy, "_TOGETHER_S", 0.0)
    with Room(echo, 30) as room:
        sockets = {number: room.socket(number) for number in range(2, 31)}
        assert [one.status for one in sockets.values()] == [101] * 29
        for change in range(30):
            if change % 3 == 2:
                room.take(1)
                assert room.get("seat01.localhost")[0] == 503
            else:
                address = room.move(1)
                assert room.asked("seat01.localhost")["address"] == address
        for number, one in sockets.items():
            # And each is still at its own seat
            assert one.ask("hello") == f"127.9.1.{number} hello"
        leaving = [one for one in room.nginx.processes() if one.is_leaving and not one.is_master]
        # Only the worker that has the sockets is left, whatever the number of reloads
        assert len(leaving) == 1
        for one in sockets.values():
            one.close()
        assert wait_until(lambda: len(list(room.nginx.processes())) == 2, Deadline(5), every_s=0.05)


def test_old_workers_are_no_more_than_their_sockets(
    echo: EchoSeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "_TOGETHER_S", 0.0)
    with Room(echo, 2) as room:
        sockets = []
        for _ in range(6):
            sockets.append(room.socket(2))
            room.move(1)
        assert all(one.is_open() for one in sockets)
        workers = [one for one in room.nginx.processes() if not one.is_master]
        assert len(workers) == 7
        assert max(private_mb(one.pid) for one in workers) < 12


def private_mb(pid: int) -> float:
    """Memory that is this process's own."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
    return sum(int(line[1]) for line in lines) / 1024


def test_many_changes_at_once_are_few_reloads_and_all_arrive(echo: EchoSeats) -> None:
    with Room(echo, 30) as room:
        before = max(one.pid for one in room.nginx.processes())
        threads = [threading.Thread(target=room.move, args=(number,)) for number in range(1, 31)]
        started = time.monotonic()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        took_s = time.monotonic() - started
        for number in range(1, 31):
            assert room.asked(f"seat{number:02d}.localhost")["address"] == f"127.9.2.{number}"
        assert took_s < 8
        assert max(one.pid for one in room.nginx.processes()) > before


def test_nothing_changed_is_no_reload(echo: EchoSeats) -> None:
    with Room(echo, 2) as room:
        before = list(room.nginx.processes())
        proxy.refresh_proxy(room.ws)
        proxy.ensure_proxy(room.ws)
        assert list(room.nginx.processes()) == before
        assert proxy.proxy_runs(room.ws)


def test_a_moved_seat_is_never_another_persons(echo: EchoSeats) -> None:
    with Room(echo, 3) as room:
        room.socket(1)
        kept = http.client.HTTPConnection("127.0.0.1", room.port, timeout=10)
        host = {"Host": f"seat01.localhost:{room.port}"}
        kept.request("GET", "/", headers=host)
        kept.getresponse().read()
        room.take(1)
        # Its address becomes another seat's
        where = dict.fromkeys((8787, 3838, 8000), f"127.9.1.1:{echo.port}")
        put_machine(room.ws, 2, where)
        proxy.refresh_proxy(room.ws)
        assert room.asked("seat02.localhost")["address"] == "127.9.1.1"
        status, headers, text = room.get("seat01.localhost")
        assert (status, headers["refresh"]) == (503, "3")
        assert "This seat is not ready" in text
        # Also on a connection from before
        with suppress(ConnectionError, http.client.HTTPException):
            kept.request("GET", "/", headers=host)
            assert kept.getresponse().status == 503
        kept.close()


def test_each_path_leads_to_its_server_as_it_was_sent(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        host = "seat01.localhost"
        whole = f"{host}:{room.port}"
        rstudio = room.asked(host, "/auth-sign-in?appUri=%2F")
        assert rstudio["path"] == "/auth-sign-in?appUri=%2F"
        asked = f"http://{whole}/auth-sign-in?appUri=%2F"
        assert rstudio["headers"]["x-rstudio-request"] == asked
        assert rstudio["headers"]["host"] == rstudio["headers"]["x-forwarded-host"] == whole
        shiny = room.asked(host, "/shiny/faithful/a%2Fb?x=%20&y=1")
        assert shiny["path"] == "/faithful/a%2Fb?x=%20&y=1"
        assert "x-rstudio-request" not in shiny["headers"]
        assert room.asked(host, "/api/__docs__/")["path"] == "/__docs__/"
        status, headers, _ = room.get(host, "/shiny")
        assert (status, headers["location"]) == (302, "/shiny/")
        for odd in ("/x/../shiny/faithful/", "/%73hiny/faithful/"):
            assert room.asked(host, odd)["path"] == "/"
        sockjs = room.socket(1, "/shiny/faithful/__sockjs__/n=1/websocket")
        assert sockjs.status == 101
        assert sockjs.ask("[]") == "127.9.1.1 []"
        assert (
            room.asked(host, "/upload", method="POST", body=b"x" * 20_000_000)["body"] == 20_000_000
        )


@pytest.mark.parametrize(
    ("path", "said", "seen"),
    [
        ("/shiny/faithful", "/faithful/", "/shiny/faithful/"),
        ("/shiny/faithful", "http://seat01.localhost:PORT/faithful/", "/shiny/faithful/"),
        ("/shiny/faithful", "https://example.org/login", "https://example.org/login"),
        ("/auth-sign-in", "http://seat01.localhost:PORT/", "http://seat01.localhost:PORT/"),
    ],
)
def test_a_redirect_stays_at_the_seats_name(
    echo: EchoSeats, path: str, said: str, seen: str
) -> None:
    with Room(echo, 1) as room:
        echo.location = said.replace("PORT", str(room.port))
        status, headers, _ = room.get("seat01.localhost", path)
        assert (status, headers["location"]) == (302, seen.replace("PORT", str(room.port)))
        assert headers["set-cookie"] == "user-id=ann; path=/"


def test_an_unknown_name_is_told_so_and_nothing_is_echoed(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        for host in ("seat02.localhost", "localhost", "<script>alert(1)</script>", "127.0.0.1"):
            status, headers, text = room.get(host, "/<script>?q=<script>")
            assert status in (400, 404)
            assert "<script>" not in text + str(headers)
        status, headers, text = room.get("seat02.localhost")
        assert status == 404
        assert "No seat has this name" in text
        assert "refresh" not in headers
        # Its letters may be large, and it may end with a dot
        assert room.asked("SEAT01.localhost.")["address"] == "127.9.1.1"


def test_the_claim_page_is_behind_it_and_may_be_late(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        status, headers, text = room.get("claim.localhost")
        assert (status, headers["refresh"]) == (503, "3")
        assert "is starting" in text


def test_a_machine_that_does_not_answer_is_said_soon(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        put_machine(room.ws, 1, {8787: f"127.0.0.1:{free_port()}"})
        proxy.refresh_proxy(room.ws)
        started = time.monotonic()
        assert room.get("seat01.localhost")[0] == 503
        assert time.monotonic() - started < 6


def test_a_taken_port_is_named_with_who_has_it(echo: EchoSeats) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken") as caught:
            Room(echo, 1, listen={"port": port}).__enter__()
    assert str(os.getpid()) in caught.value.message
    assert "listen.port" in caught.value.hint


def test_a_killed_master_leaves_the_sockets_open(echo: EchoSeats) -> None:
    with Room(echo, 2) as room:
        held, master = room.socket(1), room.nginx.master()
        assert master is not None
        os.kill(master, signal.SIGKILL)
        assert wait_until(lambda: not proxy.proxy_runs(room.ws), Deadline(2), every_s=0.02)
        proxy.ensure_proxy(room.ws)
        assert room.nginx.master() not in (None, master)
        assert room.asked("seat02.localhost")["address"] == "127.9.1.2"
        assert held.ask("hello") == "127.9.1.1 hello"
        # No worker of before takes a new connection
        address = room.move(2)
        assert {room.asked("seat02.localhost")["address"] for _ in range(20)} == {address}


def test_a_stale_pid_file_is_not_believed(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        pid_file = room.nginx.folder / "nginx.pid"
        proxy.stop_proxy(room.ws)
        assert not proxy.proxy_runs(room.ws)
        pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        assert not proxy.proxy_runs(room.ws)
        proxy.stop_proxy(room.ws)
        proxy.ensure_proxy(room.ws)
        master = room.nginx.master()
        pid_file.unlink()
        assert room.nginx.master() == master


def test_what_was_cut_off_before_the_reload_is_read_by_the_next_call(
    echo: EchoSeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Room(echo, 1) as room:

        def cut_off(_self: OwnNginx) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(OwnNginx, "reload", cut_off)
            with pytest.raises(KeyboardInterrupt):
                room.move(1)
        assert room.asked("seat01.localhost")["address"] == "127.9.1.1"
        proxy.refresh_proxy(room.ws)
        assert room.asked("seat01.localhost")["address"] == "127.9.2.1"


def test_it_speaks_tls_with_the_given_certificate(echo: EchoSeats, tmp_path: Path) -> None:
    certificate, key = tmp_path / "my cert.pem", tmp_path / "key.pem"
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -subj /CN=class.test -addext subjectAltName=DNS:*.class.test"
    )
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    room = Room(
        echo,
        1,
        names={"domain": "class.test"},
        tls={"certificate": certificate.name, "key": key.name},
    )
    record = room.ws.record.model_copy(update={"certificate": certificate, "key": key})
    room.ws = RunningWorkshop(record, room.ws.store, room.ws.seats, room.ws.context)
    with room:
        trust = ssl.create_default_context(cafile=str(certificate))
        raw = socket.create_connection(("127.0.0.1", room.port), timeout=10)
        host = f"seat01.class.test:{room.port}"
        with trust.wrap_socket(raw, server_hostname="seat01.class.test") as secure:
            secure.sendall(f"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            text = b"".join(iter(lambda: secure.recv(65536), b"")).decode()
        headers = json.loads(text.partition("\r\n\r\n")[2])["headers"]
        assert headers["x-rstudio-request"] == f"https://{host}/a"
        assert headers["x-forwarded-proto"] == "https"
        # Somebody typed http://
        status, answer, _ = room.get("seat01.class.test", "/a")
        assert (status, answer["location"]) == (301, f"https://{host}/a")


def test_it_listens_on_ipv6(echo: EchoSeats) -> None:
    with Room(echo, 1, listen={"address": "::1"}) as room:
        client = http.client.HTTPConnection("::1", room.port, timeout=10)
        client.request("GET", "/", headers={"Host": f"seat01.localhost:{room.port}"})
        assert json.loads(client.getresponse().read())["address"] == "127.9.1.1"
        client.close()


def test_it_is_ended_even_when_its_folder_is_gone(echo: EchoSeats) -> None:
    with Room(echo, 1) as room:
        processes = list(room.nginx.processes())
        room.ws.store.remove()
        proxy.stop_proxy(room.ws)
        assert len(processes) == 2
        assert list(room.nginx.processes()) == []
        assert not room.ws.store.exists()


@pytest.mark.parametrize(
    ("parent", "words", "status"),
    [("SELF", "nginx start", 101), ("SELF", "postgresql start", 0), ("0", "nginx start", 0)],
)
def test_only_nginx_is_kept_from_starting_and_only_while_we_install(
    tmp_path: Path, parent: str, words: str, status: int
) -> None:
    policy = tmp_path / "policy-rc.d"
    pid = os.getpid() if parent == "SELF" else 2**22 + 1
    policy.write_text(nginx_setup._policy(pid), encoding="utf-8")
    done = subprocess.run(["sh", policy, "--quiet", *words.split()], check=False)
    assert done.returncode == status


class Browser(StandinClient):
    """The stand-in's browser, at a seat's name."""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        return super().ask(
            method, path, body, **{"Host": f"seat01.localhost:{self.port}", **headers}
        )


def test_somebody_signs_in_to_the_stand_in_for_rstudio_behind_it(echo: EchoSeats) -> None:
    if os.geteuid() != 0 or shutil.which("R") is None:
        cannot_run("needs root, to sign somebody in, and R")
    with Room(echo, 1) as room, StandinLab() as lab:
        lab.start("--auth-sign-in-throttle-seconds=0")
        put_machine(room.ws, 1, {8787: f"127.0.0.1:{lab.port}"})
        proxy.refresh_proxy(room.ws)
        browser = Browser("127.0.0.1", room.port)
        seat = f"http://seat01.localhost:{room.port}"
        assert browser.ask("GET", "/").location == f"{seat}/auth-sign-in?appUri=%2F"
        assert browser.sign_in(ANN, PASSWORD).location == f"{seat}/"
        assert "error" not in browser.start_session()
        assert "42" in browser.run("6 * 7")
