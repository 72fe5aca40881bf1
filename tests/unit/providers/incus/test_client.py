"""What we say to Incus, and what its words mean."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sandbox.errors import CommandError, HostError, ProviderError, SandboxError, UsageError
from sandbox.providers.incus import client as incus_client
from sandbox.providers.incus.client import (
    ExistsError,
    IncusClient,
    NoDaemonError,
    NotFoundError,
    NotPermittedError,
    NotSetUpError,
    api_path,
    explain,
    explain_command,
)
from sandbox.providers.incus.place import IncusPlace
from sandbox.run import Completed

PLACE = IncusPlace.from_prefix("sandbox", remote="lab")


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> list[tuple[str, ...]]:
    asked: list[tuple[str, ...]] = []

    def run(words: Sequence[str], **_: object) -> Completed:
        asked.append(tuple(words))
        return Completed(tuple(words), 0, json.dumps(answer), "", 0.0)

    monkeypatch.setattr(incus_client, "run", run)
    return asked


def test_a_place_is_derived_from_its_prefix() -> None:
    assert IncusPlace.from_prefix("sandbox") == IncusPlace(
        project="sandbox", pool="sandbox", network="sandboxbr0", remote="local"
    )
    assert not PLACE.is_local


@pytest.mark.parametrize("prefix", ["", "-x", "Sandbox", "a b", "a" * 11, "0a", "a;b"])
def test_a_prefix_that_cannot_be_a_name(prefix: str) -> None:
    with pytest.raises(UsageError):
        IncusPlace.from_prefix(prefix)


@pytest.mark.parametrize("remote", ["", "-x", "a:b", "a b", "a/b"])
def test_a_remote_that_cannot_be_a_name(remote: str) -> None:
    with pytest.raises(UsageError):
        IncusPlace.from_prefix("sandbox", remote)


@pytest.mark.parametrize("name", ["", "-f", "--project=x", "other:name", "a b", "a\nb"])
def test_a_name_never_becomes_an_option_or_a_remote(name: str) -> None:
    with pytest.raises(UsageError):
        IncusClient(PLACE).ref(name)


def test_every_call_carries_project_and_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_with(monkeypatch, {"type": "sync", "metadata": {"a": 1}})
    client = IncusClient(PLACE)
    assert client.query("PUT", api_path("instances", "x"), {"k": "v"}) == {"a": 1}
    assert asked[-1][-1] == "lab:/1.0/instances/x?project=sandbox"
    assert json.loads(asked[-1][asked[-1].index("--data") + 1]) == {"k": "v"}
    client.run("start", client.ref("x"))
    assert asked[-1] == ("incus", "--project", "sandbox", "start", "lab:x")


def test_a_name_cannot_leave_its_place_in_a_path() -> None:
    assert api_path("instances", "../x?a=b") == "/1.0/instances/..%2Fx%3Fa%3Db"


def test_absent_is_not_an_error_for_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    client = IncusClient(PLACE)
    for words in ("Instance not found", "Project not found"):
        answer_with(monkeypatch, {"type": "error", "error": words, "error_code": 404})
        assert not client.exists("instances", "x")
    answer_with(monkeypatch, {"type": "sync", "metadata": {}})
    assert client.exists("instances", "x")


def test_a_refusal_is_not_taken_for_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, {"type": "error", "error": "not authorized", "error_code": 403})
    with pytest.raises(HostError, match="does not let us in"):
        IncusClient(PLACE).exists("instances", "x")


# Incus's own sentences, as version 6.0.4 says them
@pytest.mark.parametrize(
    ("own", "family", "hint"),
    [
        (
            "The incus daemon doesn't appear to be started (socket path: /x)",
            NoDaemonError,
            "host setup",
        ),
        (
            "You don't have the needed permissions to talk to the incus daemon (socket path: /x)",
            NotPermittedError,
            "incus-admin",
        ),
        ('The remote "x" doesn\'t exist', HostError, "remote"),
        ("Failed creating: write /x: no space left on device", HostError, "df -h"),
        (
            "tar: usr/share/ca-certificates/x.crt: Cannot write: No space left on device",
            HostError,
            "df -h",
        ),
        ("Failed loading storage pool: Storage pool not found", NotSetUpError, "host setup"),
        ("Project not found", NotSetUpError, "host setup"),
        ("Image not provided for instance creation", NotFoundError, "sandbox up"),
        ('Failed to fetch instance "x" in project "y": Instance not found', NotFoundError, ""),
        (
            'Failed to create "instances" entry: UNIQUE constraint failed: instances.name',
            ExistsError,
            "",
        ),
        ("Alias 'x' already exists", ExistsError, ""),
        ("something nobody has seen before", ProviderError, ""),
    ],
)
def test_incus_words_are_kept_and_understood(
    own: str, family: type[SandboxError], hint: str
) -> None:
    error = explain(own, what="doing it")
    assert type(error) is family
    assert error.details == own
    assert hint in error.hint


def test_a_missing_client() -> None:
    error = explain_command(CommandError("`incus` is not there", returncode=127))
    assert isinstance(error, HostError)
    assert "host setup" in error.hint


def test_a_timeout_says_where_to_look() -> None:
    error = explain_command(CommandError("did not end within 3 s", returncode=None))
    assert isinstance(error, ProviderError)
    assert "incus operation list" in error.hint


def test_only_the_error_is_quoted_of_what_the_client_said() -> None:
    stderr = "If this is your first time …\nError: Instance not found\n"
    error = explain_command(CommandError("failed", returncode=1, stderr=stderr))
    assert error.details == "Instance not found"
