"""One broken file in the state: it is said which, the others work, and destroy takes it away."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.checks.results import last_report
from sandbox.errors import ExitCode, SandboxError
from sandbox.events import Notice
from sandbox.providers.engine import Power
from sandbox.state import Instance, instance_names
from sandbox.workflows import listing, power
from tests.unit.factories import shiny_sandbox
from tests.unit.workflows.conftest import Bench


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


WAYS = {
    "no UTF-8": _bytes(b'{"plan": "\xff\xfe"}'),
    "empty": _bytes(b""),
    "NUL": _bytes(b"\x00" * 4096),
    "too deep": _bytes(b"[" * 100_000),
    "other types": _bytes(b'{"summary": {"name": ["x"], "phase": {}}, "plan": 7}'),
    "a summary alone": _bytes(b'{"summary": 1}'),
    "folder": _a_folder,
    "loop": _a_loop,
    "pipe": _a_pipe,
}


@pytest.fixture
def two(bench: Bench) -> Bench:
    """Two sandboxes that run: `bad`, to be broken, and `good`."""
    bench.up(shiny_sandbox("bad"))
    bench.up(shiny_sandbox("good"))
    return bench


@pytest.mark.parametrize("spoil", WAYS.values(), ids=WAYS)
def test_a_broken_record_is_shown_and_the_others_work(
    two: Bench, spoil: Callable[[Path], None]
) -> None:
    spoil(Instance("bad").folder / "record.json")
    found = {info.name: info.state for info in listing.all_sandboxes(two.context)}
    assert found == {"bad": "broken", "good": "running"}
    notes = [event.text for event in two.events if isinstance(event, Notice)]
    assert any("record.json" in note and "sandbox destroy bad" in note for note in notes)
    # The other, and a new one
    assert two.up(shiny_sandbox("good")).status.power is Power.RUNNING
    assert two.up(shiny_sandbox("new")).status.power is Power.RUNNING
    assert listing.details_of("good", two.context).state == "running"
    with pytest.raises(SandboxError, match="saved plan of bad cannot be read") as caught:
        listing.details_of("bad", two.context)
    assert caught.value.exit_code is ExitCode.HOST


@pytest.mark.parametrize("spoil", WAYS.values(), ids=WAYS)
def test_destroy_takes_a_broken_one_away_with_its_machine(
    two: Bench, spoil: Callable[[Path], None]
) -> None:
    spoil(Instance("bad").folder / "record.json")
    power.destroy("bad", context=two.context)
    assert instance_names() == ["good"]
    assert set(two.engine.status()) == {"good"}


def test_destroy_of_all_goes_by_what_is_listed(two: Bench) -> None:
    (Instance("bad").folder / "record.json").write_bytes(b"\xff")
    for info in listing.all_sandboxes(two.context):
        power.destroy(info.name, context=two.context)
    assert instance_names() == []
    assert two.engine.status() == {}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b'{"summary": {"a": "\\ud800"}}'])
def test_broken_checks_are_no_checks(two: Bench, content: bytes) -> None:
    (Instance("bad").folder / "checks.json").write_bytes(content)
    assert {info.name: info.checks for info in listing.all_sandboxes(two.context)}["bad"] == ""
    assert last_report(Instance("bad").folder) is None
    assert two.up(shiny_sandbox("bad")).status.power is Power.RUNNING


def test_a_folder_whose_name_nothing_could_print_is_none_of_ours(two: Bench) -> None:
    folder = Instance("good").folder.parent
    (folder / os.fsdecode(b"\xff\xfe")).mkdir()
    (folder / "a\x1b[2Jb").mkdir()
    assert instance_names() == ["bad", "good"]
