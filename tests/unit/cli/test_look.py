"""What machines and tools have said is shown; what would steer the terminal is not passed on."""

import json
from pathlib import Path

import pytest

from sandbox.cli import look
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.workflows import logs
from sandbox.workflows.listing import SandboxInfo
from tests.unit.factories import shiny_sandbox

HOSTILE = "ok\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\rover"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = Instance("shiny")
    made.write(Record(placement=shiny_sandbox("shiny")))
    return made


def test_logs_of_a_machine_are_cleaned(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "machine_logs", lambda *_, **__: f"==> a.log <==\n{HOSTILE}\n")
    look.logs(instance.name)
    said = capsys.readouterr().out
    assert said == "==> a.log <==\nok�]0;owned��[2J�31m�gnp�over\n\n"


def test_our_own_logs_of_tools_are_cleaned(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    instance.logs.mkdir()
    (instance.logs / "ansible.log").write_bytes(HOSTILE.encode() + b"\xff\n")
    look.logs(instance.name, own=True)
    said = capsys.readouterr().out
    assert "owned" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e\r")


def test_a_broken_sandbox_is_listed(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (instance.folder / "record.json").write_bytes(b"\xff\xfe")
    monkeypatch.setattr("sandbox.workflows.listing._statuses", lambda *_, **__: {})
    look.list_(as_json=True)
    said = capsys.readouterr()
    (listed,) = json.loads(said.out)
    assert (listed["name"], listed["state"]) == ("shiny", "broken")
    assert "sandbox destroy shiny" in said.err


@pytest.mark.parametrize(
    ("checks", "shown"),
    [
        ("61 passed in 9.1 s", "61 passed"),
        ("58 passed, 3 failed in 9.1 s", "58 passed, 3 failed"),
        ("", "never"),
    ],
)
def test_a_listing_has_the_last_checks_and_whether_the_box_has_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checks: str, shown: str
) -> None:
    info = SandboxInfo(
        name="shiny",
        box="shiny",
        base="debian-12",
        provider="incus",
        state="running",
        checks=checks,
        changed=("/b/shiny.yml",),
    )
    monkeypatch.setattr("sandbox.workflows.listing.all_sandboxes", lambda _: [info])
    look.list_()
    said = capsys.readouterr()
    head, row = said.out.splitlines()
    assert row[head.index("CHECKS") :].split("  ")[0].rstrip() == shown
    assert "shiny: /b/shiny.yml has changed since `up`; sandbox up shiny" in said.err
    look.list_(as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["checks"], listed["changed"]) == (checks, ["/b/shiny.yml"])
