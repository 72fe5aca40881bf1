"""Reading the daemon's answers from its socket."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.incus import unix_socket as incus_socket
from sandbox.providers.incus.client import IncusClient, NotFoundError
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.unix_socket import LateError, NoSocketError, ask_socket


class Daemon:
    """A socket whose answers are written beforehand."""

    answers: list[bytes]
    heard: list[bytes]
    refuses = False

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.heard = list(answers), []

    def socket(self, *_: object) -> "Daemon":
        self._parts = [self.answers[0][:40], self.answers.pop(0)[40:], b""] if self.answers else []
        return self

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def settimeout(self, _: float) -> None:
        return

    def connect(self, _: str) -> None:
        if self.refuses:
            raise ConnectionRefusedError("refused")

    def sendall(self, data: bytes) -> None:
        self.heard.append(data)

    def recv(self, _: int) -> bytes:
        if not self._parts:
            raise TimeoutError("timed out")
        return self._parts.pop(0)


def http(answer: dict[str, Any]) -> bytes:
    return (
        b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(answer).encode()
    )


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    made = Daemon()
    monkeypatch.setattr(socket, "socket", made.socket)
    return made


def test_a_question_and_its_answer(daemon: Daemon) -> None:
    daemon.answers = [http({"type": "sync", "metadata": {"a": "ü"}})]
    answer = ask_socket(Path("/s"), "PATCH", "/1.0/x?project=p", {"b": 1}, timeout_s=1)
    assert answer["metadata"] == {"a": "ü"}
    head, _, body = daemon.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PATCH /1.0/x?project=p HTTP/1.0\r\n")
    assert json.loads(body) == {"b": 1}


def test_an_operation_is_waited_for(daemon: Daemon) -> None:
    done = {"type": "sync", "metadata": {"class": "task", "status": "Success", "err": ""}}
    daemon.answers = [http({"type": "async", "operation": "/1.0/operations/7"}), http(done)]
    assert ask_socket(Path("/s"), "POST", "/1.0/x", {}, timeout_s=1) == done
    assert daemon.heard[1].startswith(b"GET /1.0/operations/7/wait HTTP/1.0\r\n")


def test_nobody_there(daemon: Daemon) -> None:
    daemon.refuses = True
    with pytest.raises(NoSocketError):
        ask_socket(Path("/s"), "GET", "/1.0", None, timeout_s=1)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\n\r\n", b'HTTP/1.0 200 OK\r\n\r\n{"a'])
def test_an_answer_that_was_cut_off(daemon: Daemon, answer: bytes) -> None:
    daemon.answers = [answer]
    with pytest.raises(LateError):
        ask_socket(Path("/s"), "GET", "/1.0", None, timeout_s=1)


def client(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | Exception) -> IncusClient:
    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: Path("/s"))

    def ask(*_: object, **__: object) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(incus_socket, "ask_socket", ask)
    return IncusClient(IncusPlace.from_prefix("test"))


def test_its_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"type": "error", "error": "Instance not found", "error_code": 404}
    with pytest.raises(NotFoundError):
        client(monkeypatch, error).query("GET", "/1.0/instances/x")


def test_an_operation_that_failed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"class": "task", "status": "Failure", "err": "the moon is full"}
    with pytest.raises(ProviderError) as caught:
        client(monkeypatch, {"type": "sync", "metadata": failed}).query("POST", "/1.0/instances")
    assert caught.value.details == "the moon is full"


def test_late_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for may go on: the command must not ask for it again."""
    with pytest.raises(ProviderError, match="did not answer"):
        client(monkeypatch, LateError("timed out")).query("POST", "/1.0/instances")


class Endless(Daemon):
    """It never stops."""

    def recv(self, size: int) -> bytes:
        return b"x" * size


def test_an_answer_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Endless().socket)
    monkeypatch.setattr(incus_socket, "LARGEST_BYTES", 1 << 20)
    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: Path("/s"))
    with pytest.raises(ProviderError, match="without an end"):
        IncusClient(IncusPlace.from_prefix("test")).query("GET", "/1.0/instances")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[]", b"7", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_an_answer_that_is_none_is_the_providers_failure(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    daemon.answers = [b"HTTP/1.0 200 OK\r\n\r\n" + body]
    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: Path("/s"))
    with pytest.raises(ProviderError):
        IncusClient(IncusPlace.from_prefix("test")).query("GET", "/1.0")
