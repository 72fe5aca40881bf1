"""Unit tests start no process and open no connection: a test that does is an integration test."""

import socket
import subprocess
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail loudly when the code under test starts a process or connects somewhere."""

    def process(*args: object, **_: object) -> NoReturn:
        raise AssertionError(f"a unit test started a process: {args[1:2]}")

    def connection(*args: object, **_: object) -> NoReturn:
        raise AssertionError(f"a unit test opened a connection: {args[1:2]}")

    monkeypatch.setattr(subprocess.Popen, "__init__", process)
    monkeypatch.setattr(subprocess.Popen, "__del__", lambda _: None, raising=False)
    monkeypatch.setattr(socket.socket, "connect", connection)


@pytest.fixture(autouse=True)
def no_r(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever R this host has is not there: code is read by our own reader."""
    monkeypatch.setattr("sandbox.r_code.r_parser.rscript", lambda: None)


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Incus this host has is not there."""
    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: None)
