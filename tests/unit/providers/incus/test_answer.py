"""Answers of another shape than Incus's: the provider's failure, and never a bug of ours."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from sandbox.errors import ExitCode, HostError, ProviderError, SandboxError
from sandbox.providers.incus import server
from sandbox.providers.incus.answer import environment_of, metadata_of
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.host_teardown import contents_of
from sandbox.providers.incus.instances import daemon_findings
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.stored_images import base_images

PLACE = IncusPlace.from_prefix("test")
MADE = {"user.sandbox-engine.made-by": "sandbox"}
INSTANCE = {
    "name": "shiny",
    "status": "Running",
    "config": {**MADE, "user.sandbox.box": "shiny", "volatile.eth0.hwaddr": "00:16:3e:00:00:01"},
    "state": {
        "network": {
            "eth0": {"addresses": [{"family": "inet", "scope": "global", "address": "10.0.0.2"}]}
        },
        "disk": {"root": {"usage": 12345}},
    },
}
BAKED = {
    "name": "baked-abc-123456",
    "status": "Stopped",
    "config": {
        "user.sandbox-engine.made-by": "sandbox bake",
        "user.sandbox-engine.bake-complete": "2026-01-02T00:00:00+00:00",
    },
    "state": None,
}
POOL: dict[str, Any] = {
    "name": "test",
    "driver": "btrfs",
    "config": {},
    "used_by": None,
    "status": "Created",
}
ANSWERS: dict[str, Any] = {
    "/1.0": {
        "auth": "trusted",
        "environment": {
            "server_version": "6.0",
            "architectures": ["x86_64"],
            "server_pid": 12,
            "storage_supported_drivers": [{"Name": "btrfs"}],
        },
    },
    "/1.0/instances": [INSTANCE, BAKED],
    "/1.0/instances/shiny": INSTANCE,
    "/1.0/instances/shiny/snapshots": [{"name": "s", "created_at": "2026-01-02T00:00:00.123456Z"}],
    "/1.0/networks/testbr0/leases": [{"hwaddr": "00:16:3e:00:00:01", "address": "10.0.0.2"}],
    "/1.0/networks": [{**POOL, "managed": True, "type": "bridge"}],
    "/1.0/projects": [POOL],
    "/1.0/storage-pools": [POOL],
    "/1.0/storage-pools/test": POOL,
    "/1.0/storage-pools/test/resources": {"space": {"total": 10, "used": 1}},
    "/1.0/storage-pools/test/volumes": [{"name": "v", "type": "custom"}],
    "/1.0/profiles": ["/1.0/profiles/default"],
    "/1.0/profiles/default": {"devices": {"root": {"type": "disk"}}},
    "/1.0/images": [
        {
            "fingerprint": "abc",
            "size": 12,
            "properties": {},
            "uploaded_at": "2026-01-02T00:00:00Z",
            "last_used_at": "0001-01-01T00:00:00Z",
            "aliases": [{"name": "base-debian-12-abc"}],
        }
    ],
    "/1.0/operations": {
        "running": [
            {
                "class": "task",
                "description": "Creating",
                "resources": {"instances": ["/1.0/instances/other"]},
            }
        ]
    },
    "/1.0/resources": {"memory": {"total": 1 << 34}, "cpu": {"total": 8}},
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the daemon says to each path; to be spoilt."""
    said = copy.deepcopy(ANSWERS)

    def ask(_: object, method: str, target: str, *__: object, **___: object) -> dict[str, Any]:
        del method
        path, _, query = target.partition("?")
        found = said.get(path)
        if path in {"/1.0/storage-pools", "/1.0/images"} and "recursion" not in query:
            found = [f"{path}/test"] if isinstance(found, list) else found
        return {"type": "sync", "metadata": found}

    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: "/s")
    monkeypatch.setattr("sandbox.providers.incus.unix_socket.ask_socket", ask)
    # The client of the host's set-up asks through the command; here it is the same daemon
    monkeypatch.setattr(
        IncusClient, "_ask_command", lambda _, method, target, *__: ask(_, method, target)
    )
    return said


def _everything() -> Iterator[Callable[[], object]]:
    engine = IncusEngine(PLACE)
    yield engine.status
    yield lambda: engine.status(["shiny"])
    yield lambda: engine.baked_images(with_sizes=True)
    yield lambda: engine.snapshots("shiny")
    yield lambda: engine._operation("shiny")
    yield lambda: daemon_findings(engine.client)
    yield lambda: base_images(engine.client)
    yield lambda: contents_of(PLACE, None)
    yield lambda: server.ask_server(PLACE)
    yield lambda: environment_of(engine.client.query("GET", "/1.0"))["architectures"][0]
    yield lambda: engine.client.query("GET", "/1.0/resources")["memory"]["total"]


def test_what_incus_says_is_read(answers: dict[str, Any]) -> None:
    del answers
    engine = IncusEngine(PLACE)
    status = engine.status()["shiny"]
    assert (status.address, status.labels) == ("10.0.0.2", (("box", "shiny"),))
    assert [image.complete for image in engine.baked_images()] == [True]
    for ask in _everything():
        ask()


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, "", "x", "\x1b[2J", [], [None], [[]], {}, {"x": None}, {"name": []},
    [{}], ["x"], 10**400,
)  # fmt: skip


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from _places(inner, (*above, key))
        else:
            yield (*above, key)


def _spoil(said: dict[str, Any], place: tuple[Any, ...], odd: object, *, gone: bool) -> None:
    *above, last = place
    inside: Any = said
    for key in above:
        inside = inside[key]
    if gone:
        del inside[last]
    else:
        inside[last] = odd


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_of_another_shape_is_the_providers_failure(
    answers: dict[str, Any], path: str
) -> None:
    rng = random.Random(path)
    whole = copy.deepcopy(answers[path])
    for place in _places(whole, (path,)):
        for odd in (*ODD, "gone"):
            answers[path] = copy.deepcopy(whole)
            _spoil(answers, place, odd, gone=odd == "gone")
            for ask in _everything():
                if rng.random() < 0.5:
                    continue
                # Believed, or refused; anything else would be a bug of ours, and fails here
                with suppress(ProviderError, HostError):
                    ask()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": None},
        {"type": "sync"},
        {"type": "sync", "metadata": 7},
        {"type": "sync", "metadata": [{"name": "x"}]},
        {"type": "sync", "metadata": [{"name": "x", "status": "Running", "config": {"a": []}}]},
    ],
)
def test_where_it_is_wrong_is_said(answer: dict[str, Any]) -> None:
    if answer == {"type": "sync"}:
        assert metadata_of(answer, "GET", "/1.0/instances", deep=True) == []
        return
    with pytest.raises(ProviderError, match="cannot read what Incus answered") as caught:
        metadata_of(answer, "GET", "/1.0/instances", deep=True)
    assert caught.value.details
    assert caught.value.exit_code is ExitCode.PROVIDER


@pytest.mark.parametrize("code", [None, "404", [], 10**400])
def test_an_error_of_another_shape_is_an_error(
    monkeypatch: pytest.MonkeyPatch, code: object
) -> None:
    answer = {"type": "error", "error": None, "error_code": code}
    monkeypatch.setattr("sandbox.providers.incus.client.incus_socket", lambda: "/s")
    monkeypatch.setattr("sandbox.providers.incus.unix_socket.ask_socket", lambda *_, **__: answer)
    with pytest.raises(SandboxError) as caught:
        IncusClient(PLACE).query("GET", "/1.0")
    assert caught.value.exit_code is ExitCode.PROVIDER
